"""`verify` on a study's file: every kind of tampering is found, with its place, and the exit code says so."""

from __future__ import annotations

import re
import shutil
import sqlite3
from pathlib import Path

import msgspec
import pytest

from study.accounts import AccountError, Meaning, Role, Statement, create_account, sign
from study.chain import Event, canonical_json, empty_head, head_of, make_event
from study.coordinator import Coordinator
from study.store import read_record
from study.study_check import check_study, unsigned_entries
from study.study_events import Answered, Closed, Deviation, Enrolled, Registered, Unsealed
from tests.unit.study.study_maker import CHEAP, PASSPHRASE, STUDY, protocol, registered
from tests.unit.study.whole_study import run, whole_study

READER = "device R1"
INSERT_AGAIN = """INSERT INTO event (device, study, seq, utc, actor, kind, payload, previous, hash)
SELECT device, study, seq + 100, utc, actor, kind, payload, previous, hash FROM event WHERE device = ? AND seq = 7"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return whole_study(tmp_path_factory.mktemp("study"), protocol(planned_cases=12), 2).file


@pytest.fixture
def file(made, tmp_path) -> Path:
    """A copy of the study, and the head that its close exported, kept elsewhere."""
    shutil.copy(made, tmp_path / "study.sqlite")
    (tmp_path / "kept").mkdir()
    shutil.copy(made.with_name("study.head.json"), tmp_path / "kept" / "head.json")
    return tmp_path / "study.sqlite"


def tamper(file: Path, *statements: tuple) -> None:
    """With what protects the table taken off and put back, as somebody would who knows the format."""
    with sqlite3.connect(file) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement, *values in statements:
            connection.execute(statement, values)
        for _, sql in triggers:
            connection.execute(sql)
    connection.close()


def rewrite(file: Path, device: str, change) -> None:
    """Replace a chain by `change` of it, every hash computed anew: what a forger can do who holds the file."""
    chain = [event for event in read_record(file, []).events if event.device == device]
    head, forged = empty_head(device, STUDY), []
    for event in change(list(chain)):
        made = make_event(head, event.utc, event.actor, event.kind, event.payload)
        head = head_of(made)
        forged.append(made)
    columns = Event.__struct_fields__
    insert = f"INSERT INTO event ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    tamper(
        file,
        ("DELETE FROM event WHERE device = ?", device),
        *((insert, *msgspec.structs.astuple(event)) for event in forged),
    )


def coordinator_of(file: Path) -> str:
    return next(event.device for event in read_record(file, []).events if event.kind == "study.registered")


def test_a_sound_study_says_so(file, capsys):
    assert run("verify", file, "--head", file.parent / "kept" / "head.json") == 0
    out = capsys.readouterr().out
    assert "3 chains, all sound" in out
    assert "signatures and readings fit" in out
    assert run("verify", file) == 0
    assert "a tail that was cut off would not be seen" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        ([("UPDATE event SET payload = replace(payload, 'loose', 'l00se') WHERE device = ? AND seq = 4", READER)],
         ["event 4: changed"]),
        ([("DELETE FROM event WHERE device = ? AND seq = 5", READER)], ["event 5: missing"]),
        ([("UPDATE event SET seq = -1 WHERE device = ? AND seq = 5", READER),
          ("UPDATE event SET seq = 5 WHERE device = ? AND seq = 6", READER),
          ("UPDATE event SET seq = 6 WHERE device = ? AND seq = -1", READER)],
         ["event 5: changed", "event 6: changed", "event 5: missing"]),
        ([(INSERT_AGAIN, READER)],
         ["event 107: changed"]),
        ([("DELETE FROM event WHERE device = ? AND seq > 20", READER)], ["event 21: study: The answers of R1 end at event 20"]),
        ([("DELETE FROM event WHERE kind = 'study.unsealed'",)], ["cut_off: The record ends at event"]),
    ],
    ids=["flipped", "deleted", "reordered", "inserted", "reader's tail cut off", "coordinator's tail cut off"],
)  # fmt: skip
def test_tampering_is_found_with_its_place(file, capsys, statements, said):
    tamper(file, *statements)
    assert run("verify", file, "--head", file.parent / "kept" / "head.json") == 1
    out = capsys.readouterr().out
    assert f"study {STUDY}" in out
    for sentence in said:
        assert sentence in out
    assert "problem(s)" in out


def test_a_table_without_protection_is_said(file, capsys):
    with sqlite3.connect(file) as connection:
        connection.execute("DROP TRIGGER event_no_update")
    connection.close()
    assert run("verify", file) == 1
    assert "the file: unprotected" in capsys.readouterr().out


def forged_answer(chain):
    place = next(n for n, event in enumerate(chain) if event.kind == "study.answered")
    answered = msgspec.json.decode(chain[place].payload, type=Answered)
    reading = msgspec.structs.replace(answered.reading, score=99.0, call="loose")
    chain[place] = msgspec.structs.replace(
        chain[place], payload=canonical_json(msgspec.structs.replace(answered, reading=reading))
    )
    return chain


def test_a_rewritten_chain_with_fitting_hashes_is_found(file, capsys):
    """Without the exported head: what was taken in is named by the coordinator, and the reader's signature names its end."""
    rewrite(file, READER, forged_answer)
    assert run("verify", file) == 1
    out = capsys.readouterr().out
    assert "The answers of R1 are not those that were taken in" in out
    assert "The signature is for another end of the record" in out


