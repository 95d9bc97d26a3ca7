"""The reading controller and the list of cases: what was read, begun, or not looked at."""

from __future__ import annotations

import pytest

from gui.cases import CaseState
from gui.library import LATE_GLANCES
from gui.views.case_list import state_words
from imaging.radiograph import Side
from tests.gui.controller_desk import FIXED, LOOSE, glance, make_desk, recorded, show
from tests.gui.shell_fakes import FakeStore, prediction, source


@pytest.fixture
def desk(qtbot):
    return make_desk()


def test_thumbnails_come_one_at_a_time_and_a_broken_one_stops_nothing(desk, qtbot):
    desk.library.add([source(f"{i}.png") for i in range(4)])
    rows = []
    desk.library.case_changed.connect(rows.append)
    desk.jobs.waiting("decode").cancel()
    for expected in range(4):
        qtbot.waitUntil(lambda: any(not job.is_over for job in desk.jobs.of("glance")))
        waiting = [job for job in desk.jobs.of("glance") if not job.is_over]
        assert len(waiting) == 1
        job = waiting[0]
        if expected == 1:
            job.fail("This file is damaged.")
        else:
            job.finish(glance(f"{expected}.png"))
    assert desk.library.cases[1].state is CaseState.ERROR
    assert desk.library.cases[1].error == "This file is damaged."
    assert [item.thumbnail is not None for item in desk.library.cases] == [True, False, True, True]


def test_a_file_that_took_too_long_is_no_bad_file_and_is_looked_at_again(desk, qtbot, monkeypatch):
    desk.library._again.setInterval(50)
    desk.library.add([source("slow.png"), source("b.png")], open_first=False)
    slow, other = desk.library.cases
    for _ in range(2):
        qtbot.waitUntil(lambda: any(not job.is_over for job in desk.jobs.of("glance")))
        job = desk.jobs.waiting("glance")
        if job.args[0] == slow.source:
            job.fail("This took longer than 10 seconds and was stopped.", too_late=True)
            assert slow.state is CaseState.UNREAD
            assert state_words(slow) == "Not looked at yet"
        else:
            job.finish(glance("b.png"))
    assert other.thumbnail is not None, "the others do not wait for it"
    qtbot.waitUntil(lambda: any(not job.is_over for job in desk.jobs.of("glance")))
    desk.jobs.waiting("glance").finish(glance("slow.png"))
    assert slow.thumbnail is not None
    assert state_words(slow) == "Not read"


def test_a_file_that_always_takes_too_long_is_left_alone_in_the_end(desk, qtbot):
    desk.library._again.setInterval(10)
    desk.library.add([source("slow.png"), source("b.png")], open_first=False)
    for _ in range(2 * LATE_GLANCES):
        qtbot.waitUntil(lambda: any(not job.is_over for job in desk.jobs.of("glance")))
        desk.jobs.waiting("glance").fail("This took longer than 10 seconds and was stopped.", too_late=True)
    qtbot.wait(100)
    assert len(desk.jobs.of("glance")) == 2 * LATE_GLANCES
    assert {item.state for item in desk.library.cases} == {CaseState.UNREAD}


@pytest.mark.parametrize("looked_first", [True, False])
def test_the_list_knows_what_was_read_and_begun_before_it_is_opened(qtbot, looked_first):
    first = make_desk()
    show(first, qtbot, "read.png", [prediction()])
    first.controller.set_answer(LOOSE)
    first.controller.submit()
    qtbot.waitUntil(lambda: first.controller.pending == 0)
    show(first, qtbot, "begun.png", [prediction()])
    first.controller.set_answer(FIXED)
    first.controller.flush()
    desk = make_desk(first.store)
    qtbot.waitUntil(lambda: desk.controller._store_is_open)
    if not looked_first:
        desk.controller.learn_history(recorded(first))
    desk.library.add([source(name) for name in ("read.png", "begun.png", "new.png")], open_first=False)
    for _ in range(3):
        qtbot.waitUntil(lambda: any(not job.is_over for job in desk.jobs.of("glance")))
        job = desk.jobs.waiting("glance")
        job.finish(glance(job.args[0].label))
    if looked_first:
        desk.controller.learn_history(recorded(first))
    states = {item.label: item.state for item in desk.library.cases}
    assert states == {"read.png": CaseState.READ, "begun.png": CaseState.DRAFT, "new.png": CaseState.UNREAD}
    assert desk.library.open_next_unread()
    assert desk.library.cases[desk.library.asked].label == "begun.png"


