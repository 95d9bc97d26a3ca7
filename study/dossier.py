"""What the report says of a study beside its scores: when what was fixed, who took part, what departed from the
protocol, and the ends of all chains."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from study.chain import Event, Head, Problem, head_of
from study.protocol import Protocol
from study.session import Session
from study.study_check import check_study
from study.study_events import Deviation, Started, StudyEventKind
from study.study_state import StudyState, fold_study, reader_chains, replay


@dataclass(frozen=True)
class ReaderPart:
    """One enrolled reader."""

    id: str
    experience: str
    number: int  # from 0, by enrolment: which order they got
    answers: int  # counted slots' answers, as far as they came back
    corrections: int
    signed: bool
    first_utc: str
    last_utc: str
    active_s: float
    break_s: float
    app_versions: tuple[str, ...]  # that they read with


@dataclass(frozen=True)
class ChainEnd:
    """The last event of one machine's chain, and whose it is."""

    owner: str
    head: Head


@dataclass(frozen=True)
class Dossier:
    protocol: Protocol
    protocol_sha256: str
    registered_utc: str
    closed_utc: str
    unsealed_utc: str
    coordinator: str
    readers: tuple[ReaderPart, ...]
    deviations: tuple[tuple[str, Deviation], ...]  # UTC time
    ends: tuple[ChainEnd, ...]
    problems: tuple[str, ...] = field(default=())  # of the record and of the study, as sentences

    @property
    def heads(self) -> tuple[Head, ...]:
        return tuple(end.head for end in self.ends)


def make_dossier(events: Iterable[Event], study: str, problems: Iterable[Problem] = ()) -> Dossier:
    """problems: of the chains, as the store found them. Raises CoordinatorError."""
    held = [event for event in events if event.study == study]
    state = fold_study(held, study)
    sessions = replay(state, held)
    chains = reader_chains(state, held)
    sentences = [p.sentence for p in problems if p.study in ("", study)]
    sentences += [flaw.sentence for flaw in check_study(held, study)]
    registered = state.registered
    return Dossier(
        state.protocol,
        registered.protocol_sha256,
        state.registered_utc,
        state.closed_utc,
        state.unsealed_utc,
        registered.coordinator.id,
        tuple(_part(state, name, sessions.get(name), chains.get(name, [])) for name in state.readers),
        tuple(state.deviations),
        _ends(held),
        tuple(dict.fromkeys(sentences)),
    )


def _part(state: StudyState, name: str, session: Session | None, chain: list[Event]) -> ReaderPart:
    held = state.readers[name]
    progress = session.progress() if session is not None else None
    return ReaderPart(
        name,
        held.account.experience,
        held.number,
        len(session.given()) if session is not None else 0,
        sum(slot.corrections for slot in session.slots) if session is not None else 0,
        session is not None and session.signed is not None,
        chain[0].utc if chain else "",
        chain[-1].utc if chain else "",
        progress.active_s if progress is not None else 0.0,
        progress.break_s if progress is not None else 0.0,
        tuple(dict.fromkeys(version for event in chain if (version := _version(event)))),
    )


def _version(event: Event) -> str:
    if event.kind != StudyEventKind.STARTED:
        return ""
    try:
        return msgspec.json.decode(event.payload, type=Started).app_version
    except msgspec.DecodeError:
        return ""


def _ends(events: list[Event]) -> tuple[ChainEnd, ...]:
    last: dict[str, Event] = {}
    for event in events:
        if event.device not in last or event.seq > last[event.device].seq:
            last[event.device] = event
    return tuple(ChainEnd(event.actor, head_of(event)) for event in sorted(last.values(), key=lambda e: e.actor))
