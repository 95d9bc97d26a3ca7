"""How the main window hands over to the windows of reader studies: menu, welcome page, files, quitting."""

from __future__ import annotations

import itertools
import sqlite3
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QPushButton, QWidget

from gui.preferences import Preferences
from gui.study.desk import StudyDesk
from gui.study.results_window import ResultsWindow
from gui.study_files import OPEN_STUDY, READ_PACKAGE, study_action
from imaging.reader import read_radiograph
from study.coordinator import Coordinator, draft_study
from study.package import SUFFIX, open_package
from study.protocol import Protocol
from study.returned import write_return
from study.store import StudyStore
from tests.conftest import ROOT
from tests.e2e.window_program import make_root, opened, wait_until, write_hip
from tests.gui.shell_fakes import FakeJobs
from tests.gui.study_desk import PATIENCE_MS
from tests.unit.study.study_maker import CHEAP, PASSPHRASE, ReaderMachine, aid, candidates, protocol, session_of

pytestmark = [
    pytest.mark.qt_log_ignore("does not support propagateSizeHints", extend=True),
    pytest.mark.timeout(300),
]


class Desk:
    """Stands in for gui.study.desk.StudyDesk: notes what it is asked."""

    made: list[Desk]

    def __init__(self, root: Path, data_folder: Path, jobs: Any, preferences: Any, app_version: str, parent: Any):
        assert (root / "pyproject.toml").is_file()
        assert data_folder == preferences.data_folder
        assert app_version
        self.parent = parent
        self.asked: list[tuple[str, Path | None]] = []
        self.lets_go = True
        self.made.append(self)

    def new_study(self) -> None:
        self.asked.append(("new", None))

    def open_study(self, path: Path | None = None) -> None:
        self.asked.append(("open", path))

    def read_package(self, path: Path | None = None) -> None:
        self.asked.append(("read", path))

    def show_results(self, path: Path | None = None) -> None:
        self.asked.append(("results", path))

    def open_example(self) -> None:
        self.asked.append(("example", None))

    def close_all(self) -> bool:
        return self.lets_go


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return make_root(tmp_path_factory.mktemp("root"))


@pytest.fixture
def desks(monkeypatch) -> list[Desk]:
    module = ModuleType("gui.study.desk")
    Desk.made = []
    module.StudyDesk = Desk  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gui.study.desk", module)
    monkeypatch.setitem(sys.modules, "gui.study", ModuleType("gui.study"))
    return Desk.made


def make_study(path: Path) -> Path:
    with sqlite3.connect(path) as connection:
        connection.execute("create table anything (x)")
    connection.close()
    return path


def test_a_study_is_known_by_what_it_is(tmp_path):
    assert study_action(make_study(tmp_path / "hips without an ending")) == OPEN_STUDY
    assert study_action(tmp_path / f"AB{SUFFIX.upper()}") == READ_PACKAGE
    assert study_action(write_hip(tmp_path / "hip.png")) == ""
    assert study_action(tmp_path) == study_action(tmp_path / "missing") == ""
    assert study_action(tmp_path / "AB.lucency-return") == ""


def test_menu_and_welcome_page_lead_to_one_desk(qapp, root, tmp_path, desks):
    with opened(root, tmp_path / "data") as program:
        wait_until(lambda: program.has_painted)
        assert desks == [], "nothing is imported before a study is asked for"
        for name in ("study_new", "study_open", "study_read", "study_results", "study_example"):
            program.window.actions_[name].trigger()
        (desk,) = desks
        assert desk.asked == [(name, None) for name in ("new", "open", "read", "results", "example")]
        assert desk.parent is program.window
        desk.asked.clear()
        for name in ("study_read", "study_new", "study_open", "study_example"):
            program.window.welcome.findChild(QPushButton, name).click()
        assert [name for name, _ in desk.asked] == ["read", "new", "open", "example"]
        titles = [action.text().replace("&", "") for action in program.window.menuBar().actions()]
        assert titles[titles.index("CNN") :] == ["CNN", "Study", "Help"]


def test_files_of_studies_open_there_and_radiographs_here(qapp, root, tmp_path, desks):
    package, study = tmp_path / f"AB{SUFFIX}", make_study(tmp_path / "hips.sqlite")
    package.write_bytes(b"PK")
    with opened(root, tmp_path / "data") as program:
        program.open([package])
        assert desks == [], "the window itself comes first"
        wait_until(lambda: bool(desks))
        (desk,) = desks
        assert desk.asked == [("read", package)]
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path)) for path in (study, write_hip(tmp_path / "hip.png"))])
        program.window.dropEvent(
            QDropEvent(
                QPointF(QPoint(300, 300)),
                Qt.DropAction.CopyAction,
                data,
                Qt.MouseButton.LeftButton,
                Qt.KeyboardModifier.NoModifier,
            )
        )
        assert desk.asked[1:] == [("open", study)]
        wait_until(lambda: [item.label for item in program.library.cases] == ["hip.png"])
        assert [file.path.name for file in program.preferences.recent_files] == ["hip.png"]
        assert not program.window.notice.message


