"""What the canvas paints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QRectF, Qt

from imaging.radiograph import Radiograph, Window
from imaging.windowing import apply_window

RIGHT, MIDDLE = Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton


def test_the_window_is_exactly_that_of_the_core(canvas) -> None:
    """One to one, pixel for pixel, the screen shows `imaging.windowing.apply_window`."""
    canvas.view.set_show_texts(False)
    canvas.view.one_to_one()
    for window, inverted in (
        (Window(350, 700), False),
        (Window(300, 120), True),
        (Window(300, 120, "", sigmoid=True), True),
        (Window(350, 700, "", sigmoid=True), False),
    ):
        canvas.view.set_window(window.center, window.width, sigmoid=window.sigmoid)
        canvas.view.set_inverted(inverted)
        shown = canvas.grab()[..., 0]
        expected = apply_window(canvas.view.radiograph.pixels, window, inverted)
        left, top = canvas.at((0, 0)).x(), canvas.at((0, 0)).y()
        part = shown[top : top + 400, left : left + 300]
        # The side marker covers a corner of the image.
        assert (part[120:] == expected[120:]).all()


HIDPI = """
import sys
import numpy as np
from pathlib import Path
from PySide6.QtWidgets import QApplication
from gui.views.radiograph_view import RadiographView
from imaging.radiograph import Radiograph, Window
from imaging.windowing import apply_window
app = QApplication([])
pixels = np.random.default_rng(0).integers(0, 255, (300, 400)).astype(np.float32)
view = RadiographView()
view.resize(600, 500)
view.set_radiograph(Radiograph(pixels, (Window(128, 256),), "0" * 64, Path("noise")))
view.set_show_texts(False)
view.one_to_one()
image = view.grab().toImage()
assert (image.width(), image.height()) == (900, 750), image.size()
raw = np.frombuffer(image.constBits(), np.uint8).reshape(750, -1)[:, : 900 * 4].reshape(750, 900, 4)[..., 0]
expected = apply_window(pixels, Window(128, 256))
top, left = (750 - 300) // 2, (900 - 400) // 2
assert (raw[top : top + 300, left : left + 400] == expected).all()
print("exact")
"""


def test_one_to_one_is_exact_on_a_display_scaled_to_150_percent() -> None:
    environment = {**os.environ, "QT_SCALE_FACTOR": "1.5", "QT_QPA_PLATFORM": "offscreen"}
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", HIDPI], cwd=root, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "exact", done.stderr


def test_painting_is_deterministic(canvas) -> None:
    canvas.view.one_to_one()
    assert (canvas.grab() == canvas.grab()).all()


@pytest.mark.parametrize("zoom", [0.3, 0.5, 0.8, 1.0, 3.0])
@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("flipped", [False, True])
def test_the_image_lies_where_the_coordinates_say(canvas, make_radiograph, zoom, turns, flipped) -> None:
    """A bright spot is on screen where its image point maps to, at every zoom and orientation."""
    view = canvas.view
    pixels = np.zeros((401, 303), np.float32)
    pixels[90:110, 190:210] = 1000
    view.set_radiograph(Radiograph(pixels, (Window(500, 1000),), "0" * 64, make_radiograph().path))
    view.set_show_texts(False)
    view.rotate_by(90 * turns)
    if flipped:
        view.flip_horizontal()
    view.show_point(200, 100, zoom)
    shown = canvas.grab()[..., 0] > 128
    shown[:60] = False  # the orientation badge
    rows, cols = np.nonzero(shown)
    expected = view.view_point(200, 100)
    assert (cols.mean() + 0.5, rows.mean() + 0.5) == pytest.approx((expected.x(), expected.y()), abs=1.0)
    assert shown.sum() == pytest.approx((20 * zoom) ** 2, rel=0.2)


def test_downscaling_averages(canvas, make_radiograph) -> None:
    """A one-pixel checkerboard is grey when zoomed out, not moiré."""
    y, x = np.mgrid[0:1200, 0:1600]
    checker = (((x + y) % 2) * 1000).astype(np.float32)
    canvas.view.set_radiograph(Radiograph(checker, (Window(500, 1000),), "0" * 64, make_radiograph().path))
    canvas.view.set_show_texts(False)
    shown = canvas.grab()[100:500, 200:600, 0].astype(int)
    assert abs(shown.mean() - 127) < 4
    assert shown.std() < 12


@pytest.mark.parametrize("dtype_scale", [1.0, 0.001, 1e5])
def test_any_grey_scale_is_shown(canvas, make_radiograph, dtype_scale: float) -> None:
    ramp = np.tile(np.linspace(-1, 1, 300, dtype=np.float32) * dtype_scale, (400, 1)).astype(np.float32)
    canvas.view.set_radiograph(Radiograph(ramp, (Window(0, 2 * dtype_scale),), "0" * 64, make_radiograph().path))
    canvas.view.set_show_texts(False)
    canvas.view.one_to_one()
    left = canvas.at((0, 0))
    shown = canvas.grab()[left.y() + 200, left.x() : left.x() + 300, 0].astype(int)
    expected = apply_window(ramp[200:201], Window(0, 2 * dtype_scale))[0].astype(int)
    assert np.abs(shown - expected).max() <= 1


def test_a_constant_and_an_unfinite_image_are_painted(canvas, make_radiograph) -> None:
    for value in (0.0, 5.0, np.nan):
        pixels = np.full((50, 40), value, np.float32)
        canvas.view.set_radiograph(Radiograph(pixels, (Window(0, 1),), "0" * 64, make_radiograph().path))
        assert canvas.grab().shape == (600, 800, 3)


def test_no_radiograph(canvas) -> None:
    canvas.view.set_radiograph(None)
    shown = canvas.grab()
    assert (shown == shown[0, 0]).all()
    canvas.click((10, 10))
    canvas.key(Qt.Key.Key_Space)
    canvas.view.reset_view()


@pytest.mark.parametrize("width", [230, 320, 800])
def test_texts_do_not_cover_each_other(canvas, monkeypatch, width: int) -> None:
    from gui.items import hud

    plates: list[QRectF] = []
    monkeypatch.setattr(hud, "draw_plate", lambda _painter, box: plates.append(QRectF(box)))
    canvas.view.resize(width, 600)
    canvas.view.fit()
    canvas.view.grab()
    assert len(plates) >= 2
    for index, plate in enumerate(plates):
        assert QRectF(canvas.view.rect()).contains(plate)
        assert not any(plate.intersects(other) for other in plates[:index])
