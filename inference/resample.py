"""Antialiased resampling of a box of an image: Pillow's bilinear filter, in about half of Pillow's time.

The filter is a triangle that widens when shrinking (Pillow's `Image.resize(…, BILINEAR, box=…)`), applied along rows and
then along columns. Each direction is a product with a matrix whose rows hold a few weights beside each other; it
is computed in blocks of rows, so that BLAS multiplies hardly any zeros. Equal to Pillow's to rounding error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

BLOCK = 8  # output rows a product: more would multiply more zeros, fewer would call BLAS more often
# Multiply-adds a product. OpenBLAS spreads what is larger over threads, which then wait for the cores that
# the engine holds: a resize of 4 ms has taken 100.
MAX_PRODUCT = 2**18


@dataclass(frozen=True)
class _Bands:
    """One direction: output `i` is `weights[i] @ input[starts[i // BLOCK] : + weights.shape[1]]`."""

    starts: npt.NDArray[np.int64]  # (blocks,)
    weights: FloatArray  # (outputs, taps)


def resize(pixels: FloatArray, box: tuple[float, float, float, float], shape: tuple[int, int]) -> FloatArray:
    """Box (left, top, right, bottom) of `pixels` (rows, cols) -> float32 `shape` (rows, cols).

    The box must lie inside the image, and have a width and a height above zero. Pixels that it cuts count as whole.
    """
    left, top, right, bottom = box
    down, across = _bands(top, bottom, shape[0]), _bands(left, right, shape[1])
    first = int(np.floor(left))
    narrowed = _along_rows(down, np.asarray(pixels[:, first : int(np.ceil(right))], np.float32))
    across.starts[:] -= first
    return np.ascontiguousarray(_along_rows(across, narrowed.T).T)


def _bands(low: float, high: float, size: int) -> _Bands:
    """The weights that bring [low, high) to `size` outputs. Never reaches for a pixel that the box does not touch."""
    first, last = int(np.floor(low)), int(np.ceil(high))
    scale = (high - low) / size
    reach = max(scale, 1.0)
    centers = low + (np.arange(size) + 0.5) * scale
    begins = np.maximum(np.floor(centers - reach + 0.5).astype(np.int64), first)
    ends = np.minimum(np.floor(centers + reach + 0.5).astype(np.int64), last)
    starts = begins[::BLOCK]
    block_ends = np.append(ends[BLOCK - 1 :: BLOCK], ends[-1])[: len(starts)]
    taps = int((block_ends - starts).max())
    starts = np.maximum(np.minimum(starts, last - taps), first)
    index = np.repeat(starts, BLOCK)[:size, None] + np.arange(taps)
    weights = np.maximum(1.0 - np.abs((index + 0.5 - centers[:, None]) / reach), 0.0)
    weights[(index < begins[:, None]) | (index >= ends[:, None])] = 0.0
    weights /= weights.sum(axis=1, keepdims=True)
    return _Bands(starts, weights.astype(np.float32))


def _along_rows(bands: _Bands, pixels: FloatArray) -> FloatArray:
    """(rows, cols) -> (outputs, cols)."""
    outputs, taps = bands.weights.shape
    cols = pixels.shape[1]
    out = np.empty((outputs, cols), np.float32)
    step = max(1, MAX_PRODUCT // (BLOCK * taps))
    for block, start in enumerate(bands.starts.tolist()):
        rows = slice(block * BLOCK, min((block + 1) * BLOCK, outputs))
        weights, source = bands.weights[rows], pixels[start : start + taps]
        for col in range(0, cols, step):
            np.matmul(weights, source[:, col : col + step], out=out[rows, col : col + step])
    return out
