"""What the left mouse button and the keys do on the canvas: one small state machine per kind of tool."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QPainter

from imaging.measure import Point
from study.model import Annotation

if TYPE_CHECKING:
    from gui.views.radiograph_view import RadiographView

DRAG_PX = 4.0  # logical pixels that make a press a drag: a click must not nudge a mark


class ToolBehaviour:
    """Positions are view coordinates; the view converts. Subclasses override what they use."""

    cursor = Qt.CursorShape.ArrowCursor

    def __init__(self, view: RadiographView) -> None:
        self.view = view

    @property
    def busy(self) -> bool:
        """True while something is half drawn."""
        return False

    def press(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None: ...

    def move(self, at: QPointF, *, pressed: bool, modifiers: Qt.KeyboardModifier) -> None: ...

    def release(self, at: QPointF) -> None: ...

    def double_click(self, at: QPointF) -> bool:
        """False: the view does what a double click does anywhere else."""
        return False

    def finish(self) -> bool:
        """Enter. False when there was nothing to finish."""
        return False

    def step_back(self) -> bool:
        """Backspace. False when there was nothing to take back."""
        return False

    def cancel(self) -> bool:
        """Escape, or another tool. False when there was nothing to cancel."""
        return False

    def draft(self) -> Annotation | None:
        """The mark being drawn, for the view to paint."""
        return None

    def paint(self, painter: QPainter) -> None: ...


class DragTool(ToolBehaviour):
    """Calls `drag(dx, dy)` with the movement since the last call, in logical pixels."""

    def __init__(
        self, view: RadiographView, drag: Callable[[float, float, QPointF], None], cursor: Qt.CursorShape
    ) -> None:
        super().__init__(view)
        self._drag = drag
        self._start = self._last = QPointF()
        self.cursor = cursor

    def press(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        self._start = self._last = at

    def move(self, at: QPointF, *, pressed: bool, modifiers: Qt.KeyboardModifier) -> None:
        if pressed:
            step = at - self._last
            self._last = at
            self._drag(step.x(), step.y(), self._start)


class MagnifierTool(ToolBehaviour):
    cursor = Qt.CursorShape.CrossCursor

    def press(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        self.view.show_loupe(at)

    def move(self, at: QPointF, *, pressed: bool, modifiers: Qt.KeyboardModifier) -> None:
        self.view.show_loupe(at if pressed else None)

    def release(self, at: QPointF) -> None:
        self.view.show_loupe(None)

    def cancel(self) -> bool:
        self.view.show_loupe(None)
        return False


class PointsTool(ToolBehaviour):
    """Sets one point after the other; Backspace takes the last one back."""

    def __init__(self, view: RadiographView) -> None:
        super().__init__(view)
        self._points: list[Point] = []

    @property
    def busy(self) -> bool:
        return bool(self._points)

    def step_back(self) -> bool:
        if not self._points:
            return False
        self._points.pop()
        self.view.update()
        return True
