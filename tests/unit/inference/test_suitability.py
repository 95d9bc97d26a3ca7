"""What is refused, and the sentence that says why."""

from __future__ import annotations

import numpy as np
import pytest

from imaging.geometry import HipRegion
from imaging.radiograph import View
from inference.model_bundle import FeatureStatistics, SuitabilityRule
from inference.suitability import feature_distance, judge_file, judge_outputs, unlike_training
from tests.unit.inference.bundles import SENTENCES, card, hip, radiograph

PIXELS = np.pad(hip(), 100, mode="reflect")
REGION = HipRegion(50, 50, 150, 150)
LEVELS = {"implant": 0.25, "ap_view": 0.8}


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"modality": "CT"}, "a CT image"),
        ({"modality": "US"}, "an ultrasound image"),
        ({"body_part": "CHEST"}, "a chest"),
        ({"body_part": "T-Spine "}, "a thoracic spine"),
        ({"view": View.LATERAL}, "a lateral view"),
    ],
)
def test_what_the_file_says_of_itself(fields: dict[str, object], part: str) -> None:
    verdict = judge_file(radiograph(PIXELS, **fields), REGION)
    assert verdict is not None
    assert not verdict.assessable
    assert part in verdict.reason
    assert verdict.reason.endswith(".")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"modality": "DX"},
        {"modality": "OT"},
        {"body_part": "PELVIS"},
        {"body_part": "LEG"},
        {"body_part": "HIP JOINT"},
        {"view": View.AP},
    ],
)
def test_what_may_well_be_a_hip_is_left_to_the_network(fields: dict[str, object]) -> None:
    assert judge_file(radiograph(PIXELS, **fields), REGION) is None


@pytest.mark.parametrize(
    ("pixels", "region", "part"),
    [
        (PIXELS, HipRegion(250, 250, 200, 200), "outside the image"),
        (PIXELS, HipRegion(900, 900, 200, 200), "outside the image"),
        (PIXELS, HipRegion(10, 10, 40, 40), "too few pixels"),
        (np.full((200, 200), 7.0), HipRegion(0, 0, 200, 200), "blank"),
    ],
)
def test_regions_without_a_hip_in_them(pixels: np.ndarray, region: HipRegion, part: str) -> None:
    verdict = judge_file(radiograph(pixels), region)
    assert verdict is not None
    assert part in verdict.reason


def test_a_long_narrow_image_may_be_assessed_whole() -> None:
    tall = np.random.default_rng(0).random((900, 200))
    assert judge_file(radiograph(tall), HipRegion(-350, 0, 900, 900)) is None


def test_the_least_seen_gives_the_sentence() -> None:
    assert judge_outputs(card(), {"implant": 0.9, "ap_view": 0.9}).assessable
    assert judge_outputs(card(), {"implant": 0.1, "ap_view": 0.1}).reason == SENTENCES["implant"]
    assert judge_outputs(card(), {"implant": 0.9, "ap_view": 0.1}).reason == SENTENCES["ap_view"]
    assert judge_outputs(card(), {"implant": 0.3, "ap_view": 0.4}).reason == SENTENCES["implant"]
    strict = {name: SuitabilityRule(threshold=level, sentence=SENTENCES[name]) for name, level in LEVELS.items()}
    refused = judge_outputs(card(suitability=strict), {"implant": 0.27, "ap_view": 0.6})
    assert refused.reason == SENTENCES["implant"]  # of a native hip, though "AP view" alone missed its threshold
    assert not judge_outputs(card(), {"implant": float("nan"), "ap_view": 0.9}).assessable


@pytest.mark.parametrize(
    ("scores", "name"),
    [
        ({"implant": 0.02, "ap_view": 0.9, "complete": 0.4, "covered_design": 0.001}, "implant"),  # a native hip
        ({"implant": 0.9, "ap_view": 0.002, "complete": 0.001, "covered_design": 0.001}, "ap_view"),  # a lateral view
        ({"implant": 0.9, "ap_view": 0.2, "complete": 0.002, "covered_design": 0.02}, "complete"),  # cropped
        ({"implant": 0.9, "ap_view": 0.9, "complete": 0.7, "covered_design": 0.1}, "covered_design"),
        ({"implant": 0.7, "ap_view": 0.9, "complete": 0.8, "covered_design": 0.8}, "implant"),  # below its threshold
        ({"implant": 0.9, "ap_view": 0.9, "complete": 0.9, "covered_design": 0.9}, None),
    ],
)
def test_what_is_missing_is_named(scores: dict[str, float], name: str | None) -> None:
    levels = {"implant": 0.8, "ap_view": 0.5, "complete": 0.45, "covered_design": 0.2}
    rules = {each: SuitabilityRule(threshold=level, sentence=f"No {each}.") for each, level in levels.items()}
    verdict = judge_outputs(card(suitability=rules), scores)
    assert verdict.assessable is (name is None)
    assert verdict.reason == (f"No {name}." if name else "")


def statistics(limit: float = 3.0) -> FeatureStatistics:
    """Of two features around (0, 1) on two axes: the first as it is, half of the second."""
    mean, projection = np.array([0, 1], "<f4"), np.array([[1, 0], [0, 0.5]], "<f4")
    return FeatureStatistics(mean=mean.tobytes(), projection=projection.tobytes(), limit=limit)


def test_distance_is_measured_on_the_bundle_s_axes() -> None:
    told = card(feature_statistics=statistics())
    near, far = np.array([1.0, 3.0], np.float32), np.array([10.0, 21.0], np.float32)
    assert feature_distance(told, near) == pytest.approx(1.0)
    assert feature_distance(told, far) == pytest.approx(10.0)
    assert not unlike_training(told, near)
    assert unlike_training(told, far)
    assert unlike_training(told, np.array([np.nan, 0], np.float32))


def test_without_statistics_or_features_nothing_is_unlike() -> None:
    told = card(feature_statistics=statistics())
    assert feature_distance(told, np.zeros(3, np.float32)) is None
    assert feature_distance(card(), np.zeros(2, np.float32)) is None
    assert not unlike_training(told, np.full(3, 1e9, np.float32))
    assert not unlike_training(told, None)
    assert not unlike_training(card(), np.full(2, 1e9, np.float32))
