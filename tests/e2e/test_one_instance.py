"""One window for each data folder, and no reader who believes that something is saved which is not."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from gui import autosave, reading
from gui.draft import Answer
from gui.one_instance import OneInstance, socket_name
from gui.views.submit_part import FormState
from study.model import Call, ReadingError
from study.store import StoreError, StudyStore
from tests.e2e.window_program import (
    ROOT,
    make_root,
    opened,
    wait_for_diagnosis,
    wait_for_record,
    wait_until,
    write_hip,
)

pytestmark = [
    pytest.mark.qt_log_ignore("does not support (propagateSizeHints|raise)", extend=True),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return make_root(tmp_path_factory.mktemp("root"))


@pytest.fixture
def data(tmp_path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


SECOND = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from gui import one_instance
one_instance.STARTING_S = 1.0
application = QCoreApplication([])
data, sample, *files = sys.argv[1:]
print(one_instance.OneInstance(Path(data)).begin([Path(file) for file in files], sample=bool(sample)))
"""


def second_start(data: Path, files: list[Path], *, sample: bool = False, before: str = "") -> bool:
    """What a second start's `begin` returns, while this process goes on as the first."""
    process = subprocess.Popen(
        [sys.executable, "-c", before + SECOND, data, "yes" if sample else "", *files],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: process.poll() is not None, what="the second start")
    return process.communicate()[0].strip() == "True"


def test_a_second_start_hands_its_files_over(qapp, data, tmp_path, monkeypatch):
    first = OneInstance(data)
    assert first.begin([], sample=False)
    assert first.is_alone
    given = []
    first.files_given.connect(lambda files, sample: given.append((files, sample)))
    odd = Path(os.fsdecode(b"/films/\xfcber \xe5\xbc\xa0.dcm"))
    monkeypatch.chdir(tmp_path)
    assert second_start(data, [odd, Path("here.dcm")], sample=True) is False
    assert given == [([odd, tmp_path / "here.dcm"], True)]
    assert second_start(data, []) is False
    assert given[1:] == [([], False)]
    first.end()
    again = OneInstance(data)
    assert again.begin([], sample=False)
    assert again.is_alone
    again.end()


def test_another_data_folder_is_another_program(qapp, data, tmp_path):
    (tmp_path / "other").mkdir()
    first, other = OneInstance(data), OneInstance(tmp_path / "other")
    assert first.begin([], sample=False)
    assert other.begin([], sample=False)
    assert first.is_alone
    assert other.is_alone
    first.end()
    other.end()


def test_a_link_to_the_data_folder_is_the_same_folder(qapp, data, tmp_path):
    (tmp_path / "link").symlink_to(data)
    assert socket_name(data) == socket_name(tmp_path / "link")
    assert socket_name(data) != socket_name(tmp_path)


def test_a_killed_program_holds_nobody_up(qapp, data):
    script = (
        "import sys, os; from pathlib import Path; from PySide6.QtCore import QCoreApplication\n"
        "application = QCoreApplication([]); from gui.one_instance import OneInstance\n"
        "one = OneInstance(Path(sys.argv[1])); assert one.begin([], sample=False); print(one.is_alone); os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", script, data], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "True", done.stderr
    began = time.monotonic()
    instance = OneInstance(data)
    assert instance.begin([], sample=False)
    assert instance.is_alone
    assert time.monotonic() - began < 5
    instance.end()


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of Windows have names, not owners")
def test_nothing_is_told_to_somebody_elses_socket(qapp, data):
    first = OneInstance(data)
    assert first.begin([], sample=False)
    given = []
    first.files_given.connect(lambda *values: given.append(values))
    pretend = "import os; me = os.getuid; os.getuid = lambda: me() + 1\nimport gui.one_instance\n"
    pretend += f"gui.one_instance.socket_name = lambda _folder: {socket_name(data)!r}\n"
    assert second_start(data, [Path("a.dcm")], before=pretend) is True
    assert given == []
    first.end()