def test_what_another_reader_read_is_unread(qtbot):
    first = make_desk(reader=["CD"])
    show(first, qtbot, "read.png", [prediction()])
    first.controller.set_answer(LOOSE)
    first.controller.submit()
    qtbot.waitUntil(lambda: first.controller.pending == 0)
    who = ["AB"]
    desk = make_desk(reader=who)
    desk.controller.learn_history(recorded(first))
    desk.library.add([source("read.png"), source("b.png")], open_first=False)
    for _ in range(2):
        qtbot.waitUntil(lambda: any(not job.is_over for job in desk.jobs.of("glance")))
        job = desk.jobs.waiting("glance")
        job.finish(glance(job.args[0].label))
    assert {item.state for item in desk.library.cases} == {CaseState.UNREAD}
    who[0] = "CD"
    desk.controller.refresh_list()
    assert [item.state for item in desk.library.cases] == [CaseState.READ, CaseState.UNREAD]
    who[0] = "AB"
    desk.controller.refresh_list()
    assert {item.state for item in desk.library.cases} == {CaseState.UNREAD}


def left_while_its_reading_is_on_its_way(qtbot):
    """A desk on which the first case was recorded and left before the record answered."""
    desk = make_desk(FakeStore(hold=True))
    show(desk, qtbot, "a.png", [prediction()])
    desk.controller.set_answer(LOOSE)
    desk.controller.submit()
    show(desk, qtbot, "b.png", [prediction()])
    return desk


def test_a_case_that_is_left_while_its_reading_is_on_its_way_stays_read(qtbot):
    desk = left_while_its_reading_is_on_its_way(qtbot)
    desk.controller.learn_history([])
    assert desk.library.cases[0].state is CaseState.READ
    desk.library.set_state(desk.library.cases[0], CaseState.UNREAD)  # whatever it said before
    desk.store.acknowledge()
    qtbot.waitUntil(lambda: desk.controller.pending == 0)
    assert desk.library.cases[0].state is CaseState.READ


def test_a_case_of_which_one_hip_was_read_stays_unread(qtbot):
    desk = make_desk()
    show(desk, qtbot, "two.png", [prediction((0, 0, 50, 50)), prediction((50, 0, 50, 50), side=Side.LEFT)])
    desk.controller.set_answer(LOOSE)
    desk.controller.submit()
    show(desk, qtbot, "b.png", [prediction()])
    desk.controller.set_answer(LOOSE)
    desk.controller.submit()
    qtbot.waitUntil(lambda: desk.controller.pending == 0)
    assert [item.state for item in desk.library.cases] == [CaseState.UNREAD, CaseState.READ]
    desk.library.open(0)
    desk.controller.select_hip(1)
    desk.controller.set_answer(FIXED)
    desk.controller.submit()
    desk.library.open(1)
    qtbot.waitUntil(lambda: desk.controller.pending == 0)
    assert [item.state for item in desk.library.cases] == [CaseState.READ, CaseState.READ]


def test_a_case_that_was_left_is_a_draft_again_when_its_reading_is_refused(qtbot):
    desk = left_while_its_reading_is_on_its_way(qtbot)
    desk.store.refuse(OSError("The disk is full."))
    qtbot.waitUntil(lambda: desk.controller.pending == 0)
    assert desk.library.cases[0].state is CaseState.DRAFT


def test_next_unread_goes_round(desk, qtbot):
    desk.library.add([source(f"{i}.png") for i in range(3)], open_first=False)
    for row, state in enumerate((CaseState.UNREAD, CaseState.READ, CaseState.READ)):
        desk.library.set_state(desk.library.cases[row], state)
    desk.library.open(2)
    assert desk.library.open_next_unread()
    assert desk.library.asked == 0
    desk.library.set_state(desk.library.cases[0], CaseState.READ)
    assert not desk.library.open_next_unread()
