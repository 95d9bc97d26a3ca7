"""A reader's passphrase: where it is asked for, and where it is changed."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from gui.study.parts import StayingAsk

Change = Callable[[str, str, Callable[[str], object]], object]  # old, new, what gets "" or a sentence


class PassphraseBox(QWidget):
    """A passphrase, and what is wrong with it. While it is checked nothing can be typed."""

    entered = Signal(str)

    def __init__(self, caption: str, button: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = button
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        label = QLabel(caption)
        label.setProperty("role", "section")
        self.line = QLineEdit()
        self.line.setEchoMode(QLineEdit.EchoMode.Password)
        self.line.setAccessibleName(caption.replace("&", ""))
        self.line.setMaxLength(1000)
        label.setBuddy(self.line)
        self.button = QPushButton(button)
        self.button.setProperty("role", "main")
        self.problem = QLabel(wordWrap=True)
        self.problem.setProperty("role", "warning")
        self.problem.setAccessibleName("What is wrong")
        row = QHBoxLayout()
        row.addWidget(self.line, 1)
        row.addWidget(self.button)
        column.addWidget(label)
        column.addLayout(row)
        column.addWidget(self.problem)
        self.line.returnPressed.connect(self._enter)
        self.button.clicked.connect(self._enter)
        self.setFocusProxy(self.line)

    def show_busy(self, busy: bool, words: str = "Checking …") -> None:
        self.line.setEnabled(not busy)
        self.button.setEnabled(not busy)
        self.button.setText(words if busy else self._text)

    def show_problem(self, sentence: str) -> None:
        self.show_busy(False)
        self.problem.setText(sentence)
        self.line.selectAll()
        self.line.setFocus(Qt.FocusReason.OtherFocusReason)

    def clear(self) -> None:
        self.line.clear()
        self.problem.clear()
        self.show_busy(False)

    def _enter(self) -> None:
        if self.line.text():
            self.problem.clear()
            self.show_busy(True)
            self.entered.emit(self.line.text())
        else:
            self.show_problem("Enter your passphrase.")


class ChangePassphrase(StayingAsk):
    """Stays open until the change is recorded, or the reader gives up."""

    def __init__(self, parent: QWidget, change: Change) -> None:
        super().__init__(
            parent,
            "Change the passphrase",
            "From then on you sign in and sign with the new one on this computer, and nobody else knows it. If you forget "
            "it, the coordinator can give you a new key and a new package; what you have read stays.",
            "Change it",
            "Changing the passphrase …",
        )
        self._change = change
        self.old = self.line("&Current passphrase", needed="Enter the current passphrase.", secret=True)
        self.new = self.new_passphrase("New", "&New passphrase")

    def start(self) -> None:
        self._change(self.old.text(), self.new.text, self.told)
