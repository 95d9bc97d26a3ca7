"""The reading controller: a case is opened, assessed, left; what comes late is dropped."""

from __future__ import annotations

import pytest

from gui.annotations import new_annotation
from gui.assessor import REGION_SETTLES_MS
from gui.cases import CaseState, DiagnosisState
from imaging.geometry import HipRegion
from imaging.radiograph import Side
from inference.prediction import Decision
from study.events import EventKind
from study.model import AnnotationKind, Call
from tests.gui.controller_desk import LOOSE, make_desk, recorded, show
from tests.gui.shell_fakes import prediction, radiograph, source


@pytest.fixture
def desk(qtbot):
    return make_desk()


def test_the_image_comes_first_then_the_diagnosis(desk, qtbot):
    with qtbot.waitSignal(desk.controller.radiograph_changed):
        image = show(desk, qtbot)
    assert desk.controller.radiograph is image
    assert desk.controller.diagnosis_state is DiagnosisState.WAITING
    assert desk.controller.hips == []
    answer = prediction()
    desk.jobs.waiting("assess").finish([answer])
    assert desk.controller.prediction is answer
    assert desk.controller.diagnosis_state is DiagnosisState.SHOWN
    assert desk.store.locations == {image.sha256: image.path}


def test_a_result_for_a_case_that_was_left_is_dropped(desk, qtbot):
    show(desk, qtbot, "a.png")
    late = desk.jobs.waiting("assess")
    show(desk, qtbot, "b.png", [prediction(decision=Decision.NOT_LOOSE, probability=0.1)])
    assert late.abandoned
    late.finish([prediction()])
    assert desk.controller.prediction.decision is Decision.NOT_LOOSE
    desk.library.step(-1)  # back: decoded and read before, hence at once
    assert desk.controller.prediction.decision is Decision.LOOSE
    assert len(desk.jobs.of("decode")) == 2


def test_only_the_case_that_was_asked_for_last_is_shown(desk, qtbot):
    qtbot.waitUntil(lambda: desk.controller._store_is_open)
    desk.library.add([source("a.png"), source("b.png")])
    first = desk.jobs.waiting("decode")
    desk.library.open(1)
    second = desk.jobs.waiting("decode")
    second.finish(radiograph("b.png"))
    first.finish(radiograph("a.png"))
    assert first.abandoned
    assert desk.controller.shown.label == "b.png"


def test_a_failed_open_keeps_the_image(desk, qtbot):
    image = show(desk, qtbot, predictions=[prediction()])
    said = []
    desk.library.open_failed.connect(lambda sentence, details: said.append((sentence, details)))
    desk.library.add([source("bad.dcm")])
    desk.jobs.waiting("decode").fail("This file is no radiograph.", "DICM missing")
    assert said == [("This file is no radiograph.", "DICM missing")]
    assert desk.controller.radiograph is image
    assert desk.controller.prediction is not None
    assert desk.library.cases[1].state is CaseState.ERROR
    assert desk.library.asked == 1, "next and previous go on from the row that was asked for"
    assert desk.library.selected == 0, "highlighted is what is on screen"


def test_cancelling_an_open_leaves_everything_as_it_was(desk, qtbot):
    image = show(desk, qtbot, predictions=[prediction()])
    desk.library.add([source("slow.dcm")])
    desk.library.opening.cancel()
    assert desk.library.opening is None
    assert desk.controller.radiograph is image
    assert desk.library.cases[1].state is CaseState.UNREAD


def test_without_a_network_one_can_read_and_record(qtbot):
    desk = make_desk(has_engine=False)
    show(desk, qtbot)
    assert desk.controller.diagnosis_state is DiagnosisState.NO_CNN
    assert desk.controller.hip.region.box == (0, 0, 100, 120)
    desk.controller.set_answer(LOOSE)
    desk.controller.submit()
    assert [r.call for r in recorded(desk)] == [Call.LOOSE]
    assert recorded(desk, EventKind.PREDICTION) == []


