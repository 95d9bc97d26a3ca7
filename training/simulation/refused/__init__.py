"""What the program must refuse: native hips, lateral and cut-off views, designs that it does not cover, other things.

They go through the same exposure, processing and overlays as everything else, so that only what is seen differs.
"""

from __future__ import annotations

import numpy as np

from training.simulation.options import SimulationOptions
from training.simulation.refused.bones import other_bone
from training.simulation.refused.hips import cropped, lateral, native
from training.simulation.refused.pictures import no_radiograph
from training.simulation.refused.uncovered import uncovered
from training.simulation.streams import Stream
from training.simulation.truth import SimulatedRadiograph, Suitability

KINDS: tuple[tuple[Suitability, float], ...] = (
    (Suitability.NATIVE, 0.24),
    (Suitability.LATERAL, 0.18),
    (Suitability.CROPPED, 0.16),
    (Suitability.UNCOVERED_DESIGN, 0.18),
    (Suitability.OTHER_BONE, 0.14),
    (Suitability.PHOTOGRAPH, 0.04),
    (Suitability.NOISE, 0.02),
    (Suitability.BLANK, 0.02),
    (Suitability.TEXT_PAGE, 0.02),
)


def draw_kind(rng: np.random.Generator) -> Suitability:
    return KINDS[int(rng.choice(len(KINDS), p=[share for _, share in KINDS]))][0]


def simulate_unsuitable(
    stream: Stream, kind: Suitability, options: SimulationOptions, pelvis: bool
) -> SimulatedRadiograph:
    if kind is Suitability.NATIVE:
        return native(stream, options, pelvis)
    if kind is Suitability.LATERAL:
        return lateral(stream, options)
    if kind is Suitability.CROPPED:
        return cropped(stream, options)
    if kind is Suitability.UNCOVERED_DESIGN:
        return uncovered(stream, options)
    if kind is Suitability.OTHER_BONE:
        return other_bone(stream, options)
    return no_radiograph(stream, kind, options)
