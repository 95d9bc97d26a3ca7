"""One page of the study wizard: a heading, what it is for, its fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QLineEdit,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from gui.study.parts import PageScroll, label, narrow, roomy
from gui.study.wizard_state import WizardState
from gui.views.number_fields import DecimalField, WholeField
from study.protocol import Part


class WizardPage(QWidget):
    """Shows the state and writes to it; `_show` brings every field up to date, `_build` makes them."""

    TITLE: ClassVar[str] = ""
    LEAD: ClassVar[str] = ""
    PARTS: ClassVar[tuple[Part, ...]] = ()  # whose problems are corrected here
    STRETCH: ClassVar[bool] = False  # the page fills the height itself and does not scroll

    problem = Signal(str, str)  # a sentence and details, to be said in the wizard's notices

    def __init__(self, state: WizardState) -> None:
        super().__init__()
        self.state = state
        content = QWidget()
        self.column = QVBoxLayout(content)
        self.column.setContentsMargins(26, 20, 26, 16)
        self.column.setSpacing(12)
        self.column.addWidget(label(self.TITLE, "title"))
        if self.LEAD:
            self.column.addWidget(label(self.LEAD, "muted"))
        self._build()
        if not self.STRETCH:
            self.column.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(content if self.STRETCH else PageScroll(content))
        self._show()
        state.changed.connect(self._show)

    def _build(self) -> None:
        raise NotImplementedError

    def _show(self) -> None:
        raise NotImplementedError

    def focus_first(self) -> None:
        """The keyboard goes to the first field that takes it."""
        field = self.nextInFocusChain()
        while field is not None and field is not self and self.isAncestorOf(field):
            if field.focusPolicy() & Qt.FocusPolicy.TabFocus and field.isEnabled() and field.isVisible():
                field.setFocus(Qt.FocusReason.TabFocusReason)
                return
            field = field.nextInFocusChain()

    def entered(self) -> None:
        """The page has come into view."""

    # --- fields that are bound to the state

    def line(self, read: Callable[[], str], write: Callable[[str], object], hint: str = "", most: int = 300) -> Bound:
        field = QLineEdit(maxLength=most, placeholderText=hint)
        field.textEdited.connect(write)
        return Bound(field, lambda: _show_text(field, read()))

    def text(self, read: Callable[[], str], write: Callable[[str], object], lines: int = 3, hint: str = "") -> Bound:
        field = QPlainTextEdit(placeholderText=hint)
        field.setTabChangesFocus(True)
        field.setFixedHeight(round((lines + 0.9) * field.fontMetrics().lineSpacing()))
        field.textChanged.connect(lambda: write(field.toPlainText()))
        return Bound(field, lambda: _show_plain(field, read()))

    def number(self, read: Callable[[], int], write: Callable[[int], object], low: int, high: int) -> Bound:
        field = roomy(WholeField(low, high))
        field.setMaximumWidth(round(8 * self.fontMetrics().height()))
        field.valueChanged.connect(write)
        return Bound(field, lambda: _show_value(field, read()))

    def decimal(
        self, read: Callable[[], float], write: Callable[[float], object], low: float, high: float, digits: int
    ) -> Bound:
        field = roomy(DecimalField(low, high, decimals=digits, step=10.0 ** (1 - digits)))
        field.setMaximumWidth(round(8 * self.fontMetrics().height()))
        field.valueChanged.connect(write)
        return Bound(field, lambda: _show_value(field, read()))

    def check(self, words: str, read: Callable[[], bool], write: Callable[[bool], object]) -> Bound:
        field = narrow(QCheckBox(words))
        field.clicked.connect(write)
        return Bound(field, lambda: field.setChecked(read()))


class Bound:
    """A field, and how it is brought up to date without being taken for an entry."""

    def __init__(self, field: Any, show: Callable[[], object]) -> None:
        self.field = field
        self._show = show

    def show(self) -> None:
        with QSignalBlocker(self.field):
            self._show()


def _show_text(field: QLineEdit, text: str) -> None:
    if field.text() != text:
        field.setText(text)


def _show_plain(field: QPlainTextEdit, text: str) -> None:
    if field.toPlainText() != text:
        field.setPlainText(text)


def _show_value(field: WholeField | DecimalField, value: float) -> None:
    if field.value() != value:
        field.setValue(value)  # type: ignore[arg-type]
