"""A reader finishes a 40-case study by keyboard alone, through the real window, and the coordinator takes it in."""

from __future__ import annotations

import itertools
import time

import pytest

from gui.study.reading_stages import Stage
from imaging.radiograph import Window
from study.session import AIDED, UNAIDED, Given
from tests.e2e.study_reader import KEY, VERSION, ReaderAtWindow, Study
from tests.e2e.window_program import wait_until
from tests.gui.decode_jobs import decode_jobs
from tests.unit.study.study_maker import PASSPHRASE

pytestmark = [
    pytest.mark.qt_log_ignore("does not support propagateSizeHints", extend=True),
    pytest.mark.timeout(400),
]

CASES, PRACTICE = 40, 2


LOOKED_AT = 7  # the case that is zoomed into, windowed, and whose map is shown


def look_closely(reader: ReaderAtWindow) -> None:
    reader.press(KEY.Key_F6, KEY.Key_Equal, KEY.Key_Equal, KEY.Key_A)
    pass_time(1.3)  # a window setting counts once it was held for a second
    reader.press(KEY.Key_F7)


def look_at_the_map(reader: ReaderAtWindow) -> None:
    reader.press(KEY.Key_S)
    assert reader.window.room.panes.shows_map
    pass_time(0.5)


def pass_time(seconds: float) -> None:
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end)


def check_viewing(given: list[Given], window: Window, images: set[str]) -> None:
    """Every reading carries all that the protocol's page promises: time, map, zoom, window, display, software, hashes."""
    zooms = []
    for number, item in enumerate(given):
        reading, viewing = item.reading, item.reading.viewing
        aided, looked_at = item.mode == AIDED, number // 2 == LOOKED_AT
        assert 0 <= viewing.active_s < 60
        assert (viewing.overlay_visible_s > 0.3) is (aided and looked_at)
        assert (viewing.overlay_visible_s > 0) is (aided and looked_at)
        assert viewing.overlay_visible_s <= viewing.active_s
        assert viewing.display_px[0] > 100
        assert viewing.display_px[1] > 100
        assert viewing.display_scale > 0
        assert reading.app_version == VERSION
        assert reading.case.image_sha256 in images
        assert (reading.model_id, reading.model_sha256) == (("lucency-1", "ab" * 32) if aided else ("", ""))
        assert (reading.cnn_score is not None) is aided
        zooms.append(viewing.max_zoom)
    seen = given[2 * LOOKED_AT].reading.viewing
    assert seen.active_s > 1.2
    assert seen.windows[-1] == pytest.approx((window.center, window.width), abs=1e-3)
    assert zooms[2 * LOOKED_AT] > 1.3 * zooms[2 * LOOKED_AT - 2], "zoomed into this one, not into the one before"
    assert zooms[2 * LOOKED_AT + 2] == pytest.approx(zooms[2 * LOOKED_AT - 2], rel=0.2), "nor into the one after"


def test_forty_cases_by_keyboard_alone(qapp, tmp_path):
    study = Study(tmp_path / "study", CASES, PRACTICE, sham_share=0.1)
    back = tmp_path / "R1.lucency-return"
    firsts, finals = [], []
    scores = itertools.cycle((70, 20, 90, 40, 60, 10))
    with decode_jobs() as jobs:
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
            if number == LOOKED_AT:
                look_closely(reader)
                window = reader.window.room.panes.window_setting
            reader.read_case(first, final, look_at_the_map if number == LOOKED_AT else None)
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
        assert aided.reading.revises == unaided.reading.id
        assert unaided.reading.reader.experience == "consultant"

    check_viewing(given, window, {case.image_sha256 for case in session.plan.cases})
    seconds = [item.reading.viewing.active_s for item in given]
    assert sum(second > 0 for second in seconds) > 0.8 * len(seconds), "some of these are quicker than a hundredth"
    coordinator.close(PASSPHRASE)
    tables = coordinator.unseal(PASSPHRASE)
    assert len(tables.sham_cases) == 4
    rows = list(zip(tables.table.reader, tables.table.truth, tables.table.score, strict=True))
    assert len(rows) == (CASES - 4) * 2 + CASES, "the reader's without the shams, the CNN's own of all"
    assert all((score > 50) == truth for reader, truth, score in rows if reader == tables.algorithm), "never a sham"
    assert len(tables.sham.score) == 4 * 2
