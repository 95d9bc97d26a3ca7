"""Who reads: groups of like experience. Nobody is named, for the protocol travels to every reader."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLineEdit, QWidget

from gui.study.parts import button, label, roomy
from gui.study.wizard_page import WizardPage
from gui.views.number_fields import WholeField
from study.protocol import Part, ReaderGroup

MOST_GROUPS = 12


class ReadersPage(WizardPage):
    TITLE = "The readers"
    LEAD = (
        "How many readers of which experience take part. Names are asked nowhere; each reader gets a code, such as R1."
    )
    PARTS = (Part.READERS,)

    def _build(self) -> None:
        self._held = QWidget()
        self.grid = QGridLayout(self._held)
        self.grid.setContentsMargins(0, 0, 0, 0)
        self.grid.setHorizontalSpacing(12)
        self.grid.setVerticalSpacing(8)
        self.grid.setColumnStretch(1, 1)
        self.grid.addWidget(label("Readers", "muted", wrap=False), 0, 0)
        self.grid.addWidget(label("Experience", "muted", wrap=False), 0, 1)
        self.column.addWidget(self._held)
        self.add_button = button("&Add a group", self._add, "add")
        self.column.addWidget(self.add_button)
        self.column.setAlignment(self.add_button, Qt.AlignmentFlag.AlignLeft)
        self.total = label()
        self.column.addWidget(self.total)
        self.column.addWidget(
            label(
                "One surgeon, however many cases are read, supports no claim about surgeons in general: random "
                "differences between readers can only be seen with several of them.",
                "small",
            )
        )
        self.lines: list[tuple[WholeField, QLineEdit, QWidget]] = []

    def _show(self) -> None:
        groups = self.state.protocol.readers
        while len(self.lines) > len(groups):
            for widget in self.lines.pop():
                self.grid.removeWidget(widget)
                widget.hide()
                widget.deleteLater()
        while len(self.lines) < len(groups):
            self._add_line(len(self.lines))
        for (count, experience, _), group in zip(self.lines, groups, strict=True):
            for field in (count, experience):
                field.blockSignals(True)
            count.setValue(group.count)
            if experience.text() != group.experience:
                experience.setText(group.experience)
            for field in (count, experience):
                field.blockSignals(False)
        number = self.state.protocol.planned_readers
        self.total.setText(f"{number} reader{'' if number == 1 else 's'} in all.")
        self.add_button.setEnabled(len(groups) < MOST_GROUPS)

    def _add_line(self, index: int) -> None:
        count = roomy(WholeField(1, 200))
        count.setAccessibleName(f"Group {index + 1}: number of readers")
        count.valueChanged.connect(partial(self._take, index))
        experience = QLineEdit(maxLength=200, placeholderText="e.g. consultant, at least 10 years of hip surgery")
        experience.setAccessibleName(f"Group {index + 1}: experience")
        experience.textEdited.connect(partial(self._take, index))
        remove = button("", partial(self._remove, index), "delete", "quiet")
        remove.setAccessibleName(f"Remove group {index + 1}")
        remove.setToolTip("Remove this group")
        for column, widget in enumerate((count, experience, remove)):
            self.grid.addWidget(widget, index + 1, column)
        self.lines.append((count, experience, remove))

    def _take(self, index: int, _value: object) -> None:
        groups = list(self.state.protocol.readers)
        count, experience, _ = self.lines[index]
        groups[index] = ReaderGroup(experience.text(), count.value())
        self.state.set(readers=tuple(groups))

    def _add(self) -> None:
        self.state.set(readers=(*self.state.protocol.readers, ReaderGroup("", 1)))
        self.lines[-1][1].setFocus()

    def _remove(self, index: int) -> None:
        groups = list(self.state.protocol.readers)
        del groups[index]
        self.state.set(readers=tuple(groups))
