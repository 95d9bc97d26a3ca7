"""A study from draft to its file on disk, read by simulated readers, for tests of what comes after."""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from study import commands
from study.coordinator import Coordinator, Draft, draft_study
from study.model import ReadingMode
from study.package import open_package
from study.protocol import Arms, Protocol
from study.returned import write_return
from study.study_scores import StudyScores
from tests.unit.study.study_maker import CHEAP, PASSPHRASE, Machine, ReaderMachine, aid, candidates, session_of, utc

AIDED_MODES = (ReadingMode.REVISED, ReadingMode.ASSIST)


@dataclass
class WholeStudy:
    """A closed, unsealed study. `file` is the coordinator's, whose store is closed."""

    file: Path
    draft: Draft
    scores: StudyScores
    given: dict[tuple[str, str, str], float]  # score by reader, "unaided" or "aided", case id; first readings
    passphrase_file: Path

    @property
    def truth(self) -> dict[str, int]:
        return {name: case.truth for name, case in self.draft.named.items() if not case.practice}


def evidence(name: str, loose: int | None, purpose: str, gain: float = 1.2) -> float:
    """A number that hangs on its words alone: noise around the truth."""
    seed = int.from_bytes(hashlib.sha256(f"{name}/{purpose}".encode()).digest()[:8], "big")
    return float(np.random.default_rng(seed).normal()) + gain * float(loose or 0)


def rating(reader: str, place: int, loose: int | None, mode: str) -> float:
    """By reader and the case's row, so that the same study gives the same scores whatever the random case ids are."""
    case = evidence(str(place), loose, "case", 0.8)
    own = evidence(f"{reader}/{place}", loose, mode, 0.8 if mode == "aided" else 0.2)
    score = round(50 + 14 * (case + own - 0.7))
    return float(min(max(score + (score == 50), 0), 100))


def cnn_score(place: int, loose: int | None) -> float:
    return float(min(max(round(50 + 22 * (evidence(str(place), loose, "CNN", 1.6) - 0.8)), 1), 99))


def whole_study(
    folder: Path,
    protocol: Protocol,
    readers: int,
    *,
    count: int = 12,
    paired: bool = False,
    keep_open: bool = False,
    **changes,
) -> WholeStudy:
    """paired: two cases to a patient. keep_open: neither closed nor unsealed, and no scores. changes: of every answer."""
    machine = Machine(folder / "coordinator", protocol.study_id)
    coordinator = Coordinator(machine.store, "1", CHEAP)
    listed = candidates(folder / "images", count, 1)
    draft = draft_study(protocol, listed if paired else [replace(case, patient="") for case in listed])
    answers = [aid(name, cnn_score(case.row, case.truth)) for name, case in draft.named.items()]
    coordinator.register(draft, PASSPHRASE, answers)
    from imaging.reader import read_radiograph

    images = coordinator.prepare(lambda case: read_radiograph(draft.named[case.id].source, case.frame), folder / "out")
    given: dict[tuple[str, str, str], float] = {}
    for number in range(readers):
        name = f"R{number + 1}"
        coordinator.enrol(name, PASSPHRASE, "consultant")
        coordinator.hand_out(name, folder / name, images, PASSPHRASE, burned_in_checked=True)
        coordinator.take_in(_read(folder, name, protocol, draft, given, changes))
    scores = None
    if not keep_open:
        coordinator.close(PASSPHRASE)
        scores = coordinator.unseal(PASSPHRASE)
    machine.store.close()
    secret = folder / "passphrase.txt"
    secret.write_text(f"{PASSPHRASE}\n", "utf-8")
    return WholeStudy(machine.store.path, draft, scores, given, secret)


def _read(folder: Path, name: str, protocol: Protocol, draft: Draft, given: dict, changes: dict) -> Path:
    session = session_of(folder / name)
    machine = ReaderMachine(f"device {name}", protocol.study_id)

    def score(case_id: str, mode: ReadingMode) -> float:
        arm = "aided" if mode in AIDED_MODES else "unaided"
        case = draft.named[case_id]
        value = rating(name, case.row, case.truth, arm)
        if not case.practice:
            given.setdefault((name, arm, case_id), value)
        return value

    machine.read_all(session, score, utc(1), **changes)
    if protocol.arms is Arms.CROSSOVER:
        machine.read_all(session, score, utc(30), **changes)
    account = open_package(folder / name).manifest.account
    machine.do(session, session.sign(account, PASSPHRASE, machine.head), utc(30, 13))
    assert session.violations == []
    path = folder / f"{name}.return"
    write_return(path, protocol.study_id, name, machine.events, machine.device)
    return path


def run(*given: object) -> int:
    """A command as the terminal gives it."""
    parser = argparse.ArgumentParser()
    commands.add_parsers(parser.add_subparsers(dest="command", required=True))
    return commands.run(parser.parse_args([str(part) for part in given]), "9.9")
