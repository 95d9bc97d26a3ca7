"""The coordinator's small dialogs: enrol, new key, deviation, close, passphrase. Each hands on what was typed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from gui.study.parts import Form, NewPassphrase, align_captions, allow, button, label


class Ask(QDialog):
    """A few fields and one button that is allowed once they make sense."""

    def __init__(self, parent: QWidget, title: str, lead: str, do: str) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(18, 16, 18, 14)
        self.column.setSpacing(12)
        self.column.addWidget(label(title, "title"))
        self.column.addWidget(label(lead, "muted"))
        self.form = Form()
        self._forms = [self.form]
        self.column.addLayout(self.form)
        self.why_not = label("", "small")
        self.ok_button = button(do, self.accept, "", "main")
        self.ok_button.setDefault(True)
        row = QHBoxLayout()
        row.addWidget(self.why_not, 1)
        self.cancel_button = button("Cancel", self.reject)
        row.addWidget(self.cancel_button)
        row.addWidget(self.ok_button)
        self._tests: list[Callable[[], str]] = []
        self.column.addStretch(1)
        self.column.addLayout(row)
        self.setMinimumWidth(34 * self.fontMetrics().height())

    def line(self, caption: str, hint: str = "", *, needed: str = "", secret: bool = False) -> QLineEdit:
        """needed: the sentence that asks for it."""
        field = QLineEdit(maxLength=200)
        if secret:
            field.setEchoMode(QLineEdit.EchoMode.Password)
            field.setMaxLength(1000)
        self._add(caption, field, hint)
        field.textChanged.connect(self.refresh)
        if needed:
            self._tests.append(lambda: "" if field.text().strip() else needed)
        self.refresh()
        return field

    def text(self, caption: str, needed: str) -> QPlainTextEdit:
        field = QPlainTextEdit()
        field.setTabChangesFocus(True)
        field.setFixedHeight(4 * field.fontMetrics().lineSpacing())
        self._add(caption, field)
        field.textChanged.connect(self.refresh)
        self._tests.append(lambda: "" if field.toPlainText().strip() else needed)
        self.refresh()
        return field

    def new_passphrase(self, whose: str, caption: str) -> NewPassphrase:
        field = NewPassphrase(whose, caption)
        self.form.addRow(field)
        self._forms.append(field.form)
        align_captions(*self._forms)
        self._bring_buttons_last()
        field.changed.connect(self.refresh)
        self._tests.append(field.problem)
        self.refresh()
        return field

    def _add(self, caption: str, field: QWidget, hint: str = "") -> None:
        """The first field has the keyboard; the buttons come last."""
        self.form.add(caption, field, hint)
        align_captions(*self._forms)
        if self.focusWidget() is None or self.focusWidget() in (self.ok_button, self.cancel_button):
            field.setFocus()
        self._bring_buttons_last()

    def _bring_buttons_last(self) -> None:
        fields = [field for field in self.findChildren(QWidget) if field.focusPolicy() & Qt.FocusPolicy.TabFocus]
        ordered = [field for field in fields if field not in (self.cancel_button, self.ok_button)]
        for before, after in pairwise([*ordered, self.cancel_button, self.ok_button]):
            QWidget.setTabOrder(before, after)

    def refresh(self) -> None:
        refusal = next((words for test in self._tests if (words := test())), "")
        self.why_not.setText(refusal)
        allow(self.ok_button, refusal)


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
    own = _own_passphrase(ask)
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
    own = _own_passphrase(ask)
    ask.accepted.connect(lambda: then(own.text(), reason.text() if reason is not None else ""))
    ask.open()
    return ask


def ask_own(parent: QWidget, title: str, lead: str, do: str, then: Callable[[str], object]) -> Ask:
    """The coordinator's passphrase, and what is done with it."""
    ask = Ask(parent, title, lead, do)
    own = _own_passphrase(ask)
    ask.accepted.connect(lambda: then(own.text()))
    ask.open()
    return ask


def _own_passphrase(ask: Ask) -> QLineEdit:
    return ask.line("&Your passphrase", needed="Type the coordinator's passphrase.", secret=True)
