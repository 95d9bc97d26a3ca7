# ruff: noqa: F811 - tests take the fixture `desk` by its name
"""Whatever is clicked, fails, is dropped or closed: highlight, image, form and what is recorded are of one case."""

from __future__ import annotations

import random

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from gui.cases import CaseState
from gui.views.case_list import ITEM_ROLE, OPENING, STATE_ROLE
from gui.window.case_title import CaseTitle
from study.model import Call, ReadingError
from tests.gui.shell_fakes import prediction, radiograph, source
from tests.gui.test_shell_window import desk  # noqa: F401 - a fixture

STEPS = 60
NAMES = [f"{letter}.png" for letter in "abcdefgh"]


def finish(desk, *, well: bool) -> None:
    """The newest file that is being opened."""
    waiting = [job for job in desk.jobs.of("decode") if not job.is_over]
    if not waiting:
        return
    job = waiting[-1]
    if well:
        name, frame = job.args[0].label, job.args[1]
        job.finish(radiograph(name, frame=frame, frame_count=2))
    else:
        job.fail("This file is damaged.")


def assess(desk) -> None:
    waiting = [job for job in desk.jobs.of("assess") if not job.is_over]
    if waiting:
        waiting[-1].finish([prediction()])


def click(desk, row: int) -> None:
    view = desk.window.case_list
    place = view.visualRect(view.model().index(row, 0))
    if place.isValid():
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place.topLeft() + QPoint(5, 5))


def record(desk) -> None:
    """What is recorded is about the image on screen, and what the form says."""
    controller = desk.controller
    if controller.hip is None or controller.hip.recorded is not None:
        return
    score = random.choice((10, 90))
    desk.window.form.edit("call", call=Call.LOOSE if score > 50 else Call.NOT_LOOSE)
    desk.window.form.edit("score", score=score)
    try:
        reading = controller.submit()
    except ReadingError:
        return
    assert reading.case.image_sha256 == highlighted(desk).sha256 == desk.window.panes.main.radiograph.sha256
    assert reading.score == desk.window.form.answer().score == score


def highlighted(desk):
    view = desk.window.case_list
    chosen = view.selectionModel().selectedIndexes()
    assert len(chosen) <= 1
    current = view.currentIndex()
    assert (chosen[0].row() if chosen else -1) == (current.row() if current.isValid() else -1)
    return chosen[0].data(ITEM_ROLE) if chosen else None


def check(desk, qapp) -> None:
    qapp.processEvents()
    qapp.processEvents()
    controller, window = desk.controller, desk.window
    assert highlighted(desk) is controller.shown
    assert window.panes.main.radiograph is controller.radiograph
    assert (controller.shown is None) == (controller.radiograph is None)
    titles = window.findChildren(CaseTitle)
    assert len(titles) == 2, "above the image and above the form"
    for title in titles:
        if controller.shown is None:
            assert title.text() == ""
        else:
            assert title.text().startswith(controller.shown.label)
            assert controller.radiograph.path.name == controller.shown.source.path.name
    assert window.form.answer() == controller.answer
    assert window.form.isEnabled() == (controller.hip is not None)


@pytest.mark.parametrize("seed", range(6))
def test_highlight_image_form_and_record_are_of_one_case(desk, qapp, seed):
    random.seed(seed)
    library = desk.library
    library.add([source(name) for name in NAMES[:4]])
    for step in range(STEPS):
        rows = max(len(library.cases), 1)
        what = random.choice(
            ["click"] * 4 + ["well"] * 4 + ["badly"] * 2 + ["assess"] * 3
            + ["step", "keys", "drop", "same", "close", "unread", "frame", "edit", "record", "record"]
        )  # fmt: skip
        match what:
            case "click":
                click(desk, random.randrange(rows))
            case "well" | "badly":
                finish(desk, well=what == "well")
            case "assess":
                assess(desk)
            case "step":
                library.step(random.choice((-1, 1)))
            case "keys":
                QTest.keyClick(desk.window.case_list, random.choice((Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_End)))
            case "drop":
                library.add([source(name) for name in random.sample(NAMES, 2)])
            case "same":
                if library.cases:
                    library.add([random.choice(library.cases).source])
            case "close":
                if random.random() < 0.3:
                    library.clear()
            case "unread":
                library.open_next_unread()
            case "frame":
                desk.controller.show_frame(random.choice((0, 1)))
            case "edit":
                if desk.controller.hip is not None:
                    desk.window.form.edit("comment", comment=f"{step}")
            case "record":
                record(desk)
        check(desk, qapp)


def test_a_damaged_file_between_two_good_ones(desk, qapp):
    desk.library.add([source(name) for name in ("a.png", "bad.png", "c.png")])
    finish(desk, well=True)
    assess(desk)
    desk.window.form.edit("call", call=Call.LOOSE)
    desk.window.form.edit("score", score=90)
    click(desk, 1)
    qapp.processEvents()
    view = desk.window.case_list
    assert highlighted(desk).label == "a.png", "the one on screen, until the other is"
    assert view.model().index(1, 0).data(STATE_ROLE) == OPENING
    finish(desk, well=False)
    check(desk, qapp)
    assert highlighted(desk).label == "a.png"
    assert desk.library.cases[1].state is CaseState.ERROR
    assert view.model().index(1, 0).data(STATE_ROLE) == "This file is damaged."
    assert "bad.png" in desk.window.notice.message
    QTest.keyClick(view, Qt.Key.Key_Down)
    finish(desk, well=True)
    check(desk, qapp)
    assert highlighted(desk).label == "c.png", "next goes past the damaged one"
    QTest.keyClick(view, Qt.Key.Key_Up)
    finish(desk, well=False)
    QTest.keyClick(view, Qt.Key.Key_Up)
    check(desk, qapp)
    assert highlighted(desk).label == "a.png"
    assert desk.window.form.answer().score == 90


def test_nothing_is_highlighted_where_nothing_could_be_opened(desk, qapp):
    desk.library.add([source("bad.png"), source("worse.png")])
    finish(desk, well=False)
    check(desk, qapp)
    assert highlighted(desk) is None
    assert not desk.window.form.isEnabled()
