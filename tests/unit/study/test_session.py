"""What a reader may do when, and what a returned chain may hold."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec
import pytest

from study.accounts import (
    AccountError,
    Role,
    check_passphrase,
    create_account,
    is_signed_by,
    public,
    reset_account,
)
from study.aids import Aid
from study.chain import canonical_json, empty_head, head_of, make_event
from study.model import Call, ReadingMode, ViewingRecord
from study.protocol import Arm, Arms, Scale
from study.session import AIDED, UNAIDED, Session, SessionError, Step, refuse_answer
from study.study_events import KIND_OF, Answered, Paused, Revealed
from tests.unit.study.study_maker import (
    CHEAP,
    PASSPHRASE,
    STUDY,
    against_readers,
    aid,
    answer,
    plan_for,
    protocol,
    utc,
)


class Chain:
    """Events of one reader at times that the test chooses."""

    def __init__(self, actor="R1"):
        self.actor = actor
        self.head = empty_head("device", STUDY)
        self.events = []

    def add(self, payload, when=None):
        text = (when or utc(1)).isoformat(timespec="microseconds").replace("+00:00", "Z")
        event = make_event(self.head, text, self.actor, KIND_OF[type(payload)], canonical_json(payload))
        self.head = head_of(event)
        self.events.append(event)
        return event


def begin(value=None, practice=0, opener=aid):
    value = value or protocol()
    session = Session(value, plan_for(value, practice=practice), "R1", open_aid=opener)
    chain = Chain()
    session.apply(chain.add(session.start("1")))
    return session, chain


def do(session, chain, payload, when=None):
    session.apply(chain.add(payload, when))
    assert session.violations == []


def read_case(session, chain, when=None):
    for _ in range(3):
        state = session.current
        step = state.step
        payload = session.reveal(when) if step is Step.REVEAL else session.answer(answer(session), when)
        do(session, chain, payload, when)
        if state.done:
            return


def read_everything(session, chain, when=None):
    while session.current is not None and session.progress(when).step is not Step.WAIT:
        read_case(session, chain, when)


def test_the_cnn_stays_hidden_until_the_answer_is_locked():
    session, chain = begin()
    with pytest.raises(SessionError, match="hidden until your own is locked"):
        session.reveal()
    with pytest.raises(SessionError, match="hidden"):
        session.aid()
    do(session, chain, session.answer(answer(session)))
    with pytest.raises(SessionError, match="hidden"):
        session.aid()  # locked, but what is shown must be in the record first
    do(session, chain, session.reveal())
    assert session.aid() == aid(session.current.slot.case_id)
    with pytest.raises(SessionError, match="shown already"):
        session.reveal()


def test_a_sequential_case_is_answered_twice_and_then_locked():
    session, chain = begin()
    first = session.current.slot
    assert session.mode() is ReadingMode.ANSWER_FIRST
    do(session, chain, session.answer(answer(session, 30)))
    with pytest.raises(SessionError, match="must be shown"):
        session.answer(msgspec.structs.replace(session.slots[0].unaided, id="new"))
    do(session, chain, session.reveal())
    assert session.mode() is ReadingMode.REVISED
    do(session, chain, session.answer(answer(session, 70)))
    assert session.current.slot.index == 1
    assert [(g.mode, g.reading.score) for g in session.given()] == [(UNAIDED, 30), (AIDED, 70)]
    assert all(g.slot == first for g in session.given())


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"mode": ReadingMode.ASSIST}, "reading mode"),
        ({"cnn_score": 80.0}, "on screen before"),
        ({"viewing": ViewingRecord(overlay_visible_s=0.5)}, "on screen before"),
        ({"score": 50.0}, "50"),
        ({"score": 20.0, "call": Call.LOOSE}, "above 50"),
        ({"call": Call.CANNOT_TELL}, "decision"),
    ],
)
def test_unaided_answers_that_are_refused(changes, word):
    session, _ = begin()
    with pytest.raises(SessionError, match=word):
        session.answer(answer(session, **changes))
    assert session.given() == []


def test_an_answer_belongs_to_the_case_on_screen_and_its_reader():
    session, _ = begin()
    good = answer(session)
    wrong_image = msgspec.structs.replace(good, case=msgspec.structs.replace(good.case, image_sha256="other"))
    with pytest.raises(SessionError, match="another image"):
        session.answer(wrong_image)
    with pytest.raises(SessionError, match="another reader's"):
        session.answer(msgspec.structs.replace(good, reader=msgspec.structs.replace(good.reader, id="R2")))


def test_the_final_answer_names_what_was_shown():
    session, chain = begin()
    do(session, chain, session.answer(answer(session)))
    do(session, chain, session.reveal())
    with pytest.raises(SessionError, match="another score of the CNN"):
        session.answer(answer(session, cnn_score=12.0))
    with pytest.raises(SessionError, match="unaided one"):
        session.answer(answer(session, revises="nothing"))


def test_practice_comes_first_and_is_never_counted():
    session, chain = begin(practice=2)
    assert session.progress().practice_total == 2
    read_case(session, chain)
    read_case(session, chain)
    progress = session.progress()
    assert (progress.practice_done, progress.done, progress.total) == (2, 0, 8)
    assert session.given() == []
    assert len(session.given(practice=True)) == 4


def test_washout_is_kept_by_date():
    session, chain = begin(protocol(arms=Arms.CROSSOVER, seed=1))
    last = utc(3, 23)
    read_everything(session, chain, last)
    assert session.current.slot.period == 2
    eve = last + timedelta(days=27)
    progress = session.progress(eve)
    assert (progress.step, progress.opens_on) == (Step.WAIT, date(2026, 1, 31))
    refused = session.answer if session.current.slot.arm is Arm.UNAIDED else None
    with pytest.raises(SessionError, match="2026-01-31"):
        refused(answer(session), eve) if refused else session.reveal(eve)
    read_everything(session, chain, last + timedelta(days=28))
    assert session.current is None
    assert {g.mode for g in session.given()} == {UNAIDED, AIDED}


def test_a_clock_that_was_set_back_does_not_shorten_the_washout():
    session, chain = begin(protocol(arms=Arms.CROSSOVER))
    read_case(session, chain, utc(20))
    read_everything(session, chain, utc(2))
    assert session.progress(utc(31)).opens_on == date(2026, 1, 20) + timedelta(days=28)


def test_the_aided_arm_shows_the_cnn_from_the_start():
    value = next(p for s in range(9) if plan_for(p := protocol(arms=Arms.CROSSOVER, seed=s)).slots[0].arm is Arm.AIDED)
    session, chain = begin(value)
    assert session.current.step is Step.REVEAL
    do(session, chain, session.reveal())
    assert session.aid().score == 80.0
    assert session.mode() is ReadingMode.ASSIST
    read_case(session, chain)
    assert session.given()[0].mode == AIDED


def test_readers_against_the_cnn_never_see_it():
    session, chain = begin(against_readers())
    with pytest.raises(SessionError, match="not shown"):
        session.reveal()
    read_everything(session, chain)
    assert {g.mode for g in session.given()} == {UNAIDED}
    assert len(session.given()) == 8


def test_breaks_are_counted_apart_from_reading():
    session, chain = begin()
    do(session, chain, session.pause(), utc(1, 10))
    assert session.progress().paused
    with pytest.raises(SessionError, match="break"):
        session.answer(answer(session))
    do(session, chain, session.resume(), utc(1, 11))
    do(session, chain, session.answer(answer(session)))
    progress = session.progress()
    assert (progress.active_s, progress.break_s, progress.paused) == (10.0, 3600.0, False)
    with pytest.raises(SessionError, match="no break"):
        session.resume()


def test_corrections_keep_the_old_answer_and_need_a_reason():
    session, chain = begin(protocol(going_back_allowed=True))
    do(session, chain, session.answer(answer(session, 80)))
    old = session.slots[0].unaided
    new = msgspec.structs.replace(old, score=60.0)
    with pytest.raises(SessionError, match="why"):
        session.correct(0, new, " ")
    payload = session.correct(0, new, "slip")
    assert (payload.old, payload.new) == (old, new)
    do(session, chain, payload)
    assert (session.given()[0].reading.score, session.given()[0].corrected) == (60.0, True)
    do(session, chain, session.reveal())
    with pytest.raises(SessionError, match="after the CNN's was shown"):
        session.correct(0, msgspec.structs.replace(new, score=90.0), "the CNN said so")


def test_without_going_back_nothing_is_corrected():
    session, chain = begin()
    do(session, chain, session.answer(answer(session)))
    with pytest.raises(SessionError, match="going back"):
        session.correct(0, msgspec.structs.replace(session.slots[0].unaided, score=60.0), "slip")


def test_the_end_is_signed_and_final():
    account = create_account("R1", Role.READER, STUDY, PASSPHRASE, cost=CHEAP)
    session, chain = begin()
    with pytest.raises(SessionError, match="not read yet"):
        session.sign(account, PASSPHRASE, chain.head)
    read_everything(session, chain)
    assert session.progress().step is Step.SIGN
    do(session, chain, session.sign(account, PASSPHRASE, chain.head))
    assert session.progress().step is Step.FINISHED
    with pytest.raises(SessionError, match="signed"):
        session.pause()


NEW = "another battery horse"


def test_a_passphrase_is_changed_before_the_start_in_a_break_and_never_after_the_signature():
    account = create_account("R1", Role.READER, STUDY, PASSPHRASE, cost=CHEAP)
    value = protocol(planned_cases=1)
    session, chain = Session(value, plan_for(value), "R1", open_aid=aid), Chain()
    do(session, chain, session.change_passphrase(account, PASSPHRASE, NEW))
    changed = session.changed.account
    assert (changed.public_key, changed.id) == (account.public_key, "R1")
    check_passphrase(changed, NEW)
    do(session, chain, session.start("1"))
    do(session, chain, session.pause())
    do(session, chain, session.change_passphrase(changed, NEW, PASSPHRASE))
    do(session, chain, session.resume())
    with pytest.raises(AccountError, match="not the passphrase of R1"):
        session.change_passphrase(session.changed.account, NEW, "something else")
    read_everything(session, chain)
    signature = session.sign(session.changed.account, PASSPHRASE, chain.head)
    assert is_signed_by(signature.signature, account), "it is the key that the coordinator enrolled"
    do(session, chain, signature)
    with pytest.raises(SessionError, match="signed"):
        session.change_passphrase(session.changed.account, PASSPHRASE, NEW)
    assert session.violations == []


def test_nobody_changes_another_readers_passphrase_or_slips_in_another_key():
    value = protocol(planned_cases=1)
    enrolled = create_account("R1", Role.READER, STUDY, PASSPHRASE, cost=CHEAP)
    session = Session(value, plan_for(value), "R1", account=public(enrolled))
    other = create_account("R2", Role.READER, STUDY, PASSPHRASE, cost=CHEAP)
    with pytest.raises(SessionError, match="not of this reader's account"):
        session.change_passphrase(other, PASSPHRASE, NEW)
    with pytest.raises(SessionError, match="keeps the key"):
        session.change_passphrase(reset_account(enrolled, PASSPHRASE, CHEAP), PASSPHRASE, NEW)
    assert session.changed is None


def test_a_session_is_rebuilt_from_its_events():
    session, chain = begin(protocol(going_back_allowed=True), practice=1)
    read_case(session, chain)
    read_case(session, chain)
    do(session, chain, session.answer(answer(session)))
    again = Session(session.protocol, session.plan, "R1", open_aid=aid).apply_all(chain.events)
    assert again.progress() == session.progress()
    assert again.given() == session.given()


def test_a_retry_is_not_a_second_answer():
    session, chain = begin()
    payload = session.answer(answer(session))
    do(session, chain, payload)
    do(session, chain, payload)
    assert len(session.given()) == 1


def test_a_chain_that_breaks_the_rules_is_found_out():
    session, chain = begin()
    case_id = session.current.slot.case_id
    early = Revealed(0, case_id, session.plan.aids[case_id])
    session.apply(chain.add(early))
    assert [(v.seq, v.slot) for v in session.violations] == [(2, 0)]
    session.apply(chain.add(Answered(5, answer(session))))
    assert "not the one to be read now" in session.violations[1].sentence
    foreign = Chain("R2")
    session.apply(foreign.add(Paused("R2")))
    assert "not written by this reader" in session.violations[2].sentence


def test_what_is_shown_must_be_what_was_fixed():
    session, chain = begin()
    do(session, chain, session.answer(answer(session)))
    session.apply(chain.add(Revealed(0, session.current.slot.case_id, "another")))
    assert "not what was fixed" in session.violations[0].sentence


@pytest.mark.parametrize(
    ("score", "call", "allowed"),
    [(75.0, Call.LOOSE, True), (50.0, Call.LOOSE, True), (50.0, Call.NOT_LOOSE, True), (60.0, Call.LOOSE, False)],
)
def test_five_points(score, call, allowed):
    session, _ = begin()
    reading = answer(session, score, call=call)
    sentence = refuse_answer(protocol(scale=Scale.FIVE_POINT), reading)
    assert (sentence == "") is allowed


def test_not_assessable_only_where_the_protocol_has_it():
    session, _ = begin()
    reading = answer(session, call=None, score=None, not_assessable_reason="cropped")
    assert refuse_answer(protocol(), reading) == ""
    assert "every case" in refuse_answer(protocol(not_assessable_allowed=False), reading)


def test_an_aid_never_says_that_it_is_a_sham():
    assert "sham" not in " ".join(Aid.__struct_fields__)


def test_an_unaided_answer_stays_once_the_case_was_seen_with_the_cnn_in_another_part():
    value = protocol(arms=Arms.CROSSOVER, going_back_allowed=True, washout_days=28)
    plans = [plan_for(value, reader) for reader in range(2)]
    plan = next(plan for plan in plans if plan.slots[0].arm is Arm.UNAIDED)
    session, chain = Session(value, plan, "R1", open_aid=aid), Chain()
    do(session, chain, session.start("1"), utc(1))
    read_everything(session, chain, utc(1))
    opens = utc(1) + timedelta(days=28)
    seen_again = session.current.slot.case_id
    first = next(state for state in session.slots if state.slot.case_id == seen_again)
    other = next(state for state in session.slots if state.slot.period == 1 and state.slot.case_id != seen_again)
    do(session, chain, session.reveal(opens), opens)
    new = msgspec.structs.replace(first.unaided, score=60.0)
    with pytest.raises(SessionError, match="after the CNN's was shown"):
        session.correct(first.slot.index, new, "slip", opens)
    assert session.correct(other.slot.index, msgspec.structs.replace(other.unaided, score=60.0), "slip", opens)
