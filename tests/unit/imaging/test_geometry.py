"""Lengths with their source, angles in millimetres, and the scale from the implanted head."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.geometry import (
    GeometryError,
    HipRegion,
    calibrate_from_head,
    fit_circle,
)
from imaging.radiograph import SpacingSource

coordinates = st.floats(-5000, 5000)
points = st.tuples(coordinates, coordinates)


def on_circle(x, y, radius, degrees, row_scale=1.0):
    angles = np.radians(degrees)
    return [(x + radius * math.cos(a), y + radius * math.sin(a) / row_scale) for a in angles]


@given(points, st.floats(5, 500), st.floats(0.5, 2), st.integers(3, 12), st.floats(60, 360), st.floats(0, 360))
def test_circle_through_exact_points_is_found(center, radius, row_scale, count, arc, start):
    x, y = center
    degrees = start + np.arange(count) * arc / count
    circle = fit_circle(on_circle(x, y, radius, degrees, row_scale), row_scale)
    assert circle.radius == pytest.approx(radius, rel=1e-4, abs=1e-3)
    assert (circle.x, circle.y) == pytest.approx((x, y), abs=1e-2 + 1e-4 * radius)
    assert circle.radius_error_px > 0


def test_error_of_the_radius_is_what_repeated_clicking_shows():
    generator = np.random.default_rng(5)
    for degrees in (np.arange(0, 360, 45), np.arange(0, 180, 20), np.arange(20, 120, 12)):
        radii, claimed = [], []
        for _ in range(400):
            exact = np.array(on_circle(500, 400, 80, degrees))
            circle = fit_circle([tuple(point) for point in exact + generator.normal(0, 1.0, exact.shape)])
            radii.append(circle.radius)
            claimed.append(circle.radius_error_px)
        assert np.median(claimed) == pytest.approx(np.std(radii), rel=0.35)


def test_few_points_close_together_claim_a_large_error():
    good = fit_circle(on_circle(0, 0, 80, [0, 120, 240]))
    poor = fit_circle(on_circle(0, 0, 80, [0, 10, 20]))
    assert good.radius_error_px < 1.5
    assert poor.radius_error_px > 20 * good.radius_error_px


@pytest.mark.parametrize(
    ("marks", "words"),
    [
        ([(0, 0), (1, 1)], "at least three"),
        ([(0, 0), (1, 1), (2, 2), (3, 3)], "on a line"),
        ([(5, 5)] * 4, "on top of each other"),
        ([(0, 0), (1, 0), (math.nan, 3)], "not on the image"),
    ],
)
def test_points_that_make_no_circle(marks, words):
    with pytest.raises(GeometryError, match=words):
        fit_circle(marks)


def test_head_gives_the_scale():
    calibration = calibrate_from_head(on_circle(700, 600, 80, range(0, 360, 40)), 32.0)
    assert calibration.spacing_mm == pytest.approx((0.2, 0.2))
    assert calibration.source is SpacingSource.HEAD
    assert 0 < calibration.relative_error < 0.03


def test_head_on_pixels_that_are_not_square():
    marks = on_circle(700, 600, 80, range(0, 360, 40), row_scale=1.5)
    calibration = calibrate_from_head(marks, 32.0, spacing_mm=(0.3, 0.2))
    assert calibration.spacing_mm == pytest.approx((0.3, 0.2))


def test_uncertain_diameter_widens_the_error():
    marks = on_circle(700, 600, 200, range(0, 360, 10))
    sure, unsure = calibrate_from_head(marks, 32.0), calibrate_from_head(marks, 32.0, diameter_error_mm=2.0)
    assert unsure.relative_error > 0.12 > sure.relative_error


@pytest.mark.parametrize("diameter_mm", [0, -28, 5, 280, math.nan])
def test_impossible_diameter(diameter_mm):
    with pytest.raises(GeometryError, match="Femoral heads measure"):
        calibrate_from_head(on_circle(0, 0, 80, [0, 120, 240]), diameter_mm)


def test_region_needs_an_area():
    with pytest.raises(ValueError, match="width"):
        HipRegion(0, 0, 0, 5)
    square = HipRegion(10, 20, 30, 50).squared()
    assert square.box == (0, 20, 50, 50)
