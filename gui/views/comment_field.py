"""The comment of a reading: plain text whose undo belongs to the form."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSignalBlocker, Signal
from PySide6.QtWidgets import QPlainTextEdit

COMMENT_LIMIT = 4000


class CommentField(QPlainTextEdit):
    given = Signal(str)

    def __init__(self) -> None:
        super().__init__(tabChangesFocus=True)
        self.setUndoRedoEnabled(False)  # its edits are on the form's undo stack
        self.setPlaceholderText(self.tr("No patient names, please: comments are exported"))
        self.setAccessibleName(self.tr("Comment"))
        self._size()
        self.textChanged.connect(lambda: self.given.emit(self.toPlainText()[:COMMENT_LIMIT]))

    def show_comment(self, comment: str) -> None:
        if self.toPlainText() == comment:
            return
        with QSignalBlocker(self):
            self.setPlainText(comment)
        cursor = self.textCursor()
        cursor.movePosition(cursor.MoveOperation.End)
        self.setTextCursor(cursor)

    def _size(self) -> None:
        self.setFixedHeight(5 * self.fontMetrics().height())

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self._size()