def test_another_protocol_or_coordinator_is_found(file, capsys):
    device = coordinator_of(file)

    def other_question(chain):
        registered = msgspec.json.decode(chain[0].payload, type=Registered)
        changed = msgspec.structs.replace(registered.protocol, question="Do they read worse?")
        payload = canonical_json(msgspec.structs.replace(registered, protocol=changed))
        return [msgspec.structs.replace(chain[0], payload=payload), *chain[1:]]

    rewrite(file, device, other_question)
    assert run("verify", file) == 1
    out = capsys.readouterr().out
    assert "event 1: study: The protocol is not the one whose hash was registered." in out
    assert "was signed for another place in the record" in out  # the close no longer follows what it was signed after


def test_a_close_that_somebody_else_signed_is_found(file, capsys):
    device = coordinator_of(file)

    def forge(chain):
        place = next(n for n, event in enumerate(chain) if event.kind == "study.closed")
        true = msgspec.json.decode(chain[place].payload, type=Closed).signature.statement
        eve = create_account("coordinator", Role.COORDINATOR, STUDY, PASSPHRASE, cost=CHEAP)
        signature = sign(eve, PASSPHRASE, Statement(STUDY, true.protocol_sha256, eve.id, Meaning.CLOSED, true.head))
        payload = canonical_json(Closed(signature))
        chain[place] = msgspec.structs.replace(chain[place], payload=payload)
        return chain

    rewrite(file, device, forge)
    assert run("verify", file) == 1
    assert "The close of the reading phase is not signed by the coordinator." in capsys.readouterr().out


def test_what_comes_after_the_close_is_found_and_not_counted(file):
    history = read_record(file, [])
    chain = [event for event in history.events if event.device == READER]
    paused = make_event(head_of(chain[-1]), chain[-1].utc, "R1", "study.paused", '{"reader_id":"R1"}')
    (flaw, *_) = check_study([*history.events, paused], STUDY)
    assert (flaw.device, flaw.seq) == (READER, paused.seq)
    assert "went on after the reading phase had been closed" in flaw.sentence
    own = [event for event in history.events if event.device == coordinator_of(file)]
    late = make_event(head_of(own[-1]), own[-1].utc, "coordinator", "study.enrolled", own[1].payload)
    assert any(
        "after the reading phase had been closed" in f.sentence for f in check_study([*history.events, late], STUDY)
    )
    note = make_event(
        head_of(own[-1]), own[-1].utc, "coordinator", "study.deviation", canonical_json(Deviation("a", "b"))
    )
    assert check_study([*history.events, note], STUDY) == []  # a deviation may still be noted


