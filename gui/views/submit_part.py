"""The head and the foot of the reading form: how far the reading is, what it still needs, who records it."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from gui import icons
from gui.views.form_parts import restyle
from gui.words import MODE_WORDS
from study.model import ReadingMode


class FormState(Enum):
    EDITABLE = "editable"
    SAVING = "saving"  # submitted, the store has not returned yet
    LOCKED = "locked"
    REVISION = "revision"  # editable; revises an answer-first reading, the CNN in view
    UNSAVED = "unsaved"  # the record cannot be opened: nothing that was entered would be kept

    @property
    def editable(self) -> bool:
        return self in (FormState.EDITABLE, FormState.REVISION)


class StatePart(QWidget):
    def __init__(self) -> None:
        super().__init__()
        title = QLabel(self.tr("Your reading"))
        title.setProperty("role", "title")
        self._icon = QLabel()
        self._icon_name = ""
        self.state_label = QLabel()
        self.state_label.setProperty("role", "muted")
        self.state_label.setAccessibleName(self.tr("State of the reading"))
        self.mode_label = QLabel(wordWrap=True)
        self.mode_label.setProperty("role", "small")
        row = QHBoxLayout()
        row.addWidget(title)
        row.addStretch(1)
        row.addWidget(self._icon)
        row.addWidget(self.state_label)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row)
        column.addWidget(self.mode_label)

    def show_state(self, state: FormState, recorded_at: datetime | None, mode: ReadingMode | None, reason: str) -> None:
        """`reason`: why nothing is saved, for FormState.UNSAVED."""
        match state:
            case FormState.EDITABLE:
                icon, text = "edit", self.tr("not recorded yet")
            case FormState.SAVING:
                icon, text = "clock", self.tr("being saved …")
            case FormState.LOCKED:
                at = f" {recorded_at:%H:%M:%S}" if recorded_at else ""
                icon, text = "lock", self.tr("recorded") + at
            case FormState.REVISION:
                icon, text = "edit", self.tr("revised answer")
            case FormState.UNSAVED:
                icon, text = "warning", self.tr("not saved")
        words = MODE_WORDS[mode] if state is FormState.LOCKED and mode is not None else reason
        self.mode_label.setVisible(bool(words))
        self.mode_label.setText(words)
        self._icon_name = icon
        self.state_label.setText(text)
        self._show_icon()

    def _show_icon(self) -> None:
        size_px = self.fontMetrics().height()
        self._icon.setPixmap(icons.pixmap(self._icon_name, size_px, "muted", self.devicePixelRatioF()))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange) and self._icon_name:
            self._show_icon()


class SubmitPart(QWidget):
    def __init__(self) -> None:
        super().__init__()
        reader_caption = QLabel(self.tr("Rea&der"))
        reader_caption.setProperty("role", "muted")
        self.reader_line = QLineEdit(placeholderText=self.tr("Name or initials"), maxLength=100)
        self.reader_line.setAccessibleName(self.tr("Reader's name or initials"))
        reader_caption.setBuddy(self.reader_line)
        self.problem_label = QLabel(wordWrap=True)
        self.problem_label.setAccessibleName(self.tr("What is still needed"))
        self.submit_button = QPushButton()
        self.submit_button.setProperty("role", "main")
        self.submit_button.setToolTip(self.tr("Lock this answer in the record (Ctrl+Enter)"))
        self.revise_button = QPushButton(self.tr("Rev&ise after seeing the CNN"))
        self.revise_button.setToolTip(self.tr("The recorded answer stays; a second one is added"))
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(reader_caption, 0, 0)
        grid.addWidget(self.reader_line, 0, 1)
        grid.addWidget(self.problem_label, 1, 0, 1, 2)
        grid.addWidget(self.submit_button, 2, 0, 1, 2)
        grid.addWidget(self.revise_button, 3, 0, 1, 2)
        grid.setColumnStretch(1, 1)

    def show_state(self, state: FormState, mode: ReadingMode | None) -> None:
        self.reader_line.setEnabled(state.editable)
        self.submit_button.setVisible(state.editable)
        self.submit_button.setText(
            self.tr("&Record revised reading") if state is FormState.REVISION else self.tr("&Record reading")
        )
        self.revise_button.setVisible(state is FormState.LOCKED and mode is ReadingMode.ANSWER_FIRST)

    def show_problem(self, problem: str, *, loud: bool) -> None:
        """What keeps the answer from being recorded; "" for nothing."""
        self.problem_label.setText(problem)
        self.problem_label.setVisible(bool(problem))
        role = "warning" if loud else "muted"
        if self.problem_label.property("role") != role:
            self.problem_label.setProperty("role", role)
            restyle(self.problem_label)
