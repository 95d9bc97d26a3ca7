"""What a reader has entered but not yet recorded: kept by the autosave, restored when the radiograph opens again."""

from __future__ import annotations

import msgspec

from imaging.geometry import HipRegion
from imaging.radiograph import Side, SideSource
from study.model import Annotation, Call, Reading, ViewingRecord, ZoneFinding

SCHEMA = 1


class Answer(msgspec.Struct, frozen=True):
    """The content of the reading form."""

    call: Call | None = None
    score: float | None = None  # 0-100 for loosening
    stem_call: Call | None = None
    cup_call: Call | None = None
    findings: tuple[ZoneFinding, ...] = ()
    comment: str = ""
    not_assessable_reason: str = ""

    @property
    def is_empty(self) -> bool:
        return self == Answer()

    @classmethod
    def of(cls, reading: Reading) -> Answer:
        return cls(
            call=reading.call,
            score=reading.score,
            stem_call=reading.stem_call,
            cup_call=reading.cup_call,
            findings=reading.findings,
            comment=reading.comment,
            not_assessable_reason=reading.not_assessable_reason,
        )


class HipDraft(msgspec.Struct, frozen=True):
    box: tuple[float, float, float, float]
    side: str
    proposed: bool
    answer: Answer = Answer()
    cnn_seen: bool = False  # an answer given after the CNN was seen is never an answer-first one
    viewing: ViewingRecord = ViewingRecord()
    side_source: str = SideSource.NONE.value

    @property
    def region(self) -> HipRegion:
        return HipRegion(
            *self.box, side=Side(self.side), proposed=self.proposed, side_source=SideSource(self.side_source)
        )


class Draft(msgspec.Struct, frozen=True):
    """Of one radiograph (one frame): its hips, and the marks on it."""

    hips: tuple[HipDraft, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    current: int = 0
    head_spacing_mm: tuple[float, float] | None = None  # where the head circle was measured
    schema: int = SCHEMA

    @property
    def is_a_look(self) -> bool:
        """Nothing was entered, marked, measured or moved: all that is kept is that somebody looked, and what was seen."""
        is_untouched = not self.annotations and self.head_spacing_mm is None
        return is_untouched and all(
            hip.proposed and hip.answer.is_empty and hip.side_source != SideSource.READER for hip in self.hips
        )

    def to_bytes(self) -> bytes:
        return msgspec.json.encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Draft | None:
        """None where the bytes are of a newer program or damaged: a draft is a convenience, never a reason to fail."""
        try:
            draft = msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, ValueError):
            return None
        return draft if draft.schema == SCHEMA else None


def draft_key(image_sha256: str, frame: int) -> str:
    return f"{image_sha256}/{frame}"


def image_of(key: str) -> str:
    """The image that a draft's key names."""
    return key.partition("/")[0]
