"""The coordinator's small dialogs: enrol, new key, deviation, close, passphrase. Each hands on what was typed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QLineEdit, QWidget

from gui.study.parts import Ask


def ask_enrol(parent: QWidget, number: int, then: Callable[[str, str, str], object]) -> Ask:
    """then: with code, passphrase and experience. number: of the reader to come, from 1."""
    ask = Ask(
        parent,
        "Enrol a reader",
        "The code stands in the record instead of a name. Let the reader type a passphrase now, or set a first one and "
        "hand it over; with it they open their package and sign.",
        "&Enrol",
    )
    code = ask.line("&Code", needed="Give the reader a code.")
    code.setText(f"R{number}")
    experience = ask.line("E&xperience", "e.g. consultant, 12 years of hip surgery")
    passphrase = ask.new_passphrase("Reader", "Their &passphrase")
    ask.accepted.connect(lambda: then(code.text().strip(), passphrase.text, experience.text().strip()))
    ask.open()
    return ask


def ask_reset(parent: QWidget, name: str, then: Callable[[str, str, str], object]) -> Ask:
    """then: with the reader's new passphrase, the coordinator's, and the reason."""
    ask = Ask(
        parent,
        f"New key for {name}",
        "For a reader who lost the passphrase. What they signed stays signed by the old key. Their package does not open "
        "with the new passphrase: hand out a new one afterwards.",
        "&Make a new key",
    )
    reason = ask.line("&Reason", needed="Say why the account is reset.")
    new = ask.new_passphrase(name, "Their new &passphrase")
    own = own_passphrase(ask)
    ask.accepted.connect(lambda: then(new.text, own.text(), reason.text()))
    ask.open()
    return ask


def ask_deviation(parent: QWidget, then: Callable[[str, str], object]) -> Ask:
    """then: with what was done otherwise, and why."""
    ask = Ask(parent, "Note a deviation", "Something is done otherwise than the protocol says.", "&Note it")
    what = ask.text("&What", "Say what was done otherwise.")
    why = ask.text("Wh&y", "Say why.")
    ask.accepted.connect(lambda: then(" ".join(what.toPlainText().split()), " ".join(why.toPlainText().split())))
    ask.open()
    return ask


def ask_close(parent: QWidget, unfinished: Sequence[str], then: Callable[[str, str], object]) -> Ask:
    """then: with the coordinator's passphrase and the reason, "" where none is needed."""
    lead = "After this nothing more is taken in, and the truth can be unsealed."
    if unfinished:
        lead += f" Not finished and signed: {', '.join(unfinished)}. This becomes a deviation, with your reason."
    ask = Ask(parent, "Close the reading phase", lead, "&Close the reading phase")
    reason = ask.line("&Reason", needed="Say why it is closed before all have finished.") if unfinished else None
    own = own_passphrase(ask)
    ask.accepted.connect(lambda: then(own.text(), reason.text() if reason is not None else ""))
    ask.open()
    return ask


def ask_own(parent: QWidget, title: str, lead: str, do: str, then: Callable[[str], object]) -> Ask:
    """The coordinator's passphrase, and what is done with it."""
    ask = Ask(parent, title, lead, do)
    own = own_passphrase(ask)
    ask.accepted.connect(lambda: then(own.text()))
    ask.open()
    return ask


def own_passphrase(ask: Ask) -> QLineEdit:
    return ask.line("&Your passphrase", needed="Type the coordinator's passphrase.", secret=True)
