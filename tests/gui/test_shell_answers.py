"""The reading controller: what is hidden, kept, revised and recorded."""

from __future__ import annotations

import pytest

from gui.annotations import new_annotation
from gui.cases import CaseState, DiagnosisState
from gui.draft import Answer, Draft, HipDraft, draft_key
from imaging.radiograph import Side
from inference.prediction import Decision
from study.events import Correction, EventKind
from study.model import AnnotationKind, Call, ReaderKind, ReadingError, ReadingMode
from study.store import StoreError
from tests.gui.controller_desk import FIXED, LOOSE, make_desk, recorded, show
from tests.gui.shell_fakes import FakeStore, prediction, radiograph


@pytest.fixture
def desk(qtbot):
    return make_desk()


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


def test_a_case_that_was_only_looked_at_takes_the_regions_proposed_now(desk, qtbot):
    """Another network may have come since; what was seen stays seen."""
    image = show(desk, qtbot, predictions=[prediction((10, 10, 80, 80))])
    desk.controller.flush()
    assert draft_key(image.sha256, 0) in desk.store.saved

    again = make_desk(FakeStore(saved=desk.store.saved))
    show(again, qtbot, predictions=[prediction((14, 12, 76, 76), probability=0.6)])
    assert again.controller.hip.region.box == (14, 12, 76, 76)
    assert again.controller.hip.prediction.probability == 0.6
    assert again.controller.hip.cnn_seen


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


def test_not_assessable_becomes_a_reading_without_a_call(desk, qtbot):
    refused = prediction(decision=Decision.NOT_ASSESSABLE, probability=None, reason="This looks like a lateral view.")
    show(desk, qtbot, predictions=[refused])
    desk.controller.set_answer(Answer(not_assessable_reason="Not an AP view"))
    desk.controller.submit()
    (machine,) = recorded(desk, EventKind.PREDICTION)
    assert (machine.call, machine.score) == (None, None)
    assert machine.not_assessable_reason == "This looks like a lateral view."
    assert desk.controller.agreement.same_call is None


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
