"""The program with its window: makes the parts, hands them to each other, ends them in the right order."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QSettings, Qt, QTimer, Signal
from PySide6.QtGui import QUndoStack
from PySide6.QtWidgets import QApplication, QWidget

from gui import actions, theme
from gui.annotations import AnnotationModel
from gui.bundle_choice import Network, choose_network, find_networks, origin_words
from gui.draft import image_of
from gui.errors import attempt
from gui.jobs import Jobs
from gui.library import THUMBNAIL_PX, CaseLibrary
from gui.main_window import MainWindow
from gui.overlay import OverlayState
from gui.preferences import Preferences
from gui.reading import ReadingController
from gui.samples import find_samples
from gui.study_files import study_action
from gui.version import app_version
from imaging.sources import Source
from imaging.worker import SupervisedWorker, decode_worker
from inference import CACHE_FOLDER
from inference import worker as inference_worker
from inference.model_bundle import ModelCard
from study.model import Reader
from study.store import History, Location, StoreError, StudyStore

if TYPE_CHECKING:
    from gui.study.desk import StudyDesk
    from gui.views.record_view import RecordView

log = logging.getLogger(__name__)
RECORD_FILE = "record.sqlite"
LOG_FILE = "lucency.log"
REST_STARTS_MS = 1500  # after the window was painted, whatever became of the file
DEFAULT_READER = "reader"


@dataclass(frozen=True)
class Places:
    """Where things lie. The core is handed paths; only this and `main` know the folders."""

    root: Path  # of the program: holds resources/

    @property
    def samples(self) -> Path:
        return self.root / "resources" / "samples"

    @property
    def models(self) -> Path:
        return self.root / "resources" / "models"


class Program(QObject):
    """One window, its workers and its record."""

    _history_read = Signal(object)  # list of readings, from the store's thread

    def __init__(
        self,
        places: Places,
        preferences: Preferences,
        *,
        decoder: SupervisedWorker | None = None,
        begun: Mapping[Source, Future[Any]] | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.places = places
        self.preferences = preferences
        self.version = app_version(places.root)
        self.store = StudyStore(preferences.data_folder / RECORD_FILE, self.version)
        self.card: ModelCard | None = None
        self.engine: inference_worker.EngineDescription | None = None
        self._network = self._choose_network()
        engine = self._make_engine()
        self.jobs = Jobs(decoder if decoder is not None else decode_worker(), decode_worker, engine, self, begun=begun)
        self.library = CaseLibrary(self.jobs, self)
        self.undo_stack = QUndoStack(self)
        self.marks = AnnotationModel(self.undo_stack, self)
        self.overlay = OverlayState(self)
        self.controller = ReadingController(
            self.jobs,
            self.library,
            self.store,
            self.marks,
            reader=self._reader,
            app_version=self.version,
            parent=self,
        )
        self.window = MainWindow(
            self.jobs,
            self.library,
            self.controller,
            self.marks,
            self.undo_stack,
            self.overlay,
            preferences,
            find_samples(places.samples),
        )
        self._dialogs: dict[str, QWidget] = {}
        self._record_view: RecordView | None = None
        self._desk: StudyDesk | None = None
        self._closed = False
        self.expects_files = False
        self.has_painted = False
        self._rest_started = False
        self._show_model()
        self.window.painted.connect(self._after_first_paint)
        self.window.dialog_asked.connect(self.show_dialog)
        self.window.study_asked.connect(self.open_study)
        self.window.may_close = self._may_close
        self.window.closed.connect(self.close)
        self.window.welcome.drafts_asked.connect(self.open_drafts)
        preferences.changed.connect(self._on_preference)
        self._history_read.connect(self.controller.learn_history)
        self.controller.record_opened.connect(self._read_history_soon)
        self.controller.recorded.connect(self._refresh_record)

    # -- the CNN ----------------------------------------------------------------------------------

    def _choose_network(self) -> Network | None:
        networks = self._networks()
        chosen = choose_network(networks, self.preferences.model_id)
        self.card = chosen.card if chosen is not None else None
        self._origin = origin_words(chosen, networks) if chosen is not None else ""
        return chosen

    def _networks(self) -> list[Network]:
        """Those that come with the program and those in the data folder's `models`."""
        return find_networks(self.places.models, self.preferences.data_folder / "models")

    def _make_engine(self) -> SupervisedWorker | None:
        if self._network is None:
            return None
        return SupervisedWorker(
            "inference",
            initializer=inference_worker.start,
            initargs=(self._network.bundle.folder, self.preferences.device.value),
        )

    def _replace_engine(self) -> None:
        self._network = self._choose_network()
        self.engine = None
        self.jobs.replace_engine(self._make_engine())
        self._show_model()
        self.controller.forget_predictions()
        self._describe_engine()

    def _describe_engine(self) -> None:
        if not self.jobs.has_engine:
            return
        job = self.jobs.describe_engine()
        job.done.connect(self._on_engine)
        job.failed.connect(self.window.show_problem)

    def _on_engine(self, description: inference_worker.EngineDescription) -> None:
        self.engine = description
        self._show_model()

    def _show_model(self) -> None:
        self.window.set_model(self.card, self.engine, self._origin)

    # -- after the start --------------------------------------------------------------------------

    def _after_first_paint(self) -> None:
        """What can wait until the radiograph that was asked for is on screen: on two cores everything competes."""
        self.has_painted = True
        if self.library.cases or self.expects_files:
            self.controller.radiograph_changed.connect(self._start_the_rest, Qt.ConnectionType.QueuedConnection)
            self.library.open_failed.connect(self._start_the_rest)
            QTimer.singleShot(REST_STARTS_MS, self._start_the_rest)
        else:
            self._start_the_rest()

    def _start_the_rest(self) -> None:
        """The record is opened, the engine warms up, earlier readings are looked through."""
        if self._rest_started or self._closed:
            return
        self._rest_started = True
        self.controller.open_record()
        self._describe_engine()
        if not self.library.cases:
            self.window.welcome.load_thumbnails(self._sample_thumbnail)
        for sentence in self.preferences.problems:
            self.window.show_problem(sentence)

    def _sample_thumbnail(self, path: Path) -> Any:
        return self.jobs.glance(Source(path), THUMBNAIL_PX)

    def _read_history_soon(self) -> None:
        QTimer.singleShot(300, self._read_history)

    def _read_history(self) -> None:
        """Which cases of this machine are read, and which were left unfinished; in the store's thread."""
        if self._closed:
            return
        self.window.welcome.show_drafts(len(self._draft_places()))
        from study.record import fold

        def on_read(future: Future[History]) -> None:
            error = future.exception() if not future.cancelled() else None
            if error is not None:
                log.warning("Earlier readings could not be looked through: %s", error)
            elif not future.cancelled():
                history = future.result()
                self._history_read.emit([item.reading for item in fold(history.events, history.problems).readings])

        self.store.read().add_done_callback(on_read)

    def _reader(self) -> Reader:
        preferences = self.preferences
        return Reader(id=preferences.reader_name or DEFAULT_READER, experience=preferences.reader_experience)

    def _on_preference(self, name: str) -> None:
        if name in ("theme", "font_scale_percent"):
            application = QApplication.instance()
            assert isinstance(application, QApplication)
            theme.apply_theme(application, self.preferences)
        elif name == "reader_name":
            self.controller.refresh_list()
        elif name in ("device", "model_id"):
            self._replace_engine()

    # -- dialogs ----------------------------------------------------------------------------------

    def show_dialog(self, name: str) -> None:
        """Open a dialog, or bring the open one to the front. Their modules are imported here, not at start."""
        shown = self._dialogs.get(name)
        if shown is not None:
            if name == "record":
                self._refresh_record()
            shown.show()
            shown.raise_()
            shown.activateWindow()
            return
        maker: Callable[[], QWidget] = getattr(self, f"_make_{name}")
        dialog = maker()
        self._dialogs[name] = dialog
        if name != "record":  # that one has a thread of its own, ended with the program
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.destroyed.connect(lambda: self._dialogs.pop(name, None))
        dialog.show()

    def dialog(self, name: str) -> QWidget:
        """An open one."""
        return self._dialogs[name]

    def _make_settings(self) -> QWidget:
        from gui.views.settings_dialog import SettingsDialog

        networks = {network.card.id: network.card.title for network in self._networks()}
        return SettingsDialog(self.preferences, list(actions.specs()), self.window, networks=networks)

    def _make_shortcuts(self) -> QWidget:
        from gui.views.shortcut_sheet import ShortcutSheet

        return ShortcutSheet(actions.specs(), self.preferences.shortcuts, self.window)

    def _make_logs(self) -> QWidget:
        from gui.views.log_viewer import LogViewer

        return LogViewer(self.preferences.data_folder / "logs" / LOG_FILE, self.window)

    def _make_model_card(self) -> QWidget:
        from gui.views.model_card_dialog import ModelCardDialog

        folder = self._network.bundle.folder if self._network is not None else None
        return ModelCardDialog(folder, self.window)

    def _make_about(self) -> QWidget:
        from gui.views.about_dialog import AboutDialog, NetworkLine

        networks = [
            NetworkLine(
                network.card.id,
                network.card.version,
                network.bundle.sha256,
                network.card.title,
                in_use=self._network is not None and network.bundle.folder == self._network.bundle.folder,
                is_added=network.is_added,
            )
            for network in self._networks()
        ]
        engine = self.engine.engine_label if self.engine is not None else ""
        return AboutDialog(self.version, networks, missing_parts(), engine, self.window)

    def _make_record(self) -> QWidget:
        from gui.views.record_view import RecordView

        view = self._record_view = RecordView(self.store, self.window)
        view.setWindowFlag(Qt.WindowType.Window)
        view.setWindowTitle("Record of readings")
        view.open_case.connect(self._open_recorded)
        view.notice.connect(self.window.notice.show_note)
        em = view.fontMetrics().height()
        view.resize(64 * em, 42 * em)
        view.refresh()
        return view

    def _refresh_record(self) -> None:
        if self._record_view is not None and not self._closed:
            self._record_view.refresh()

    def _open_recorded(self, image_sha256: str, frame: int) -> None:
        """A reading's case, where its image was last seen."""
        try:
            location = self.store.location(image_sha256)
        except StoreError as error:
            self.window.show_problem(error.sentence, error.details)
            return
        if location is None:
            self.window.show_problem("It is not known where this image lies; relink it in the record.")
            return
        self.library.add([Source(Path(location.path), location.member)], frame=frame)
        self.window.raise_()
        self.window.activateWindow()

    def open_drafts(self) -> None:
        """Every radiograph whose reading was left unfinished."""
        sources = [Source(Path(place.path), place.member) for place in self._draft_places()]
        self.library.add(sources)

    def _draft_places(self) -> list[Location]:
        hashes = dict.fromkeys(image_of(key) for key in self.store.drafts())
        places = [self.store.location(image_sha256) for image_sha256 in hashes]
        return [place for place in places if place is not None]

    def offer_crash_log(self, note: str) -> None:
        """The last run ended below Python: its report can be looked at and copied."""
        self.window.show_problem("Lucency ended unexpectedly last time. What was recorded is safe.", note)

    # -- reader studies ---------------------------------------------------------------------------

    @property
    def desk(self) -> StudyDesk:
        """The windows of reader studies. Their modules are imported when the first one is asked for."""
        if self._desk is None:
            from gui.study.desk import StudyDesk

            self._desk = StudyDesk(
                self.places.root, self.preferences.data_folder, self.jobs, self.preferences, self.version, self.window
            )
        return self._desk

    def open_study(self, action: str, path: Path | None = None) -> None:
        """A study's window, by the id of its action; `path` is the file that was given with it, if any."""
        if self._closed:
            return
        if not self.has_painted:  # a package on the command line: the window that owns the others comes first
            self.window.painted.connect(lambda: self.open_study(action, path))
            return
        desk = self.desk
        ways: dict[str, Callable[[], object]] = {
            "study_new": desk.new_study,
            "study_open": lambda: desk.open_study(path),
            "study_read": lambda: desk.read_package(path),
            "study_results": lambda: desk.show_results(path),
            "study_example": desk.open_example,
        }
        ways[action]()

    def _may_close(self) -> bool:
        """Not while a study's window has something to finish first."""
        return self._desk is None or self._desk.close_all()

    # -- the end ----------------------------------------------------------------------------------

    def open(self, paths: Sequence[Path], *, sample: int | None = None) -> None:
        self.expects_files = any(not study_action(path) for path in paths)
        if sample is not None:
            self.window.opening.open_samples(sample)
        self.window.opening.open_paths(list(paths))

    def open_from_elsewhere(self, paths: Sequence[Path], sample: bool) -> None:
        """A second start has handed these over: they open here, in the window that is brought to the front."""
        self.open(paths, sample=0 if sample else None)
        window = self.window
        window.setWindowState(window.windowState() & ~Qt.WindowState.WindowMinimized)
        window.show()
        window.raise_()
        window.activateWindow()
        QApplication.alert(window)  # where the system lets no program come to the front by itself

    def close(self) -> None:
        """Workers first, then the record: what was acknowledged is on disk, what was entered is in a draft."""
        if self._closed:
            return
        self._closed = True
        steps: list[Callable[[], object]] = [self.controller.flush]
        if self._desk is not None:
            steps.append(self._desk.close_all)
        steps += [dialog.close for dialog in self._dialogs.values()]
        if self._record_view is not None:
            steps.append(self._record_view.close_down)
        for step in (*steps, self.preferences.flush, self.jobs.shutdown, self.store.close):
            attempt(step, None)


def missing_parts() -> list[str]:
    """What this installation cannot do, in sentences for About. Looks without importing."""
    lacks = []
    if importlib.util.find_spec("torch") is None:
        lacks.append("Without torch the CNN runs on the CPU through ONNX Runtime; CUDA and MPS need torch.")
    if lacks or importlib.util.find_spec("pytorch_grad_cam") is None:
        lacks.append("The advanced maps need torch and the grad-cam library.")
    return lacks


def make_application(arguments: list[str]) -> QApplication:
    """The QApplication with the program's names; theme and fonts are applied by the caller's preferences."""
    application = QApplication.instance() or QApplication(arguments)
    assert isinstance(application, QApplication)
    application.setApplicationName("Lucency")
    application.setApplicationDisplayName("")
    application.setDesktopFileName("lucency")
    # What Qt's file dialogs note goes into a file of the program's own, not into the one of all Qt programs.
    QSettings.setPath(QSettings.Format.NativeFormat, QSettings.Scope.UserScope, str(CACHE_FOLDER / "qt"))
    return application
