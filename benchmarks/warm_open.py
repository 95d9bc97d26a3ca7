"""A warm program opens a radiograph, in turn with the bare decoding of the same file; prints {"ours": [...], "theirs": [...]}."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("radiograph", type=Path)
    parser.add_argument("--pairs", type=int, default=9)
    arguments = parser.parse_args()

    import pydicom
    from PySide6.QtCore import QEventLoop, QTimer

    from benchmarks.measure import ROOT
    from gui import theme
    from gui.preferences import Preferences
    from gui.program import Places, Program, make_application
    from imaging.reader import load_decoders

    load_decoders()
    application = make_application(["benchmark"])

    def wait_until(condition: Callable[[], bool], limit_s: float = 60.0) -> None:
        deadline = time.perf_counter() + limit_s
        while not condition():
            if time.perf_counter() > deadline:
                raise TimeoutError("The window did not get there.")
            application.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 2)

    with tempfile.TemporaryDirectory() as folder:
        preferences = Preferences(Path(folder))
        theme.apply_theme(application, preferences)
        program = Program(Places(ROOT), preferences)
        window = program.window
        window.resize(1440, 900)
        window.show()
        samples = sorted((ROOT / "resources" / "samples").glob("*.dcm"))
        ours, theirs = [], []
        for index in range(arguments.pairs + 1):
            # Another case in between, left until its diagnosis is there: the program is warm and idle.
            program.open([samples[index % 2]])
            wait_until(lambda: program.controller.prediction is not None and program.controller.cnn_job is None)
            quiet = time.perf_counter() + 0.5
            wait_until(lambda moment=quiet: time.perf_counter() > moment)  # type: ignore[misc]
            # A new file each time: the program reads ahead and keeps what it has read.
            copy = Path(folder) / f"hip-{index}.dcm"
            copy.write_bytes(arguments.radiograph.read_bytes())
            started = time.perf_counter()
            dataset = pydicom.dcmread(arguments.radiograph)
            _ = dataset.pixel_array
            bare = time.perf_counter() - started
            started = time.perf_counter()
            program.open([copy])
            wait_until(
                lambda path=copy: (
                    program.controller.radiograph is not None and program.controller.radiograph.path == path
                )  # type: ignore[misc]
            )
            window.panes.main.repaint()
            if index:
                theirs.append(bare)
                ours.append(time.perf_counter() - started)
        print(json.dumps({"ours": ours, "theirs": theirs}))
        QTimer.singleShot(0, window.close)
        program.close()


if __name__ == "__main__":
    main()
