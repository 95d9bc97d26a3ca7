"""Readings: what one reader, human or algorithm, says about one case.

Everything here is frozen, serialises to JSON through `msgspec`, and holds no patient data: a case is named by
the SHA-256 of its image file, its frame, and the hip region.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class ReaderKind(StrEnum):
    HUMAN = "human"
    ALGORITHM = "algorithm"


class Call(StrEnum):
    LOOSE = "loose"
    NOT_LOOSE = "not_loose"
    CANNOT_TELL = "cannot_tell"


class ReadingMode(StrEnum):
    ASSIST = "assist"  # the CNN's diagnosis was on screen while the reader answered
    ANSWER_FIRST = "answer_first"  # the CNN stayed hidden until this answer was recorded
    REVISED = "revised"  # given after an answer-first reading, with the CNN revealed
    ALGORITHM = "algorithm"  # the CNN's own answer


class Reader(msgspec.Struct, frozen=True):
    id: str
    kind: ReaderKind = ReaderKind.HUMAN
    experience: str = ""


class CaseKey(msgspec.Struct, frozen=True):
    """One hip in one radiograph."""

    image_sha256: str
    frame: int
    box: tuple[float, float, float, float]  # x, y, width, height in image pixels
    side: str  # imaging.radiograph.Side value


class ZoneFinding(msgspec.Struct, frozen=True):
    zone: str  # imaging.zones.ZONES
    lucency: bool = False
    width_mm: float | None = None
    osteolysis: bool = False
    not_assessable: bool = False


class AnnotationKind(StrEnum):
    LUCENT_LINE = "lucent_line"  # polyline with a width
    POLYGON = "polygon"
    ELLIPSE = "ellipse"  # two points: opposite corners of its box
    POINT = "point"
    TEXT = "text"
    RULER = "ruler"  # two points
    ANGLE = "angle"  # four points: two lines


class Annotation(msgspec.Struct, frozen=True):
    """A mark on the image, in image pixels (x, y); pixel centres lie at +0.5."""

    id: str
    kind: AnnotationKind
    points: tuple[tuple[float, float], ...]
    width_px: float = 0.0  # of a lucent line; 0: not measured
    text: str = ""


class ViewingRecord(msgspec.Struct, frozen=True):
    """How the case was looked at before the answer."""

    active_s: float = 0.0
    overlay_visible_s: float = 0.0
    max_zoom: float = 1.0
    windows: tuple[tuple[float, float], ...] = ()  # (center, width) settings that were held >= 1 s
    display_scale: float = 1.0
    display_px: tuple[int, int] = (0, 0)


class Reading(msgspec.Struct, frozen=True):
    """One answer. Immutable once submitted; a correction is a new event that names this one."""

    id: str
    case: CaseKey
    reader: Reader
    mode: ReadingMode
    call: Call | None  # None: not assessable (`not_assessable_reason` says why)
    score: float | None  # 0-100 for loosening; never 50 for a person
    stem_call: Call | None = None
    cup_call: Call | None = None
    findings: tuple[ZoneFinding, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    comment: str = ""
    not_assessable_reason: str = ""
    viewing: ViewingRecord = ViewingRecord()
    revises: str = ""  # id of the answer-first reading that this one revises
    app_version: str = ""
    model_id: str = ""  # of the CNN that was shown, or that answered
    model_sha256: str = ""
    cnn_score: float | None = None  # what the reader was shown, or None when it was hidden
    spacing_mm: tuple[float, float] | None = None
    spacing_source: str = "none"
    # imaging.radiograph.SideSource value: how the side in `case` is known; "" in readings made before it was kept
    side_source: str = ""


class ReadingError(ValueError):
    """A reading contradicts itself. `str(error)` is a sentence for the reader."""


def check_reading(reading: Reading) -> None:
    """Raise ReadingError when call and score of a person's reading do not agree.

    50 is not allowed; loose lies above it and not loose below. "Cannot tell" may lean either way.
    An algorithm's call follows its own operating point, so its score may lie on either side of 50.
    """
    score = reading.score
    if score is not None and not 0 <= score <= 100:
        raise ReadingError("The score must lie between 0 and 100.")
    if reading.reader.kind is ReaderKind.ALGORITHM:
        return
    if reading.call is None:
        if not reading.not_assessable_reason:
            raise ReadingError("Say why this radiograph cannot be assessed.")
        return
    if score is None:
        raise ReadingError("Give a score from 0 to 100.")
    if score == 50:
        raise ReadingError("50 is not allowed: lean to one side, however slightly.")
    if reading.call is Call.LOOSE and score < 50:
        raise ReadingError("A hip called loose needs a score above 50.")
    if reading.call is Call.NOT_LOOSE and score > 50:
        raise ReadingError("A hip called not loose needs a score below 50.")
    component_calls = {reading.stem_call, reading.cup_call} - {None}
    if reading.call is Call.NOT_LOOSE and Call.LOOSE in component_calls:
        raise ReadingError("A hip with a loose stem or cup is loose.")
    if reading.call is Call.LOOSE and component_calls == {Call.NOT_LOOSE} and reading.stem_call and reading.cup_call:
        raise ReadingError("A loose hip needs a loose stem or a loose cup.")
