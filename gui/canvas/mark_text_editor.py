"""Writing the text of a mark where it lies on the image."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from study.model import Annotation

WIDTH = 260  # logical pixels


class MarkTextEditor(QLineEdit):
    """Enter keeps, Esc drops. A click elsewhere keeps what was written: nothing typed is lost."""

    written = Signal(object, str)  # the mark as it was given, and its text

    def __init__(self, view: QWidget) -> None:
        super().__init__(view)
        self._view = view
        self._mark: Annotation | None = None
        self.setPlaceholderText("Text, then Enter")
        self.hide()
        self.returnPressed.connect(self._keep)

    def edit(self, mark: Annotation, at: QPoint) -> None:
        """Beside `at`, a point of the view."""
        self._mark = mark
        self.setText(mark.text)
        self.setFixedWidth(min(WIDTH, self._view.width()))
        self.adjustSize()
        self.move(
            max(0, min(at.x() + 6, self._view.width() - self.width())),
            max(0, min(at.y() - 12, self._view.height() - self.height())),
        )
        self.show()
        self.setFocus(Qt.FocusReason.OtherFocusReason)
        self.selectAll()

    def drop(self) -> None:
        self._mark = None
        if self.isVisible():
            self.hide()
            self._view.setFocus(Qt.FocusReason.OtherFocusReason)

    def _keep(self) -> None:
        mark, text = self._mark, self.text().strip()
        self.drop()
        if mark is not None:
            self.written.emit(mark, text)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.drop()
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        if self._mark is not None:
            self._keep()
        super().focusOutEvent(event)
