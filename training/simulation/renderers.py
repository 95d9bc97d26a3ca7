"""Which renderer draws a radiograph: the layered one, the projected one, or both in a given mix."""

from __future__ import annotations

import zlib
from dataclasses import replace
from enum import StrEnum

import numpy as np

from training.simulation import projection, radiograph
from training.simulation.options import SimulationOptions
from training.simulation.truth import SimulatedRadiograph


class Renderer(StrEnum):
    LAYERED = "layered"
    PROJECTION = "projection"
    BOTH = "both"


PROJECTED_SHARE = 0.5  # of radiographs, where both renderers draw


def draw(
    seed: int,
    index: int,
    options: SimulationOptions,
    renderer: Renderer = Renderer.LAYERED,
    projected_share: float = PROJECTED_SHARE,
) -> SimulatedRadiograph:
    """Image number `index` of the sequence `seed`; its truth says in `nuisance["projected"]` which renderer drew it."""
    projected = renderer is Renderer.PROJECTION
    if renderer is Renderer.BOTH:
        rng = np.random.default_rng([seed & 0xFFFFFFFF, index, zlib.crc32(b"renderer")])
        projected = bool(rng.random() < projected_share)
    image = (projection.simulate if projected else radiograph.simulate)(seed, index, options)
    truth = replace(image.truth, nuisance={**image.truth.nuisance, "projected": float(projected)})
    return replace(image, truth=truth)
