"""How far a reader's answer and the CNN's agree: call, zones, marks against the map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inference.prediction import Decision, Prediction, SaliencyMap
from study.localisation import compare_marks
from study.model import Annotation, Call, Reading

CALL_OF_DECISION = {
    Decision.LOOSE: Call.LOOSE,
    Decision.NOT_LOOSE: Call.NOT_LOOSE,
    Decision.INDETERMINATE: Call.CANNOT_TELL,
}


@dataclass(frozen=True)
class Agreement:
    """None wherever one of the two said nothing that could be compared."""

    same_call: bool | None
    score_difference: float | None  # the reader's minus the CNN's, on 0-100
    marked_zones: tuple[str, ...]  # zones in which the reader found something
    attention_in_marked_zones: float | None  # share of the map's mass, 0-1
    peak_on_mark: bool | None  # the map's maximum lies on a mark, to within one cell of the map
    iou: float | None  # marked area against the map above its low level


def compare(reading: Reading, prediction: Prediction) -> Agreement:
    marked = tuple(finding.zone for finding in reading.findings if finding.lucency or finding.osteolysis)
    shares = prediction.zone_shares
    # A zone that the CNN could not place has no share, which is not a share of nothing.
    attention = float(sum(shares[zone] for zone in marked)) if marked and shares.keys() >= set(marked) else None
    cnn_call = CALL_OF_DECISION.get(prediction.decision)
    same_call = None if reading.call is None or cnn_call is None else reading.call is cnn_call
    difference = None if reading.score is None or prediction.score is None else reading.score - prediction.score
    peak_on_mark, iou = _compare_marks(reading.annotations, prediction.saliency)
    return Agreement(same_call, difference, marked, attention, peak_on_mark, iou)


def _compare_marks(marks: Sequence[Annotation], saliency: SaliencyMap | None) -> tuple[bool | None, float | None]:
    if saliency is None:
        return None, None
    found = compare_marks(marks, saliency.values, saliency.region, saliency.levels[0])
    return (None, None) if found is None else (found.peak_on_mark, found.iou)
