"""A study from registration to the unsealed score table, over files that travel."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from study.accounts import Role, create_account
from study.aids import make_aids
from study.analysis import analyse
from study.cases import CasesError
from study.chain import canonical_json, head_of, make_event
from study.coordinator import CoordinatorError, draft_study
from study.model import ReadingMode
from study.package import open_package
from study.protocol import protocol_sha256
from study.report.contents import departures
from study.returned import ReturnError, read_return, write_return
from study.session import AIDED, UNAIDED
from study.store import StoreError, read_heads
from study.study_check import check_study
from study.study_events import AccountReset
from study.truth import SealError
from tests.unit.study.study_maker import (
    CHEAP,
    PASSPHRASE,
    ReaderMachine,
    aid,
    candidates,
    protocol,
    registered,
    session_of,
)


@pytest.fixture
def study(tmp_path):
    """A registered study with two readers enrolled and their packages written."""
    coordinator, machine, draft, read = registered(tmp_path, protocol(sham_share=0.25, repeats=2))
    images = coordinator.prepare(read, tmp_path / "prepared")
    for reader in ("R1", "R2"):
        coordinator.enrol(reader, PASSPHRASE)
        coordinator.hand_out(reader, tmp_path / reader, images, PASSPHRASE, burned_in_checked=True)
    yield coordinator, machine, draft, tmp_path
    machine.store.close()


def read_and_return(tmp_path, reader, score, *, signed=True):
    """One reader's whole study on their own machine; the path of what they send back."""
    session = session_of(tmp_path / reader)
    machine = ReaderMachine(f"device {reader}")
    machine.read_all(session, score)
    if signed:
        account = open_package(tmp_path / reader).manifest.account
        machine.do(session, session.sign(account, PASSPHRASE, machine.head))
    assert session.violations == []
    path = tmp_path / f"{reader}.return"
    write_return(path, session.protocol.study_id, reader, machine.events, machine.device)
    return path


def perfect(draft):
    def score(case_id, mode):
        right = bool(draft.named[case_id].truth)
        if mode is ReadingMode.ANSWER_FIRST and case_id == sorted(draft.named)[0]:
            right = not right
        return 90.0 if right else 10.0

    return score


def test_a_study_from_end_to_end(study):
    coordinator, machine, draft, folder = study
    for reader in ("R1", "R2"):
        coordinator.take_in(read_and_return(folder, reader, perfect(draft)))
    assert coordinator.check() == []
    assert machine.store.verify() == []
    coordinator.close(PASSPHRASE)
    scores = coordinator.unseal(PASSPHRASE)
    truth = {name: int(case.truth) for name, case in draft.named.items() if not case.practice}
    assert len(scores.sham_cases) == 2
    kept = set(truth) - set(scores.sham_cases)
    assert set(scores.table.cases) - set(scores.sham_cases) == kept
    people = scores.table.where([reader != scores.algorithm for reader in scores.table.reader])
    assert set(people.cases) == kept
    assert len(people) == 2 * 2 * len(kept)
    assert people.case_truth == {case: truth[case] for case in kept}
    assert set(people.modes) == {UNAIDED, AIDED}
    assert len(set(people.patient)) <= 4
    assert not any("Person" in name for name in people.patient)
    assert len(scores.repeats) == 2 * 2 * 2
    assert set(scores.sham.cases) == set(scores.sham_cases)
    assert scores.violations == {"R1": (), "R2": ()}
    # The CNN's accuracy is that of its own outputs: right on every case, those shown flipped included.
    own = scores.table.where([reader == scores.algorithm for reader in scores.table.reader])
    assert len(own) == 8
    assert np.array_equal(own.call, own.truth)
    assert analyse(scores.table, scores.algorithm).readers == 3


def test_readers_of_sham_cases_saw_the_flipped_output(study):
    coordinator, _, draft, folder = study
    coordinator.take_in(read_and_return(folder, "R1", perfect(draft)))
    sessions = coordinator.sessions()
    coordinator.close(PASSPHRASE, "R2 fell ill")
    scores = coordinator.unseal(PASSPHRASE)
    shown = {given.slot.case_id: given.reading.cnn_score for given in sessions["R1"].given() if given.mode == AIDED}
    for case_id, score in shown.items():
        wrong = (score > 50) != bool(draft.named[case_id].truth)
        assert wrong == (case_id in scores.sham_cases)
    assert any("R2" in deviation.what for _, deviation in coordinator.state().deviations)
    assert any("1 enrolled reader" in note for note in scores.table.notes)


