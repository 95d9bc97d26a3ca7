"""From a file to a recorded reading, through the real window, workers and record."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel

from gui.annotations import new_annotation
from gui.cases import CaseState, DiagnosisState
from gui.views.diagnosis_panel import HIDDEN_TEXT
from gui.views.reading_form import FormState
from imaging.geometry import HipRegion
from study.model import AnnotationKind, Call, ReaderKind, ReadingMode
from study.record import readings
from tests.e2e.window_program import (
    READER,
    ROOT,
    make_root,
    opened,
    wait_for_diagnosis,
    wait_for_record,
    wait_until,
    write_hip,
)

pytestmark = [
    pytest.mark.qt_log_ignore("does not support propagateSizeHints", extend=True),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return make_root(tmp_path_factory.mktemp("root"))


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "radiographs"
    folder.mkdir()
    return folder


def texts(widget) -> str:
    """Everything that can be read on screen below a widget."""
    labels = [label.text() for label in widget.findChildren(QLabel) if label.isVisibleTo(widget.window())]
    return "\n".join([*labels, widget.window().windowTitle()])


def answer(program, call=Call.LOOSE, score=80) -> None:
    program.window.form.edit("call", call=call)
    program.window.form.edit("score", score=score)


def test_a_file_is_opened_diagnosed_and_read(qapp, root, folder, tmp_path):
    path = write_hip(folder / "hip.png")
    with opened(root, tmp_path / "data") as program:
        program.open([path])
        wait_for_diagnosis(program)
        controller = program.controller
        assert controller.prediction.decision.value == "loose"
        assert "Loose" in texts(program.window.diagnosis)
        assert not program.overlay.visible, "the map is off when a radiograph opens"
        answer(program)
        program.window.form.submit()
        wait_for_record(program)
        assert program.window.form.state is FormState.LOCKED
        assert program.library.cases[0].state is CaseState.READ
        people = [r for r in readings(program.store) if r.reading.reader.kind is ReaderKind.HUMAN]
        machines = [r for r in readings(program.store) if r.is_algorithm]
        assert [r.reading.call for r in people] == [Call.LOOSE]
        assert people[0].reading.reader.id == READER
        assert people[0].reading.mode is ReadingMode.ASSIST
        assert people[0].reading.cnn_score == pytest.approx(controller.prediction.score)
        assert [r.reading.score for r in machines] == [pytest.approx(controller.prediction.score)]
        assert machines[0].reading.case == people[0].reading.case
        assert program.store.verify() == []


def test_answer_first_hides_everything_until_the_answer_is_recorded(qapp, root, folder, tmp_path):
    path = write_hip(folder / "hip.png")
    with opened(root, tmp_path / "data", reading_mode=ReadingMode.ANSWER_FIRST, side_by_side=True) as program:
        window, controller = program.window, program.controller
        program.overlay.set_visible(True)
        program.open([path])
        wait_for_diagnosis(program)
        score = controller.hip.prediction.score
        assert controller.diagnosis_state is DiagnosisState.HIDDEN
        assert controller.prediction is None
        assert controller.visible_maps == []
        assert HIDDEN_TEXT in texts(window.diagnosis)
        seen = texts(window)
        assert f"{score:.0f} of 100" not in seen
        assert "Loose " not in seen
        assert all(view.map_state.value == "absent" for view in window.panes.views())
        assert not window.actions_.submenus["advanced"].isEnabled()
        assert window.form.schematic.accessibleName().find("%") < 0
        answer(program, Call.NOT_LOOSE, 20)
        assert controller.prediction is None, "answering without recording reveals nothing"
        window.form.submit()
        wait_for_record(program)
        assert controller.diagnosis_state is DiagnosisState.SHOWN
        assert controller.agreement.same_call is False
        first = [r.reading for r in readings(program.store) if not r.is_algorithm]
        assert [(r.mode, r.cnn_score, r.model_id) for r in first] == [(ReadingMode.ANSWER_FIRST, None, "")]
        window.form.revise_requested.emit()
        assert window.form.state is FormState.REVISION
        answer(program, Call.LOOSE, 70)
        window.form.submit()
        wait_for_record(program)
        both = [r.reading for r in readings(program.store) if not r.is_algorithm]
        assert [r.mode for r in both] == [ReadingMode.ANSWER_FIRST, ReadingMode.REVISED]
        assert both[1].revises == both[0].id
        assert both[1].cnn_score == pytest.approx(score)


def test_seeing_the_cnn_first_is_never_recorded_as_answer_first(qapp, root, folder, tmp_path):
    with opened(root, tmp_path / "data") as program:
        program.open([write_hip(folder / "hip.png")])
        wait_for_diagnosis(program)
        program.controller.set_mode(ReadingMode.ANSWER_FIRST)
        answer(program)
        program.window.form.submit()
        wait_for_record(program)
        people = [r.reading for r in readings(program.store) if not r.is_algorithm]
        assert [r.mode for r in people] == [ReadingMode.ASSIST]


def test_a_failed_open_keeps_the_image_and_says_why(qapp, root, folder, tmp_path):
    good = write_hip(folder / "good.png")
    bad = folder / "bad.dcm"
    bad.write_bytes(b"this is no radiograph")
    with opened(root, tmp_path / "data") as program:
        program.open([good])
        wait_for_diagnosis(program)
        shown = program.controller.radiograph
        program.open([bad])
        wait_until(lambda: program.window.notice.message != "")
        assert program.controller.radiograph is shown
        assert program.controller.prediction is not None
        assert program.library.cases[1].state is CaseState.ERROR
        assert program.library.cases[1].error
        program.library.step(-1)
        assert program.library.selected == 0


def test_a_missing_file_is_a_sentence(qapp, root, tmp_path):
    with opened(root, tmp_path / "data") as program:
        program.open([tmp_path / "nowhere.dcm"])
        wait_until(lambda: program.window.notice.message != "")
        assert "nowhere.dcm" in program.window.notice.message
        assert not program.library.cases


def test_a_decoder_that_dies_is_replaced(qapp, root, folder, tmp_path):
    first, second = write_hip(folder / "a.png"), write_hip(folder / "b.png", noise=9)
    with opened(root, tmp_path / "data") as program:
        program.open([first])
        wait_for_diagnosis(program)
        os.kill(program.jobs._decoder.pid, signal.SIGKILL)
        program.open([second])
        wait_for_diagnosis(program, "b.png")
        assert program.controller.shown.label == "b.png"


def test_a_moved_region_is_read_again(qapp, root, folder, tmp_path):
    with opened(root, tmp_path / "data") as program:
        program.open([write_hip(folder / "hip.png", spot=(48, 40))])
        wait_for_diagnosis(program)
        before = program.controller.prediction
        assert before.decision.value == "loose"
        program.window.panes.main.region_edited.emit(0, HipRegion(0, 0, 256, 160))
        assert program.controller.prediction is None, "the old answer was about another region"
        wait_for_diagnosis(program)
        after = program.controller.prediction
        assert after.region.box == (0, 0, 256, 160)
        assert after.score != before.score


def test_only_the_case_on_screen_gets_its_result(qapp, root, folder, tmp_path):
    paths = [write_hip(folder / f"{i}.png", spot=(48, 40) if i % 2 else None, noise=i) for i in range(6)]
    with opened(root, tmp_path / "data") as program:
        program.open(paths)
        wait_until(lambda: len(program.library.cases) == 6)
        for row in (1, 2, 3, 4, 5, 2, 4):
            program.library.open(row)
            QTest.qWait(30)
        wait_for_diagnosis(program, "4.png")
        controller = program.controller
        assert controller.radiograph.path.name == "4.png"
        assert controller.prediction.decision.value == "not_loose"
        program.library.open(5)
        wait_for_diagnosis(program, "5.png")
        assert controller.prediction.decision.value == "loose"


def test_dropping_a_folder_and_a_zip(qapp, root, folder, tmp_path):
    write_hip(folder / "a.png")
    archive = tmp_path / "more.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(write_hip(tmp_path / "c.png", noise=3), "inside/c.png")
    with opened(root, tmp_path / "data") as program:
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(folder)), QUrl.fromLocalFile(str(archive))])
        event = QDropEvent(
            QPointF(300, 300),
            Qt.DropAction.CopyAction,
            data,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        program.window.dropEvent(event)
        wait_for_diagnosis(program)
        assert [item.label for item in program.library.cases] == ["a.png", "c.png"]


def test_one_case_by_keyboard_alone(qapp, root, folder, tmp_path):
    write_hip(folder / "a.png")
    write_hip(folder / "b.png", noise=5)
    with opened(root, tmp_path / "data") as program:
        window = program.window
        program.open([folder])
        wait_for_diagnosis(program, "a.png")
        window.activateWindow()
        wait_until(lambda: QApplication.activeWindow() is window)

        def press(key, modifiers=Qt.KeyboardModifier.NoModifier):
            QTest.keyClick(QApplication.focusWidget() or window, key, modifiers)

        control = Qt.KeyboardModifier.ControlModifier
        press(Qt.Key.Key_S)
        assert program.overlay.visible
        press(Qt.Key.Key_BracketRight)
        assert program.overlay.opacity > program.preferences.__class__.overlay_opacity.default
        press(Qt.Key.Key_1, control)
        press(Qt.Key.Key_4, control)
        press(Qt.Key.Key_End)
        assert program.controller.answer.call is Call.LOOSE
        assert program.controller.answer.score == 100
        press(Qt.Key.Key_Z, control)
        assert program.controller.answer.score is None
        press(Qt.Key.Key_Z, control | Qt.KeyboardModifier.ShiftModifier)
        press(Qt.Key.Key_Return, control | Qt.KeyboardModifier.ShiftModifier)
        wait_for_diagnosis(program, "b.png")
        assert program.library.cases[0].state is CaseState.READ
        assert not program.overlay.visible, "off again at the next radiograph"
        assert program.overlay.opacity > program.preferences.__class__.overlay_opacity.default, "opacity is kept"
        press(Qt.Key.Key_F6)
        press(Qt.Key.Key_Left)
        wait_for_diagnosis(program, "a.png")
        assert window.form.state is FormState.LOCKED


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from study.model import AnnotationKind, Call
from gui.annotations import new_annotation
from tests.e2e.window_program import opened, wait_for_diagnosis, wait_until

if __name__ == "__main__":
    with opened(Path({program!r}), Path({data!r})) as program:
        program.open([Path({image!r})])
        wait_for_diagnosis(program)
        program.window.form.edit("call", call=Call.LOOSE)
        program.window.form.edit("comment", comment="half done")
        program.marks.add(new_annotation(AnnotationKind.POINT, [(20.0, 30.0)]))
        wait_until(lambda: program.controller.unsaved_since is None and program.store.pending == 0)
        print("ready", flush=True)
        wait_until(lambda: False, 60)
"""


