"""What the study asks, and what counts as the truth."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QComboBox

from gui.study.parts import Form
from gui.study.wizard_page import WizardPage
from study.protocol import Part

STANDARDS = (
    "Findings at revision surgery",
    "Consensus of experts",
    "Clinical and radiographic follow-up",
    "Written rule of the simulator (simulated radiographs)",
)


class QuestionPage(WizardPage):
    TITLE = "The question"
    LEAD = (
        "What is to be found out, and what “loose” rests on. Everything in this wizard is fixed and hashed when the "
        "study is registered; nobody can change it afterwards."
    )
    PARTS = (Part.QUESTION,)

    def _build(self) -> None:
        state = self.state
        self.title_line = self.line(
            lambda: state.protocol.title,
            lambda text: state.set(title=text),
            "e.g. Loosening of hip stems with and without the CNN",
        )
        self.question_text = self.text(
            lambda: state.protocol.question,
            lambda text: state.set(question=text),
            hint="e.g. Do surgeons recognise loosening more accurately when they see the CNN's answer?",
        )
        self.standard_box = QComboBox(editable=True)
        self.standard_box.addItems(STANDARDS)
        line = self.standard_box.lineEdit()
        assert line is not None
        line.setMaxLength(300)
        line.setPlaceholderText("Choose or type what the truth rests on")
        self.standard_box.editTextChanged.connect(lambda text: state.set(reference_standard=text))
        self.source_text = self.text(
            lambda: state.protocol.reference_source,
            lambda text: state.set(reference_source=text),
            hint="e.g. Operation notes of all revisions from 2015 to 2023, read by two surgeons who saw no radiograph",
        )
        form = Form()
        form.add("&Title", self.title_line.field)
        form.add("&Question", self.question_text.field)
        form.add("&Reference standard", self.standard_box)
        form.add(
            "Where it &comes from",
            self.source_text.field,
            "Which records, whose judgement, and when: a reader of the report must be able to weigh it.",
        )
        self.column.addLayout(form)

    def _show(self) -> None:
        for bound in (self.title_line, self.question_text, self.source_text):
            bound.show()
        if self.standard_box.currentText() != self.state.protocol.reference_standard:
            with QSignalBlocker(self.standard_box):
                self.standard_box.setEditText(self.state.protocol.reference_standard)
