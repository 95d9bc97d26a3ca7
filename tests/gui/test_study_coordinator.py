"""The coordinator's window from enrolment to the unsealed truth, with readers who read elsewhere."""

from __future__ import annotations

import shutil

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QFileDialog, QPushButton

from gui.preferences import Preferences
from gui.study.coordinator_key import UnlockAsk
from gui.study.coordinator_overview import StudyRequest
from gui.study.coordinator_window import CoordinatorWindow
from gui.study.parts import NewPassphrase
from study.coordinator import Coordinator
from study.package import open_package
from study.returned import write_return
from study.study_check import unsigned_entries
from tests.gui.study_desk import (
    PATIENCE_MS,
    answer_for_the_cnn,
    drop,
    fill,
    list_of,
    make_wizard,
    radiographs,
    register,
)
from tests.unit.study.study_maker import CHEAP, PASSPHRASE, ReaderMachine, session_of


@pytest.fixture
def window_of(qtbot, tmp_path, jobs):
    made = []

    def make(request):
        window = CoordinatorWindow(
            request, tmp_path / "data", jobs, Preferences(tmp_path / "preferences"), "1", cost=CHEAP
        )
        made.append(window)
        qtbot.addWidget(window)
        window.show()
        qtbot.waitUntil(lambda: window.overview is not None, timeout=PATIENCE_MS)
        return window

    yield make
    for window in made:
        window.close()


@pytest.fixture
def window(qtbot, tmp_path, jobs, window_of):
    """As the wizard opens it."""
    wizard = make_wizard(qtbot, tmp_path, jobs, Preferences(tmp_path / "preferences"))
    fill(qtbot, wizard, list_of(radiographs(tmp_path / "images")))
    answer_for_the_cnn(wizard)
    request = register(qtbot, wizard, tmp_path / "study" / "hips.lucency-study")
    assert PASSPHRASE not in repr(request)
    return window_of(request)


def asked_for_key(window):
    (ask,) = [ask for ask in window.findChildren(UnlockAsk) if ask.isVisible()]
    return ask


def unsigned(window):
    return unsigned_entries(window._study.store.events(), window._study.store.study)


def done(qtbot, window, words):
    qtbot.waitUntil(lambda: any(words in s for s in window.notices.sentences), timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: not window.background.tasks, timeout=PATIENCE_MS)


def enrol(qtbot, window, name):
    ask = window.ask_enrol()
    assert not ask.ok_button.isEnabled()
    field = ask.findChild(NewPassphrase)
    field.first.setText(PASSPHRASE)
    field.second.setText(PASSPHRASE)
    ask.ok_button.click()
    done(qtbot, window, f"{name} is enrolled")


def hand_out(qtbot, window, name, path):
    names = [window.readers.item(row, 0).text() for row in range(window.readers.rowCount())]
    window.readers.selectRow(names.index(name))
    packages = window.packages
    if packages.images is None:
        packages.prepare(lambda: None)
        qtbot.waitUntil(lambda: packages.images is not None, timeout=PATIENCE_MS)
    packages.looked = True
    packages.write(name, path, PASSPHRASE)
    done(qtbot, window, f"package of {name} was written")


def read_elsewhere(path, name, *, signed=True, passphrase=PASSPHRASE):
    session, machine = session_of(path), ReaderMachine(f"device {name}", open_package(path).protocol.study_id)
    machine.read_all(session)
    if signed:
        machine.do(session, session.sign(open_package(path).manifest.account, passphrase, machine.head))
    back = path.with_suffix(".lucency-return")
    write_return(back, session.protocol.study_id, name, machine.events, machine.device)
    return back


