"""Open files, wait for the diagnosis, save the window as a picture, and say what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication

from gui import theme
from gui.cases import CaseState, DiagnosisState
from gui.program import Program
from gui.views.diagnosis_panel import HIDDEN_TEXT, hip_name
from gui.words import TRAINED_ON, score_words

SIZE = (1440, 900)
POLL_MS = 50
GIVE_UP_S = 120.0
SETTLED = (
    DiagnosisState.SHOWN,
    DiagnosisState.HIDDEN,
    DiagnosisState.FAILED,
    DiagnosisState.NO_CNN,
    DiagnosisState.CANCELLED,
)


class Screenshot(QObject):
    """Ends the event loop when the picture is written; `exit_code` is 0 when every file could be opened."""

    def __init__(self, program: Program, picture: Path) -> None:
        super().__init__(program)
        self._program = program
        self._picture = picture
        self._failed = False
        self._waited_ms = 0
        self.exit_code = 1
        self._timer = QTimer(self, interval=POLL_MS)
        self._timer.timeout.connect(self._poll)

    def start(self, files: Sequence[Path], *, sample: bool) -> None:
        window = self._program.window
        window.resize(*SIZE)
        window.show()
        self._program.open(files, sample=0 if sample else None)
        self._nothing_to_open = not sample and not self._program.expects_files
        self._timer.start()

    def _poll(self) -> None:
        self._waited_ms += POLL_MS
        if self._is_settled() or self._waited_ms > 1000 * GIVE_UP_S:
            self._timer.stop()
            # One more turn of the event loop, so that what has just arrived is painted.
            QTimer.singleShot(100, self._save)

    def _is_settled(self) -> bool:
        program, library, controller = self._program, self._program.library, self._program.controller
        if self._nothing_to_open:
            return program.engine is not None or not program.jobs.has_engine
        if program.window.notice.message and not library.cases:
            return True  # nothing could be opened at all
        if not library.cases or library.opening is not None:
            return False
        if len(library.cases) > 1 and any(
            item.thumbnail is None and not item.thumbnail_failed and not item.is_unseen for item in library.cases[:12]
        ):
            return False
        if controller.radiograph is None:
            return library.cases[library.asked].state is CaseState.ERROR
        return controller.diagnosis_state in SETTLED and controller.cnn_job is None

    def _save(self) -> None:
        program = self._program
        errors = [item for item in program.library.cases if item.state is CaseState.ERROR]
        for item in errors:
            print(f"{item.label}: {item.error}")  # noqa: T201 - the answer to a command
        if not program.library.cases and program.window.notice.message:
            print(program.window.notice.message)  # noqa: T201
            errors = [None]  # type: ignore[list-item]
        for line in self.diagnosis_lines():
            print(line)  # noqa: T201
        written = program.window.grab().save(str(self._picture))
        print(f"Window saved as {self._picture}" if written else f"{self._picture} cannot be written")  # noqa: T201
        self.exit_code = 0 if written and not errors else 1
        QApplication.exit(self.exit_code)

    def diagnosis_lines(self) -> list[str]:
        controller = self._program.controller
        shown = controller.shown
        lines = []
        for index, hip in enumerate(controller.hips):
            prediction = hip.prediction
            where = f"{shown.label if shown else ''}, {hip_name(hip.region.side, index).lower()}"
            if not controller.may_show(hip):
                lines.append(f"{where}: {HIDDEN_TEXT}")
                continue
            if prediction is None:
                failure = hip.failure[0] if hip.failure else "the CNN has not read it"
                lines.append(f"{where}: {failure}")
                continue
            word = theme.outcome(prediction.decision).word.lower()
            score = "" if prediction.score is None else f", {score_words(prediction.score)} of 100 for loosening"
            reason = f" ({prediction.reason})" if prediction.reason else ""
            lines.append(f"{where}: {word}{score}{reason}")
        if lines and self._program.card is not None:
            lines.append("Research use only. " + TRAINED_ON[self._program.card.training_data])
        return lines
