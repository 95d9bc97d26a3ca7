"""How far the reader is, and the break: the bar over the reading, and the curtain before it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton

from gui import icons
from gui.study.reading_controller import StudyReadingController
from gui.study.reading_pages import Page
from gui.study.reading_words import duration_words
from gui.study.worklist import seconds_left

LEAST_LEFT_S = 60.0


class StudyBar(QFrame):
    """How far the reader is, and the way to a break. Never how well."""

    pause_asked = Signal()

    def __init__(self, controller: StudyReadingController) -> None:
        super().__init__()
        self._controller = controller
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 6, 12, 6)
        row.setSpacing(12)
        self.words = QLabel()
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(round(0.5 * self.fontMetrics().height()))
        self.progress.setMaximumWidth(22 * self.fontMetrics().height())
        self.left = QLabel()
        self.left.setProperty("role", "muted")
        self.pause = QPushButton("Break")
        self.pause.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        icons.attach(self.pause, "clock")
        self.pause.clicked.connect(self.pause_asked)
        row.addWidget(self.words)
        row.addWidget(self.progress, 1)
        row.addWidget(self.left)
        row.addStretch(1)
        row.addWidget(self.pause)
        controller.progress_changed.connect(self.refresh)
        controller.pause_changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        session = self._controller.session
        progress = session.progress(self._controller.now)
        practising = progress.slot is not None and progress.slot.practice
        done, total = (
            (progress.practice_done, progress.practice_total) if practising else (progress.done, progress.total)
        )
        self.progress.setRange(0, max(total, 1))
        self.progress.setValue(done)
        self.words.setText(f"Practice · {done} of {total} done" if practising else f"{done} of {total} done")
        self.progress.setAccessibleName(self.words.text())
        seconds = None if practising else seconds_left(session)
        self.left.setText("" if seconds is None else f"about {duration_words(max(seconds, LEAST_LEFT_S))} left")
        self.pause.setEnabled(not self._controller.paused)


class Curtain(Page):
    """Instead of everything that has to do with the case, while the reader has a break."""

    resume_asked = Signal()

    def __init__(self) -> None:
        super().__init__("clock", "Break")
        self.words = self.say()
        self.button = QPushButton("Go on reading")
        self.button.clicked.connect(self.resume_asked)
        self.buttons(self.button)
        self.first = self.button

    def show_break(self, key: str, *, automatic: bool) -> None:
        why = "Nothing has moved for a while, so the clock was stopped. " if automatic else "The clock is stopped. "
        self.words.setText(f"{why}The case is covered, and what you have entered is kept.")
        self.button.setText(f"Go on reading  ({key})" if key else "Go on reading")
