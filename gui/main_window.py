"""The window: lays out the views and connects them to the controller. What happens is decided there, not here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QByteArray, Qt, QTimer, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QPaintEvent,
    QUndoStack,
)
from PySide6.QtWidgets import QApplication, QMainWindow, QStackedWidget, QVBoxLayout, QWidget

from gui.actions import Actions
from gui.annotations import AnnotationModel
from gui.errors import attempt, keep_private
from gui.file_dialogs import choose_new_file
from gui.jobs import Jobs
from gui.library import CaseLibrary
from gui.overlay import OverlayMode, OverlayState
from gui.picture_handlers import picture_handlers
from gui.preferences import Preferences
from gui.reading import ReadingController
from gui.samples import Sample
from gui.tools import Tool
from gui.views.case_list import CaseListView
from gui.views.diagnosis_panel import DiagnosisPanel
from gui.views.fitting_scroll import FittingScroll
from gui.views.form_parts import rule
from gui.views.map_bar import MapBar
from gui.views.notice_bar import NoticeBar
from gui.views.reading_form import ReadingForm
from gui.views.side_by_side import ReadingPanes
from gui.views.welcome import WelcomeView
from gui.window.action_states import ActionStates
from gui.window.advanced_maps import AdvancedMaps
from gui.window.banner import ResearchBanner
from gui.window.case_title import CaseTitle
from gui.window.columns import ReadingColumns
from gui.window.form_link import FormLink
from gui.window.head_calibration import HeadRuler
from gui.window.menus import FileMenus, ImageMenus
from gui.window.opening import Opening, local_paths
from gui.window.status_line import StatusLine
from gui.window.tool_bars import ModeSwitch, add_tool_bars
from imaging.geometry import HipRegion
from imaging.radiograph import Side
from inference.model_bundle import ModelCard
from inference.worker import EngineDescription
from study.model import ReadingMode

TITLE = "Lucency"
DIALOGS = ("record", "settings", "shortcuts", "about", "logs", "model_card")
STUDY_ACTIONS = ("study_read", "study_new", "study_open", "study_results", "study_example")


class MainWindow(QMainWindow):
    painted = Signal()  # once, after the first paint
    closed = Signal()
    study_asked = Signal(str, object)  # a study's action by id, and the file it is asked for or None
    dialog_asked = Signal(str)  # one of DIALOGS: the program opens them

    def __init__(
        self,
        jobs: Jobs,
        library: CaseLibrary,
        controller: ReadingController,
        marks: AnnotationModel,
        undo_stack: QUndoStack,
        overlay: OverlayState,
        preferences: Preferences,
        samples: Sequence[Sample],
    ) -> None:
        super().__init__()
        self._jobs = jobs
        self._library = library
        self._controller = controller
        self._marks = marks
        self._undo_stack = undo_stack
        self._overlay = overlay
        self._preferences = preferences
        self._has_painted = False
        self.may_close: Callable[[], bool] = lambda: True  # asked before the window closes
        self.setWindowTitle(TITLE)
        self.setAcceptDrops(True)
        self.setMinimumSize(900, 560)
        self._restore_looks()
        self._make_parts(samples)
        self._lay_out()
        self._connect()
        self.panes.set_side_by_side(preferences.side_by_side)
        self._on_mode()
        self._restore_geometry()
        self.welcome.setFocus()

    # -- building ---------------------------------------------------------------------------------

    def _restore_looks(self) -> None:
        """Before anything shows them."""
        self._overlay.set_opacity(self._preferences.overlay_opacity)
        self._overlay.set_threshold(self._preferences.overlay_threshold)
        self._overlay.set_contour(self._preferences.overlay_contour)
        self._controller.set_mode(self._preferences.reading_mode)

    def _make_parts(self, samples: Sequence[Sample]) -> None:
        controller, preferences = self._controller, self._preferences
        self.panes = ReadingPanes(controller, self._marks, self._overlay)
        self.case_list = CaseListView(self._library)
        self.diagnosis = DiagnosisPanel(controller, preferences)
        self.form = ReadingForm()
        self.notice = NoticeBar()
        self.welcome = WelcomeView(samples)
        self.banner = ResearchBanner()
        self.banner.restyle()
        self.status = StatusLine(controller, self.panes)
        self.mode_switch = ModeSwitch(controller)
        self.actions_ = Actions(self, preferences, (self.panes, self.case_list), self.form.actions())
        self.actions_.fill(self.menuBar())
        self._action_states = ActionStates(
            self, self.actions_, self._library, controller, self.panes, self._overlay, self._marks, self._undo_stack
        )
        self._form_link = FormLink(
            self, self.form, controller, self.panes.main, self._marks, self._undo_stack, preferences, self.notice
        )
        self.opening = Opening(self, self._jobs, self._library, preferences, samples)
        self.calibration = HeadRuler(self, controller, self.panes, self._undo_stack, self.notice)
        FileMenus(self, self.actions_, self.opening, preferences, samples)
        ImageMenus(self, self.actions_, controller, self.panes)
        self._advanced = AdvancedMaps(self, self.actions_.submenus["advanced"], self._jobs, controller, self.notice)

    def _lay_out(self) -> None:
        controller = self._controller
        image = _column(CaseTitle(controller), self.panes, MapBar(controller, self._overlay), stretched=self.panes)
        answers = _column(FittingScroll(self.diagnosis), rule(), CaseTitle(controller), self.form, stretched=self.form)
        self.columns = ReadingColumns(self.case_list, image, answers)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.welcome)
        self.stack.addWidget(self.columns)
        self.setCentralWidget(_column(self.banner, self.notice, self.stack, stretched=self.stack))
        self.setStatusBar(self.status)
        add_tool_bars(self, self.actions_, self.mode_switch)

    # -- connecting -------------------------------------------------------------------------------

    def _connect(self) -> None:
        controller, library, overlay, preferences = self._controller, self._library, self._overlay, self._preferences
        self.actions_.connect(self.handlers())
        library.cases_changed.connect(self._on_cases_changed)
        library.opening_changed.connect(self._refresh_busy)
        library.open_failed.connect(self._on_open_failed)
        self._jobs.changed.connect(self._refresh_busy)
        controller.radiograph_changed.connect(self._on_radiograph)
        controller.form_state_changed.connect(self.diagnosis.refresh)
        controller.form_state_changed.connect(self.panes.refresh_headers)
        controller.diagnosis_changed.connect(self._note_overlay)
        controller.mode_changed.connect(self._on_mode)
        controller.record_failed.connect(self.show_problem)
        controller.record_warned.connect(self.show_problem)
        overlay.changed.connect(self._keep_overlay)
        overlay.shown_changed.connect(self._note_overlay)
        preferences.changed.connect(self._on_preference)
        preferences.problem_found.connect(self.show_problem)
        self.opening.problem_found.connect(self.show_problem)
        self.opening.study_asked.connect(self.study_asked)
        self.case_list.open_asked.connect(library.open)
        self.panes.region_edited.connect(controller.set_region)
        self.panes.region_selected.connect(controller.select_hip)
        self.panes.region_drawn.connect(self._on_region_drawn)
        self.panes.cursor_moved.connect(lambda *_: controller.note_life())
        self.panes.window_changed.connect(controller.note_window)
        self.panes.zoom_changed.connect(controller.note_zoom)
        self.panes.side_by_side_changed.connect(self._on_side_by_side)
        self.panes.resized.connect(self._note_display)
        self.form.changed.connect(self.panes.refresh_headers)
        self._form_link.changed.connect(self.status.refresh_saved)
        self._form_link.next_case_asked.connect(self._open_next_unread)
        self._marks.changed.connect(self.status.refresh_saved)
        self.diagnosis.cancel_asked.connect(controller.cancel_cnn)
        self.diagnosis.retry_asked.connect(controller.rerun)
        self.diagnosis.card_asked.connect(lambda: self.dialog_asked.emit("model_card"))
        self.welcome.open_files_asked.connect(self.opening.ask_files)
        self.welcome.open_folder_asked.connect(self.opening.ask_folder)
        self.welcome.samples_asked.connect(self.opening.open_samples)
        self.welcome.study_asked.connect(lambda name: self.study_asked.emit(name, None))
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.applicationStateChanged.connect(self._on_application_state)

    def handlers(self) -> dict[str, Callable[..., object]]:
        """What each action does, by id; those of the form and the canvas do it themselves."""
        panes, controller, library = self.panes, self._controller, self._library
        handlers = picture_handlers(self, panes, self._marks, self._overlay, self._undo_stack, Tool)
        handlers |= {
            "open_files": self.opening.ask_files,
            "open_folder": self.opening.ask_folder,
            "save_picture": self._ask_picture,
            "close_cases": library.clear,
            "quit": self.close,
            "auto_window": self._auto_window,
            "show_regions": panes.set_show_regions,
            "show_cases": self._show_cases,
            "next_case": lambda: library.step(1),
            "previous_case": lambda: library.step(-1),
            "next_case_arrow": lambda: library.step(1),
            "previous_case_arrow": lambda: library.step(-1),
            "next_unread": self._open_next_unread,
            "other_hip": lambda: controller.select_hip((controller.current + 1) % max(len(controller.hips), 1)),
            "to_form": self.form.start,
            "submit_next": self._form_link.submit_and_go_on,
            "correct": controller.begin_revision,
            "remove_calibration": self.calibration.remove,
            "side_right": lambda: controller.set_side(Side.RIGHT),
            "side_left": lambda: controller.set_side(Side.LEFT),
            "side_unknown": lambda: controller.set_side(Side.UNKNOWN),
            "answer_first": lambda on: controller.set_mode(ReadingMode.ANSWER_FIRST if on else ReadingMode.ASSIST),
            "rerun": controller.rerun,
        }
        for name in DIALOGS:
            handlers[name] = lambda name=name: self.dialog_asked.emit(name)
        for name in STUDY_ACTIONS:
            handlers[name] = lambda name=name: self.study_asked.emit(name, None)
        return handlers

    # -- what the program tells -------------------------------------------------------------------

    def show_problem(self, sentence: str, details: str = "") -> None:
        self.notice.show_problem(sentence, details)

    def set_model(self, card: ModelCard | None, engine: EngineDescription | None = None, origin: str = "") -> None:
        """The CNN that is in use, as far as it is known; None: none could be loaded.

        `origin` is a sentence where it did not come with the program.
        """
        self.diagnosis.set_model(card, engine.engine_label if engine is not None else "")
        self.status.show_model(card, engine, origin)
        self.banner.set_model(card)
        self._advanced.set_methods(engine.advanced_methods if engine is not None else ())

    # -- following the controller -----------------------------------------------------------------

    def _on_cases_changed(self) -> None:
        has_cases = bool(self._library.cases)
        self.stack.setCurrentWidget(self.columns if has_cases else self.welcome)
        self._show_cases(self.actions_["show_cases"].isChecked())
        if has_cases and not self.panes.isAncestorOf(self.focusWidget() or self):
            self.panes.main.setFocus()

    def _show_cases(self, on: bool) -> None:
        self.case_list.setVisible(on)
        self.columns.fit()

    def _on_open_failed(self, sentence: str, details: str) -> None:
        label = self._library.cases[self._library.asked].label
        shown = self._controller.shown
        kept = f" {shown.label} stays on screen." if shown is not None else ""
        self.show_problem(f"{label}: {sentence}{kept}", details)

    def _refresh_busy(self) -> None:
        """Anything that takes over half a second shows, and can be cancelled."""
        opening = self._library.opening
        slow = self._jobs.slow_jobs
        job = (
            opening
            if opening is not None and opening.is_slow
            else next((job for job in slow if job.is_foreground and job is not self._controller.cnn_job), None)
        )
        self.notice.show_busy(job)

    def _on_radiograph(self) -> None:
        radiograph, shown = self._controller.radiograph, self._controller.shown
        # Reset at every radiograph: what a map suggests must be asked for. The samples show what the program does.
        if not self.panes.side_by_side:
            self._overlay.set_visible(shown is not None and self.opening.is_sample(shown.source.path))
        self.setWindowTitle(TITLE)
        if radiograph is None:
            self.notice.clear()
            return
        keep_private(radiograph.patient_name, radiograph.patient_id, radiograph.path.stem)
        self.notice.show_facts(radiograph.notices)
        self._note_display()
        window = self.panes.window_setting
        self._controller.note_window(window.center, window.width)
        self._controller.note_zoom(self.panes.main.zoom)
        if not self._has_painted:
            self.update()

    def _note_display(self) -> None:
        self._controller.note_display(self.devicePixelRatio(), (self.panes.main.width(), self.panes.main.height()))

    def _on_mode(self) -> None:
        mode = self._controller.mode
        self._preferences.reading_mode = mode
        self.welcome.set_titles_hidden(mode is ReadingMode.ANSWER_FIRST)

    def _on_side_by_side(self, on: bool) -> None:
        self._preferences.side_by_side = on
        self._note_overlay()

    def _note_overlay(self) -> None:
        self._controller.note_overlay(self.panes.shows_map)

    def _keep_overlay(self) -> None:
        """As it is now, for the next start; not whether it is shown."""
        overlay, preferences = self._overlay, self._preferences
        preferences.overlay_opacity = overlay.opacity
        preferences.overlay_threshold = overlay.threshold
        preferences.overlay_contour = overlay.mode is not OverlayMode.FILL

    def _on_region_drawn(self, region: HipRegion) -> None:
        self._controller.add_hip(region)
        self.panes.set_tool(Tool.SELECT)

    def _open_next_unread(self) -> None:
        if not self._library.open_next_unread():
            self.notice.show_note("Every case in the list is read.")

    def _auto_window(self) -> None:
        """Over the hip at hand, else the whole image."""
        radiograph, hip = self._controller.radiograph, self._controller.hip
        if radiograph is not None:
            from imaging.windowing import auto_window

            window = auto_window(radiograph.pixels, hip.region if hip is not None else None)
            self.panes.main.set_window(window.center, window.width, "auto")

    def _on_application_state(self, state: Qt.ApplicationState) -> None:
        self._controller.note_away(state is not Qt.ApplicationState.ApplicationActive)

    def _on_preference(self, name: str) -> None:
        if name in ("theme", "font_scale_percent"):
            self.banner.restyle()
        elif name == "reading_mode":
            self._controller.set_mode(self._preferences.reading_mode)

    # -- window -----------------------------------------------------------------------------------

    def _ask_picture(self) -> None:
        picture = self.grab()  # before a dialog lies over it

        def save(path: Path) -> None:
            if not picture.save(str(path)):
                self.show_problem("The picture could not be written there.")

        choose_new_file(self, "Save a picture of the window", "lucency.png", "Pictures (*.png)", save)

    def _restore_geometry(self) -> None:
        preferences = self._preferences
        if preferences.window_geometry.isEmpty() or not self.restoreGeometry(preferences.window_geometry):
            screen = QGuiApplication.primaryScreen().availableGeometry()
            self.resize(min(1440, screen.width()), min(900, screen.height()))
        self.columns.restore(preferences.column_widths)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if local_paths(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = local_paths(event.mimeData())
        if paths:
            event.acceptProposedAction()
            self.opening.open_paths(paths)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._is_peek(event):
            self._overlay.set_peek(True)
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if self._is_peek(event) and not event.isAutoRepeat():
            self._overlay.set_peek(False)
        else:
            super().keyReleaseEvent(event)

    def _is_peek(self, event: QKeyEvent) -> bool:
        """Peeking from anywhere that has no use for the key itself."""
        keys = self.actions_.keys("peek")
        return bool(keys) and keys[0] == QKeySequence(event.keyCombination())

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._has_painted:
            self._has_painted = True
            QTimer.singleShot(0, self.painted.emit)

    def closeEvent(self, event: QCloseEvent) -> None:
        if not attempt(self.may_close, True):
            event.ignore()
            return
        attempt(self._controller.flush, None)
        attempt(self._keep_geometry, None)
        super().closeEvent(event)
        self.closed.emit()

    def _keep_geometry(self) -> None:
        self._preferences.window_geometry = QByteArray(self.saveGeometry())
        self._preferences.column_widths = self.columns.wanted
        self._preferences.flush()


def _column(*widgets: QWidget, stretched: QWidget) -> QWidget:
    """One below the other without gaps; `stretched` takes the room that is left."""
    box = QWidget()
    column = QVBoxLayout(box)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    for widget in widgets:
        column.addWidget(widget, 1 if widget is stretched else 0)
    return box
