"""The three columns of the window: cases, image, answers. Where it is narrow, the image keeps its room longest."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSplitter, QWidget

CASES_EM, ANSWERS_EM, IMAGE_EM = 13, 25, 24  # what each has until the reader drags a border; line heights
THUMBNAILS_EM = 5  # the list of cases without words beside its pictures


class ReadingColumns(QSplitter):
    """As wide as the reader made them. An image with less than IMAGE_EM takes from the list, down to its thumbnails,
    then from the answers, down to what they need; both get it back when the window grows."""

    def __init__(self, cases: QWidget, image: QWidget, answers: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._cases, self._answers = cases, answers
        self.setChildrenCollapsible(False)
        for part in (cases, image, answers):
            self.addWidget(part)
        self.setStretchFactor(1, 1)
        em = self.fontMetrics().height()
        # Of cases and answers, in pixels: what the reader chose, whatever there is room for.
        self.wanted: tuple[int, ...] = (CASES_EM * em, ANSWERS_EM * em)
        cases.setMinimumWidth(THUMBNAILS_EM * em)
        self.splitterMoved.connect(self._note)

    def restore(self, widths: tuple[int, ...]) -> None:
        """What `wanted` was in the last session; anything but two widths leaves them as they are."""
        if len(widths) == len(self.wanted):
            self.wanted = widths
        self.fit()

    def fit(self) -> None:
        """Share out the width that there is."""
        cases, answers = self.wanted
        listed = self._cases.isVisibleTo(self)
        lacking = IMAGE_EM * self.fontMetrics().height() - (self._room() - listed * cases - answers)
        if lacking > 0 and listed:
            narrower = max(self._cases.minimumWidth(), cases - lacking)
            lacking -= cases - narrower
            cases = narrower
        self._set(cases, answers - max(0, lacking))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.fit()

    def _room(self) -> int:
        borders = 2 if self._cases.isVisibleTo(self) else 1
        return self.width() - borders * self.handleWidth()

    def _set(self, cases: int, answers: int) -> None:
        answers = max(answers, self._answers.minimumSizeHint().width(), self._answers.minimumWidth())
        listed = cases if self._cases.isVisibleTo(self) else 0
        self.setSizes([cases, max(1, self._room() - listed - answers), answers])

    def _note(self, _at: int, border: int) -> None:
        cases, _, answers = self.sizes()
        self.wanted = (cases, self.wanted[1]) if border == 1 else (self.wanted[0], answers)
