"""The one door to reader studies: every window of theirs is opened, found again and closed here.

The windows are imported when they are opened, so that starting the program does not pay for them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QProgressDialog, QWidget

from gui.errors import show_error
from gui.file_dialogs import choose_file

if TYPE_CHECKING:
    from gui.jobs import Jobs
    from gui.preferences import Preferences
    from gui.study.background import Background

NO_RESULTS_FROM_SERVER = (
    "The results window opens files only. For a study on a server the command “analyse” with the server's address writes "
    "the same report."
)


class StudyDesk(QObject):
    """`root` is the program's folder, `data_folder` the user's. Windows become children of `parent`, if there is one."""

    def __init__(
        self,
        root: Path,
        data_folder: Path,
        jobs: Jobs,
        preferences: Preferences,
        app_version: str,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._root = root
        self._data_folder = data_folder
        self._jobs = jobs
        self._preferences = preferences
        self._app_version = app_version
        self._anchor = parent or QWidget()  # what dialogs belong to
        self._windows: dict[str, QWidget] = {}
        self._background: Background | None = None

    @property
    def windows(self) -> list[QWidget]:
        """Those that are open, oldest first."""
        return list(self._windows.values())

    def new_study(self) -> None:
        """The wizard. One at a time: it keeps one draft."""
        self._show("wizard", self._make_wizard)

    def open_study(self, path: Path | str | None = None) -> None:
        """The coordinator's window of a study file, or of a study on a server by URL. None asks which."""
        if path is None:
            from gui.study.open_dialog import OpenStudyDialog

            dialog = OpenStudyDialog(self._anchor)
            dialog.chosen.connect(self.open_study)
            dialog.open()
            return
        where = _where(path)
        self._show(f"study {where}", lambda: self._make_coordinator(where))

    def read_package(self, path: Path | None = None) -> None:
        """The blinded reading window of a reader package. None asks for the file."""
        if path is None:
            self._ask("Open a reader package", self.read_package)
        else:
            self._show(f"package {path.absolute()}", lambda: self._make_reading(path))

    def show_results(self, path: Path | str | None = None) -> None:
        """Results of a study file, `.imrmc` or CSV. None asks for the file."""
        if path is None:
            self._ask("Open a study or a file of scores", self.show_results)
            return
        where = _where(path)
        if isinstance(where, str):
            show_error(self._anchor, NO_RESULTS_FROM_SERVER)
        else:
            self._show(f"results {where}", lambda: self._make_results(where))

    def open_example(self) -> None:
        """The simulated study that comes with the program: a copy in the user's folder, so that nothing is spoilt."""
        from gui.study.background import Background

        if self._background is None:
            self._background = Background("desk", self)
        if self._background.tasks:
            return  # it is being copied already
        root, data_folder = self._root, self._data_folder

        def work(_steps: object) -> Path:
            from study.coordinator import CoordinatorError
            from study.example import example_study

            try:
                return example_study(root, data_folder)
            except FileNotFoundError as error:
                raise CoordinatorError("The example study is missing from this installation.") from error

        task = self._background.run("Preparing the example", work, self._show_example, self._refuse)
        wait = QProgressDialog("Preparing the example study …", "", 0, 0, self._anchor)
        wait.setWindowTitle("Worked example")
        wait.setCancelButton(None)
        wait.reset()  # else it shows itself after a while, whether or not there is still something to wait for
        task.slow.connect(wait.show)
        task.ended.connect(wait.deleteLater)

    def _show_example(self, path: Path) -> None:
        from study.example import PASSPHRASE

        known = f"results {path.absolute()}" in self._windows
        self.show_results(path)
        if not known:
            window: Any = self._windows[f"results {path.absolute()}"]
            window.passphrase.setText(PASSPHRASE)
            window.notices.show_notice(
                "The example's passphrase is no secret; it is filled in. Press Enter.", seconds=15
            )

    def close_all(self) -> bool:
        """Close every window; False where one of them asked to stay open."""
        closed = all(window.close() for window in self.windows)
        if closed and self._background is not None:
            self._background.shutdown()
            self._background = None
        return closed

    # --- making them

    def _make_wizard(self) -> QWidget:
        make = _window("wizard", "StudyWizard")
        wizard: Any = make(self._root, self._data_folder, self._jobs, self._preferences, self._app_version)
        wizard.registered.connect(self.open_study)
        return cast(QWidget, wizard)

    def _make_coordinator(self, where: Path | str) -> QWidget:
        make = _window("coordinator_window", "CoordinatorWindow")
        window: Any = make(where, self._data_folder, self._jobs, self._preferences, self._app_version)
        window.results_asked.connect(self.show_results)
        return cast(QWidget, window)

    def _make_reading(self, path: Path) -> QWidget:
        make = _window("reading_window", "StudyReadingWindow")
        return cast(QWidget, make(path, self._data_folder, self._jobs, self._preferences, self._app_version))

    def _make_results(self, path: Path) -> QWidget:
        make = _window("results_window", "ResultsWindow")
        return cast(QWidget, make(path, self._jobs, self._preferences, self._app_version))

    def _show(self, name: str, make: Callable[[], QWidget]) -> None:
        window = self._windows.get(name)
        if window is None:
            window = make()
            # Top-level, not a child: a study's window may be moved beside the program's own, or in front of it.
            window.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            window.destroyed.connect(lambda: self._windows.pop(name, None))
            self._windows[name] = window
        window.show()
        window.raise_()
        window.activateWindow()

    def _refuse(self, sentence: str, details: str) -> None:
        show_error(self._anchor, sentence, details)

    def _ask(self, title: str, then: Callable[[Path], None]) -> None:
        choose_file(self._anchor, title, then)


def _window(module: str, name: str) -> Any:
    return getattr(importlib.import_module(f"gui.study.{module}"), name)


def _where(path: Path | str) -> Path | str:
    text = str(path)
    return text if "://" in text else Path(text).absolute()
