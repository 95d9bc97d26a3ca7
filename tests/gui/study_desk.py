"""Twelve small radiographs, a wizard that is filled through its fields, and answers that the test gives for the CNN."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QWidget

from gui.study.coordinator_overview import StudyRequest
from gui.study.wizard import StudyWizard
from gui.study.wizard_state import Network
from study.protocol import TrainingData
from tests.unit.study.study_maker import CHEAP, PASSPHRASE, aid, image_file

NETWORK = Network("lucency-1", "ab" * 32, "Lucency", 50.0, TrainingData.SIMULATED)
ROOT = Path(__file__).resolve().parents[2]
PATIENCE_MS = 60_000


def radiographs(folder: Path, count: int = 12) -> Path:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        image_file(folder, number, PatientID=f"secret {number}")
    return folder


def list_of(folder: Path, count: int = 12) -> Path:
    lines = [f"hip {n}.dcm,{n % 2},P{n},{'RL'[n % 2]},{'yes' if n == count - 1 else ''}" for n in range(count)]
    path = folder / "cases.csv"
    path.write_text("path,truth,patient,side,practice\n" + "\n".join(lines) + "\n", "utf-8")
    return path


def drop(widget: QWidget, *paths: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    held = (Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(widget, QDragEnterEvent(QPointF(5, 5).toPoint(), *held))
    QApplication.sendEvent(widget, QDropEvent(QPointF(5, 5), *held))


def make_wizard(qtbot, folder: Path, jobs, preferences) -> StudyWizard:
    wizard = StudyWizard(ROOT, folder / "data", jobs, preferences, "1", cost=CHEAP)
    qtbot.addWidget(wizard)
    wizard.show()
    qtbot.waitUntil(wizard.isEnabled, timeout=PATIENCE_MS)
    return wizard


def fill(qtbot, wizard: StudyWizard, cases: Path) -> None:
    """Everything but place and passphrase, through the fields."""
    wizard.steps.setCurrentRow(0)
    qtbot.keyClicks(wizard.question.title_line.field, "Hips with a CNN")
    qtbot.keyClicks(wizard.question.question_text.field, "Better with it?")
    wizard.question.standard_box.setEditText("Findings at revision surgery")
    qtbot.keyClicks(wizard.question.source_text.field, "Operation notes")
    wizard.steps.setCurrentRow(1)
    drop(wizard.cases.drop, cases)
    qtbot.waitUntil(
        lambda: bool(wizard.state.rows) and all(row.looked_at for row in wizard.state.rows), timeout=PATIENCE_MS
    )
    wizard.readers.lines[1][2].click()
    wizard.readers.lines[0][0].setValue(2)
    wizard.state.set_network(NETWORK)


def answer_for_the_cnn(wizard: StudyWizard) -> None:
    answers = {case.key: aid("", 85.0 if case.truth else 15.0) for case in wizard.state.candidates}
    wizard.state.set_answers(answers, {})


def register(qtbot, wizard: StudyWizard, place: Path) -> StudyRequest:
    """What the wizard hands on to the coordinator's window."""
    page = wizard.register_page
    wizard.steps.setCurrentRow(9)
    page.place_line.clear()
    qtbot.keyClicks(page.place_line, str(place))
    qtbot.keyClicks(page.passphrase.first, PASSPHRASE)
    qtbot.keyClicks(page.passphrase.second, PASSPHRASE)
    assert page.refusal() == ""
    with qtbot.waitSignal(wizard.registered, timeout=PATIENCE_MS) as made:
        page.register_button.click()
    return made.args[0]
