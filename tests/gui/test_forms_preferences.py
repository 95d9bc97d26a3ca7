"""Preferences: typed, kept across a kill, and never a reason not to start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QByteArray

from gui.preferences import Device, Preferences, ThemeName
from study.model import ReadingMode

ROOT = Path(__file__).resolve().parents[2]


def test_defaults_need_no_file(qapp, tmp_path):
    preferences = Preferences(tmp_path / "absent")
    assert preferences.problems == []
    assert preferences.theme is ThemeName.DARK
    assert preferences.lucency_cutoff_mm == 2.0
    assert preferences.reading_mode is ReadingMode.ASSIST
    assert preferences.recent_names_on is False
    assert preferences.data_folder == tmp_path / "absent"
    assert not (tmp_path / "absent").exists()


def test_every_value_comes_back_with_its_type(qapp, tmp_path):
    written = {
        "theme": ThemeName.LIGHT,
        "font_scale_percent": 150,
        "device": Device.CPU,
        "model_id": "größe, 2",
        "local_prevalence": 0.125,
        "reading_mode": ReadingMode.ANSWER_FIRST,
        "reader_name": "Dr Ünal; @ByteArray(x)",
        "lucency_cutoff_mm": 1.5,
        "overlay_opacity": 0.37,
        "overlay_contour": True,
        "recent_names_on": True,
        "data_folder": tmp_path / "a b,c",
        "shortcuts": {"overlay.toggle": "Ctrl+S", "open": ""},
        "window_geometry": QByteArray(bytes(range(256))),
    }
    preferences = Preferences(tmp_path)
    for name, value in written.items():
        setattr(preferences, name, value)
    preferences.flush()
    again = Preferences(tmp_path)
    assert again.problems == []
    for name, value in written.items():
        assert getattr(again, name) == value, name
        assert type(getattr(again, name)) is type(value) or isinstance(value, Path)


@given(name=st.text(max_size=100))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_reader_name_survives(qapp, tmp_path, name):
    preferences = Preferences(tmp_path)
    preferences.reader_name = name
    again = Preferences(tmp_path)
    assert again.problems == []
    assert again.reader_name == " ".join(name.split())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("font_scale_percent", 99),
        ("font_scale_percent", 201),
        ("theme", "blue"),
        ("lucency_cutoff_mm", 0.0),
        ("lucency_cutoff_mm", float("nan")),
        ("overlay_opacity", 1.01),
        ("local_prevalence", 0.0),
        ("reader_name", "x" * 101),
    ],
)
def test_an_invalid_value_is_refused_and_changes_nothing(qapp, tmp_path, name, value):
    preferences = Preferences(tmp_path)
    before = getattr(preferences, name)
    with pytest.raises(ValueError):  # noqa: PT011 - the sentence differs by setting
        setattr(preferences, name, value)
    assert getattr(preferences, name) == before


def test_changed_names_the_setting_once(qtbot, tmp_path):
    preferences = Preferences(tmp_path)
    names = []
    preferences.changed.connect(names.append)
    preferences.theme = ThemeName.LIGHT
    preferences.theme = ThemeName.LIGHT
    assert names == ["theme"]


@pytest.mark.parametrize(
    "data",
    [b"\x00\xff\xfe" * 50, b"no equals sign at all\n[", b"[appearance]\ntheme=dark\n", b"x" * 2_000_000],
    ids=["binary", "not an INI", "no schema", "huge"],
)
def test_a_damaged_file_is_set_aside_with_a_sentence(qapp, tmp_path, data):
    file = tmp_path / "preferences.ini"
    file.write_bytes(data)
    preferences = Preferences(tmp_path)
    assert len(preferences.problems) == 1
    assert preferences.problems[0].endswith("defaults are in use.")
    assert preferences.theme is ThemeName.DARK
    assert (tmp_path / "preferences.damaged.ini").read_bytes() == data
    preferences.theme = ThemeName.LIGHT
    again = Preferences(tmp_path)
    assert again.problems == []
    assert again.theme is ThemeName.LIGHT


def test_a_newer_file_is_left_alone(qapp, tmp_path):
    file = tmp_path / "preferences.ini"
    text = "[General]\nschema=99\n[appearance]\ntheme=neon\n"
    file.write_text(text)
    preferences = Preferences(tmp_path)
    assert "newer version" in preferences.problems[0]
    preferences.theme = ThemeName.LIGHT
    assert file.read_text() == text
    assert Preferences(tmp_path).theme is ThemeName.LIGHT


def test_one_bad_value_costs_only_itself(qapp, tmp_path):
    preferences = Preferences(tmp_path)
    preferences.theme = ThemeName.LIGHT
    preferences.font_scale_percent = 150
    file = tmp_path / "preferences.ini"
    file.write_text(file.read_text().replace("150", "many"))
    again = Preferences(tmp_path)
    assert again.theme is ThemeName.LIGHT
    assert again.font_scale_percent == 100
    assert again.problems == ["Some settings were not valid and are back to their defaults: font scale percent."]


def test_a_folder_that_cannot_be_written_gives_one_sentence(qtbot, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    preferences = Preferences(blocked / "folder")
    sentences = []
    preferences.problem_found.connect(sentences.append)
    preferences.theme = ThemeName.LIGHT
    preferences.font_scale_percent = 120
    assert preferences.theme is ThemeName.LIGHT
    assert sentences == ["Your settings could not be saved: the settings file cannot be written."]


def test_a_directory_in_the_place_of_the_file_is_survived(qapp, tmp_path):
    (tmp_path / "preferences.ini").mkdir()
    preferences = Preferences(tmp_path)
    assert preferences.problems == ["Your settings could not be read; the program started with its defaults."]


def test_a_dragged_slider_is_written_when_it_rests(qtbot, tmp_path):
    preferences = Preferences(tmp_path)
    for step in range(100):
        preferences.overlay_opacity = step / 100
    qtbot.waitUntil(lambda: Preferences(tmp_path).overlay_opacity == 0.99, timeout=2000)


def test_a_killed_program_loses_no_setting(tmp_path):
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from PySide6.QtCore import QCoreApplication\n"
        "from gui.preferences import Preferences\n"
        "app = QCoreApplication([])\n"
        "preferences = Preferences(Path(sys.argv[1]))\n"
        "preferences.font_scale_percent = 175\n"
        "preferences.reader_name = 'A. Reader'\n"
        "os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=False, timeout=60)
    again = Preferences(tmp_path)
    assert (again.font_scale_percent, again.reader_name) == (175, "A. Reader")


def test_recent_files_show_no_name_unless_asked(qapp, tmp_path):
    preferences = Preferences(tmp_path)
    for number in range(20):
        preferences.add_recent(tmp_path / f"MUELLER_HANS_{number}.dcm")
    assert len(preferences.recent_files) == 12
    newest = preferences.recent_files[0]
    assert newest.path.name == "MUELLER_HANS_19.dcm"
    assert "MUELLER" not in newest.label(show_name=False)
    assert newest.label(show_name=True) == "MUELLER_HANS_19.dcm"
    assert Preferences(tmp_path).recent_files[0].path == newest.path
    preferences.recent_files_on = False
    assert preferences.recent_files == ()
    assert "MUELLER" not in (tmp_path / "preferences.ini").read_text()
    preferences.add_recent(tmp_path / "x.dcm")
    assert preferences.recent_files == ()
