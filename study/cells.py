"""Text cells of a CSV that a spreadsheet will open.

A cell that starts with = + - @ (or their full-width forms, a tab, a return) is run as a formula by spreadsheets. Such text gets an
apostrophe in front, which spreadsheets hide and which is taken off again when the file is read here.
"""

from __future__ import annotations

_FORMULA_STARTS = "=+-@\t\r\n＝＋－＠"


def safe_cell(text: str) -> str:
    """The text as it is written. Not for numbers that the program itself made."""
    return f"'{text}" if text[:1] in {*_FORMULA_STARTS, "'"} else text


def plain_cell(text: str) -> str:
    """The text as it was before `safe_cell`; other text is left as it is."""
    return text[1:] if text[:1] == "'" and text[1:2] in {*_FORMULA_STARTS, "'"} else text


def number_cell(value: float | None) -> str:
    """The shortest text that reads back as the same number; empty for None and NaN."""
    if value is None or value != value:
        return ""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
