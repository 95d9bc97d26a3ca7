"""A reader's way through a study, folded from the events of their chain.

One set of rules (`study.session_rules`) serves twice: while somebody reads it refuses what the protocol does not allow,
and when the chain comes back it finds what should not be there. Nothing here waits for a disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from study.accounts import Account, Meaning, PublicAccount, Statement, change_passphrase, public, sign
from study.aids import Aid
from study.chain import Event, Head
from study.design import Plan, PlannedCase, Slot
from study.model import Reading, ReadingMode
from study.protocol import AIDED, UNAIDED, Protocol, protocol_sha256
from study.session_rules import parsed, refusal, refuse_answer, waits_until
from study.session_state import MODES, Given, Progress, SessionError, SlotState, Step, Violation
from study.study_events import (
    Answered,
    Corrected,
    PassphraseChanged,
    Paused,
    Resumed,
    Revealed,
    Signed,
    Started,
    StudyPayload,
    decode_study,
)

__all__ = [
    "AIDED",
    "UNAIDED",
    "Given",
    "Progress",
    "Session",
    "SessionError",
    "SlotState",
    "Step",
    "Violation",
    "refuse_answer",
]

P = TypeVar("P", bound=StudyPayload)


@dataclass
class Session:
    """The state of one reader in one study.

    The caller asks for a payload (`answer`, `reveal`, …), appends it to the store as an event of the reader, and hands
    the acknowledged event to `apply`. Refusals are SessionErrors with a sentence, and change nothing.
    """

    protocol: Protocol
    plan: Plan
    reader_id: str
    manifest_sha256: str = ""
    open_aid: Callable[[str], Aid] | None = None  # by case id; asked only for what is revealed
    account: PublicAccount | None = None  # whose signature ends the session; None: not checked here
    slots: list[SlotState] = field(init=False)
    started: bool = False
    paused_utc: str = ""
    break_s: float = 0.0
    signed: Signed | None = None
    changed: PassphraseChanged | None = None  # the latest
    changed_utc: str = ""
    violations: list[Violation] = field(default_factory=list)
    last_utc: str = ""
    _known: dict[str, Reading] = field(default_factory=dict)  # as first submitted, by id
    _current: int = 0

    def __post_init__(self) -> None:
        self.slots = [SlotState(slot) for slot in self.plan.slots]
        self.protocol_sha256 = protocol_sha256(self.protocol)

    # --- what is shown

    @property
    def current(self) -> SlotState | None:
        return self.slots[self._current] if self._current < len(self.slots) else None

    def case(self, slot: Slot) -> PlannedCase:
        return self.plan.case(slot.case_id)

    def progress(self, now: datetime | None = None) -> Progress:
        counted = [state for state in self.slots if not state.slot.practice]
        practice = [state for state in self.slots if state.slot.practice]
        current = self.current
        opens_on = None
        if self.signed is not None:
            step = Step.FINISHED
        elif not self.started:
            step = Step.START
        elif current is None:
            step = Step.SIGN
        else:
            opens_on = waits_until(self, current.slot, _now(now))
            step = Step.WAIT if opens_on else current.step
        return Progress(
            step,
            current.slot if current else None,
            sum(state.done for state in counted),
            len(counted),
            sum(state.done for state in practice),
            len(practice),
            bool(self.paused_utc),
            opens_on,
            sum(given.reading.viewing.active_s for given in self.given(practice=True)),
            self.break_s,
        )

    def given(self, *, practice: bool = False) -> list[Given]:
        """All answers in the order of the plan, practice left out unless asked for."""
        out = []
        for state in self.slots:
            if state.slot.practice and not practice:
                continue
            pairs = ((UNAIDED, state.unaided, state.unaided_utc), (AIDED, state.aided, state.aided_utc))
            out += [
                Given(state.slot, mode, reading, utc, reading != self._known[reading.id])
                for mode, reading, utc in pairs
                if reading is not None
            ]
        return out

    def aid(self, slot: int | None = None) -> Aid:
        """What is to be shown of the CNN for a slot (the current one), once it is revealed. Raises SessionError."""
        state = self.current if slot is None else self.slots[slot]
        if state is None or not state.revealed_utc:
            raise SessionError("The CNN's answer stays hidden until your own is locked.")
        if self.open_aid is None:
            raise SessionError("This package holds no answers of the CNN.")
        return self.open_aid(state.slot.case_id)

    def was_given(self, reading_id: str) -> bool:
        """An answer of this id is recorded."""
        return reading_id in self._known

    def mode(self) -> ReadingMode:
        """The mode of the reading that is to be given next. Raises SessionError where none is."""
        state = self.current
        mode = MODES.get((state.slot.arm, state.step)) if state is not None else None
        if mode is None:
            raise SessionError("There is nothing to answer now.")
        return mode

    # --- what the reader does: payloads to append, or a SessionError

    def start(self, app_version: str = "") -> Started:
        return self._allowed(
            Started(self.reader_id, self.manifest_sha256, self.protocol_sha256, app_version), _now(None)
        )

    def answer(self, reading: Reading, now: datetime | None = None) -> Answered:
        """The current case's answer, which is locked with it."""
        return self._allowed(Answered(self._current, reading), _now(now))

    def reveal(self, now: datetime | None = None) -> Revealed:
        """The CNN is about to be shown for the current case."""
        state = self.current
        case_id = state.slot.case_id if state is not None else ""
        return self._allowed(Revealed(self._current, case_id, self.plan.aids.get(case_id, "")), _now(now))

    def correct(self, slot: int, new: Reading, reason: str, now: datetime | None = None) -> Corrected:
        """A locked answer was wrong. `new.id` names it."""
        state = self.slots[slot]
        old = next((r for r in (state.unaided, state.aided) if r is not None and r.id == new.id), None)
        if old is None:
            raise SessionError("There is no such answer to correct.")
        return self._allowed(Corrected(slot, old, new, reason), _now(now))

    def pause(self, now: datetime | None = None) -> Paused:
        return self._allowed(Paused(self.reader_id), _now(now))

    def resume(self, now: datetime | None = None) -> Resumed:
        return self._allowed(Resumed(self.reader_id), _now(now))

    def change_passphrase(self, account: Account, old: str, new: str, now: datetime | None = None) -> PassphraseChanged:
        """The reader's key under a passphrase that nobody else knows. Computes for a while. Raises AccountError too."""
        return self._allowed(PassphraseChanged(change_passphrase(account, old, new)), _now(now))

    def sign(self, account: Account, passphrase: str, head: Head, now: datetime | None = None) -> Signed:
        """Everything is read: sign for it. head: the end of the reader's chain. Raises AccountError too."""
        statement = Statement(self.protocol.study_id, self.protocol_sha256, self.reader_id, Meaning.READ_ALONE, head)
        if self.current is not None:
            raise SessionError(f"{len(self.slots) - self._current} case(s) are not read yet.")
        signature = sign(account, passphrase, statement)
        return self._allowed(Signed(signature, public(account), len(self.given(practice=True))), _now(now))

    # --- folding

    def apply(self, event: Event) -> StudyPayload | None:
        """Take in an event of this reader's chain. What is not allowed becomes a violation and changes nothing."""
        try:
            payload = decode_study(event)
        except msgspec.DecodeError:
            self.violations.append(Violation(event.seq, f"Event {event.seq} cannot be understood."))
            return None
        if payload is None:
            return None
        if self._is_repeated(payload):
            return payload  # a caller that tried again
        against = refusal(self, payload, parsed(event.utc))
        if not against and event.actor != self.reader_id:
            against = "It was not written by this reader."
        if not against and isinstance(payload, Signed) and payload.signature.statement.head.hash != event.previous:
            against = "The signature is for another end of the record."
        if against:
            slot = payload.slot if isinstance(payload, (Answered, Revealed, Corrected)) else None
            self.violations.append(Violation(event.seq, f"Event {event.seq}: {against}", slot))
            return None
        self._take(payload, event.utc)
        self.last_utc = max(self.last_utc, event.utc)
        return payload

    def apply_all(self, events: Iterable[Event]) -> Session:
        for event in events:
            self.apply(event)
        return self

    def _take(self, payload: StudyPayload, utc: str) -> None:
        match payload:
            case Started():
                self.started = True
            case Answered(slot=slot, reading=reading):
                state = self.slots[slot]
                self._known[reading.id] = reading
                if state.step is Step.ANSWER:
                    state.unaided, state.unaided_utc = reading, utc
                else:
                    state.aided, state.aided_utc = reading, utc
                while self._current < len(self.slots) and self.slots[self._current].done:
                    self._current += 1
            case Revealed(slot=slot):
                self.slots[slot].revealed_utc = utc
            case Corrected(slot=slot, new=new):
                state = self.slots[slot]
                state.corrections += 1
                if state.unaided is not None and state.unaided.id == new.id:
                    state.unaided = new
                else:
                    state.aided = new
            case Paused():
                self.paused_utc = utc
            case Resumed():
                self.break_s += max((parsed(utc) - parsed(self.paused_utc)).total_seconds(), 0.0)
                self.paused_utc = ""
            case Signed():
                self.signed = payload
            case PassphraseChanged():
                self.changed, self.changed_utc = payload, utc
            case _:
                pass

    # --- what stands against it

    def _allowed(self, payload: P, now: datetime) -> P:
        against = refusal(self, payload, now)
        if against:
            raise SessionError(against)
        return payload

    def _is_repeated(self, payload: StudyPayload) -> bool:
        return isinstance(payload, Answered) and self._known.get(payload.reading.id) == payload.reading


def _now(now: datetime | None) -> datetime:
    return (now or datetime.now(UTC)).astimezone(UTC)
