"""What an answer may say, and how its findings change: rules of the reading form that need no widgets."""

from __future__ import annotations

import msgspec

from gui.draft import Answer
from imaging.radiograph import Side
from imaging.zones import ZONES
from study.model import CaseKey, Reader, Reading, ReadingError, ReadingMode, ZoneFinding, check_reading


def answer_problem(answer: Answer) -> str:
    """What still keeps this answer from being recorded, as one sentence; "" when nothing does."""
    if answer.call is None and not answer.not_assessable_reason:
        return "Choose loose, not loose or cannot tell."
    reading = Reading(
        id="",
        case=CaseKey("", 0, (0.0, 0.0, 1.0, 1.0), Side.UNKNOWN),
        reader=Reader(""),
        mode=ReadingMode.ASSIST,
        **{field: getattr(answer, field) for field in answer.__struct_fields__},
    )
    try:
        check_reading(reading)
    except ReadingError as error:
        return str(error)
    return ""


def step_score(score: int | None, steps: int) -> int:
    """`steps` away from a score, over 50 and within 0-100. From no score, the first step leans 50 one way."""
    stepped = min(100, max(0, (50 if score is None else score) + steps))
    if stepped == 50:
        stepped += 1 if steps > 0 else -1
    return stepped


def finding_in(answer: Answer, zone: str) -> ZoneFinding:
    """What the answer says of a zone; a finding of nothing where it says nothing."""
    return next((found for found in answer.findings if found.zone == zone), ZoneFinding(zone))


def with_finding(answer: Answer, finding: ZoneFinding) -> tuple[ZoneFinding, ...]:
    """The answer's findings with this one in its place, in the order of the zones; findings of nothing left out."""
    kept = {found.zone: found for found in answer.findings} | {finding.zone: finding}
    return tuple(kept[zone] for zone in ZONES if zone in kept and kept[zone] != ZoneFinding(zone))


def toggled(finding: ZoneFinding, what: str) -> ZoneFinding:
    """The finding with "lucency", "osteolysis" or "not_assessable" the other way round; "clear" takes all back."""
    match what:
        case "lucency":
            on = not finding.lucency
            width_mm = finding.width_mm if on else None
            return msgspec.structs.replace(finding, lucency=on, width_mm=width_mm, not_assessable=False)
        case "osteolysis":
            return msgspec.structs.replace(finding, osteolysis=not finding.osteolysis, not_assessable=False)
        case "not_assessable":
            return ZoneFinding(finding.zone, not_assessable=not finding.not_assessable)
    return ZoneFinding(finding.zone)


def with_width(finding: ZoneFinding, width_mm: float | None) -> ZoneFinding:
    """A width is the width of a line: giving one says that there is one."""
    lucency = finding.lucency or width_mm is not None
    return msgspec.structs.replace(finding, lucency=lucency, width_mm=width_mm, not_assessable=False)
