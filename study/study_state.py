"""What a study's events amount to: who takes part, what was handed out and came back, and each reader's session."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from study.accounts import Account, PublicAccount, public
from study.aids import Aid, Aids
from study.chain import Event
from study.design import Slot, block_of, reading_order
from study.protocol import Protocol
from study.session import Session, Violation
from study.study_events import (
    AccountReset,
    Closed,
    Deviation,
    Enrolled,
    Packaged,
    Registered,
    StudyEventKind,
    StudyPayload,
    TakenIn,
    Unsealed,
    decode_study,
)


class CoordinatorError(ValueError):
    """This cannot be done (now). `str(error)` is a sentence."""


@dataclass
class Enrolment:
    """A reader, and what has come back from them."""

    number: int
    account: Account
    former: list[PublicAccount] = field(default_factory=list)  # keys before a reset
    package: Packaged | None = None  # the latest
    package_outdated: bool = False  # made for a key that was replaced since
    manifests: set[str] = field(default_factory=set)  # of every package that was made for them

    @property
    def accounts(self) -> list[PublicAccount]:
        return [*self.former, public(self.account)]


@dataclass
class StudyState:
    """The study as its coordinator's events tell it."""

    registered: Registered
    registered_utc: str = ""
    readers: dict[str, Enrolment] = field(default_factory=dict)
    deviations: list[tuple[str, Deviation]] = field(default_factory=list)  # UTC time
    taken_in: dict[str, TakenIn] = field(default_factory=dict)  # the latest by reader
    ends: dict[str, TakenIn] = field(default_factory=dict)  # the latest by device: how far its chain counts
    devices: dict[str, str] = field(default_factory=dict)  # reader by device
    closed_utc: str = ""
    unsealed_utc: str = ""

    @property
    def protocol(self) -> Protocol:
        return self.registered.protocol


def registered_studies(events: Iterable[Event]) -> dict[str, str]:
    """Title by id of every study that is registered in these events."""
    out: dict[str, str] = {}
    for event in events:
        if event.kind == StudyEventKind.REGISTERED:
            try:
                payload = msgspec.json.decode(event.payload, type=Registered)
            except msgspec.DecodeError:
                continue
            out.setdefault(event.study, payload.protocol.title)
    return out


def by_time(events: Iterable[Event], study: str) -> Iterator[Event]:
    """The study's events by time over all chains, and within a chain as written, whatever its clock did."""
    chains: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.study == study:
            chains[event.device].append(event)
    return heapq.merge(*chains.values(), key=lambda event: event.utc)


def fold_study(events: Iterable[Event], study: str) -> StudyState:
    """Raises CoordinatorError where no such study is registered, or an event of its coordinator cannot be understood."""
    state: StudyState | None = None
    for event in by_time(events, study):
        if state is not None and event.actor != state.registered.coordinator.id:
            continue  # a reader's own chain
        try:
            payload = decode_study(event)
        except msgspec.DecodeError as error:
            raise CoordinatorError(f"Event {event.seq} of the study cannot be understood.") from error
        if isinstance(payload, Registered):
            state = state or StudyState(payload, event.utc)
        elif state is not None and payload is not None:
            _take(state, payload, event.utc)
    if state is None:
        raise CoordinatorError("No study is registered in this file.")
    return state


def _take(state: StudyState, payload: StudyPayload, utc: str) -> None:
    match payload:
        case Enrolled(number=number, account=account):
            state.readers[account.id] = Enrolment(number, account)
        case AccountReset(account=account):
            held = reader_of(state, account.id)
            held.former.append(public(held.account))
            held.account = account
            held.package_outdated = held.package is not None
        case Packaged(reader_id=reader_id):
            held = reader_of(state, reader_id)
            held.package = payload
            held.package_outdated = False
            held.manifests.add(payload.manifest_sha256)
        case Deviation():
            state.deviations.append((utc, payload))
        case TakenIn(reader_id=reader_id):
            state.taken_in[reader_id] = state.ends[payload.device] = payload
            state.devices[payload.device] = reader_id
        case Closed():
            state.closed_utc = state.closed_utc or utc
        case Unsealed():
            state.unsealed_utc = state.unsealed_utc or utc
        case _:
            pass


def reader_of(state: StudyState, reader_id: str) -> Enrolment:
    """Raises CoordinatorError for somebody who is not enrolled."""
    if reader_id not in state.readers:
        raise CoordinatorError(f"{reader_id} is not enrolled in this study.")
    return state.readers[reader_id]


def order_of(state: StudyState, reader_id: str) -> tuple[Slot, ...]:
    """What a reader reads, in order. Raises CoordinatorError."""
    number = reader_of(state, reader_id).number
    registered = state.registered
    counted = [case.id for case in registered.cases if not case.practice]
    practice = [case.id for case in registered.cases if case.practice]
    block = registered.blocks[block_of(state.protocol, number)] if registered.blocks else ()
    return reading_order(state.protocol, number, counted, practice, block=block)


def reader_chains(state: StudyState, events: Iterable[Event]) -> dict[str, list[Event]]:
    """Each reader's events by time; once the study is closed, no further than what had been taken in by then."""
    held = list(events)
    devices = dict(state.devices)
    if not state.closed_utc:
        for event in held:  # workstations that share a server hold chains that nobody had to take in
            if event.kind == StudyEventKind.STARTED and event.actor in state.readers:
                devices.setdefault(event.device, event.actor)
    chains: dict[str, list[Event]] = defaultdict(list)
    for event in by_time(held, state.protocol.study_id):
        reader = devices.get(event.device)
        too_late = state.closed_utc and event.device in state.ends and event.seq > state.ends[event.device].seq
        if reader in state.readers and not too_late:
            chains[reader].append(event)
    return chains


def replay(state: StudyState, events: Iterable[Event], aids: Aids | None = None) -> dict[str, Session]:
    """Every reader's session as far as it came back, under the rules that held while they read.

    aids: once they may be known, to check that each reader named the score that was to be shown.
    """
    overlay = state.protocol.overlay_allowed

    def shown(case_id: str) -> Aid:
        aid = aids.shown(case_id, overlay=overlay) if aids is not None else None
        if aid is None:
            raise CoordinatorError(f"The CNN's answer on case {case_id} is missing.")
        return aid

    out: dict[str, Session] = {}
    for reader, chain in reader_chains(state, events).items():
        enrolment = state.readers[reader]
        if enrolment.package is None:
            continue
        session = Session(state.protocol, enrolment.package.plan, reader, open_aid=shown if aids is not None else None)
        session.apply_all(chain)
        if session.signed is not None and session.signed.account not in enrolment.accounts:
            seq = next(event.seq for event in reversed(chain) if event.kind == StudyEventKind.SIGNED)
            session.violations.append(Violation(seq, "The signature is by a key that was never this reader's."))
        out[reader] = session
    return dict(sorted(out.items(), key=lambda item: state.readers[item[0]].number))
