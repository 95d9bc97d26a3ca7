"""Reading for a study: resumed after a kill, closed during the washout, and nothing told before its time."""

from __future__ import annotations

import re
import shutil
import threading
from concurrent.futures import Future
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QLabel, QWidget

from gui.study import reading_controller
from gui.study.reading_actions import REVEAL, WITH_CNN
from gui.study.reading_cnn import CnnCard, RevealCard
from gui.study.reading_form import FivePoints
from gui.study.reading_passphrase import ChangePassphrase
from gui.study.reading_stages import Phase, Stage
from gui.study.worklist import seconds_left
from gui.tools import Tool
from gui.views.map_bar import MapBar
from gui.views.shortcut_sheet import ShortcutSheet
from imaging.radiograph import Side
from imaging.sources import Source
from study.model import Call, ReadingMode
from study.protocol import Arm, Arms, Scale, TrainingData
from study.session import Step
from study.store import StoreError, StudyStore
from tests.e2e.study_reader import CONTROL, KEY, ReaderAtWindow, Study
from tests.e2e.window_program import wait_until
from tests.unit.study import study_maker
from tests.unit.study.study_maker import PASSPHRASE

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def opened(jobs, tmp_path):
    """Opens the window of a study's package; closes what is open at the end."""
    readers = []

    def open_(study: Study, data=None, **options) -> ReaderAtWindow:
        reader = ReaderAtWindow(study.package, data or tmp_path / "data", jobs, **options)
        readers.append(reader)
        return reader

    yield open_
    for reader in readers:
        reader.close()


def begun(opened, study, data=None, **options) -> ReaderAtWindow:
    reader = opened(study, data, **options)
    reader.sign_in()
    reader.begin()
    return reader


def test_an_image_that_failed_to_open_can_be_tried_again(qapp, opened, tmp_path, monkeypatch):
    study = Study(tmp_path / "study", practice=0)
    reader = opened(study)
    reader.sign_in()
    images = reader.controller._images
    source_of = images._source_of
    monkeypatch.setattr(images, "_source_of", lambda _case: Source(tmp_path / "gone.dcm"))
    reader.press(KEY.Key_Return)
    again = reader.window.room.again_button
    wait_until(again.isVisible, what="the offer to try again")
    assert reader.controller.phase is Phase.OPENING
    assert "cannot be opened" in reader.window.notice.message
    reader.press(KEY.Key_Space)  # by keyboard: it has the focus
    wait_until(lambda: not again.isVisible())
    wait_until(again.isVisible, what="the offer again, since it failed again")
    monkeypatch.setattr(images, "_source_of", source_of)
    again.click()
    wait_until(lambda: reader.controller.phase is Phase.FIRST, what="the case")
    assert not again.isVisible()
    reader.read_case(70)


def test_a_draft_that_the_disk_refuses_is_not_said_to_be_saved(qapp, opened, tmp_path, monkeypatch):
    reader = begun(opened, Study(tmp_path / "study", practice=0))
    window, store = reader.window, reader.window._store
    wait_until(lambda: window._saved.text() == "All saved")
    save = store.save_draft

    def refuse(_key, _data):
        future = Future()
        future.set_exception(StoreError("The disk is full."))
        return future

    monkeypatch.setattr(store, "save_draft", refuse)
    reader.answer(70)
    wait_until(lambda: window._saved.text() == "Not saved")
    assert window._saved.toolTip() == "The disk is full."
    monkeypatch.setattr(store, "save_draft", save)
    reader.answer(80)
    wait_until(lambda: window._saved.text() == "All saved")


def test_a_killed_reading_goes_on_where_it_stopped(qapp, opened, tmp_path):
    study = Study(tmp_path / "study", practice=0, marks_asked=True)
    reader = begun(opened, study)
    reader.read_case(70)
    reader.answer(20)
    reader.press(KEY.Key_6, modifiers=CONTROL)
    reader.type("a fine line at the tip")
    first_slot = reader.controller.state.slot
    wait_until(lambda: not reader.controller.unsaved, timeout_s=10, what="the draft on disk")
    killed = tmp_path / "as the kill left it"
    shutil.copytree(tmp_path / "data", killed)
    again = opened(study, killed)
    again.sign_in()
    assert "1 of 4" in again.window.intro_page.progress.text()
    again.begin()
    assert again.controller.state.slot == first_slot
    assert again.controller.phase is Phase.FIRST
    answer = again.window.room.form.answer()
    assert (answer.call, answer.score, answer.comment) == (Call.NOT_LOOSE, 20, "a fine line at the tip")
    again.lock()
    assert again.controller.phase is Phase.LOCKED
    locked = tmp_path / "killed when locked"
    shutil.copytree(killed, locked)
    third = opened(study, locked)
    third.sign_in()
    third.begin()
    assert third.controller.phase is Phase.LOCKED, "an answer that was locked stays locked"
    assert third.controller.prediction is None
    third.reveal()
    third.lock()
    assert third.session.violations == []
    assert [item.reading.score for item in third.session.given()] == [70, 70, 20, 20]


