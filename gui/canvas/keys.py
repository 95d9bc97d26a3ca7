"""The keys of the canvas: nudging, deleting, ending and dropping a drawing, peeking at the map."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QKeyEvent

from gui.items.head_circle_item import HeadCircle
from gui.tools import Tool

if TYPE_CHECKING:
    from gui.views.radiograph_view import RadiographView

NUDGE_PX, FAR_NUDGE_PX = 1.0, 10.0  # image pixels per arrow key, without and with Shift
CIRCLE_NUDGE_PX = 0.5

_ARROWS: dict[int, tuple[int, int]] = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class CanvasKeys:
    def __init__(self, view: RadiographView) -> None:
        self._view = view
        self._held_gesture = 0  # of an arrow key that is held

    def claims(self, event: QKeyEvent) -> bool:
        """Whether the canvas has a use for this key now; the window's shortcuts get it otherwise."""
        view = self._view
        busy, selection = view.behaviour.busy, bool(view.annotations.selection)
        key, modifiers = event.key(), event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if key in _ARROWS:
            plain = Qt.KeyboardModifier.NoModifier
            allowed = [plain, Qt.KeyboardModifier.ShiftModifier]
            if self._nudges_circle:
                allowed.append(Qt.KeyboardModifier.ControlModifier)
            return modifiers in allowed and (selection or self._nudges_circle)
        if modifiers:
            return False
        if key in _ENTER:
            return busy
        if key in (Qt.Key.Key_Escape, Qt.Key.Key_Backspace, Qt.Key.Key_Delete):
            return busy or selection
        return key == Qt.Key.Key_Space and view.radiograph is not None

    def press(self, event: QKeyEvent) -> bool:
        """Do what a claimed key does. False when there was nothing to do after all."""
        view, key = self._view, event.key()
        if key == Qt.Key.Key_Space:
            view.overlay.set_peek(True)
            return True
        if key in _ARROWS:
            self._nudge(event)
            return True
        if key in _ENTER:
            return view.behaviour.finish()
        if key == Qt.Key.Key_Escape:
            return view.behaviour.cancel() or view.selecting.cancel()
        if key == Qt.Key.Key_Backspace and view.behaviour.step_back():
            return True
        return view.selecting.delete()

    @property
    def _nudges_circle(self) -> bool:
        view = self._view
        return view.tool is Tool.HEAD_CIRCLE and view.head_circle is not None and not view.annotations.selection

    def _nudge(self, event: QKeyEvent) -> None:
        """Arrows move on screen whichever way the image is turned; a held key is one undo step."""
        across, down = _ARROWS[event.key()]
        m11, m12, m21, m22 = self._view.viewport.orientation
        dx, dy = across * m11 + down * m12, across * m21 + down * m22
        far = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        circle = self._view.head_circle
        if self._nudges_circle and circle is not None:
            if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
                grown = circle.radius_px + (across - down) * CIRCLE_NUDGE_PX
                circle = replace(circle, radius_px=max(1.0, grown))
            else:
                step = CIRCLE_NUDGE_PX * (10 if far else 1)
                circle = HeadCircle((circle.center[0] + dx * step, circle.center[1] + dy * step), circle.radius_px)
            self._view.show_head_circle(circle)
            self._view.commit_head_circle()
            return
        if not event.isAutoRepeat():
            self._held_gesture = self._view.annotations.new_gesture()
        step = FAR_NUDGE_PX if far else NUDGE_PX
        if not self._nudge_handle(dx * step, dy * step):
            self._nudge_marks(dx * step, dy * step)

    def _nudge_handle(self, dx: float, dy: float) -> bool:
        """The chosen point of a mark; False where none is chosen."""
        view, marks = self._view, self._view.annotations
        if view.selecting.active_handle is None:
            return False
        mark_id, handle = view.selecting.active_handle
        mark = marks.annotation(mark_id)
        if mark is None or mark_id not in marks.selection or handle >= len(mark.points):
            return False
        points = list(mark.points)
        x, y = points[handle]
        points[handle] = view.clamped(QPointF(x + dx, y + dy))
        marks.replace(msgspec.structs.replace(mark, points=tuple(points)), self._held_gesture)
        return True

    def _nudge_marks(self, dx: float, dy: float) -> None:
        marks = self._view.annotations
        shift = self._view.clamped_shift(marks.selected, dx, dy)
        marks.move(marks.selection, *shift, self._held_gesture)
