"""Runs in a process of its own: does in the window all that might make a library talk or leave files, then quits.

Arguments: a folder for the study. The data folder is the default one. Prints what was reached.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

STAYS_S = 10  # ONNX Runtime's telemetry looks its host up some seconds after the start
DIALOGS = ("settings", "shortcuts", "logs", "model_card", "about", "record")
STUDY_WINDOWS = ("study_example", "study_new", "study_open")


def main(folder: Path) -> None:
    from PySide6.QtWidgets import QApplication, QFileDialog

    from gui import theme
    from gui.draft import Answer
    from gui.file_dialogs import choose_files
    from gui.preferences import Preferences
    from gui.program import Places, Program, make_application
    from study.model import Call
    from tests.e2e.study_reader import ReaderAtWindow, Study
    from tests.e2e.window_program import ROOT, wait_for_diagnosis, wait_for_record, wait_until

    began = time.monotonic()
    application = make_application(["quiet"])
    preferences = Preferences()
    theme.apply_theme(application, preferences)
    program = Program(Places(ROOT), preferences)
    window = program.window
    window.show()
    program.open([], sample=0)
    wait_for_diagnosis(program)
    program.controller.set_answer(Answer(call=Call.LOOSE, score=90))
    program.controller.submit()
    wait_for_record(program)
    wait_until(lambda: program.engine is not None)
    print("recorded", flush=True)

    methods = program.engine.advanced_methods
    if methods:
        window._advanced._show(methods[0])
        wait_until(lambda: not program.controller.shows_own_maps, what="an advanced map")
    print("advanced map", bool(methods), flush=True)

    for name in DIALOGS:
        program.show_dialog(name)
        application.processEvents()
        program.dialog(name).grab()
    choose_files(window, "Open", "Everything (*)", lambda _paths: None)
    application.processEvents()
    for dialog in window.findChildren(QFileDialog):
        dialog.reject()
    print("dialogs", flush=True)

    study = Study(folder, count=2, practice=0)
    reader = ReaderAtWindow(study.package, preferences.data_folder, program.jobs)
    reader.sign_in()
    reader.begin()
    reader.read_case(70)
    reader.read_case(20)
    reader.sign()
    reader.settle()
    reader.close()
    print("study read", flush=True)

    for name in STUDY_WINDOWS:
        program.open_study(name)
        wait_until(lambda: not (program.desk._background and program.desk._background.tasks))
    for shown in (*program.desk.windows, *QApplication.topLevelWidgets()):
        shown.grab()
    print("study windows", flush=True)

    wait_until(lambda: time.monotonic() > began + STAYS_S)
    program.close()
    window.close()
    print("quit", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
