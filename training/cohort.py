"""A hospital's own cohort: a CSV of `path, patient, side, label[, region][, date][, fold]`, read and checked before training.

`label` is loose or fixed (also 1 or 0); `region` is `x y width height` in image pixels (separated by spaces, commas
or semicolons); paths are relative to the CSV file. Other columns (fixation, source …) are audited and make strata. What is wrong is told all at once, each with its row.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from imaging.geometry import HipRegion
from imaging.radiograph import Radiograph, RadiographError, Side
from imaging.reader import read_radiograph
from imaging.sources import Source
from inference.preprocess import whole_image

LOOSE_WORDS = frozenset({"loose", "1", "yes", "true"})
FIXED_WORDS = frozenset({"fixed", "not loose", "not_loose", "well fixed", "0", "no", "false"})
SIDES = {"r": Side.RIGHT, "right": Side.RIGHT, "l": Side.LEFT, "left": Side.LEFT, "": Side.UNKNOWN, "u": Side.UNKNOWN}
COLUMNS = ("path", "patient", "side", "label")
KNOWN = (*COLUMNS, "region", "date", "fold")
MAX_SHOWN = 50


class CohortError(ValueError):
    """The cohort cannot be trained on. `problems` are sentences, one per fault; `str(error)` is their list."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        shown = list(self.problems[:MAX_SHOWN])
        if len(self.problems) > MAX_SHOWN:
            shown.append(f"… and {len(self.problems) - MAX_SHOWN} more.")
        super().__init__("\n".join(shown))


@dataclass(frozen=True)
class CohortCase:
    """One hip. `fold` is None unless the CSV assigns folds itself."""

    row: int  # in the CSV, the header being row 1
    path: Path
    patient: str
    side: Side
    loose: bool
    box: tuple[float, float, float, float] | None = None
    date: str = ""
    fold: int | None = None
    columns: Mapping[str, str] = field(default_factory=dict, compare=False)  # whatever else the CSV says, by name

    @property
    def id(self) -> str:
        """As it stands in the out-of-fold predictions: the file, and the side where it is known."""
        return self.path.name if self.side is Side.UNKNOWN else f"{self.path.name}:{self.side}"

    def region(self, radiograph: Radiograph) -> HipRegion:
        """The box of the CSV, else the whole image."""
        if self.box is None:
            return replace(whole_image(radiograph.pixels), side=self.side)
        return HipRegion(*self.box, self.side)


def read_cohort(manifest: Path) -> list[CohortCase]:
    """Every row of the CSV. CohortError with all faults of form; the images are not opened yet."""
    try:
        text = manifest.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CohortError([f"The cohort file {manifest.name} cannot be read: {type(error).__name__}."]) from error
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    rows = list(csv.DictReader(text.splitlines(), delimiter=delimiter))
    names = {name.strip().lower(): name for name in (rows[0] if rows else {}) if name}
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise CohortError([f"The cohort file {manifest.name} has no column {', '.join(missing)}."])
    problems: list[str] = []
    cases: list[CohortCase] = []
    for number, raw in enumerate(rows, start=2):
        row = {name: (raw.get(original) or "").strip() for name, original in names.items()}
        if not any(row.values()):
            continue
        faults = list(_faults(row))
        problems += [f"Row {number}: {fault}" for fault in faults]
        if not faults:
            cases.append(_case(row, number, manifest.parent))
    if not problems and not cases:
        problems.append(f"The cohort file {manifest.name} names no hip.")
    if problems:
        raise CohortError(problems)
    return cases


def _faults(row: dict[str, str]) -> Iterable[str]:
    if not row["path"]:
        yield "the path is empty."
    if not row["patient"]:
        yield "the patient is empty: folds could not keep one patient together."
    if row["side"].lower() not in SIDES:
        yield f"the side “{row['side']}” is not R or L."
    if row["label"].lower() not in LOOSE_WORDS | FIXED_WORDS:
        yield f"the label “{row['label']}” is neither loose nor fixed."
    if row.get("region") and _box(row["region"]) is None:
        yield f"the region “{row['region']}” is not four numbers x y width height with a width and height above 0."
    if row.get("fold") and not row["fold"].isdigit():
        yield f"the fold “{row['fold']}” is not a number."


def _box(text: str) -> tuple[float, float, float, float] | None:
    parts = re.split(r"[\s,;]+", text.strip())
    try:
        x, y, width, height = (float(part) for part in parts)
    except ValueError:
        return None
    return (x, y, width, height) if width > 0 and height > 0 and np.isfinite([x, y, width, height]).all() else None


def _case(row: dict[str, str], number: int, folder: Path) -> CohortCase:
    return CohortCase(
        number,
        folder / row["path"],
        row["patient"],
        SIDES[row["side"].lower()],
        row["label"].lower() in LOOSE_WORDS,
        _box(row["region"]) if row.get("region") else None,
        row.get("date", ""),
        int(row["fold"]) if row.get("fold") else None,
        {name: value for name, value in row.items() if name not in KNOWN},
    )


def check_cohort(cases: Sequence[CohortCase], folds: int, *, read: bool = True) -> None:
    """CohortError with everything that would spoil cross-validation: missing or unreadable images, one class only,
    too few patients, a patient in several of the CSV's own folds, the same hip twice."""
    problems = [f"Row {case.row}: there is no file {case.path.name}." for case in cases if not case.path.is_file()]
    classes = Counter(case.loose for case in cases)
    if len(classes) < 2:
        only = "loose" if True in classes else "fixed"
        problems.append(f"All {len(cases)} hips are {only}: a network cannot learn from one class.")
    for loose, name in ((True, "loose"), (False, "fixed")):
        patients = {case.patient for case in cases if case.loose is loose}
        if 0 < len(patients) < folds:
            problems.append(f"Only {len(patients)} patients have a {name} hip: {folds} folds need at least {folds}.")
    own: dict[str, set[int]] = defaultdict(set)
    for case in cases:
        if case.fold is not None:
            own[case.patient].add(case.fold)
    problems += [
        f"Patient {patient} is in the folds {', '.join(map(str, sorted(found)))}: one patient belongs to one fold."
        for patient, found in sorted(own.items())
        if len(found) > 1
    ]
    if own and any(case.fold is None for case in cases):
        problems.append("Some rows name a fold and others do not: fill the column or leave it out.")
    twice = Counter((case.path, case.side, case.box) for case in cases)
    problems += [
        f"The hip {path.name} {side} is listed {count} times." for (path, side, _), count in twice.items() if count > 1
    ]
    if read:
        for case in cases:
            if case.path.is_file():
                try:
                    read_radiograph(Source(case.path))
                except RadiographError as error:
                    problems.append(f"Row {case.row}: {case.path.name}: {error.sentence}")
    if problems:
        raise CohortError(problems)


def patient_folds(cases: Sequence[CohortCase], folds: int, seed: int) -> npt.NDArray[np.int_]:
    """(n,) fold of each case, 0 upwards. All hips of a patient share one; the classes are spread evenly.

    The CSV's own folds are used where it has them.
    """
    if all(case.fold is not None for case in cases):
        known = sorted({case.fold for case in cases if case.fold is not None})
        return np.array([known.index(case.fold) for case in cases if case.fold is not None])
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    labels = [case.loose for case in cases]
    patients = [case.patient for case in cases]
    assigned = np.full(len(cases), -1)
    for fold, (_, test) in enumerate(splitter.split(np.zeros(len(cases)), labels, patients)):
        assigned[test] = fold
    return assigned
