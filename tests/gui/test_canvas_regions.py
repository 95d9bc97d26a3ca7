"""Hip regions and the head circle are drawn and changed; the loupe."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from gui.tools import Tool
from imaging.radiograph import Side, SpacingSource
from tests.gui.canvas_points import CONTROL, near

RIGHT, MIDDLE = Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton


def test_a_region_is_dragged_by_its_border(canvas, regions, qtbot) -> None:
    with qtbot.waitSignal(canvas.view.region_edited) as edited:
        canvas.drag([(70, 100), (90, 130)])
    index, region = edited.args
    assert index == 0
    assert near((region.x, region.y), (40, 130))
    assert (region.width, region.height) == (100, 100)
    assert region.side is Side.RIGHT
    assert not region.proposed


def test_a_region_is_resized_by_a_corner_and_stays_square(canvas, regions, qtbot) -> None:
    with qtbot.waitSignal(canvas.view.region_edited) as edited:
        canvas.drag([(120, 200), (150, 230)])
    region = edited.args[1]
    assert near((region.x, region.y), (20, 100))
    assert region.width == region.height == pytest.approx(130, abs=1.5)


def test_region_edited_is_emitted_on_release_only(canvas, regions, qtbot) -> None:
    with qtbot.assertNotEmitted(canvas.view.region_edited):
        canvas.drag([(70, 100), (90, 130)], release=False)
    with qtbot.waitSignal(canvas.view.region_edited):
        QTest.mouseRelease(canvas.view, Qt.MouseButton.LeftButton, pos=canvas.at((90, 130)))


def test_a_click_on_the_border_moves_nothing(canvas, regions, qtbot) -> None:
    with qtbot.assertNotEmitted(canvas.view.region_edited):
        canvas.click((70, 100))
    assert canvas.view.regions == tuple(regions)


def test_a_click_into_the_other_hip_selects_it(canvas, regions, qtbot) -> None:
    with qtbot.waitSignal(canvas.view.region_selected) as selected:
        canvas.click((220, 150))
    assert selected.args == [1]
    assert canvas.view.current_region == 1


def test_a_region_can_be_moved_and_grown_without_a_mouse(canvas, regions, qtbot) -> None:
    canvas.view.flip_horizontal()
    with qtbot.waitSignal(canvas.view.region_edited) as edited:
        canvas.view.adjust_region(dx=10, dy=5)  # to the right on screen is to the left in the image
    assert edited.args[1].box == (10, 105, 100, 100)
    assert not edited.args[1].proposed
    with qtbot.waitSignal(canvas.view.region_edited) as edited:
        canvas.view.adjust_region(grow=20)
    assert edited.args[1].box == (0, 95, 120, 120)
    canvas.view.adjust_region(grow=-500)
    assert canvas.view.regions[0].width == 32


def test_hidden_regions_cannot_be_dragged(canvas, regions, qtbot) -> None:
    canvas.view.set_show_regions(False)
    with qtbot.assertNotEmitted(canvas.view.region_edited):
        canvas.drag([(70, 100), (90, 130)])


def test_a_region_can_be_drawn_where_none_was_found(canvas, qtbot) -> None:
    canvas.view.set_tool(Tool.REGION)
    with qtbot.waitSignal(canvas.view.region_drawn) as drawn:
        canvas.drag([(50, 100), (200, 220)])
    region = drawn.args[0]
    assert near((region.x, region.y), (50, 100))
    assert region.width == region.height == pytest.approx(150, abs=1.5)
    assert region.side is Side.RIGHT


def test_head_circle_by_drag(canvas, qtbot) -> None:
    canvas.view.set_tool(Tool.HEAD_CIRCLE)
    with qtbot.waitSignal(canvas.view.head_circle_drawn) as drawn:
        canvas.drag([(150, 150), (190, 150)])
    center, radius = drawn.args
    assert near((center.x(), center.y()), (150, 150))
    assert radius == pytest.approx(40, abs=1)


def test_head_circle_by_three_clicks_and_fine_tuning(canvas, qtbot) -> None:
    view = canvas.view
    view.set_tool(Tool.HEAD_CIRCLE)
    with qtbot.waitSignal(view.head_circle_drawn) as drawn:
        for point in [(190, 150), (150, 110), (110, 150)]:
            canvas.click(point)
    center, radius = drawn.args
    assert near((center.x(), center.y()), (150, 150))
    assert radius == pytest.approx(40, abs=1)
    with qtbot.waitSignal(view.head_circle_drawn):  # its rim can be dragged
        canvas.drag([(150, 190), (150, 200)])
    assert view.head_circle.radius_px == pytest.approx(50, abs=1)
    before = view.head_circle
    canvas.key(Qt.Key.Key_Right)
    canvas.key(Qt.Key.Key_Up, CONTROL)
    assert view.head_circle.center[0] == before.center[0] + 0.5
    assert view.head_circle.radius_px == before.radius_px + 0.5


def test_three_clicks_almost_on_a_line_are_no_head(canvas, qtbot) -> None:
    canvas.view.set_tool(Tool.HEAD_CIRCLE)
    for point in [(20, 150), (150, 151), (280, 150)]:
        canvas.click(point)
    assert canvas.view.head_circle is None
    canvas.key(Qt.Key.Key_Escape)
    assert canvas.view.head_circle is None


def test_calibration_changes_what_lengths_say(canvas, line) -> None:
    assert canvas.view.measure.unit == "mm (detector)"
    canvas.view.set_spacing((0.175, 0.175), SpacingSource.HEAD)
    assert canvas.view.measure.unit == "mm (head)"
    canvas.view.set_spacing(None, SpacingSource.NONE)
    assert canvas.view.measure.unit == "px"


def test_the_loupe_magnifies_while_the_button_is_held(canvas) -> None:
    canvas.view.set_tool(Tool.MAGNIFIER)
    plain = canvas.grab()
    canvas.drag([(150, 150), (160, 160)], release=False)
    assert (canvas.grab() != plain).mean() > 0.02
    QTest.mouseRelease(canvas.view, Qt.MouseButton.LeftButton, pos=canvas.at((160, 160)))
    assert canvas.view.scene.loupe_at is None
