"""What the coordinator may see while others read: who has come how far, never what they answered or how well."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from gui.study.study_place import Place
from imaging.sources import Source
from study.coordinator import Coordinator
from study.protocol import Protocol
from study.session import Step
from study.store import StudyStore
from study.study_check import unsigned_entries


@dataclass(frozen=True)
class StudyRequest:
    """Which study to open, and what the one who asks knows already. Lives in memory only, as the passphrase must."""

    place: Place
    study: str = ""  # its id; "" asks where a server holds several
    passphrase: str = field(default="", repr=False)


@dataclass(frozen=True)
class OpenStudy:
    """What every piece of the coordinator's work needs."""

    coordinator: Coordinator
    store: StudyStore
    scratch: Path  # for the de-identified images, removed when the window closes


@dataclass(frozen=True)
class ReaderLine:
    """Counts only."""

    id: str
    experience: str
    handed_out: bool
    done: int
    total: int
    practice_done: int
    practice_total: int
    signed: bool
    came_back: bool
    waits_until: str  # the day on which the washout ends, or ""
    resets: int
    needs_new_package: bool  # the latest one was made for a key that was replaced since


@dataclass(frozen=True)
class Overview:
    protocol: Protocol
    protocol_sha256: str
    registered_utc: str
    coordinator: str
    readers: tuple[ReaderLine, ...]
    deviations: tuple[tuple[str, str, str], ...]  # UTC time, what, why
    closed_utc: str
    unsealed_utc: str
    warnings: tuple[str, ...]  # of the store

    @property
    def unfinished(self) -> tuple[str, ...]:
        return tuple(line.id for line in self.readers if not line.signed)


@dataclass(frozen=True)
class Check:
    """What verification found: (chain, place, sentence), how much was looked at, and what no signature holds."""

    problems: tuple[tuple[str, str, str], ...]
    events: int
    chains: int
    unsigned: tuple[int, ...]  # entries of the coordinator without a signature of their own, by their place


def read_overview(study: OpenStudy) -> Overview:
    """Waits for the disk. Raises CoordinatorError, StoreError."""
    coordinator = study.coordinator
    state, sessions = coordinator.state(), coordinator.sessions()
    lines = []
    for name, held in state.readers.items():
        session = sessions.get(name)
        progress = session.progress() if session is not None else None
        slots = held.package.plan.slots if held.package is not None else coordinator.order(name)
        practice = sum(slot.practice for slot in slots)
        signed = session is not None and session.signed is not None
        waiting = progress is not None and progress.step is Step.WAIT and progress.opens_on is not None
        lines.append(
            ReaderLine(
                name,
                held.account.experience,
                held.package is not None,
                progress.done if progress else 0,
                len(slots) - practice,
                progress.practice_done if progress else 0,
                practice,
                signed,
                session is not None,
                progress.opens_on.isoformat() if waiting and progress and progress.opens_on else "",
                len(held.former),
                held.package_outdated and not signed,
            )
        )
    return Overview(
        state.protocol,
        state.registered.protocol_sha256,
        state.registered_utc,
        state.registered.coordinator.id,
        tuple(lines),
        tuple((utc, deviation.what, deviation.reason) for utc, deviation in state.deviations),
        state.closed_utc,
        state.unsealed_utc,
        tuple(study.store.warnings),
    )


def verify(study: OpenStudy) -> Check:
    """The chains against their hashes and exported ends, and the study against its signatures. Waits."""
    chains = study.store.verify()
    history = study.store.history()
    found = [(_chain(p.device), f"event {p.seq}" if p.seq else "", p.sentence) for p in chains]
    found += [
        (_chain(flaw.device), f"event {flaw.seq}" if flaw.seq else "", flaw.sentence)
        for flaw in study.coordinator.flaws()
    ]
    heads = {(event.device, event.study) for event in history.events}
    unsigned = tuple(event.seq for event in unsigned_entries(history.events, study.store.study))
    return Check(tuple(dict.fromkeys(found)), len(history.events), len(heads), unsigned)


def _chain(device: str) -> str:
    return f"machine {device[:8]}" if device else "the study"


def places(study: OpenStudy) -> tuple[dict[str, Source], set[str]]:
    """Where the images lie, by SHA-256, and those that are not where they were. Waits."""
    found: dict[str, Source] = {}
    missing: set[str] = set()
    for case in study.coordinator.state().registered.cases:
        place = study.store.location(case.image_sha256)
        if place is None or not Path(place.path).is_file():
            missing.add(case.image_sha256)
        else:
            found[case.image_sha256] = Source(Path(place.path), place.member)
    return found, missing
