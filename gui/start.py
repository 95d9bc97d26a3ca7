"""From the command line to a window on screen: preferences, log, crash guard, program, event loop."""

from __future__ import annotations

import contextlib
import json
import logging
import logging.handlers
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from PySide6.QtCore import QTimer, qInstallMessageHandler

from gui import theme
from gui.errors import Excepthook, ScrubbingFormatter, start_crash_log
from gui.one_instance import OneInstance
from gui.preferences import Preferences
from gui.program import LOG_FILE, Places, Program, make_application
from gui.version import app_version
from imaging.sources import Source
from imaging.worker import SupervisedWorker

log = logging.getLogger(__name__)
LOG_BYTES, LOG_FILES = 1_000_000, 4
MILESTONES = "LUCENCY_BENCHMARK_MILESTONES"  # benchmarks name a file; what was reached when is appended to it


def run(
    root: Path,
    files: Sequence[Path],
    *,
    sample: bool,
    picture: Path | None,
    data_folder: Path | None,
    decoder: SupervisedWorker,
    begun: Mapping[Source, Future[Any]],
) -> int:
    """Open the window and stay until it is closed; with `picture`, save it once the diagnosis is there and return.

    `begun`: what `decoder` reads already.
    """
    application = make_application(sys.argv[:1])
    preferences = Preferences(data_folder)
    with contextlib.suppress(OSError):  # the record says so, in the window
        preferences.data_folder.mkdir(parents=True, exist_ok=True)
    instance = OneInstance(preferences.data_folder)
    if picture is None and not instance.begin(files, sample=sample):
        decoder.shutdown()
        print("Lucency is open already: the files open in its window.")  # noqa: T201 - said where it was started
        return 0
    theme.apply_theme(application, preferences)
    logs = preferences.data_folder / "logs"
    start_log(logs)
    qInstallMessageHandler(lambda _kind, _context, message: log.info("Qt: %s", message))  # not on the terminal
    crash_note = start_crash_log(logs)
    log.info("Lucency %s starts", app_version(root))
    program = Program(Places(root), preferences, decoder=decoder, begun=begun)
    guard = Excepthook(window=lambda: program.window)
    guard.install()
    program.window.closed.connect(guard.hush)
    _note_milestones(program)
    if picture is not None:
        from gui.screenshot import Screenshot

        shot = Screenshot(program, picture)
        shot.start(files, sample=sample)
        application.exec()
        program.close()
        return shot.exit_code
    instance.files_given.connect(program.open_from_elsewhere)
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
    guard.hush()
    heartbeat.stop()
    program.close()
    instance.end()
    guard.uninstall()
    return code


def start_log(folder: Path) -> None:
    """Log to `folder`: no file names, no patient data."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(
            folder / LOG_FILE, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8"
        )
    except OSError as error:
        print(f"The log cannot be written: {error.strerror}.", file=sys.stderr)  # noqa: T201 - there is no log
        return
    handler.setFormatter(ScrubbingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


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

    def on_radiograph() -> None:
        program.window.panes.main.repaint()
        note("painted")

    program.controller.radiograph_changed.connect(lambda: QTimer.singleShot(0, on_radiograph))

    def on_diagnosis() -> None:
        if program.controller.prediction is not None:
            QTimer.singleShot(0, lambda: note("diagnosis"))

    program.controller.diagnosis_changed.connect(on_diagnosis)
