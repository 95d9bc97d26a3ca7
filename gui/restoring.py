"""What was entered or recorded for a radiograph before: hips from a draft, from proposals, and their readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gui.cases import Hip
from gui.draft import Answer, Draft, HipDraft
from gui.hip_places import hip_at, whole_image
from gui.viewing import ViewingClock
from imaging.geometry import HipRegion
from imaging.radiograph import Radiograph, Side, SideSource
from inference.prediction import Prediction
from study.model import Annotation, Reading


def hips_of_draft(draft: Draft) -> list[Hip]:
    return [
        Hip(kept.region, answer=kept.answer, viewing=ViewingClock(earlier=kept.viewing), cnn_seen=kept.cnn_seen)
        for kept in draft.hips
    ]


def attach_looks(hips: Sequence[Hip], draft: Draft) -> None:
    """Give what was seen to the hips that are proposed now: a newer network may place them elsewhere.

    What was seen of a region that no hip covers any more counts as seen of every hip: rather too much than too little.
    """
    for kept in draft.hips:
        hip = hip_at(kept.region, hips)
        if hip is not None:
            hip.viewing = ViewingClock(earlier=kept.viewing)
        for each in hips if hip is None else [hip]:
            each.cnn_seen = each.cnn_seen or kept.cnn_seen


def draft_of_hips(
    hips: Sequence[Hip],
    marks: Sequence[Annotation],
    current: int,
    head_spacing_mm: tuple[float, float] | None = None,
) -> Draft:
    return Draft(
        hips=tuple(
            HipDraft(
                box=hip.region.box,
                side=hip.region.side.value,
                proposed=hip.region.proposed,
                answer=hip.answer,
                cnn_seen=hip.cnn_seen,
                viewing=hip.viewing.record(),
                side_source=hip.region.side_source.value,
            )
            for hip in hips
        ),
        annotations=tuple(marks),
        current=current,
        head_spacing_mm=head_spacing_mm,
    )


def hips_of_proposals(
    radiograph: Radiograph, proposals: Sequence[Prediction], failure: tuple[str, str] | None, *, has_engine: bool
) -> list[Hip]:
    """One for each proposal; without any, the whole image is the region, and says why the CNN is silent."""
    if proposals:
        return [Hip(prediction.region) for prediction in proposals]
    return [Hip(whole_image(radiograph), failure=failure, cancelled=has_engine and failure is None)]


def attach_readings(hips: list[Hip], readings: Sequence[Reading], *, answers: bool) -> None:
    """Give every recorded reading to the hip that it is about; a hip that nobody proposed is added.

    `answers`: the form shows them too, unless something was entered since.
    """
    for reading in readings:
        source = SideSource(reading.side_source or SideSource.NONE)
        box = HipRegion(*reading.case.box, side=Side(reading.case.side), side_source=source)
        hip = hip_at(box, hips)
        if hip is None:
            hip = Hip(box)
            hips.append(hip)
        if hip.region.box != box.box and answers:
            hip.region, hip.prediction = box, None
        elif answers:
            hip.region = replace(hip.region, side=box.side, side_source=box.side_source)
        if hip.reading is not None and reading.revises:
            hip.final = reading
        else:
            hip.reading, hip.final = reading, None
        hip.cnn_seen = hip.cnn_seen or reading.cnn_score is not None
        if answers:
            hip.answer = Answer.of(reading)
