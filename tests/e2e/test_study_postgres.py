"""A reader study whose workstations share one PostgreSQL server: several processes write at once, one is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from imaging.reader import read_radiograph
from study.coordinator import Coordinator, draft_study
from study.protocol import ReaderGroup
from study.store import StudyStore, read_record
from study.study_check import check_study
from tests.unit.study.study_maker import CHEAP, PASSPHRASE, STUDY, aid, candidates, protocol
from tests.unit.study.test_coordinator import read_and_return
from tests.unit.study.whole_study import run

ROOT = Path(__file__).resolve().parents[2]


class Workstation:
    """A reader's program, in a process of its own."""

    def __init__(self, url, folder, reader):
        self.reader = reader
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.e2e.study_workstation",
                url,
                folder / reader,
                folder / f"{reader} local",
                PASSPHRASE,
            ],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        assert self.line() == "started"

    def line(self):
        text = self.process.stdout.readline().strip()
        assert text, f"{self.reader} ended: {self.process.wait()}"
        return text

    def go(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def answers(self, count):
        return [self.line() for _ in range(count)]

    def kill(self):
        self.process.kill()
        self.close()

    def finish(self):
        while not (text := self.line()).startswith("signed"):
            assert text.startswith("answered")
        assert self.process.wait(60) == 0
        self.close()
        return text.split()[1]

    def close(self):
        self.process.wait(60)
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def study(url, tmp_path, monkeypatch):
    """Three readers with packages; the coordinator works on the server too."""
    monkeypatch.setenv("LUCENCY_DATA", str(tmp_path / "data"))
    with StudyStore(url, "test", study=STUDY, local_folder=tmp_path / "coordinator local") as store:
        coordinator = Coordinator(store, "test", CHEAP)
        value = protocol(readers=(ReaderGroup("consultant", 3),), planned_cases=10)
        draft = draft_study(value, candidates(tmp_path / "images", 10, 1))
        answers = [aid(name, 85.0 if case.truth else 15.0) for name, case in draft.named.items()]
        coordinator.register(draft, PASSPHRASE, answers)
        images = coordinator.prepare(
            lambda case: read_radiograph(draft.named[case.id].source, case.frame), tmp_path / "out"
        )
        for reader in ("R1", "R2", "R3"):
            coordinator.enrol(reader, PASSPHRASE)
            coordinator.hand_out(reader, tmp_path / reader, images, PASSPHRASE, burned_in_checked=True)
        yield coordinator, store, draft


def test_workstations_read_at_once_and_one_is_killed(url, tmp_path, study, capsys):
    coordinator, store, draft = study
    one, other = Workstation(url, tmp_path, "R1"), Workstation(url, tmp_path, "R2")
    one.go()
    other.go()
    acknowledged = one.answers(7)
    one.kill()  # -9, in the middle of its study, while the other goes on
    other.answers(3)
    assert sum(event.actor == "R1" for event in store.events()) > len(acknowledged)  # the start is an event too
    again = Workstation(url, tmp_path, "R1")
    again.go()
    devices = {again.finish(), other.finish()}
    assert len(devices | {store.device()}) == 3
    # The third reads without a network, and sends a file.
    coordinator.take_in(read_and_return(tmp_path, "R3", lambda case, mode: 80.0 if draft.named[case].truth else 20.0))
    assert store.verify() == []
    assert coordinator.check() == []
    coordinator.close(PASSPHRASE)
    scores = coordinator.unseal(PASSPHRASE)
    assert {row.reader: row.given for row in scores.flow.readers} == {"R1": 10, "R2": 10, "R3": 10}
    secret = tmp_path / "passphrase.txt"
    secret.write_text(PASSPHRASE)
    assert run("verify", url) == 0
    assert "4 chains, all sound" in capsys.readouterr().out
    assert run("analyse", url, "--passphrase-file", secret, "--json", tmp_path / "a.json") == 0
    document = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert document["study"]["problems"] == []
    assert document["registered_tests"][0]["estimate"]["readers"] == 3


def test_what_a_workstation_writes_after_the_close_is_not_counted(url, tmp_path, study):
    coordinator, _, _ = study
    one = Workstation(url, tmp_path, "R1")
    one.go()
    one.answers(4)
    one.kill()
    coordinator.close(PASSPHRASE, "the server is needed elsewhere")
    before = coordinator.sessions()["R1"].progress().done
    late = Workstation(url, tmp_path, "R1")
    late.go()
    late.finish()
    assert coordinator.sessions()["R1"].progress().done == before
    flaws = check_study(read_record(url).events, STUDY)
    assert any("went on after the reading phase had been closed" in flaw.sentence for flaw in flaws)
    assert run("verify", url) == 1


def test_the_first_analysis_from_another_workstation_unseals(url, tmp_path, study, capsys):
    coordinator, _, draft = study
    for reader in ("R1", "R2", "R3"):
        coordinator.take_in(
            read_and_return(tmp_path, reader, lambda case, mode: 80.0 if draft.named[case].truth else 20.0)
        )
    coordinator.close(PASSPHRASE)
    secret = tmp_path / "passphrase.txt"
    secret.write_text(PASSPHRASE)
    assert run("analyse", url, "--passphrase-file", secret) == 0
    assert coordinator.state().unsealed_utc
    assert coordinator.check() == []
    assert (tmp_path / "data" / "studies" / STUDY / "device-id").exists()
    capsys.readouterr()
    assert run("analyse", url, "--passphrase-file", secret, "--study", "nothing") == 2
    assert "No study nothing" in capsys.readouterr().err


def test_two_studies_on_one_server_are_told_apart(url, tmp_path, study, capsys):
    _, _, _ = study
    with StudyStore(url, "test", study="second", local_folder=tmp_path / "second") as store:
        coordinator = Coordinator(store, "test", CHEAP)
        draft = draft_study(protocol(study_id="second", title="Another"), candidates(tmp_path / "more", 8, 1))
        coordinator.register(draft, PASSPHRASE, [aid(name) for name in draft.named])
        assert coordinator.state().readers == {}
    assert run("analyse", url) == 2
    error = capsys.readouterr().err
    assert "name one with --study" in error
    assert "second (Another)" in error
