"""Errors in words: scrubbed, copied, told once; notices; the log; the sheet of keys."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QPushButton

from gui import actions, errors, theme
from gui.preferences import Preferences
from gui.views.log_viewer import LogViewer
from gui.views.shortcut_sheet import ShortcutSheet

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def private():
    before = set(errors._private)
    yield errors.keep_private
    errors._private.clear()
    errors._private.update(before)


@pytest.mark.parametrize(
    ("text", "gone", "kept"),
    [
        ('File "/home/anna/lucency/gui/reading.py", line 4', ["anna", "home"], ["reading.py", "line 4"]),
        ("cannot open /media/Mueller Hans 1950/IM 0001: damaged", ["Mueller", "Hans", "1950", "media"], ["damaged"]),
        ("'/data/MUELLER_HANS.dcm' is short", ["MUELLER", "data"], [".dcm", "is short"]),
        (r"C:\Users\Anna\Desktop\Hans Mueller.dcm failed", ["Anna", "Hans"], ["failed"]),
        (r"\\server\share\Mueller\x.zip", ["server", "Mueller"], [".zip"]),
        ("PatientName = Müller^Hans^^Dr", ["Müller", "Hans"], ["PatientName"]),
        ("instance 1.2.840.113619.2.55.3.604688119.971 refused", ["604688119"], ["uid:", "refused"]),
        ("Python 3.11.7, ratio 1/2, and/or, 10 % at 14:03", [], ["Python 3.11.7, ratio 1/2, and/or, 10 % at 14:03"]),
    ],
)
def test_scrubbing_takes_names_and_folders_and_leaves_the_rest(text, gone, kept):
    scrubbed = errors.scrub(text)
    for word in gone:
        assert word not in scrubbed
    for word in kept:
        assert word in scrubbed


@given(
    st.lists(
        st.text(st.characters(categories=["L", "N"], include_characters=" _-."), min_size=3, max_size=12),
        min_size=2,
        max_size=5,
    )
)
def test_no_folder_survives_scrubbing(parts):
    secret = [f"Zq{index}{part.strip() or 'x'}" for index, part in enumerate(parts)]
    for path in ("/" + "/".join(secret), "C:\\" + "\\".join(secret), '"/' + "/".join(secret) + '"'):
        scrubbed = errors.scrub(f"could not read {path}")
        for index in range(len(secret) - 1):
            assert f"Zq{index}" not in scrubbed


def test_words_of_an_open_radiograph_stay_private(private):
    private("Mueller^Hans", "PID-77341", "hans_hip.png")
    scrubbed = errors.scrub("MUELLER, hans (pid-77341) in hans_hip.png; another Hansen")
    for word in ("mueller", "77341", "hans_hip"):
        assert word not in scrubbed.casefold()
    assert "Hansen" in scrubbed


def test_the_log_formatter_scrubs_tracebacks_too():
    try:
        Path("/nowhere/Mueller/Hans.dcm").read_bytes()
    except OSError:
        record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "opening %s", ("/a b/Hans.dcm",), sys.exc_info())
    text = errors.ScrubbingFormatter("%(message)s").format(record)
    assert "FileNotFoundError" in text
    assert "Mueller" not in text
    assert "Hans" not in text


def test_an_error_is_a_sentence_with_details_to_copy(qtbot):
    dialog = errors.show_error(None, "The file is damaged.", 'File "/home/anna/x.py", line 3\nValueError: bad')
    qtbot.addWidget(dialog)
    assert not dialog.isModal()
    assert not dialog.details_text.isVisible()
    qtbot.mouseClick(dialog.details_button, LEFT)
    assert dialog.details_text.isVisible()
    qtbot.mouseClick(dialog.copy_button, LEFT)
    copied = QApplication.clipboard().text()
    assert copied.startswith("The file is damaged.")
    assert "ValueError: bad" in copied
    assert "anna" not in copied
    plain = errors.show_error(None, "No details here.")
    qtbot.addWidget(plain)
    assert not plain.details_button.isVisible()


@pytest.fixture
def hook(qtbot):
    hook = errors.Excepthook()
    yield hook
    hook.uninstall()
    if hook._dialog is not None:
        hook._dialog.close()


def test_an_uncaught_exception_is_logged_and_told_once(hook, qtbot, caplog):
    for _ in range(50):
        hook._on_exception(ValueError, ValueError("at /home/anna/x.dcm"), None)
    qtbot.waitUntil(lambda: hook._dialog is not None)
    assert hook._dialog.sentence == errors.UNEXPECTED
    assert "ValueError" in hook._dialog.details
    assert "anna" not in hook._dialog.details + caplog.text
    shown = [w for w in QApplication.topLevelWidgets() if isinstance(w, errors.ErrorDialog) and w.isVisible()]
    assert len(shown) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_exceptions_in_threads_reach_the_window(hook, qtbot):
    hook.install()
    try:
        with qtbot.waitSignal(hook.caught) as caught:
            thread = threading.Thread(target=lambda: 1 / 0)
            thread.start()
            thread.join()
    finally:
        hook.uninstall()
    assert "ZeroDivisionError" in caught.args[0]


def test_what_a_crash_left_is_offered_at_the_next_start(tmp_path):
    code = (
        "import sys, faulthandler\nfrom pathlib import Path\nfrom gui.errors import start_crash_log\n"
        "print(repr(start_crash_log(Path(sys.argv[1]))))\nif len(sys.argv) > 2: faulthandler._sigsegv()\n"
    )

    def start(*more: str) -> str:
        command = [sys.executable, "-c", code, str(tmp_path), *more]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60).stdout

    assert start("crash").strip() == "''"
    left = start()
    assert "Segmentation fault" in left
    assert start().strip() == "''"


def test_notices_are_few_new_and_can_be_closed(qtbot):
    bar = errors.NoticesBar()
    qtbot.addWidget(bar)
    assert bar.isHidden()
    done = []
    for number in range(5):
        bar.show_notice(f"notice {number}")
    bar.show_notice("notice 3", action=("Undo", lambda: done.append(1)))
    assert bar.sentences == ["notice 2", "notice 4", "notice 3"]
    button = next(b for b in bar.findChildren(QPushButton) if b.text() == "Undo")
    qtbot.mouseClick(button, LEFT)
    assert done == [1]
    assert bar.sentences == ["notice 2", "notice 4"]
    bar.show_notice("passing", seconds=0.01)
    qtbot.waitUntil(lambda: "passing" not in bar.sentences)
    bar.clear()
    assert bar.isHidden()


def test_what_went_well_has_not_the_edge_of_a_warning(qtbot, tmp_path, qapp):
    preferences = Preferences(tmp_path)
    bar = errors.NoticesBar()
    qtbot.addWidget(bar)
    try:
        theme.apply_theme(qapp, preferences)
        bar.show_notice("The file is damaged.")
        bar.show_note("report.html was saved.")
        qapp.processEvents()  # lays out what came to a bar that was on screen already
        bar.adjustSize()
        picture = bar.grab().toImage()
    finally:
        qapp.setStyleSheet("")
    edges = dict.fromkeys(picture.pixelColor(0, y).name() for y in range(picture.height()))
    assert [color for color in edges if color in (theme.colors().warning, theme.colors().outline)] == [
        theme.colors().warning,
        theme.colors().outline,
    ]


# The log and the keys


def test_the_log_is_read_only_filtered_and_copied(qtbot, tmp_path):
    file = tmp_path / "lucency.log"
    file.write_text("one opened\ntwo failed at /home/anna/Hans.dcm\nthree opened\n")
    viewer = LogViewer(file)
    qtbot.addWidget(viewer)
    assert viewer.text.isReadOnly()
    assert "anna" not in viewer.text.toPlainText()
    qtbot.keyClicks(viewer.search, "opened")
    assert viewer.text.toPlainText() == "one opened\nthree opened"
    qtbot.mouseClick(viewer.copy_button, LEFT)
    assert QApplication.clipboard().text() == "one opened\nthree opened"


def test_a_long_log_shows_its_end_and_an_absent_one_says_so(qtbot, tmp_path):
    file = tmp_path / "lucency.log"
    with file.open("w") as stream:
        for number in range(60_000):
            stream.write(f"line {number} of a log that is long\n")
    viewer = LogViewer(file)
    qtbot.addWidget(viewer)
    assert viewer.text.toPlainText().splitlines()[-1].startswith("line 59999 ")
    assert viewer.text.document().blockCount() < 60_000
    absent = LogViewer(tmp_path / "absent.log")
    qtbot.addWidget(absent)
    assert absent.note.text() == "Nothing has been logged yet."


def test_the_sheet_lists_every_key_as_remapped_and_searches(qtbot):
    specs = list(actions.specs())
    sheet = ShortcutSheet(specs, {"overlay": "Ctrl+J"})
    qtbot.addWidget(sheet)
    shown = "\n".join(sheet.shown())
    for spec in specs:
        if spec.keys:
            assert spec.text.replace("&", "").removesuffix("…").strip() in shown
    assert "Ctrl+J" in shown
    assert "Radiolucent line Space" in shown
    qtbot.keyClicks(sheet.search, "ctrl+j")
    assert len(sheet.shown()) == 1
    sheet.search.setText("no such thing")
    assert sheet.shown() == []
    assert not sheet.empty_label.isHidden()