def test_killed_and_opened_again_the_draft_is_there(qapp, root, folder, tmp_path):
    image = write_hip(folder / "hip.png")
    data = tmp_path / "data"
    script = tmp_path / "killed.py"
    script.write_text(KILLED.format(root=str(ROOT), program=str(root), data=str(data), image=str(image)))
    child = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, env=os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    )
    try:
        assert child.stdout.readline().strip() == b"ready"
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    time.sleep(0.2)
    with opened(root, data) as program:
        wait_until(lambda: "unfinished" in texts(program.window.welcome), what="the welcome view offers the draft")
        program.open_drafts()
        wait_for_diagnosis(program)
        assert program.controller.answer.call is Call.LOOSE
        assert program.window.form.answer().comment == "half done"
        assert [mark.points for mark in program.marks.to_list()] == [((20.0, 30.0),)]
        assert program.library.cases[0].state is CaseState.DRAFT


def test_a_read_case_shows_its_reading_in_the_next_session(qapp, root, folder, tmp_path):
    image = write_hip(folder / "hip.png")
    with opened(root, tmp_path / "data") as program:
        program.open([image])
        wait_for_diagnosis(program)
        answer(program, Call.LOOSE, 77)
        mark = new_annotation(AnnotationKind.POINT, [(40, 50)])
        program.marks.add(mark)
        program.window.form.submit()
        wait_for_record(program)
    write_hip(folder / "another.png", noise=9)
    with opened(root, tmp_path / "data") as program:
        assert program.store.drafts() == {}
        program.open([folder])
        wait_for_diagnosis(program, "another.png")
        states = {item.label: item for item in program.library.cases}
        wait_until(lambda: states["hip.png"].state is CaseState.READ, what="the list knows before the case is opened")
        assert states["another.png"].state is CaseState.UNREAD
        program.library.clear()
        program.open([image])
        wait_for_diagnosis(program, "hip.png")
        assert program.controller.answer.score == 77
        assert program.window.form.state is FormState.LOCKED
        assert program.library.cases[0].state is CaseState.READ
        assert program.marks.to_list() == [mark]
        position = QPoint(5, 5)
        assert program.window.childAt(position) is not None
