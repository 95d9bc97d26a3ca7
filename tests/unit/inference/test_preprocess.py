"""A region of any radiograph becomes the network's square, and points come back to where they were."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.geometry import HipRegion
from inference.preprocess import InputSpec, crop_region, network_input, to_image, whole_image

coordinates = st.floats(-300, 300, allow_nan=False)
lengths = st.floats(0.5, 600, allow_nan=False)


@settings(deadline=None, max_examples=150)
@given(
    rows=st.integers(1, 120),
    cols=st.integers(1, 120),
    x=coordinates,
    y=coordinates,
    width=lengths,
    height=lengths,
    size=st.sampled_from([16, 48, 299]),
)
def test_any_region_gives_a_finite_square(rows, cols, x, y, width, height, size) -> None:
    pixels = np.random.default_rng(0).normal(1000, 300, (rows, cols)).astype(np.float32)
    square = crop_region(pixels, HipRegion(x, y, width, height), size)
    assert square.shape == (size, size)
    assert square.dtype == np.float32
    assert 0 <= square.min() <= square.max() <= 1


@settings(deadline=None, max_examples=60)
@given(gain=st.floats(0.01, 1000), offset=st.floats(-1e4, 1e4))
def test_grey_scale_does_not_matter(gain: float, offset: float) -> None:
    pixels = np.random.default_rng(1).random((80, 60)).astype(np.float32)
    region = HipRegion(5, 5, 50, 50)
    scaled = (pixels.astype(np.float64) * gain + offset).astype(np.float32)
    tolerance = 0.02 + 2e-3 * abs(offset) / gain  # float32 has seven digits
    np.testing.assert_allclose(crop_region(scaled, region, 32), crop_region(pixels, region, 32), atol=min(tolerance, 1))


@settings(deadline=None, max_examples=40)
@given(row=st.integers(20, 150), col=st.integers(20, 130), x=st.floats(-40, 5), y=st.floats(-40, 5))
def test_a_spot_comes_back_to_its_place(row: int, col: int, x: float, y: float) -> None:
    pixels = np.zeros((190, 150), np.float32)
    pixels[row - 8 : row + 9, col - 8 : col + 9] = 1.0
    region, size = HipRegion(x, y, 210, 210), 256
    weight = crop_region(pixels, region, size)
    ys, xs = np.indices(weight.shape)
    found = to_image(
        (weight * (xs + 0.5)).sum() / weight.sum(), (weight * (ys + 0.5)).sum() / weight.sum(), region, size
    )
    assert found == pytest.approx((col + 0.5, row + 0.5), abs=0.6)


def test_outside_is_the_darkest_grey() -> None:
    pixels = np.full((40, 40), 500.0, np.float32)
    pixels[:, 20:] = 900.0
    square = crop_region(pixels, HipRegion(-20, 0, 40, 40), 40)
    assert square[:, :20].max() == 0
    assert square.max() == 0  # a flat region says nothing
    square = crop_region(pixels, HipRegion(-20, -20, 80, 80), 80)
    assert square[0].max() == 0
    assert square[40, 50] == 1


@pytest.mark.parametrize("grey", [0.0, 1.1, 500.0, 4095.0, 65535.0, -1024.3, 1e7])
@pytest.mark.parametrize("size", [48, 448])
def test_one_grey_says_nothing(grey: float, size: int) -> None:
    pixels = np.full((731, 517), grey, np.float32)
    assert not crop_region(pixels, HipRegion(3.3, 7.7, 490, 611), size).any()


def test_a_single_step_of_sixteen_bits_is_seen() -> None:
    pixels = np.full((300, 300), 65534.0, np.float32)
    pixels[:, 150:] = 65535.0
    square = crop_region(pixels, whole_image(pixels), 100)
    assert square[:, :45].max() < 0.01
    assert square[:, 55:].min() > 0.99


def test_normalised_over_its_channels() -> None:
    pixels = np.random.default_rng(2).random((64, 64)).astype(np.float32)
    region = whole_image(pixels)
    grey = crop_region(pixels, region, 32)
    spec = InputSpec(32, 3, (0.4, 0.5, 0.6), (0.1, 0.2, 0.3))
    image = network_input(pixels, region, spec)
    assert image.shape == (3, 32, 32)
    for channel in range(3):
        np.testing.assert_allclose(
            image[channel], (grey - spec.mean[channel]) / spec.std[channel], rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize("fill", [0.0, 2.5, 9.0])
def test_padding_has_no_say_in_the_grey_levels(fill: float) -> None:
    pixels = np.random.default_rng(3).normal(1000, 300, (120, 100)).astype(np.float32)
    padding = np.zeros(pixels.shape, bool)
    padding[:, 60:] = True
    padded = np.where(padding, pixels.min() * (1 - fill / 10), pixels).astype(np.float32)
    alone = crop_region(np.ascontiguousarray(pixels[:, :60]), HipRegion(0, 0, 60, 120), 120)
    square = crop_region(padded, HipRegion(-30, 0, 120, 120), 120, padding)
    np.testing.assert_allclose(square[:, 32:88], alone[:, 32:88], atol=0.01)
    assert square[:, 92:].max() == 0


def test_an_image_that_is_all_padding_is_blank() -> None:
    pixels = np.full((40, 40), 5.0, np.float32)
    assert crop_region(pixels, HipRegion(0, 0, 40, 40), 20, np.ones((40, 40), bool)).max() == 0