def test_closing_is_a_break_and_opening_ends_it(qapp, opened, tmp_path):
    study = Study(tmp_path / "study", practice=0)
    reader = begun(opened, study)
    reader.answer(70)
    reader.close()
    again = begun(opened, study)
    assert again.session.break_s > 0
    assert again.window.room.form.answer().score == 70
    assert again.session.violations == []


def test_the_second_part_stays_closed_until_its_date(qapp, opened, tmp_path):
    study = Study(tmp_path / "study", 2, 0, arms=Arms.CROSSOVER, washout_days=28)
    reader = begun(opened, study)
    for _ in range(2):
        state = reader.controller.state
        aided = state.slot.arm is Arm.AIDED
        assert (reader.controller.prediction is not None) is aided, "the CNN is there from the start, or not at all"
        assert bool(reader.window.room.findChildren(CnnCard)) is aided
        reader.answer(70)
        reader.lock()
    assert reader.controller.stage is Stage.WAIT
    opens = reader.controller.opens_on
    words = reader.window.wait_page.words.text()
    assert f"{opens.day} {opens:%B %Y}" in words
    assert "in 28 days" in words
    assert reader.window.room.step_label.text() in ("Without the CNN", "With the CNN")
    reader.press(KEY.Key_Return)
    reader.settle()
    assert reader.controller.stage is Stage.WAIT, "looking again does not open it"
    reader.close()
    again = opened(study)
    again.sign_in()
    again.begin()
    assert again.controller.stage is Stage.WAIT
    assert again.controller.radiograph is None
    again.controller.look_at(2)
    assert again.controller.radiograph is None


def test_going_back_corrects_with_a_reason(qapp, opened, tmp_path):
    study = Study(tmp_path / "study", practice=0, going_back_allowed=True)
    reader = begun(opened, study)
    reader.read_case(70)
    reader.answer(90)
    reader.press(KEY.Key_PageUp)
    reader.window.room.form.start()
    reader.press(KEY.Key_PageUp)
    reader.settle()
    assert reader.controller.phase is Phase.LOOKING
    reader.controller.begin_correction()
    reader.answer(60)
    reader.press(KEY.Key_Return, modifiers=CONTROL)
    assert QApplication.focusWidget() is reader.window.room.reason_line, "first, why"
    reader.type("slipped")
    reader.press(KEY.Key_Return)
    wait_until(lambda: reader.controller.phase is Phase.LOOKING and not reader.controller.saving)
    given = reader.session.given()
    assert [(item.reading.score, item.corrected) for item in given] == [(70, False), (60, True)]
    reader.window.room.panes.main.setFocus()
    reader.press(KEY.Key_PageDown)
    reader.settle()
    assert reader.window.room.form.answer().score == 100, "what was begun is still there"
    assert reader.session.violations == []


def test_without_going_back_there_is_no_way_back(qapp, opened, tmp_path):
    study = Study(tmp_path / "study", practice=0)
    reader = begun(opened, study)
    reader.read_case(70)
    index = reader.controller.state.slot.index
    reader.window.room.panes.main.setFocus()
    reader.press(KEY.Key_PageUp)
    reader.controller.look_at(0)
    QApplication.processEvents()
    assert reader.controller.state.slot.index == index
    assert not reader.controller.may_correct
    assert "previous_case" not in reader.window.actions_
    assert reader.window.room.worklist.focusPolicy() is Qt.FocusPolicy.NoFocus


