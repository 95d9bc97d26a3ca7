"""From log signal to grey as makers of X-ray systems do it: gains per size of structure, then a film's curve."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from PIL import Image

from training.simulation import exposing, processing
from training.simulation.canvas import Field
from training.simulation.options import SimulationOptions
from training.simulation.streams import Stream

BANDS_MM = (0.7, 1.6, 3.6, 8.0, 18.0, 40.0)


@dataclass(frozen=True)
class Chain:
    fine: float  # gain of the finest band; 1 leaves it
    medium: float  # of structures of some 4 mm
    coarse: float  # of structures above 4 cm: below 1 compresses the range
    lift: float  # 1 linear; less lifts faint structures over plain ones
    coring: float  # of the finest band: how much of its noise is taken out
    limit: float  # of a band at the edges of metal; large lets it ring
    soft: float  # grey of soft tissue
    bone: float  # grey of dense bone
    floor: float
    ceiling: float  # grey of metal
    hard: bool  # the curve's ends are cut off, not rounded
    gamma: float
    pixels: int  # of the longer side when it was a thumbnail; 0 never


def draw_chain(rng: np.random.Generator, clean: bool) -> Chain:
    soft = float(rng.uniform(0.10, 0.40))
    ringing = rng.random() < 0.3
    chain = Chain(
        fine=float(rng.uniform(0.9, 2.8)),
        medium=float(rng.uniform(1.0, 2.0)),
        coarse=float(rng.uniform(0.45, 1.05)),
        lift=float(rng.uniform(0.78, 1.0)),
        coring=float(rng.uniform(0.3, 1.6)),
        limit=float(rng.uniform(0.5, 1.5) if ringing else rng.uniform(0.12, 0.4)),
        soft=soft,
        bone=float(soft + rng.uniform(0.2, 0.42)),
        floor=float(rng.uniform(0.0, 0.10) if rng.random() < 0.6 else 0.0),
        ceiling=float(rng.uniform(0.86, 1.0) if rng.random() < 0.65 else rng.uniform(0.98, 1.0)),
        hard=bool(rng.random() < 0.35),
        gamma=float(np.exp(rng.normal(0, 0.15))),
        pixels=int(rng.integers(150, 330)) if rng.random() < 0.22 else 0,
    )
    return Chain(1.3, 1.2, 0.8, 0.95, 0.5, 0.3, 0.26, 0.6, 0.02, 1.0, False, 1.0, 0) if clean else chain


def equalised(density: Field, chain: Chain, pixel_mm: float) -> Field:
    """Bands of structures by size, each with its gain."""
    sizes = np.log(BANDS_MM)
    gains = np.interp(sizes, np.log([0.7, 4.0, 40.0]), [chain.fine, chain.medium, chain.coarse])
    out = np.zeros_like(density)
    level = density
    for size, gain in zip(BANDS_MM, gains, strict=True):
        below = processing.smoothed(level, max(size / pixel_mm, 0.3))
        band = level - below
        if size == BANDS_MM[0]:  # what is no larger than noise is kept small
            noise = np.float32(chain.coring * 1.4826 * np.median(np.abs(band)) + 1e-6)
            band = band * np.abs(band) / (np.abs(band) + noise)
        limit = np.float32(chain.limit)
        held = limit * np.sign(band) * np.minimum(np.abs(band) / limit, 1.0) ** np.float32(chain.lift)
        out += np.float32(gain - 1) * np.clip(held, -limit, limit) + band
        level = below
    middle = float(np.median(level))
    return out + middle + np.float32(chain.coarse) * (level - middle)


def curve(density: Field, chain: Chain, reference: npt.NDArray[np.bool_]) -> Field:
    """Grey 0-1: straight from soft tissue to bone, its ends cut off or rounded as a film's."""
    values = density[reference][::7]
    if values.size < 50:
        values = density.ravel()[::7]
    soft, bone = np.percentile(values, (25, 94))
    slope = (chain.bone - chain.soft) / max(float(bone - soft), 0.3)
    grey = chain.soft + slope * (density - soft)
    if not chain.hard:
        toe = max(chain.soft - chain.floor, 0.02)
        low = chain.floor + toe * np.exp(np.minimum(grey - chain.soft, 0) / toe)
        knee = min(chain.bone + 0.08, chain.ceiling - 0.05)
        over = np.maximum(grey - knee, 0) / (chain.ceiling - knee) * np.float32(2.2)
        high = knee + (chain.ceiling - knee) * (1 - np.exp(-over))
        grey = np.where(grey < chain.soft, low, np.where(grey > knee, high, grey))
    grey = np.clip(grey, chain.floor, chain.ceiling)
    return np.asarray(grey ** np.float32(chain.gamma), np.float32)


def develop(
    density: Field,
    reference: npt.NDArray[np.bool_],
    look: processing.Look,
    pixel_mm: float,
    stream: Stream,
    options: SimulationOptions,
) -> tuple[Field, dict[str, float]]:
    """(grey 0-1, nuisances); see `exposing.develop`."""
    chain = draw_chain(stream("chain"), options.clean)
    grey = curve(equalised(density, chain, pixel_mm), chain, reference)
    rows, cols = grey.shape
    if chain.pixels and max(rows, cols) > chain.pixels:  # it was a thumbnail once
        scale = chain.pixels / max(rows, cols)
        small = Image.fromarray(grey).resize(
            (max(32, round(cols * scale)), max(32, round(rows * scale))), Image.Resampling.BOX
        )
        grey = np.clip(np.array(small.resize((cols, rows), Image.Resampling.BICUBIC), np.float32), 0, 1)
    return grey, {f"chain_{name}": float(value) for name, value in chain.__dict__.items()}


expose: exposing.Expose = partial(exposing.expose, develop=develop)
