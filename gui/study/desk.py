"""The one door to reader studies: every window of theirs is opened, found again and closed here.

The windows are imported when they are opened, so that starting the program does not pay for them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QProgressDialog, QWidget

from gui.errors import show_error
from gui.file_dialogs import choose_file

if TYPE_CHECKING:
    from gui.jobs import Jobs
    from gui.preferences import Preferences
    from gui.study.background import Background
    from gui.study.coordinator_overview import StudyRequest
    from gui.study.coordinator_window import CoordinatorWindow
    from gui.study.reading_window import StudyReadingWindow
    from gui.study.results_data import ResultsRequest
    from gui.study.wizard import StudyWizard


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
            lead = (
                "The coordinator's study file, or the address of a PostgreSQL server that several workstations share."
            )
            self._ask_place("Open a study", lead, self.open_study)
            return
        from gui.study.coordinator_overview import StudyRequest

        self.open_study_of(StudyRequest(_where(path)))

    def open_study_of(self, request: StudyRequest) -> None:
        """With what the one who asks knows already: which study of a server, the passphrase."""
        name = f"study {request.place} {request.study if isinstance(request.place, str) else ''}"
        self._show(name, lambda: self._make_coordinator(request))

    def read_package(self, path: Path | None = None) -> None:
        """The blinded reading window of a reader package. None asks for the file."""
        if path is None:
            self._ask("Open a reader package", self.read_package)
        else:
            self._show(f"package {path.absolute()}", lambda: self._make_reading(path))

    def show_results(self, path: Path | str | None = None) -> None:
        """Results of a study, in a file or on a server by URL, or of an `.imrmc` or CSV. None asks which."""
        from gui.study.results_data import ResultsRequest

        if path is None:
            lead = "A study whose reading phase is closed, in a file or on a server, or a file of scores (.imrmc, CSV)."
            self._ask_place("Results of a study", lead, self.show_results)
            return
        self.show_results_of(ResultsRequest(_where(path)))

    def show_results_of(self, request: ResultsRequest) -> None:
        """With what the one who asks knows already: the passphrase, where the images lie."""
        from gui.study.results_window import ResultsWindow

        name = _results_name(request.place, request.study)
        known = self._windows.get(name)
        self._show(name, lambda: self._make_results(request))
        if isinstance(known, ResultsWindow):
            known.open_with(request.passphrase)

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
        from gui.study.results_window import ResultsWindow
        from study.example import PASSPHRASE

        name = _results_name(path.absolute())
        known = name in self._windows
        self.show_results(path)
        window = self._windows[name]
        if not known and isinstance(window, ResultsWindow):
            window.offer(PASSPHRASE, "The example's passphrase is no secret; it is filled in. Press Enter.")

    def close_all(self) -> bool:
        """Close every window. False, and all stay open, where one of them cannot be closed now; each of these says why."""
        from gui.study.parts import StudyWindow

        refusing = [window for window in self.windows if isinstance(window, StudyWindow) and not window.may_close()]
        for window in refusing:
            self._to_front(window)
        if refusing:
            return False
        closed = [window.close() for window in self.windows]
        if self._background is not None:
            self._background.shutdown()
            self._background = None
        return all(closed)

    # --- making them

    def _make_wizard(self) -> StudyWizard:
        from gui.study.wizard import StudyWizard

        wizard = StudyWizard(self._root, self._data_folder, self._jobs, self._preferences, self._app_version)
        wizard.registered.connect(self.open_study_of)
        return wizard

    def _make_coordinator(self, request: StudyRequest) -> CoordinatorWindow:
        from gui.study.coordinator_window import CoordinatorWindow

        window = CoordinatorWindow(request, self._data_folder, self._jobs, self._preferences, self._app_version)
        window.results_asked.connect(self.show_results_of)
        return window

    def _make_reading(self, path: Path) -> StudyReadingWindow:
        from gui.study.reading_window import StudyReadingWindow

        return StudyReadingWindow(path, self._data_folder, self._jobs, self._preferences, self._app_version)

    def _make_results(self, request: ResultsRequest) -> QWidget:
        from gui.study.results_window import ResultsWindow

        return ResultsWindow(request, self._data_folder, self._jobs, self._preferences, self._app_version)

    def _show(self, name: str, make: Callable[[], QWidget]) -> None:
        window = self._windows.get(name)
        if window is None:
            window = make()
            # Top-level, not a child: a study's window may be moved beside the program's own, or in front of it.
            window.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            window.destroyed.connect(lambda: self._windows.pop(name, None))
            self._windows[name] = window
        self._to_front(window)

    def _to_front(self, window: QWidget) -> None:
        window.show()
        window.raise_()
        window.activateWindow()

    def _refuse(self, sentence: str, details: str) -> None:
        show_error(self._anchor, sentence, details)

    def _ask(self, title: str, then: Callable[[Path], None]) -> None:
        choose_file(self._anchor, title, then)

    def _ask_place(self, title: str, lead: str, then: Callable[[Path | str | None], None]) -> None:
        from gui.study.open_dialog import OpenStudyDialog

        dialog = OpenStudyDialog(title, lead, self._anchor)
        dialog.chosen.connect(then)
        dialog.open()


def _where(path: Path | str) -> Path | str:
    text = str(path)
    return text if "://" in text else Path(text).absolute()


def _results_name(place: Path | str, study: str = "") -> str:
    """A file holds one study, a server may hold several."""
    return f"results {place}" if isinstance(place, Path) else f"results {place} {study}"
