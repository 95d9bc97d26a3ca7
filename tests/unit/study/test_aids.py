"""What a study keeps of the CNN's answer: all that is shown, and nothing of a map that shows nothing."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest

from gui.study.reading_aid import prediction_of
from imaging.geometry import HipRegion
from imaging.radiograph import Side
from inference.prediction import Decision, Engine, Prediction, SaliencyMap, Suitability
from study.aids import Aid, as_aid

REGION = HipRegion(10.0, 20.0, 30.0, 40.0, side=Side.LEFT)


def prediction(**changes) -> Prediction:
    values = np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3)
    made = Prediction(
        region=REGION,
        decision=Decision.LOOSE,
        reason="",
        probability=0.83,
        stem_probability=0.8,
        cup_probability=0.1,
        saliency=SaliencyMap(values, REGION.squared(), (0.2, 0.9), "Grad-CAM"),
        suitability=Suitability(True),
        zone_shares={},
        model_id="lucency-1",
        model_version="1.1.0",
        model_sha256="ab" * 32,
        engine=Engine.CPU,
        elapsed_s=1.0,
    )
    return dataclasses.replace(made, **changes)


def test_what_readers_are_shown_is_what_the_cnn_said():
    told = prediction()
    kept = msgspec.json.decode(msgspec.json.encode(as_aid(told, "c1")), type=Aid)
    assert (kept.case_id, kept.decision) == ("c1", "loose")
    shown = prediction_of(kept, Side.LEFT)
    for name in ("decision", "reason", "model_id", "model_sha256"):
        assert getattr(shown, name) == getattr(told, name)
    assert shown.score == pytest.approx(told.score)
    assert shown.region.box == told.region.box
    assert np.array_equal(shown.saliency.values, told.saliency.values)
    assert shown.saliency.region.box == told.saliency.region.box
    assert (shown.saliency.levels, shown.saliency.method) == (told.saliency.levels, told.saliency.method)


@pytest.mark.parametrize("values", [np.zeros((2, 3), np.float32), np.full((2, 3), np.nan, np.float32), None])
def test_a_map_that_shows_nothing_is_none(values):
    saliency = None if values is None else SaliencyMap(values, REGION, (0.2, 0.9), "Grad-CAM")
    assert as_aid(prediction(saliency=saliency)).map is None


def test_not_assessable_has_no_score_but_a_reason():
    told = prediction(
        decision=Decision.NOT_ASSESSABLE, probability=None, reason="No replacement was found.", saliency=None
    )
    kept = as_aid(told, "c2")
    assert (kept.decision, kept.score, kept.reason) == ("not_assessable", None, "No replacement was found.")
    shown = prediction_of(kept, Side.UNKNOWN)
    assert shown.score is None
    assert not shown.suitability.assessable
