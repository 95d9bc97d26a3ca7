"""Marks are selected, moved and changed."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QApplication

from gui.annotations import new_annotation
from gui.tools import Tool
from study.model import AnnotationKind
from tests.gui.canvas_points import SHIFT, near, points_near

RIGHT, MIDDLE = Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton


def test_click_selects_and_click_beside_lets_go(canvas, line) -> None:
    canvas.click((100, 150))
    assert canvas.model.selection == {line.id}
    canvas.click((200, 150))
    assert canvas.model.selection == frozenset()
    assert canvas.model.undo_stack.count() == 0


def test_a_mark_is_dragged_in_one_step(canvas, line) -> None:
    canvas.drag([(100, 150), (150, 160)])
    assert points_near(canvas.model.annotations[0].points, [(150, 110), (150, 210), (150, 310)])
    canvas.model.undo_stack.undo()
    assert canvas.model.annotations == (line,)


def test_a_point_is_dragged_inserted_and_deleted(canvas, line) -> None:
    canvas.click((100, 150))
    canvas.drag([(100, 200), (140, 210)])
    assert points_near(canvas.model.annotations[0].points, [(100, 100), (140, 210), (100, 300)])
    canvas.key(Qt.Key.Key_Delete)  # the point that was dragged last
    assert points_near(canvas.model.annotations[0].points, [(100, 100), (100, 300)])
    canvas.double_click((100, 150))
    assert points_near(canvas.model.annotations[0].points, [(100, 100), (100, 150), (100, 300)])
    canvas.click((100, 250))
    canvas.key(Qt.Key.Key_Delete)
    assert canvas.model.annotations == ()
    while canvas.model.undo_stack.canUndo():
        canvas.model.undo_stack.undo()
    assert canvas.model.annotations == (line,)


def test_the_width_handle(canvas, line) -> None:
    canvas.click((100, 150))
    outside = 2 + 10 / canvas.view.viewport.scale
    handle = (100 - outside, 150)
    if canvas.view.viewport.scale:
        canvas.drag([handle, (80, 150)])
    assert canvas.model.annotations[0].width_px == pytest.approx(40, abs=3)


def test_escape_during_a_drag_puts_the_mark_back(canvas, line) -> None:
    canvas.drag([(100, 150), (180, 160)], release=False)
    assert canvas.model.annotations != (line,)
    canvas.key(Qt.Key.Key_Escape)
    assert canvas.model.annotations == (line,)
    assert not canvas.model.undo_stack.canUndo()


def test_arrows_nudge_on_screen(canvas, line) -> None:
    canvas.click((100, 150))
    canvas.key(Qt.Key.Key_Right)
    canvas.key(Qt.Key.Key_Right, SHIFT)
    assert canvas.model.annotations[0].points[0] == (111, 100)
    canvas.view.flip_horizontal()
    canvas.key(Qt.Key.Key_Right)
    assert canvas.model.annotations[0].points[0] == (110, 100)
    canvas.view.flip_horizontal()
    canvas.view.rotate_by(90)
    canvas.key(Qt.Key.Key_Right)  # image up lies to the right now
    assert canvas.model.annotations[0].points[0] == (110, 99)


def test_a_held_arrow_is_one_step(canvas, line) -> None:
    canvas.click((100, 150))
    for repeat in (False, True, True, True):
        event = QKeyEvent(QKeyEvent.Type.KeyPress, Qt.Key.Key_Down, Qt.KeyboardModifier.NoModifier, "", repeat)
        QApplication.sendEvent(canvas.view, event)
    assert canvas.model.annotations[0].points[0] == (100, 104)
    canvas.model.undo_stack.undo()
    assert canvas.model.annotations == (line,)


def test_shift_click_adds_to_the_selection(canvas, line) -> None:
    other = new_annotation(AnnotationKind.POINT, [(200, 200)])
    canvas.model.load([line, other])
    canvas.click((100, 150))
    canvas.click((200, 200), modifiers=SHIFT)
    assert canvas.model.selection == {line.id, other.id}
    canvas.drag([(200, 200), (210, 200)])
    assert near(canvas.model.annotations[0].points[0], (110, 100))
    assert near(canvas.model.annotations[1].points[0], (210, 200))


@pytest.mark.parametrize("kind", [AnnotationKind.POINT, AnnotationKind.ELLIPSE, AnnotationKind.POLYGON])
@pytest.mark.parametrize("zoom", [0.3, 1.0, 4.0])
def test_a_small_mark_is_hit_in_its_middle(canvas, kind: AnnotationKind, zoom: float) -> None:
    around = {
        AnnotationKind.POINT: [(150, 200)],
        AnnotationKind.ELLIPSE: [(149, 199), (151, 201)],
        AnnotationKind.POLYGON: [(149, 199), (151, 199), (150, 202)],
    }
    mark = new_annotation(kind, around[kind])
    canvas.model.load([mark])
    canvas.view.show_point(150, 200, zoom)
    canvas.click((150, 200))
    assert canvas.model.selection == {mark.id}


def test_marks_turn_with_the_image_and_keep_their_coordinates(canvas, line) -> None:
    canvas.view.rotate_by(90)
    canvas.view.flip_horizontal()
    assert canvas.model.annotations == (line,)
    canvas.click((100, 150))
    assert canvas.model.selection == {line.id}


def test_a_drawing_tool_edits_the_selected_mark_by_its_handles(canvas, line) -> None:
    canvas.model.select([line.id])
    canvas.view.set_tool(Tool.RULER)
    canvas.drag([(100, 300), (120, 320)])
    assert len(canvas.model.annotations) == 1
    assert near(canvas.model.annotations[0].points[2], (120, 320))


def test_hidden_marks_are_not_hit(canvas, line) -> None:
    canvas.view.set_show_marks(False)
    canvas.click((100, 150))
    assert canvas.model.selection == frozenset()


def test_nothing_is_drawn_where_marks_are_hidden(canvas) -> None:
    canvas.view.set_show_marks(False)
    canvas.view.set_tool(Tool.RULER)
    canvas.drag([(50, 300), (150, 300)])
    assert canvas.model.annotations == ()


def test_reader_colour(canvas, line) -> None:
    canvas.view.set_reader_color(QColor(255, 0, 0))
    shown = canvas.grab().astype(int)
    assert ((shown[..., 0] > 200) & (shown[..., 1] < 90) & (shown[..., 2] < 90)).any()


def test_marks_of_others_are_seen_but_not_edited(canvas, line) -> None:
    canvas.model.load([])
    plain = canvas.grab()
    canvas.view.set_other_marks([(QColor(255, 0, 255), [line])])
    assert (canvas.grab() != plain).any()
    canvas.click((100, 150))
    assert canvas.model.selection == frozenset()


def test_shortcuts_of_the_window_wait_while_a_mark_is_selected(canvas, line, qtbot) -> None:
    """Arrows turn pages in the window; with a mark selected they nudge it."""
    turned = []
    shortcut = QShortcut(QKeySequence(Qt.Key.Key_Right), canvas.view)
    shortcut.activated.connect(lambda: turned.append(1))
    canvas.view.activateWindow()
    canvas.key(Qt.Key.Key_Right)
    assert turned == [1]
    canvas.click((100, 150))
    canvas.key(Qt.Key.Key_Right)
    assert turned == [1]
    assert canvas.model.annotations[0].points[0] == (101, 100)
