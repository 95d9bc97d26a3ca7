"""The window: lays out the views and connects them to the controller. What happens is decided there, not here."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QByteArray, QMimeData, QPoint, QPointF, Qt, QTimer, Signal
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
from PySide6.QtWidgets import (
    QApplication,
    QButtonGroup,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QMainWindow,
    QMenu,
    QPushButton,
    QSizePolicy,
    QSplitter,
    QStackedWidget,
    QToolBar,
    QVBoxLayout,
    QWidget,
)

from gui import icons, theme
from gui.actions import Actions
from gui.annotations import AnnotationModel
from gui.cases import DiagnosisState
from gui.errors import keep_private
from gui.file_dialogs import choose_folder, choose_new_file, forget_history
from gui.jobs import Job, Jobs
from gui.library import CaseLibrary
from gui.overlay import OverlayMode, OverlayState
from gui.picture_handlers import picture_handlers
from gui.preferences import Preferences
from gui.reading import ReadingController
from gui.samples import Sample
from gui.study_files import study_action
from gui.tools import Tool
from gui.views.case_list import CaseListView
from gui.views.diagnosis_panel import DiagnosisPanel
from gui.views.fitting_scroll import FittingScroll
from gui.views.form_parts import rule
from gui.views.map_bar import MapBar
from gui.views.notice_bar import NoticeBar
from gui.views.reading_form import FormState, ReadingForm
from gui.views.side_by_side import ReadingPanes
from gui.views.welcome import WelcomeView
from imaging.geometry import GeometryError, HipRegion, calibrate_from_head
from imaging.radiograph import SpacingSource, Window
from inference.model_bundle import ModelCard
from inference.worker import EngineDescription
from study.model import Reading, ReadingError, ReadingMode

TITLE = "Lucency"
BANNER = "For research use only, never for care. The CNN learnt from simulated radiographs."
BANNER_CLINICAL = "For research use only, never for care."
FILE_FILTER = (
    "Radiographs and archives (*.dcm *.dicom *.png *.jpg *.jpeg *.tif *.tiff *.bmp *.zip DICOMDIR);;All files (*)"
)
SAVED_POLL_MS = 250
STUDY_ACTIONS = ("study_read", "study_new", "study_open", "study_results", "study_example")
HEAD_DIAMETERS_MM = ("22", "22.2", "26", "28", "32", "36", "40", "44")
TOOLBAR = (
    ("open_files",),
    ("tool_select", "tool_pan", "tool_window", "tool_magnifier"),
    ("tool_lucent_line", "tool_polygon", "tool_ellipse", "tool_point", "tool_text"),
    ("tool_ruler", "tool_angle", "tool_head_circle", "tool_region"),
    ("fit", "one_to_one", "invert", "rotate_right", "flip"),
    ("undo", "redo"),
    ("overlay", "side_by_side"),
)


class MainWindow(QMainWindow):
    painted = Signal()  # once, after the first paint
    closed = Signal()
    study_asked = Signal(str, object)  # a study's action by id, and the file it is asked for or None
    dialog_asked = Signal(str)  # record, settings, shortcuts, about, logs, model_card: the program opens them

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
        self._samples = samples
        self._sample_paths = {sample.path for sample in samples}
        self._has_painted = False
        self.may_close: Callable[[], bool] = lambda: True  # asked before the window closes
        self._advance_after_record = False
        self._advanced: Job | None = None
        self._engine: EngineDescription | None = None
        self.setWindowTitle(TITLE)
        self.setAcceptDrops(True)
        self.setMinimumSize(900, 560)
        self._build()
        self._connect()
        self._refresh_all()
        self._restore_geometry()

    # -- building ---------------------------------------------------------------------------------

    def _build(self) -> None:
        self.panes = ReadingPanes(self._controller, self._marks, self._overlay)
        self.case_list = CaseListView(self._library)
        self.diagnosis = DiagnosisPanel(self._controller, self._preferences)
        self.form = ReadingForm()
        self.form.set_undo_stack(self._undo_stack)
        self.form.set_reader(self._preferences.reader_name)
        self.form.set_cutoff_mm(self._preferences.lucency_cutoff_mm)
        self.actions_ = Actions(self, self._preferences, (self.panes, self.case_list), self.form.actions())
        self.actions_.fill(self.menuBar())
        self._build_toolbar()
        self.notice = NoticeBar()
        self.welcome = WelcomeView(self._samples)

        right = QWidget()
        right_column = QVBoxLayout(right)
        right_column.setContentsMargins(0, 0, 0, 0)
        right_column.setSpacing(0)
        right_column.addWidget(FittingScroll(self.diagnosis))
        right_column.addWidget(rule())
        right_column.addWidget(self.form, 1)

        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self.case_list)
        image_column = QWidget()
        image_layout = QVBoxLayout(image_column)
        image_layout.setContentsMargins(0, 0, 0, 0)
        image_layout.setSpacing(0)
        image_layout.addWidget(self.panes, 1)
        image_layout.addWidget(MapBar(self._controller, self._overlay))
        self.splitter.addWidget(image_column)
        self.splitter.addWidget(right)
        self.splitter.setStretchFactor(1, 1)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.welcome)
        self.stack.addWidget(self.splitter)

        center = QWidget()
        column = QVBoxLayout(center)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._build_banner())
        column.addWidget(self.notice)
        column.addWidget(self.stack, 1)
        self.setCentralWidget(center)
        self._build_status_bar()

    def _build_banner(self) -> QWidget:
        self._banner = QFrame()
        self._banner.setObjectName("research-banner")
        row = QHBoxLayout(self._banner)
        row.setContentsMargins(12, 3, 12, 3)
        row.setSpacing(8)
        self._banner_icon = QLabel()
        self._banner_text = QLabel(BANNER)
        self._banner_text.setObjectName("research-banner-text")
        row.addStretch(1)
        row.addWidget(self._banner_icon)
        row.addWidget(self._banner_text)
        row.addStretch(1)
        return self._banner

    def _build_toolbar(self) -> None:
        bar = QToolBar("Tools")
        bar.setObjectName("tools")
        bar.setMovable(False)
        bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        for number, group in enumerate(TOOLBAR):
            if number:
                bar.addSeparator()
            for action_id in group:
                bar.addAction(self.actions_[action_id])
        spacer = QWidget()
        spacer.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        bar.addWidget(spacer)
        bar.addWidget(self._build_mode_switch())
        self.addToolBar(bar)
        self._toolbar = bar

    def _build_mode_switch(self) -> QWidget:
        """Both modes in plain sight; the one in force is pressed."""
        box = QWidget()
        row = QHBoxLayout(box)
        row.setContentsMargins(6, 0, 6, 0)
        row.setSpacing(0)
        self._mode_buttons = QButtonGroup(self)
        for index, (mode, text, icon, tip) in enumerate(
            (
                (ReadingMode.ASSIST, "Assist", "eye", "The CNN's diagnosis appears as soon as it is there"),
                (
                    ReadingMode.ANSWER_FIRST,
                    "Answer first",
                    "eye-off",
                    "The CNN stays hidden until your own answer is recorded",
                ),
            )
        ):
            button = QPushButton(text)
            button.setCheckable(True)
            button.setToolTip(tip)
            button.setObjectName(f"mode-{mode.value}")
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            icons.attach(button, icon)
            self._mode_buttons.addButton(button, index)
            row.addWidget(button)
        self._mode_buttons.idClicked.connect(
            lambda index: self._controller.set_mode((ReadingMode.ASSIST, ReadingMode.ANSWER_FIRST)[index])
        )
        return box

    def _build_status_bar(self) -> None:
        bar = self.statusBar()
        bar.setSizeGripEnabled(False)
        self._hint = QLabel()
        self._hint.setProperty("role", "small")
        bar.addWidget(self._hint, 1)
        self._cursor, self._window_label, self._saved, self._engine_label = (QLabel() for _ in range(4))
        for label in (self._cursor, self._window_label, self._saved, self._engine_label):
            label.setProperty("role", "small")
            label.setContentsMargins(10, 0, 10, 0)
            bar.addPermanentWidget(label)
        self._saved.setAccessibleName("State of the record")
        self._saved_timer = QTimer(self, singleShot=True, interval=SAVED_POLL_MS)
        self._saved_timer.timeout.connect(self._refresh_saved)

    # -- connecting -------------------------------------------------------------------------------

    def _connect(self) -> None:
        controller, library, overlay, preferences = self._controller, self._library, self._overlay, self._preferences
        self.actions_.connect(self.handlers())
        library.cases_changed.connect(self._on_cases_changed)
        library.opening_changed.connect(self._refresh_busy)
        library.open_failed.connect(self._on_open_failed)
        self._jobs.changed.connect(self._refresh_busy)
        controller.radiograph_changed.connect(self._on_radiograph)
        controller.hips_changed.connect(self._refresh_form)
        controller.hip_changed.connect(lambda _index: self._refresh_form())
        controller.answer_replaced.connect(self._load_answer)
        controller.form_state_changed.connect(self._refresh_form)
        controller.form_state_changed.connect(self.diagnosis.refresh)
        controller.form_state_changed.connect(self.panes.refresh_headers)
        controller.diagnosis_changed.connect(self._on_diagnosis)
        controller.mode_changed.connect(self._on_mode)
        controller.recorded.connect(self._on_recorded)
        controller.record_failed.connect(self.show_problem)
        controller.pending_changed.connect(lambda _count: self._refresh_saved())
        overlay.changed.connect(self._on_overlay)
        overlay.shown_changed.connect(lambda _shown: self._note_overlay())
        preferences.changed.connect(self._on_preference)
        preferences.problem_found.connect(lambda sentence: self.show_problem(sentence, ""))
        self.case_list.open_asked.connect(library.open)
        self.panes.region_edited.connect(controller.set_region)
        self.panes.region_selected.connect(controller.select_hip)
        self.panes.region_drawn.connect(self._on_region_drawn)
        self.panes.cursor_moved.connect(self._show_cursor)
        self.panes.cursor_moved.connect(lambda *_: controller.note_life())
        self.panes.window_changed.connect(self._on_window)
        self.panes.zoom_changed.connect(self._on_zoom)
        self.panes.head_circle_drawn.connect(self._on_head_circle)
        self.panes.context_menu_requested.connect(self._show_context_menu)
        self.panes.side_by_side_changed.connect(self._on_side_by_side)
        self.panes.main.hint_changed.connect(self._hint.setText)
        self.panes.main.tool_changed.connect(self._on_tool)
        self.panes.main.inverted_changed.connect(lambda on: _set_checked(self.actions_["invert"], on))
        self.form.changed.connect(self._on_form_changed)
        self.form.submit_requested.connect(self._submit)
        self.form.revise_requested.connect(controller.begin_revision)
        self.form.reader_changed.connect(lambda name: setattr(preferences, "reader_name", name))
        self.diagnosis.cancel_asked.connect(controller.cancel_cnn)
        self.diagnosis.retry_asked.connect(controller.rerun)
        self.diagnosis.card_asked.connect(lambda: self.dialog_asked.emit("model_card"))
        self.welcome.open_files_asked.connect(self.ask_files)
        self.welcome.open_folder_asked.connect(self.ask_folder)
        self.welcome.samples_asked.connect(self.open_samples)
        self.welcome.study_asked.connect(lambda name: self.study_asked.emit(name, None))
        self._marks.selection_changed.connect(self._refresh_mark_actions)
        self._marks.changed.connect(self._refresh_saved)
        self._undo_stack.canUndoChanged.connect(self.actions_["undo"].setEnabled)
        self._undo_stack.canRedoChanged.connect(self.actions_["redo"].setEnabled)
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.applicationStateChanged.connect(
            lambda state: controller.note_away(state is not Qt.ApplicationState.ApplicationActive)
        )

    def handlers(self) -> dict[str, Callable[..., object]]:
        """What each action does, by id; those of the form and the canvas do it themselves."""
        panes, controller, library = self.panes, self._controller, self._library
        handlers = picture_handlers(self, panes, self._marks, self._overlay, self._undo_stack, Tool)
        handlers |= {
            "open_files": self.ask_files,
            "open_folder": self.ask_folder,
            "save_picture": self._ask_picture,
            "close_cases": library.clear,
            "quit": self.close,
            "auto_window": self._auto_window,
            "show_regions": panes.set_show_regions,
            "show_cases": self.case_list.setVisible,
            "next_case": lambda: library.step(1),
            "previous_case": lambda: library.step(-1),
            "next_case_arrow": lambda: library.step(1),
            "previous_case_arrow": lambda: library.step(-1),
            "next_unread": self._open_next_unread,
            "other_hip": lambda: controller.select_hip((controller.current + 1) % max(len(controller.hips), 1)),
            "to_form": self.form.start,
            "submit_next": self._submit_and_next,
            "correct": controller.begin_revision,
            "answer_first": lambda on: controller.set_mode(ReadingMode.ANSWER_FIRST if on else ReadingMode.ASSIST),
            "rerun": controller.rerun,
        }
        for name in ("record", "settings", "shortcuts", "about", "logs", "model_card"):
            handlers[name] = lambda name=name: self.dialog_asked.emit(name)
        for name in STUDY_ACTIONS:
            handlers[name] = lambda name=name: self.study_asked.emit(name, None)
        return handlers

    # -- opening ----------------------------------------------------------------------------------

    def open_paths(self, paths: Sequence[Path]) -> None:
        """Files, folders, ZIP archives, DICOMDIRs: what they hold is added to the list, the first one opened.

        A reader package or a study among them opens in a window of its own, and is not listed as a recent file.
        """
        paths = self._hand_over_studies(paths)
        if not paths:
            return
        job = self._jobs.list_sources(list(paths))
        job.done.connect(self._on_sources)
        job.failed.connect(self.show_problem)
        for path in paths:
            if path not in self._sample_paths:
                self._preferences.add_recent(path)

    def _hand_over_studies(self, paths: Sequence[Path]) -> list[Path]:
        """The paths that are left."""
        left = []
        for path in paths:
            action = study_action(path)
            if action:
                self.study_asked.emit(action, path)
            else:
                left.append(path)
        return left

    def open_samples(self, first: int = 0) -> None:
        """All samples into the list, one of them on screen."""
        from imaging.sources import Source

        self._library.add(
            [Source(sample.path) for sample in self._samples], open_first=False, names=self._sample_names()
        )
        sources = [item.source.path for item in self._library.cases]
        self._library.open(sources.index(self._samples[first].path))

    def _sample_names(self) -> dict[Path, str]:
        return {sample.path: sample.name for sample in self._samples}

    def _on_sources(self, sources: list[object]) -> None:
        if sources:
            self._library.add(sources, names=self._sample_names())  # type: ignore[arg-type]
        else:
            self.show_problem("No radiograph was found there.", "")

    def ask_files(self) -> None:
        dialog = QFileDialog(self, "Open radiographs")
        dialog.setNameFilter(FILE_FILTER)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.setOption(QFileDialog.Option.DontUseNativeDialog)  # the system's own keep histories of their own
        dialog.filesSelected.connect(lambda names: self.open_paths([Path(name) for name in names]))
        dialog.finished.connect(dialog.deleteLater)
        dialog.destroyed.connect(forget_history)
        dialog.open()

    def ask_folder(self) -> None:
        choose_folder(self, "Open a folder of radiographs", lambda folder: self.open_paths([folder]))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _local_paths(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = _local_paths(event.mimeData())
        if paths:
            event.acceptProposedAction()
            self.open_paths(paths)

    # -- following the controller -----------------------------------------------------------------

    def _on_cases_changed(self) -> None:
        has_cases = bool(self._library.cases)
        self.stack.setCurrentWidget(self.splitter if has_cases else self.welcome)
        self.case_list.setVisible(self.actions_["show_cases"].isChecked())
        if has_cases and not self.panes.isAncestorOf(self.focusWidget() or self):
            self.panes.main.setFocus()
        self._refresh_actions()

    def _on_open_failed(self, sentence: str, details: str) -> None:
        kept = " The radiograph before it stays on screen." if self._controller.radiograph is not None else ""
        self.show_problem(sentence + kept, details)

    def _on_radiograph(self) -> None:
        radiograph, shown = self._controller.radiograph, self._controller.shown
        # Reset at every radiograph: what a map suggests must be asked for. The samples show what the program does.
        if not self.panes.side_by_side:
            self._overlay.set_visible(shown is not None and shown.source.path in self._sample_paths)
        self.setWindowTitle(TITLE)
        if radiograph is None:
            self.notice.clear()
        else:
            keep_private(radiograph.patient_name, radiograph.patient_id, radiograph.path.stem)
            self.notice.show_facts(radiograph.notices)
            self._controller.note_display(self.devicePixelRatio(), (self.panes.main.width(), self.panes.main.height()))
            window = self.panes.window_setting
            self._controller.note_window(window.center, window.width)
            self._controller.note_zoom(self.panes.main.zoom)
        self._fill_presets()
        self._fill_frames()
        self._refresh_form()
        self._refresh_actions()
        self._show_window_numbers()
        if radiograph is not None and not self._has_painted:
            self.update()

    def _on_diagnosis(self) -> None:
        self._note_overlay()
        shares = self._controller.prediction.zone_shares if self._controller.prediction is not None else None
        self.form.set_zone_shares(shares or None)
        self._refresh_actions()

    def _note_overlay(self) -> None:
        self._controller.note_overlay(self.panes.shows_map)

    def _on_overlay(self) -> None:
        overlay, preferences = self._overlay, self._preferences
        _set_checked(self.actions_["overlay"], overlay.visible)
        _set_checked(self.actions_["contour"], overlay.mode is not OverlayMode.FILL)
        preferences.overlay_opacity = overlay.opacity
        preferences.overlay_threshold = overlay.threshold
        preferences.overlay_contour = overlay.mode is not OverlayMode.FILL

    def _on_mode(self) -> None:
        mode = self._controller.mode
        self._preferences.reading_mode = mode
        self._mode_buttons.button(1 if mode is ReadingMode.ANSWER_FIRST else 0).setChecked(True)
        _set_checked(self.actions_["answer_first"], mode is ReadingMode.ANSWER_FIRST)
        self.welcome.set_titles_hidden(mode is ReadingMode.ANSWER_FIRST)
        self._refresh_form()

    def _on_side_by_side(self, on: bool) -> None:
        _set_checked(self.actions_["side_by_side"], on)
        self._preferences.side_by_side = on
        self._note_overlay()

    def _on_tool(self, tool: Tool) -> None:
        action = self.actions_[f"tool_{Tool(tool).value}"]
        if not action.isChecked():
            action.setChecked(True)

    def _on_region_drawn(self, region: HipRegion) -> None:
        self._controller.add_hip(region)
        self.panes.set_tool(Tool.SELECT)

    def _on_window(self, center: float, width: float) -> None:
        self._controller.note_window(center, width)
        self._show_window_numbers()

    def _on_zoom(self, zoom: float) -> None:
        self._controller.note_zoom(zoom)
        self._show_window_numbers()

    # -- the form and recording -------------------------------------------------------------------

    def _load_answer(self) -> None:
        self.form.load(self._controller.answer)
        self._undo_stack.clear()  # its steps are about the answer before
        self._refresh_form()

    def _on_form_changed(self) -> None:
        self._controller.set_answer(self.form.answer())
        self.panes.refresh_headers()
        self._refresh_saved()

    def _refresh_form(self) -> None:
        hip = self._controller.hip
        self.form.setEnabled(hip is not None)
        recorded = hip.recorded if hip is not None else None
        if hip is None or recorded is None:
            state = FormState.EDITABLE
        elif hip.saving:
            state = FormState.SAVING
        elif hip.editing:
            state = FormState.REVISION
        else:
            state = FormState.LOCKED
        mode = recorded.mode if recorded is not None else None
        at = hip.recorded_at if hip is not None else None
        if hip is not None:
            self.form.set_side(hip.region.side)
        self.form.set_state(state, at, mode)
        locked = state in (FormState.SAVING, FormState.LOCKED)
        if locked:
            self._undo_stack.clear()  # an undo must not change what is recorded
        self._marks.set_read_only(locked)
        self._refresh_actions()
        self._refresh_saved()

    def _submit_and_next(self) -> None:
        self._advance_after_record = True
        self.form.submit()
        hip = self._controller.hip
        if hip is None or not hip.saving:
            self._advance_after_record = False

    def _submit(self) -> None:
        self._preferences.reader_name = self.form.reader()  # it may just have been typed
        reason = ""
        if self._controller.needs_reason:
            reason, agreed = QInputDialog.getText(
                self, "Correct a recorded reading", "Why is the recorded answer corrected? Both stay in the record."
            )
            if not agreed:
                return
        try:
            self._controller.submit(reason)
        except ReadingError as error:
            self.show_problem(str(error), "")

    def _on_recorded(self, reading: Reading) -> None:
        self._refresh_saved()
        advance, self._advance_after_record = self._advance_after_record, False
        # In answer-first mode the reader is to see both answers before going on.
        if advance and reading.mode is not ReadingMode.ANSWER_FIRST:
            hips = self._controller.hips
            waiting = next((index for index, hip in enumerate(hips) if hip.recorded is None), None)
            if waiting is not None:
                self._controller.select_hip(waiting)
            else:
                self._open_next_unread()

    def _open_next_unread(self) -> None:
        if not self._library.open_next_unread():
            self.notice.show_note("Every case in the list is read.")

    # -- image ------------------------------------------------------------------------------------

    def _auto_window(self) -> None:
        """Over the hip at hand, else the whole image."""
        radiograph, hip = self._controller.radiograph, self._controller.hip
        if radiograph is not None:
            from imaging.windowing import auto_window

            window = auto_window(radiograph.pixels, hip.region if hip is not None else None)
            self.panes.main.set_window(window.center, window.width, "auto")

    def _fill_presets(self) -> None:
        menu = self.actions_.submenus["presets"]
        menu.clear()
        radiograph = self._controller.radiograph
        menu.setEnabled(radiograph is not None)
        for number, window in enumerate(radiograph.windows if radiograph is not None else (), start=1):
            action = menu.addAction(_window_name(window, number))
            action.triggered.connect(
                lambda _on=False, window=window: self.panes.main.set_window(window.center, window.width, window.name)
            )

    def _fill_frames(self) -> None:
        menu = self.actions_.submenus["frames"]
        menu.clear()
        radiograph = self._controller.radiograph
        count = radiograph.frame_count if radiograph is not None else 1
        menu.menuAction().setVisible(count > 1)
        for frame in range(min(count, 200) if count > 1 else 0):
            action = menu.addAction(f"Image {frame + 1} of {count}")
            action.setCheckable(True)
            action.setChecked(radiograph is not None and frame == radiograph.frame)
            action.triggered.connect(lambda _on=False, frame=frame: self._controller.show_frame(frame))

    def _on_head_circle(self, center: QPointF, radius_px: float) -> None:
        """The implanted head is the best ruler: its diameter gives the scale."""
        radiograph = self._controller.radiograph
        if radiograph is None or radius_px <= 0:
            return
        text, agreed = QInputDialog.getItem(
            self,
            "Calibrate on the head",
            "Diameter of the implanted head in mm (from the operation record):",
            HEAD_DIAMETERS_MM,
            3,
            True,
        )
        if agreed:
            self.calibrate(center, radius_px, text)

    def calibrate(self, center: QPointF, radius_px: float, diameter_text: str) -> None:
        radiograph = self._controller.radiograph
        if radiograph is None:
            return
        angles = (0.0, 2 * math.pi / 3, 4 * math.pi / 3)
        points = [(center.x() + radius_px * math.cos(a), center.y() + radius_px * math.sin(a)) for a in angles]
        try:
            diameter_mm = float(diameter_text.replace(",", ".").replace("mm", ""))
            calibration = calibrate_from_head(points, diameter_mm, radiograph.spacing_mm)
        except GeometryError as error:
            self.show_problem(str(error), "")
            return
        except ValueError:
            self.show_problem("The diameter must be a number of millimetres.", "")
            return
        self._controller.set_spacing(calibration.spacing_mm, SpacingSource.HEAD)
        self.panes.set_spacing(calibration.spacing_mm, SpacingSource.HEAD)
        self.notice.show_note(
            f"Calibrated on the head: {calibration.spacing_mm[1]:.3f} mm per pixel, "
            f"lengths ±{100 * calibration.relative_error:.1f} %, in the plane of the head."
        )

    def _show_cursor(self, x: float, y: float, value: float) -> None:
        self._cursor.setText("" if math.isnan(x) else f"x {x:.0f}  y {y:.0f}  value {value:.0f}")

    def _show_window_numbers(self) -> None:
        if self._controller.radiograph is None:
            self._window_label.clear()
            return
        window, zoom = self.panes.window_setting, self.panes.main.zoom
        self._window_label.setText(f"W {window.width:.0f}  L {window.center:.0f}  ·  {100 * zoom:.0f} %")

    def _show_context_menu(self, at: QPoint) -> None:
        menu = QMenu(self)
        ids = ("copy", "paste", "duplicate", "delete", "", "fit", "one_to_one", "auto_window", "invert", "", "overlay")
        for action_id in (*ids, "side_by_side"):
            if action_id:
                menu.addAction(self.actions_[action_id])
            else:
                menu.addSeparator()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(at)

    # -- messages ---------------------------------------------------------------------------------

    def show_problem(self, sentence: str, details: str = "") -> None:
        self.notice.show_problem(sentence, details)

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

    def _refresh_saved(self) -> None:
        """What the store has not returned yet, drafts included."""
        controller = self._controller
        waiting = controller.pending > 0 or controller.unsaved_since is not None or controller.store_pending > 0
        if waiting:
            readings = "" if controller.pending == 0 else f" {controller.pending}"
            self._saved.setText(f"Saving{readings} …")
            self._saved_timer.start()
        else:
            self._saved.setText("All saved" if controller.radiograph is not None else "")

    def set_model(self, card: ModelCard | None, engine: EngineDescription | None = None) -> None:
        """The CNN that is in use, as far as it is known; None: none could be loaded."""
        self._engine = engine
        label = engine.engine_label if engine is not None else ""
        self.diagnosis.set_model(card, label)
        if card is None:
            self._engine_label.setText("No CNN")
        else:
            self._engine_label.setText(f"{card.id} {card.version}" + (f" · {label}" if label else " · starting"))
        clinical = card is not None and card.training_data != "simulated"
        self._banner_text.setText(BANNER_CLINICAL if clinical else BANNER)
        self._fill_advanced()

    def _refresh_all(self) -> None:
        overlay, preferences = self._overlay, self._preferences
        overlay.set_opacity(preferences.overlay_opacity)
        overlay.set_threshold(preferences.overlay_threshold)
        overlay.set_contour(preferences.overlay_contour)
        self._controller.set_mode(preferences.reading_mode)
        self._on_mode()
        for action_id, on in (("show_marks", True), ("show_regions", True), ("show_cases", True)):
            self.actions_[action_id].setChecked(on)
        self.actions_["tool_select"].setChecked(True)
        self.panes.set_side_by_side(preferences.side_by_side)
        self._on_overlay()
        self._style_banner()
        self._fill_samples()
        self._fill_recent()
        self._fill_presets()
        self._fill_frames()
        self._fill_advanced()
        self._load_answer()
        self._refresh_mark_actions()
        self.welcome.setFocus()

    def _refresh_actions(self) -> None:
        actions, controller = self.actions_, self._controller
        has_image = controller.radiograph is not None
        for action_id in (
            "fit", "one_to_one", "zoom_in", "zoom_out", "auto_window", "invert", "rotate_right", "rotate_left", "flip",
            "reset_view", "to_image", "to_form", "save_picture", "side_by_side", "select_all",
            *(f"tool_{tool.value}" for tool in Tool),
        ):  # fmt: skip
            actions[action_id].setEnabled(has_image)
        for action_id in ("overlay", "contour"):
            actions[action_id].setEnabled(has_image and controller.may_show_cnn)
        self._hint.setText(self.panes.main.hint if has_image else "")
        has_cases = bool(self._library.cases)
        for action_id in ("close_cases", "next_case", "previous_case", "next_unread"):
            actions[action_id].setEnabled(has_cases)
        hip = controller.hip
        actions["other_hip"].setEnabled(len(controller.hips) > 1)
        actions["submit_next"].setEnabled(hip is not None and (hip.recorded is None or hip.editing))
        actions["correct"].setEnabled(
            hip is not None and hip.recorded is not None and not hip.saving and not hip.editing
        )
        actions["rerun"].setEnabled(
            controller.diagnosis_state in (DiagnosisState.FAILED, DiagnosisState.CANCELLED, DiagnosisState.SHOWN)
        )
        self._refresh_advanced()

    def _refresh_mark_actions(self) -> None:
        selected = bool(self._marks.selection)
        for action_id in ("cut", "copy", "duplicate", "delete"):
            self.actions_[action_id].setEnabled(selected)
        self.actions_["undo"].setEnabled(self._undo_stack.canUndo())
        self.actions_["redo"].setEnabled(self._undo_stack.canRedo())

    def _fill_samples(self) -> None:
        menu = self.actions_.submenus["samples"]
        menu.menuAction().setVisible(bool(self._samples))
        for index, sample in enumerate(self._samples):
            menu.addAction(sample.name).triggered.connect(lambda _on=False, index=index: self.open_samples(index))

    def _fill_recent(self) -> None:
        menu = self.actions_.submenus["recent"]
        menu.clear()
        files = self._preferences.recent_files
        menu.menuAction().setVisible(self._preferences.recent_files_on)
        menu.setEnabled(bool(files))
        for file in files:
            action = menu.addAction(file.label(show_name=self._preferences.recent_names_on))
            action.triggered.connect(lambda _on=False, path=file.path: self.open_paths([path]))

    # -- advanced maps ----------------------------------------------------------------------------

    def _fill_advanced(self) -> None:
        menu = self.actions_.submenus["advanced"]
        menu.clear()
        methods = self._engine.advanced_methods if self._engine is not None else ()
        self._own_map = menu.addAction("The map that the score came from")
        self._own_map.triggered.connect(self._show_own_map)
        menu.addSeparator()
        for method in methods:
            menu.addAction(method).triggered.connect(lambda _on=False, method=method: self._show_advanced(method))
        if not methods:
            missing = menu.addAction("Other methods need torch, which is not installed here")
            missing.setEnabled(False)
        self._refresh_advanced()

    def _refresh_advanced(self) -> None:
        menu = self.actions_.submenus["advanced"]
        shown = self._controller.diagnosis_state is DiagnosisState.SHOWN
        # Before the reveal there is nothing that this menu may even hint at.
        menu.setEnabled(shown)

    def _show_advanced(self, method: str) -> None:
        radiograph, hip = self._controller.radiograph, self._controller.hip
        if radiograph is None or hip is None or self._controller.prediction is None:
            return
        if self._advanced is not None:
            self._advanced.cancel()
        job = self._jobs.advanced_map(radiograph, hip.region, method)
        self._advanced = job
        job.done.connect(lambda saliency: self._controller.show_other_map(hip, saliency))
        job.failed.connect(self.show_problem)
        job.ended.connect(self._on_advanced_ended)

    def _on_advanced_ended(self) -> None:
        self._advanced = None

    def _show_own_map(self) -> None:
        if self._controller.hip is not None:
            self._controller.show_other_map(self._controller.hip, None)

    # -- window -----------------------------------------------------------------------------------

    def _style_banner(self) -> None:
        now = theme.colors()
        self._banner.setStyleSheet(
            f"QFrame#research-banner {{ background: {theme.blend(now.warning, now.surface, 0.14).name()}; }}"
        )
        self._banner_text.setStyleSheet(f"color: {now.warning}; font-weight: 600;")
        size = self.fontMetrics().height()
        self._banner_icon.setPixmap(icons.pixmap("warning", size, now.warning, self.devicePixelRatio()))

    def _on_preference(self, name: str) -> None:
        if name in ("recent_files", "recent_files_on", "recent_names_on"):
            self._fill_recent()
        elif name in ("theme", "font_scale_percent"):
            self._style_banner()
        elif name == "lucency_cutoff_mm":
            self.form.set_cutoff_mm(self._preferences.lucency_cutoff_mm)
        elif name == "reader_name":
            self.form.set_reader(self._preferences.reader_name)
        elif name == "reading_mode":
            self._controller.set_mode(self._preferences.reading_mode)

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
        if preferences.splitter_state.isEmpty() or not self.splitter.restoreState(preferences.splitter_state):
            em = self.fontMetrics().height()
            self.splitter.setSizes([13 * em, max(self.width() - 38 * em, 20 * em), 25 * em])

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
        if not self.may_close():
            event.ignore()
            return
        self._controller.flush()
        self._preferences.window_geometry = QByteArray(self.saveGeometry())
        self._preferences.splitter_state = QByteArray(self.splitter.saveState())
        self._preferences.flush()
        super().closeEvent(event)
        self.closed.emit()


def _set_checked(action: object, on: bool) -> None:
    """Show a state without asking for it again."""
    action.blockSignals(True)  # type: ignore[attr-defined]
    action.setChecked(on)  # type: ignore[attr-defined]
    action.blockSignals(False)  # type: ignore[attr-defined]
    action.changed.emit()  # type: ignore[attr-defined]  # its buttons follow


def _window_name(window: Window, number: int) -> str:
    name = window.name or f"Window {number}"
    return f"{name}   W {window.width:.0f}  L {window.center:.0f}"


def _local_paths(data: QMimeData) -> list[Path]:
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
