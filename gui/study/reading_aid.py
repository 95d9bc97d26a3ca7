"""What a reader package says of the CNN, as the views of the ordinary window take it."""

from __future__ import annotations

from imaging.geometry import HipRegion
from imaging.radiograph import Side
from inference.prediction import Decision, Engine, Prediction, SaliencyMap, Suitability
from study.aids import Aid


def prediction_of(aid: Aid, side: Side) -> Prediction:
    """Whether the answer is a sham cannot be told from it, nor from this. Raises ValueError for a damaged one."""
    decision = Decision(aid.decision)
    saliency = None
    if aid.map is not None:
        saliency = SaliencyMap(
            aid.map.array(), HipRegion(*aid.map.box, side=side, proposed=True), aid.map.levels, aid.map.method
        )
    return Prediction(
        region=HipRegion(*aid.box, side=side, proposed=True),
        decision=decision,
        reason=aid.reason,
        probability=None if aid.score is None else aid.score / 100,
        stem_probability=None,
        cup_probability=None,
        saliency=saliency,
        suitability=Suitability(decision is not Decision.NOT_ASSESSABLE, aid.reason),
        zone_shares={},
        model_id=aid.model_id,
        model_version="",
        model_sha256=aid.model_sha256,
        engine=Engine.CPU,  # computed by the coordinator, beforehand; never shown here
        elapsed_s=0.0,
    )
