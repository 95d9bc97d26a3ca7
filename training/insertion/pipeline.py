"""`python -m training assess-films`: real films through the whole program: locator, region, gate, parts, call.

Unaltered films only. One bundle that saw none of them, or one per fold, as in `evaluate-films`. What counts: is a film that
can be assessed accepted, is what it does not show left out, is a film without a visible line called not loose, and does the
answer stay when the film is mirrored or its tone changes?
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from imaging.reader import read_radiograph
from inference.classifier import Classifier
from inference.model_bundle import Metric, load_bundle
from inference.prediction import Decision, Prediction
from training.dataset import fold_of
from training.evaluate import table
from training.insertion.films import Film, read_films
from training.measure import share

Row = dict[str, Any]
CHANGES: Mapping[str, Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]] = {
    "mirror image": lambda pixels: np.ascontiguousarray(pixels[:, ::-1]),
    "gamma 0.6": lambda pixels: _gamma(pixels, 0.6),
    "gamma 1.5": lambda pixels: _gamma(pixels, 1.5),
}


def _gamma(pixels: npt.NDArray[np.float32], power: float) -> npt.NDArray[np.float32]:
    low, high = float(pixels.min()), float(pixels.max())
    return np.asarray(low + (high - low) * ((pixels - low) / max(high - low, 1e-6)) ** power, np.float32)


def answer(
    predictions: Sequence[Prediction], film: Film, *, mirrored: bool = False, cols: int = 0
) -> Prediction | None:
    """The prediction that is about this hip: for a pelvis the one whose region holds its head."""
    if film.head is None or film.kind != "pelvis":
        return max(predictions, key=lambda one: one.probability or 0.0, default=None)
    x = cols - film.head[0] if mirrored else film.head[0]
    holding = [
        one
        for one in predictions
        if one.region.x <= x <= one.region.x + one.region.width
        and one.region.y <= film.head[1] <= one.region.y + one.region.height
    ]
    return min(holding, key=lambda one: abs(one.region.center[0] - x), default=None)


def assess(classifier: Classifier, film: Film, changes: bool) -> Row:
    radiograph = read_radiograph(film.path)
    row: Row = {
        "film": film.name, "kind": film.kind, "implant": film.implant, "fixation": film.fixation,
        "stem_visible": film.stem_visible, "cup_visible": film.cup_visible, "lucency_seen": film.lucency_seen,
        "plain": _said(answer(classifier.assess(radiograph), film)),
    }  # fmt: skip
    if changes and film.implant == "thr":
        for name, change in CHANGES.items():
            other = replace(radiograph, pixels=change(radiograph.pixels))
            found = answer(classifier.assess(other), film, mirrored=name == "mirror image", cols=radiograph.shape[1])
            row[name] = _said(found)
    return row


def _said(prediction: Prediction | None) -> dict[str, Any]:
    if prediction is None:
        return {"decision": Decision.NOT_ASSESSABLE.value, "reason": "not found", "parts": {}, "probability": None}
    return {
        "decision": prediction.decision.value,
        "reason": prediction.reason,
        "probability": prediction.probability,
        "fixation": prediction.fixation,
        "notice": prediction.notice,
        "parts": {name: part.decision.value for name, part in prediction.parts.items()},
        "scores": {name: round(value, 3) for name, value in prediction.suitability.scores.items()},
    }


def _accepted(said: Mapping[str, Any]) -> bool:
    return bool(said["decision"] != Decision.NOT_ASSESSABLE.value)


def figures(rows: Sequence[Row], name: str) -> list[Metric]:
    thr = [row for row in rows if row["implant"] == "thr"]
    whole = [row for row in thr if row["stem_visible"] == 2 and row["cup_visible"] == 2]
    partial = [row for row in thr if 1 in (row["stem_visible"], row["cup_visible"])]
    found: list[Metric | None] = []
    for kind, words in (("crop", "crops with both parts visible"), ("pelvis", "complete hips on pelves")):
        own = [row for row in whole if row["kind"] == kind]
        found.append(share(f"accepted: {words}", (_accepted(row["plain"]) for row in own), name))
        both = ["not_assessable" not in row["plain"]["parts"].values() and _accepted(row["plain"]) for row in own]
        found.append(share(f"both parts assessed: {words}", both, name))
    parts = [
        (row["plain"]["parts"].get(part, "not_assessable") != "not_assessable", row[f"{part}_visible"])
        for row in partial
        for part in ("stem", "cup")
    ]
    found.append(share("partial hips: visible part assessed", (seen for seen, state in parts if state == 2), name))
    found.append(share("partial hips: cut part not assessed", (not seen for seen, state in parts if state == 1), name))
    for implant, words in (("", "native"), ("resurfacing", "resurfacing"), ("hemi", "hemiarthroplasty")):
        own = [row for row in rows if row["implant"] == implant]
        found.append(share(f"refused: {words}", (not _accepted(row["plain"]) for row in own), name))
    fixed = [row for row in thr if row["lucency_seen"] == "no" and _accepted(row["plain"])]
    strata: dict[str, Callable[[Row], bool]] = {
        "": lambda row: True,
        ", cemented stem": lambda row: row["fixation"] == "cemented",
        ", cementless stem": lambda row: row["fixation"] == "cementless",
        ", pelves": lambda row: row["kind"] == "pelvis",
    }
    for words, member in strata.items():
        own = [row for row in fixed if member(row)]
        found.append(share(f"unaltered film not called loose{words}", (_not_loose(row["plain"]) for row in own), name))
    for part in ("stem", "cup"):
        own = [row for row in fixed if row["plain"]["parts"].get(part, "not_assessable") != "not_assessable"]
        found.append(share(f"{part} not called loose", (row["plain"]["parts"][part] != "loose" for row in own), name))
    known = [row for row in thr if row["fixation"] in ("cemented", "cementless") and _accepted(row["plain"])]
    found.append(share("fixation right", (row["plain"]["fixation"] == row["fixation"] for row in known), name))
    named = [row for row in known if row["plain"]["fixation"]]
    found.append(
        share("fixation right where named", (row["plain"]["fixation"] == row["fixation"] for row in named), name)
    )
    for change in CHANGES:
        own = [row for row in thr if change in row]
        differ = [row[change]["decision"] != row["plain"]["decision"] for row in own]
        found.append(share(f"decision changes: {change}", differ, name))
        taken = [_accepted(row[change]) != _accepted(row["plain"]) for row in own]
        found.append(share(f"acceptance changes: {change}", taken, name))
    return [metric for metric in found if metric is not None]


def _not_loose(said: Mapping[str, Any]) -> bool:
    return bool(said["decision"] != Decision.LOOSE.value)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("assess-films", help="real films through the whole program")
    parser.add_argument("--films", type=Path, required=True, help="folder of real films with its seen.csv")
    parser.add_argument("--bundles", type=Path, nargs="+", required=True, help="one bundle, or one per fold")
    parser.add_argument("--folds", type=int, nargs="*", help="only the films of these folds")
    parser.add_argument("--of", type=int, help="how many folds there are, where fewer bundles are given")
    parser.add_argument("--changes", action="store_true", help="also mirror image and gamma")
    parser.add_argument("--set", default="real films, unaltered")
    parser.add_argument("--rows", type=Path, help="write one JSON line per hip")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    films = read_films(arguments.films)
    folds = arguments.of or len(arguments.bundles)
    rows = []
    for number, path in zip(arguments.folds or range(len(arguments.bundles)), arguments.bundles, strict=True):
        classifier = Classifier(load_bundle(path), "cpu", cpu_threads=1)
        own = [film for film in films if folds == 1 or fold_of(film.group, folds) == number]
        rows += [assess(classifier, film, arguments.changes) for film in own]
    metrics = figures(rows, arguments.set)
    print(table(metrics))  # noqa: T201 the command's answer
    if arguments.rows:
        with arguments.rows.open("w", encoding="utf-8") as stream:
            stream.writelines(json.dumps(row) + "\n" for row in rows)
    if arguments.out:
        arguments.out.write_text(json.dumps(msgspec.to_builtins(metrics), indent=1), encoding="utf-8")
    return 0
