"""Which hip this is: what the file or the picture says, and the reader's own word for it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QPushButton, QWidget

from gui.views.elided_label import ElidedLabel
from imaging.radiograph import Side, SideSource

SIDES = (Side.RIGHT, Side.LEFT, Side.UNKNOWN)
# How it is known: in the form, and in its tip.
SOURCE_WORDS = {
    SideSource.READER: ("set by you", "You have said which hip this is."),
    SideSource.STUDY: ("by the study", "The case list of the study says which hip this is."),
    SideSource.ORIENTATION: (
        "by the file",
        "From the file's patient orientation, and where the hip is in the picture.",
    ),
    SideSource.LANDMARKS: (
        "by the file",
        "From the file's patient orientation, and where the implant's lateral side is.",
    ),
    SideSource.LATERALITY: ("by its tag", "From the file's side tag."),
    SideSource.ASSUMED: ("assumed", "Assumed: AP views are usually shown with the patient's right on the left."),
    SideSource.NONE: ("", ""),
}


class SidePart(QWidget):
    chosen = Signal(object)  # Side

    def __init__(self) -> None:
        super().__init__()
        caption = QLabel(self.tr("Side"))
        caption.setProperty("role", "section")
        self.source_label = ElidedLabel()
        self.source_label.setProperty("role", "small")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(caption)
        self._group = QButtonGroup(self)
        words = {Side.RIGHT: self.tr("Right"), Side.LEFT: self.tr("Left"), Side.UNKNOWN: self.tr("Unknown")}
        self.buttons: dict[Side, QPushButton] = {}
        for number, side in enumerate(SIDES):
            button = QPushButton(words[side])
            button.setCheckable(True)
            button.setToolTip(self.tr("The patient's side that this hip is on"))
            button.setAccessibleName(self.tr("Side of the hip: {side}").format(side=words[side].lower()))
            self.buttons[side] = button
            self._group.addButton(button, number)
            row.addWidget(button)
        row.addWidget(self.source_label, 1)
        self._group.idClicked.connect(lambda number: self.chosen.emit(SIDES[number]))

    def show_side(self, side: Side, source: SideSource) -> None:
        self.buttons[side if side in self.buttons else Side.UNKNOWN].setChecked(True)
        words, tip = SOURCE_WORDS[source]
        self.source_label.setText(words)
        self.source_label.setToolTip(tip)
