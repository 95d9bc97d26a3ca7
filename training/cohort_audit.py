"""The audit of a hospital's cohort before training: does anything but the hip tell loose from fixed?

Two kinds of short cuts: what the CSV and the files say (fixation, side, date, source, size …), and what is seen
without seeing any line (a thumbnail, the border, the grey levels, the sharpness). Each is asked for the label by
cross-validation that keeps patients together. Repeated films are found by how they look, whatever their names.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from imaging.radiograph import Radiograph, Side
from imaging.reader import read_radiograph
from imaging.sources import Source
from inference.prediction import InferenceError
from inference.preprocess import crop_region, network_input
from training.audit import (
    CLASSIFIERS,
    COLUMN,
    Finding,
    Vector,
    border_of,
    finding_of,
    grey_counts,
    measure_feature,
    out_of_fold,
    shrunk,
    table,
)
from training.cohort import CohortCase, CohortError, check_cohort, patient_folds, read_cohort
from training.strata import auc_within, strata_columns, strata_rows

LOOK = 256  # pixels a side of the crop that is looked at
PRINT = 32  # pixels a side of what films are compared by
# Correlation from which two films count as one. Among 140 public crops no two films of two patients reached more than
# .82; copies that were re-encoded, toned or mirrored have .88 and more. A film that was cropped elsewhere is not found.
REPEATED = 0.85
MAX_CATEGORIES = 12
FOLDS = 5
FROZEN = "frozen ImageNet features"
SEEN = {
    "thumbnail": "A thumbnail of 8 x 8 pixels, too coarse for any line,",
    "border": "The border of the image",
    "grey levels": "The histogram of grey levels",
    "sharpness": "The sharpness of the image",
}


@dataclass(frozen=True)
class Seen:
    """What one image gives: content-free features by name, facts about its file, and what it is compared by."""

    features: dict[str, Vector]
    facts: dict[str, str]
    print: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Repeat:
    """Two rows of the CSV that show the same film, perhaps mirrored."""

    first: int  # index of the case
    second: int
    likeness: float  # correlation


@dataclass(frozen=True)
class CohortAudit:
    findings: list[Finding]
    tables: dict[str, dict[str, tuple[int, int]]]  # column -> category -> (loose, fixed)
    repeats: list[Repeat]
    advice: list[str]
    strata: dict[str, dict[str, Any]]  # of the frozen features, as in training/strata.py; empty without them


def audit_cohort(cases: Sequence[CohortCase], frozen: Path | None = None, seed: int = 1) -> CohortAudit:
    """Everything that tells the label, each with its AUC, and advice in sentences.

    `frozen` is a file of SqueezeNet's ImageNet weights: what its pooled features tell is measured overall and within
    strata. ValueError without ten hips and five patients of each class.
    """
    loose = np.array([case.loose for case in cases])
    patients = np.array([case.patient for case in cases])
    for of, name in ((loose, "loose"), (~loose, "fixed")):
        if of.sum() < 2 * FOLDS or len(set(patients[of])) < FOLDS:
            raise ValueError(
                f"An audit needs at least {2 * FOLDS} {name} hips of {FOLDS} patients: the cohort has {int(of.sum())} "
                f"of {len(set(patients[of]))}."
            )
    seen = [look_at(case) for case in cases]
    repeats = repeated_films([each.print for each in seen], [case.path for case in cases])
    # The same film under two names must not be in two folds: it would be recognised, and counted as a short cut.
    groups = np.array(joined(patients.tolist(), repeats))
    folds = folds_of(cases, groups.tolist(), seed)
    columns = columns_of(cases, seen)
    findings, tables = [], {}
    for name, values in columns.items():
        encoded = encode(values, loose, folds)
        if encoded is None:
            continue
        matrix, categories = encoded
        findings.append(measure_feature(name, COLUMN, matrix, loose, groups, folds))
        if categories:
            counts = Counter(zip(values, loose.tolist(), strict=True))
            tables[name] = {value: (counts[value, True], counts[value, False]) for value in sorted(set(values))}
    features = {name: np.array([each.features[name] for each in seen]) for name in seen[0].features}
    for name, measured in features.items():
        for kind in CLASSIFIERS:
            findings.append(measure_feature(name, kind, measured, loose, groups, folds))
    told = advice(cases, findings, tables, repeats)
    strata: dict[str, dict[str, Any]] = {}
    if frozen is not None:
        scores = out_of_fold("linear", frozen_features(cases, frozen), loose, folds)
        findings.append(finding_of(FROZEN, "linear", scores, loose, groups))
        strata = auc_within(loose, scores, groups.tolist(), strata_columns(cases))
    return CohortAudit(findings, tables, repeats, told, strata)


# What an image gives


def look_at(case: CohortCase) -> Seen:
    """RadiographError when the file cannot be read."""
    radiograph = read_radiograph(Source(case.path))
    grey = crop_region(radiograph.pixels, case.region(radiograph), LOOK)
    if case.side is Side.RIGHT:
        grey = grey[:, ::-1]
    pixels = radiograph.pixels
    low, high = float(pixels.min()), float(pixels.max())
    whole = (pixels - low) / (high - low) if high > low else np.zeros_like(pixels)
    features = {
        "thumbnail": shrunk(grey, 8).ravel(),
        "border": border_of(whole),
        "grey levels": np.concatenate([grey_counts(whole), grey_counts(grey)]),
        "sharpness": sharpness_of(grey),
    }
    return Seen(
        {name: np.asarray(values, np.float64) for name, values in features.items()},
        facts_of(case, radiograph),
        print_of(grey),
    )


def sharpness_of(grey: npt.NDArray[np.float32]) -> Vector:
    """How much detail there is at four scales, and how far edges overshoot."""
    bands = []
    for sigma in (0.7, 1.4, 2.8, 5.6):
        detail = ndimage.gaussian_filter(grey, sigma) - ndimage.gaussian_filter(grey, 2 * sigma)
        bands += [np.log(detail.std() + 1e-6), *np.percentile(np.abs(detail), (90, 99))]
    return np.array(bands)


def facts_of(case: CohortCase, radiograph: Radiograph) -> dict[str, str]:
    """What the file says besides its pixels; as words, so that they are treated as the CSV's columns are."""
    rows, cols = radiograph.pixels.shape
    return {
        "rows of pixels": str(rows),
        "columns of pixels": str(cols),
        "height to width": f"{rows / cols:.3f}",
        "bits": str(radiograph.bits),
        "bytes per pixel": f"{case.path.stat().st_size / radiograph.pixels.size:.4f}",
        "file type": case.path.suffix.lower(),
        "folder": case.path.parent.name,
        "manufacturer": radiograph.manufacturer,
        "date in the file": radiograph.acquired_on,
        "side in the file": str(radiograph.side),
    }


