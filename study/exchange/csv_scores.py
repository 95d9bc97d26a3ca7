"""CSV: columns `reader,mode,case,truth,score` and optional `patient,side,call,seconds,repeat`."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from study.cells import number_cell, plain_cell, safe_cell
from study.exchange.problems import TRUTH_READERS, ExchangeError, RowProblem, as_number, shown, told_apart
from study.scores import NO_TRUTH, ScoreTable

_COLUMNS = {  # our names, and what other programs call them
    "reader": ("reader", "readerid", "reader_id", "rater", "observer"),
    "mode": ("mode", "modality", "modalityid", "modality_id", "treatment", "arm"),
    "case": ("case", "caseid", "case_id"),
    "truth": ("truth", "reference", "gold"),
    "score": ("score", "rating"),
    "patient": ("patient", "patientid", "patient_id", "cluster"),
    "side": ("side",),
    "call": ("call",),
    "seconds": ("seconds",),
    "repeat": ("repeat",),
}
_YES = {"1", "1.0", "true", "yes", "positive", "loose"}
_NO = {"0", "0.0", "false", "no", "negative", "not_loose", "not loose", "fixed"}
_UNDECIDED = {"", "cannot_tell", "cannot tell", "not_assessable", "not assessable", "indeterminate", "na", "n/a"}


def parse_csv(text: str, name: str = "the file", notes: tuple[str, ...] = ()) -> ScoreTable:
    """Read the text of a CSV file (comma, semicolon or tab). Raises ExchangeError.

    Rows are counted as spreadsheets show them: the header is row 1. Of repeated readings (column `repeat`) the first counts.
    Rows of the reader `truth` or `-1` give a case's truth, as in `.imrmc`.
    """
    text = text.removeprefix("\ufeff")
    # White space around a cell is invisible in a spreadsheet, so it is not part of an id.
    delimiter, text = delimiter_of(text)
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise ExchangeError(name, [RowProblem(0, f"it is not CSV: {error}.", "Export it as CSV again.")]) from error
    top = next((n for n, cells in enumerate(records) if any(cell.strip() for cell in cells)), None)
    if top is None:
        raise ExchangeError(name, [RowProblem(0, "it is empty.", "Export it as CSV again.")])
    column = _find_columns(records[top], top + 1, name)

    problems: list[RowProblem] = []
    rows: list[dict[str, Any]] = []
    blank: list[int] = []  # rows without a mode
    seen: dict[tuple[str, str, str, str], int] = {}
    said: dict[tuple[str, str], tuple[int, Any]] = {}  # (case, "truth" or "patient") -> (row, value)
    decimal_comma = delimiter == ";"
    for number, cells in enumerate(records[top + 1 :], start=top + 2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(records[top]) and any(cell.strip() for cell in cells[len(records[top]) :]):
            what = f"{len(cells)} cells under {len(records[top])} column names."
            problems.append(RowProblem(number, what, "Put cells that hold a comma into quotes, or name the column."))
            continue
        row = _csv_row(cells, column, number, decimal_comma, problems)
        if row is None:
            continue
        if row["reader"].lower() in TRUTH_READERS:  # as in .imrmc: the score of such a row is the case's truth
            if row["score"] not in (0, 1):
                what = f"the truth of case {shown(row['case'])} is not 0 or 1."
                problems.append(
                    RowProblem(number, what, "Write 0 (negative) or 1 (positive) as the score of this row.")
                )
                continue
            before, value = said.setdefault((row["case"], "truth"), (number, int(row["score"])))
            if value != row["score"]:
                what = f"the truth of case {shown(row['case'])} differs from row {before}."
                problems.append(RowProblem(number, what, "Give each case one truth."))
            continue
        if not row["mode"]:
            blank.append(number)
        key = (row["reader"], row["mode"], row["case"], row.pop("repeat"))
        if key in seen:
            what = (
                f"reader {shown(key[0])} read case {shown(key[2])} in mode {shown(key[1])} before, in row {seen[key]}."
            )
            problems.append(RowProblem(number, what, "Keep one of the two rows, or number them in a column repeat."))
            continue
        seen[key] = number
        for field in ("truth", "patient"):
            if row[field] is None:
                continue
            before, value = said.setdefault((row["case"], field), (number, row[field]))
            if value != row[field]:
                what = f"the {field} of case {shown(row['case'])} differs from row {before}."
                problems.append(RowProblem(number, what, f"Give each case one {field}."))
        rows.append(row)
    if len(blank) < len(rows):
        cure = "Fill it in; a column without any mode is taken as one mode."
        problems += [RowProblem(number, "the mode is empty.", cure) for number in blank]
        problems.sort(key=lambda problem: problem.row)
    for row in rows:
        row["mode"] = row["mode"] or "all"
    if not problems and not rows:
        problems.append(RowProblem(0, "there is no row below the column names.", "Add a row for each reading."))
    if problems:
        raise ExchangeError(name, problems)

    kept: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        kept.setdefault((row["reader"], row["mode"], row["case"]), row)
        for field in ("truth", "patient"):  # said once is enough for all rows of a case
            row[field] = said.get((row["case"], field), (0, row[field]))[1]
    all_notes = list(notes)
    if len(kept) < len(rows):
        all_notes.append(f"{len(rows) - len(kept)} repeated readings are left out; the first of each counts.")
    if blank:
        all_notes.append("No row names a mode: all are taken as one mode.")
    if all(row["truth"] is None for row in rows):
        all_notes.append("No case has a truth: only agreement can be computed.")
    table = ScoreTable.from_rows(kept.values())
    unread = sorted({case for case, field in said if field == "truth"} - set(table.cases))
    if unread:
        noun = "case has" if len(unread) == 1 else "cases have"
        all_notes.append(f"{len(unread)} {noun} a truth but no reading: {', '.join(unread[:5])}.")
    all_notes += told_apart(case=table.cases, reader=table.readers, mode=table.modes)
    return replace(table, notes=tuple(all_notes))


def delimiter_of(text: str) -> tuple[str, str]:
    """(comma, semicolon or tab, the text); a first line `sep=;`, which spreadsheets write and hide, is emptied."""
    lines = text.splitlines(keepends=True)
    first = next((line for line in lines if line.strip()), "")
    named = re.fullmatch(r'"?sep=(.)"?', first.strip("\r\n "), re.I)
    if named is None:
        return max(",;\t", key=first.count), text
    place = lines.index(first)
    ending = first[len(first.rstrip("\r\n")) :]
    return named[1], "".join([*lines[:place], ending, *lines[place + 1 :]])


def _find_columns(header: list[str], row: int, name: str) -> dict[str, int]:
    """Where each of our columns is."""
    problems = []
    column: dict[str, int] = {}
    spelled = [cell.strip().lower() for cell in header]
    for ours, theirs in _COLUMNS.items():
        places = [n for n, cell in enumerate(spelled) if cell in theirs]
        exact = [n for n in places if spelled[n] == ours]
        if len(places) > 1 and len(exact) != 1:
            problems.append(RowProblem(row, f"two columns could be {ours}.", "Keep one of them."))
        elif places:
            column[ours] = (exact or places)[0]
    for needed in ("reader", "case"):
        if needed not in column:
            problems.append(RowProblem(row, f"the column {needed} is missing.", f"Name the columns {_wanted()}."))
    if not {"score", "call"} & column.keys():
        problems.append(RowProblem(row, "there is neither a column score nor call.", f"Name the columns {_wanted()}."))
    if problems:
        raise ExchangeError(name, problems)
    return column


def _wanted() -> str:
    return "reader,mode,case,truth,score (and if known patient,side,call,seconds)"


def _csv_row(
    cells: list[str], column: dict[str, int], number: int, decimal_comma: bool, problems: list[RowProblem]
) -> dict[str, Any] | None:
    def cell(field: str) -> str:
        place = column.get(field)
        return plain_cell(cells[place].strip()).strip() if place is not None and place < len(cells) else ""

    found = len(problems)
    row: dict[str, Any] = {"reader": cell("reader"), "case": cell("case"), "mode": cell("mode")}
    for field in ("reader", "case"):
        if not row[field].strip():
            problems.append(RowProblem(number, f"the {field} is empty.", "Fill it in, or remove the row."))
    for field in ("score", "seconds"):
        text = cell(field).strip()
        row[field] = None
        if text and text.lower() not in ("na", "n/a"):
            row[field] = as_number(text.replace(",", ".") if decimal_comma else text)
            if row[field] is None:
                what = f"the {field} {shown(text)} is not a number."
                problems.append(RowProblem(number, what, "Write a finite number, or leave it empty if there is none."))
    for field in ("truth", "call"):
        text = cell(field).strip().lower()
        row[field] = 1 if text in _YES else 0 if text in _NO else None
        if row[field] is None and text not in _UNDECIDED:
            cure = "Write 1 (loose) or 0 (not loose), or leave it empty if it is not known."
            problems.append(RowProblem(number, f"the {field} {shown(text)} is not understood.", cure))
    row["patient"] = cell("patient") or None
    row["side"] = cell("side") or None
    row["repeat"] = cell("repeat").strip() or "1"
    return row if len(problems) == found else None


def format_csv(table: ScoreTable) -> str:
    """The table as CSV, safe to open in a spreadsheet; `parse_csv` reads back the same table."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    optional = [name for name in ("patient", "side", "call", "seconds") if getattr(table, name) is not None]
    writer.writerow(["reader", "mode", "case", "truth", "score", *optional])

    def binary(values: Iterable[int]) -> list[str]:
        return ["" if value == NO_TRUTH else str(value) for value in values]

    columns: list[Iterable[str]] = [
        map(safe_cell, table.reader),
        map(safe_cell, table.mode),
        map(safe_cell, table.case),
        binary(table.truth.tolist()),
        map(number_cell, table.score.tolist()),
    ]
    if table.patient is not None:
        columns.append(map(safe_cell, table.patient))
    if table.side is not None:
        columns.append(map(safe_cell, table.side))
    if table.call is not None:
        columns.append(binary(table.call.tolist()))
    if table.seconds is not None:
        columns.append(map(number_cell, table.seconds.tolist()))
    writer.writerows(zip(*columns, strict=True))
    return out.getvalue()
