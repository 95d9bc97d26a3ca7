"""Windows: what is chosen automatically, and what they do to grey values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from imaging.geometry import HipRegion
from imaging.radiograph import Window
from imaging.windowing import apply_window, auto_window, full_window


def test_levels_become_black_and_white():
    pixels = np.array([[0, 100, 150, 200, 900]], np.float32)
    window = Window(150, 100)
    assert apply_window(pixels, window).tolist() == [[0, 0, 128, 255, 255]]
    assert apply_window(pixels, window, invert=True).tolist() == [[255, 255, 127, 0, 0]]


def test_what_is_no_number_is_black():
    pixels = np.array([[np.nan, np.inf, -np.inf]], np.float32)
    assert apply_window(pixels, Window(5, 10)).tolist() == [[0, 255, 0]]


def test_auto_window_leaves_out_borders_and_markers():
    generator = np.random.default_rng(1)
    pixels = generator.normal(1000, 100, (600, 400)).astype(np.float32)
    pixels[:, :150] = 0  # collimated
    pixels[:20, -60:] = 4095  # marker
    black, white = auto_window(pixels).levels
    assert 600 < black < 900
    assert 1100 < white < 1500


def test_auto_window_of_a_region():
    pixels = np.zeros((100, 100), np.float32)
    pixels[50:, 50:] = np.linspace(500, 600, 2500).reshape(50, 50)
    assert auto_window(pixels, HipRegion(50, 50, 50, 50)).center == pytest.approx(550, abs=5)
    assert auto_window(pixels, HipRegion(500, 500, 50, 50)).width > 0


@pytest.mark.parametrize("value", [0.0, -7.0, np.nan, np.inf])
def test_auto_window_of_one_value(value):
    window = auto_window(np.full((10, 10), value, np.float32))
    assert np.isfinite(window.levels).all()
    assert window.width > 0


def test_auto_window_of_two_values():
    pixels = np.zeros((10, 10), np.float32)
    pixels[:5] = 1
    assert auto_window(pixels).levels == (0, 1)


floats = st.floats(-1e6, 1e6, width=32)


@given(arrays.arrays(np.float32, (7, 5), elements=floats), st.floats(-1e5, 1e5), st.floats(1e-3, 1e6))
def test_windowing_keeps_the_order_of_greys(pixels, center, width):
    grey = apply_window(pixels, Window(center, width))
    order = np.argsort(pixels, axis=None, kind="stable")
    assert (np.diff(grey.ravel()[order].astype(int)) >= 0).all()
    assert grey.dtype == np.uint8


@given(arrays.arrays(np.float32, (8, 6), elements=floats))
def test_auto_window_always_shows_something(pixels):
    window = auto_window(pixels)
    assert window.width > 0
    assert window.levels[0] <= pixels.max()
    assert window.levels[1] >= pixels.min()


@given(floats, floats)
def test_full_window(low, high):
    window = full_window(min(low, high), max(low, high))
    assert window.width > 0
    assert window.center == pytest.approx((low + high) / 2)