def test_a_wrong_passphrase_is_a_sentence_and_opens_nothing(qapp, opened, tmp_path):
    study = Study(tmp_path / "study", practice=0)
    reader = opened(study)
    wait_until(lambda: reader.window.sign_in_page is not None)
    box = reader.window.sign_in_page.box
    reader.type("not my passphrase")
    reader.press(KEY.Key_Return)
    wait_until(lambda: bool(box.problem.text()))
    assert box.problem.text() == "This is not the passphrase of R1."
    assert reader.controller is None
    assert not list((tmp_path / "data").rglob("*.sqlite"))
    assert QApplication.focusWidget() is box.line
    reader.sign_in()
    assert reader.controller.stage is Stage.INTRO


OWN = "my very own words"


def change_passphrase(reader, old: str, new: str) -> ChangePassphrase:
    """Through the dialog, by keyboard."""
    reader.window.actions_["study_passphrase"].trigger()
    (dialog,) = reader.window.findChildren(ChangePassphrase)
    wait_until(lambda: dialog.old.hasFocus(), what="the dialog")
    reader.type(old)
    reader.press(KEY.Key_Tab)
    assert QApplication.focusWidget() is dialog.new.first
    reader.type(new)
    reader.press(KEY.Key_Tab)
    reader.type(new)
    reader.press(KEY.Key_Return)
    return dialog


def test_the_first_passphrase_is_changed_and_holds_from_then_on(qapp, opened, tmp_path):
    study = Study(tmp_path / "study", 2, 0)
    reader = opened(study)
    reader.sign_in()
    page = reader.window.intro_page
    assert page.change.isVisible(), "the coordinator knows the first one"
    dialog = change_passphrase(reader, "not the first one", OWN)
    dialog.reject()
    assert dialog.isVisible(), "what is on its way to the record cannot be called back"
    wait_until(lambda: dialog.why_not.text() == "This is not the passphrase of R1.")
    assert dialog.isVisible()
    dialog.reject()
    QApplication.sendPostedEvents(None, 52)
    change_passphrase(reader, PASSPHRASE, OWN)
    wait_until(lambda: reader.controller.account.has_own_passphrase and reader.window.isActiveWindow())
    assert not page.change.isVisible()
    assert page.button.hasFocus()
    reader.begin()
    reader.read_case(70)
    reader.close()

    again = opened(study)
    wait_until(lambda: again.window.sign_in_page is not None)
    again.type(PASSPHRASE)
    again.press(KEY.Key_Return)
    box = again.window.sign_in_page.box
    wait_until(lambda: bool(box.problem.text()))
    assert "This is not the passphrase of R1. You changed it on this computer on" in box.problem.text()
    assert again.controller is None
    again.sign_in(OWN)
    assert not again.window.intro_page.change.isVisible()
    again.begin()
    again.read_case(20)
    again.sign(OWN)
    again.settle()
    assert again.controller.stage is Stage.FINISHED
    assert not again.window.actions_["study_passphrase"].isEnabled()
    back = tmp_path / "R1.lucency-return"
    again.save_return(back)
    study.coordinator.take_in(back)
    assert study.coordinator.check() == []
    assert study.coordinator.sessions()["R1"].signed is not None


def test_a_new_key_from_the_coordinator_opens_what_a_forgotten_passphrase_closed(qapp, opened, tmp_path):
    study = Study(tmp_path / "study", 2, 0)
    reader = begun(opened, study)
    change_passphrase(reader, PASSPHRASE, OWN)
    wait_until(lambda: reader.controller.account.has_own_passphrase and reader.window.isActiveWindow())
    reader.read_case(70)
    reader.close()
    study.coordinator.reset("R1", "given anew to R1", PASSPHRASE, "forgotten")
    study.hand_out()
    again = opened(study)
    again.sign_in("given anew to R1")
    assert "1 of 2" in again.window.intro_page.progress.text() or not again.controller.has_begun
    assert again.session.progress().done == 1
    assert not again.controller.account.has_own_passphrase
    again.begin()
    again.read_case(20)
    again.sign("given anew to R1")
    again.settle()
    assert again.controller.stage is Stage.FINISHED
    back = tmp_path / "R1.lucency-return"
    again.save_return(back)
    study.coordinator.take_in(back)
    assert study.coordinator.check() == []


