"""Radiograph + HipRegion -> the array that a network sees, and the way back. Training uses this very code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imaging.geometry import HipRegion
from imaging.radiograph import Mask, Pixels
from inference.resample import resize

FloatArray = npt.NDArray[np.float32]

# Grey values between these percentiles of the region are spread over 0..1: tone curves, bit depths and
# exposure differ too much between machines for absolute values to mean anything.
LOW_PERCENTILE, HIGH_PERCENTILE = 0.5, 99.5
PERCENTILE_GRID = 224  # pixels a side that are enough to find them: all of a larger crop would take a third of the time

FLAT = 5e-6  # of the grey value: a smaller difference is the rounding of single precision, less than a 16-bit step


@dataclass(frozen=True)
class InputSpec:
    """What a network wants: a square of `size` pixels, grey repeated over `channels`, (x - mean) / std."""

    size: int
    channels: int = 1
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.25,)


def crop_region(pixels: Pixels, region: HipRegion, size: int, padding: Mask | None = None) -> FloatArray:
    """Resample the region's square to (size, size), antialiased, grey values stretched to 0..1.

    What lies outside the image, and `padding` (rows, cols), takes the darkest grey of the region.
    """
    square = region.squared()
    rows, cols = pixels.shape
    left, top = square.x, square.y
    right, bottom = left + square.width, top + square.height
    inside_left, inside_top = max(left, 0.0), max(top, 0.0)
    inside_right, inside_bottom = min(right, float(cols)), min(bottom, float(rows))
    if inside_right - inside_left < 1 or inside_bottom - inside_top < 1:
        return np.zeros((size, size), np.float32)
    scale = size / square.width
    out_left, out_right = (round((edge - left) * scale) for edge in (inside_left, inside_right))
    out_top, out_bottom = (round((edge - top) * scale) for edge in (inside_top, inside_bottom))
    out_left, out_top = min(out_left, size - 1), min(out_top, size - 1)
    out_right, out_bottom = max(out_right, out_left + 1), max(out_bottom, out_top + 1)
    box = inside_left, inside_top, inside_right, inside_bottom
    shape = out_bottom - out_top, out_right - out_left
    resampled = resize(pixels, box, shape)
    out = np.zeros((size, size), np.float32)
    stretched = out[out_top:out_bottom, out_left:out_right]
    step = max(1, size // PERCENTILE_GRID)
    seen = resampled[::step, ::step]
    if padding is not None:
        in_image = resize(padding.astype(np.float32), box, shape)[::step, ::step] == 0
        seen = seen[in_image] if in_image.any() else seen
    low, high = _levels(seen)
    if high - low > FLAT * max(abs(low), abs(high)):
        np.subtract(resampled, low, out=stretched)
        stretched /= high - low
        np.clip(stretched, 0.0, 1.0, out=stretched)
    return out


def _levels(values: FloatArray) -> tuple[float, float]:
    """The low and the high percentile, as `np.percentile` gives them, in half of its time."""
    at = np.array((LOW_PERCENTILE, HIGH_PERCENTILE)) / 100 * (values.size - 1)
    below = np.floor(at).astype(int)
    above = np.minimum(below + 1, values.size - 1)
    ordered = np.partition(values, np.unique([below, above]), axis=None)
    low, high = ordered[below] + (ordered[above] - ordered[below]) * (at - below)
    return float(low), float(high)


def network_input(pixels: Pixels, region: HipRegion, spec: InputSpec, padding: Mask | None = None) -> FloatArray:
    """(channels, size, size), normalised as the network was trained."""
    grey = crop_region(pixels, region, spec.size, padding)
    mean = np.asarray(spec.mean, np.float32).reshape(-1, 1, 1)
    std = np.asarray(spec.std, np.float32).reshape(-1, 1, 1)
    normalised = np.empty((spec.channels, spec.size, spec.size), np.float32)
    np.subtract(grey, mean, out=normalised)
    normalised /= std
    return normalised


def to_image(x: float, y: float, region: HipRegion, size: int) -> tuple[float, float]:
    """A point of the network's input square -> image pixels (x, y)."""
    square = region.squared()
    return square.x + x * square.width / size, square.y + y * square.height / size


def whole_image(pixels: Pixels) -> HipRegion:
    """The box of the whole image: what the locator is given, through the same `network_input`."""
    rows, cols = pixels.shape
    return HipRegion(0.0, 0.0, float(cols), float(rows))
