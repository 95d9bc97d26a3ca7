"""The pages round the reading itself: opening, signing in, what is asked, between two parts, the wait, the end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from gui import icons, theme
from gui.study.reading_passphrase import PassphraseBox
from gui.study.reading_words import Line, duration_words, washout_words
from study.accounts import Meaning

WIDTH_EM = 40
TO_MIB = 1 / 2**20


def press_with_return(within: QWidget, event: QKeyEvent) -> bool:
    """Return presses the button that has the keyboard, as it does in dialogs; outside of them Qt leaves it to Space."""
    button = within.focusWidget()
    if event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter) or not isinstance(button, QPushButton):
        return False
    if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier or not button.hasFocus():
        return False
    button.click()
    return True


class Page(QScrollArea):
    """A column in the middle of the window: an icon, a title, and what the page has to say."""

    def __init__(self, icon: str, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        em = self.fontMetrics().height()
        inner = QWidget()
        inner.setFixedWidth(WIDTH_EM * em)
        self.column = QVBoxLayout(inner)
        self.column.setContentsMargins(em, em, em, em)
        self.column.setSpacing(round(0.7 * em))
        picture = QLabel()
        picture.setPixmap(icons.pixmap(icon, 2 * em, theme.colors().accent, self.devicePixelRatio()))
        self.title = QLabel(title, wordWrap=True)
        self.title.setProperty("role", "title")
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.column.addWidget(picture)
        self.column.addWidget(self.title)
        outer = QWidget()
        around = QVBoxLayout(outer)
        around.setContentsMargins(0, em, 0, em)
        middle = QHBoxLayout()  # between stretches, not aligned: aligned, wrapped lines would be given too little room
        middle.addStretch(1)
        middle.addWidget(inner)
        middle.addStretch(1)
        around.addStretch(2)
        around.addLayout(middle)
        around.addStretch(3)
        self.setWidget(outer)
        self.first: QWidget | None = None  # what the keyboard goes to when the page appears

    def say(self, text: str = "", role: str = "") -> QLabel:
        label = QLabel(text, wordWrap=True)
        label.setTextFormat(Qt.TextFormat.PlainText)
        if role:
            label.setProperty("role", role)
        self.column.addWidget(label)
        return label

    def buttons(self, main: QPushButton, *others: QPushButton) -> None:
        """The main one first; Return presses whichever has the keyboard."""
        main.setProperty("role", "main")
        row = QHBoxLayout()
        for button in (main, *others):
            row.addWidget(button)
        row.addStretch(1)
        self.column.addSpacing(self.fontMetrics().height() // 2)
        self.column.addLayout(row)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not press_with_return(self, event):
            super().keyPressEvent(event)

    def take_focus(self) -> None:
        if self.first is not None:
            self.first.setFocus(Qt.FocusReason.OtherFocusReason)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.take_focus()


class OpeningPage(Page):
    """The package is checked from end to end, or could not be opened."""

    cancel_asked = Signal()
    retry_asked = Signal()

    def __init__(self) -> None:
        super().__init__("folder", "Checking the reader package …")
        self.words = self.say("Every image in it is held against the coordinator's signed list.", "muted")
        self.progress = QProgressBar()
        self.progress.setRange(0, 0)
        self.progress.setAccessibleName("How much of the package is checked")
        self.column.addWidget(self.progress)
        self.retry = QPushButton("Try again")
        self.retry.clicked.connect(self.retry_asked)
        self.cancel = QPushButton("Cancel")
        self.cancel.clicked.connect(self.cancel_asked)
        self.buttons(self.retry, self.cancel)
        self.retry.hide()
        self.first = self.cancel

    def show_opening(self) -> None:
        self.title.setText("Checking the reader package …")
        self.words.setText("Every image in it is held against the coordinator's signed list.")
        self.progress.show()
        self.retry.hide()
        self.cancel.setText("Cancel")

    def show_progress(self, done: int, total: int) -> None:
        self.progress.setRange(0, max(1, round(total * TO_MIB * 10)))
        self.progress.setValue(round(done * TO_MIB * 10))

    def show_failure(self, sentence: str) -> None:
        self.title.setText("This package cannot be read")
        self.words.setText(sentence)
        self.progress.hide()
        self.retry.show()
        self.cancel.setText("Close")
        self.retry.setFocus(Qt.FocusReason.OtherFocusReason)


class SignInPage(Page):
    def __init__(self, title: str, reader_id: str, folder: Path) -> None:
        super().__init__("lock", title)
        self.say(f"This package is for reader {reader_id}.")
        self.box = PassphraseBox("Your &passphrase", "Sign in")
        self.column.addWidget(self.box)
        self.say("The first one came from the coordinator of the study, who can help if you have lost yours.", "small")
        self.column.addSpacing(self.fontMetrics().height())
        self.say(f"Your answers are kept on this computer only, in {folder}. Nothing is sent anywhere.", "small")
        self.first = self.box.line


class IntroPage(Page):
    """What the study asks. Where some aids are wrong on purpose, the reader agrees to that before they begin."""

    begin_asked = Signal()
    passphrase_asked = Signal()

    def __init__(self, title: str, question: str, lines: Sequence[Line], sham: str, notes: Sequence[str]) -> None:
        super().__init__("reader", title)
        if question:
            self.say(question).setProperty("role", "section")
        grid = QGridLayout()
        grid.setColumnStretch(1, 1)
        grid.setHorizontalSpacing(self.fontMetrics().height())
        grid.setVerticalSpacing(round(0.45 * self.fontMetrics().height()))
        for number, line in enumerate(lines):
            heading = QLabel(line.heading)
            heading.setProperty("role", "muted")
            text = QLabel(line.text, wordWrap=True)
            text.setTextFormat(Qt.TextFormat.PlainText)
            grid.addWidget(heading, number, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(text, number, 1)
        self.column.addLayout(grid)
        self.consent: QCheckBox | None = None
        if sham:
            self.column.addWidget(self._consent_card(sham))
        for note in notes:
            self.say(note, "small")
        self.first_passphrase = self.say(
            "The coordinator gave you your passphrase, and so knows it. Change it to one that only you know.", "small"
        )
        self.progress = self.say("", "section")
        self.button = QPushButton("Begin")
        self.button.clicked.connect(self._begin)
        self.change = QPushButton("Change the &passphrase …")
        self.change.clicked.connect(self.passphrase_asked)
        self.buttons(self.button, self.change)
        self.problem = self.say("", "warning")
        self.first = self.consent or self.button

    def show_progress(self, words: str, button: str, *, agreed: bool) -> None:
        self.progress.setText(words)
        self.progress.setVisible(bool(words))
        self.button.setText(button)
        if self.consent is not None and agreed:
            self.consent.setChecked(True)
            self.consent.setEnabled(False)
            self.first = self.button

    def show_passphrase(self, *, own: bool) -> None:
        """own: the reader has changed the first one."""
        self.first_passphrase.setVisible(not own)
        self.change.setVisible(not own)

    def _consent_card(self, sham: str) -> QWidget:
        card = QFrame()
        card.setProperty("role", "card")
        column = QVBoxLayout(card)
        words = QLabel(sham, wordWrap=True)
        column.addWidget(words)
        self.consent = QCheckBox("I have &read this and agree to take part")
        self.consent.setAccessibleDescription(sham)
        column.addWidget(self.consent)
        return card

    def _begin(self) -> None:
        if self.consent is not None and not self.consent.isChecked():
            self.problem.setText("Agree to the turned answers of the CNN first, or close this window.")
            self.consent.setFocus(Qt.FocusReason.OtherFocusReason)
        else:
            self.problem.clear()
            self.begin_asked.emit()


class BetweenPage(Page):
    go_on_asked = Signal()

    def __init__(self) -> None:
        super().__init__("hip", "")
        self.words = self.say()
        self.button = QPushButton("Go on")
        self.button.clicked.connect(self.go_on_asked)
        self.buttons(self.button)
        self.first = self.button

    def show_part(self, title: str, words: str) -> None:
        self.title.setText(title)
        self.words.setText(words)


class WaitPage(Page):
    look_asked = Signal()

    def __init__(self) -> None:
        super().__init__("clock", "The first part is done. Thank you.")
        self.words = self.say()
        self.say("You can close this window and the program; everything is kept.", "muted")
        self.button = QPushButton("Look again")
        self.button.clicked.connect(self.look_asked)
        self.buttons(self.button)
        self.first = self.button

    def show_wait(self, opens_on: date, today: date, washout_days: int) -> None:
        self.words.setText(
            f"The second part opens on {washout_words(opens_on, today)}. The study puts {washout_days} days between the "
            "parts, so that you read the second without remembering the first."
        )


class ClosingPage(Page):
    """The record is being closed. Where its backup could not be written, the window stays to say so."""

    close_asked = Signal()

    def __init__(self) -> None:
        super().__init__("save", "Closing …")
        self.words = self.say(
            "What you have entered is being saved, and a backup of your answers written beside them. This window then closes "
            "by itself."
        )
        self.progress = QProgressBar()
        self.progress.setRange(0, 0)
        self.progress.setAccessibleName("The record is being closed")
        self.column.addWidget(self.progress)
        self.button = QPushButton("&Close")
        self.button.clicked.connect(self.close_asked)
        self.buttons(self.button)
        self.button.hide()

    def show_warnings(self, sentences: Sequence[str]) -> None:
        self.title.setText("The record of your answers is closed")
        self.words.setText(" ".join(sentences))
        self.progress.hide()
        self.button.show()
        self.first = self.button
        self.take_focus()


class EndPage(Page):
    """Sign what was read; then save the file that goes to the coordinator."""

    return_asked = Signal()
    review_asked = Signal()
    close_asked = Signal()

    def __init__(self, *, going_back: bool) -> None:
        super().__init__("check", "")
        self.summary = self.say()
        self.signing = QWidget()
        column = QVBoxLayout(self.signing)
        column.setContentsMargins(0, 0, 0, 0)
        card = QFrame()
        card.setProperty("role", "card")
        inside = QVBoxLayout(card)
        caption = QLabel("With your signature you say")
        caption.setProperty("role", "muted")
        meaning = QLabel(f"“{Meaning.READ_ALONE.value}”", wordWrap=True)
        meaning.setProperty("role", "section")
        inside.addWidget(caption)
        inside.addWidget(meaning)
        column.addWidget(card)
        self.box = PassphraseBox("Sign with your &passphrase", "Sign")
        column.addWidget(self.box)
        after = QLabel("Nothing can be added or corrected after that.", wordWrap=True)
        after.setProperty("role", "small")
        column.addWidget(after)
        self.column.addWidget(self.signing)
        self.head = self.say("", "small")
        self.head.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.sending = self.say()
        self.save = QPushButton("&Save the file for the coordinator …")
        self.save.clicked.connect(self.return_asked)
        self.review = QPushButton("Look at the cases &again")
        self.review.clicked.connect(self.review_asked)
        self.done = QPushButton("&Close")
        self.done.clicked.connect(self.close_asked)
        self.buttons(self.save, self.review, self.done)
        self._going_back = going_back

    def show_end(self, answers: int, cases: int, active_s: float, break_s: float, *, signed: str, head: str) -> None:
        """signed: local time of the signature, or ""; head: the end of the record, for comparison."""
        self.title.setText("Signed. Thank you." if signed else "Everything is read")
        breaks = f", breaks of {duration_words(break_s)}" if break_s >= 30 else ""
        self.summary.setText(f"{cases} cases, {answers} answers, {duration_words(active_s)} of reading{breaks}.")
        self.signing.setVisible(not signed)
        self.save.setVisible(bool(signed))
        self.done.setVisible(bool(signed))
        self.review.setVisible(self._going_back and not signed)
        self.head.setText(f"Signed {signed}. End of your record: {head}" if signed else "")
        self.head.setVisible(bool(signed))
        self.sending.setText(
            "Now save one file and send it to the coordinator, the person who gave you the package. It holds your answers "
            "and no images."
            if signed
            else ""
        )
        self.first = self.save if signed else self.box.line
        if self.isVisible():
            self.take_focus()

    def show_returned(self, path: Path) -> None:
        self.sending.setText(
            f"Saved as {path}. Send this one file to the coordinator, the person who gave you the package. "
            "Keep a copy until they have confirmed that it was taken in."
        )
        self.save.setText("&Save it again …")
        self.done.setFocus(Qt.FocusReason.OtherFocusReason)
