"""Words that several views say alike."""

from __future__ import annotations

from imaging.zones import CUP_ZONES, GRUEN_ZONES
from inference.prediction import Prediction
from study.model import ReadingMode

MODE_WORDS = {
    ReadingMode.ASSIST: "with the CNN in view",
    ReadingMode.ANSWER_FIRST: "before the CNN was shown",
    ReadingMode.REVISED: "revised, the CNN in view",
    ReadingMode.ALGORITHM: "the CNN's own",
}


# What a network was trained on, by its card's `training_data`; "" where that needs no warning.
TRAINED_ON = {
    "simulated": "The CNN was trained on simulated radiographs.",
    "inserted": "The CNN was trained on lines inserted into real radiographs and on simulations.",
    "clinical": "",
}


def score_words(score: float) -> str:
    """A score of 0-100 as whole points. What is rounded never claims the certainty of 0 or 100."""
    if 0 < score < 0.5:
        return "<1"
    if 99.5 <= score < 100:
        return ">99"
    return f"{score:.0f}"


def unplaced_zones_words(prediction: Prediction) -> str:
    """A sentence where the CNN has a map but is too unsure of where stem or cup lie to place their zones, else ""."""
    if not prediction.landmarks or prediction.saliency is None or prediction.saliency.is_empty:
        return ""
    has_stem, has_cup = (bool(prediction.zone_shares.keys() & set(zones)) for zones in (GRUEN_ZONES, CUP_ZONES))
    if has_stem and has_cup:
        return ""
    if has_stem or has_cup:
        return f"The CNN is not sure where the {'cup' if has_stem else 'stem'} lies: its zones are not given a share."
    return "The CNN is not sure where stem and cup lie: no zone is given a share."
