"""From the command line to a window on screen: preferences, log, crash guard, program, event loop."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import logging
import logging.handlers
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QObject, QTimer

from gui import theme
from gui.preferences import Preferences
from gui.program import Places, Program, make_application
from imaging.worker import SupervisedWorker

log = logging.getLogger(__name__)
LOG_BYTES, LOG_FILES = 1_000_000, 4
CRASH_FILE = "crash.log"
MILESTONES = "LUCENCY_BENCHMARK_MILESTONES"  # benchmarks name a file; what was reached when is appended to it


def run(
    root: Path,
    files: Sequence[Path],
    *,
    sample: bool,
    picture: Path | None,
    data_folder: Path | None,
    decoder: SupervisedWorker,
) -> int:
    """Open the window and stay until it is closed; with `picture`, save it once the diagnosis is there and return."""
    application = make_application(sys.argv[:1])
    preferences = Preferences(data_folder)
    theme.apply_theme(application, preferences)
    logs = preferences.data_folder / "logs"
    crash_note = start_log(logs)
    program = Program(Places(root), preferences, decoder=decoder)
    guard = ExceptionGuard(program)
    guard.install()
    _note_milestones(program)
    if picture is not None:
        from gui.screenshot import Screenshot

        shot = Screenshot(program, picture)
        shot.start(files, sample=sample)
        application.exec()
        program.close()
        return shot.exit_code
    program.window.show()
    program.open(files, sample=0 if sample else None)
    if crash_note:
        program.window.painted.connect(lambda: program.offer_crash_log(crash_note))
    # Python sees a Ctrl-C in the terminal only between its own instructions: give it some.
    signal.signal(signal.SIGINT, lambda _number, _frame: program.window.close())
    heartbeat = QTimer()
    heartbeat.timeout.connect(lambda: None)
    heartbeat.start(500)
    code = application.exec()
    heartbeat.stop()
    program.close()
    guard.remove()
    return code


def start_log(folder: Path) -> str:
    """Log to `folder` (no file names, no patient data) and catch crashes. Returns the last run's crash report, or ""."""
    crash_note = ""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(
            folder / "lucency.log", maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8"
        )
        crash_file = folder / CRASH_FILE
        if crash_file.is_file():
            crash_note = crash_file.read_text("utf-8", errors="replace").strip()
        # Kept open for as long as the process lives: faulthandler writes to its descriptor.
        stream = crash_file.open("w", encoding="utf-8")
    except OSError as error:
        print(f"The log cannot be written: {error.strerror}.", file=sys.stderr)  # noqa: T201 - there is no log
        return ""
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    faulthandler.enable(stream)
    _crash_streams.append(stream)
    return crash_note


_crash_streams: list[object] = []


class ExceptionGuard(QObject):
    """A fault of the program is said in words, with details to copy; never a traceback on the terminal."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self._program = program
        self._earlier = (sys.excepthook, threading.excepthook)

    def install(self) -> None:
        sys.excepthook = self._on_exception
        threading.excepthook = lambda given: (
            self._on_exception(given.exc_type, given.exc_value, given.exc_traceback)
            if given.exc_value is not None
            else None
        )

    def remove(self) -> None:
        sys.excepthook, threading.excepthook = self._earlier

    def _on_exception(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            self._program.window.close()
            return
        from gui.errors import traceback_without_data

        details = traceback_without_data(kind, error, trace)
        log.error("An unexpected error:\n%s", details)
        # From any thread: shown by the main one.
        QTimer.singleShot(
            0,
            self._program.window,
            lambda: self._program.window.show_problem("The program made an error. Your work is saved.", details),
        )


def _note_milestones(program: Program) -> None:
    path = os.environ.get(MILESTONES)
    if not path:
        return
    reached: set[str] = set()

    def note(name: str) -> None:
        if name not in reached:
            reached.add(name)
            with contextlib.suppress(OSError), Path(path).open("a") as file:
                file.write(json.dumps({"name": name, "at": time.time()}) + "\n")

    program.window.painted.connect(lambda: note("window"))
    program.controller.radiograph_changed.connect(
        lambda: QTimer.singleShot(0, lambda: (program.window.panes.main.repaint(), note("painted")))
    )
    program.controller.diagnosis_changed.connect(
        lambda: QTimer.singleShot(0, lambda: note("diagnosis")) if program.controller.prediction else None
    )