def test_from_enrolment_to_the_unsealed_truth(qtbot, window, tmp_path):
    assert window.title.text() == "Hips with a CNN"
    assert not window.hand_out_button.isEnabled()
    assert "Enrol a reader" in window.hand_out_button.toolTip()
    assert "stays sealed" in window.unseal_button.toolTip()
    for name in ("R1", "R2"):
        enrol(qtbot, window, name)
        hand_out(qtbot, window, name, tmp_path / f"{name}.lucency-reader")
    back = read_elsewhere(tmp_path / "R1.lucency-reader", "R1")
    drop(window, back)
    done(qtbot, window, "answers of R1 were taken in")
    assert [window.readers.item(0, column).text() for column in (4, 5)] == ["11 of 11", "Finished and signed"]
    drop(window, back)
    done(qtbot, window, "Nothing new")
    ask = window.ask_close()
    assert not ask.ok_button.isEnabled()  # R2 has not finished: a reason is needed
    ask.reject()
    window.take_in([read_elsewhere(tmp_path / "R2.lucency-reader", "R2")])
    done(qtbot, window, "answers of R2 were taken in")
    window.deviate("One case was shown twice.", "A slip.")
    done(qtbot, window, "deviation was noted")
    window.verify()
    qtbot.waitUntil(lambda: "All sound" in window.verdict.text(), timeout=PATIENCE_MS)
    assert "no signature of" not in window.verdict.text()
    window.close_phase("wrong words here")
    done(qtbot, window, "not the passphrase")
    window.close_phase(PASSPHRASE)
    done(qtbot, window, "phase is closed")
    assert not window.enrol_button.isEnabled()
    assert "closed" in window.enrol_button.toolTip()
    assert "Next: unseal" in window.next_words.text()
    with qtbot.waitSignal(window.results_asked, timeout=PATIENCE_MS) as asked:
        window.unseal(PASSPHRASE)
    (request,) = asked.args
    assert request.passphrase == PASSPHRASE
    assert PASSPHRASE not in repr(request)
    digests = {case.image_sha256 for case in window._study.coordinator.state().registered.cases}
    assert set(request.images) == digests
    assert unsigned(window) == []
    qtbot.waitUntil(lambda: window.unseal_button.text() == "&Show the results …", timeout=PATIENCE_MS)


def test_the_window_asks_for_the_key_once_and_one_can_look_without_it(qtbot, window, window_of):
    place, coordinator = window.place, window._study.coordinator
    assert not window.findChildren(UnlockAsk), "the wizard has just asked for it"
    assert "signed" in window.key.words.text()
    window.close()
    assert not coordinator.is_unlocked, "the key goes with the window"
    again = window_of(StudyRequest(place))
    ask = asked_for_key(again)
    ask.cancel_button.click()
    assert "Look only" in again.key.words.text()
    again.verify()
    qtbot.waitUntil(lambda: "All sound" in again.verdict.text(), timeout=PATIENCE_MS)
    before = len(again._study.store.events())
    again.refresh()
    qtbot.waitUntil(lambda: not again.background.tasks, timeout=PATIENCE_MS)
    assert not [ask for ask in again.findChildren(UnlockAsk) if ask.isVisible()]
    for write in (
        again.enrol_button.click,
        again.deviate_button.click,
        lambda: again.enrol("R1", PASSPHRASE, ""),
        lambda: again.deviate("One case was shown twice.", "A slip."),
        lambda: again.take_in([place]),
    ):
        write()
        asked_for_key(again).reject()
        qtbot.waitUntil(lambda: not again.background.tasks, timeout=PATIENCE_MS)
    assert len(again._study.store.events()) == before
    again.deviate("One case was shown twice.", "A slip.")
    ask = asked_for_key(again)
    ask.passphrase.setText("wrong words here")
    ask.ok_button.click()
    qtbot.waitUntil(lambda: "not the passphrase of coordinator" in ask.why_not.text(), timeout=PATIENCE_MS)
    ask.passphrase.setText(PASSPHRASE)
    qtbot.keyClick(ask.passphrase, Qt.Key.Key_Return)
    done(qtbot, again, "deviation was noted")
    assert not again.key.button.isVisible()
    enrol(qtbot, again, "R1")
    assert unsigned(again) == []


def test_entries_without_a_signature_are_named(qtbot, window):
    study = window._study
    Coordinator(study.store, "1", CHEAP).deviate("One case was shown twice.", "A slip.")
    window.verify()
    qtbot.waitUntil(lambda: "All sound" in window.verdict.text(), timeout=PATIENCE_MS)
    assert "1 of the coordinator's entries carries no signature of its own (event 2)" in window.verdict.text()


def test_refusals_are_sentences_and_change_nothing(qtbot, window, tmp_path):
    enrol(qtbot, window, "R1")
    window.enrol("R1", PASSPHRASE, "")
    done(qtbot, window, "There is a R1 already")
    assert window.readers.rowCount() == 1
    bad = tmp_path / "bad.lucency-return"
    bad.write_bytes(b"{}")
    window.take_in([bad])
    done(qtbot, window, "holds no reader's answers")
    window.deviate("One case was shown twice.", "A slip.")
    done(qtbot, window, "deviation was noted")
    assert window.deviations.item(0, 1).text() == "One case was shown twice."
    window.reset("R1", "another passphrase", PASSPHRASE, "lost")
    done(qtbot, window, "R1 has a new key.")
    assert "1 new key" in window.readers.item(0, 5).text()
    assert window.readers.item(0, 2).text() == "–"  # there was no package that could be out of date


