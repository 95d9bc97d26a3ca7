"""Marks are drawn with the mouse."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from gui.items.mark_item import _width_handle_shown, mark_text
from gui.tools import Tool
from study.model import AnnotationKind
from tests.gui.canvas_points import SHIFT, near, points_near

RIGHT, MIDDLE = Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton


def test_ruler_by_drag_and_by_clicks(canvas) -> None:
    canvas.view.set_tool(Tool.RULER)
    canvas.drag([(50, 300), (150, 300)])
    canvas.click((60, 350))
    canvas.click((160, 350))
    one, two = canvas.model.annotations
    assert one.kind is AnnotationKind.RULER
    assert points_near(one.points, [(50, 300), (150, 300)])
    assert points_near(two.points, [(60, 350), (160, 350)])
    canvas.model.undo_stack.undo()
    assert canvas.model.annotations == (one,)


def test_shift_keeps_a_ruler_straight(canvas) -> None:
    canvas.view.set_tool(Tool.RULER)
    canvas.click((50, 300))
    canvas.click((150, 304), modifiers=SHIFT)
    (_, y0), (_, y1) = canvas.model.annotations[0].points
    assert y0 == pytest.approx(y1)


def test_angle_by_two_drags_and_by_four_clicks(canvas) -> None:
    canvas.view.set_tool(Tool.ANGLE)
    canvas.drag([(50, 300), (150, 300)])
    assert canvas.model.annotations == ()
    canvas.drag([(50, 200), (150, 100)])
    canvas.view.set_tool(Tool.SELECT)
    canvas.model.clear_selection()
    canvas.view.set_tool(Tool.ANGLE)
    for point in [(60, 300), (160, 300), (60, 210), (160, 110)]:
        canvas.click(point)
    assert [mark.kind for mark in canvas.model.annotations] == [AnnotationKind.ANGLE] * 2
    for mark in canvas.model.annotations:
        assert canvas.view.measure.angle_deg(mark.points) == pytest.approx(45, abs=2)


@pytest.mark.parametrize("ending", ["enter", "double click"])
def test_lucent_line(canvas, ending: str) -> None:
    canvas.view.set_tool(Tool.LUCENT_LINE)
    canvas.click((50, 100))
    canvas.click((60, 150))
    if ending == "enter":
        canvas.click((65, 200))
        canvas.key(Qt.Key.Key_Return)
    else:
        canvas.double_click((65, 200))
    (mark,) = canvas.model.annotations
    assert mark.kind is AnnotationKind.LUCENT_LINE
    assert mark.width_px == 0
    assert points_near(mark.points, [(50, 100), (60, 150), (65, 200)])


def test_the_width_of_a_lucent_line_is_not_measured_until_somebody_does(canvas) -> None:
    canvas.view.set_tool(Tool.LUCENT_LINE)
    canvas.click((100, 100))
    canvas.click((100, 200))
    canvas.key(Qt.Key.Key_Return)
    canvas.view.set_tool(Tool.SELECT)
    (mark,) = canvas.model.annotations
    assert mark_text(mark, canvas.view.measure) == "width not measured"
    canvas.click((100, 150))
    assert canvas.model.annotations[0].width_px == 0, "selecting it measures nothing"
    handle = canvas.view.to_view.inverted()[0].map(_width_handle_shown(mark, canvas.view.to_view))
    canvas.drag([(handle.x(), handle.y()), (handle.x() + (10 if handle.x() > 100 else -10), handle.y())])
    (mark,) = canvas.model.annotations
    assert mark.width_px > 5
    assert mark_text(mark, canvas.view.measure).endswith("mm (detector)")


def test_backspace_takes_back_a_point_and_escape_the_line(canvas) -> None:
    canvas.view.set_tool(Tool.LUCENT_LINE)
    for y in (100, 150, 200):
        canvas.click((50, y))
    canvas.key(Qt.Key.Key_Backspace)
    canvas.click((80, 220))
    canvas.key(Qt.Key.Key_Return)
    assert points_near(canvas.model.annotations[0].points, [(50, 100), (50, 150), (80, 220)])
    canvas.click((200, 100))
    canvas.click((200, 200))
    canvas.key(Qt.Key.Key_Escape)
    canvas.key(Qt.Key.Key_Return)
    assert len(canvas.model.annotations) == 1


def test_polygon_closes_on_its_first_point(canvas) -> None:
    canvas.view.set_tool(Tool.POLYGON)
    for point in [(50, 100), (150, 100), (150, 200), (50, 100)]:
        canvas.click(point)
    (mark,) = canvas.model.annotations
    assert points_near(mark.points, [(50, 100), (150, 100), (150, 200)])


def test_ellipse_and_point(canvas) -> None:
    canvas.view.set_tool(Tool.ELLIPSE)
    canvas.drag([(50, 100), (150, 180)])
    canvas.view.set_tool(Tool.POINT)
    canvas.click((200, 300))
    ellipse, point = canvas.model.annotations
    assert points_near(ellipse.points, [(50, 100), (150, 180)])
    assert points_near(point.points, [(200, 300)])


def test_text_is_written_on_the_canvas(canvas) -> None:
    canvas.view.set_tool(Tool.TEXT)
    canvas.click((100, 100))
    editor = QApplication.focusWidget() or canvas.view._editor
    QTest.keyClicks(editor, "osteolysis")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    (mark,) = canvas.model.annotations
    assert (mark.kind, mark.text) == (AnnotationKind.TEXT, "osteolysis")
    canvas.click((150, 300))
    QTest.keyClicks(canvas.view._editor, "no")
    QTest.keyClick(canvas.view._editor, Qt.Key.Key_Escape)
    assert len(canvas.model.annotations) == 1


def test_changing_the_tool_drops_what_is_half_drawn(canvas) -> None:
    canvas.view.set_tool(Tool.RULER)
    canvas.click((50, 100))
    canvas.view.set_tool(Tool.SELECT)
    canvas.view.set_tool(Tool.RULER)
    canvas.click((80, 100))
    assert canvas.model.annotations == ()


def test_marks_stay_on_the_image(canvas) -> None:
    canvas.view.set_tool(Tool.RULER)
    canvas.drag([(100, 100), (-60, 100)])
    assert near(canvas.model.annotations[0].points[1], (0, 100))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 3),
    st.booleans(),
    st.floats(0.4, 6),
    st.tuples(st.floats(20, 280), st.floats(20, 380)),
)
def test_a_click_lands_on_the_same_image_point_in_every_orientation(canvas, turns, flipped, zoom, point) -> None:
    view = canvas.view
    view.reset_view()
    canvas.model.load([])
    view.rotate_by(90 * turns)
    if flipped:
        view.flip_horizontal()
    view.show_point(*point, zoom)
    view.set_tool(Tool.POINT)
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, canvas.at(point))
    (mark,) = canvas.model.annotations
    assert near(mark.points[0], point, 1 / zoom + 1e-6)
