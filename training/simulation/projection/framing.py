"""Crops of one hip as they are found in public: tight, and most of them squashed to a square."""

from __future__ import annotations

import numpy as np

from training.simulation import coverage
from training.simulation.anatomy import Patient
from training.simulation.designs import HipDesign
from training.simulation.framing import Frame, frame_single, make_frame
from training.simulation.options import SimulationOptions

TIGHT_SHARE, SQUARE_SHARE = 0.7, 0.75


def frame_crop(
    rng: np.random.Generator,
    design: HipDesign,
    patient: Patient,
    options: SimulationOptions,
    bottom_mm: float,
    margins: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0),
) -> Frame:
    """A tight crop, or one as `framing.frame_single` cuts it; what `coverage` calls whole stays within it."""
    tight, square = rng.random() < TIGHT_SHARE, rng.random() < SQUARE_SHARE
    if not tight or options.clean:
        return frame_single(rng, design, patient, options, bottom_mm, margins=margins)
    for attempt in range(12):
        more = 5.0 * attempt
        top = -rng.uniform(20, 55) * patient.size - more
        bottom = bottom_mm + rng.uniform(-3, 30) + more
        medial = -rng.uniform(18, 52) * patient.size - more
        lateral = patient.shaft_x_mm + rng.uniform(20, 48) * patient.size + more
        rotation = float(np.clip(rng.normal(0, 4.0), -12, 12))
        shape = (bottom - top) / (lateral - medial)
        squash = shape * float(np.exp(rng.normal(0, 0.03))) if square else float(np.exp(rng.normal(0, 0.12)))
        frame = make_frame(rng, (medial, top), (lateral, bottom), design.side, rotation, squash, options)
        if design.stem_form is None or design.cup is None:
            return frame
        femur = frame.canvas.framed(rotation_deg=-patient.adduction_deg)
        if coverage.missing(frame.canvas, femur, design.stem_form, design.cup, margins).plainly_whole:
            return frame
    return frame
