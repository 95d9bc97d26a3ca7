"""Figures from scored rows: every one with its n and a 95 % interval, named as the card shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from inference.lucency_net import COMPONENTS, LANDMARKS
from inference.model_bundle import Metric, ModelCard
from inference.suitability import unlike_training
from study.statistics.accuracy import proportion
from study.statistics.roc import NotEstimableError, auc_delong
from training.scoring import assessed_parts, by_kind, lacking, landmark_mm, outcome

Row = Mapping[str, Any]
BOOTSTRAP = 1000
NOT_A_REPLACEMENT = frozenset({"implant", "ap_view"})
JUDGED_BY_PARTS = frozenset({"cropped", "uncovered_design"})  # by bundles that know parts
FITTING = {  # kind of image to refuse -> the gate's outputs whose sentences are true of it
    "native": frozenset({"implant"}),
    **dict.fromkeys(("other_bone", "blank", "noise", "photograph", "text_page"), NOT_A_REPLACEMENT),
    "lateral": frozenset({"ap_view"}),
    "cropped": frozenset({"complete"}),
    "uncovered_design": frozenset({"covered_design", "has_stem", "has_cup", "implant"}),
}


def share(name: str, hits: Iterable[bool], cohort: str) -> Metric | None:
    """A proportion with Wilson's interval; None without cases."""
    values = [bool(hit) for hit in hits]
    if not values:
        return None
    found = proportion(sum(values), len(values))
    assert found.value is not None
    return Metric(name=name, value=_round(found.value), ci=_pair(found.wilson), n=found.n, set=cohort)


def area(name: str, truth: Sequence[int], scores: Sequence[float], cohort: str) -> Metric | None:
    """AUC with DeLong's interval; None when a class is missing."""
    try:
        found = auc_delong(np.asarray(truth), np.asarray(scores))
    except NotEstimableError:
        return None
    return Metric(
        name=name, value=_round(found.auc), ci=_pair(found.ci) if found.ci else None, n=len(truth), set=cohort
    )


def average(
    name: str,
    values: Iterable[float | None],
    cohort: str,
    statistic: Callable[..., Any] = np.mean,
) -> Metric | None:
    """A mean or median with its percentile bootstrap interval (seeded); None without values."""
    known = np.array([value for value in values if value is not None and np.isfinite(value)], float)
    if not len(known):
        return None
    rng = np.random.default_rng(0)
    draws = statistic(known[rng.integers(0, len(known), (BOOTSTRAP, len(known)))], axis=1)
    low, high = np.quantile(draws, (0.025, 0.975))
    return Metric(
        name=name, value=_round(float(statistic(known))), ci=_pair((float(low), float(high))), n=len(known), set=cohort
    )


def _round(value: float) -> float:
    return round(float(value), 4)


def _pair(interval: tuple[float, float]) -> tuple[float, float]:
    return _round(interval[0]), _round(interval[1])


def diagnosis(rows: Sequence[Row], card: ModelCard, cohort: str) -> list[Metric]:
    """Sensitivity, specificity, AUC of suitable hips. Primary: indeterminate and not assessable count as errors."""
    hips = [row for row in rows if row["truth"].get("loose") is not None]
    if not hips:
        return []
    called = [outcome(row, card) for row in hips]
    outputs = card.outputs
    truth = [row["truth"]["loose"] for row in hips]
    decided = [decision in ("loose", "not_loose") for decision, _ in called]
    loose = [value == 1 for value in truth]

    def among(chosen: Iterable[bool], wanted: str) -> list[bool]:
        return [decision == wanted for (decision, _), keep in zip(called, chosen, strict=True) if keep]

    found: list[Metric | None] = [
        share("sensitivity", among(loose, "loose"), cohort),
        share("specificity", among((not value for value in loose), "not_loose"), cohort),
        share(
            "sensitivity where decided",
            among((a and b for a, b in zip(loose, decided, strict=True)), "loose"),
            cohort,
        ),
        share(
            "specificity where decided",
            among((not a and b for a, b in zip(loose, decided, strict=True)), "not_loose"),
            cohort,
        ),
        share("indeterminate", (decision == "indeterminate" for decision, _ in called), cohort),
        share("not assessable", (decision == "not_assessable" for decision, _ in called), cohort),
        share("hip found by the locator", (row["found"] for row in hips), cohort),
    ]
    for name in ("loose", *COMPONENTS):
        known = [row for row in rows if row["truth"].get(name) is not None and row["logits"] is not None]
        found.append(
            area(
                f"AUC {name}",
                [row["truth"][name] for row in known],
                [row["logits"][outputs.index(name)] for row in known],
                cohort,
            )
        )
    judged = [(value, p) for value, (_, p) in zip(truth, called, strict=True) if p is not None]
    found.append(average("Brier score", ((p - value) ** 2 for value, p in judged), cohort))
    found += _subgroups(hips, called, cohort)
    borderline = [row for row in rows if row["record"].get("label") == "borderline"]
    found.append(
        share("borderline hips called loose", (outcome(row, card)[0] == "loose" for row in borderline), cohort)
    )
    return [metric for metric in found if metric is not None]


