"""A record folded from its events. A correction changes what is current and never what was: each reading carries its history."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime

import msgspec

from study.chain import Damage, Event, Problem
from study.events import STUDY_KINDS, AnnotationsSaved, Correction, ReadingSubmitted, decode
from study.model import Call, CaseKey, ReaderKind, Reading, ReadingMode
from study.store import StudyStore


@dataclass(frozen=True)
class Revision:
    """One correction of a submitted reading."""

    utc: str
    actor: str
    old: Reading
    new: Reading
    reason: str


@dataclass(frozen=True)
class RecordedReading:
    """A reading as it stands now, with where it is in the record and what it was before."""

    reading: Reading
    utc: str  # when it was submitted
    device: str
    study: str
    seq: int
    corrections: tuple[Revision, ...] = ()

    @property
    def is_algorithm(self) -> bool:
        return self.reading.reader.kind is ReaderKind.ALGORITHM


@dataclass
class Record:
    """Everything that the events amount to."""

    readings: list[RecordedReading] = field(default_factory=list)  # people's and the CNN's, by time of submission
    annotations: dict[tuple[CaseKey, str], AnnotationsSaved] = field(default_factory=dict)  # by case and reader id
    problems: list[Problem] = field(default_factory=list)
    unknown_events: int = 0  # kinds that this version does not know


def fold(events: Iterable[Event], problems: Iterable[Problem] = ()) -> Record:
    """Rebuild the record from its events: chains in any order, the events of a chain in theirs.

    The same reading appended twice (a caller that tried again) is one reading. A correction of a reading that is not
    there, and a payload that cannot be decoded, become problems.
    """
    record = Record(problems=list(problems))
    submitted: dict[str, RecordedReading] = {}
    corrections: list[tuple[Event, Correction]] = []
    chains: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in events:
        chains[event.device, event.study].append(event)
    # By time over all chains, and within a chain as written, whatever the clock did meanwhile.
    for event in heapq.merge(*chains.values(), key=lambda event: event.utc):
        try:
            payload = decode(event)
        except msgspec.DecodeError:
            record.problems.append(_problem(event, f"Event {event.seq} holds something that cannot be understood."))
            continue
        match payload:
            case None:
                record.unknown_events += not event.kind.startswith(STUDY_KINDS)
            case ReadingSubmitted(reading=reading):
                known = submitted.get(reading.id)
                if known is None:
                    submitted[reading.id] = RecordedReading(reading, event.utc, event.device, event.study, event.seq)
                elif known.reading != reading:
                    sentence = f"Event {event.seq} holds another reading under an id that is taken already."
                    record.problems.append(_problem(event, sentence))
            case Correction():
                corrections.append((event, payload))
            case AnnotationsSaved(case=case, reader_id=reader_id):
                record.annotations[case, reader_id] = payload
    for event, correction in sorted(corrections, key=lambda pair: pair[0].utc):
        known = submitted.get(correction.reading_id)
        if known is None or correction.new.id != correction.reading_id:
            record.problems.append(_problem(event, f"Event {event.seq} corrects a reading that is not in the record."))
            continue
        if correction.old != known.reading:
            sentence = (
                f"Event {event.seq} corrects a reading that somebody else had corrected already; the later counts."
            )
            record.problems.append(_problem(event, sentence))
        revision = Revision(event.utc, event.actor, correction.old, correction.new, correction.reason)
        submitted[correction.reading_id] = RecordedReading(
            correction.new, known.utc, known.device, known.study, known.seq, (*known.corrections, revision)
        )
    record.readings = sorted(submitted.values(), key=lambda item: (item.utc, item.device, item.seq))
    return record


def _problem(event: Event, sentence: str) -> Problem:
    return Problem(Damage.UNREADABLE, event.device, event.study, event.seq, sentence)


def read_record(store: StudyStore) -> Record:
    """The record of the store. Waits for the disk: not for the window's own thread. Raises StoreError."""
    history = store.history()
    return fold(history.events, history.problems)


def readings(store: StudyStore) -> list[RecordedReading]:
    """All current readings of the store, people's and the CNN's. Waits for the disk. Raises StoreError."""
    return read_record(store).readings


def select(
    items: Iterable[RecordedReading],
    *,
    reader: str | None = None,
    kind: ReaderKind | None = None,
    mode: ReadingMode | None = None,
    call: Call | None = None,
    since: date | None = None,
    until: date | None = None,
    image: str | None = None,
) -> list[RecordedReading]:
    """Those that fit all that is given. `since` and `until` are inclusive days of the local clock.

    image: the SHA-256 of the image, or its beginning.
    """

    def fits(item: RecordedReading) -> bool:
        reading = item.reading
        day = _local_day(item.utc)
        return (
            (reader is None or reading.reader.id == reader)
            and (kind is None or reading.reader.kind is kind)
            and (mode is None or reading.mode is mode)
            and (call is None or reading.call is call)
            and (since is None or day >= since)
            and (until is None or day <= until)
            and (image is None or reading.case.image_sha256.startswith(image.lower()))
        )

    return [item for item in items if fits(item)]


def _local_day(utc: str) -> date:
    return datetime.fromisoformat(utc).astimezone().date()