def test_the_end_of_the_record_is_exported_as_the_phase_closes(study):
    coordinator, machine, draft, folder = study
    coordinator.take_in(read_and_return(folder, "R1", perfect(draft)))
    coordinator.close(PASSPHRASE, "R2 fell ill")
    # Before the store is closed: a program killed now leaves a head that names the last event.
    assert machine.store.head() in read_heads(machine.store.head_file)


def test_the_truth_stays_sealed_until_the_end(study):
    coordinator, _, draft, folder = study
    with pytest.raises(CoordinatorError, match="sealed until the reading phase is closed"):
        coordinator.unseal(PASSPHRASE)
    with pytest.raises(CoordinatorError, match="R1, R2"):
        coordinator.close(PASSPHRASE)
    coordinator.take_in(read_and_return(folder, "R1", perfect(draft), signed=False))
    with pytest.raises(ValueError, match="not the passphrase"):
        coordinator.close("wrong passphrase", "reason")
    coordinator.close(PASSPHRASE, "the others left")
    with pytest.raises(SealError, match="passphrase is not the right one"):
        coordinator.unseal("wrong passphrase")
    for late in (lambda: coordinator.enrol("R9", PASSPHRASE), lambda: coordinator.take_in(folder / "R1.return")):
        with pytest.raises(CoordinatorError, match="closed"):
            late()


def test_merging_is_verbatim_idempotent_and_continues(study):
    coordinator, machine, draft, folder = study
    path = read_and_return(folder, "R1", perfect(draft))
    whole = read_return(path)
    part = msgspec.structs.replace(whole, events=whole.events[:7], head=head_of(whole.events[6]))
    early = folder / "early"
    early.write_bytes(msgspec.json.encode(part))
    assert coordinator.take_in(early).added == 7
    assert coordinator.take_in(early).added == 0
    assert coordinator.take_in(path).added == len(whole.events) - 7
    assert coordinator.take_in(path).added == 0
    merged = [event for event in machine.store.events() if event.device == whole.head.device]
    assert merged == list(whole.events)


def test_two_versions_of_one_chain_are_a_conflict(study):
    coordinator, machine, draft, folder = study
    path = read_and_return(folder, "R1", perfect(draft))
    whole = read_return(path)
    coordinator.take_in(path)
    before = len(machine.store.events())
    last = whole.events[-2]
    other = make_event(head_of(whole.events[-3]), last.utc, last.actor, "study.paused", '{"reader_id":"R1"}')
    forked = msgspec.structs.replace(whole, events=(*whole.events[:-2], other), head=head_of(other))
    path.write_bytes(msgspec.json.encode(forked))
    with pytest.raises(StoreError, match="two versions"):
        coordinator.take_in(path)
    assert len(machine.store.events()) == before


def test_tampering_with_a_return_is_found(study):
    coordinator, _, draft, folder = study
    path = read_and_return(folder, "R1", perfect(draft))
    whole = read_return(path)
    events = list(whole.events)
    changed = msgspec.structs.replace(events[3], payload=events[3].payload.replace("90.0", "10.0") + " ")
    for bad in (
        [*events[:3], changed, *events[4:]],
        events[:3] + events[4:],
        events[:-1],
        events[1:],
        [*events, events[1]],
    ):
        path.write_bytes(msgspec.json.encode(msgspec.structs.replace(whole, events=tuple(bad))))
        with pytest.raises(ReturnError, match="damaged or changed"):
            coordinator.take_in(path)
    path.write_bytes(b"{}")
    with pytest.raises(ReturnError, match="no reader's answers"):
        coordinator.take_in(path)
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(whole, version=9)))
    with pytest.raises(ReturnError, match="newer version"):
        coordinator.take_in(path)


def test_nobody_returns_for_somebody_else(study):
    coordinator, _, draft, folder = study
    path = read_and_return(folder, "R1", perfect(draft))
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(read_return(path), reader_id="R2")))
    with pytest.raises(CoordinatorError, match="somebody else"):
        coordinator.take_in(path)


