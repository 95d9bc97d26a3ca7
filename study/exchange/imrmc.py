"""`.imrmc`, as the FDA's iMRMC writes it: a description, a line `BEGIN DATA:`, then `readerID,caseID,modalityID,score`.

Truth rows have the reader `truth` or `-1` and the score 0 or 1. As in iMRMC itself, white space within fields does not count.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote, unquote

import numpy as np

from study.cells import number_cell
from study.exchange.problems import TRUTH_READERS, ExchangeError, RowProblem, as_number, shown, told_apart
from study.scores import NO_TRUTH, ScoreTable

_ENCODED = "IDs: percent-encoded (Lucency)"  # header line: ids held characters that the format has no place for


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
        score = as_number(value)
        if score is None:
            cure = "Write a finite number, or remove the row if the reader gave no score."
            problems.append(RowProblem(row, f"the score {shown(value)} is not a number.", cure))
            continue
        case = decode(case)
        if reader.lower() in TRUTH_READERS:
            _add_truth(truth, problems, row, case, score)
            continue
        key = (decode(reader), decode(mode), case)
        if key in scored:
            what = (
                f"reader {shown(key[0])} scored case {shown(case)} in modality {shown(key[1])} before, "
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
        what = f"the truth of case {shown(case)}{also} is missing."
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
    table = ScoreTable.from_rows(
        (
            {"reader": reader, "mode": mode, "case": case, "truth": truth[case][1], "score": score}
            for (reader, mode, case), (_, score) in scored.items()
        ),
        title=title,
    )
    alike = told_apart(case=table.cases, reader=table.readers, mode=table.modes)
    return replace(table, notes=(*notes, *header_notes, *alike))


def _add_truth(
    truth: dict[str, tuple[int, int]], problems: list[RowProblem], row: int, case: str, value: float
) -> None:
    if value not in (0, 1):
        what = f"the truth of case {shown(case)} is {number_cell(value)}."
        problems.append(RowProblem(row, what, "Write 0 (negative) or 1 (positive)."))
    elif case in truth:
        what = f"the truth of case {shown(case)} is given a second time (first in row {truth[case][0]})."
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
            what = f"{key} (number of {noun}) is {shown(value)}, not a number."
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
        what = f"{len(unknown)} cases have no truth, {shown(unknown[0])} among them."
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
