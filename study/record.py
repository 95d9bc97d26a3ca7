"""The readings of this record: folded from its events, filtered, paired with the CNN's, exported.

A correction changes what is current and never what was: each reading carries its history.
"""

from __future__ import annotations

import csv
import hashlib
import heapq
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from study.cells import number_cell, safe_cell
from study.chain import Damage, Event, Problem
from study.events import (
    STUDY_KINDS,
    AnnotationsSaved,
    Correction,
    ModeChosen,
    ReaderProfile,
    ReadingSubmitted,
    decode,
)
from study.files import replace_file
from study.model import Call, CaseKey, Reader, ReaderKind, Reading, ReadingMode
from study.store import StoreError, StudyStore

if TYPE_CHECKING:
    from study.scores import ScoreTable

BINARY = (Call.LOOSE, Call.NOT_LOOSE)


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
    readers: dict[str, Reader] = field(default_factory=dict)  # latest profile by id
    annotations: dict[tuple[CaseKey, str], AnnotationsSaved] = field(default_factory=dict)  # by case and reader id
    mode: ReadingMode | None = None  # chosen last on any chain that was folded
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
            case ReaderProfile(reader=reader):
                record.readers[reader.id] = reader
            case ModeChosen(mode=mode):
                record.mode = mode
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


# --- a person's answer beside the CNN's


class Agreement(StrEnum):
    AGREE = "agree"
    DISAGREE = "disagree"
    NOT_COMPARABLE = "not_comparable"  # one of the two gave no binary answer, or there is no CNN answer


@dataclass(frozen=True)
class Opinion:
    """One person's answer on one hip, their revision if they gave one, and the CNN's answer."""

    answer: RecordedReading  # answer-first, or given in assist mode
    revised: RecordedReading | None
    cnn: RecordedReading | None

    @property
    def final(self) -> RecordedReading:
        return self.revised or self.answer

    @property
    def agreement(self) -> Agreement:
        """Of the answer as first given."""
        return compare(self.answer.reading.call, self.cnn.reading.call if self.cnn else None)

    @property
    def final_agreement(self) -> Agreement:
        return compare(self.final.reading.call, self.cnn.reading.call if self.cnn else None)

    @property
    def changed(self) -> bool:
        """Whether the call was changed after the CNN was revealed."""
        return self.revised is not None and self.revised.reading.call is not self.answer.reading.call


def compare(person: Call | None, cnn: Call | None) -> Agreement:
    """Only loose and not loose can agree or disagree."""
    if person not in BINARY or cnn not in BINARY:
        return Agreement.NOT_COMPARABLE
    return Agreement.AGREE if person is cnn else Agreement.DISAGREE


def opinions(items: Iterable[RecordedReading]) -> list[Opinion]:
    """Each answer of a person with its revision and the CNN's answer on the same hip, by time.

    The CNN's answer is that of the very model that the reading names, at the very region; else the latest of that
    model on the same hip; else, where the reading names no model, the latest on the same hip.
    """
    held = list(items)
    revisions: dict[str, RecordedReading] = {}
    predictions: dict[tuple[str, int], list[RecordedReading]] = defaultdict(list)
    for item in held:
        reading = item.reading
        if item.is_algorithm:
            predictions[reading.case.image_sha256, reading.case.frame].append(item)
        elif reading.mode is ReadingMode.REVISED and reading.revises:
            revisions[reading.revises] = item  # the latest, since items come by time
    answers = [item for item in held if not item.is_algorithm]
    known_ids = {item.reading.id for item in answers}
    result = []
    for item in answers:
        reading = item.reading
        if reading.mode is ReadingMode.REVISED and reading.revises in known_ids:
            continue
        revised = revisions.get(reading.id)
        named = (revised or item).reading.model_sha256
        candidates = predictions[reading.case.image_sha256, reading.case.frame]
        result.append(Opinion(item, revised, _cnn_answer(reading.case, named, candidates)))
    return result


def _cnn_answer(case: CaseKey, model_sha256: str, candidates: list[RecordedReading]) -> RecordedReading | None:
    fitting = [
        c
        for c in candidates
        if same_hip(c.reading.case, case) and (not model_sha256 or c.reading.model_sha256 == model_sha256)
    ]
    at_region = [c for c in fitting if c.reading.case == case]
    return next(reversed(at_region or fitting), None)


def same_hip(one: CaseKey, other: CaseKey) -> bool:
    """Whether two regions of one image mean the same hip: sides that do not differ, and boxes that overlap by half."""
    if (one.image_sha256, one.frame) != (other.image_sha256, other.frame):
        return False
    if one == other:
        return True
    known_sides = {one.side, other.side} <= {"R", "L"}
    if known_sides:
        return one.side == other.side
    (x1, y1, w1, h1), (x2, y2, w2, h2) = one.box, other.box
    shared = max(0.0, min(x1 + w1, x2 + w2) - max(x1, x2)) * max(0.0, min(y1 + h1, y2 + h2) - max(y1, y2))
    return shared >= 0.5 * min(w1 * h1, w2 * h2) > 0


