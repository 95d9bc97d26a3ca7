"""Settings that count at once, keys without conflicts, and an About that names what is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QApplication, QWidget

from gui import actions, theme
from gui.preferences import Device, Preferences, ThemeName
from gui.views import about_dialog
from gui.views.about_dialog import AboutDialog, NetworkLine
from gui.views.settings_dialog import SettingsDialog
from study.model import ReadingMode

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def preferences(qapp, tmp_path):
    preferences = Preferences(tmp_path / "data")
    theme.apply_theme(QApplication.instance(), preferences)
    return preferences


@pytest.fixture
def dialog(qtbot, preferences):
    dialog = SettingsDialog(preferences, list(actions.specs()))
    qtbot.addWidget(dialog)
    with qtbot.waitActive(dialog):
        dialog.show()
    return dialog


def choose(qtbot, box, text):
    """Pick an entry as a user does, by keyboard."""
    box.setFocus()
    index = next(i for i in range(box.count()) if text in box.itemText(i))
    while box.currentIndex() != index:
        qtbot.keyClick(box, Qt.Key.Key_Down if box.currentIndex() < index else Qt.Key.Key_Up)


def test_every_setting_counts_at_once_and_is_kept(dialog, preferences, qtbot, tmp_path):
    dialog.reading.name_line.setFocus()
    qtbot.keyClicks(dialog.reading.name_line, "Dr Ünal")
    qtbot.keyClick(dialog.reading.name_line, Qt.Key.Key_Tab)
    choose(qtbot, dialog.reading.mode_box, "Answer first")
    dialog.reading.cutoff_spin.setValue(1.5)
    dialog.tabs.setCurrentWidget(dialog.looks)
    choose(qtbot, dialog.looks.theme_box, "Light")
    dialog.looks.scale_slider.setFocus()
    qtbot.keyClick(dialog.looks.scale_slider, Qt.Key.Key_Right)
    dialog.tabs.setCurrentWidget(dialog.cnn)
    choose(qtbot, dialog.cnn.device_box, "CPU")
    dialog.cnn.prevalence_box.click()
    dialog.cnn.prevalence_spin.setValue(12.5)
    dialog.tabs.setCurrentWidget(dialog.files)
    dialog.files.names_box.click()
    dialog.files.recent_box.click()
    kept = Preferences(tmp_path / "data")
    assert kept.problems == []
    assert kept.reader_name == "Dr Ünal"
    assert kept.reading_mode is ReadingMode.ANSWER_FIRST
    assert kept.lucency_cutoff_mm == 1.5
    assert kept.theme is ThemeName.LIGHT
    assert kept.font_scale_percent == 125
    assert kept.device is Device.CPU
    assert kept.local_prevalence == 0.125
    assert kept.recent_names_on is True
    assert kept.recent_files_on is False
    dialog.cnn.prevalence_box.click()
    assert preferences.local_prevalence is None


def test_what_changes_elsewhere_shows_in_the_open_dialog(dialog, preferences):
    preferences.reading_mode = ReadingMode.ANSWER_FIRST
    preferences.local_prevalence = 0.3
    assert dialog.reading.mode_box.currentText().startswith("Answer first")
    assert dialog.cnn.prevalence_spin.value() == 30


def test_a_folder_that_cannot_be_written_is_not_taken(dialog, preferences, tmp_path):
    before = preferences.data_folder
    file = tmp_path / "file"
    file.write_text("")
    dialog.files._take_folder(file / "folder")
    assert preferences.data_folder == before
    assert "cannot be written" in dialog.files.folder_note.text()
    target = tmp_path / "new"
    target.mkdir()
    dialog.files._take_folder(target)
    assert preferences.data_folder == target
    assert "next start" in dialog.files.folder_note.text()
    assert list(target.iterdir()) == []


# Keys


def press(qtbot, page, key, modifier=Qt.KeyboardModifier.NoModifier):
    page.edit.setFocus()
    qtbot.keyClick(page.edit, key, modifier)
    qtbot.waitUntil(lambda: not page.edit.keySequence().isEmpty())
    page.edit.editingFinished.emit()


def test_default_keys_hold_no_conflict(dialog):
    page = dialog.keys
    for spec in actions.specs():
        for keys in page.keys(spec.id):
            assert page.holder(keys, spec.id) == "", (spec.id, keys.toString())


def test_a_free_key_is_taken_and_only_the_difference_is_kept(dialog, preferences, qtbot):
    page = dialog.keys
    dialog.tabs.setCurrentWidget(page)
    page.select("overlay")
    press(qtbot, page, Qt.Key.Key_J, Qt.KeyboardModifier.ControlModifier)
    assert preferences.shortcuts == {"overlay": "Ctrl+J"}
    assert "Ctrl+J" in page._items["overlay"].text(1)
    qtbot.mouseClick(page.default_button, LEFT)
    assert preferences.shortcuts == {}


def test_a_key_in_use_is_refused_until_it_is_taken_from_its_holder(dialog, preferences, qtbot):
    page = dialog.keys
    dialog.tabs.setCurrentWidget(page)
    page.select("overlay")
    press(qtbot, page, Qt.Key.Key_I)
    assert preferences.shortcuts == {}
    assert page.message.text() == "I already means “Invert”."
    qtbot.mouseClick(page.take_button, LEFT)
    assert page.keys("overlay") == [QKeySequence("I")]
    assert page.keys("invert") == []
    assert Preferences(preferences.folder).shortcuts == preferences.shortcuts
    page.select("invert")
    qtbot.mouseClick(page.default_button, LEFT)
    assert page.keys("invert") == []  # its default is in use now
    assert "Model attention" in page.message.text()
    qtbot.mouseClick(page.all_button, LEFT)
    assert preferences.shortcuts == {}


def test_one_of_two_keys_can_be_taken(dialog, preferences, qtbot):
    page = dialog.keys
    dialog.tabs.setCurrentWidget(page)
    page.select("overlay")
    press(qtbot, page, Qt.Key.Key_Y, Qt.KeyboardModifier.ControlModifier)
    qtbot.mouseClick(page.take_button, LEFT)
    assert page.keys("redo") == [QKeySequence("Ctrl+Shift+Z")]


def test_a_key_can_be_removed_and_actions_searched(dialog, preferences, qtbot):
    page = dialog.keys
    dialog.tabs.setCurrentWidget(page)
    page.select("invert")
    qtbot.mouseClick(page.remove_button, LEFT)
    assert preferences.shortcuts == {"invert": ""}
    qtbot.keyClicks(page.search, "rotate")
    shown = [item.text(0) for item in page._items.values() if not item.isHidden()]
    assert len(shown) == 2
    assert all("Rotate" in text for text in shown)


@pytest.mark.parametrize("percent", [100, 200])
def test_no_page_is_cut_off(qtbot, preferences, percent):
    preferences.font_scale_percent = percent
    theme.apply_theme(QApplication.instance(), preferences)
    dialog = SettingsDialog(preferences, list(actions.specs()))
    qtbot.addWidget(dialog)
    dialog.show()
    for index in range(dialog.tabs.count()):
        dialog.tabs.setCurrentIndex(index)
        page = dialog.tabs.currentWidget()
        assert page.minimumSizeHint().width() <= page.width()
        for child in page.findChildren(QWidget):
            if child.isVisible() and child.parent() is page:
                assert child.geometry().right() <= page.width()


# About


def test_about_names_versions_hashes_and_limits(qtbot, preferences):
    network = NetworkLine("lucency-1", "1.2.0", "ab" * 32, "Lucency network", True)
    dialog = AboutDialog("0.1.0", [network], ["No CUDA in this build."], "CPU (ONNX Runtime)")
    qtbot.addWidget(dialog)
    qtbot.mouseClick(dialog.copy_button, LEFT)
    text = QApplication.clipboard().text()
    for word in ("0.1.0", "lucency-1 1.2.0", "ab" * 32, "No CUDA", "ONNX Runtime", "no medical device", "simulations"):
        assert word in text
    shown = dialog.overview.toPlainText()
    assert "in use" in shown
    assert "No CUDA" in shown


def test_every_package_has_a_licence(qapp):
    parts = {part.name.lower(): part for part in about_dialog.installed_parts()}
    assert {"numpy", "onnxruntime", "pydicom", "sqlalchemy"} <= set(parts)
    assert "pytest" not in parts
    for part in parts.values():
        assert part.version
        assert part.licence.strip()
    known = [part for part in parts.values() if part.licence != "see the package"]
    assert len(known) >= 0.9 * len(parts)


def test_the_roots_are_those_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["torch"]]
    names = {re.split(r"[^\w.-]", requirement, maxsplit=1)[0] for requirement in asked}
    assert names == set(about_dialog.ROOTS)


def test_a_network_can_be_chosen_where_there_are_several(qtbot, preferences):
    one = SettingsDialog(preferences, list(actions.specs()), networks={"lucency-1": "Lucency 1"})
    qtbot.addWidget(one)
    assert one.cnn.network_box is None
    preferences.model_id = "gone"
    several = SettingsDialog(preferences, list(actions.specs()), networks={"lucency-1": "Lucency 1", "mine": "My own"})
    qtbot.addWidget(several)
    box = several.cnn.network_box
    assert box.currentText() == "gone (not found)"
    several.tabs.setCurrentWidget(several.cnn)
    with qtbot.waitActive(several):
        several.show()
    choose(qtbot, box, "My own")
    assert preferences.model_id == "mine"
    choose(qtbot, box, "came with the program")
    assert preferences.model_id == ""
