"""Make the pictures of README and user guide from the program itself: `python -m docs.make_screenshots`.

Every picture shows the samples that come with the program, read by the bundled network, in a data folder of its own.
"""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
SIZE = (1440, 900)
LIMIT_S = 120.0


def main() -> int:
    from PySide6.QtCore import QEventLoop, QTimer
    from PySide6.QtWidgets import QWidget

    from gui import theme
    from gui.annotations import new_annotation
    from gui.cases import DiagnosisState
    from gui.preferences import Preferences
    from gui.program import Places, Program, make_application
    from gui.samples import find_samples
    from gui.study.results_window import ResultsWindow
    from study.model import AnnotationKind, Call, ReadingMode, ZoneFinding

    PICTURES.mkdir(exist_ok=True)
    application = make_application(sys.argv[:1])

    def wait(milliseconds: int) -> None:
        loop = QEventLoop()
        QTimer.singleShot(milliseconds, loop.quit)
        loop.exec()

    def until(condition: Callable[[], bool]) -> None:
        for _ in range(int(LIMIT_S * 20)):
            if condition():
                break
            wait(50)
        else:
            raise TimeoutError("The window did not get there.")
        wait(200)

    def save(widget: QWidget, name: str) -> None:
        if not widget.grab().save(str(PICTURES / f"{name}.png")):
            raise OSError(f"{name}.png cannot be written")
        print(f"docs/pictures/{name}.png")  # noqa: T201

    with tempfile.TemporaryDirectory() as folder:
        preferences = Preferences(Path(folder))
        preferences.reader_name = "AB"
        theme.apply_theme(application, preferences)
        program = Program(Places(ROOT), preferences)
        window, controller, library = program.window, program.controller, program.library
        samples = [sample.path.stem for sample in find_samples(program.places.samples)]
        window.resize(*SIZE)
        window.show()

        def open_sample(stem: str) -> None:
            library.open(samples.index(stem))
            until(
                lambda: (
                    controller.radiograph is not None
                    and controller.radiograph.path.stem == stem
                    and controller.diagnosis_state in (DiagnosisState.SHOWN, DiagnosisState.HIDDEN)
                    and controller.hip is not None
                    and controller.cnn_job is None
                )
            )

        until(lambda: window.welcome.thumbnails_loaded and program.engine is not None)
        save(window, "welcome")

        window.opening.open_samples(samples.index("loose-cemented"))
        open_sample("loose-cemented")
        until(lambda: all(item.thumbnail is not None for item in library.cases))
        program.overlay.set_visible(True)
        wait(200)
        save(window, "diagnosis")

        open_sample("both-hips")
        program.overlay.set_visible(True)
        wait(200)
        save(window, "window")
        open_sample("lateral-view")
        save(window, "not-assessable")

        controller.set_mode(ReadingMode.ANSWER_FIRST)
        open_sample("loose-cementless")
        window.form.edit("call", call=Call.LOOSE)
        save(window, "answer-first")
        window.form.edit("score", score=85)
        window.form.edit("stem", stem_call=Call.LOOSE)
        window.form.edit(
            "zones", findings=(ZoneFinding("1", lucency=True, width_mm=2.5), ZoneFinding("7", lucency=True))
        )
        line = lateral_line(program.places.samples / "loose-cementless.truth.json")
        program.marks.add(new_annotation(AnnotationKind.LUCENT_LINE, line, width_px=14.0))
        window.form.submit()
        until(lambda: controller.pending == 0)
        window.actions_["side_by_side"].setChecked(True)
        wait(300)
        program.marks.clear_selection()
        save(window, "side-by-side")
        window.actions_["side_by_side"].setChecked(False)

        for name in ("record", "settings", "shortcuts", "about"):
            program.show_dialog(name)
            wait(1500)
            save(program.dialog(name), name)

        program.desk.new_study()
        wizard = program.desk.windows[-1]
        wizard.resize(1100, 800)
        wait(1000)
        save(wizard, "study-wizard")
        wizard.close()
        wait(300)

        program.desk.open_example()
        until(lambda: any(isinstance(shown, ResultsWindow) for shown in program.desk.windows))
        results = next(shown for shown in program.desk.windows if isinstance(shown, ResultsWindow))
        results.resize(1300, 860)
        until(results.open_button.isVisible)
        results.open_button.click()
        until(lambda: results.results is not None)
        wait(1500)
        save(results, "study-results")
        rows = range(results.index.count())
        results.index.setCurrentRow(next(row for row in rows if "ROC" in results.index.item(row).text()))
        wait(500)
        save(results, "study-roc")

        program.close()
    return 0


def lateral_line(truth: Path) -> list[tuple[float, float]]:
    """Where a reader would draw the line along the lateral border of the stem, in image pixels."""
    landmarks = json.loads(truth.read_text("utf-8"))["hips"][0]["landmarks_px"]
    (top_x, top_y), (tip_x, tip_y) = landmarks["shoulder"], landmarks["stem_tip"]
    lateral = math.copysign(0.42 * landmarks["head_radius_px"], top_x - landmarks["head_center"][0])
    shares = (0.2, 0.35, 0.5, 0.65, 0.8, 0.92)
    return [(top_x + t * (tip_x - top_x) + lateral, top_y + t * (tip_y - top_y)) for t in shares]


if __name__ == "__main__":
    sys.exit(main())
