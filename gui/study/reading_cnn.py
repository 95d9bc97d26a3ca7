"""What is said of the CNN while somebody reads for a study. Made when it is revealed, gone with the case."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from gui import icons, theme
from gui.study.reading_pages import press_with_return
from gui.views.score_bar import Scale, ScoreBar
from gui.words import score_words
from inference.prediction import Prediction
from study.model import Reading


class RevealCard(QFrame):
    """The first answer is locked; one explicit step shows the CNN's."""

    reveal_asked = Signal()

    def __init__(self, key: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        column = QVBoxLayout(self)
        row = QHBoxLayout()
        lock = QLabel()
        em = self.fontMetrics().height()
        lock.setPixmap(icons.pixmap("lock", round(1.4 * em), theme.colors().accent, self.devicePixelRatio()))
        words = QLabel("Your answer is locked. Next, the CNN's answer; then you answer once more.", wordWrap=True)
        row.addWidget(lock, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(words, 1)
        column.addLayout(row)
        self.button = QPushButton(f"Show the CNN's answer  ({key})" if key else "Show the CNN's answer")
        self.button.setProperty("role", "main")
        self.button.clicked.connect(self.reveal_asked)
        column.addWidget(self.button)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not press_with_return(self, event):
            super().keyPressEvent(event)


class CnnCard(QFrame):
    """The CNN's answer beside the reader's own, which may be none yet. Nothing here tells a sham from another."""

    def __init__(
        self, prediction: Prediction, own: Reading | None, training: str, parent: QWidget | None = None
    ) -> None:
        """training: a sentence, what the CNN learnt from."""
        super().__init__(parent)
        self.setProperty("role", "card")
        look, ratio = theme.outcome(prediction.decision), self.devicePixelRatio()
        em, points = self.fontMetrics().height(), self.font().pointSizeF()
        grid = QGridLayout(self)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        title = QLabel("CNN")
        title.setProperty("role", "section")
        grid.addWidget(title, 0, 0, 1, 3)
        picture = QLabel()
        picture.setPixmap(icons.pixmap(look.icon, round(2.2 * em), look.color, ratio))
        word = QLabel(look.word, wordWrap=True)
        word.setStyleSheet(f"color: {look.color}; font-size: {1.5 * points:.1f}pt; font-weight: 600;")
        grid.addWidget(picture, 1, 0)
        grid.addWidget(word, 1, 1)
        score = prediction.score
        if score is not None:
            number = QLabel(score_words(score))
            number.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            number.setStyleSheet(f"color: {look.color}; font-size: {1.9 * points:.1f}pt; font-weight: 600;")
            number.setToolTip("of 100 for loosening")
            grid.addWidget(number, 1, 2)
            bar = ScoreBar()
            bar.show_scores(Scale(), score, look.color, own.score if own is not None else None)
            grid.addWidget(bar, 2, 0, 1, 3)
        if prediction.reason:
            grid.addWidget(QLabel(prediction.reason, wordWrap=True), 3, 0, 1, 3)
        if own is not None:
            yours = theme.outcome(own.call)
            said = yours.word + ("" if own.score is None else f" {score_words(own.score)}")
            line = QLabel(f"Your first answer: <b style='color:{yours.color}'>{said}</b>")
            grid.addWidget(line, 4, 0, 1, 3)
        learnt_from = QLabel(training, wordWrap=True)
        learnt_from.setProperty("role", "small")
        grid.addWidget(learnt_from, 5, 0, 1, 3)
        self.setAccessibleName(
            f"CNN: {look.word}" + ("" if score is None else f", {score_words(score)} of 100 for loosening")
        )
