"""What forms are made of: scrolling that follows the keyboard, and filters for what fields do on their own."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence, QResizeEvent, QUndoStack, QWheelEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget


class FollowFocusScroll(QScrollArea):
    """Scrolls its content vertically only, and to whatever the keyboard is in."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self._content = content
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._widen()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            self._widen()
        return super().event(event)

    def focusNextPrevChild(self, next: bool) -> bool:
        moved = super().focusNextPrevChild(next)
        focused = self.focusWidget()
        if moved and focused is not None and self._content.isAncestorOf(focused):
            self.ensureWidgetVisible(focused, 8, 24)
        return moved

    def _widen(self) -> None:
        bar = self.verticalScrollBar().sizeHint().width()
        self.setMinimumWidth(self._content.minimumSizeHint().width() + bar)


class UndoOnStack(QObject):
    """Gives Ctrl+Z and its like in a text field to the form's undo stack, where it has one."""

    def __init__(self, parent: QObject, stack: Callable[[], QUndoStack | None]) -> None:
        super().__init__(parent)
        self._stack = stack

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if not isinstance(event, QKeyEvent):
            return False
        undo, redo = event.matches(QKeySequence.StandardKey.Undo), event.matches(QKeySequence.StandardKey.Redo)
        if not (undo or redo):
            return False
        if event.type() == QEvent.Type.ShortcutOverride:
            event.ignore()  # the window's own undo action takes it, where there is one
            return True
        stack = self._stack()
        if event.type() == QEvent.Type.KeyPress and stack is not None:
            if undo:
                stack.undo()
            else:
                stack.redo()
            return True
        return False


class IgnoreWheel(QObject):
    """Scrolling the form over a field must not change an answer."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QWheelEvent):
            event.ignore()
            return True
        return False


def rule() -> QFrame:
    """A line between two parts."""
    line = QFrame()
    line.setProperty("role", "rule")
    return line


def restyle(widget: QWidget) -> None:
    """Make the style sheet see a changed property."""
    widget.style().unpolish(widget)
    widget.style().polish(widget)
