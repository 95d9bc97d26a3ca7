"""A reader's way through a study, folded from the events of their chain.

One set of rules serves twice: while somebody reads it refuses what the protocol does not allow, and when the chain
comes back it finds what should not be there. Nothing here waits for a disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

import msgspec

from study.accounts import Account, Meaning, PublicAccount, Statement, is_signed_by, public, sign
from study.aids import Aid
from study.chain import Event, Head
from study.design import Plan, PlannedCase, Slot
from study.model import Call, Reading, ReadingError, ReadingMode, check_reading
from study.protocol import FIVE_POINTS, Arm, Protocol, Scale, protocol_sha256
from study.study_events import (
    Answered,
    Corrected,
    Paused,
    Resumed,
    Revealed,
    Signed,
    Started,
    StudyPayload,
    decode_study,
)

P = TypeVar("P", bound=StudyPayload)

UNAIDED, AIDED = "unaided", "aided"  # the reading modes of the score table


class SessionError(ValueError):
    """The protocol does not allow this now. `str(error)` is a sentence for the reader."""


class Step(StrEnum):
    """What comes next."""

    START = "start"
    ANSWER = "answer"  # without the CNN
    REVEAL = "reveal"
    ANSWER_AIDED = "answer_aided"  # with the CNN on screen
    WAIT = "wait"  # for the end of the washout
    SIGN = "sign"  # everything is read
    FINISHED = "finished"


_MODES = {
    (Arm.SEQUENTIAL, Step.ANSWER): ReadingMode.ANSWER_FIRST,
    (Arm.SEQUENTIAL, Step.ANSWER_AIDED): ReadingMode.REVISED,
    (Arm.UNAIDED, Step.ANSWER): ReadingMode.ANSWER_FIRST,
    (Arm.AIDED, Step.ANSWER_AIDED): ReadingMode.ASSIST,
}


@dataclass
class SlotState:
    """What has happened to one slot."""

    slot: Slot
    unaided: Reading | None = None
    aided: Reading | None = None
    unaided_utc: str = ""
    aided_utc: str = ""
    revealed_utc: str = ""
    corrections: int = 0

    @property
    def done(self) -> bool:
        return (self.unaided if self.slot.arm is Arm.UNAIDED else self.aided) is not None

    @property
    def step(self) -> Step:
        """What this slot waits for; meaningless once it is done."""
        if self.slot.arm is Arm.UNAIDED or (self.slot.arm is Arm.SEQUENTIAL and self.unaided is None):
            return Step.ANSWER
        return Step.ANSWER_AIDED if self.revealed_utc else Step.REVEAL


@dataclass(frozen=True)
class Given:
    """An answer that counts as given: as last corrected."""

    slot: Slot
    mode: str  # UNAIDED or AIDED
    reading: Reading
    utc: str
    corrected: bool


@dataclass(frozen=True)
class Progress:
    """What the worklist shows: how far, never how well."""

    step: Step
    slot: Slot | None  # the current one
    done: int  # counted slots
    total: int
    practice_done: int
    practice_total: int
    paused: bool
    opens_on: date | None  # when the washout ends, while it lasts
    active_s: float  # of all answers, pauses apart
    break_s: float


@dataclass(frozen=True)
class Violation:
    """An event in a chain that the protocol does not allow; it is not counted."""

    seq: int
    sentence: str
    slot: int | None = None


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
    violations: list[Violation] = field(default_factory=list)
    last_utc: str = ""
    _known: dict[str, Reading] = field(default_factory=dict)  # as first submitted, by id
    _current: int = 0

    def __post_init__(self) -> None:
        self.slots = [SlotState(slot) for slot in self.plan.slots]
        self._protocol_sha256 = protocol_sha256(self.protocol)

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
            opens_on = self._waits_until(current.slot, _now(now))
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

    def mode(self) -> ReadingMode:
        """The mode of the reading that is to be given next. Raises SessionError where none is."""
        state = self.current
        mode = _MODES.get((state.slot.arm, state.step)) if state is not None else None
        if mode is None:
            raise SessionError("There is nothing to answer now.")
        return mode

    # --- what the reader does: payloads to append, or a SessionError

    def start(self, app_version: str = "") -> Started:
        return self._allowed(
            Started(self.reader_id, self.manifest_sha256, self._protocol_sha256, app_version), _now(None)
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

    def sign(self, account: Account, passphrase: str, head: Head, now: datetime | None = None) -> Signed:
        """Everything is read: sign for it. head: the end of the reader's chain. Raises AccountError too."""
        statement = Statement(self.protocol.study_id, self._protocol_sha256, self.reader_id, Meaning.READ_ALONE, head)
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
        refusal = self._refusal(payload, _parsed(event.utc))
        if not refusal and event.actor != self.reader_id:
            refusal = "It was not written by this reader."
        if not refusal and isinstance(payload, Signed) and payload.signature.statement.head.hash != event.previous:
            refusal = "The signature is for another end of the record."
        if refusal:
            slot = payload.slot if isinstance(payload, (Answered, Revealed, Corrected)) else None
            self.violations.append(Violation(event.seq, f"Event {event.seq}: {refusal}", slot))
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
                self.break_s += max((_parsed(utc) - _parsed(self.paused_utc)).total_seconds(), 0.0)
                self.paused_utc = ""
            case Signed():
                self.signed = payload
            case _:
                pass

    # --- the rules

    def _allowed(self, payload: P, now: datetime) -> P:
        refusal = self._refusal(payload, now)
        if refusal:
            raise SessionError(refusal)
        return payload

    def _is_repeated(self, payload: StudyPayload) -> bool:
        return isinstance(payload, Answered) and self._known.get(payload.reading.id) == payload.reading

    def _refusal(self, payload: StudyPayload, now: datetime) -> str:
        """Why this must not happen now, or ""."""
        if self.signed is not None:
            return "You have signed that your reading is finished; nothing can be added."
        if isinstance(payload, Started):
            return self._refuse_start(payload)
        if not self.started:
            return "The package has not been opened yet."
        if isinstance(payload, Resumed):
            return "" if self.paused_utc else "There is no break to end."
        if self.paused_utc:
            return "You are having a break; go on reading first."
        match payload:
            case Answered():
                return self._refuse_answer(payload, now)
            case Revealed():
                return self._refuse_reveal(payload, now)
            case Corrected():
                return self._refuse_correction(payload)
            case Paused():
                return ""
            case Signed():
                return self._refuse_signature(payload)
        return "It does not belong into a reader's record."

    def _refuse_start(self, payload: Started) -> str:
        if payload.reader_id != self.reader_id:
            return "This package is another reader's."
        if payload.protocol_sha256 != self._protocol_sha256:
            return "The protocol is another one than this package's."
        return ""

    def _refuse_turn(self, slot: int, now: datetime) -> str:
        state = self.current
        if state is None:
            return "Everything is read already."
        if slot != self._current:
            return "This case is not the one to be read now."
        waits = self._waits_until(state.slot, now)
        if waits is not None:
            return f"The second part opens on {waits.isoformat()}, when {self.protocol.washout_days} days have passed."
        return ""

    def _refuse_answer(self, payload: Answered, now: datetime) -> str:
        turn = self._refuse_turn(payload.slot, now)
        if turn:
            return turn
        reading, state = payload.reading, self.slots[payload.slot]
        if state.step is Step.REVEAL:
            return "The CNN's answer must be shown before this one is given."
        if reading.mode is not _MODES[state.slot.arm, state.step]:
            return "The answer was given in another reading mode than the protocol asks for here."
        if reading.id in self._known:
            return "An answer with this id is recorded already."
        if reading.mode is ReadingMode.REVISED and (state.unaided is None or reading.revises != state.unaided.id):
            return "The final answer must name the unaided one that it revises."
        return self._refuse_reading(reading, state)

    def _refuse_reading(self, reading: Reading, state: SlotState) -> str:
        case = self.case(state.slot)
        if reading.reader.id != self.reader_id:
            return "The answer is another reader's."
        if (reading.case.image_sha256, reading.case.frame) != (case.image_sha256, 0):
            return "The answer is about another image."
        if case.side in ("R", "L") and reading.case.side != case.side:
            return "The answer is about the other hip."
        if reading.mode is ReadingMode.ANSWER_FIRST:
            if reading.cnn_score is not None or reading.viewing.overlay_visible_s > 0:
                return "The CNN was on screen before this answer, which must be given without it."
        elif self.open_aid is not None:
            shown = self.open_aid(state.slot.case_id).score
            same = (
                shown is None
                if reading.cnn_score is None
                else shown is not None and abs(shown - reading.cnn_score) < 1e-6
            )
            if not same:
                return "The answer names another score of the CNN than the one that belongs to this case."
        return refuse_answer(self.protocol, reading)

    def _refuse_reveal(self, payload: Revealed, now: datetime) -> str:
        turn = self._refuse_turn(payload.slot, now)
        if turn:
            return turn
        state = self.slots[payload.slot]
        if state.slot.arm is Arm.UNAIDED:
            return "The CNN is not shown in this part of the study."
        if state.step is Step.ANSWER:
            return "The CNN's answer stays hidden until your own is locked."
        if state.step is Step.ANSWER_AIDED:
            return "The CNN's answer is shown already."
        if payload.case_id != state.slot.case_id or payload.aid_sha256 != self.plan.aids.get(payload.case_id, ""):
            return "What would be shown of the CNN is not what was fixed for this case."
        return ""

    def _refuse_correction(self, payload: Corrected) -> str:
        if not 0 <= payload.slot < len(self.slots):
            return "There is no such case."
        state = self.slots[payload.slot]
        if not self.protocol.going_back_allowed:
            return "The protocol does not allow going back; tell the coordinator, who can note a deviation."
        if payload.old not in (state.unaided, state.aided) or payload.new.id != payload.old.id:
            return "There is no such answer to correct."
        if payload.old == state.unaided and self._shown_since(state):
            return "An unaided answer cannot be changed after the CNN's was shown."
        if payload.new.mode is not payload.old.mode or payload.new.revises != payload.old.revises:
            return "A correction cannot change when an answer was given."
        if not payload.reason.strip():
            return "Say why the answer is corrected."
        if payload.new == payload.old:
            return "The correction changes nothing."
        return self._refuse_reading(payload.new, state)

    def _shown_since(self, state: SlotState) -> bool:
        """The reader has seen the CNN's answer on this case after their own: here, or where the case came again."""
        return any(
            other.revealed_utc and (other is state or other.revealed_utc > state.unaided_utc)
            for other in self.slots
            if other.slot.case_id == state.slot.case_id
        )

    def _refuse_signature(self, payload: Signed) -> str:
        if self.current is not None:
            return "Not every case is read yet."
        statement = payload.signature.statement
        wanted = (self.protocol.study_id, self._protocol_sha256, self.reader_id, Meaning.READ_ALONE)
        said = (statement.study_id, statement.protocol_sha256, statement.account_id, statement.meaning)
        account = self.account or payload.account
        if said != wanted or not is_signed_by(payload.signature, account):
            return "The signature is not this reader's, or is for something else."
        return ""

    def _waits_until(self, slot: Slot, now: datetime) -> date | None:
        """The day on which this slot's period opens, while it lies ahead."""
        if slot.period < 2:
            return None
        # The latest time of the first period, not of its last slot: the clock may have been set back meanwhile.
        times = [
            utc
            for state in self.slots
            if 0 < state.slot.period < slot.period
            for utc in (state.unaided_utc, state.aided_utc)
            if utc
        ]
        if not times:
            return None
        opens = _parsed(max(times)).date() + timedelta(days=self.protocol.washout_days)
        return opens if now.date() < opens else None


def refuse_answer(protocol: Protocol, reading: Reading) -> str:
    """Why an answer does not fit the protocol's form, as a sentence, or ""."""
    if reading.call is None and not protocol.not_assessable_allowed:
        return "This study asks for an answer on every case."
    if reading.call is Call.CANNOT_TELL and not protocol.cannot_tell_allowed:
        return "This study asks for a decision: loose or not loose."
    checked = reading
    if protocol.scale is Scale.FIVE_POINT and reading.call is not None:
        if reading.score not in FIVE_POINTS:
            return "Choose one of the five points."
        if reading.score == 50:  # the middle of five points goes with either call
            lean = -1 if reading.call is Call.NOT_LOOSE else 1
            checked = msgspec.structs.replace(reading, score=50.0 + lean)
    try:
        check_reading(checked)
    except ReadingError as error:
        return str(error)
    return ""


def _now(now: datetime | None) -> datetime:
    return (now or datetime.now(UTC)).astimezone(UTC)


def _parsed(utc: str) -> datetime:
    return datetime.fromisoformat(utc).astimezone(UTC)
