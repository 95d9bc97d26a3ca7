"""Scores in and out: `.imrmc` (the FDA's iMRMC) and CSV. Ids are text and survive; errors name the row and the cure.

`.imrmc`: header text, a line `BEGIN DATA:`, then `readerID,caseID,modalityID,score`. Truth rows have the reader `truth`
or `-1` and the score 0 or 1. As in iMRMC itself, white space within fields does not count.
CSV: columns `reader,mode,case,truth,score` and optional `patient,side,call,seconds,repeat`.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np

from study.cells import number_cell, plain_cell, safe_cell
from study.scores import NO_TRUTH, ScoreTable

TRUTH_READERS = ("truth", "-1")
_ENCODED = "IDs: percent-encoded (Lucency)"  # header line: ids held characters that the format has no place for
_SHOWN = 20  # problems that an error spells out


@dataclass(frozen=True)
class RowProblem:
    """What is wrong with a file, where, and what to do. `row` counts lines from 1; 0 is the file as a whole."""

    row: int
    what: str
    cure: str

    def __str__(self) -> str:
        return f"row {self.row}: {self.what} {self.cure}" if self.row else f"{self.what} {self.cure}"


class ExchangeError(ValueError):
    """A file of scores cannot be used. `str(error)` names the first row that is wrong and its cure."""

    def __init__(self, name: str, problems: list[RowProblem]) -> None:
        more = len(problems) - 1
        tail = f" ({more} more {'problem' if more == 1 else 'problems'} in this file.)" if more else ""
        super().__init__(f"{name}, {problems[0]}{tail}")
        self.name = name
        self.problems = problems

    @property
    def sentence(self) -> str:
        return str(self)

    @property
    def details(self) -> str:
        lines = [str(problem) for problem in self.problems[:_SHOWN]]
        if len(self.problems) > _SHOWN:
            lines.append(f"and {len(self.problems) - _SHOWN} more")
        return "\n".join(lines)


# --- files


def read_scores(path: Path, *, ignore_header: bool = False) -> ScoreTable:
    """Read `.imrmc` or CSV, told apart by what they hold. Raises ExchangeError.

    ignore_header: take the rows of an `.imrmc` file even where its description contradicts itself.
    """
    text, notes = _read_text(path)
    looks_like_imrmc = path.suffix.lower() == ".imrmc" or re.search(r"^\s*BEGIN\s+DATA", text, re.M | re.I)
    if looks_like_imrmc:
        return parse_imrmc(text, path.name, notes, ignore_header=ignore_header)
    return parse_csv(text, path.name, notes)


def write_scores(table: ScoreTable, path: Path) -> None:
    """Write as the suffix says (`.imrmc`, else CSV). Raises ExchangeError, OSError."""
    if path.suffix.lower() == ".imrmc":
        path.write_text(format_imrmc(table), "utf-8", newline="")
    else:
        # The byte order mark is for Excel, as in study.record.export_csv.
        path.write_text(format_csv(table), "utf-8-sig", newline="")


def _read_text(path: Path) -> tuple[str, tuple[str, ...]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        problem = RowProblem(0, "it cannot be read.", "Check that it is there and that you may open it.")
        raise ExchangeError(path.name, [problem]) from error
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return data.decode("utf-16"), ()
        except UnicodeDecodeError:
            pass  # reported below: such data hold zero bytes
    if b"\0" in data:
        raise ExchangeError(path.name, [RowProblem(0, "it is not a text file.", "Export the scores as CSV or .imrmc.")])
    try:
        return data.decode("utf-8-sig"), ()
    except UnicodeDecodeError:
        note = "The file is not UTF-8; it was read as Windows-1252. Check names with accents."
        return data.decode("cp1252", "replace"), (note,)


# --- .imrmc


def parse_imrmc(
    text: str, name: str = "the file", notes: tuple[str, ...] = (), *, ignore_header: bool = False
) -> ScoreTable:
    """Read the text of an `.imrmc` file. Raises ExchangeError."""
    lines = re.split(r"\r\n|\r|\n", text)  # as editors count them
    begin = next((n for n, line in enumerate(lines) if re.match(r"\s*BEGIN\s+DATA", line, re.I)), None)
    if begin is None:
        cure = "Put that line between the description and the rows readerID,caseID,modalityID,score."
        raise ExchangeError(name, [RowProblem(0, "the line BEGIN DATA: is missing.", cure)])
    header = [line.rstrip(", \t") for line in lines[:begin]]
    decode: Callable[[str], str] = unquote if _ENCODED in header else str

    problems: list[RowProblem] = []
    truth: dict[str, tuple[int, int]] = {}  # case -> (row, truth)
    scored: dict[tuple[str, str, str], tuple[int, float]] = {}  # (reader, mode, case) -> (row, score)
    for row, line in enumerate(lines[begin + 1 :], start=begin + 2):
        fields = ["".join(cell.split()) for cell in line.split(",")]
        while len(fields) > 4 and not fields[-1]:
            fields.pop()  # a spreadsheet fills up rows with commas
        if not any(fields):
            continue
        if len(fields) != 4:
            what = f"{len(fields)} {'field' if len(fields) == 1 else 'fields'} instead of 4."
            problems.append(RowProblem(row, what, "Write readerID,caseID,modalityID,score."))
            continue
        reader, case, mode, value = fields
        if not (reader and case and mode):
            problems.append(RowProblem(row, "an id is empty.", "Fill in reader, case and modality."))
            continue
        score = _number(value)
        if score is None:
            cure = "Write a finite number, or remove the row if the reader gave no score."
            problems.append(RowProblem(row, f"the score {_shown(value)} is not a number.", cure))
            continue
        case = decode(case)
        if reader.lower() in TRUTH_READERS:
            _add_truth(truth, problems, row, case, score)
            continue
        key = (decode(reader), decode(mode), case)
        if key in scored:
            what = (
                f"reader {_shown(key[0])} scored case {_shown(case)} in modality {_shown(key[1])} before, "
                f"in row {scored[key][0]}."
            )
            problems.append(RowProblem(row, what, "Keep one of the two rows."))
        else:
            scored[key] = (row, score)

    unknown: dict[str, list[int]] = defaultdict(list)
    for (_, _, case), (row, _) in scored.items():
        if case not in truth:
            unknown[case].append(row)
    for case, rows in unknown.items():
        also = f" (and of {len(rows) - 1} more rows)" if len(rows) > 1 else ""
        what = f"the truth of case {_shown(case)}{also} is missing."
        cure = f"Add a row truth,{case},truth,0 (negative) or truth,{case},truth,1 (positive)."
        problems.append(RowProblem(rows[0], what, cure))

    readers = {reader for reader, _, _ in scored}
    modes = {mode for _, mode, _ in scored}
    counts = {
        "NR": (len(readers), "readers"),
        "N0": (sum(value == 0 for _, value in truth.values()), "negative cases"),
        "N1": (sum(value == 1 for _, value in truth.values()), "positive cases"),
        "NM": (len(modes), "modalities"),
    }
    header_problems, header_notes = _check_header(header, counts)
    if not ignore_header:
        problems.extend(header_problems)
    if not problems and not scored:
        problems.append(RowProblem(0, "there are no scores after BEGIN DATA:.", "Add a row for each reading."))
    if problems:
        raise ExchangeError(name, sorted(problems, key=lambda problem: problem.row))
    never_read = sorted(truth.keys() - {case for _, _, case in scored})
    if never_read:
        noun = "case has" if len(never_read) == 1 else "cases have"
        header_notes.append(f"{len(never_read)} {noun} a truth but no score: {', '.join(never_read[:5])}.")
    title = next((line.strip() for line in header if line.strip() and line != _ENCODED), "")
    return ScoreTable.from_rows(
        (
            {"reader": reader, "mode": mode, "case": case, "truth": truth[case][1], "score": score}
            for (reader, mode, case), (_, score) in scored.items()
        ),
        title=title,
        notes=(*notes, *header_notes),
    )


def _add_truth(
    truth: dict[str, tuple[int, int]], problems: list[RowProblem], row: int, case: str, value: float
) -> None:
    if value not in (0, 1):
        what = f"the truth of case {_shown(case)} is {number_cell(value)}."
        problems.append(RowProblem(row, what, "Write 0 (negative) or 1 (positive)."))
    elif case in truth:
        what = f"the truth of case {_shown(case)} is given a second time (first in row {truth[case][0]})."
        problems.append(RowProblem(row, what, "Remove one of the two rows."))
    else:
        truth[case] = (row, int(value))


def _check_header(lines: list[str], counts: dict[str, tuple[int, str]]) -> tuple[list[RowProblem], list[str]]:
    """Counts in the header are optional and often stale: a wrong one is noted, one that is no number is an error."""
    problems: list[RowProblem] = []
    notes: list[str] = []
    for row, line in enumerate(lines, start=1):
        found = re.match(r"\s*(NR|N0|N1|NM)\s*[:=](.*)", line)
        if not found:
            continue
        key, value = found[1], found[2].strip()
        count, noun = counts[key]
        if not value.isdecimal():
            what = f"{key} (number of {noun}) is {_shown(value)}, not a number."
            problems.append(
                RowProblem(row, what, f"Write {key}: {count}, which is what the rows hold, or remove the line.")
            )
        elif int(value) != count:
            notes.append(f"The header says {key}: {value}; the rows hold {count} {noun}, and these count.")
    return problems, notes


def format_imrmc(table: ScoreTable) -> str:
    """The text of an `.imrmc` file. Raises ExchangeError for a case without truth.

    Rows without a score are left out, as the format asks for missing readings; patient, side, call and seconds have no
    place in it. Ids with characters that the format cannot hold are percent-encoded, and the header says so.
    """
    unknown = sorted({c for c, t in zip(table.case, table.truth, strict=True) if t == NO_TRUTH})
    if unknown:
        what = f"{len(unknown)} cases have no truth, {_shown(unknown[0])} among them."
        cure = "Give each case a truth of 0 or 1, or export as CSV."
        raise ExchangeError("This .imrmc file", [RowProblem(0, what, cure)])
    scored = ~np.isnan(table.score)
    ids = [*table.readers, *table.modes, *table.cases]
    encoded = any(_imrmc_id(text) != text for text in ids)
    write = _imrmc_id if encoded else str
    truth = table.case_truth
    read = table.where(scored)
    lines = [
        _imrmc_title(table.title),
        *([_ENCODED] if encoded else []),
        f"NR: {len(read.readers)}",
        f"N0: {sum(value == 0 for value in truth.values())}",
        f"N1: {sum(value == 1 for value in truth.values())}",
        f"NM: {len(read.modes)}",
        "",
        "BEGIN DATA:",
    ]
    lines.extend(f"truth,{write(case)},truth,{value}" for case, value in truth.items())
    lines.extend(
        f"{write(reader)},{write(case)},{write(mode)},{number_cell(score)}"
        for reader, case, mode, score in zip(read.reader, read.case, read.mode, read.score.tolist(), strict=True)
    )
    return "\n".join(lines) + "\n"


def _imrmc_id(text: str) -> str:
    """The id without what the format gives a meaning: commas, white space, percent signs, and the truth readers."""
    if text.lower() in TRUTH_READERS:
        return f"%{ord(text[0]):02X}{text[1:]}"
    return "".join(quote(c, safe="") if c in ',%"' or c.isspace() or not c.isprintable() else c for c in text)


def _imrmc_title(title: str) -> str:
    """One line that the reader of the file cannot take for anything but a title."""
    line = " ".join(title.split()) or "Scores written by Lucency"
    return f"Scores: {line}" if re.match(r"NR|N0|N1|NM|BEGIN|IDs", line, re.I) else line


# --- CSV

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
    """
    text = text.removeprefix("\ufeff")
    # White space around a cell is invisible in a spreadsheet, so it is not part of an id.
    first_line = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=first_line.count)
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise ExchangeError(name, [RowProblem(0, f"it is not CSV: {error}.", "Export it anew as CSV.")]) from error
    top = next((n for n, cells in enumerate(records) if any(cell.strip() for cell in cells)), None)
    if top is None:
        raise ExchangeError(name, [RowProblem(0, "it is empty.", "Export it anew as CSV.")])
    column = _find_columns(records[top], top + 1, name)

    problems: list[RowProblem] = []
    rows: list[dict[str, Any]] = []
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
        key = (row["reader"], row["mode"], row["case"], row.pop("repeat"))
        if key in seen:
            what = f"reader {_shown(key[0])} read case {_shown(key[2])} in mode {_shown(key[1])} before, in row {seen[key]}."
            problems.append(RowProblem(number, what, "Keep one of the two rows, or number them in a column repeat."))
            continue
        seen[key] = number
        for field in ("truth", "patient"):
            if row[field] is None:
                continue
            before, value = said.setdefault((row["case"], field), (number, row[field]))
            if value != row[field]:
                what = f"the {field} of case {_shown(row['case'])} differs from row {before}."
                problems.append(RowProblem(number, what, f"Give each case one {field}."))
        rows.append(row)
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
    if "mode" not in column:
        all_notes.append("There is no column mode: all rows are taken as one mode.")
    if all(row["truth"] is None for row in rows):
        all_notes.append("No case has a truth: only agreement can be computed.")
    return ScoreTable.from_rows(kept.values(), notes=tuple(all_notes))


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
    row: dict[str, Any] = {"reader": cell("reader"), "case": cell("case"), "mode": cell("mode") or "all"}
    for field in ("reader", "case"):
        if not row[field].strip():
            problems.append(RowProblem(number, f"the {field} is empty.", "Fill it in, or remove the row."))
    for field in ("score", "seconds"):
        text = cell(field).strip()
        row[field] = None
        if text and text.lower() not in ("na", "n/a"):
            row[field] = _number(text.replace(",", ".") if decimal_comma else text)
            if row[field] is None:
                what = f"the {field} {_shown(text)} is not a number."
                problems.append(RowProblem(number, what, "Write a finite number, or leave it empty if there is none."))
    for field in ("truth", "call"):
        text = cell(field).strip().lower()
        row[field] = 1 if text in _YES else 0 if text in _NO else None
        if row[field] is None and text not in _UNDECIDED:
            cure = "Write 1 (loose) or 0 (not loose), or leave it empty if it is not known."
            problems.append(RowProblem(number, f"the {field} {_shown(text)} is not understood.", cure))
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


def _number(text: str) -> float | None:
    """A finite number, or None. Python's own extras (1_000, nan, ١) are not numbers of a score file."""
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text, re.ASCII):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def _shown(text: str) -> str:
    """An id or value as it stands in a sentence."""
    return f"“{text if len(text) <= 40 else text[:39] + '…'}”"
