"""Runs in a process of its own, as `main.py` does: opens and closes every window, changes every preference, quits.

Arguments: "tour", or "fail" to let every step of quitting fail; the data folder; a folder for a study. Prints what was
reached.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QTimer
from PySide6.QtWidgets import QApplication
from shiboken6 import isValid

import gui.start
from gui.main_window import DIALOGS, STUDY_ACTIONS
from gui.preferences import Device, ThemeName, _settings
from gui.program import Program
from gui.study.results_window import ResultsWindow
from gui.views.record_view import RecordView
from imaging.worker import decode_worker
from study.model import ReadingMode
from tests.e2e.study_reader import PASSPHRASE, Study
from tests.e2e.window_program import ROOT

PATIENCE_S = 150

CHANGES: dict[str, list[Any]] = {
    "theme": [ThemeName.LIGHT, ThemeName.DARK],
    "font_scale_percent": [125, 100],
    "device": [Device.CPU],
    "model_id": ["none such", ""],
    "local_prevalence": [0.2, None],
    "reading_mode": [ReadingMode.ANSWER_FIRST, ReadingMode.ASSIST],
    "reader_name": ["CD"],
    "reader_experience": ["a year"],
    "lucency_cutoff_mm": [1.5],
    "overlay_opacity": [0.7],
    "overlay_threshold": [0.1],
    "overlay_contour": [True],
    "side_by_side": [True, False],
    "recent_names_on": [True],
    "recent_files": [()],
    "recent_files_on": [False],
    "data_folder": [Path("elsewhere").absolute()],
    "shortcuts": [{"fit": "Ctrl+Shift+F9"}, {}],
    "window_geometry": [QByteArray(b"1")],
    "window_state": [QByteArray(b"1")],
    "column_widths": [(200, 600, 400)],
}


def fail(*_arguments: object) -> None:
    raise RuntimeError("made to fail")


def let_quitting_fail(program: Program) -> None:
    """Every single step of it."""
    program.show_dialog("record")
    program.window.may_close = fail
    for owner, step in (
        (program.controller, "flush"),
        (program.desk, "close_all"),
        (program._record_view, "close_down"),
        (program.preferences, "flush"),
        (program.jobs, "shutdown"),
        (program.store, "close"),
    ):
        setattr(owner, step, fail)


def quit_failing(program: Program, folder: Path) -> Iterator[Callable[[], object]]:
    program.open([ROOT / "resources" / "samples" / "loose-cemented.dcm"])
    yield lambda: program.controller.radiograph is not None
    let_quitting_fail(program)
    print("changed", flush=True)
    program.window.close()


def drive(program: Program, folder: Path) -> Iterator[Callable[[], object]]:
    """Yields what has to come true before the next step; in between the program's own event loop runs."""
    controller, window, desk = program.controller, program.window, program.desk
    program.open([ROOT / "resources" / "samples" / "loose-cemented.dcm"])
    yield lambda: controller.prediction is not None and program.engine is not None

    for name in DIALOGS:
        program.show_dialog(name)
    for name in STUDY_ACTIONS:
        program.open_study(name)
    window.opening.ask_files()
    yield lambda: any("esults" in shown.windowTitle() for shown in desk.windows)
    study = Study(folder / "study", count=2, practice=0)
    study.machine.store.close()
    program.open_study("study_open", folder / "study" / "coordinator" / "study.sqlite")
    program.open_study("study_read", study.package)
    reading = desk.windows[-1]
    yield lambda: reading.sign_in_page is not None
    reading.sign_in_page.box.entered.emit(PASSPHRASE)
    yield lambda: reading.controller is not None
    reading.controller.begin()
    results = next(shown for shown in desk.windows if isinstance(shown, ResultsWindow))
    yield results.open_button.isVisible
    results.open_button.click()
    yield lambda: reading.controller.hip is not None and results.results is not None

    shown = [top for top in QApplication.topLevelWidgets() if top.isVisible() and top is not window]
    print("opened", *sorted({type(top).__name__ for top in shown}), flush=True)
    for top in shown:
        top.close()
    yield lambda: not desk.windows and not any(isValid(top) for top in shown if not isinstance(top, RecordView))
    gc.collect()

    for name in _settings():
        for value in CHANGES[name]:
            setattr(program.preferences, name, value)
            yield lambda: True
    yield lambda: program.engine is not None
    print("changed", flush=True)
    window.close()


class Driven(Program):
    folder: Path
    steps: Callable[[Program, Path], Iterator[Callable[[], object]]]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._steps = type(self).steps(self, self.folder)
        self._awaited: Callable[[], object] = lambda: self.has_painted
        self._waits_until = time.monotonic() + PATIENCE_S
        self._timer = QTimer(self, interval=20)
        self._timer.timeout.connect(self._go_on)
        self._timer.start()

    def _go_on(self) -> None:
        try:
            if self._awaited():
                self._awaited = next(self._steps)
                self._waits_until = time.monotonic() + PATIENCE_S
            elif time.monotonic() > self._waits_until:
                raise AssertionError(f"line {self._steps.gi_frame.f_lineno}: did not come true")
        except StopIteration:
            self._timer.stop()
        except BaseException:
            self._timer.stop()
            QApplication.exit(3)
            raise


def main(what: str, data: Path, folder: Path) -> int:
    folder.mkdir()
    Driven.folder, Driven.steps = folder, quit_failing if what == "fail" else drive
    gui.start.Program = Driven
    return gui.start.run(ROOT, [], sample=False, picture=None, data_folder=data, decoder=decode_worker(), begun={})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