def main_py(*arguments: object, **environment: str) -> list[str]:
    return [sys.executable, str(ROOT / "main.py"), *map(str, arguments)]


def test_the_program_itself(tmp_path, data):
    """A process that is the window, a second one that hands over and ends, and `predict` beside them."""
    milestones = tmp_path / "milestones"
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen", "LUCENCY_BENCHMARK_MILESTONES": str(milestones)}

    def reached() -> list[str]:
        lines = milestones.read_text().splitlines() if milestones.exists() else []
        return [json.loads(line)["name"] for line in lines]

    first = subprocess.Popen(main_py("--data", data), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: "window" in reached(), 120, what="the first window")
        assert "painted" not in reached()
        image = write_hip(tmp_path / "hip.png")
        second = subprocess.run(
            main_py("--data", data, image), env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert second.returncode == 0, second.stderr
        assert second.stdout.strip() == "Lucency is open already: the files open in its window."
        wait_until(lambda: "painted" in reached(), 120, what="the radiograph in the first window")
        beside = subprocess.run(
            main_py("predict", image, "--device", "cpu"), capture_output=True, text=True, timeout=120, check=False
        )
        assert json.loads(beside.stdout)["path"] == str(image)
        first.send_signal(signal.SIGINT)
        assert first.wait(60) == 0
    finally:
        first.kill()
        first.communicate()


def status(program) -> str:
    return program.window.status.saved_label.text()


def test_while_the_record_cannot_be_opened_nothing_can_be_entered(qapp, root, data, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "OPEN_AGAIN_MS", 300)
    image = write_hip(tmp_path / "hip.png")
    with StudyStore(data / "record.sqlite", "1") as other:
        other.open().result()
        with opened(root, data) as program:
            controller, form = program.controller, program.window.form
            program.open([image])
            wait_for_diagnosis(program)
            wait_until(lambda: not controller.can_record)
            assert status(program) == "Not saved"
            assert "open in another program" in program.window.status.saved_label.toolTip()
            assert form.state is FormState.UNSAVED
            assert not form.body.isEnabled()
            assert not form.submit_button.isVisible()
            assert "open in another program" in form.head.mode_label.text()
            with pytest.raises(ReadingError, match="open in another program"):
                controller.submit()
            form.edit("call", call=Call.LOOSE)
            assert controller.answer.is_empty
            other.close()
            wait_until(lambda: controller.can_record, what="the record opens once it is free")
            wait_until(lambda: form.state is FormState.EDITABLE and form.body.isEnabled())
            wait_until(lambda: status(program) == "All saved")
            controller.set_answer(Answer(call=Call.LOOSE, score=90))
            controller.submit()
            wait_for_record(program)
    with StudyStore(data / "record.sqlite", "1") as store:
        assert sum(event.kind == "reading" for event in store.events()) >= 1


def test_what_was_recorded_before_is_there_once_the_record_opens(qapp, root, data, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "OPEN_AGAIN_MS", 300)
    image = write_hip(tmp_path / "hip.png")
    with opened(root, data) as program:
        program.open([image])
        wait_for_diagnosis(program)
        wait_until(lambda: program.controller.hip is not None and program.controller.can_record)
        program.controller.set_answer(Answer(call=Call.NOT_LOOSE, score=11))
        wait_until(lambda: status(program) == "All saved")
    with StudyStore(data / "record.sqlite", "1") as other:
        other.open().result()
        with opened(root, data) as program:
            program.open([image])
            wait_for_diagnosis(program)
            wait_until(lambda: not program.controller.can_record)
            assert program.controller.answer.is_empty
            other.close()
            wait_until(lambda: program.controller.can_record)
            wait_until(lambda: program.controller.answer.score == 11, what="the draft")


def test_a_draft_that_the_disk_refuses_is_not_saved(qapp, root, data, tmp_path, monkeypatch):
    monkeypatch.setattr(autosave, "AGAIN_MS", 300)
    with opened(root, data) as program:
        program.open([write_hip(tmp_path / "hip.png")])
        wait_for_diagnosis(program)
        wait_until(lambda: status(program) == "All saved")
        save = program.store.save_draft

        def refuse(_key: str, _data: bytes) -> Future[None]:
            future: Future[None] = Future()
            future.set_exception(StoreError("The disk is full. Nothing was saved; make room and save again."))
            return future

        monkeypatch.setattr(program.store, "save_draft", refuse)
        program.controller.set_answer(Answer(call=Call.LOOSE, score=80))
        wait_until(lambda: status(program) == "Not saved")
        assert "disk is full" in program.window.status.saved_label.toolTip()
        monkeypatch.setattr(program.store, "save_draft", save)
        wait_until(lambda: status(program) == "All saved")
        assert any(b"80" in data for data in program.store.drafts().values())


@pytest.mark.parametrize("place", ["a file", "below a file"])
def test_a_data_folder_that_cannot_be_made_gets_a_sentence(qapp, root, tmp_path, place):
    blocked = tmp_path / "data"
    blocked.write_text("not a folder")
    data = blocked if place == "a file" else blocked / "below"
    with opened(root, data) as program:
        program.open([write_hip(tmp_path / "hip.png")])
        wait_for_diagnosis(program)
        wait_until(lambda: not program.controller.can_record)
        assert "cannot be made" in program.controller.not_saved
        assert status(program) == "Not saved"
        assert program.window.form.state is FormState.UNSAVED
    done = subprocess.run(
        main_py("--data", data, "--sample", "--screenshot", tmp_path / "out.png"),
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert done.returncode == 0, done.stdout + done.stderr
    assert blocked.read_text() == "not a folder"


def recorded(root: Path, data: Path, image: Path) -> None:
    with opened(root, data) as program:
        program.open([image])
        wait_for_diagnosis(program)
        wait_until(lambda: program.controller.can_record and program.controller.hip is not None)
        program.controller.set_answer(Answer(call=Call.LOOSE, score=90))
        program.controller.submit()
        wait_for_record(program)


def empty(data: Path, _other: Path) -> None:
    (data / "record.sqlite").write_bytes(b"")


def remove(data: Path, _other: Path) -> None:
    (data / "record.sqlite").unlink()


def replace(data: Path, other: Path) -> None:
    shutil.copy(other / "record.sqlite", data / "record.sqlite")


def remove_with_its_end(data: Path, _other: Path) -> None:
    (data / "record.sqlite").unlink()
    (data / "record.head.json").unlink()


def overwrite(data: Path, _other: Path) -> None:
    (data / "record.sqlite").write_bytes(b"something else entirely" * 100)


@pytest.mark.parametrize("change", [empty, remove, replace, remove_with_its_end, overwrite], ids=lambda f: f.__name__)
def test_a_record_that_is_not_what_it_was_is_said_at_start(qapp, root, data, tmp_path, change):
    image = write_hip(tmp_path / "hip.png")
    recorded(root, data, image)
    other = tmp_path / "other"
    recorded(root, other, image)
    change(data, other)
    with opened(root, data) as program:
        said = []
        program.controller.record_warned.connect(said.append)
        program.controller.record_failed.connect(lambda sentence, _details: said.append(sentence))
        wait_until(lambda: bool(said), what="a sentence")
        assert program.window.notice.message == said[-1]
        assert "record" in said[-1]
        if change is overwrite:
            assert status(program) == "Not saved"
    with opened(root, tmp_path / "other") as program:
        quiet = []
        program.controller.record_warned.connect(quiet.append)
        wait_until(lambda: program.controller.can_record and program.store.pending == 0)
        wait_until(lambda: program._rest_started)
        assert quiet == []
