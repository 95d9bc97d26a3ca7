"""Lengths carry their unit and where it comes from; side letters never lie."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtGui import QFont

from gui.annotations import new_annotation
from gui.items.head_circle_item import circle_through
from gui.items.hud import orientation_text, scale_bar, side_markers
from gui.items.mark_item import mark_text
from gui.viewport import Viewport
from imaging.measure import Measure
from imaging.radiograph import Orientation, Side, SideSource, SpacingSource
from study.model import AnnotationKind

DETECTOR = Measure((0.2, 0.2), SpacingSource.DETECTOR)


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (Measure(), "50 px"),
        (Measure((0.2, 0.2), SpacingSource.NONE), "50 px"),
        (DETECTOR, "10.0 mm (detector)"),
        (Measure((0.2, 0.2), SpacingSource.CALIBRATED), "10.0 mm (calibrated)"),
        (Measure((0.2, 0.2), SpacingSource.HEAD), "10.0 mm (head)"),
    ],
)
def test_a_ruler_names_its_unit(measure: Measure, expected: str) -> None:
    ruler = new_annotation(AnnotationKind.RULER, [(0, 0), (30, 40)])
    assert mark_text(ruler, measure) == expected


def test_rows_and_columns_have_their_own_spacing() -> None:
    measure = Measure((0.5, 0.1), SpacingSource.CALIBRATED)
    assert measure.length((0, 0), (10, 0)) == pytest.approx(1.0)
    assert measure.length((0, 0), (0, 10)) == pytest.approx(5.0)
    # 45 degrees in pixels are not 45 degrees in the patient.
    assert measure.angle_deg([(0, 0), (10, 0), (0, 0), (10, 10)]) == pytest.approx(78.69, abs=0.01)


@given(st.floats(0, 180))
def test_the_angle_of_two_lines_is_acute_whichever_way_they_are_drawn(degrees: float) -> None:
    import math

    x, y = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    expected = min(degrees, 180 - degrees)
    for end in ((x, y), (-x, -y)):
        assert Measure().angle_deg([(0, 0), (1, 0), (0, 0), end]) == pytest.approx(expected, abs=1e-6)


def test_an_angle_names_itself_and_its_supplement() -> None:
    mark = new_annotation(AnnotationKind.ANGLE, [(0, 0), (10, 0), (0, 0), (10, 10)])
    assert mark_text(mark, Measure()) == "45.0° (135.0°)"


def test_areas() -> None:
    square = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)]
    assert DETECTOR.polygon_area(square) == pytest.approx(4.0)
    assert Measure().polygon_area(square) == pytest.approx(100.0)
    assert DETECTOR.ellipse_area((0, 0), (10, 10)) == pytest.approx(3.1416, abs=1e-4)
    assert mark_text(new_annotation(AnnotationKind.POLYGON, square), DETECTOR) == "4 mm² (detector)"


@given(
    st.floats(-100, 100), st.floats(-100, 100), st.floats(5, 200), st.floats(0, 1), st.floats(1.5, 2.5), st.floats(4, 5)
)
def test_three_points_on_a_rim_give_back_the_circle(x, y, radius, a, b, c) -> None:
    import math

    rim = [(x + radius * math.cos(t), y + radius * math.sin(t)) for t in (a, b, c)]
    circle = circle_through(rim)
    assert circle is not None
    assert circle.center == pytest.approx((x, y), abs=1e-6)
    assert circle.radius_px == pytest.approx(radius, abs=1e-6)


def test_three_points_on_a_line_give_no_circle() -> None:
    assert circle_through([(0, 0), (1, 1), (5, 5)]) is None
    assert circle_through([(2, 2), (2, 2), (2, 2)]) is None


@pytest.mark.parametrize("zoom", [0.05, 0.3, 1.0, 7.0])
@pytest.mark.parametrize("measure", [Measure(), DETECTOR])
@pytest.mark.usefixtures("qapp")
def test_the_scale_bar_is_round_and_true(zoom: float, measure: Measure) -> None:
    port = Viewport(2000, 2000, 900, 700, 1.5, zoom=zoom)
    length, text = scale_bar(port, measure, QFont())
    number, unit = text.split(" ", 1)
    assert unit == measure.unit
    assert number.strip("0.")[0] in "125"
    step = 0.2 if measure.has_mm else 1.0
    assert float(number) == pytest.approx(length / port.scale * step)
    assert 20 < length <= 225


@pytest.mark.usefixtures("qapp")
def test_in_a_narrow_view_the_scale_keeps_its_number() -> None:
    whole, narrow = (scale_bar(Viewport(900, 900, width, 700, 1.0), DETECTOR, QFont())[1] for width in (900, 90))
    assert "(" in whole
    assert "(" not in narrow
    assert float(narrow.removesuffix(" mm")) > 0


USUAL, MIRRORED = ("L", SideSource.ORIENTATION), ("R", SideSource.ORIENTATION)
ASSUMED, UNKNOWN, FROM_THE_SIDE = ("L", SideSource.ASSUMED), ("", SideSource.NONE), ("A", SideSource.ORIENTATION)


@pytest.mark.parametrize(
    ("side", "orientation", "letters"),
    [
        (Side.RIGHT, USUAL, "R left"),
        (Side.RIGHT, MIRRORED, "R right"),
        (Side.RIGHT, UNKNOWN, "R left"),
        (Side.LEFT, FROM_THE_SIDE, "L right"),
        (Side.BOTH, USUAL, "R left, L right"),
        (Side.BOTH, MIRRORED, "R right, L left"),
        (Side.BOTH, ASSUMED, "R? left, L? right"),
        (Side.BOTH, UNKNOWN, ""),  # which half is which would be a guess
        (Side.UNKNOWN, USUAL, "R left, L right"),
        (Side.UNKNOWN, MIRRORED, "R right, L left"),
        (Side.UNKNOWN, ASSUMED, ""),
        (Side.UNKNOWN, FROM_THE_SIDE, ""),
    ],
)
def test_side_letters_say_what_the_radiograph_says(make_radiograph, side, orientation, letters) -> None:
    row, source = orientation
    radiograph = make_radiograph(side=side, orientation=Orientation(row, "F" if row else "", source))
    places = [f"{marker.letter} {'right' if marker.x else 'left'}" for marker in side_markers(radiograph)]
    assert ", ".join(places) == letters


def test_orientation_badge() -> None:
    port = Viewport(100, 100, 100, 100, 1.0)
    assert orientation_text(port) == ""
    assert orientation_text(port.flipped()) == "FLIPPED"
    assert orientation_text(port.turned(1)) == "turned 90°"
    assert orientation_text(port.flipped().flipped()) == ""
