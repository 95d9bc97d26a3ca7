"""From a slot to the hip on screen, and from the form to the reading that is locked."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from gui.cases import Hip
from gui.draft import Answer
from imaging.geometry import HipRegion
from imaging.radiograph import Radiograph, Side, SideSource, SpacingSource
from inference.prediction import Prediction
from study.design import PlannedCase
from study.model import Annotation, CaseKey, Reader, Reading, ReadingMode
from study.session import SlotState


def hip_of(state: SlotState, case: PlannedCase, radiograph: Radiograph) -> Hip:
    """With the answer that is locked already, where one is."""
    rows, cols = radiograph.shape
    side = Side(case.side)
    source = SideSource.NONE if side is Side.UNKNOWN else SideSource.STUDY
    hip = Hip(HipRegion(*(case.box or (0.0, 0.0, float(cols), float(rows))), side=side, side_source=source))
    hip.reading, hip.final = state.unaided, state.aided
    hip.cnn_seen = bool(state.revealed_utc)
    shown = state.aided or state.unaided
    if shown is not None:
        hip.answer = Answer.of(shown)
        utc = state.aided_utc or state.unaided_utc
        hip.recorded_at = datetime.fromisoformat(utc).astimezone()
    return hip


def compose(
    hip: Hip,
    state: SlotState,
    case: PlannedCase,
    reader: Reader,
    mode: ReadingMode,
    *,
    locked: Reading | None,
    seen: Prediction | None,
    marks: Sequence[Annotation],
    spacing: tuple[tuple[float, float] | None, SpacingSource],
    app_version: str,
) -> Reading:
    """The reading of what the form and the image hold now. locked: the answer that it corrects; seen: of the CNN."""
    answer = hip.answer
    spacing_mm, spacing_source = spacing
    return Reading(
        id=locked.id if locked is not None else uuid.uuid4().hex,
        case=CaseKey(case.image_sha256, 0, hip.region.box, case.side),
        reader=reader,
        mode=mode,
        call=answer.call,
        score=answer.score,
        stem_call=answer.stem_call,
        cup_call=answer.cup_call,
        findings=answer.findings,
        annotations=tuple(marks),
        comment=answer.comment,
        not_assessable_reason=answer.not_assessable_reason,
        # How the case was looked at before the answer is not changed by correcting it.
        viewing=locked.viewing if locked is not None else hip.viewing.record(),
        revises=state.unaided.id if mode is ReadingMode.REVISED and state.unaided is not None else "",
        app_version=app_version,
        model_id=seen.model_id if seen is not None else "",
        model_sha256=seen.model_sha256 if seen is not None else "",
        cnn_score=seen.score if seen is not None else None,
        spacing_mm=spacing_mm,
        spacing_source=spacing_source.value,
        side_source=hip.region.side_source.value,
    )
