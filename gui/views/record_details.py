"""One reading in full: beside the CNN's answer, with its comment, its corrections, and where its image lies."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from gui import icons
from gui.views.comparison import ComparisonView
from gui.views.record_rows import Row


class RecordDetails(QScrollArea):
    open_asked = Signal()
    place_asked = Signal()  # the image has moved: the reader will show where it is

    def __init__(self) -> None:
        super().__init__(widgetResizable=True)
        self.title = QLabel(wordWrap=True)
        self.title.setProperty("role", "title")
        self.comparison = ComparisonView()
        self.comment_label = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.comment_label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.corrections_label = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.corrections_label.setProperty("role", "muted")
        self.place_label = QLabel(wordWrap=True)
        self.place_label.setProperty("role", "muted")
        self.open_button = QPushButton(self.tr("&Open the case"))
        self.open_button.setProperty("role", "main")
        self.open_button.clicked.connect(self.open_asked)
        self.relink_button = QPushButton(self.tr("Image moved: show &where it is …"))
        icons.attach(self.relink_button, "link")
        self.relink_button.clicked.connect(self.place_asked)
        self._of_reading = (self.comparison, self.comment_label, self.corrections_label, self.place_label)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(12, 10, 12, 10)
        column.setSpacing(10)
        for widget in (self.title, *self._of_reading, self.open_button, self.relink_button):
            column.addWidget(widget)
        column.addStretch(1)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidget(content)
        self.setMinimumWidth(22 * self.fontMetrics().height())

    def show_none(self, why: str) -> None:
        self._set_shown(False)
        self.title.setText(why)
        self.comparison.clear()

    def show_row(self, row: Row) -> None:
        """`show_place` follows, once it is known whether the image is there."""
        self._set_shown(True)
        reading, opinion = row.item.reading, row.opinion
        self.title.setText(row.case)
        cnn = opinion.cnn.reading if opinion is not None and opinion.cnn is not None else None
        revised = opinion is not None and row.item is opinion.revised
        first = opinion.answer.reading if opinion is not None and revised else None
        self.comparison.show_readings(reading, cnn, first)
        self.comment_label.setText(reading.comment)
        self.comment_label.setVisible(bool(reading.comment))
        changes = [
            self.tr("Corrected {utc} by {actor}: {reason}").format(
                utc=change.utc[:16].replace("T", " "), actor=change.actor, reason=change.reason
            )
            for change in row.item.corrections
        ]
        self.corrections_label.setText("\n".join(changes))
        self.corrections_label.setVisible(bool(changes))
        self.place_label.setText(self.tr("Looking for the image …"))

    def show_place(self, *, there: bool) -> None:
        self.place_label.setText(
            self.tr("The image is where it was.")
            if there
            else self.tr("The image is no longer where it was opened from.")
        )
        self.relink_button.setVisible(not there)
        self.open_button.setEnabled(there)

    def _set_shown(self, shown: bool) -> None:
        for widget in (*self._of_reading, self.open_button):
            widget.setVisible(shown)
        self.relink_button.hide()
