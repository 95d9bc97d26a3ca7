"""Stem and cup one by one: what the film shows is assessed, what it cuts off is not, and the hip follows its parts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.model_bundle import FixationRule, IndeterminateBand, OperatingPoint, PartRule
from inference.parts import fixation_of, hip_decision, judge_parts, zones_off_film
from inference.prediction import Decision

# A left hip in an image of 400 x 400: head up and medial, tip below.
LANDMARKS = {
    "head_center": (150.0, 90.0, 0.9),
    "stem_tip": (230.0, 350.0, 0.9),
    "stem_axis_top": (215.0, 140.0, 0.9),
    "shoulder": (235.0, 130.0, 0.9),
    "cup_rim_lateral": (195.0, 75.0, 0.9),
    "cup_rim_medial": (110.0, 115.0, 0.9),
}
SURE = {"stem": 0.2, "cup": 0.1, "stem_complete": 0.95, "cup_complete": 0.95, "cemented": 0.9}


def card(**changes: Any) -> Any:
    known: dict[str, Any] = {
        "parts": {
            "stem": PartRule(complete="stem_complete", threshold=0.5),
            "cup": PartRule(complete="cup_complete", threshold=0.5),
        },
        "operating_point": OperatingPoint(threshold=0.6, chosen_on="test"),
        "indeterminate": None,
        "fixation": FixationRule(output="cemented", cemented_from=0.7, cementless_to=0.3),
    }
    return SimpleNamespace(**(known | changes))


def test_both_parts_are_assessed_where_both_are_shown() -> None:
    found = judge_parts(card(), SURE, LANDMARKS, (400, 400), 300.0)
    assert [part.decision for part in found.values()] == [Decision.NOT_LOOSE, Decision.NOT_LOOSE]
    assert hip_decision(found) == (Decision.NOT_LOOSE, "", 0.2)


def test_a_stem_that_the_network_finds_cut_off_is_not_assessed() -> None:
    landmarks = {name: point for name, point in LANDMARKS.items() if name != "stem_tip"}
    found = judge_parts(card(), SURE | {"stem_complete": 0.1, "stem": 0.99}, landmarks, (400, 400), 300.0)
    assert found["stem"].probability is None
    assert found["stem"].reason == "The film ends above the tip of the stem."
    decision, reason, probability = hip_decision(found)
    assert (decision, probability) == (Decision.NOT_LOOSE, 0.1), "what is not assessed does not decide"
    assert reason == "Judged by the cup alone. The film ends above the tip of the stem."


def test_the_film_s_own_edge_counts() -> None:
    """The network takes the stem for complete, but most of its zones are off the film."""
    found = judge_parts(card(), SURE, LANDMARKS, (180, 400), 300.0)
    assert found["stem"].decision is Decision.NOT_ASSESSABLE
    assert set(found["stem"].missing_zones) >= {"3", "4", "5"}
    assert "zones" in found["stem"].reason
    assert found["cup"].decision is Decision.NOT_LOOSE
    assert zones_off_film({name: point[:2] for name, point in LANDMARKS.items()}, (400, 400)) == ()


def test_a_tip_on_the_film_s_edge_is_no_tip() -> None:
    """Where the stem leaves the film the network puts its tip on the edge, and is sure of it."""
    edge = LANDMARKS | {"stem_tip": (228.0, 350.0, 0.95)}
    found = judge_parts(card(), SURE, edge, (353, 400), 300.0)
    assert found["stem"].reason.startswith("The film ends above the tip of the stem")
    assert found["cup"].decision is Decision.NOT_LOOSE
    assert judge_parts(card(), SURE, edge, (370, 400), 300.0)["stem"].probability == SURE["stem"]
    unsure = LANDMARKS | {"stem_tip": (228.0, 350.0, 0.6)}
    assert judge_parts(card(), SURE, unsure, (358, 400), 300.0)["stem"].probability is None
    assert judge_parts(card(), SURE, edge, (358, 400), 300.0)["stem"].probability == SURE["stem"]


def test_a_hip_of_which_nothing_is_shown_is_not_assessable() -> None:
    found = judge_parts(card(), SURE | {"stem_complete": 0.1, "cup_complete": 0.1}, LANDMARKS, (400, 400), 300.0)
    decision, reason, probability = hip_decision(found)
    assert (decision, probability) == (Decision.NOT_ASSESSABLE, None)
    assert "stem" in reason
    assert "cup" in reason


@given(stem=st.floats(0, 1), cup=st.floats(0, 1), low=st.floats(0.3, 0.6), high=st.floats(0.6, 0.8))
def test_hip_and_parts_never_contradict_each_other(stem: float, cup: float, low: float, high: float) -> None:
    band = IndeterminateBand(low=low, high=high)
    found = judge_parts(card(indeterminate=band), SURE | {"stem": stem, "cup": cup}, LANDMARKS, (400, 400), 300.0)
    decision, _, probability = hip_decision(found)
    assert probability == max(stem, cup)
    said = {part.decision for part in found.values()}
    assert decision in said
    assert (decision is Decision.LOOSE) == (Decision.LOOSE in said)
    if decision is Decision.NOT_LOOSE:
        assert said == {Decision.NOT_LOOSE}


@pytest.mark.parametrize(
    ("probability", "fixation"),
    [(0.9, "cemented"), (0.7, "cemented"), (0.5, ""), (0.3, "cementless"), (float("nan"), "")],
)
def test_fixation_is_named_where_the_network_is_sure(probability: float, fixation: str) -> None:
    assert fixation_of(card(), SURE | {"cemented": probability})[0] == fixation
    assert fixation_of(card(fixation=None), SURE) == ("", None)


def test_bundles_without_parts_say_nothing_of_them() -> None:
    assert judge_parts(card(parts={}), SURE, LANDMARKS, (400, 400), 300.0) == {}