def _widest_mm(row: Row) -> float | None:
    """Of the loose components' lines; None when none is drawn."""
    widths = [
        part["widest_mm"]
        for part in (row["record"].get(component) for component in COMPONENTS)
        if part and part["label"] == "loose" and part["widest_mm"] > 0
    ]
    return max(widths) if widths else None


def _groups(hips: Sequence[Row]) -> dict[str, list[bool]]:
    """Subgroups of suitable hips by name: who belongs."""
    longest = [max(row["record"]["rows"], row["record"]["cols"]) for row in hips]
    widest = [_widest_mm(row) for row in hips]
    fixations = [(row["record"].get("stem") or {}).get("fixation") for row in hips]
    groups = {f"{name} stem": [fixation == name for fixation in fixations] for name in ("cemented", "cementless")}
    for low, high in ((0, 400), (400, 1000), (1000, None)):
        label = f"image of {low}-{high} px" if high else f"image from {low} px"
        groups[label] = [low <= side < (high or np.inf) for side in longest]
    groups["hard cases"] = [bool(row["record"].get("hard")) for row in hips]
    # Below: of loose hips only.
    for low_mm, high_mm in ((0.0, 2.0), (2.0, 3.0), (3.0, 4.0), (4.0, np.inf)):
        label = f"widest line {low_mm:g}-{high_mm:g} mm" if np.isfinite(high_mm) else f"widest line from {low_mm:g} mm"
        groups[label] = [width is not None and low_mm <= width < high_mm for width in widest]
    groups["stem loose only"] = [row["truth"]["stem"] == 1 and row["truth"]["cup"] != 1 for row in hips]
    groups["cup loose only"] = [row["truth"]["cup"] == 1 and row["truth"]["stem"] != 1 for row in hips]
    zones = sorted({zone for row in hips for part in _loose_parts(row) for zone in part["zones"]})
    for zone in zones:
        groups[f"line in zone {zone}"] = [any(zone in part["zones"] for part in _loose_parts(row)) for row in hips]
    return groups


def _subgroups(hips: Sequence[Row], called: Sequence[tuple[str, float | None]], cohort: str) -> list[Metric | None]:
    found: list[Metric | None] = []
    for name, members in _groups(hips).items():
        own = [
            (row["truth"]["loose"], decision)
            for row, (decision, _), member in zip(hips, called, members, strict=True)
            if member
        ]
        found.append(
            share(f"sensitivity, {name}", (decision == "loose" for truth, decision in own if truth == 1), cohort)
        )
        found.append(
            share(f"specificity, {name}", (decision == "not_loose" for truth, decision in own if truth == 0), cohort)
        )
    return found


def _loose_parts(row: Row) -> list[Mapping[str, Any]]:
    parts = [row["record"].get(component) for component in COMPONENTS]
    return [part for part in parts if part and part["label"] == "loose"]


def saliency(rows: Sequence[Row], cohort: str) -> list[Metric]:
    """Where the map points on loose hips, beside random points; how quiet it is on fixed ones."""
    seen = [row for row in rows if row["logits"] is not None]
    found: list[Metric | None] = []
    for name in ("hip", *COMPONENTS):
        own = [row for row in seen if f"hit_{name}" in row]
        of = "" if name == "hip" else f", {name}"
        found.append(share(f"map maximum on the line{of}", (row[f"hit_{name}"] for row in own), cohort))
        found.append(average(f"the same, random point{of}", (row[f"random_hit_{name}"] for row in own), cohort))
        found.append(
            average(
                f"the same, random point near the implant{of}",
                (row.get(f"random_band_hit_{name}") for row in own),
                cohort,
            )
        )
        for level in ("0.3", "0.5"):
            found.append(
                average(f"mean IoU of map >= {level} and line{of}", (row[f"iou_{name}_{level}"] for row in own), cohort)
            )
    loose = [row for row in seen if row["truth"].get("loose") == 1]
    fixed = [row for row in seen if row["truth"].get("loose") == 0]
    found.append(average("map mass near the interface", (row.get("mass_in_band") for row in loose), cohort))
    found.append(
        average("map mass near the interface, cells from 0.1", (row.get("seen_mass_in_band") for row in loose), cohort)
    )
    found.append(average("map peak, loose (median)", (row["map_peak"] for row in loose), cohort, np.median))
    found.append(average("map peak, well fixed (median)", (row["map_peak"] for row in fixed), cohort, np.median))
    return [metric for metric in found if metric is not None]


