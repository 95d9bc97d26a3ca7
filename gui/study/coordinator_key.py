"""The coordinator's key: asked for once when a study opens, in memory while the window is open, and what it is needed for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from PySide6.QtWidgets import QHBoxLayout, QWidget

from gui.study.background import Background
from gui.study.coordinator_dialogs import own_passphrase
from gui.study.parts import StayingAsk, button, label
from study.coordinator import Coordinator

T = TypeVar("T")
Told = Callable[[str], object]  # gets "" or a sentence


class UnlockAsk(StayingAsk):
    """The passphrase, until it is the right one or the coordinator leaves it."""

    def __init__(self, parent: QWidget, lead: str, leave: str, unlock: Callable[[str, Told], object]) -> None:
        """leave: the words of the button that goes without. unlock: with what was typed, and whom to tell."""
        super().__init__(parent, "Unlock your key", lead, "&Unlock", "Checking …")
        self._unlock = unlock
        self.cancel_button.setText(leave)
        self.passphrase = own_passphrase(self)

    def start(self) -> None:
        self._unlock(self.passphrase.text(), self.told)


class Key(QWidget):
    """Says whether entries are signed, and offers to unlock. Without the key one can look, and write nothing."""

    def __init__(self, background: Background) -> None:
        super().__init__()
        self._background = background
        self._coordinator: Coordinator | None = None
        self.words = label("", "muted", wrap=False)
        self.button = button("Unloc&k …", self.ask, "lock")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        row.addWidget(self.words)
        row.addWidget(self.button)
        self.show_state()

    @property
    def is_open(self) -> bool:
        return self._coordinator is not None and self._coordinator.is_unlocked

    def belong_to(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator
        self.show_state()

    def forget(self) -> None:
        """Once nothing is under way any more."""
        if self._coordinator is not None:
            self._coordinator.lock()

    def ask(self) -> UnlockAsk:
        """When a study opens, and whenever the coordinator wants to."""
        return self._ask(
            "With your passphrase everything that you enter here is signed as yours. The key stays in memory until this "
            "window is closed. Without it you can look, and nothing is written.",
            "&Look only",
        )

    def need(self, then: Callable[[], T]) -> T | UnlockAsk:
        """Do it with the key: at once where it is open, else as soon as the passphrase has been typed."""
        if self.is_open:
            return then()
        ask = self._ask("This becomes an entry of the record, and you sign it. Nothing is written without the key.")
        ask.accepted.connect(lambda: then())
        return ask

    def unlock(self, passphrase: str, told: Told) -> None:
        coordinator = self._coordinator
        assert coordinator is not None

        def end(problem: str) -> None:
            self.show_state()
            told(problem)

        self._background.run(
            "Checking the passphrase",
            lambda _steps: coordinator.unlock(passphrase),
            lambda _none: end(""),
            lambda sentence, _details: end(sentence),
        )

    def show_state(self) -> None:
        self.setVisible(self._coordinator is not None)
        self.button.setVisible(not self.is_open)
        self.words.setText("What you enter is signed" if self.is_open else "Look only: your key is locked")

    def _ask(self, lead: str, leave: str = "Cancel") -> UnlockAsk:
        ask = UnlockAsk(self.window(), lead, leave, self.unlock)
        ask.open()
        return ask
