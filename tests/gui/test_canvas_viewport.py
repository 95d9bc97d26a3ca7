"""Coordinates survive every zoom, pan, turn and flip."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPointF

from gui.viewport import MAX_ZOOM, MIN_ZOOM, Viewport

MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("zoomed"), st.floats(0.2, 5), st.floats(0, 900), st.floats(0, 700)),
        st.tuples(st.just("panned"), st.floats(-500, 500), st.floats(-500, 500)),
        st.tuples(st.just("turned"), st.integers(-3, 3)),
        st.tuples(st.just("flipped")),
        st.tuples(st.just("fit")),
        st.tuples(st.just("resized"), st.floats(50, 2000), st.floats(50, 2000), st.sampled_from([1.0, 1.25, 1.5, 2.0])),
    ),
    max_size=12,
)


def moved(moves: list[tuple]) -> Viewport:
    port = Viewport(1760, 2140, 900, 700, 1.5).fit()
    for name, *values in moves:
        if name == "zoomed":
            port = port.zoomed(values[0], QPointF(values[1], values[2]))
        else:
            port = getattr(port, name)(*values)
    return port


@given(MOVES, st.floats(-100, 2000), st.floats(-100, 2400))
def test_image_to_view_and_back_is_the_same_point(moves: list[tuple], x: float, y: float) -> None:
    port = moved(moves)
    back = port.image_point(port.view_point(x, y))
    assert back.x() == pytest.approx(x, abs=1e-6)
    assert back.y() == pytest.approx(y, abs=1e-6)


@given(MOVES, st.floats(0.1, 8), st.floats(0, 900), st.floats(0, 700))
def test_zoom_keeps_the_point_under_the_cursor(moves: list[tuple], factor: float, x: float, y: float) -> None:
    port = moved(moves)
    at = QPointF(x, y)
    point = port.image_point(at)
    if not (0 <= point.x() <= port.image_width and 0 <= point.y() <= port.image_height):
        return  # beside the image the view may slide, so that the image is never lost
    after = port.zoomed(factor, at)
    inside = 0 < after.center_x < port.image_width and 0 < after.center_y < port.image_height
    if inside:
        now = after.view_point(point.x(), point.y())
        assert now.x() == pytest.approx(x, abs=1e-6)
        assert now.y() == pytest.approx(y, abs=1e-6)
    assert MIN_ZOOM <= after.zoom <= MAX_ZOOM


@given(MOVES)
def test_the_middle_of_the_view_stays_on_the_image(moves: list[tuple]) -> None:
    port = moved(moves)
    assert 0 <= port.center_x <= port.image_width
    assert 0 <= port.center_y <= port.image_height


@given(MOVES)
def test_two_flips_and_four_turns_change_nothing(moves: list[tuple]) -> None:
    port = moved(moves)
    assert port.flipped().flipped().orientation == port.orientation
    assert port.turned(1).turned(1).turned(1).turned(1).orientation == port.orientation


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_flip_mirrors_the_screen_whichever_way_the_image_is_turned(turns: int, mirrored: bool) -> None:
    port = Viewport(1760, 2140, 900, 700, 1.0, quarter_turns=turns, mirrored=mirrored).fit()
    before, after = port.view_point(100, 50), port.flipped().view_point(100, 50)
    assert after.x() == pytest.approx(900 - before.x())
    assert after.y() == pytest.approx(before.y())
    assert port.flipped().mirrored is not mirrored


def test_turning_is_clockwise() -> None:
    port = Viewport(100, 100, 100, 100, 1.0, zoom=1.0, center_x=50, center_y=50, fitted=False)
    top_left = port.turned(1).view_point(0, 0)
    assert (top_left.x(), top_left.y()) == pytest.approx((100, 0))


def test_one_to_one_is_a_device_pixel_per_image_pixel() -> None:
    port = Viewport(1760, 2140, 900, 700, 2.0).with_zoom(1.0)
    assert port.scale == 0.5
    assert port.zoom == 1.0


@pytest.mark.parametrize("turns", range(4))
def test_fit_shows_the_whole_image(turns: int) -> None:
    port = Viewport(1760, 2140, 900, 700, 1.5, quarter_turns=turns).fit()
    rect = port.image_rect
    assert rect.left() >= 0
    assert rect.top() >= 0
    assert rect.right() <= 900
    assert rect.bottom() <= 700
    assert max(rect.width() / 900, rect.height() / 700) > 0.95


def test_a_fitted_view_follows_its_size_and_a_zoomed_one_keeps_its_zoom() -> None:
    port = Viewport(1000, 1000, 500, 500, 1.0).fit()
    assert port.resized(1000, 1000, 1.0).zoom == pytest.approx(port.zoom * 2, rel=0.02)
    zoomed = port.zoomed(2)
    assert zoomed.resized(1000, 1000, 1.0).zoom == zoomed.zoom
