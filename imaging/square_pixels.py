"""Images whose pixels are not square, resampled so that they are (docs/adr/0015-square-pixels.md)."""

from __future__ import annotations

import numpy as np

from imaging.radiograph import Mask, Pixels

SQUARE = 0.005  # relative difference of height and width that is no more than the rounding of a header
MOST = 8.0  # times as high as wide, or as wide as high: beyond, the header is not believed


def square_shape(shape: tuple[int, int], ratio: float, most_pixels: int) -> tuple[int, int]:
    """(rows, cols) with square pixels where `ratio` is the height of a pixel over its width.

    Rows or columns are added, so that no detail is lost, unless that gives more than `most_pixels`.
    """
    rows, cols = shape
    if max(ratio, 1 / ratio) * rows * cols <= most_pixels:
        return (round(rows * ratio), cols) if ratio > 1 else (rows, round(cols / ratio))
    return (rows, max(1, round(cols / ratio))) if ratio > 1 else (max(1, round(rows * ratio)), cols)


def resampled(pixels: Pixels, padding: Mask | None, shape: tuple[int, int]) -> tuple[Pixels, Mask | None]:
    """Pixels and padding of `shape` (rows, cols). Linear between pixels: no value is new to the image."""
    from PIL import Image

    size = shape[1], shape[0]
    grown = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))
    if padding is None:
        return grown, None
    return grown, np.asarray(Image.fromarray(padding.astype(np.uint8)).resize(size, Image.Resampling.NEAREST)) > 0