@dataclass(frozen=True)
class AgreementSummary:
    """Counts of pairs; no rate without its count."""

    opinions: int
    comparable: int
    agree: int
    both_loose: int
    only_person_loose: int
    only_cnn_loose: int
    both_not_loose: int
    revised: int  # opinions with a revision
    changed_to_cnn: int  # disagreed, and agreed after the CNN was revealed
    changed_from_cnn: int

    @property
    def sentence(self) -> str:
        if self.comparable == 0:
            return "No reading can be compared with the CNN yet."
        noun = "reading" if self.comparable == 1 else "readings"
        return f"Reader and CNN agree in {self.agree} of {self.comparable} {noun} that can be compared."


def summarise(items: Iterable[Opinion]) -> AgreementSummary:
    """Agreement of people's answers, as first given, with the CNN's."""
    held = list(items)
    table: dict[tuple[Call | None, Call | None], int] = defaultdict(int)
    for opinion in held:
        if opinion.agreement is not Agreement.NOT_COMPARABLE and opinion.cnn is not None:
            table[opinion.answer.reading.call, opinion.cnn.reading.call] += 1
    loose, not_loose = BINARY
    moves = [(o.agreement, o.final_agreement) for o in held if o.revised is not None]
    return AgreementSummary(
        opinions=len(held),
        comparable=sum(table.values()),
        agree=table[loose, loose] + table[not_loose, not_loose],
        both_loose=table[loose, loose],
        only_person_loose=table[loose, not_loose],
        only_cnn_loose=table[not_loose, loose],
        both_not_loose=table[not_loose, not_loose],
        revised=len(moves),
        changed_to_cnn=moves.count((Agreement.DISAGREE, Agreement.AGREE)),
        changed_from_cnn=moves.count((Agreement.AGREE, Agreement.DISAGREE)),
    )


# --- images that were moved


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of the file's bytes: the identity of an image. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def relink(store: StudyStore, image_sha256: str, path: Path) -> None:
    """Note where an image lies now, after checking that it is that image. Waits for the disk. Raises StoreError."""
    try:
        found = file_sha256(path)
    except OSError as error:
        raise StoreError(f"{path.name} cannot be read.", str(error)) from error
    if found != image_sha256:
        raise StoreError(f"{path.name} is another image than the one that was read. Choose the original file.")
    store.note_location(image_sha256, path).result()


def find_moved(
    folder: Path, wanted: Iterable[str], keep_going: Callable[[int], bool] = lambda _: True
) -> dict[str, Path]:
    """Look in a folder, and below it, for images by their hash. Files that cannot be read are passed over.

    keep_going is called with the number of files looked at, and ends the search by returning False.
    """
    missing = set(wanted)
    found: dict[str, Path] = {}
    for looked_at, path in enumerate(p for p in sorted(folder.rglob("*")) if p.is_file()):
        if not missing or not keep_going(looked_at):
            break
        try:
            digest = file_sha256(path)
        except OSError:
            continue
        if digest in missing:
            missing.remove(digest)
            found[digest] = path
    return found


# --- out of the program

CSV_COLUMNS = (
    *("reader", "mode", "case", "truth", "score", "patient", "side", "call", "seconds"),
    *("repeat", "reading_id", "reader_kind", "experience", "utc", "stem_call", "cup_call", "not_assessable_reason"),
    *("cnn_score_shown", "overlay_seconds", "findings", "annotations", "comment", "revises", "corrections"),
    *("image_sha256", "frame", "box", "model_id", "model_sha256", "app_version", "device", "study", "seq"),
)


def case_ids(items: Iterable[RecordedReading]) -> dict[CaseKey, str]:
    """A short name for each hip, the same for all who read it: no patient data, stable within one record."""
    heads: dict[tuple[str, int], list[CaseKey]] = defaultdict(list)
    shortest: dict[str, set[str]] = defaultdict(set)
    names: dict[CaseKey, str] = {}
    for item in items:
        case = item.reading.case
        if case in names:
            continue
        image = (case.image_sha256, case.frame)
        hip = next((n for n, known in enumerate(heads[image]) if same_hip(known, case)), None)
        if hip is None:
            heads[image].append(case)
            hip = len(heads[image]) - 1
        short = case.image_sha256[:12]
        shortest[short].add(case.image_sha256)
        known = heads[image][hip]
        frame = f"-f{case.frame}" if case.frame else ""
        mark = known.side if known.side in ("R", "L") else f"h{hip + 1}"
        names[case] = f"{short}{frame}-{mark}"
    for case, name in names.items():
        if len(shortest[case.image_sha256[:12]]) > 1:  # two images whose hashes start alike
            names[case] = name.replace(case.image_sha256[:12], case.image_sha256, 1)
    return names


