"""Figures on real films with inserted lines: strata, pairs, intervals by patient, the card's own rules."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from inference.lucency_net import OUTPUTS, SUITABILITY
from inference.model_bundle import OperatingPoint, PartRule
from training.insertion.measure import at_operating_point, by_patient, figures, judged
from training.measure import share


def row(film: int, variant: str, stem: float, *, cemented: bool = False, clearness: str = "clear") -> dict[str, Any]:
    """One image of hip number `film`; a patient has two hips."""
    logits = dict.fromkeys(OUTPUTS, 4.0) | {"loose": stem, "stem": stem, "cup": -6.0}
    loose = variant == "loose"
    record: dict[str, Any] = {
        "source": "inserted", "film": f"hip {film}", "group": f"g{film // 2}", "variant": variant, "implant": "thr",
        "fixation": "cemented" if cemented else "cementless",
    }  # fmt: skip
    if variant != "original":
        record |= {"components": ["stem"], "lines": [{"clearness": clearness}]}
    labels = {"loose": float(loose), "stem": float(loose), "cup": 0.0}
    return {
        "record": record,
        "labels": labels,
        "gate": dict.fromkeys(SUITABILITY, 1.0),
        "logits": logits,
        "map_peak": 0.5,
    }


def card() -> Any:
    return SimpleNamespace(
        suitability={},
        parts={name: PartRule(complete=f"{name}_complete", threshold=0.5) for name in ("stem", "cup")},
        temperature={}, bias={}, indeterminate=None, operating_point=OperatingPoint(threshold=0.5, chosen_on="test"),
    )  # fmt: skip


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    rng = np.random.default_rng(1)
    made = []
    for film in range(40):
        hip = rng.normal(0, 1)
        cemented = film % 2 == 0
        made.append(row(film, "original", hip - 2, cemented=cemented))
        made.append(row(film, "sham", hip - 2, cemented=cemented))
        made += [row(film, "loose", hip + 1.5, cemented=cemented, clearness=c) for c in ("clear", "faint", "moderate")]
    return made


def test_a_line_is_compared_with_its_own_original(rows: list[dict[str, Any]]) -> None:
    found = {metric.name: metric for metric in figures(rows, "set")}
    assert found["score with line above original"].value == 1.0
    assert found["score with sham above original"].value == 0.0
    assert found["rise of the logit by a line (median)"].value == pytest.approx(3.5)
    assert 0.5 < found["AUC line against original"].value < 1.0
    assert found["AUC line against original, cemented stem"].n == 20 * 4


def test_the_card_s_rules_decide(rows: list[dict[str, Any]]) -> None:
    found = {metric.name: metric for metric in at_operating_point(judged(rows, card()), card(), "set")}
    truth = [r["labels"]["loose"] for r in rows]
    called = [r["logits"]["stem"] >= 0 for r in rows]
    hits = [call for call, loose in zip(called, truth, strict=True) if loose]
    assert found["sensitivity"].value == pytest.approx(np.mean(hits), abs=1e-4)
    assert found["sensitivity"].n == 120
    assert found["specificity, unaltered films"].n == 40
    cut = [r | {"logits": r["logits"] | {"stem_complete": -4.0, "cup_complete": -4.0}} for r in rows]
    none = {metric.name: metric for metric in at_operating_point(judged(cut, card()), card(), "set")}
    assert none["sensitivity"].value == none["specificity"].value == 0.0, "no answer counts as an error"


def test_intervals_are_by_patient(rows: list[dict[str, Any]]) -> None:
    """Copies of the same images make no interval narrower."""

    def compute(drawn: Any) -> list[Any]:
        found = share("called", (r["logits"]["stem"] >= 0 for r in drawn), "set")
        return [found] if found else []

    def width(chosen: list[dict[str, Any]]) -> float:
        (metric,) = by_patient(chosen, compute, draws=200)
        assert metric.ci is not None
        return metric.ci[1] - metric.ci[0]

    assert width(rows * 5) == pytest.approx(width(rows), rel=0.2)
    (naive,) = compute(rows * 5)
    assert width(rows * 5) > 1.5 * (naive.ci[1] - naive.ci[0])