def landmarks(rows: Sequence[Row], card: ModelCard, cohort: str) -> list[Metric]:
    """Median distance in mm of each landmark from where it is."""
    distances = [landmark_mm(row, card) for row in rows]
    found = [
        average(f"{name} error, mm (median)", (known.get(name) for known in distances), cohort, np.median)
        for name in LANDMARKS
    ]
    return [metric for metric in found if metric is not None]


def gate(rows: Sequence[Row], card: ModelCard, cohort: str) -> list[Metric]:
    """Shares of each kind of image refused (all proposed regions refused), and of suitable hips accepted."""
    found: list[Metric | None] = []
    for kind, own in sorted(by_kind(rows).items()):
        if kind == "suitable":
            accepted = [outcome(row, card)[0] != "not_assessable" for row in own]
            found.append(share("accepted: suitable", accepted, cohort))
            small = [
                fit
                for row, fit in zip(own, accepted, strict=True)
                if max(row["record"]["rows"], row["record"]["cols"]) <= 256
            ]
            found.append(share("accepted: suitable, up to 256 px", small, cohort))
            found.append(_noted(kind, own, card, cohort))
            continue
        images: dict[tuple[int, int], bool] = {}
        for row in own:
            key = (row["record"]["seed"], row["record"]["index"])
            images[key] = images.get(key, True) and outcome(row, card)[0] == "not_assessable"
        if card.parts and kind in JUDGED_BY_PARTS:
            found += _parts_judged(kind, own, card, cohort)
            continue
        found.append(share(f"refused: {kind}", images.values(), cohort))
        reasons = [reason for row in own if (reason := lacking(row, card))]
        found.append(share(f"refused for a fitting reason: {kind}", (r in FITTING[kind] for r in reasons), cohort))
        found.append(_noted(kind, own, card, cohort))
    return [metric for metric in found if metric is not None]


def _parts_judged(kind: str, rows: Sequence[Row], card: ModelCard, cohort: str) -> list[Metric | None]:
    """Images that are not refused as a whole: are the parts that they show assessed, and the others not?"""
    right: dict[int, list[bool]] = {0: [], 1: []}
    for row in rows:
        if row["logits"] is None:
            continue
        assessed = set() if lacking(row, card) else set(assessed_parts(row, card))
        for name, rule in card.parts.items():
            wanted = row["suitability_targets"].get(rule.complete)
            if wanted in (0, 1):
                right[int(wanted)].append((name in assessed) == bool(wanted))
    return [
        share(f"{kind}: complete part assessed", right[1], cohort),
        share(f"{kind}: cut part not assessed", right[0], cohort),
    ]


def _noted(kind: str, rows: Sequence[Row], card: ModelCard, cohort: str) -> Metric | None:
    """Regions that get the sentence that they look unlike the training set, or would if they were accepted."""
    if card.feature_statistics is None:
        return None
    noted = [unlike_training(card, row["features"]) for row in rows if "features" in row]
    return share(f"unlike what it learnt from: {kind}", noted, cohort)


def measure(rows: Sequence[Row], card: ModelCard, cohort: str) -> list[Metric]:
    """Everything that a set of scored rows can tell."""
    return [
        *diagnosis(rows, card, cohort),
        *saliency(rows, cohort),
        *landmarks(rows, card, cohort),
        *gate(rows, card, cohort),
    ]


def reliability(rows: Sequence[Row], card: ModelCard, bins: int = 10) -> list[tuple[float, float, int]]:
    """(mean probability, share loose, n) per tenth of the probability scale, empty ones left out."""
    pairs = [
        (float(row["truth"]["loose"]), probability)
        for row in rows
        if row["truth"].get("loose") is not None and (probability := outcome(row, card)[1]) is not None
    ]
    truth, p = np.array(pairs, float).reshape(-1, 2).T
    which: npt.NDArray[np.int_] = np.clip((p * bins).astype(int), 0, bins - 1)
    return [
        (_round(p[which == index].mean()), _round(truth[which == index].mean()), int((which == index).sum()))
        for index in range(bins)
        if (which == index).any()
    ]