def test_a_registered_protocol_is_fixed(study):
    coordinator, _, draft, _folder = study
    state = coordinator.state()
    with pytest.raises(CoordinatorError, match="cannot be changed"):
        coordinator.register(draft, PASSPHRASE, [aid(name) for name in draft.named])
    coordinator.deviate("The washout was 20 days.", "holidays")
    assert coordinator.state().registered == state.registered
    assert protocol_sha256(state.protocol) == state.registered.protocol_sha256
    assert [d.what for _, d in coordinator.state().deviations] == ["The washout was 20 days."]
    with pytest.raises(CoordinatorError, match="why"):
        coordinator.deviate("Something", "")


def test_the_coordinators_file_tells_no_truth(study):
    _, machine, _draft, _folder = study
    text = "\n".join(event.payload for event in machine.store.events())
    assert '"truth":1' not in text
    assert '"decision"' not in text
    assert "Person" not in text
    assert "hip 0" not in text


def test_enrolment_and_reset(study):
    coordinator, *_ = study
    with pytest.raises(CoordinatorError, match="R1 already"):
        coordinator.enrol("R1", PASSPHRASE)
    coordinator.enrol("R3", PASSPHRASE)
    assert "more than planned" in coordinator.state().deviations[0][1].what
    old = coordinator.state().readers["R1"].account
    coordinator.reset("R1", "a new passphrase", PASSPHRASE, "lost")
    held = coordinator.state().readers["R1"]
    assert held.account.public_key != old.public_key
    assert [account.public_key for account in held.former] == [old.public_key]


def test_a_reset_is_signed_for_that_very_key_and_old_signatures_stay(study):
    coordinator, machine, draft, folder = study
    coordinator.take_in(read_and_return(folder, "R1", perfect(draft)))
    account = coordinator.reset("R1", "a new passphrase", PASSPHRASE, "lost")
    assert coordinator.check() == []  # R1 signed with the key that they had then
    event = next(event for event in machine.store.events() if event.kind == "study.account_reset")
    payload = msgspec.json.decode(event.payload, type=AccountReset)
    somebody = create_account("R1", Role.READER, account.study_id, PASSPHRASE, cost=CHEAP)
    forged = canonical_json(msgspec.structs.replace(payload, account=somebody))
    head = head_of(next(e for e in machine.store.events() if e.device == event.device and e.seq == event.seq - 1))
    others = [e for e in machine.store.events() if e.seq != event.seq or e.device != event.device]
    made = make_event(head, event.utc, event.actor, event.kind, forged)
    found = [flaw.sentence for flaw in check_study([*others, made], account.study_id)]
    assert found == ["The new key carries a signature for something else."]


def test_a_reader_who_answered_nothing_is_no_reader(study):
    coordinator, _, draft, folder = study
    coordinator.take_in(read_and_return(folder, "R1", perfect(draft)))
    session, machine = session_of(folder / "R2"), ReaderMachine("device R2")
    machine.do(session, session.start("1"))
    write_return(folder / "R2.return", session.protocol.study_id, "R2", machine.events, machine.device)
    coordinator.take_in(folder / "R2.return")
    coordinator.close(PASSPHRASE, "R2 gave up")
    scores = coordinator.unseal(PASSPHRASE)
    assert scores.flow.never_returned == ("R2",)
    assert "R2" not in scores.table.readers
    dossier = coordinator.dossier()
    assert [reader.answers > 0 for reader in dossier.readers] == [True, False]
    assert [deviation.reason for _, deviation in dossier.deviations] == ["R2 gave up"]
    assert "2 readers planned; answers came back from 1." in departures(dossier, scores)


def test_images_are_looked_at_before_they_leave(study):
    coordinator, _, _, folder = study
    with pytest.raises(CoordinatorError, match="names in the picture"):
        coordinator.hand_out("R1", folder / "x", None, PASSPHRASE, burned_in_checked=False)


def test_cases_that_trained_the_network_make_no_study(tmp_path):
    cases = candidates(tmp_path / "images")
    with pytest.raises(CasesError, match="used to train lucency-1"):
        draft_study(protocol(), cases, [cases[0].image_sha256])


def test_shams_need_enough_decided_cases():
    answers = [msgspec.structs.replace(aid(f"c{n}"), decision="indeterminate") for n in range(8)]
    with pytest.raises(ValueError, match="too few"):
        make_aids(answers, 50.0, 8, 0.25)
