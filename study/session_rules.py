"""What a reader may do now, and why not: the protocol's rules, asked while somebody reads and when their chain comes back.

Every rule gives a sentence for the reader, or "".
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from study.accounts import Meaning, Role, is_signed_by
from study.design import Slot
from study.model import Call, Reading, ReadingError, ReadingMode, check_reading
from study.protocol import FIVE_POINTS, Arm, Protocol, Scale
from study.session_state import MODES, SlotState, Step
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
)

if TYPE_CHECKING:
    from study.session import Session


def refusal(session: Session, payload: StudyPayload, now: datetime) -> str:
    """Why this must not happen now, or ""."""
    if session.signed is not None:
        return "You have signed that your reading is finished; nothing can be added."
    if isinstance(payload, Started):
        return _refuse_start(session, payload)
    if isinstance(payload, PassphraseChanged):
        return _refuse_passphrase(session, payload)
    if not session.started:
        return "The package has not been opened yet."
    if isinstance(payload, Resumed):
        return "" if session.paused_utc else "There is no break to end."
    if session.paused_utc:
        return "You are having a break; go on reading first."
    match payload:
        case Answered():
            return _refuse_answer(session, payload, now)
        case Revealed():
            return _refuse_reveal(session, payload, now)
        case Corrected():
            return _refuse_correction(session, payload)
        case Paused():
            return ""
        case Signed():
            return _refuse_signature(session, payload)
    return "It does not belong into a reader's record."


def _refuse_start(session: Session, payload: Started) -> str:
    if payload.reader_id != session.reader_id:
        return "This package is another reader's."
    if payload.protocol_sha256 != session.protocol_sha256:
        return "The protocol is another one than this package's."
    return ""


def _refuse_passphrase(session: Session, payload: PassphraseChanged) -> str:
    account = payload.account
    if (account.id, account.study_id, account.role) != (session.reader_id, session.protocol.study_id, Role.READER):
        return "The passphrase is not of this reader's account."
    if session.account is not None and account.public_key != session.account.public_key:
        return "A new passphrase keeps the key that the coordinator enrolled."
    return ""


def _refuse_turn(session: Session, slot: int, now: datetime) -> str:
    state = session.current
    if state is None:
        return "Everything is read already."
    if slot != state.slot.index:
        return "This case is not the one to be read now."
    waits = waits_until(session, state.slot, now)
    if waits is not None:
        return f"The second part opens on {waits.isoformat()}, when {session.protocol.washout_days} days have passed."
    return ""


def _refuse_answer(session: Session, payload: Answered, now: datetime) -> str:
    turn = _refuse_turn(session, payload.slot, now)
    if turn:
        return turn
    reading, state = payload.reading, session.slots[payload.slot]
    if state.step is Step.REVEAL:
        return "The CNN's answer must be shown before this one is given."
    if reading.mode is not MODES[state.slot.arm, state.step]:
        return "The answer was given in another reading mode than the protocol asks for here."
    if session.was_given(reading.id):
        return "An answer with this id is recorded already."
    if reading.mode is ReadingMode.REVISED and (state.unaided is None or reading.revises != state.unaided.id):
        return "The final answer must name the unaided one that it revises."
    return _refuse_reading(session, reading, state)


def _refuse_reading(session: Session, reading: Reading, state: SlotState) -> str:
    case = session.case(state.slot)
    if reading.reader.id != session.reader_id:
        return "The answer is another reader's."
    if (reading.case.image_sha256, reading.case.frame) != (case.image_sha256, 0):
        return "The answer is about another image."
    if case.side in ("R", "L") and reading.case.side != case.side:
        return "The answer is about the other hip."
    if reading.mode is ReadingMode.ANSWER_FIRST:
        if reading.cnn_score is not None or reading.viewing.overlay_visible_s > 0:
            return "The CNN was on screen before this answer, which must be given without it."
    elif session.open_aid is not None:
        shown = session.open_aid(state.slot.case_id).score
        same = (
            shown is None if reading.cnn_score is None else shown is not None and abs(shown - reading.cnn_score) < 1e-6
        )
        if not same:
            return "The answer names another score of the CNN than the one that belongs to this case."
    return refuse_answer(session.protocol, reading)


def _refuse_reveal(session: Session, payload: Revealed, now: datetime) -> str:
    turn = _refuse_turn(session, payload.slot, now)
    if turn:
        return turn
    state = session.slots[payload.slot]
    if state.slot.arm is Arm.UNAIDED:
        return "The CNN is not shown in this part of the study."
    if state.step is Step.ANSWER:
        return "The CNN's answer stays hidden until your own is locked."
    if state.step is Step.ANSWER_AIDED:
        return "The CNN's answer is shown already."
    if payload.case_id != state.slot.case_id or payload.aid_sha256 != session.plan.aids.get(payload.case_id, ""):
        return "What would be shown of the CNN is not what was fixed for this case."
    return ""


def _refuse_correction(session: Session, payload: Corrected) -> str:
    if not 0 <= payload.slot < len(session.slots):
        return "There is no such case."
    state = session.slots[payload.slot]
    if not session.protocol.going_back_allowed:
        return "The protocol does not allow going back; tell the coordinator, who can note a deviation."
    if payload.old not in (state.unaided, state.aided) or payload.new.id != payload.old.id:
        return "There is no such answer to correct."
    if payload.old == state.unaided and _shown_since(session, state):
        return "An unaided answer cannot be changed after the CNN's was shown."
    if payload.new.mode is not payload.old.mode or payload.new.revises != payload.old.revises:
        return "A correction cannot change when an answer was given."
    if not payload.reason.strip():
        return "Say why the answer is corrected."
    if payload.new == payload.old:
        return "The correction changes nothing."
    return _refuse_reading(session, payload.new, state)


def _shown_since(session: Session, state: SlotState) -> bool:
    """The reader has seen the CNN's answer on this case after their own: here, or where the case came again."""
    return any(
        other.revealed_utc and (other is state or other.revealed_utc > state.unaided_utc)
        for other in session.slots
        if other.slot.case_id == state.slot.case_id
    )


def _refuse_signature(session: Session, payload: Signed) -> str:
    if session.current is not None:
        return "Not every case is read yet."
    statement = payload.signature.statement
    wanted = (session.protocol.study_id, session.protocol_sha256, session.reader_id, Meaning.READ_ALONE)
    said = (statement.study_id, statement.protocol_sha256, statement.account_id, statement.meaning)
    account = session.account or payload.account
    if said != wanted or not is_signed_by(payload.signature, account):
        return "The signature is not this reader's, or is for something else."
    return ""


def waits_until(session: Session, slot: Slot, now: datetime) -> date | None:
    """The day on which this slot's period opens, while it lies ahead."""
    if slot.period < 2:
        return None
    # The latest time of the first period, not of its last slot: the clock may have been set back meanwhile.
    times = [
        utc
        for state in session.slots
        if 0 < state.slot.period < slot.period
        for utc in (state.unaided_utc, state.aided_utc)
        if utc
    ]
    if not times:
        return None
    opens = parsed(max(times)).date() + timedelta(days=session.protocol.washout_days)
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


def parsed(utc: str) -> datetime:
    return datetime.fromisoformat(utc).astimezone(UTC)
