"""Does a study's record hold together? Hashes, signatures and their places, beyond what each chain says of itself.

`study.chain` finds what was changed, removed, inserted or cut off within a chain. Here is found what a whole, sound chain
can still hide: another protocol than the registered one, somebody else's signature, answers that vanished after they were
taken in, entries after the close.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec

from study.accounts import Meaning, Signature, is_signed_by
from study.cases import cases_sha256
from study.chain import Event
from study.protocol import protocol_sha256
from study.study_events import (
    AccountReset,
    Closed,
    Deviation,
    Enrolled,
    Packaged,
    Registered,
    Started,
    StudyPayload,
    TakenIn,
    Unsealed,
    decode_study,
    entry_sha256,
)
from study.study_state import CoordinatorError, StudyState, by_time, fold_study, replay


@dataclass(frozen=True)
class Flaw:
    """What does not fit, and where: the event's chain and place in it; seq 0 where the place is no single event."""

    device: str
    seq: int
    sentence: str


def check_study(events: Iterable[Event], study: str) -> list[Flaw]:
    """Everything that does not fit in one study. Empty for a study that holds together. Needs no passphrase."""
    held = [event for event in events if event.study == study]
    try:
        state = fold_study(held, study)
    except CoordinatorError as error:
        return [Flaw("", 0, str(error))]
    out = _coordinator_flaws(state, held)
    out += _end_flaws(state, held)
    sessions = replay(state, held)
    for reader, session in sessions.items():
        device = next((d for d, r in _devices(state, held).items() if r == reader), "")
        out += [Flaw(device, v.seq, f"{reader}: {v.sentence}") for v in session.violations]
    return out


def unsigned_entries(events: Iterable[Event], study: str) -> list[Event]:
    """The coordinator's entries that no signature of their own holds: those of earlier versions, and made without the key.

    In a file only who holds it could have added them; on a server, whoever may insert rows in the coordinator's name.
    """
    held = [event for event in events if event.study == study]
    try:
        coordinator = fold_study(held, study).registered.coordinator.id
    except CoordinatorError:
        return []
    return [
        event
        for event in by_time(held, study)
        if event.actor == coordinator
        and isinstance(payload := _decoded(event), Deviation | Enrolled | Packaged | TakenIn | Unsealed)
        and payload.signature is None
    ]


def _devices(state: StudyState, events: list[Event]) -> dict[str, str]:
    """Reader by device, those included that nobody had to take in."""
    started = {event.device: event.actor for event in events if event.actor in state.readers}
    return started | state.devices


def _coordinator_flaws(state: StudyState, events: list[Event]) -> list[Flaw]:
    registered, out = state.registered, []
    known = {registered.coordinator.id, *state.readers}
    registrations = 0
    closed = False
    for event in by_time(events, state.protocol.study_id):

        def note(sentence: str, event: Event = event) -> None:
            out.append(Flaw(event.device, event.seq, sentence))

        try:
            payload = decode_study(event)
        except msgspec.DecodeError:
            note("This entry cannot be understood.")
            continue
        if event.actor not in known:
            note(f"It was written by {event.actor}, who takes no part in this study.")
        if isinstance(payload, Started):
            _check_started(state, event, payload, note)
        if event.actor != registered.coordinator.id or payload is None:
            continue
        if closed and not isinstance(payload, Unsealed | Deviation):
            note("It was written after the reading phase had been closed.")
        if isinstance(payload, Registered):
            registrations += 1
            if registrations > 1:
                note("A second protocol was registered; the first one counts.")
                continue
        _check_signed(state, event, payload, note)
        _check_contents(state, payload, note)
        closed = closed or isinstance(payload, Closed)
    return out


def _check_started(state: StudyState, event: Event, payload: Started, note: Callable[[str], None]) -> None:
    enrolled = state.readers.get(event.actor)
    if enrolled is not None and payload.manifest_sha256 not in {"", *enrolled.manifests}:
        note(f"{event.actor} opened another package than one that was made for them.")


def _check_contents(state: StudyState, payload: StudyPayload, note: Callable[[str], None]) -> None:
    match payload:
        case Registered(protocol=protocol):
            if protocol_sha256(protocol) != payload.protocol_sha256:
                note("The protocol is not the one whose hash was registered.")
            if cases_sha256(payload.cases) != protocol.cases_sha256:
                note("The case list is not the one that the protocol names.")
        case Unsealed(truth_commitment=opened):
            if opened != state.protocol.truth_commitment:
                note("The truth that was opened is not the one that was committed to before the first reading.")
        case Enrolled(number=number, account=account):
            if state.readers[account.id].number != number:
                note(f"{account.id} was enrolled twice.")
        case _:
            pass


def _check_signed(state: StudyState, event: Event, payload: StudyPayload, note: Callable[[str], None]) -> None:
    signature: Signature
    about = ""
    match payload:
        case Registered():
            signature, meaning, what = payload.signature, Meaning.REGISTERED, "The registration"
        case AccountReset(account=account):
            signature, meaning, what = payload.signature, Meaning.ACCOUNT_RESET, "The new key"
            about = account.public_key
        case Closed():
            signature, meaning, what = payload.signature, Meaning.CLOSED, "The close of the reading phase"
        case Deviation() | Enrolled() | Packaged() | TakenIn() | Unsealed():
            if payload.signature is None:
                return  # see `unsigned_entries`
            signature, meaning, what = payload.signature, Meaning.ENTRY, "This entry"
            about = entry_sha256(event.payload)
        case _:
            return
    registered, statement = state.registered, signature.statement
    if not is_signed_by(signature, registered.coordinator):
        note(f"{what} is not signed by the coordinator.")
    said = (statement.study_id, statement.protocol_sha256, statement.meaning, statement.about)
    if said != (state.protocol.study_id, registered.protocol_sha256, meaning, about):
        note(f"{what} carries a signature for something else.")
    if (statement.head.device, statement.head.seq + 1, statement.head.hash) != (
        event.device,
        event.seq,
        event.previous,
    ):
        note(f"{what} was signed for another place in the record.")


def _end_flaws(state: StudyState, events: list[Event]) -> list[Flaw]:
    """What was taken in must still be there, whether or not an exported head is at hand; nothing counts after the close."""
    out = []
    at = {(event.device, event.seq): event.hash for event in events}
    last: dict[str, int] = {}
    for event in events:
        last[event.device] = max(event.seq, last.get(event.device, 0))
    taken = [p for event in events if isinstance(p := _decoded(event), TakenIn)]
    for payload in taken:
        found = at.get((payload.device, payload.seq))
        if found is None and last.get(payload.device, 0) < payload.seq:
            reach = last.get(payload.device, 0)
            sentence = (
                f"The answers of {payload.reader_id} end at event {reach}; {payload.seq} had been taken in. "
                "Their end was cut off."
            )
            out.append(Flaw(payload.device, reach + 1, sentence))
        elif found is not None and found != payload.hash:
            sentence = f"The answers of {payload.reader_id} are not those that were taken in: they were rewritten."
            out.append(Flaw(payload.device, payload.seq, sentence))
    if state.closed_utc:
        for device, end in state.ends.items():
            if last.get(device, 0) > end.seq:
                sentence = f"{end.reader_id} went on after the reading phase had been closed; this is not counted."
                out.append(Flaw(device, end.seq + 1, sentence))
    return list(dict.fromkeys(out))


def _decoded(event: Event) -> StudyPayload | None:
    try:
        return decode_study(event)
    except msgspec.DecodeError:
        return None
