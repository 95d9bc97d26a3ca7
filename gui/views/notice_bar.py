"""Above the image: what is under way, what went wrong, what the file says about itself."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from gui import icons, theme
from gui.errors import NoticesBar
from gui.jobs import Job


class NoticeBar(QWidget):
    """Each kind has a line of its own, so that a running job never hides an error."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self._job: Job | None = None
        self._busy = QFrame()
        row = QHBoxLayout(self._busy)
        row.setContentsMargins(12, 4, 12, 4)
        self._busy_text = QLabel()
        progress = QProgressBar()
        progress.setRange(0, 0)
        progress.setTextVisible(False)
        progress.setMaximumWidth(220)
        self._cancel = QPushButton("Cancel")
        self._cancel.clicked.connect(self._on_cancel)
        row.addWidget(self._busy_text)
        row.addWidget(progress, 1)
        row.addWidget(self._cancel)
        row.addStretch(2)
        column.addWidget(self._busy)
        self._notices = NoticesBar()
        column.addWidget(self._notices)
        self._facts = QFrame()
        row = QHBoxLayout(self._facts)
        row.setContentsMargins(12, 4, 12, 4)
        self._facts_icon = QLabel()
        self._facts_text = QLabel()
        self._facts_text.setWordWrap(True)
        self._facts_text.setProperty("role", "small")
        row.addWidget(self._facts_icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self._facts_text, 1)
        column.addWidget(self._facts)
        self._busy.hide()
        self._facts.hide()

    @property
    def message(self) -> str:
        """The newest sentence on screen, or ""."""
        sentences = self._notices.sentences
        return sentences[-1] if sentences else ""

    @property
    def facts(self) -> str:
        return "" if self._facts.isHidden() else self._facts_text.text()

    @property
    def busy(self) -> str:
        """What is said to be under way, or ""."""
        return "" if self._busy.isHidden() else self._busy_text.text()

    def show_busy(self, job: Job | None) -> None:
        self._job = job
        self._busy.setVisible(job is not None)
        if job is not None:
            self._busy_text.setText(f"{job.title} …")

    def show_problem(self, sentence: str, details: str = "") -> None:
        """Stays until it is closed, or another radiograph opens."""
        self._notices.show_notice(sentence, details)

    def show_note(self, sentence: str) -> None:
        """What was done: quiet, and it goes by itself."""
        self._notices.show_note(sentence)

    def show_facts(self, sentences: Sequence[str]) -> None:
        """What the file says about itself, or does not: shown as long as its radiograph is. Clears older messages."""
        self._notices.clear()
        self._facts.setVisible(bool(sentences))
        self._facts_text.setText(" ".join(sentences))
        size = self.fontMetrics().height()
        self._facts_icon.setPixmap(icons.pixmap("info", size, theme.colors().muted, self.devicePixelRatio()))

    def clear(self) -> None:
        self._notices.clear()
        self._facts.hide()

    def _on_cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()