def test_closing_waits_for_the_backup_in_sight(qapp, opened, tmp_path, monkeypatch):
    reader = begun(opened, Study(tmp_path / "study", 2, 0))
    store, close, seen = reader.window._store, StudyStore.close, []

    def slow(held):
        assert threading.current_thread() is not threading.main_thread()
        wait.wait(20)
        close(held)
        held.warnings.append("The record was saved, but no backup of it could be written.")

    def look():
        page = reader.window.closing_page
        seen.append((page.isVisible(), page.words.text()))
        wait.set()

    wait = threading.Event()
    monkeypatch.setattr(StudyStore, "close", slow)
    QTimer.singleShot(200, look)
    assert not reader.window.close(), "it stays to say that there is no backup"
    ((visible, words),) = seen
    assert visible
    assert "a backup of your answers written" in words
    page = reader.window.closing_page
    assert page.isVisible()
    assert "no backup of it could be written" in page.words.text()
    assert QApplication.focusWidget() is page.button
    reader.press(KEY.Key_Return)
    assert not reader.window.isVisible()
    assert store.pending == 0


def test_going_on_is_asked_for_while_the_break_is_still_being_recorded(qapp, opened, tmp_path):
    reader = begun(opened, Study(tmp_path / "study", 2, 0))
    reader.press(KEY.Key_F9, KEY.Key_F9)
    wait_until(lambda: not reader.controller.paused and not reader.controller.saving)
    assert reader.window.room.panes.main.isVisible()
    assert reader.session.violations == []
    assert reader.session.break_s > 0


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-2000]), "no reader package, or only a part of one"),
        (lambda path: path.unlink(), "does not exist"),
        (lambda path: path.write_text("nothing"), "no reader package"),
    ],
)
def test_what_cannot_be_opened_is_told_in_a_sentence(qapp, opened, tmp_path, spoil, sentence):
    study = Study(tmp_path / "study", 2, 0)
    spoil(study.package)
    reader = opened(study)
    page = reader.window.opening_page
    wait_until(lambda: page.retry.isVisible())
    assert sentence in page.words.text()
    assert reader.window.sign_in_page is None


def test_two_windows_on_one_record_are_refused(qapp, opened, tmp_path):
    study = Study(tmp_path / "study", 2, 0)
    begun(opened, study)
    second = opened(study)
    wait_until(lambda: second.window.sign_in_page is not None)
    second.window.activateWindow()
    second.window.sign_in_page.box.entered.emit("correct horse battery")
    wait_until(lambda: bool(second.window.sign_in_page.box.problem.text()), timeout_s=90)
    assert second.controller is None


def words_in(window) -> str:
    """All that can be read or heard anywhere in the window, shown or hidden, and every action."""
    out = [window.windowTitle()]
    for widget in [window, *window.findChildren(QWidget)]:
        out += [widget.toolTip(), widget.accessibleName(), widget.accessibleDescription(), widget.windowTitle()]
        for name in ("text", "title", "placeholderText", "toPlainText"):
            out.append(str(getattr(widget, name)()) if callable(getattr(widget, name, None)) else "")
    for action in window.findChildren(QAction):
        out += [action.text(), action.toolTip(), action.objectName()]
    model = window.room.worklist.list_model if window.room is not None else None
    if model is not None:
        for row in range(model.rowCount()):
            out += [str(model.data(model.index(row), role) or "") for role in range(12)]
    return "\n".join(out)


def test_nothing_is_told_before_its_time(qapp, opened, tmp_path):
    study = Study(tmp_path / "study", 4, 1, sham_share=0.25)
    reader = opened(study)
    wait_until(lambda: reader.window.sign_in_page is not None)

    def check(*, cnn: bool) -> None:
        QApplication.sendPostedEvents(None, 52)  # what was taken away is deleted
        QApplication.processEvents()
        said = words_in(reader.window)
        assert not re.search(r"hip \d|Person|revision findings|operation notes|\.dcm", said)
        assert bool(re.search(r"CNN: (Loose|Not loose)", said)) is cnn
        assert bool(reader.window.findChildren(CnnCard)) is cnn
        assert bool(reader.window.findChildren(MapBar)) is cnn
        actions = {action.objectName() for action in reader.window.findChildren(QAction)}
        assert bool(actions & set(WITH_CNN)) is cnn
        if not cnn and reader.controller is not None:
            assert reader.controller.prediction is None
            assert reader.window.room.panes.main.map_state.value == "absent"
            shown = reader.session.slots
            files = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
            seen = sum(state.aided is not None for state in shown)
            assert files.count(b'"cnn_score":85') + files.count(b'"cnn_score":15') <= seen
            assert not re.search(rb"hip \d|Person|truth|sham", files)

    check(cnn=False)
    reader.sign_in()
    check(cnn=False)
    assert "25 %" in words_in(reader.window), "the sham share is declared"
    reader.press(KEY.Key_Tab)
    reader.window.intro_page.button.click()
    assert reader.controller.stage is Stage.INTRO, "nobody begins without agreeing"
    reader.begin()
    for _ in range(2):
        check(cnn=False)
        assert REVEAL not in reader.window.actions_
        reader.press(KEY.Key_F5)
        reader.press(KEY.Key_S)
        check(cnn=False)
        reader.answer(60)
        check(cnn=False)
        reader.lock()
        check(cnn=False)
        assert reader.window.room.findChildren(RevealCard)
        reader.reveal()
        check(cnn=True)
        reader.lock()
        if reader.controller.stage is Stage.BETWEEN:
            check(cnn=False)
            reader.press(KEY.Key_Return)
            reader.settle()