def _rows(items: list[RecordedReading]) -> Iterator[dict[str, Any]]:
    names = case_ids(items)
    times: dict[tuple[str, ReadingMode, str], int] = defaultdict(int)
    for item in items:
        reading = item.reading
        case = names[reading.case]
        times[reading.reader.id, reading.mode, case] += 1
        yield {
            "reader": reading.reader.id,
            "mode": reading.mode.value,
            "case": case,
            "truth": None,  # a record of readings knows none
            "score": reading.score,
            "patient": None,
            "side": reading.case.side,
            "call": reading.call.value if reading.call else "",
            "seconds": None if item.is_algorithm else reading.viewing.active_s,
            "repeat": times[reading.reader.id, reading.mode, case],
            "reading_id": reading.id,
            "reader_kind": reading.reader.kind.value,
            "experience": reading.reader.experience,
            "utc": item.utc,
            "stem_call": reading.stem_call.value if reading.stem_call else "",
            "cup_call": reading.cup_call.value if reading.cup_call else "",
            "not_assessable_reason": reading.not_assessable_reason,
            "cnn_score_shown": reading.cnn_score,
            "overlay_seconds": None if item.is_algorithm else reading.viewing.overlay_visible_s,
            "findings": msgspec.json.encode(reading.findings).decode() if reading.findings else "",
            "annotations": msgspec.json.encode(reading.annotations).decode() if reading.annotations else "",
            "comment": reading.comment,
            "revises": reading.revises,
            "corrections": len(item.corrections),
            "image_sha256": reading.case.image_sha256,
            "frame": reading.case.frame,
            "box": " ".join(number_cell(v) for v in reading.case.box),
            "model_id": reading.model_id,
            "model_sha256": reading.model_sha256,
            "app_version": reading.app_version,
            "device": item.device,
            "study": item.study,
            "seq": item.seq,
        }


def format_csv(items: Iterable[RecordedReading]) -> str:
    """The readings as CSV (columns `CSV_COLUMNS`), safe to open in a spreadsheet; study.exchange reads it back."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    for row in _rows(list(items)):
        writer.writerow(
            number_cell(v) if v is None or isinstance(v, (int, float)) else safe_cell(v)
            for v in (row[name] for name in CSV_COLUMNS)
        )
    return out.getvalue()


def export_csv(items: Iterable[RecordedReading], path: Path) -> None:
    """Write the readings as CSV. Raises StoreError.

    UTF-8 with a byte order mark: without it Excel takes the file for the system's old code page and garbles every
    name with an accent. Python reads it back with `utf-8-sig`.
    """
    write_text(path, "\ufeff" + format_csv(items))


def export_json(record: Record, path: Path, items: Iterable[RecordedReading] | None = None) -> None:
    """Write readings (all of the record, or `items`) with their corrections and the record's problems as JSON.

    Where images lie on this machine is left out: paths may hold names. Raises StoreError.
    """
    chosen = record.readings if items is None else list(items)
    names = case_ids(chosen)
    document = {
        "format": "lucency-readings",
        "version": 1,
        "exported_utc": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "readers": list(record.readers.values()),
        "readings": [
            {
                "case_id": names[item.reading.case],
                "utc": item.utc,
                "device": item.device,
                "study": item.study,
                "seq": item.seq,
                "reading": item.reading,
                "corrections": [
                    {"utc": c.utc, "actor": c.actor, "reason": c.reason, "old": c.old, "new": c.new}
                    for c in item.corrections
                ],
            }
            for item in chosen
        ],
        "problems": record.problems,
    }
    write_text(path, msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 so that the file is either the old or the new one. Raises StoreError."""
    try:
        replace_file(path, text.encode("utf-8"))
    except OSError as error:
        raise StoreError(f"{path.name} could not be written: {error.strerror}.", str(error)) from error


def score_table(items: Iterable[RecordedReading], truth: Mapping[str, int] | None = None) -> ScoreTable:
    """The readings as the table that statistics are computed from; `truth` by case id (`case_ids`), 1 = loose.

    Of several readings of one hip by one reader in one mode the first counts; a note says how many were left out.
    """
    from study.scores import ScoreTable

    binary = {Call.LOOSE.value: 1, Call.NOT_LOOSE.value: 0}
    rows = list(_rows(list(items)))
    first = [row for row in rows if row["repeat"] == 1]
    notes = (
        (f"{len(rows) - len(first)} repeated readings of the same case are left out; the first counts.",)
        if len(rows) > len(first)
        else ()
    )
    return ScoreTable.from_rows(
        ({**row, "truth": (truth or {}).get(row["case"]), "call": binary.get(row["call"])} for row in first),
        notes=notes,
    )
