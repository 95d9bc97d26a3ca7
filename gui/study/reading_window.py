"""The window in which a reader works through their package. It knows pages and actions; the controller decides."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtGui import QCloseEvent, QGuiApplication, QUndoStack
from PySide6.QtWidgets import (
    QApplication,
    QLabel,
    QMainWindow,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from gui.annotations import AnnotationModel
from gui.file_dialogs import choose_new_file
from gui.jobs import Jobs
from gui.overlay import OverlayMode, OverlayState
from gui.picture_handlers import picture_handlers
from gui.preferences import Preferences
from gui.study.background import Background, Steps, Task
from gui.study.reading_actions import StudyActions, cnn_specs, form_keys, study_tools
from gui.study.reading_controller import StudyReadingController
from gui.study.reading_pages import (
    BetweenPage,
    ClosingPage,
    EndPage,
    IntroPage,
    OpeningPage,
    Page,
    SignInPage,
    WaitPage,
)
from gui.study.reading_passphrase import ChangePassphrase
from gui.study.reading_place import Desk, make_store, reader_folder, return_file_name, sign_in
from gui.study.reading_room import ReadingRoom
from gui.study.reading_stages import ANSWERING, Phase, Stage
from gui.study.reading_words import (
    arm_words,
    sham_note,
    version_note,
    what_is_asked,
)
from gui.tools import Tool
from gui.views.notice_bar import NoticeBar
from gui.window.banner import RESEARCH, ResearchBanner
from study.package import ReaderPackage, open_package
from study.returned import SUFFIX
from study.store import StudyStore

log = logging.getLogger(__name__)
TITLE = "Lucency · Reader study"
SAVED_POLL_MS = 400


class StudyReadingWindow(QMainWindow):
    """Opens and checks the package at once; nothing of it is on screen before its reader has signed in."""

    def __init__(
        self,
        package_path: Path,
        data_folder: Path,
        jobs: Jobs,
        preferences: Preferences,
        app_version: str,
        parent: QWidget | None = None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(parent)
        self._path, self._data_folder, self._jobs = package_path, data_folder, jobs
        self._preferences, self._app_version, self._clock = preferences, app_version, clock
        self._background = Background("study-reading", self)
        self._checking: Task | None = None
        self._package: ReaderPackage | None = None
        self._store: StudyStore | None = None
        self._closed = False
        self.controller: StudyReadingController | None = None
        self.room: ReadingRoom | None = None
        self.overlay: OverlayState | None = None
        self.actions_: StudyActions | None = None
        self.sign_in_page: SignInPage | None = None
        self.intro_page: IntroPage | None = None
        self.end_page: EndPage | None = None
        self.between_page, self.wait_page, self.closing_page = BetweenPage(), WaitPage(), ClosingPage()
        self.closing_page.close_asked.connect(self.close)
        self.setWindowTitle(TITLE)
        self.setMinimumSize(900, 560)
        screen = QGuiApplication.primaryScreen().availableGeometry()
        self.resize(min(1440, screen.width()), min(900, screen.height()))
        self.stack = QStackedWidget()
        self.opening_page = OpeningPage()
        self.opening_page.cancel_asked.connect(self.close)
        self.opening_page.retry_asked.connect(self._check_package)
        self.notice = NoticeBar()
        self._build()
        self._saved_timer = QTimer(self, interval=SAVED_POLL_MS)
        self._saved_timer.timeout.connect(self._refresh_saved)
        self._check_package()

    def _build(self) -> None:
        center = QWidget()
        column = QVBoxLayout(center)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(ResearchBanner(RESEARCH))
        column.addWidget(self.notice)
        column.addWidget(self.stack, 1)
        self.setCentralWidget(center)
        self.stack.addWidget(self.opening_page)
        self.stack.addWidget(self.between_page)
        self.stack.addWidget(self.wait_page)
        bar = self.statusBar()
        bar.setSizeGripEnabled(False)
        bar.setContentsMargins(8, 0, 10, 0)
        self._hint, self._saved = QLabel(), QLabel()
        self._saved.setAccessibleName("State of the record")
        for label in (self._hint, self._saved):
            label.setProperty("role", "small")
        bar.addWidget(self._hint, 1)
        bar.addPermanentWidget(self._saved)

    # -- the package, and who opens it ------------------------------------------------------------

    def _check_package(self) -> None:
        self.opening_page.show_opening()
        self._show(self.opening_page)

        def work(steps: Steps) -> ReaderPackage:
            def keep_going(done: int, total: int) -> bool:
                steps.total = total
                return steps.keep_going(done)

            return open_package(self._path, keep_going)

        self._checking = self._background.run(
            "Checking the reader package",
            work,
            self._on_package,
            lambda sentence, _details: self.opening_page.show_failure(sentence),
        )
        self._checking.progressed.connect(self.opening_page.show_progress)

    def _on_package(self, package: ReaderPackage) -> None:
        self._checking = None
        self._package = package
        folder = reader_folder(self._data_folder, package.protocol.study_id, package.reader_id)
        page = SignInPage(package.protocol.title, package.reader_id, folder)
        page.box.entered.connect(self._sign_in)
        self.sign_in_page = page
        self._show(page)

    def _sign_in(self, passphrase: str) -> None:
        package, page = self._package, self.sign_in_page
        assert package is not None
        assert page is not None
        store = self._store = self._store or make_store(self._data_folder, package, self._app_version)
        self._background.run(
            "Signing in",
            lambda _steps: sign_in(package, passphrase, store),
            self._on_signed_in,
            lambda sentence, _details: page.box.show_problem(sentence),
        )

    def _on_signed_in(self, desk: Desk) -> None:
        undo_stack = QUndoStack(self)
        marks = AnnotationModel(undo_stack, self)
        overlay = self.overlay = OverlayState(self)
        overlay.set_opacity(self._preferences.overlay_opacity)
        overlay.set_threshold(self._preferences.overlay_threshold)
        overlay.set_contour(self._preferences.overlay_contour)
        controller = StudyReadingController(
            desk, self._jobs, self._background, marks, app_version=self._app_version, clock=self._clock, parent=self
        )
        self.controller = controller
        room = self.room = ReadingRoom(controller, marks, overlay, undo_stack, self._preferences.lucency_cutoff_mm)
        protocol = controller.package.protocol
        handlers = self._handlers(controller, room, marks, overlay, undo_stack)
        self.actions_ = StudyActions(self, self.menuBar(), protocol, self._preferences, room.panes, handlers)
        room.keys = self.actions_.shown_keys()
        for name in ("show_marks", "show_cases", "tool_select"):
            self.actions_.set_checked(name, True)
        self.stack.addWidget(room)
        self._make_pages(controller, desk)
        room.record_asked.connect(controller.submit)
        room.panes.main.hint_changed.connect(self._hint.setText)
        room.panes.main.tool_changed.connect(self._on_tool)
        room.panes.main.inverted_changed.connect(lambda on: self._checked("invert", on))
        overlay.changed.connect(self._on_overlay)
        room.panes.side_by_side_changed.connect(lambda on: self._checked("side_by_side", on))
        controller.stage_changed.connect(self._on_stage)
        controller.phase_changed.connect(self._refresh_actions)
        controller.diagnosis_changed.connect(self._refresh_actions)
        controller.pause_changed.connect(self._refresh_actions)
        controller.radiograph_changed.connect(self.notice.clear)
        controller.failed.connect(self.notice.show_problem)
        controller.account.returned.connect(self._on_returned)
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.applicationStateChanged.connect(controller.note_away_state)
        self._saved_timer.start()
        self._refresh_actions()
        self._on_stage()
        for sentence in desk.notices:
            self.notice.show_problem(sentence)

    def _make_pages(self, controller: StudyReadingController, desk: Desk) -> None:
        package, protocol, plan = desk.package, desk.package.protocol, desk.package.plan
        note = version_note(package.manifest.app_version, self._app_version)
        self.intro_page = IntroPage(
            protocol.title,
            protocol.question,
            what_is_asked(protocol, plan),
            sham_note(protocol),
            [note] if note else [],
        )
        self.intro_page.begin_asked.connect(controller.begin)
        self.intro_page.passphrase_asked.connect(self.change_passphrase)
        self.between_page.go_on_asked.connect(controller.begin_part)
        self.wait_page.look_asked.connect(controller.go_on)
        self.end_page = EndPage(going_back=controller.may_go_back)
        self.end_page.box.entered.connect(lambda passphrase: controller.sign(passphrase, self._on_signed))
        self.end_page.return_asked.connect(self.ask_return)
        self.end_page.review_asked.connect(controller.review)
        self.end_page.close_asked.connect(self.close)
        for page in (self.intro_page, self.end_page):
            self.stack.addWidget(page)

    # -- following the controller -----------------------------------------------------------------

    def _on_stage(self) -> None:
        controller, room = self.controller, self.room
        assert controller is not None
        assert room is not None
        pages: dict[Stage, Callable[[], Page | ReadingRoom]] = {
            Stage.INTRO: self._intro,
            Stage.BETWEEN: self._between,
            Stage.READING: lambda: room,
            Stage.WAIT: self._wait,
            Stage.SIGN: self._end,
            Stage.FINISHED: self._end,
        }
        self._show(pages[controller.stage]())
        self._refresh_actions()

    def _show(self, page: Page | ReadingRoom) -> None:
        if self.stack.indexOf(page) < 0:
            self.stack.addWidget(page)
        self.stack.setCurrentWidget(page)
        page.take_focus()  # the stack has ideas of its own about what gets the keyboard

    def _intro(self) -> Page:
        controller, page = self.controller, self.intro_page
        assert controller is not None
        assert page is not None
        progress = controller.session.progress(controller.now)
        done, total = progress.done, progress.total
        if not controller.has_begun:
            page.show_progress("", "Begin", agreed=False)
        else:
            words = f"Welcome back: {done} of {total} cases are done." if done < total else "Every case is done."
            page.show_progress(words, "Go on", agreed=True)
        page.show_passphrase(own=controller.account.has_own_passphrase or controller.session.signed is not None)
        return page

    def _between(self) -> Page:
        controller = self.controller
        assert controller is not None
        current = controller.session.current
        assert current is not None
        count = sum(state.slot.period == current.slot.period for state in controller.session.slots)
        if current.slot.period == 1:
            words = (
                f"The {count} cases that follow count. You can have a break whenever you like: the clock stops then."
            )
            self.between_page.show_part("Practice is over", words)
        else:
            words = f"The same cases once more, in another order, {arm_words(current.slot.arm)}: {count} of them."
            self.between_page.show_part("The second part is open", words)
        return self.between_page

    def _wait(self) -> Page:
        controller = self.controller
        assert controller is not None
        opens_on = controller.opens_on
        if opens_on is not None:
            days = controller.package.protocol.washout_days
            self.wait_page.show_wait(opens_on, controller.now.date(), days)
        return self.wait_page

    def _end(self) -> Page:
        controller, page = self.controller, self.end_page
        assert controller is not None
        assert page is not None
        session = controller.session
        progress = session.progress(controller.now)
        signed, head = "", ""
        if session.signed is not None:
            end = session.signed.signature.statement.head
            signed = f"{datetime.fromisoformat(session.last_utc).astimezone():%d %b %Y, %H:%M}"
            head = f"entry {end.seq}, {end.hash[:16]}"
        answers = len(session.given())
        page.show_end(answers, progress.total, progress.active_s, progress.break_s, signed=signed, head=head)
        return page

    def _on_signed(self, problem: str) -> None:
        page = self.end_page
        assert page is not None
        if problem:
            page.box.show_problem(problem)
        else:
            page.box.clear()

    def _refresh_actions(self) -> None:
        controller, actions, room = self.controller, self.actions_, self.room
        if controller is None or actions is None or room is None:
            return
        reading = controller.stage is Stage.READING and not controller.paused
        phase = controller.phase
        actions.set_cnn(
            revealable=reading and phase is Phase.LOCKED and controller.prediction is None,
            shown=reading and controller.prediction is not None,
            has_map=controller.package.protocol.overlay_allowed,
        )
        has_image = reading and controller.radiograph is not None
        answering = has_image and phase in ANSWERING and not controller.saving
        edits = ("undo", "redo", "cut", "copy", "paste", "duplicate", "delete", "select_all")
        calls = ("loose", "not_loose", "cannot_tell", "score", "zones", "comment", "record")
        for spec in actions.specs:
            if spec.id in edits or spec.id in {f"reading.{name}" for name in calls}:
                actions.set_enabled((spec.id,), answering)
            elif not spec.id.startswith("study_") and spec.id not in ("shortcuts", "full_screen", "show_cases"):
                actions.set_enabled((spec.id,), has_image)
        actions.set_enabled(("next_case", "previous_case"), reading)
        actions.set_enabled(("correct",), reading and controller.may_correct)
        actions.set_enabled(("study_pause",), controller.stage is Stage.READING)
        actions.set_enabled(("study_return",), controller.session.started)
        actions.set_enabled(("study_passphrase",), controller.account.may_change_passphrase)
        actions.set_enabled(("study_intro",), controller.stage is not Stage.INTRO and not controller.saving)
        room.refresh()
        self._refresh_saved()

    def _refresh_saved(self) -> None:
        controller = self.controller
        if controller is not None:
            reason = controller.not_saved
            self._saved.setText("Not saved" if reason else "Saving …" if controller.unsaved else "All saved")
            self._saved.setToolTip(reason)

    def _on_tool(self, tool: Tool) -> None:
        self._checked(f"tool_{Tool(tool).value}", True)

    def _on_overlay(self) -> None:
        overlay = self.overlay
        assert overlay is not None
        self._checked("overlay", overlay.visible)
        self._checked("contour", overlay.mode is not OverlayMode.FILL)

    def _checked(self, action_id: str, on: bool) -> None:
        if self.actions_ is not None:
            self.actions_.set_checked(action_id, on)

    # -- actions ----------------------------------------------------------------------------------

    def _handlers(
        self,
        controller: StudyReadingController,
        room: ReadingRoom,
        marks: AnnotationModel,
        overlay: OverlayState,
        undo_stack: QUndoStack,
    ) -> dict[str, Callable[..., object]]:
        panes, form = room.panes, room.form
        handlers = picture_handlers(self, panes, marks, overlay, undo_stack, study_tools(controller.package.protocol))
        handlers |= {
            "study_pause": lambda: controller.resume() if controller.paused else controller.pause(),
            "study_reveal": controller.reveal,
            "study_intro": controller.show_intro,
            "study_return": self.ask_return,
            "study_passphrase": self.change_passphrase,
            "study_close": self.close,
            "auto_window": self._auto_window,
            "show_cases": room.worklist.setVisible,
            "next_case": lambda: controller.step(1),
            "previous_case": lambda: controller.step(-1),
            "correct": controller.begin_correction,
            "to_form": form.start,
            "shortcuts": self._show_shortcuts,
        }
        handlers |= {action.objectName(): action.trigger for action in form.actions()}
        return handlers

    def _auto_window(self) -> None:
        """Over the hip where the study says where it lies, else the whole image."""
        controller, room = self.controller, self.room
        if controller is None or room is None or controller.radiograph is None:
            return
        from imaging.windowing import auto_window

        region = controller.hip.region if controller.hip is not None and controller.box_is_known else None
        window = auto_window(controller.radiograph.pixels, region)
        room.panes.main.set_window(window.center, window.width, "auto")

    def _show_shortcuts(self) -> None:
        from gui.views.shortcut_sheet import ShortcutSheet

        assert self.actions_ is not None
        assert self.controller is not None
        protocol = self.controller.package.protocol
        specs = [*self.actions_.specs, *cnn_specs(protocol)]
        sheet = ShortcutSheet(specs, self._preferences.shortcuts, self, form_keys(protocol))
        sheet.show()

    def change_passphrase(self) -> None:
        """The time until it is changed is not reading time."""
        controller = self.controller
        if controller is None or not controller.account.may_change_passphrase:
            return
        controller.note_away(True)
        dialog = ChangePassphrase(self, controller.account.change_passphrase)
        dialog.accepted.connect(self._on_passphrase)
        dialog.finished.connect(self._on_passphrase_dialog)
        dialog.open()

    def _on_passphrase_dialog(self) -> None:
        assert self.controller is not None
        self.controller.note_away(False)
        self.activateWindow()
        page = self.stack.currentWidget()
        if isinstance(page, Page | ReadingRoom):
            page.take_focus()

    def _on_passphrase(self) -> None:
        self.notice.show_note("Your passphrase is changed. Sign in and sign with the new one from now on.")
        if self.intro_page is not None:
            self.intro_page.show_passphrase(own=True)

    def ask_return(self) -> None:
        """Where the file for the coordinator is to be written; finished or not, it holds all answers so far."""
        package, controller = self._package, self.controller
        if package is not None and controller is not None:
            choose_new_file(
                self,
                "Save the file for the coordinator",
                return_file_name(package),
                f"Answers of a reader (*{SUFFIX})",
                controller.account.write_return,
            )

    def _on_returned(self, path: Path) -> None:
        controller, page = self.controller, self.end_page
        assert controller is not None
        assert page is not None
        if controller.stage is Stage.FINISHED:
            page.show_returned(path)
        else:
            self.notice.show_note(f"Saved as {path}. It holds your answers so far; the study is not finished.")

    def closeEvent(self, event: QCloseEvent) -> None:
        """What was entered is handed over first; then the record is closed, with its backup, before the window goes."""
        if not self._closed:
            self._closed = True
            warnings = self._put_away()
            if warnings:
                self.closing_page.show_warnings(warnings)
                event.ignore()
                return
        super().closeEvent(event)

    def _put_away(self) -> list[str]:
        """Close the record in the background, in sight. Returns what the reader must hear of it, as sentences."""
        self._saved_timer.stop()
        self.notice.clear()
        store, background = self._store, self._background
        if self.controller is not None:
            self.controller.close()
        if store is None:
            background.shutdown()
            return []
        self.menuBar().hide()
        self._show(self.closing_page)
        known = list(store.warnings)
        background.cancel()
        done = QEventLoop()
        background.run("Closing the record", lambda _steps: store.close(), keep=True).ended.connect(done.quit)
        done.exec(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
        background.shutdown()
        self._saved.clear()
        new = [sentence for sentence in store.warnings if sentence not in known]
        for sentence in new:
            log.warning("The record of a study: %s", sentence)
        return new