def test_a_cnn_that_fails_says_why_and_can_be_asked_again(desk, qtbot):
    show(desk, qtbot)
    desk.jobs.waiting("assess").fail("The model is damaged.", "hash")
    assert desk.controller.diagnosis_state is DiagnosisState.FAILED
    assert desk.controller.failure == ("The model is damaged.", "hash")
    desk.controller.rerun()
    assert desk.controller.diagnosis_state is DiagnosisState.WAITING
    again = desk.jobs.waiting("assess")
    assert again.args[1].box == (0, 0, 100, 120)
    again.finish([prediction((0, 0, 100, 120))])
    assert desk.controller.diagnosis_state is DiagnosisState.SHOWN


def test_the_cnn_can_be_cancelled(desk, qtbot):
    show(desk, qtbot)
    desk.controller.cancel_cnn()
    assert desk.controller.diagnosis_state is DiagnosisState.CANCELLED
    assert desk.controller.hip is not None, "the reader can go on"


def test_moving_the_region_asks_the_cnn_again_once_it_rests(desk, qtbot):
    show(desk, qtbot, predictions=[prediction()])
    asked = len(desk.jobs.of("assess"))
    for x in range(5):
        desk.controller.set_region(0, HipRegion(x, 0, 90, 90, Side.RIGHT))
    assert desk.controller.prediction is None
    assert len(desk.jobs.of("assess")) == asked
    qtbot.wait(REGION_SETTLES_MS + 100)
    assert len(desk.jobs.of("assess")) == asked + 1
    job = desk.jobs.waiting("assess")
    assert job.args[1].box == (4, 0, 90, 90)
    desk.controller.set_region(0, HipRegion(9, 0, 90, 90, Side.RIGHT))
    job.finish([prediction((4, 0, 90, 90))])
    assert desk.controller.prediction is None, "an answer about where the region was"


def test_marks_belong_to_the_nearer_hip(desk, qtbot):
    show(desk, qtbot, predictions=[prediction((0, 0, 50, 50)), prediction((50, 0, 50, 50), side=Side.LEFT)])
    near, far = new_annotation(AnnotationKind.POINT, [(10, 10)]), new_annotation(AnnotationKind.POINT, [(90, 10)])
    desk.marks.add(near)
    desk.marks.add(far)
    assert desk.controller.marks_of(desk.controller.hips[0]) == [near]
    assert desk.controller.marks_of(desk.controller.hips[1]) == [far]


def test_the_scale_of_the_head_is_recorded(desk, qtbot):
    show(desk, qtbot, predictions=[prediction()])
    desk.controller.set_head_spacing((0.18, 0.18))
    desk.controller.set_answer(LOOSE)
    reading = desk.controller.submit()
    assert (reading.spacing_mm, reading.spacing_source) == ((0.18, 0.18), "head")


def test_closing_all_cases_empties_the_screen(desk, qtbot):
    show(desk, qtbot, predictions=[prediction()])
    desk.library.clear()
    assert desk.controller.radiograph is None
    assert desk.controller.diagnosis_state is DiagnosisState.NO_CASE
    assert desk.controller.hips == []


def test_the_next_case_is_decoded_ahead(desk, qtbot):
    desk.library.add([source("a.png"), source("b.png")])
    desk.jobs.waiting("decode").finish(radiograph("a.png"))
    qtbot.waitUntil(lambda: bool(desk.jobs.of("prefetch")))
    desk.jobs.waiting("prefetch").finish(radiograph("b.png"))
    desk.library.step(1)
    assert desk.controller.shown.label == "b.png"
    assert len(desk.jobs.of("decode")) == 1


def test_asking_for_the_same_file_again_reads_it_again(desk, qtbot):
    show(desk, qtbot, "a.png", [prediction()])
    changed = radiograph("a.png", sha256="1" * 64)
    show(desk, qtbot, "a.png", [prediction()], image=changed)
    assert len(desk.library.cases) == 1
    assert desk.controller.radiograph is changed
