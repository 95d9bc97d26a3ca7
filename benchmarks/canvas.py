"""Milliseconds per frame of what a reader does all day: toggle, opacity, window/level, zoom, pan.

    python -m benchmarks.canvas [--json]

A synthetic 2,140 x 1,760 image in a 1,200 x 900 canvas with map, region and marks; medians over one run. Each frame
is painted synchronously into the widget's backing store, as the window system would ask for it.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QApplication

from gui.annotations import new_annotation
from gui.views.radiograph_view import RadiographView
from imaging.geometry import HipRegion
from imaging.radiograph import Radiograph, Side, SpacingSource, View, Window
from inference.prediction import SaliencyMap
from study.model import AnnotationKind

ROWS, COLS = 2140, 1760
VIEW_SIZE = (1200, 900)
TARGET_MS = 16.0
REPEATS = 40


def synthetic_radiograph() -> Radiograph:
    """Smooth anatomy-like shading with noise, 12 bits."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:ROWS, 0:COLS].astype(np.float32)
    shade = 1500 + 900 * np.sin(x / 300) * np.cos(y / 400) + 700 * np.exp(-((x - 900) ** 2 + (y - 800) ** 2) / 2e5)
    pixels = np.rint(np.clip(shade + rng.normal(0, 40, shade.shape), 0, 4095)).astype(np.float32)
    return Radiograph(
        pixels,
        (Window(1800, 3000),),
        sha256="0" * 64,
        path=Path("synthetic"),
        bits=12,
        spacing_mm=(0.14, 0.14),
        spacing_source=SpacingSource.DETECTOR,
        side=Side.RIGHT,
        view=View.AP,
    )


def canvas() -> RadiographView:
    """A shown view with everything on it."""
    view = RadiographView()
    view.resize(*VIEW_SIZE)
    view.set_radiograph(synthetic_radiograph())
    region = HipRegion(150, 300, 1400, 1400, Side.RIGHT, True)
    y, x = np.mgrid[0:28, 0:28]
    values = np.exp(-((x - 12) ** 2 / 10 + (y - 16) ** 2 / 40)).astype(np.float32)
    view.set_regions([region])
    view.set_saliency([SaliencyMap(values, region, (0.1, 0.8), "Grad-CAM")])
    line = [(700.0, 900.0), (740.0, 1200.0), (760.0, 1500.0)]
    view.annotations.add(new_annotation(AnnotationKind.LUCENT_LINE, line, width_px=12))
    view.annotations.add(new_annotation(AnnotationKind.RULER, [(300, 400), (800, 500)]))
    view.overlay.set_visible(True)
    view.show()
    return view


def median_frame_ms(view: RadiographView, step: Callable[[int], None]) -> float:
    times_ms = []
    for number in range(REPEATS + 3):
        start = time.perf_counter()
        step(number)
        view.repaint()
        times_ms.append((time.perf_counter() - start) * 1000)
    return statistics.median(times_ms[3:])


def measure() -> dict[str, float]:
    """Step name -> median milliseconds a frame."""
    app = QApplication.instance() or QApplication([])
    view = canvas()
    app.processEvents()
    overlay = view.overlay
    middle = QPointF(600, 450)
    figures = {
        "overlay toggle": median_frame_ms(view, lambda _: overlay.toggle()),
        "opacity step": median_frame_ms(view, lambda n: overlay.set_opacity(0.3 + 0.05 * (n % 8))),
        "window/level step": median_frame_ms(view, lambda n: view.set_window(1700 + 9 * n, 2800 - 11 * n)),
        "zoom step": median_frame_ms(view, lambda n: view.zoom_by(1.2 if n // 10 % 2 == 0 else 1 / 1.2, middle)),
        "threshold step": median_frame_ms(view, lambda n: overlay.set_threshold(0.02 * (n % 20))),
        "pan step": median_frame_ms(view, lambda n: view.pan(7 if n % 2 else -7, 3)),
    }
    view.one_to_one()
    figures["window/level step at 1:1"] = median_frame_ms(view, lambda n: view.set_window(1700 + 9 * n, 2800 - 11 * n))
    view.fit()
    view.rotate_by(90)
    figures["window/level step, turned"] = median_frame_ms(view, lambda n: view.set_window(1700 + 9 * n, 2800 - 11 * n))
    view.close()
    return figures


def main() -> int:
    figures = measure()
    if "--json" in sys.argv:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:28s} {value:6.1f} ms  {'ok' if value <= TARGET_MS else 'over ' + str(TARGET_MS)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