def test_an_open_study_can_keep_the_program_open(qapp, root, tmp_path, desks):
    with opened(root, tmp_path / "data") as program:
        wait_until(lambda: program.has_painted)
        program.open_study("study_example")
        desks[0].lets_go = False
        assert not program.window.close()
        assert program.window.isVisible()
        desks[0].lets_go = True
        assert program.window.close()
        assert not program.window.isVisible()


def study_on_server(url: str, data_folder: Path, value: Protocol) -> None:
    """Closed, not unsealed: two readers whose answers came back as files."""
    images = data_folder / f"images {value.study_id}"
    local = data_folder / "studies" / value.study_id
    local.mkdir(parents=True)
    with StudyStore(url, "1", study=value.study_id, local_folder=local) as store:
        coordinator = Coordinator(store, "1", CHEAP)
        draft = draft_study(value, candidates(images, 8, 1))
        coordinator.register(
            draft, PASSPHRASE, [aid(name, 85.0 if c.truth else 15.0) for name, c in draft.named.items()]
        )
        for case in draft.named.values():
            store.note_location(case.image_sha256, case.source.path).result()
        prepared = coordinator.prepare(
            lambda case: read_radiograph(draft.named[case.id].source, case.frame), local / "out"
        )
        for number, name in enumerate(("R1", "R2")):
            coordinator.enrol(name, PASSPHRASE)
            package = data_folder / f"{name} {value.study_id}{SUFFIX}"
            coordinator.hand_out(name, package, prepared, PASSPHRASE, burned_in_checked=True)
            session, machine = session_of(package), ReaderMachine(f"device {name} {value.study_id}", value.study_id)
            scores = itertools.cycle((20.0, 70.0, 90.0, 35.0, 60.0)[number:])
            machine.read_all(session, lambda _case, _mode, scores=scores: next(scores))
            machine.do(session, session.sign(open_package(package).manifest.account, PASSPHRASE, machine.head))
            back = package.with_suffix(".lucency-return")
            write_return(back, value.study_id, name, machine.events, machine.device)
            coordinator.take_in(back)
        coordinator.close(PASSPHRASE)


@pytest.mark.qt_log_ignore("does not support raise", extend=True)
def test_results_of_a_study_on_a_server(qtbot, tmp_path, url, monkeypatch):
    monkeypatch.setenv("LUCENCY_DATA", str(tmp_path))
    study_on_server(url, tmp_path, protocol())
    study_on_server(url, tmp_path, protocol(study_id="f" * 16, title="Another one"))
    anchor = QWidget()
    qtbot.addWidget(anchor)
    desk = StudyDesk(ROOT, tmp_path, FakeJobs(has_engine=False), Preferences(tmp_path), "1", anchor)
    desk.open_study(url)
    (coordinator,) = desk.windows
    qtbot.waitUntil(lambda: coordinator.choice.count() == 2, timeout=PATIENCE_MS)
    assert [coordinator.choice.item(row).text() for row in range(2)] == [
        "Another one",
        "Loosening with and without the CNN",
    ]
    qtbot.keyClick(coordinator.choice, Qt.Key.Key_Down)
    qtbot.keyClick(coordinator.choice, "\r")
    qtbot.waitUntil(lambda: coordinator.overview is not None, timeout=PATIENCE_MS)
    coordinator.unseal(PASSPHRASE)
    qtbot.waitUntil(lambda: len(desk.windows) == 2, timeout=PATIENCE_MS)
    results = desk.windows[1]
    assert isinstance(results, ResultsWindow)

    def opened_without_asking() -> bool:
        assert not results.passphrase.isVisible()
        return results.results is not None

    qtbot.waitUntil(opened_without_asking, timeout=PATIENCE_MS)
    assert all(case.source is not None for case in results.results.cases)
    assert coordinator.close()
    assert results.close()
    qtbot.waitUntil(lambda: not desk.windows, timeout=PATIENCE_MS)

    desk.show_results(url)
    (results,) = desk.windows
    qtbot.waitUntil(lambda: results.choice.count() == 2, timeout=PATIENCE_MS)
    qtbot.keyClick(results.choice, "\r")
    qtbot.waitUntil(results.passphrase.isVisible, timeout=PATIENCE_MS)
    qtbot.keyClicks(results.passphrase, PASSPHRASE)
    qtbot.keyClick(results.passphrase, "\r")
    qtbot.waitUntil(lambda: results.results is not None, timeout=PATIENCE_MS)
    assert results.title.text() == "Another one"
    assert all(case.source is not None for case in results.results.cases)  # from what this machine noted
    results.save_report(tmp_path / "report.html")
    qtbot.waitUntil((tmp_path / "report.html").exists, timeout=PATIENCE_MS)
    assert "postgresql://" not in (tmp_path / "report.html").read_text("utf-8")
    assert desk.close_all()