def test_a_break_covers_the_case_and_does_not_count(qapp, opened, tmp_path, monkeypatch):
    study = Study(tmp_path / "study", practice=0)
    reader = begun(opened, study)
    view = reader.window.room.panes.main
    reader.press(KEY.Key_F9)
    wait_until(lambda: bool(reader.session.paused_utc) and not reader.controller.saving)
    assert not view.isVisible()
    assert not reader.window.room.form.isVisible()
    counted = reader.controller.hip.viewing.record().active_s
    reader.press(KEY.Key_Return, modifiers=CONTROL)
    assert reader.session.slots[0].unaided is None
    wait_until(lambda: True, timeout_s=1)
    assert reader.controller.hip.viewing.record().active_s == counted
    reader.press(KEY.Key_F9)
    wait_until(lambda: not reader.controller.paused)
    assert view.isVisible()
    monkeypatch.setattr(reading_controller, "PAUSE_AFTER_S", -1.0)
    reader.controller._check_life()
    wait_until(lambda: bool(reader.session.paused_utc) and not reader.controller.saving)
    assert "Nothing has moved" in reader.window.room.curtain.words.text()
    assert reader.session.violations == []


def test_the_map_and_how_long_it_was_on_are_recorded(qapp, opened, tmp_path):
    study = Study(tmp_path / "study", practice=0)
    reader = begun(opened, study)
    reader.answer(70)
    reader.lock()
    reader.reveal()
    reader.press(KEY.Key_S)
    assert reader.window.room.panes.shows_map
    reader.window.room.panes.main.zoom_by(3.0)
    wait_until(lambda: reader.controller.hip.viewing.record().overlay_visible_s > 0.3, timeout_s=20)
    reader.lock()
    unaided, aided = (item.reading.viewing for item in reader.session.given())
    assert unaided.overlay_visible_s == 0
    assert aided.overlay_visible_s > 0.3
    assert aided.max_zoom > unaided.max_zoom
    assert not reader.window.room.panes.shows_map, "off again at the next case"


def test_five_points_by_keyboard(qapp, opened, tmp_path):
    study = Study(tmp_path / "study", 2, 0, scale=Scale.FIVE_POINT, not_assessable_allowed=False)
    reader = begun(opened, study)
    form = reader.window.room.form
    assert form.not_assessable_box.isHidden()
    assert form.schematic.isHidden()
    reader.press(KEY.Key_3)
    assert form.answer().call is None, "cannot tell is not asked for"
    reader.press(KEY.Key_1, KEY.Key_4)
    assert isinstance(QApplication.focusWidget(), FivePoints)
    reader.press(KEY.Key_3)
    assert (form.answer().call, form.answer().score) == (Call.LOOSE, 50.0)
    reader.press(KEY.Key_2)
    assert "above 50" in form.problem()
    reader.press(KEY.Key_Down, KEY.Key_Down)
    assert form.answer().score == 75.0
    reader.lock()
    assert reader.session.slots[0].unaided.mode is ReadingMode.ANSWER_FIRST
    assert reader.session.progress().step is Step.REVEAL


