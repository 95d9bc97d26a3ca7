"""The reading controller: what is shown, hidden, dropped, kept and recorded."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from gui.annotations import AnnotationModel, new_annotation
from gui.assessor import REGION_SETTLES_MS
from gui.cases import CaseState, DiagnosisState
from gui.draft import Answer, Draft, HipDraft, draft_key
from gui.library import LATE_GLANCES, CaseLibrary
from gui.reading import ReadingController
from gui.tasks import Glance
from gui.views.case_list import state_words
from imaging.geometry import HipRegion
from imaging.radiograph import Side, SpacingSource
from inference.prediction import Decision
from study.events import Correction, EventKind
from study.model import AnnotationKind, Call, Reader, ReaderKind, ReadingError, ReadingMode
from study.store import StoreError
from tests.gui.shell_fakes import FakeJobs, FakeStore, prediction, radiograph, source


@pytest.fixture
def desk(qtbot):
    return make_desk()


def make_desk(
    store: FakeStore | None = None, *, has_engine: bool = True, reader: Sequence[str] = ("AB",)
) -> SimpleNamespace:
    jobs = FakeJobs(has_engine=has_engine)
    library = CaseLibrary(jobs)
    store = store or FakeStore()
    marks = AnnotationModel()
    controller = ReadingController(jobs, library, store, marks, reader=lambda: Reader(reader[0]), app_version="1.2.3")
    controller.open_record()
    return SimpleNamespace(jobs=jobs, library=library, store=store, marks=marks, controller=controller)


def show(desk, qtbot, name="a.png", predictions=None, image=None):
    """Open a case, let it decode and, unless `predictions` is None, let the CNN answer."""
    qtbot.waitUntil(lambda: desk.controller._store_is_open)
    desk.library.add([source(name)])
    opened = image or radiograph(name)
    desk.jobs.waiting("decode").finish(opened)
    if predictions is not None:
        desk.jobs.waiting("assess").finish(predictions)
    return opened


LOOSE = Answer(call=Call.LOOSE, score=80)
FIXED = Answer(call=Call.NOT_LOOSE, score=12)


def glance(name):
    image = radiograph(name)
    return Glance(image.sha256, image.pixels.astype("uint8"))


def recorded(desk, kind=EventKind.READING):
    return [payload.reading for event_kind, _, payload in desk.store.events if event_kind == kind]


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
    assert desk.library.selected == 1, "next and previous go on from the row that was asked for"


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


def test_answer_first_holds_everything_back_until_the_answer_is_recorded(desk, qtbot):
    desk.controller.set_mode(ReadingMode.ANSWER_FIRST)
    show(desk, qtbot, predictions=[prediction()])
    controller = desk.controller
    hidden = (controller.diagnosis_state, controller.prediction, controller.visible_maps, controller.agreement)
    assert hidden == (DiagnosisState.HIDDEN, None, [], None)
    controller.set_answer(FIXED)
    assert controller.prediction is None
    reading = controller.submit()
    assert (reading.mode, reading.cnn_score, reading.model_id) == (ReadingMode.ANSWER_FIRST, None, "")
    assert controller.prediction is not None
    assert controller.agreement.same_call is False


def test_waiting_and_there_look_the_same_while_hidden(desk, qtbot):
    """When the CNN finishes, nothing on screen may change: how long it took would be a hint."""
    desk.controller.set_mode(ReadingMode.ANSWER_FIRST)
    show(desk, qtbot)
    before = desk.controller.diagnosis_state
    desk.jobs.waiting("assess").finish([prediction()])
    assert desk.controller.diagnosis_state is before is DiagnosisState.HIDDEN


def test_with_two_hips_recording_one_reveals_only_that_one(desk, qtbot):
    desk.controller.set_mode(ReadingMode.ANSWER_FIRST)
    both = [prediction((0, 0, 50, 50)), prediction((50, 0, 50, 50), side=Side.LEFT)]
    show(desk, qtbot, predictions=both)
    desk.controller.set_answer(LOOSE)
    desk.controller.submit()
    assert desk.controller.prediction is both[0]
    desk.controller.select_hip(1)
    assert desk.controller.prediction is None
    assert desk.controller.answer == Answer()
    assert desk.controller.visible_maps == [both[0].saliency]
    assert desk.library.cases[0].state is CaseState.UNREAD
    desk.controller.set_answer(FIXED)
    desk.controller.submit()
    assert desk.library.cases[0].state is CaseState.READ
    assert [r.case.side for r in recorded(desk)] == ["R", "L"]


def test_what_was_seen_is_never_called_answer_first(desk, qtbot):
    show(desk, qtbot, predictions=[prediction()])
    desk.controller.set_mode(ReadingMode.ANSWER_FIRST)
    assert desk.controller.prediction is not None, "it was on screen already"
    desk.controller.set_answer(LOOSE)
    assert desk.controller.submit().mode is ReadingMode.ASSIST


def test_an_answer_first_reading_can_be_revised(desk, qtbot):
    desk.controller.set_mode(ReadingMode.ANSWER_FIRST)
    show(desk, qtbot, predictions=[prediction()])
    desk.controller.set_answer(FIXED)
    first = desk.controller.submit()
    qtbot.waitUntil(lambda: not desk.controller.hip.saving)
    assert desk.controller.why_not_submit()
    desk.controller.begin_revision()
    desk.controller.set_answer(LOOSE)
    assert not desk.controller.needs_reason
    second = desk.controller.submit()
    assert (second.mode, second.revises) == (ReadingMode.REVISED, first.id)
    assert second.cnn_score == pytest.approx(87)
    assert [r.call for r in recorded(desk)] == [Call.NOT_LOOSE, Call.LOOSE]


def test_a_correction_needs_a_reason_and_keeps_both(desk, qtbot):
    show(desk, qtbot, predictions=[prediction()])
    desk.controller.set_answer(FIXED)
    first = desk.controller.submit()
    qtbot.waitUntil(lambda: not desk.controller.hip.saving)
    desk.controller.begin_revision()
    desk.controller.set_answer(LOOSE)
    with pytest.raises(ReadingError, match="why"):
        desk.controller.submit()
    desk.controller.submit("wrong button")
    kind, actor, correction = desk.store.events[-1]
    assert (kind, actor) == (EventKind.CORRECTION, "AB")
    assert isinstance(correction, Correction)
    assert (correction.old, correction.new.id, correction.reason) == (first, first.id, "wrong button")
    assert correction.new.call is Call.LOOSE


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (Answer(), "cannot be assessed"),
        (Answer(call=Call.LOOSE), "score"),
        (Answer(call=Call.LOOSE, score=50), "50"),
        (Answer(call=Call.LOOSE, score=20), "above 50"),
        (Answer(call=Call.NOT_LOOSE, score=10, stem_call=Call.LOOSE), "loose"),
    ],
)
def test_an_answer_that_contradicts_itself_is_refused_with_a_sentence(desk, qtbot, answer, part):
    show(desk, qtbot, predictions=[prediction()])
    desk.controller.set_answer(answer)
    with pytest.raises(ReadingError, match=part):
        desk.controller.submit()
    assert desk.store.events == []


def test_the_cnn_is_recorded_once_as_a_reader_of_its_own(desk, qtbot):
    show(desk, qtbot, predictions=[prediction()])
    desk.controller.set_answer(LOOSE)
    desk.controller.submit()
    qtbot.waitUntil(lambda: not desk.controller.hip.saving)
    desk.controller.begin_revision()
    desk.controller.set_answer(FIXED)
    desk.controller.submit("second thoughts")
    (machine,) = recorded(desk, EventKind.PREDICTION)
    assert machine.reader.kind is ReaderKind.ALGORITHM
    assert (machine.call, machine.score, machine.mode) == (Call.LOOSE, pytest.approx(87), ReadingMode.ALGORITHM)
    assert machine.case == recorded(desk)[0].case


def test_a_reading_counts_only_when_the_store_has_returned(qtbot):
    desk = make_desk(FakeStore(hold=True))
    show(desk, qtbot, predictions=[prediction()])
    desk.controller.set_answer(LOOSE)
    desk.controller.submit()
    assert desk.controller.pending == 2  # the reader's and the CNN's
    assert desk.controller.hip.saving
    with qtbot.waitSignal(desk.controller.recorded) as signal:
        desk.store.acknowledge()
    assert signal.args[0].call is Call.LOOSE
    assert not desk.controller.hip.saving
    assert desk.controller.hip.recorded_at is not None
    qtbot.waitUntil(lambda: desk.controller.pending == 0)


def test_a_reading_that_the_disk_refuses_is_kept_as_a_draft(qtbot):
    desk = make_desk(FakeStore(hold=True))
    show(desk, qtbot, predictions=[prediction()])
    desk.controller.set_answer(LOOSE)
    desk.controller.submit()
    with qtbot.waitSignal(desk.controller.record_failed) as signal:
        desk.store.refuse(StoreError("The disk is full."))
    assert "draft" in signal.args[0]
    assert desk.controller.hip.recorded is None
    assert desk.controller.answer == LOOSE
    assert desk.library.cases[0].state is CaseState.DRAFT
    assert desk.controller.why_not_submit() == ""


def test_drafts_are_saved_soon_and_restored(desk, qtbot):
    image = show(desk, qtbot, predictions=[prediction()])
    desk.controller.set_answer(Answer(comment="half done"))
    desk.marks.add(new_annotation(AnnotationKind.POINT, [(30, 40)]))
    key = draft_key(image.sha256, 0)
    qtbot.waitUntil(lambda: key in desk.store.saved, timeout=2000)
    qtbot.waitUntil(lambda: b"half done" in desk.store.saved[key], timeout=2000)

    again = make_desk(FakeStore(saved=desk.store.saved))
    show(again, qtbot, predictions=[prediction()])
    assert again.controller.answer.comment == "half done"
    assert [mark.points for mark in again.marks.to_list()] == [((30.0, 40.0),)]
    assert again.library.cases[0].state is CaseState.DRAFT
    assert again.controller.hip.cnn_seen, "what was seen stays seen"


def test_leaving_a_case_saves_its_draft_at_once(desk, qtbot):
    image = show(desk, qtbot, predictions=[prediction()])
    desk.controller.set_answer(LOOSE)
    show(desk, qtbot, "b.png")
    assert draft_key(image.sha256, 0) in desk.store.saved
    assert desk.controller.answer == Answer()
    assert desk.marks.to_list() == []


def test_a_recorded_reading_takes_its_draft_away(desk, qtbot):
    image = show(desk, qtbot, predictions=[prediction()])
    desk.controller.set_answer(LOOSE)
    desk.controller.flush()
    assert draft_key(image.sha256, 0) in desk.store.saved
    desk.controller.submit()
    qtbot.waitUntil(lambda: desk.store.saved == {})


def test_a_damaged_draft_is_left_aside(qtbot):
    image = radiograph()
    desk = make_desk(FakeStore(saved={draft_key(image.sha256, 0): b'{"hips": 7'}))
    show(desk, qtbot, predictions=[prediction()], image=image)
    assert desk.controller.answer == Answer()
    assert Draft.from_bytes(b'{"schema": 99}') is None


def test_earlier_readings_are_shown_again_to_the_same_reader_only(desk, qtbot):
    show(desk, qtbot, predictions=[prediction()])
    desk.marks.add(new_annotation(AnnotationKind.POINT, [(30, 40)]))
    desk.controller.set_answer(LOOSE)
    reading = desk.controller.submit()
    for reader, known in (("AB", True), ("XY", False)):
        later = make_desk(reader=[reader])
        later.controller.history.learn([reading])
        show(later, qtbot, predictions=[prediction()])
        assert (later.controller.hip.recorded is not None) is known
        assert (later.controller.answer == LOOSE) is known
        assert bool(later.marks.to_list()) is known
        assert later.library.cases[0].state is (CaseState.READ if known else CaseState.UNREAD)


def test_history_that_comes_late_reaches_the_case_on_screen(desk, qtbot):
    show(desk, qtbot, predictions=[prediction()])
    desk.controller.set_answer(LOOSE)
    reading = desk.controller.submit()
    later = make_desk()
    show(later, qtbot, predictions=[prediction()])
    assert later.controller.hip.recorded is None
    later.controller.learn_history([reading])
    assert later.controller.hip.recorded == reading
    assert later.controller.answer == LOOSE
    assert later.library.cases[0].state is CaseState.READ
    busy = make_desk()
    show(busy, qtbot, predictions=[prediction()])
    busy.controller.set_answer(FIXED)
    busy.controller.learn_history([reading])
    assert busy.controller.answer == FIXED, "what the reader is entering is never replaced"


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
    desk.controller.set_spacing((0.18, 0.18), SpacingSource.HEAD)
    desk.controller.set_answer(LOOSE)
    reading = desk.controller.submit()
    assert (reading.spacing_mm, reading.spacing_source) == ((0.18, 0.18), "head")


def test_not_assessable_becomes_a_reading_without_a_call(desk, qtbot):
    refused = prediction(decision=Decision.NOT_ASSESSABLE, probability=None, reason="This looks like a lateral view.")
    show(desk, qtbot, predictions=[refused])
    desk.controller.set_answer(Answer(not_assessable_reason="Not an AP view"))
    desk.controller.submit()
    (machine,) = recorded(desk, EventKind.PREDICTION)
    assert (machine.call, machine.score) == (None, None)
    assert machine.not_assessable_reason == "This looks like a lateral view."
    assert desk.controller.agreement.same_call is None


def test_closing_all_cases_empties_the_screen(desk, qtbot):
    show(desk, qtbot, predictions=[prediction()])
    desk.library.clear()
    assert desk.controller.radiograph is None
    assert desk.controller.diagnosis_state is DiagnosisState.NO_CASE
    assert desk.controller.hips == []


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
    assert desk.library.cases[desk.library.selected].label == "begun.png"


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


def test_a_case_that_is_left_while_its_reading_is_on_its_way_stays_read(qtbot):
    desk = make_desk(FakeStore(hold=True))
    show(desk, qtbot, "a.png", [prediction()])
    desk.controller.set_answer(LOOSE)
    desk.controller.submit()
    show(desk, qtbot, "b.png", [prediction()])
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
    desk = make_desk(FakeStore(hold=True))
    show(desk, qtbot, "a.png", [prediction()])
    desk.controller.set_answer(LOOSE)
    desk.controller.submit()
    show(desk, qtbot, "b.png", [prediction()])
    desk.store.refuse(OSError("The disk is full."))
    qtbot.waitUntil(lambda: desk.controller.pending == 0)
    assert desk.library.cases[0].state is CaseState.DRAFT


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


def test_next_unread_goes_round(desk, qtbot):
    desk.library.add([source(f"{i}.png") for i in range(3)], open_first=False)
    for row, state in enumerate((CaseState.UNREAD, CaseState.READ, CaseState.READ)):
        desk.library.set_state(desk.library.cases[row], state)
    desk.library.open(2)
    assert desk.library.open_next_unread()
    assert desk.library.selected == 0
    desk.library.set_state(desk.library.cases[0], CaseState.READ)
    assert not desk.library.open_next_unread()


def test_earlier_readings_show_whenever_the_record_is_looked_through(qtbot):
    """Before the radiograph, between it and the CNN's answer, or after both: answer, marks and state are the same."""
    first = make_desk()
    show(first, qtbot, "a.png", [prediction()])
    mark = new_annotation(AnnotationKind.POINT, [(3, 4)])
    first.marks.add(mark)
    first.controller.set_answer(LOOSE)
    first.controller.submit()
    qtbot.waitUntil(lambda: first.controller.pending == 0)
    earlier = recorded(first)
    for moment in range(3):
        desk = make_desk()
        if moment == 0:
            desk.controller.learn_history(earlier)
        show(desk, qtbot, "a.png")
        if moment == 1:
            desk.controller.learn_history(earlier)
        desk.jobs.waiting("assess").finish([prediction()])
        if moment == 2:
            desk.controller.learn_history(earlier)
        assert desk.controller.answer == LOOSE, moment
        assert desk.marks.to_list() == [mark], moment
        assert desk.library.cases[0].state is CaseState.READ, moment


def test_late_history_makes_a_restored_draft_a_change_of_the_reading(qtbot):
    first = make_desk()
    image = show(first, qtbot, "a.png", [prediction()])
    first.controller.set_answer(LOOSE)
    first.controller.submit()
    qtbot.waitUntil(lambda: first.controller.pending == 0)
    desk = make_desk()
    box = first.controller.hips[0].region
    draft = Draft(hips=(HipDraft(box.box, box.side.value, True, FIXED),))
    desk.store.save_draft(draft_key(image.sha256, image.frame), draft.to_bytes())
    show(desk, qtbot, "a.png", [prediction()])
    desk.controller.learn_history(recorded(first))
    assert desk.controller.answer == FIXED
    assert desk.controller.hips[0].recorded is not None
    assert desk.library.cases[0].state is CaseState.DRAFT
