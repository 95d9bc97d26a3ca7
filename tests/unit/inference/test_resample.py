"""Resampling equals Pillow's, whatever the box; levels equal numpy's percentiles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inference.preprocess import HIGH_PERCENTILE, LOW_PERCENTILE, _levels
from inference.resample import resize


def by_pillow(pixels: np.ndarray, box: tuple[float, float, float, float], shape: tuple[int, int]) -> np.ndarray:
    """Pillow on the pixels that the box touches, so that no other can have a part."""
    left, top, right, bottom = box
    x, y = int(np.floor(left)), int(np.floor(top))
    cut = Image.fromarray(np.ascontiguousarray(pixels[y : int(np.ceil(bottom)), x : int(np.ceil(right))]))
    return np.asarray(
        cut.resize(shape[::-1], Image.Resampling.BILINEAR, box=(left - x, top - y, right - x, bottom - y))
    )


@settings(deadline=None, max_examples=120)
@given(
    rows=st.integers(2, 300),
    cols=st.integers(2, 300),
    edges=st.tuples(*[st.floats(0, 1)] * 4),
    height=st.integers(1, 130),
    width=st.integers(1, 130),
)
def test_equals_pillow(rows: int, cols: int, edges: tuple[float, ...], height: int, width: int) -> None:
    left, right = sorted((edges[0] * cols, edges[1] * cols))
    top, bottom = sorted((edges[2] * rows, edges[3] * rows))
    # Eighths of a pixel, which Pillow's single precision holds exactly: else the two may part over a pixel's edge.
    left, right, top, bottom = (np.round(edge * 8) / 8 for edge in (left, right, top, bottom))
    right, bottom = max(right, min(left + 1, cols)), max(bottom, min(top + 1, rows))
    left, top = min(left, right - 1), min(top, bottom - 1)
    pixels = np.random.default_rng(rows * cols).random((rows, cols), np.float32)
    box = (float(left), float(top), float(right), float(bottom))
    np.testing.assert_allclose(resize(pixels, box, (height, width)), by_pillow(pixels, box, (height, width)), atol=2e-4)


@pytest.mark.parametrize("shape", [(1400, 1200), (2140, 1760), (160, 130)])
def test_equals_pillow_at_the_size_of_a_radiograph(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(3).random(shape, np.float32)
    for box, out in (
        ((0.0, 0.0, shape[1], shape[0]), (256, 219)),
        ((10.25, 20.5, shape[1] - 7.75, shape[0] - 3.0), (448, 448)),
    ):
        np.testing.assert_allclose(resize(pixels, box, out), by_pillow(pixels, box, out), atol=2e-5)


def test_whole_numbers_are_taken_as_they_are() -> None:
    pixels = np.arange(60, dtype=np.uint16).reshape(6, 10)
    np.testing.assert_allclose(resize(pixels, (0, 0, 10, 6), (6, 10)), pixels, atol=1e-5)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 4000), st.integers(0, 9))
def test_levels_are_numpys_percentiles(count: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(0, 100, count).astype(np.float32).reshape(1, count)
    expected = np.percentile(values.astype(np.float64), (LOW_PERCENTILE, HIGH_PERCENTILE))
    np.testing.assert_allclose(_levels(values), expected, atol=1e-3)
