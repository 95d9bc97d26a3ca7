"""The one door to the study windows: what opens, what is found again, what is refused in words."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QWidget

from gui.errors import ErrorDialog
from gui.preferences import Preferences
from gui.study.coordinator_key import UnlockAsk
from gui.study.coordinator_overview import StudyRequest
from gui.study.desk import StudyDesk
from gui.study.open_dialog import OpenStudyDialog
from gui.study.results_window import ResultsWindow
from study.example import FILE_NAME, FOLDER
from tests.conftest import ROOT
from tests.gui.shell_fakes import FakeJobs
from tests.gui.study_desk import PATIENCE_MS
from tests.unit.study.study_maker import PASSPHRASE, STUDY, protocol, registered
from tests.unit.study.whole_study import whole_study

# A function's own mark hides the one that conftest gives to all, so both complaints of the platform are named.
offscreen = pytest.mark.qt_log_ignore("does not support (raise|propagateSizeHints)", extend=True)


@pytest.fixture
def anchor(qtbot):
    made = QWidget()
    qtbot.addWidget(made)
    return made


@pytest.fixture
def desk_of(tmp_path, anchor):
    made = []

    def make(root=ROOT):
        preferences = Preferences(tmp_path / "preferences")
        made.append(StudyDesk(root, tmp_path / "data", FakeJobs(has_engine=False), preferences, "1", anchor))
        return made[-1]

    yield make
    for desk in made:
        assert desk.close_all()


def refusals(anchor):
    return [dialog.sentence for dialog in anchor.findChildren(ErrorDialog)]


@offscreen
def test_the_example_opens_as_a_copy_of_ones_own(qtbot, desk_of, tmp_path):
    before = (ROOT / "resources" / FOLDER / FILE_NAME).read_bytes()
    desk = desk_of()
    desk.open_example()
    desk.open_example()  # impatient: one copy, one window
    qtbot.waitUntil(lambda: bool(desk.windows), timeout=PATIENCE_MS)
    (window,) = desk.windows
    assert isinstance(window, ResultsWindow)
    assert (tmp_path / "data" / FOLDER / FILE_NAME).is_file()
    qtbot.waitUntil(lambda: window.passphrase.isVisible(), timeout=PATIENCE_MS)
    qtbot.keyClick(window.passphrase, "\r")  # it is filled in
    qtbot.waitUntil(lambda: window.results is not None, timeout=PATIENCE_MS)
    assert "SIMULATED" in window.results.notice
    desk.open_example()
    qtbot.waitUntil(lambda: not desk._background.tasks, timeout=PATIENCE_MS)
    assert desk.windows == [window]
    assert (ROOT / "resources" / FOLDER / FILE_NAME).read_bytes() == before


@offscreen
def test_results_open_beside_the_coordinator_who_unsealed_them(qtbot, desk_of, tmp_path):
    study = whole_study(tmp_path, protocol(), 2)  # closed and unsealed
    assert study.file.with_name("study.head.json").is_file()
    desk = desk_of()
    desk.open_study(study.file)
    (coordinator,) = desk.windows
    qtbot.waitUntil(lambda: coordinator.overview is not None, timeout=PATIENCE_MS)
    assert not coordinator.take_in_button.isEnabled()
    coordinator.unseal_button.click()
    qtbot.waitUntil(lambda: len(desk.windows) == 2, timeout=PATIENCE_MS)
    results = desk.windows[-1]
    assert isinstance(results, ResultsWindow)
    qtbot.waitUntil(results.passphrase.isVisible, timeout=PATIENCE_MS)
    qtbot.keyClicks(results.passphrase, PASSPHRASE)
    qtbot.keyClick(results.passphrase, "\r")
    qtbot.waitUntil(lambda: results.results is not None, timeout=PATIENCE_MS)
    assert results.results.conclusion.startswith("Pre-registered, AUC")


@offscreen
def test_what_the_wizard_registered_opens_unlocked(qtbot, desk_of, tmp_path):
    _, machine, _, _ = registered(tmp_path, protocol())
    machine.store.close()
    desk = desk_of()
    desk.new_study()
    (wizard,) = desk.windows
    qtbot.waitUntil(wizard.isEnabled, timeout=PATIENCE_MS)
    wizard.registered.emit(StudyRequest(machine.store.path, STUDY, PASSPHRASE))
    window = desk.windows[1]
    qtbot.waitUntil(lambda: window.overview is not None, timeout=PATIENCE_MS)
    assert window.key.is_open
    assert not window.findChildren(UnlockAsk)
    desk.open_study(machine.store.path)  # found again
    assert len(desk.windows) == 2


def test_a_missing_example_is_a_sentence(qtbot, desk_of, anchor, tmp_path):
    desk_of(tmp_path).open_example()
    qtbot.waitUntil(lambda: bool(refusals(anchor)), timeout=PATIENCE_MS)
    assert refusals(anchor) == ["The example study is missing from this installation."]


@offscreen
def test_results_are_asked_for_by_file_or_address(qtbot, desk_of, anchor, tmp_path):
    desk = desk_of()
    desk.show_results()
    (dialog,) = anchor.findChildren(OpenStudyDialog)
    dialog.where_line.setText("mysql://somebody@server/studies")
    dialog.open_button.click()
    assert dialog.problem.text() == "An address begins with postgresql://."
    dialog.where_line.setText(str(tmp_path / "nothing"))
    dialog.open_button.click()
    assert dialog.problem.text() == "There is no such file."
    dialog.where_line.setText("postgresql://somebody@localhost:1/studies")
    dialog.open_button.click()
    (window,) = desk.windows
    assert isinstance(window, ResultsWindow)
    qtbot.waitUntil(lambda: "Opening" not in window.door_words.text(), timeout=PATIENCE_MS)
    assert "server" in window.door_words.text()  # nobody is there, and that is said


@offscreen
def test_no_window_is_closed_where_one_must_stay_open(qtbot, desk_of, tmp_path):
    desk = desk_of()
    path = tmp_path / "letter.txt"
    path.write_text("no study")
    desk.open_study(path)
    desk.new_study()
    other, wizard = desk.windows
    qtbot.waitUntil(wizard.isEnabled, timeout=PATIENCE_MS)
    page = wizard.register_page
    page.task = wizard.background.run("Registering the study", lambda _steps: None)
    assert not desk.close_all()
    assert other.isVisible()
    assert wizard.isVisible()
    assert "wait for that" in wizard.notices.sentences[-1]
    page.task = None
    assert desk.close_all()
    assert not other.isVisible()


@offscreen
def test_a_study_that_is_none_is_told_in_its_window(qtbot, desk_of, tmp_path):
    desk = desk_of()
    path = tmp_path / "letter.txt"
    path.write_text("no study")
    desk.open_study(path)
    desk.open_study(str(path))  # found again
    (window,) = desk.windows
    qtbot.waitUntil(lambda: bool(window.notices.sentences), timeout=PATIENCE_MS)
    assert "could not be opened" in window.title.text()
    assert not window.enrol_button.isEnabled()
