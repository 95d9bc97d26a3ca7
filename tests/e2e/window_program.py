"""A whole program for tests: real workers, a tiny network, radiographs that the tests make."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from PySide6.QtCore import QEventLoop, QTimer

from gui import theme
from gui.cases import DiagnosisState
from gui.preferences import Preferences
from gui.program import Places, Program, make_application
from tests.unit.inference import bundles

ROOT = Path(__file__).resolve().parents[2]
READER = "AB"


def make_root(folder: Path) -> Path:
    """A program folder whose only network is the tests' tiny one."""
    root = folder / "program"
    root.mkdir()
    shutil.copy(ROOT / "pyproject.toml", root)
    bundles.make_bundle(root / "resources" / "models" / "tiny")
    return root


def write_hip(path: Path, spot: tuple[int, int] | None = (48, 40), noise: int = 0) -> Path:
    """A PNG that the tiny network calls loose where there is a `spot`; another `noise` makes another file."""
    pixels = np.kron(bundles.hip(spot), np.ones((4, 4)))
    pixels[0, :8] = noise / 255
    Image.fromarray((255 * pixels).astype(np.uint8)).save(path)
    return path


@contextmanager
def opened(root: Path, data: Path, **preferences: object) -> Iterator[Program]:
    application = make_application(["test"])
    chosen = Preferences(data)
    chosen.reader_name = READER
    for name, value in preferences.items():
        setattr(chosen, name, value)
    theme.apply_theme(application, chosen)
    program = Program(Places(root), chosen)
    program.window.resize(1300, 850)
    program.window.show()
    try:
        yield program
    finally:
        program.close()
        program.window.close()
        program.deleteLater()
        program.window.deleteLater()
        application.processEvents()


def wait_until(condition: Callable[[], bool], timeout_s: float = 60.0, what: str = "") -> None:
    """Run the event loop until `condition` holds; AssertionError when it never does."""
    loop = QEventLoop()
    timer = QTimer()
    timer.setInterval(20)
    left = [int(timeout_s * 1000 / 20)]

    def look() -> None:
        left[0] -= 1
        if condition() or left[0] <= 0:
            loop.quit()

    timer.timeout.connect(look)
    timer.start()
    if not condition():
        loop.exec()
    timer.stop()
    assert condition(), f"This did not happen within {timeout_s:g} s: {what or condition}"


def wait_for_diagnosis(program: Program, label: str = "") -> None:
    def there() -> bool:
        controller = program.controller
        shown = controller.shown
        return (
            shown is not None
            and (not label or shown.label == label)
            and controller.hip is not None
            and controller.hip.prediction is not None
            and controller.diagnosis_state in (DiagnosisState.SHOWN, DiagnosisState.HIDDEN)
        )

    wait_until(there, what=f"diagnosis of {label or 'the case on screen'}")


def wait_for_record(program: Program) -> None:
    wait_until(lambda: program.controller.pending == 0 and not any(h.saving for h in program.controller.hips))
