"""Window centre and width: chosen automatically, and applied."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from imaging.geometry import HipRegion
from imaging.radiograph import Pixels, Window

# Collimated borders and burnt-in markers are few and extreme; what lies between holds the anatomy.
LOW_PERCENTILE, HIGH_PERCENTILE = 1.0, 99.5
_BORDER_SHARE = 0.003  # one and the same extreme value this often is no anatomy
_MIN_GREYS = 16  # of 256: a window that spreads the image over fewer shows nothing of it
_SAMPLES = 250_000  # enough for a percentile; the whole image would take 50 ms


def auto_window(pixels: Pixels, region: HipRegion | None = None) -> Window:
    """The window that spreads the grey values of `pixels` (rows, cols), or of a region of it, over the screen.

    The smallest and the largest value are left out where they cover an area: collimation, padding, markers.
    """
    values = _sample(pixels if region is None else _cut(pixels, region))
    values = values[np.isfinite(values)]
    if values.size == 0:
        return Window(0.5, 1.0, "auto")
    inner = values
    for extreme in (values.min(), values.max()):
        border = inner == extreme
        if _BORDER_SHARE < border.mean() < 1 - _BORDER_SHARE:
            inner = inner[~border]
    low, high = (float(value) for value in np.percentile(inner, (LOW_PERCENTILE, HIGH_PERCENTILE)))
    if not high > low:
        low, high = float(values.min()), float(values.max())
    if not high > low:
        return Window(low, 1.0, "auto")
    return Window((low + high) / 2, high - low, "auto")


def full_window(low: float, high: float, name: str = "full range") -> Window:
    """The window that shows `low` as black and `high` as white."""
    return Window((low + high) / 2, max(high - low, 1e-6), name)


def apply_window(pixels: Pixels, window: Window, invert: bool = False) -> npt.NDArray[np.uint8]:
    """Grey values for the screen, uint8 (rows, cols): black at `window.levels[0]` and below, white at [1] and above.

    `invert` swaps black and white. Values that are not numbers are black.
    """
    black, _white = window.levels
    scaled = np.subtract(pixels, np.float32(black), dtype=np.float32)
    scaled *= np.float32(255.0 / max(window.width, 1e-6))
    if window.sigmoid:
        scaled = _sigmoid(scaled)
    np.nan_to_num(scaled, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
    np.clip(scaled, 0.0, 255.0, out=scaled)
    scaled += np.float32(0.5)
    grey = scaled.astype(np.uint8)
    return np.subtract(np.uint8(255), grey) if invert else grey


def shows_anything(pixels: Pixels, window: Window) -> bool:
    """False for a window that leaves the image (rows, cols) all but one grey."""
    if not 0 < window.width < 1e9:
        return False
    values = _sample(pixels)
    if values.min() == values.max():
        return window.levels[0] <= float(values[0]) <= window.levels[1]
    darkest, brightest = np.percentile(apply_window(values[None], window), (LOW_PERCENTILE, HIGH_PERCENTILE))
    return bool(brightest - darkest >= _MIN_GREYS)


def _sigmoid(scaled: Pixels) -> Pixels:
    """From a straight line through 0 and 255 to the curve of DICOM PS3.3 C.11.2.1.3.1, of the same slope in the middle."""
    with np.errstate(over="ignore"):
        curve: Pixels = np.float32(255.0) / (1 + np.exp((np.float32(127.5) - scaled) * np.float32(4 / 255)))
    return curve


def _cut(pixels: Pixels, region: HipRegion) -> Pixels:
    rows, cols = pixels.shape
    x0, x1 = np.clip([np.floor(region.x), np.ceil(region.x + region.width)], 0, cols).astype(int)
    y0, y1 = np.clip([np.floor(region.y), np.ceil(region.y + region.height)], 0, rows).astype(int)
    return pixels[y0:y1, x0:x1]


def _sample(pixels: Pixels) -> Pixels:
    step = max(1, int(np.sqrt(pixels.size / _SAMPLES)))
    return pixels[::step, ::step].ravel()
