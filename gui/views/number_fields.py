"""Fields for numbers, the same under every locale: "." and "," both begin the decimals, and nothing groups digits.

What cannot be part of the number is refused as it is typed, so that what follows it is never joined to what was before:
"1.5" is one and a half or stays "1.", and never becomes 15.
"""

from __future__ import annotations

import re

from PySide6.QtCore import QLocale
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QDoubleSpinBox, QSpinBox

State = QValidator.State
_END = re.compile(r"[.,](?=\D*$)")  # a separator that no decimals follow
_NUMBER = re.compile(r"\s*(\d*)([.,]?)(\d*)\s*(\D*)")


def read_number(text: str, unit: str = "") -> float | None:
    """A number that is not negative, with "." or "," before its decimals and perhaps its unit behind; None for all else."""
    found = _NUMBER.fullmatch(text)
    if found is None or found[4].strip() not in ("", unit.strip()) or not (found[1] or found[3]):
        return None
    return float(f"{found[1] or 0}.{found[3] or 0}")


def _locale() -> QLocale:
    """Of every field: the program's texts write numbers with a point."""
    locale = QLocale(QLocale.Language.C)
    locale.setNumberOptions(QLocale.NumberOption.OmitGroupSeparator)
    return locale


class DecimalField(QDoubleSpinBox):
    """Not negative. With a special value text, an empty field is its minimum, which means that no number was given."""

    def __init__(
        self, low: float, high: float, *, decimals: int = 1, step: float | None = None, suffix: str = ""
    ) -> None:
        super().__init__()
        self.setLocale(_locale())
        self.setDecimals(decimals)
        self.setRange(low, high)
        self.setSingleStep(10.0**-decimals if step is None else step)
        self.setSuffix(suffix)

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        return _judge(self, text, self.decimals()), text, position

    def fixup(self, text: str) -> str:
        return _END.sub("", text)

    def setValue(self, value: float) -> None:
        """Leaves alone what is being typed, where that is the value already."""
        if value != self.value() or self.valueFromText(self.lineEdit().text()) != value:
            super().setValue(value)

    def valueFromText(self, text: str) -> float:
        number = read_number(text, self.suffix())
        return self.minimum() if number is None else number


class WholeField(QSpinBox):
    """Not negative, but for a minimum that means that no number was given."""

    def __init__(self, low: int, high: int, *, suffix: str = "") -> None:
        super().__init__()
        self.setLocale(_locale())
        self.setRange(low, high)
        self.setSuffix(suffix)

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        return _judge(self, text, 0), text, position

    def fixup(self, text: str) -> str:
        return _END.sub("", text)

    def setValue(self, value: int) -> None:
        """Leaves alone what is being typed, where that is the value already."""
        if value != self.value() or self.valueFromText(self.lineEdit().text()) != value:
            super().setValue(value)

    def valueFromText(self, text: str) -> int:
        number = read_number(text, self.suffix())
        return self.minimum() if number is None else int(number)


def _judge(field: QDoubleSpinBox | QSpinBox, text: str, decimals: int) -> QValidator.State:
    special = field.specialValueText()
    if special and text.strip() in ("", special):
        return State.Acceptable
    found = _NUMBER.fullmatch(text)
    if found is None or len(found[3]) > decimals or not field.suffix().strip().startswith(found[4].strip()):
        return State.Invalid
    number = read_number(f"{found[1]}.{found[3]}")
    if number is None:
        return State.Intermediate
    if number > field.maximum():
        return State.Invalid
    is_odd = decimals == 0 and bool(found[2])  # a whole number that ends in a point
    return State.Intermediate if is_odd or number < field.minimum() else State.Acceptable