def test_strangers_other_truths_and_second_protocols_are_found(file):
    history = read_record(file, [])
    own = [event for event in history.events if event.device == coordinator_of(file)]

    def added(actor, kind, payload):
        event = make_event(head_of(own[-1]), own[-1].utc, actor, kind, payload)
        return [flaw.sentence for flaw in check_study([*history.events, event], STUDY)]

    assert any("takes no part" in s for s in added("eve", "study.paused", '{"reader_id":"R1"}'))
    assert any("second protocol" in s for s in added("coordinator", "study.registered", own[0].payload))
    other = canonical_json(Unsealed("0" * 64))
    assert any("not the one that was committed to" in s for s in added("coordinator", "study.unsealed", other))
    assert any("cannot be understood" in s for s in added("coordinator", "study.closed", "{}"))
    assert check_study(history.events, "another study")[0].sentence == "No study is registered in this file."


def test_packages_and_returned_files_are_verified_too(made, tmp_path, capsys):
    folder = made.parent.parent
    for name, suffix in (("R1", ".lucency-reader"), ("R1.return", ".lucency-return")):
        path = tmp_path / f"R1{suffix}"
        shutil.copy(folder / name, path)
        assert run("verify", path) == 0
        assert "R1" in capsys.readouterr().out
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        assert run("verify", path) == 1
        assert re.search("damaged|do not belong|holds no", capsys.readouterr().out)


def test_the_analysis_of_a_damaged_study_says_so_first(made, file, tmp_path, capsys):
    secret = made.parent.parent / "passphrase.txt"
    tamper(file, ("UPDATE event SET payload = payload || ' ' WHERE device = ? AND seq = 4", READER))
    assert run("analyse", file, "--passphrase-file", secret, "--html", tmp_path / "a.html") == 0
    assert "The record does not hold together" in capsys.readouterr().out
    assert "<h3>The record does not hold together</h3>" in (tmp_path / "a.html").read_text("utf-8")
    tamper(file, ("UPDATE event SET payload = payload || ' ' WHERE kind = 'study.registered'",))
    assert run("analyse", file, "--passphrase-file", secret) == 2
    assert "registration of this study is damaged" in capsys.readouterr().err
    assert run("verify", file) == 1


def test_each_entry_of_the_coordinator_carries_a_signature_that_cannot_be_moved(file, capsys):
    history = read_record(file, [])
    own = [event for event in history.events if event.device == coordinator_of(file)]
    assert unsigned_entries(history.events, STUDY) == []
    enrolled = next(event for event in own if event.kind == "study.enrolled")
    payload = msgspec.json.decode(enrolled.payload, type=Enrolled)
    other = msgspec.structs.replace(payload.account, experience="expert")

    def added(entry):
        event = make_event(head_of(own[-1]), own[-1].utc, "coordinator", enrolled.kind, canonical_json(entry))
        events = [*history.events, event]
        return [flaw.sentence for flaw in check_study(events, STUDY)], unsigned_entries(events, STUDY)

    said, unsigned = added(msgspec.structs.replace(payload, account=other))
    assert "This entry carries a signature for something else." in said
    assert "This entry was signed for another place in the record." in said
    assert unsigned == []
    forged = msgspec.structs.replace(payload.signature, value="AAAA")
    assert (
        "This entry is not signed by the coordinator." in added(msgspec.structs.replace(payload, signature=forged))[0]
    )
    said, unsigned = added(msgspec.structs.replace(payload, account=other, signature=None))
    assert [event.seq for event in unsigned] == [own[-1].seq + 1]


def test_entries_without_a_signature_of_their_own_are_named(tmp_path, capsys):
    """Of studies of earlier versions, and where the coordinator's key was not open."""
    _, machine, _, _ = registered(tmp_path, protocol())
    again = Coordinator(machine.store, "1", CHEAP)
    again.enrol("R1", PASSPHRASE)
    again.unlock(PASSPHRASE)
    again.enrol("R2", PASSPHRASE)
    with pytest.raises(AccountError, match="not the passphrase"):
        again.unlock("another passphrase")
    assert [event.seq for event in unsigned_entries(machine.store.events(), STUDY)] == [2]
    assert again.check() == []
    machine.store.close()
    assert run("verify", machine.store.path) == 0
    assert "1 of the coordinator's entries carry no signature of their own (event 2)" in capsys.readouterr().out
