"""A reader finishes a 40-case study by keyboard alone, through the real window, and the coordinator takes it in."""

from __future__ import annotations

import itertools

import pytest

from gui.study.reading_stages import Stage
from study.session import AIDED, UNAIDED
from tests.e2e.study_reader import KEY, ReaderAtWindow, Study, jobs_of_a_test
from tests.unit.study.study_maker import PASSPHRASE

pytestmark = [
    pytest.mark.qt_log_ignore("does not support propagateSizeHints", extend=True),
    pytest.mark.timeout(400),
]

CASES, PRACTICE = 40, 2


def test_forty_cases_by_keyboard_alone(qapp, tmp_path):
    study = Study(tmp_path / "study", CASES, PRACTICE, sham_share=0.1)
    back = tmp_path / "R1.lucency-return"
    firsts, finals = [], []
    scores = itertools.cycle((70, 20, 90, 40, 60, 10))
    with jobs_of_a_test() as jobs:
        reader = ReaderAtWindow(study.package, tmp_path / "data", jobs)
        reader.sign_in()
        reader.begin()
        for number in range(CASES + PRACTICE):
            if reader.controller.stage is Stage.BETWEEN:
                assert number == PRACTICE
                reader.press(KEY.Key_Return)
                reader.settle()
            first = next(scores)
            final = 100 - first if number % 5 == 4 else None
            reader.read_case(first, final)
            firsts.append(first)
            finals.append(final or first)
        assert reader.controller.stage is Stage.SIGN
        reader.sign()
        reader.settle()
        assert reader.controller.stage is Stage.FINISHED
        reader.save_return(back)
        slots = [slot.case_id for slot in reader.session.plan.slots]
        reader.close()
    assert list((tmp_path / "data").rglob("*-backups/*.sqlite")), "a backup on close"

    coordinator = study.coordinator
    coordinator.take_in(back)
    session = coordinator.sessions()["R1"]
    assert session.violations == []
    assert session.signed is not None
    given = session.given(practice=True)
    assert [item.reading.score for item in given if item.mode == UNAIDED] == firsts
    assert [item.reading.score for item in given if item.mode == AIDED] == finals
    assert [item.slot.case_id for item in given if item.mode == UNAIDED] == slots
    for unaided, aided in zip(given[::2], given[1::2], strict=True):
        assert unaided.slot == aided.slot
        assert unaided.utc < aided.utc
        assert unaided.reading.cnn_score is None
        assert aided.reading.cnn_score is not None
        assert aided.reading.revises == unaided.reading.id
        assert unaided.reading.viewing.display_px[0] > 100
        assert unaided.reading.reader.experience == "consultant"

    seconds = [item.reading.viewing.active_s for item in given]
    assert sum(second > 0 for second in seconds) > 0.8 * len(seconds), "some of these are quicker than a hundredth"
    coordinator.close(PASSPHRASE)
    tables = coordinator.unseal(PASSPHRASE)
    assert len(tables.sham_cases) == 4
    rows = list(zip(tables.table.reader, tables.table.truth, tables.table.score, strict=True))
    assert len(rows) == (CASES - 4) * 2 + CASES, "the reader's without the shams, the CNN's own of all"
    assert all((score > 50) == truth for reader, truth, score in rows if reader == tables.algorithm), "never a sham"
    assert len(tables.sham.score) == 4 * 2
