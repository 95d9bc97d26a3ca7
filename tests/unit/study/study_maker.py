"""A small study, its images and readers, for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from imaging.radiograph import Radiograph
from imaging.reader import read_radiograph
from imaging.sources import Source
from study.aids import Aid, AidMap
from study.cases import Candidate, StudyCase, source_sha256
from study.chain import canonical_json, empty_head, head_of, make_event
from study.coordinator import Coordinator, draft_study
from study.design import Plan, PlannedCase, reading_order
from study.model import Call, CaseKey, Reader, Reading, ReadingMode, ViewingRecord
from study.package import open_package
from study.protocol import AnalysisPlan, Arms, Method, Protocol, ReaderGroup, StudyDesign
from study.session import Session, Step
from study.store import StudyStore
from study.study_events import KIND_OF
from study.truth import KeyCost
from tests.unit.imaging import dicom_maker

CHEAP = KeyCost(passes=1, memory_kib=8, lanes=1)
PASSPHRASE = "correct horse battery"
STUDY = "0123456789abcdef"


def protocol(**changes) -> Protocol:
    values = {
        "study_id": STUDY,
        "title": "Loosening with and without the CNN",
        "question": "Do surgeons read better with the CNN?",
        "reference_standard": "revision findings",
        "reference_source": "operation notes",
        "readers": (ReaderGroup("consultant", 2),),
        "planned_cases": 8,
        "bundle_id": "lucency-1",
        "bundle_sha256": "ab" * 32,
        "seed": 7,
    }
    return Protocol(**values | changes)


def against_readers(**changes) -> Protocol:
    plan = AnalysisPlan(method=Method.ONE_AGAINST_MANY)
    return protocol(design=StudyDesign.CNN_AGAINST_READERS, arms=Arms.UNAIDED, plan=plan, **changes)


def image_file(folder: Path, number: int, **tags) -> Path:
    path = folder / f"hip {number}.dcm"
    pixels = np.random.default_rng(number).integers(100, 4000, (24, 20)).astype(np.uint16)
    path.write_bytes(dicom_maker.make(pixels, bits=12, **tags))
    return path


def candidates(folder: Path, count: int = 8, practice: int = 1) -> list[Candidate]:
    folder.mkdir(exist_ok=True)
    out = []
    for number in range(count + practice):
        source = Source(image_file(folder, number))
        out.append(
            Candidate(
                number + 2,
                source,
                source_sha256(source),
                truth=number % 2 if number < count else None,
                patient=f"Person {number // 2}" if number < count else "",
                practice=number >= count,
            )
        )
    return out


def aid(case_id: str, score: float = 80.0, threshold: float = 50.0) -> Aid:
    decision = Call.LOOSE if score >= threshold else Call.NOT_LOOSE
    box = (0.0, 0.0, 20.0, 24.0)
    saliency = AidMap.of(np.full((2, 3), 0.5, dtype=np.float32), box, (0.1, 1.0), "map")
    return Aid(case_id, decision.value, score, box, "lucency-1", "ab" * 32, map=saliency)


def plan_for(value: Protocol, reader: int = 0, practice: int = 0) -> Plan:
    cases = [f"c{n}" for n in range(value.planned_cases)]
    extra = [f"p{n}" for n in range(practice)]
    slots = reading_order(value, reader, cases, extra)
    planned = tuple(PlannedCase(name, f"image {name}", "U") for name in cases + extra)
    return Plan(slots, planned, {case.id: f"aid {case.id}" for case in planned} if value.shows_cnn else {})


def answer(session: Session, score: float | None = 80.0, number: int = 0, **changes) -> Reading:
    """The reading that fits the session's next step."""
    state = session.current
    mode = session.mode()
    case = session.case(state.slot)
    values = {
        "id": f"{session.reader_id}-{state.slot.index}-{mode.value}-{number}",
        "case": CaseKey(case.image_sha256, 0, (0.0, 0.0, 9.0, 9.0), case.side),
        "reader": Reader(session.reader_id),
        "mode": mode,
        "call": Call.LOOSE if score is not None and score > 50 else Call.NOT_LOOSE,
        "score": score,
        "revises": state.unaided.id if mode is ReadingMode.REVISED else "",
        "cnn_score": None
        if mode is ReadingMode.ANSWER_FIRST or session.open_aid is None
        else session.open_aid(state.slot.case_id).score,
        "viewing": ViewingRecord(active_s=10.0),
    }
    return Reading(**values | changes)


class Machine:
    """One workstation: a folder with a store."""

    def __init__(self, folder: Path, study: str = STUDY) -> None:
        folder.mkdir(exist_ok=True)
        self.store = StudyStore(folder / "study.sqlite", "1", study=study, keep_backups=0)


class ReaderMachine:
    """A reader's workstation: a chain in memory, so that tests do not wait for a disk at every answer."""

    def __init__(self, device: str, study: str = STUDY) -> None:
        self.device = device
        self.head = empty_head(device, study)
        self.events = []

    def do(self, session: Session, payload, now=None) -> None:
        time = (now or datetime.now(UTC)).isoformat(timespec="microseconds").replace("+00:00", "Z")
        event = make_event(self.head, time, session.reader_id, KIND_OF[type(payload)], canonical_json(payload))
        self.head = head_of(event)
        self.events.append(event)
        session.apply(event)

    def read_all(self, session: Session, score=lambda case_id, mode: 80.0, now=None, **changes) -> None:
        """Start, and answer until there is nothing more to answer now."""
        if not session.started:
            self.do(session, session.start("1"), now)
        while (progress := session.progress(now)).slot is not None and progress.step is not Step.WAIT:
            if progress.step is Step.REVEAL:
                self.do(session, session.reveal(now), now)
            else:
                reading = answer(session, score(progress.slot.case_id, session.mode()), **changes)
                self.do(session, session.answer(reading, now), now)


def session_of(path: Path) -> Session:
    package = open_package(path)
    return Session(package.protocol, package.plan, package.reader_id, package.manifest_sha256, package.open_aid)


def registered(folder: Path, value: Protocol, count: int = 8, practice: int = 1):
    """A coordinator with a registered study; its machine, draft and image reader beside it."""
    machine = Machine(folder / "coordinator")
    coordinator = Coordinator(machine.store, "1", CHEAP)
    draft = draft_study(value, candidates(folder / "images", count, practice))
    answers = [aid(name, 85.0 if case.truth else 15.0) for name, case in draft.named.items()]
    coordinator.register(draft, PASSPHRASE, answers)

    def read(case: StudyCase) -> Radiograph:
        return read_radiograph(draft.named[case.id].source, case.frame)

    return coordinator, machine, draft, read


def utc(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 1, day, hour, tzinfo=UTC)
