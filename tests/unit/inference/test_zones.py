"""Gruen and DeLee-Charnley zones lie where a surgeon would point to them, on either side."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.zones import CUP_ZONES, GRUEN_ZONES, ZONES, cup_polygons, gruen_polygons, zone_polygons

# A left image half: the head is medial, to the right; the stem runs down; y grows downwards. 1 unit = 1 mm.
HIP = {
    "head_center": (40.0, 0.0),
    "shoulder": (-4.0, 20.0),
    "stem_axis_top": (0.0, 20.0),
    "stem_tip": (0.0, 160.0),
    "cup_rim_lateral": (20.0, -10.0),
    "cup_rim_medial": (60.0, 10.0),
}


def inside(polygon: np.ndarray, point: tuple[float, float]) -> bool:
    x, y = point
    found = False
    for (x1, y1), (x2, y2) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            found = not found
    return found


def area(polygon: np.ndarray) -> float:
    x, y = polygon.T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


PLACES = {
    "1": (-15, 40), "2": (-15, 90), "3": (-15, 140), "4": (0, 165), "5": (15, 140), "6": (15, 90), "7": (15, 40),
    "I": (24, -20), "II": (51, -22), "III": (65, -2),
}  # fmt: skip


def test_each_place_lies_in_its_zone_and_in_no_other() -> None:
    polygons = zone_polygons(HIP)
    assert tuple(polygons) == ZONES
    for zone, place in PLACES.items():
        if zone in GRUEN_ZONES:
            assert [name for name in GRUEN_ZONES if inside(polygons[name], place)] == [zone]
        else:
            assert [name for name in CUP_ZONES if inside(polygons[name], place)] == [zone]


@settings(deadline=None, max_examples=80)
@given(
    angle=st.floats(-0.6, 0.6),
    scale=st.floats(0.2, 20),
    x=st.floats(-500, 500),
    y=st.floats(-500, 500),
    mirrored=st.booleans(),
)
def test_zones_follow_the_implant(angle: float, scale: float, x: float, y: float, mirrored: bool) -> None:
    """Turned, scaled, moved or mirrored, each anatomical place stays in its zone."""

    def moved(point: tuple[float, float]) -> tuple[float, float]:
        px, py = (-point[0] if mirrored else point[0]), point[1]
        return (
            x + scale * (math.cos(angle) * px - math.sin(angle) * py),
            y + scale * (math.sin(angle) * px + math.cos(angle) * py),
        )

    polygons = zone_polygons({name: moved(point) for name, point in HIP.items()})
    for zone, place in PLACES.items():
        assert inside(polygons[zone], moved(place)), zone


def test_zones_of_the_stem_do_not_overlap_and_are_even() -> None:
    polygons = gruen_polygons(HIP)
    points = np.random.default_rng(0).uniform((-60, 0), (60, 200), (3000, 2))
    for point in points:
        assert sum(inside(polygon, point) for polygon in polygons.values()) <= 1
    assert area(polygons["1"]) == pytest.approx(area(polygons["7"]))
    assert area(polygons["2"]) == pytest.approx(area(polygons["6"]))


def test_zones_of_the_cup_are_thirds() -> None:
    areas = [area(polygon) for polygon in cup_polygons(HIP).values()]
    assert areas == pytest.approx([areas[0]] * 3, rel=1e-6)


def test_without_its_landmarks_a_component_has_no_zones() -> None:
    for missing in ("stem_tip", "stem_axis_top", "head_center"):
        assert gruen_polygons({name: point for name, point in HIP.items() if name != missing}) == {}
    for missing in ("cup_rim_lateral", "cup_rim_medial"):
        assert cup_polygons({name: point for name, point in HIP.items() if name != missing}) == {}
    assert set(zone_polygons({name: HIP[name] for name in ("stem_tip", "stem_axis_top", "head_center")})) == set(
        GRUEN_ZONES
    )


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=6, max_size=6))
def test_nonsense_landmarks_give_finite_polygons_or_none(points: list[tuple[int, int]]) -> None:
    polygons = zone_polygons(dict(zip(HIP, ((float(x), float(y)) for x, y in points), strict=True)))
    assert all(np.isfinite(polygon).all() for polygon in polygons.values())
