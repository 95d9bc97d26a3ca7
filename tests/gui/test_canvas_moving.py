"""Moving about on the canvas: zoom, pan, window, orientation; another image."""

from __future__ import annotations

import math

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest

from gui.items import hud
from gui.tools import Tool
from imaging.radiograph import Side, SpacingSource
from tests.gui.canvas_points import near, wheel

RIGHT, MIDDLE = Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton


def test_the_wheel_zooms_at_the_cursor(canvas, qtbot) -> None:
    at = QPoint(420, 310)
    before = canvas.view.image_point(QPointF(at))
    zoom = canvas.view.zoom
    with qtbot.waitSignal(canvas.view.zoom_changed):
        wheel(canvas.view, at, 3)
    after = canvas.view.image_point(QPointF(at))
    assert canvas.view.zoom == pytest.approx(zoom * 1.2**3)
    assert (after.x(), after.y()) == pytest.approx((before.x(), before.y()))


def test_middle_drag_pans_and_double_click_fits(canvas) -> None:
    view = canvas.view
    fitted = view.zoom
    view.zoom_by(3)
    before = view.view_point(150, 200)
    canvas.drag([(150, 200), (170, 210)], MIDDLE)
    after = view.view_point(150, 200)
    assert after.x() - before.x() == pytest.approx(20 * view.viewport.scale, abs=1)
    canvas.double_click((150, 200))
    assert view.zoom == fitted
    assert view.viewport.fitted


def test_select_tool_drags_the_image_where_nothing_is(canvas) -> None:
    canvas.view.zoom_by(3)
    before = canvas.view.view_point(150, 200)
    canvas.drag([(150, 200), (160, 205)])
    assert canvas.view.view_point(150, 200).x() > before.x() + 10


def test_right_drag_changes_the_window_and_right_click_asks_for_a_menu(canvas, qtbot) -> None:
    view = canvas.view
    width, center = view.grey_window.width, view.grey_window.center
    with qtbot.waitSignal(view.window_changed), qtbot.assertNotEmitted(view.context_menu_requested):
        canvas.drag([(100, 200), (180, 150)], RIGHT)
    assert view.grey_window.width > width
    assert view.grey_window.center < center  # up is brighter
    with qtbot.waitSignal(view.context_menu_requested):
        canvas.click((100, 200), RIGHT)


def test_window_and_zoom_tools(canvas) -> None:
    view = canvas.view
    view.set_tool(Tool.WINDOW)
    width = view.grey_window.width
    canvas.drag([(100, 200), (160, 200)])
    assert view.grey_window.width > width
    view.set_tool(Tool.ZOOM)
    zoom = view.zoom
    canvas.drag([(100, 200), (100, 150)])
    assert view.zoom > zoom


def test_reset_restores_what_was_at_open(canvas) -> None:
    view = canvas.view
    first = canvas.grab()
    view.rotate_by(90)
    view.flip_horizontal()
    view.invert()
    view.set_window(10, 20)
    view.zoom_by(4)
    view.reset_view()
    QTest.mouseMove(view, QPoint(1, 1))
    assert (canvas.grab() == first).all()


def test_quarter_turns_only(canvas) -> None:
    with pytest.raises(ValueError, match="90"):
        canvas.view.rotate_by(45)


def test_the_cursor_tells_place_and_value(canvas, qtbot) -> None:
    with qtbot.waitSignal(canvas.view.cursor_moved) as moved:
        QTest.mouseMove(canvas.view, canvas.at((120, 80)))
    x, y, value = moved.args
    assert near((x, y), (120, 80))
    assert value == int(x) + int(y)
    with qtbot.waitSignal(canvas.view.cursor_moved) as moved:
        QTest.mouseMove(canvas.view, QPoint(2, 300))
    assert all(math.isnan(part) for part in moved.args)


@pytest.mark.parametrize("side", [Side.RIGHT, Side.LEFT])
@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("flipped", [False, True])
def test_side_letters_stay_at_their_edge(canvas, make_radiograph, monkeypatch, side, turns, flipped) -> None:
    """Wherever the lateral edge goes, its letter goes with it."""
    view = canvas.view
    view.set_radiograph(make_radiograph(side=side))
    view.rotate_by(90 * turns)
    if flipped:
        view.flip_horizontal()
    drawn = []
    original = hud.draw_text
    monkeypatch.setattr(hud, "draw_text", lambda p, box, f, text, *rest: drawn.append((text, box.center())))
    view.grab()
    monkeypatch.setattr(hud, "draw_text", original)
    letters = [(text, center) for text, center in drawn if text in ("R", "L")]
    assert [text for text, _ in letters] == [side.value]
    image = view.image_point(letters[0][1])
    lateral = 0 if side is Side.RIGHT else 300
    assert abs(image.x() - lateral) < abs(image.x() - (300 - lateral))
    assert any("FLIPPED" in text for text, _ in drawn) is flipped


def test_another_image_brings_its_own_spacing_and_takes_the_map_away(
    canvas, saliency, make_radiograph, regions
) -> None:
    view = canvas.view
    view.set_saliency([saliency])
    view.overlay.set_visible(True)
    view.overlay.set_opacity(0.35)
    view.invert()
    view.flip_horizontal()
    view.set_radiograph(make_radiograph(spacing_mm=None, source=SpacingSource.NONE))
    assert view.map_state.value == "absent"
    assert view.regions == ()
    assert not view.inverted
    assert not view.viewport.mirrored
    assert view.measure.unit == "px"
    assert view.overlay.opacity == 0.35
    assert view.overlay.visible
