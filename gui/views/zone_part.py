"""Findings by zone: the drawing, and the fields of the zone that is chosen on it."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import QCheckBox, QFrame, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from gui.answer_rules import finding_in
from gui.draft import Answer
from gui.views.number_fields import DecimalField
from gui.views.zone_schematic import ZONE_NAMES, ZoneSchematic


class ZonePart(QWidget):
    edit_asked = Signal(str, str)  # zone, one of ZoneSchematic.EDITS
    width_given = Signal(str, object)  # zone; mm or None
    zone_selected = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._answer = Answer()
        self._cutoff_mm = 2.0
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        caption = QLabel(self.tr("Findings by &zone"))
        caption.setProperty("role", "section")
        self.schematic = ZoneSchematic()
        caption.setBuddy(self.schematic)
        self.shares_label = QLabel()
        self.shares_label.setProperty("role", "small")
        self.shares_label.setWordWrap(True)
        self.shares_label.hide()
        column.addWidget(caption)
        column.addWidget(self.schematic)
        column.addWidget(self.shares_label)
        column.addWidget(self._build_card())
        self._connect()

    def show_answer(self, answer: Answer) -> None:
        self._answer = answer
        self.schematic.set_findings(answer.findings)
        self._show_zone()

    def set_cutoff_mm(self, cutoff_mm: float) -> None:
        """Width above which a line is pointed out."""
        self._cutoff_mm = cutoff_mm
        self.schematic.set_cutoff_mm(cutoff_mm)
        self._show_zone()

    def set_shares(self, shares: Mapping[str, float] | None, note: str = "") -> None:
        """The CNN's attention per zone, once it may be seen; None hides it. `note`: why zones have none."""
        self.schematic.set_shares(shares)
        meaning = self.tr("% = share of the CNN's attention in a zone; not a finding.") if shares else ""
        self.shares_label.setText(" ".join(filter(None, (meaning, note))))
        self.shares_label.setVisible(bool(shares or note))

    def _build_card(self) -> QFrame:
        self.card = QFrame()
        self.card.setProperty("role", "card")
        self.zone_label = QLabel(wordWrap=True)
        self.zone_label.setProperty("role", "section")
        self.lucency_box = QCheckBox(self.tr("Radiol&ucent line"))
        self.width_spin = WidthSpin()
        self.osteolysis_box = QCheckBox(self.tr("Osteol&ysis"))
        self.unassessable_box = QCheckBox(self.tr("Zone not assess&able"))
        self.cutoff_label = QLabel(wordWrap=True)
        self.cutoff_label.setProperty("role", "small")
        grid = QGridLayout(self.card)
        grid.setContentsMargins(8, 6, 8, 6)
        grid.addWidget(self.zone_label, 0, 0, 1, 2)
        grid.addWidget(self.lucency_box, 1, 0)
        grid.addWidget(self.width_spin, 1, 1)
        grid.addWidget(self.cutoff_label, 2, 0, 1, 2)
        others = QHBoxLayout()
        others.addWidget(self.osteolysis_box)
        others.addStretch(1)
        others.addWidget(self.unassessable_box)
        grid.addLayout(others, 3, 0, 1, 2)
        grid.setColumnStretch(0, 1)
        return self.card

    def _connect(self) -> None:
        self.schematic.zone_selected.connect(self._show_zone)
        self.schematic.zone_selected.connect(self.zone_selected)
        self.schematic.edit_requested.connect(self._ask_edit)
        for box, what in (
            (self.lucency_box, "lucency"),
            (self.osteolysis_box, "osteolysis"),
            (self.unassessable_box, "not_assessable"),
        ):
            box.clicked.connect(lambda _on, what=what: self._ask_edit(self.schematic.selected, what))
        self.width_spin.given.connect(self._ask_width)

    def _ask_edit(self, zone: str, what: str) -> None:
        self.schematic.select(zone)
        self.edit_asked.emit(zone, what)

    def _ask_width(self, width_mm: float | None) -> None:
        if self.schematic.selected:
            self.width_given.emit(self.schematic.selected, width_mm)

    def _show_zone(self) -> None:
        zone = self.schematic.selected
        for widget in (self.lucency_box, self.width_spin, self.osteolysis_box, self.unassessable_box):
            widget.setEnabled(bool(zone))
        if not zone:
            self.zone_label.setText(self.tr("Choose a zone on the drawing"))
            self.cutoff_label.hide()
            return
        found = finding_in(self._answer, zone)
        self.zone_label.setText(ZONE_NAMES[zone])
        for box, on in (
            (self.lucency_box, found.lucency),
            (self.osteolysis_box, found.osteolysis),
            (self.unassessable_box, found.not_assessable),
        ):
            box.setChecked(on)  # only `clicked` is connected
        self.width_spin.show_width(found.width_mm)
        wide = found.width_mm is not None and found.width_mm > self._cutoff_mm
        self.cutoff_label.setText(self.tr("Wider than the {mm:g} mm cut-off").format(mm=self._cutoff_mm))
        self.cutoff_label.setVisible(wide)


class WidthSpin(DecimalField):
    """Width of a radiolucent line in mm; blank means that it was not measured."""

    given = Signal(object)  # float or None

    def __init__(self) -> None:
        super().__init__(0.0, 20.0, step=0.5, suffix=" mm")
        self.setSpecialValueText(self.tr("not measured"))
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setAccessibleName(self.tr("Width of the radiolucent line in millimetres"))
        self.setKeyboardTracking(False)  # "2" on the way to "2.5" is no finding
        self.valueChanged.connect(lambda value: self.given.emit(value or None))

    def show_width(self, width_mm: float | None) -> None:
        with QSignalBlocker(self):
            self.setValue(width_mm or 0.0)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.selectAll()
