"""From the bodies to the image that is stored: exposure, processing, what is burnt in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from imaging.radiograph import Side
from training.simulation import anatomy, clutter, overlays, physics, processing, soft_tissue
from training.simulation.canvas import Field
from training.simulation.framing import Frame
from training.simulation.options import SimulationOptions
from training.simulation.streams import Stream
from training.simulation.truth import (
    Mask,
    SimulatedRadiograph,
    Truth,
)

Expose = Callable[
    [physics.Paths, Frame, SimulationOptions, Stream, list[Mask], Side, anatomy.Patient | None],
    tuple[Field, processing.Look, dict[str, float]],
]


Develop = Callable[
    [Field, npt.NDArray[np.bool_], processing.Look, float, Stream, SimulationOptions], tuple[Field, dict[str, float]]
]


def develop(
    density: Field,
    reference: npt.NDArray[np.bool_],
    look: processing.Look,
    pixel_mm: float,
    stream: Stream,
    options: SimulationOptions,
) -> tuple[Field, dict[str, float]]:
    """(grey 0-1, nuisances) from log signal; the curve is laid by what lies in `reference`."""
    return processing.tone(processing.enhance(density, look, pixel_mm), look, reference), {}


def draw_exposure(rng: np.random.Generator, options: SimulationOptions) -> physics.Exposure:
    if options.clean:
        return physics.Exposure(75.0, 0.4, 8e5, 0.22)
    low, high = (64, 90) if options.shifted else (68, 82)
    return physics.Exposure(
        float(rng.uniform(low, high)),
        float(rng.uniform(0.3, 0.6)),
        float(np.exp(rng.uniform(np.log(6e4), np.log(9e5)))),
        float(rng.uniform(0.15, 0.6)),
    )


def expose(
    paths: physics.Paths,
    frame: Frame,
    options: SimulationOptions,
    stream: Stream,
    bands: list[Mask],
    side: Side,
    patient: anatomy.Patient | None,
    develop: Develop = develop,
) -> tuple[Field, processing.Look, dict[str, float]]:
    """Project, process and burn in: (final grey 0-1, look, nuisances)."""
    canvas = frame.canvas
    exposure = draw_exposure(stream("exposure"), options)
    look = processing.draw_look(stream("look"), options.clean, options.shifted)
    overlay_rng = stream("overlays")
    burnt = overlays.draw_overlays(overlay_rng)
    fold_rng = stream("fold")
    fold = fold_rng.random() < 0.2 and not options.clean
    lying = {} if options.clean else clutter.add_clutter(paths, stream("clutter"))
    if fold:
        soft_tissue.add_skin_fold(paths, fold_rng)
    noise = stream("noise")
    air = paths["soft"] + paths["fat"] + paths["bone"] < 6.0
    signal = physics.project(paths, exposure)
    signal = physics.add_noise(signal, exposure.photons, canvas.pixel_mm, noise)
    density = -np.log(np.maximum(signal, 2e-4))
    reference = ~air
    for band in bands:
        reference &= ~band
    grey, developed = develop(density, reference, look, canvas.pixel_mm, stream, options)
    grey = processing.resample(grey, frame.rows, frame.cols)
    grey = processing.degrade(grey, look, noise)
    if options.overlays:
        grey = overlays.burn_overlays(grey, burnt, side.value, overlay_rng)
    nuisance: dict[str, float] = {f"look_{key}": float(value) for key, value in look.__dict__.items()}
    nuisance |= {f"exposure_{key}": float(value) for key, value in exposure.__dict__.items()}
    nuisance |= {
        f"overlay_{key}": float(value) for key, value in burnt.__dict__.items() if isinstance(value, int | float)
    }
    nuisance |= {
        f"collimation_{name}": value
        for name, value in zip(("left", "top", "right", "bottom"), burnt.collimation, strict=True)
    }
    if patient is not None:
        nuisance |= {
            f"patient_{key}": float(value) for key, value in patient.__dict__.items() if isinstance(value, int | float)
        }
    nuisance |= lying | developed
    nuisance |= {
        "skin_fold": float(fold),
        "rows": float(frame.rows),
        "cols": float(frame.cols),
        "left_side": float(side is Side.LEFT),
        "inverted": float(look.inverted),
    }
    nuisance["field_mm"] = canvas.rows * canvas.spacing_mm[0]
    return grey, look, nuisance


def finish(grey: Field, look: processing.Look, frame: Frame, truth: Truth) -> SimulatedRadiograph:
    sx, sy = frame.scale
    row_mm, col_mm = frame.canvas.spacing_mm
    return SimulatedRadiograph(processing.store(grey, look), look.bits, (row_mm / sy, col_mm / sx), truth)