def print_of(grey: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(PRINT, PRINT): a small image without its slow slopes, mean 0 and norm 1: tone and exposure leave it alone."""
    small = shrunk(grey, PRINT)
    flat = small - ndimage.gaussian_filter(small, 3)
    flat = flat - flat.mean()
    norm = float(np.linalg.norm(flat))
    return flat / norm if norm > 1e-6 else np.zeros_like(flat)


def repeated_films(prints: Sequence[npt.NDArray[np.float32]], paths: Sequence[Path]) -> list[Repeat]:
    """Pairs that look alike, as they are or mirrored. The hips of one file are no repeats of each other."""
    flat = np.array([each.ravel() for each in prints])
    mirrored = np.array([each[:, ::-1].ravel() for each in prints])
    likeness = np.maximum(flat @ flat.T, flat @ mirrored.T)
    return [
        Repeat(int(first), int(second), float(likeness[first, second]))
        for first, second in zip(*np.nonzero(np.triu(likeness >= REPEATED, 1)), strict=True)
        if paths[first] != paths[second]
    ]


def joined(patients: Sequence[str], repeats: Sequence[Repeat]) -> list[str]:
    """The patient of each case, one name for all patients who share a film."""
    names = {str(patient): str(patient) for patient in patients}

    def root(name: str) -> str:
        while names[name] != name:
            name = names[name]
        return name

    for repeat in repeats:
        names[root(str(patients[repeat.first]))] = root(str(patients[repeat.second]))
    return [root(str(patient)) for patient in patients]


def folds_of(cases: Sequence[CohortCase], groups: Sequence[str], seed: int) -> npt.NDArray[np.int_]:
    """Folds of our own: the CSV's may be part of the trouble."""
    regrouped = [
        CohortCase(case.row, case.path, group, case.side, case.loose) for case, group in zip(cases, groups, strict=True)
    ]
    return patient_folds(regrouped, FOLDS, seed)


def frozen_features(cases: Sequence[CohortCase], weights: Path) -> npt.NDArray[np.float64]:
    """(n, 512) SqueezeNet's pooled activations. WeightsError where the file does not fit."""
    import torch

    from inference.networks import create

    network = create("squeezenet1_1", 1, weights).eval()
    spec = network.architecture.spec
    found = []
    with torch.inference_mode():
        for case in cases:
            radiograph = read_radiograph(Source(case.path))
            given = network_input(radiograph.pixels, case.region(radiograph), spec)
            found.append(network.forward_features(torch.from_numpy(given)[None])[0].mean(dim=(1, 2)).double().numpy())
    return np.array(found)


# Columns


def columns_of(cases: Sequence[CohortCase], seen: Sequence[Seen]) -> dict[str, list[str]]:
    """Every column by name: those of the CSV, then what the files say."""
    columns = {"side": [str(case.side) for case in cases], "date": [case.date for case in cases]}
    for name in dict.fromkeys(name for case in cases for name in case.columns):
        columns[name] = [case.columns.get(name, "") for case in cases]
    if any(case.box for case in cases):
        columns["region height to width"] = [
            "" if not case.box else f"{case.box[3] / case.box[2]:.3f}" for case in cases
        ]
        columns["region width"] = ["" if not case.box else f"{case.box[2]:.0f}" for case in cases]
    for name in seen[0].facts:
        columns[f"file: {name}"] = [each.facts[name] for each in seen]
    return columns


def encode(
    values: Sequence[str], loose: npt.NDArray[np.bool_], folds: npt.NDArray[np.int_]
) -> tuple[npt.NDArray[np.float64], bool] | None:
    """(n, 1) scores from a column, and whether it has categories; None where it says nothing or names every hip.

    Categories score by how many hips in the other folds are loose in them, shrunk to the overall share; numbers and
    dates by the better direction in the other folds.
    """
    known = [value for value in values if value]
    if len(set(values)) < 2:
        return None
    numbers = [_number(value) for value in values]
    missing = sum(number is None for number in numbers)
    if len(set(known)) > MAX_CATEGORIES:
        if missing > len(values) - len(known):  # not all of them are numbers
            return None
        middle = float(np.median([number for number in numbers if number is not None]))
        measured = np.array([middle if number is None else number for number in numbers])
        return _directed(measured, loose, folds)[:, None], False
    scores = np.zeros(len(values))
    column = np.array(values)
    for fold in set(folds.tolist()):
        others, own = folds != fold, folds == fold
        base = loose[others].mean()
        for category in set(column[own]):
            same = others & (column == category)
            scores[own & (column == category)] = (loose[same].sum() + 2 * base) / (same.sum() + 2)
    return scores[:, None], True


def _directed(values: npt.NDArray[np.float64], loose: npt.NDArray[np.bool_], folds: npt.NDArray[np.int_]) -> Vector:
    """Ranks from 0 to 1, turned in each fold so that higher means loose in the others."""
    ranks = np.searchsorted(np.sort(values), values, side="left") + np.searchsorted(
        np.sort(values), values, side="right"
    )
    scores = ranks / (2 * len(values))
    out = np.empty(len(values))
    for fold in set(folds.tolist()):
        others = folds != fold
        upwards = scores[others & loose].mean() >= scores[others & ~loose].mean()
        out[folds == fold] = scores[folds == fold] if upwards else 1 - scores[folds == fold]
    return out


def _number(text: str) -> float | None:
    """A number, or a date as days; None for anything else."""
    try:
        return float(text)
    except ValueError:
        pass
    digits = re.sub(r"\D", "", text)
    try:
        return (
            float(date.fromisoformat(f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}").toordinal())
            if len(digits) == 8
            else None
        )
    except ValueError:
        return None


# Advice


def advice(
    cases: Sequence[CohortCase],
    findings: Sequence[Finding],
    tables: Mapping[str, Mapping[str, tuple[int, int]]],
    repeats: Sequence[Repeat],
) -> list[str]:
    """Plain sentences: what tells the label, which films are repeated, what crosses folds, and what to do."""
    told: list[str] = []
    level = len(findings)
    telling = [finding for finding in findings if finding.telling(level)]
    columns = [finding for finding in telling if finding.classifier == COLUMN]
    images: dict[str, Finding] = {}
    for finding in telling:
        if finding.classifier != COLUMN and finding.auc > (
            images[finding.feature].auc if finding.feature in images else 0
        ):
            images[finding.feature] = finding
    for finding in sorted(columns, key=lambda each: -each.auc):
        counts = "; ".join(
            f"{category or 'empty'}: {yes} of {yes + no} loose"
            for category, (yes, no) in tables.get(finding.feature, {}).items()
        )
        told.append(
            f"The column “{finding.feature}” alone tells loose from fixed (AUC {_auc(finding)})"
            + (f": {counts}." if counts else ".")
        )
    told += [f"{SEEN[name]} alone tells loose from fixed (AUC {_auc(finding)})." for name, finding in images.items()]
    if telling:
        told.append(
            "A network trained on this cohort can learn these instead of loosening. Balance the cohort, or report every figure "
            "within strata, and test on a cohort in which they do not go with the label."
        )
        if any(finding.feature in tables and not finding.feature.startswith("file: ") for finding in columns):
            told.append("`cross-validate` reports the AUC within the strata of such a column.")
    else:
        widest = max((finding.ci[1] for finding in findings), default=0.5)
        told.append(
            f"Nothing here tells loose from fixed by more than chance. With {len(cases)} hips an AUC of up to {widest:.2f} "
            "cannot be excluded, and only what was measured here was asked."
        )
    told += list(_about_repeats(cases, repeats))
    folds: dict[str, set[int]] = defaultdict(set)
    for case in cases:
        if case.fold is not None:
            folds[case.patient].add(case.fold)
    told += [
        f"Patient {patient} is in the folds {', '.join(map(str, sorted(own)))}: one patient belongs to one fold."
        for patient, own in sorted(folds.items())
        if len(own) > 1
    ]
    return told


def _auc(finding: Finding) -> str:
    return f"{finding.auc:.2f}, 95 % CI {finding.ci[0]:.2f}–{finding.ci[1]:.2f}"


def _about_repeats(cases: Sequence[CohortCase], repeats: Sequence[Repeat]) -> list[str]:
    told = []
    for repeat in repeats:
        first, second = cases[repeat.first], cases[repeat.second]
        sentence = f"Rows {first.row} and {second.row} show the same film ({first.path.name}, {second.path.name})"
        faults = []
        if first.patient != second.patient:
            faults.append("they name two patients")
        if first.loose != second.loose:
            faults.append("their labels differ")
        if first.fold != second.fold:
            faults.append("they are in two folds")
        told.append(sentence + (f": {', '.join(faults)}." if faults else "."))
    if any(cases[repeat.first].patient != cases[repeat.second].patient for repeat in repeats):
        told.append(
            "Give repeated films one patient, or keep one of them: otherwise a network is tested on what it has seen."
        )
    return told


# The command


def as_record(audit: CohortAudit, cases: Sequence[CohortCase]) -> dict[str, Any]:
    """For JSON."""
    return {
        "hips": len(cases),
        "patients": len({case.patient for case in cases}),
        "labels": dict(Counter("loose" if case.loose else "fixed" for case in cases)),
        "findings": [asdict(finding) for finding in audit.findings],
        "categories": audit.tables,
        "repeated": [
            {"rows": [cases[each.first].row, cases[each.second].row], "likeness": each.likeness}
            for each in audit.repeats
        ],
        "strata": audit.strata,
        "advice": audit.advice,
    }


def run_cohort(arguments: argparse.Namespace) -> int:
    """0 when nothing tells the class, 1 when something does, 2 when the audit is not possible."""
    try:
        cases = read_cohort(arguments.cohort)
        check_cohort([replace(case, fold=None) for case in cases], FOLDS)
        audit = audit_cohort(cases, arguments.weights)
    except (CohortError, ValueError, InferenceError) as error:
        print(error, file=sys.stderr)  # noqa: T201 the command's answer
        return 2
    print(table(audit.findings))  # noqa: T201
    if audit.strata:
        print(f"\n{FROZEN}, within strata\n\n| column | stratum | n | loose | AUC (95 % CI) |\n|---|---|---|---|---|")  # noqa: T201
        for row in strata_rows(audit.strata):
            print("| " + " | ".join(map(str, row)) + " |")  # noqa: T201
    print("\n" + "\n".join(f"- {sentence}" for sentence in audit.advice))  # noqa: T201
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(as_record(audit, cases), indent=1) + "\n", encoding="utf-8")
    asked = sum(finding.feature != FROZEN for finding in audit.findings)
    return int(any(finding.telling(asked) for finding in audit.findings if finding.feature != FROZEN))