def test_after_enrolment_the_reader_is_chosen_and_what_comes_next_is_said(qtbot, window):
    assert window.next_words.text() == "Next: enrol the readers; 2 are planned."
    for name in ("R1", "R2"):
        enrol(qtbot, window, name)
        assert window.chosen_reader() == name
        assert window.hand_out_button.isEnabled()
    assert window.next_words.text() == "Next: hand out the package of R1, R2."


def test_a_new_key_asks_for_a_new_package_and_offers_it(qtbot, window, tmp_path):
    path = tmp_path / "R1.lucency-reader"
    for name in ("R1", "R2"):
        enrol(qtbot, window, name)
    hand_out(qtbot, window, "R1", path)
    window.readers.selectRow(1)
    window.reset("R1", "another passphrase", PASSPHRASE, "lost")
    done(qtbot, window, "R1 has a new key. Their package does not open with it")
    assert window.chosen_reader() == "R1"
    assert window.readers.item(0, 2).text() == "to be renewed"
    assert "hand out a new package to R1" in window.next_words.text()
    offer = next(b for b in window.notices.findChildren(QPushButton) if b.text() == "Hand out to R1 …")
    window.readers.selectRow(1)
    offer.click()  # looked at before: what is asked next is where the package shall lie
    (dialog,) = window.findChildren(QFileDialog)
    assert dialog.windowTitle() == "The package of R1"
    dialog.reject()
    hand_out(qtbot, window, "R1", path)
    assert window.readers.item(0, 2).text() == "handed out"
    assert not any("has a new key" in sentence for sentence in window.notices.sentences)
    window.take_in([read_elsewhere(path, "R1", passphrase="another passphrase")])
    done(qtbot, window, "answers of R1 were taken in")
    window.reset("R1", "a third passphrase", PASSPHRASE, "lost again")
    done(qtbot, window, "R1 has a new key.")
    assert window.readers.item(0, 2).text() == "handed out"  # everything is signed: nothing is left to be read


def test_moved_images_are_found_again(qtbot, window, tmp_path):
    enrol(qtbot, window, "R1")
    moved = tmp_path / "elsewhere"
    shutil.move(tmp_path / "images", moved)
    packages = window.packages
    packages.prepare(lambda: None)
    done(qtbot, window, "no longer where they were")
    digests = {case.image_sha256 for case in window._study.coordinator.state().registered.cases}
    packages.find(digests, lambda: None, moved)
    qtbot.waitUntil(lambda: packages.images is not None, timeout=PATIENCE_MS)


def test_every_image_is_looked_at_closely_before_one_can_go_on(qtbot, window):
    packages = window.packages
    packages.prepare(lambda: packages.look("R1"))
    qtbot.waitUntil(lambda: packages.dialog is not None, timeout=PATIENCE_MS)
    dialog = packages.dialog
    assert not dialog.clean_box.isEnabled()
    for place in range(12):
        qtbot.waitUntil(lambda place=place: place in dialog.seen, timeout=PATIENCE_MS)
        assert dialog.clean_box.isEnabled() is (place == 11)
        qtbot.keyClick(dialog, Qt.Key.Key_Right)
    assert dialog.place == 11
    qtbot.keyClick(dialog, Qt.Key.Key_PageUp)
    assert dialog.place == 10
    qtbot.waitUntil(lambda: dialog.view.radiograph is not None, timeout=PATIENCE_MS)
    assert dialog.view.radiograph.pixels.shape == (24, 20)  # every pixel of the file, not a thumbnail
    fitted = dialog.view.zoom
    qtbot.keyClick(dialog, Qt.Key.Key_Minus)
    assert dialog.view.zoom < fitted
    qtbot.keyClick(dialog, Qt.Key.Key_1)
    assert dialog.view.zoom == 1
    assert dialog.zoom.text() == "100 %"
    before = dialog.view.viewport.center_x
    qtbot.mousePress(dialog.view, Qt.MouseButton.LeftButton, pos=dialog.view.rect().center())
    qtbot.mouseMove(dialog.view, dialog.view.rect().center() + QPoint(5, 0))
    qtbot.mouseRelease(dialog.view, Qt.MouseButton.LeftButton, pos=dialog.view.rect().center() + QPoint(5, 0))
    assert dialog.view.viewport.center_x != before
    qtbot.keyClick(dialog, Qt.Key.Key_F)
    assert dialog.view.zoom == fitted
    assert not dialog.ok_button.isEnabled()
    dialog.clean_box.click()
    assert dialog.ok_button.isEnabled()
    dialog.reject()
