"""Free-response data from two CSV files: marks with ratings, and the lesions that are there.

marks: columns `mode` (or `modality`), `reader`, `case`, `lesion` (its id, 0 for a mark on none), `rating` (or `score`).
truth: columns `case`, `truth`, `lesion`, `weight`; a case without a lesion has one row with truth 0. Weights of a case add up
to one; without them its lesions count alike.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from study.exchange.problems import ExchangeError, RowProblem, as_number, shown
from study.statistics.froc import FreeResponse

_NAMES = {"modality": "mode", "rating": "score"}


@dataclass(frozen=True)
class FreeResponseStudy:
    """`data` holds one row for each mode and reader, modes first."""

    modes: list[str]
    readers: list[str]
    cases: int
    lesions: int
    data: FreeResponse


def read_free_response(marks: Path, truth: Path) -> FreeResponseStudy:
    """Raises ExchangeError with the row, OSError."""
    normal, diseased, weights = _read_truth(truth)
    rows = _rows(marks, ("mode", "reader", "case", "lesion", "score"))
    modes, readers = (list(dict.fromkeys(row[name] for _, row in rows)) for name in ("mode", "reader"))
    owner = [diseased.index(case) for case, _ in weights]
    shape = len(modes) * len(readers)
    data = FreeResponse(
        np.full((shape, len(normal)), -np.inf),
        np.full((shape, len(weights)), -np.inf),
        np.full((shape, len(diseased)), -np.inf),
        np.array(owner, dtype=np.intp),
        np.array(list(weights.values())),
    )
    place = {key: number for number, key in enumerate(weights)}
    for number, row in rows:
        reading = modes.index(row["mode"]) * len(readers) + readers.index(row["reader"])
        case, score = row["case"], as_number(row["score"])
        if score is None:
            raise _problem(marks, number, f"the rating {shown(row['score'])} is not a number.", "Write a number.")
        if case not in normal and case not in diseased:
            raise _problem(
                marks, number, f"the truth of case {shown(case)} is missing.", "Add it to the lesions' file."
            )
        if row["lesion"] not in ("", "0"):
            key = (case, row["lesion"])
            if key not in place:
                what = f"case {shown(case)} has no lesion {shown(row['lesion'])}."
                raise _problem(marks, number, what, "Write 0 for a mark that is on no lesion.")
            if np.isfinite(data.lesions[reading, place[key]]):
                raise _problem(marks, number, "this lesion was marked before.", "Keep one mark of a lesion.")
            data.lesions[reading, place[key]] = score
        table, names = (data.normal, normal) if case in normal else (data.highest, diseased)
        column = names.index(case)
        table[reading, column] = max(table[reading, column], score)
    return FreeResponseStudy(modes, readers, len(normal) + len(diseased), len(weights), data)


def _read_truth(path: Path) -> tuple[list[str], list[str], dict[tuple[str, str], float]]:
    """Cases without and with lesions, and the weight of each lesion by (case, lesion)."""
    normal: list[str] = []
    given: dict[str, dict[str, float | None]] = defaultdict(dict)
    for number, row in _rows(path, ("case", "truth", "lesion", "weight")):
        if row["truth"] not in ("0", "1"):
            raise _problem(path, number, f"the truth {shown(row['truth'])} is not understood.", "Write 0 or 1.")
        if row["truth"] == "0":
            normal.append(row["case"])
            continue
        if row["lesion"] in ("", "0") or row["lesion"] in given[row["case"]]:
            raise _problem(path, number, "the lesion has no name of its own.", "Number the lesions of a case from 1.")
        given[row["case"]][row["lesion"]] = as_number(row["weight"]) if row["weight"] else None
    weights: dict[tuple[str, str], float] = {}
    for case, lesions in given.items():
        total = sum(weight or 0.0 for weight in lesions.values())
        for lesion, weight in lesions.items():
            weights[case, lesion] = weight / total if weight is not None and total > 0 else 1 / len(lesions)
    return list(dict.fromkeys(normal)), list(given), weights


def _rows(path: Path, wanted: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    text = path.read_bytes().decode("utf-8-sig", "replace")
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=text.partition("\n")[0].count))
    header = [_NAMES.get(cell.strip().lower(), cell.strip().lower()) for cell in next(lines, [])]
    missing = [name for name in wanted if name not in header and name != "weight"]
    if missing:
        raise _problem(path, 1, f"the column {missing[0]} is missing.", f"Name the columns {', '.join(wanted)}.")
    out = []
    for number, cells in enumerate(lines, start=2):
        if any(cell.strip() for cell in cells):
            row = dict(zip(header, (cell.strip() for cell in cells), strict=False))
            out.append((number, {name: row.get(name, "") for name in wanted}))
    if not out:
        raise _problem(path, 0, "there is no row below the column names.", "Add them.")
    return out


def _problem(path: Path, row: int, what: str, cure: str) -> ExchangeError:
    return ExchangeError(path.name, [RowProblem(row, what, cure)])
