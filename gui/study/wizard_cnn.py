"""The CNN of the study: which one, what readers may see of it, and its answers on every case."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QProgressBar

from gui.jobs import Jobs
from gui.study.background import Background
from gui.study.cnn_answers import CnnAnswers, find_network
from gui.study.parts import Form, allow, button, card, label
from gui.study.wizard_page import WizardPage
from gui.study.wizard_state import WizardState
from gui.words import TRAINED_ON
from inference.worker import EngineDescription
from study.protocol import Part

SHOWN_FAULTS = 8


class CnnPage(WizardPage):
    TITLE = "The CNN"
    LEAD = (
        "Its answers are computed here, once, and sealed: every reader is shown the same, whatever their machine, and "
        "nobody sees them before their time, you included."
    )
    PARTS = (Part.CNN,)

    def __init__(self, state: WizardState, background: Background, jobs: Jobs, bundles: tuple[Path, ...]) -> None:
        self._background = background
        self._jobs = jobs
        self._bundles = bundles
        self.answers = CnnAnswers(jobs)
        self._failure = ""
        self._asked = False
        super().__init__(state)
        self.answers.setParent(self)
        self.answers.progressed.connect(self._show_progress)
        self.answers.finished.connect(self.state.set_answers)

    def _build(self) -> None:
        frame, column = card()
        self.network = label("", "section")
        self.facts = label("", "small")
        column.addWidget(self.network)
        column.addWidget(self.facts)
        self.column.addWidget(frame)
        self.column.addWidget(label("Its answers on the cases", "section"))
        self.status = label()
        self.progress = QProgressBar(textVisible=False)
        self.compute_button = button("&Compute the answers", self.compute, "cnn", "main")
        self.stop_button = button("&Stop", self.answers.stop)
        row = QHBoxLayout()
        row.addWidget(self.compute_button)
        row.addWidget(self.stop_button)
        row.addWidget(self.progress, 1)
        row.addStretch(1)
        self.column.addWidget(self.status)
        self.column.addLayout(row)
        self.faults = label("", "warning")
        self.faults.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.column.addWidget(self.faults)
        self.column.addWidget(label("What readers see of it", "section"))
        self.overlay = self.check(
            "Readers may look at the attention &map",
            lambda: self.state.protocol.overlay_allowed,
            lambda on: self.state.set(overlay_allowed=on),
        )
        self.column.addWidget(self.overlay.field)
        self.sham = self.decimal(
            lambda: 100 * self.state.protocol.sham_share,
            lambda percent: self.state.set(sham_share=round(percent / 100, 4)),
            0,
            50,
            1,
        )
        self.sham.field.setSuffix(" %")
        self.sham.field.setSingleStep(5)
        form = Form()
        form.add("S&ham share", self.sham.field)
        self.column.addLayout(form)
        self.sham_words = label("", "small")
        self.column.addWidget(self.sham_words)

    def entered(self) -> None:
        self.ask_network()

    def ask_network(self) -> None:
        """Which CNN the program runs, with all that a study must know of it."""
        if self.state.network is not None or self._asked:
            return
        if not self._jobs.has_engine:
            self._failure = "No CNN is installed. Choose one in the settings; a study needs its answers."
            self._show()
            return
        self._asked = True
        job = self._jobs.describe_engine()
        job.done.connect(self._find)
        job.failed.connect(self._fail)

    def compute(self) -> None:
        if self.state.network is not None:
            self.answers.start(self.state.candidates, self.state.answers, self.state.network)
            self._show()

    def _find(self, engine: EngineDescription) -> None:
        self._background.run(
            "Looking at the CNN",
            lambda _steps: find_network(self._bundles, engine),
            self.state.set_network,
            self._fail,
        )

    def _fail(self, sentence: str, _details: str) -> None:
        self._failure, self._asked = sentence, False
        self._show()

    def _show_progress(self, done: int, total: int) -> None:
        self.progress.setRange(0, total)
        self.progress.setValue(done)
        self._show()

    def _show(self) -> None:
        state = self.state
        held = state.network
        self.network.setText(held.title if held else self._failure or "Starting the CNN …")
        origin = f"{TRAINED_ON[held.training]} ".lstrip() if held else ""
        self.facts.setText(
            f"{origin}Identity {held.sha256[:16]}…; loose from a score of {held.threshold:.0f}. The one that the settings "
            "name; another one makes another study."
            if held
            else ""
        )
        running = self.answers.is_running
        missing = state.unanswered()
        self.progress.setVisible(running)
        self.stop_button.setVisible(running)
        self.compute_button.setVisible(not running)
        if running:
            self.status.setText(f"Image {self.progress.value() + 1} of {self.progress.maximum()} …")
        elif not state.rows:
            self.status.setText("Add the cases first.")
        elif missing:
            self.status.setText(f"{len(state.rows) - missing} of {len(state.rows)} cases are answered.")
        else:
            self.status.setText(f"All {len(state.rows)} cases are answered; the answers stay sealed.")
        why_not = "Add the cases first." if not state.rows else "" if held else "The CNN is not ready yet."
        allow(self.compute_button, why_not or ("" if missing else "Every case is answered."))
        self.faults.setText(fault_words(state))
        self.faults.setVisible(bool(self.faults.text()))
        shows = state.protocol.shows_cnn
        self.overlay.show()
        self.sham.show()
        unseen = "" if shows else "Readers never see the CNN in this design."
        allow(self.overlay.field, unseen)
        allow(self.sham.field, unseen)
        number = round(state.protocol.sham_share * state.protocol.planned_cases)
        self.sham_words.setText(
            "A sham is an answer that is shown on the wrong side of its threshold on purpose, to measure how readily readers "
            "follow the CNN. The protocol declares the share; which cases they are is secret and sealed. "
            + (f"Here: {number} of {state.protocol.planned_cases} cases." if number else "Here: none.")
        )


def fault_words(state: WizardState) -> str:
    """Why cases have no answer, the same reason once."""
    rows = {candidate.key: candidate.row for candidate in state.candidates}
    of_reason: dict[str, list[int]] = {}
    for key, reason in state.answer_faults.items():
        if key in rows and key not in state.answers:
            of_reason.setdefault(reason, []).append(rows[key])
    counts = Counter({reason: len(numbers) for reason, numbers in of_reason.items()})
    lines = []
    for reason, _ in counts.most_common(SHOWN_FAULTS):
        numbers = sorted(of_reason[reason])
        listed = ", ".join(map(str, numbers[:10])) + (" …" if len(numbers) > 10 else "")
        lines.append(f"Row{'s' if len(numbers) > 1 else ''} {listed}: {reason}")
    return "\n".join(lines)
