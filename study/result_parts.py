"""What plots and tables amount to, for whoever shows them. Importing this imports no statistics."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from enum import StrEnum

from study.cells import safe_cell


class ResultsError(ValueError):
    """There are no results to show. `str(error)` is a sentence."""


@dataclass(frozen=True)
class Plot:
    """`name` is a file name without its ending; `svg` a whole document that carries its caption.

    Where the data do not allow the plot, `svg` is "" and `caption` the sentence that says why.
    """

    name: str
    title: str
    svg: str
    caption: str


class Status(StrEnum):
    """What a table may be used for."""

    PREREGISTERED = "pre-registered"
    EXPLORATORY = "exploratory"
    DESCRIPTIVE = "descriptive"


@dataclass(frozen=True)
class Table:
    """Texts as they are shown; `name` is a file name without its ending."""

    name: str
    title: str
    status: Status
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def as_csv(table: Table) -> str:
    """With the table's columns as its first line. A cell that a spreadsheet would take for a formula is made safe."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(table.columns)
    writer.writerows([safe_cell(cell) for cell in row] for row in table.rows)
    return out.getvalue()
