"""What happens in the record: the kinds of event and what each carries.

Payloads hold no patient data: images are named by their SHA-256. Where an image lies on disk is not an event but
local state of the machine (study.local), because paths may hold names.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from study.chain import Event
from study.model import Annotation, CaseKey, Reading

PROGRAM = "program"  # the actor of what no reader did
STUDY_KINDS = "study."  # how the kinds of study.study_events begin, which study.study_state folds


class EventKind(StrEnum):
    READING = "reading"  # a person's answer, submitted and locked
    PREDICTION = "prediction"  # the CNN's answer, as a Reading whose reader is an algorithm
    CORRECTION = "correction"
    ANNOTATIONS = "annotations"


class ReadingSubmitted(msgspec.Struct, frozen=True):
    """A reading, whether a person's or the CNN's."""

    reading: Reading
    app_version: str = ""


class Correction(msgspec.Struct, frozen=True):
    """A submitted reading was wrong. Both stay in the record; `new.id` equals `reading_id`.

    `old` is the whole reading as it stood before, so that the correction can be read without its history.
    """

    reading_id: str
    old: Reading
    new: Reading
    reason: str


class AnnotationsSaved(msgspec.Struct, frozen=True):
    """Marks that a reader kept on a case without answering."""

    case: CaseKey
    reader_id: str
    annotations: tuple[Annotation, ...]


Payload = ReadingSubmitted | Correction | AnnotationsSaved

PAYLOADS: dict[str, type[Payload]] = {
    EventKind.READING: ReadingSubmitted,
    EventKind.PREDICTION: ReadingSubmitted,
    EventKind.CORRECTION: Correction,
    EventKind.ANNOTATIONS: AnnotationsSaved,
}


def decode(event: Event) -> Payload | None:
    """The event's payload; None for a kind that this version does not know (a later version's, or a study's own).

    Raises msgspec.ValidationError when a known kind holds something else.
    """
    payload_type = PAYLOADS.get(event.kind)
    return None if payload_type is None else msgspec.json.decode(event.payload, type=payload_type)