@pytest.mark.parametrize(
    ("side", "box", "words"),
    [
        (Side.RIGHT, None, "Read the right hip"),
        (Side.LEFT, (2.0, 2.0, 10.0, 10.0), "Read the left hip, in the frame"),
        (Side.UNKNOWN, (2.0, 2.0, 10.0, 10.0), "Read the hip, in the frame"),
        (Side.UNKNOWN, None, ""),
    ],
)
def test_the_header_names_the_hip_as_far_as_the_list_does(qapp, opened, tmp_path, monkeypatch, side, box, words):
    made = study_maker.candidates

    def listed(*args):
        return [replace(case, side=side, box=box) for case in made(*args)]

    monkeypatch.setattr(study_maker, "candidates", listed)
    reader = begun(opened, Study(tmp_path / "study", 2, 0))
    room = reader.window.room
    assert room.hip_label.text() == words
    assert room.hip_label.isVisible() is bool(words)
    assert words in room.form.accessibleDescription()
    assert room.panes.main.shows_regions is (box is not None)
    reader.answer(70)
    reader.lock()
    reader.reveal()
    reader.press(KEY.Key_B)
    assert room.panes.side_by_side
    assert all(view.shows_regions is (box is not None) for view in room.panes.views()), "no frame round a whole image"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bundle_training": TrainingData.SIMULATED}, "simulated radiographs"),
        ({"bundle_training": TrainingData.CLINICAL}, "radiographs of a hospital's patients"),
        ({}, "simulated radiographs"),  # of before it was recorded
    ],
)
def test_what_the_cnn_was_trained_on_is_said_as_the_study_registered_it(qapp, opened, tmp_path, changes, words):
    reader = opened(Study(tmp_path / "study", 2, 0, **changes))
    reader.sign_in()
    assert words in words_in(reader.window)
    reader.begin()
    reader.answer(70)
    reader.lock()
    reader.reveal()
    (card,) = reader.window.findChildren(CnnCard)
    said = [label.text() for label in card.findChildren(QLabel)]
    assert sum(words in text for text in said) == 1
    assert sum("trained on" in text for text in said) == 1


def keys_on_the_sheet(reader) -> str:
    reader.press(KEY.Key_F1)
    (sheet,) = reader.window.findChildren(ShortcutSheet)
    shown = "\n".join(sheet.shown())
    sheet.close()
    sheet.deleteLater()
    QApplication.sendPostedEvents(None, 52)
    return shown


def test_the_sheet_of_keys_has_those_that_the_protocol_asks_for(qapp, opened, tmp_path):
    plain = begun(opened, Study(tmp_path / "plain", 2, 0, scale=Scale.FIVE_POINT, overlay_allowed=False))
    shown = keys_on_the_sheet(plain)
    for absent in ("Cannot tell", "zone", "Radiolucent", "steps of 1", "attention", "Previous case", "Record"):
        assert absent not in shown
    for present in ("Loose 1", "The point of that number", "Show the CNN's answer F5", "Lock the answer"):
        assert present in shown
    plain.close()
    asked = {"zones_asked": True, "marks_asked": True, "cannot_tell_allowed": True, "going_back_allowed": True}
    shown = keys_on_the_sheet(begun(opened, Study(tmp_path / "full", 2, 0, **asked), data=tmp_path / "other"))
    for present in (
        "Cannot tell 3",
        "Go to the zones 5",
        "Osteolysis O",
        "Radiolucent line L",
        "attention",
        "Previous",
    ):
        assert present in shown


@pytest.mark.parametrize("zones", [False, True])
def test_a_study_never_asks_about_stem_and_cup_apart(qapp, opened, tmp_path, zones):
    reader = begun(opened, Study(tmp_path / "study", 2, 0, zones_asked=zones))
    form = reader.window.room.form
    assert form.components.isHidden()
    assert form.schematic.isHidden() is not zones


def test_what_was_chosen_for_one_case_is_not_chosen_for_the_next(qapp, opened, tmp_path):
    study = Study(tmp_path / "study", 2, 0, zones_asked=True, marks_asked=True)
    reader = begun(opened, study)
    room = reader.window.room
    reader.press(KEY.Key_L)
    assert room.panes.main.tool is Tool.LUCENT_LINE
    reader.read_case(70)
    assert room.panes.main.tool is Tool.SELECT, "a click into the next case must not draw"
    assert room.form.schematic.selected == ""


def test_the_time_left_is_the_median_of_the_readers_own(qapp, opened, tmp_path):
    study = Study(tmp_path / "study", 4, 0)
    reader = begun(opened, study)
    assert seconds_left(reader.session) is None
    for _ in range(3):
        reader.read_case(70)
    times = sorted(
        sum(answer.viewing.active_s for answer in (state.unaided, state.aided)) for state in reader.session.slots[:3]
    )
    assert seconds_left(reader.session) == pytest.approx(times[1])
    assert "left" in reader.window.room.bar.left.text()
