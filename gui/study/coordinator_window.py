"""The coordinator's window: enrol, hand out, take in, note deviations, verify, close, unseal.

While others read it shows how far they are, never what they answered.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QHBoxLayout, QTabWidget, QVBoxLayout, QWidget

from gui.errors import NoticesBar
from gui.file_dialogs import choose_file
from gui.jobs import Jobs
from gui.preferences import Preferences
from gui.study import coordinator_dialogs as dialogs
from gui.study.background import Background, Steps, Task
from gui.study.coordinator_key import Key
from gui.study.coordinator_overview import (
    Check,
    OpenStudy,
    Overview,
    ReaderLine,
    StudyRequest,
    places,
    read_overview,
    verify,
)
from gui.study.coordinator_packages import HandOut
from gui.study.coordinator_words import check_words, local_time, next_words, phase_words, reader_cells
from gui.study.lists import StudyChoice, fill_table, plain_table
from gui.study.parts import Ask, StudyWindow, TaskBar, allow, button, card, label
from gui.study.protocol_view import ProtocolView
from gui.study.results_data import ResultsRequest
from gui.study.study_place import open_store, shown, studies_in
from study.coordinator import Coordinator
from study.study_events import TakenIn
from study.truth import KeyCost

READER_COLUMNS = ("Reader", "Experience", "Package", "Practice", "Read", "State")


class CoordinatorWindow(StudyWindow):
    results_asked = Signal(object)  # ResultsRequest

    def __init__(
        self,
        request: StudyRequest,
        data_folder: Path,
        jobs: Jobs,
        preferences: Preferences,
        app_version: str,
        parent: QWidget | None = None,
        *,
        cost: KeyCost | None = None,
    ) -> None:
        """request: with the passphrase, the window opens unlocked. cost: of passphrases; the default but for tests."""
        super().__init__(parent)
        self.setWindowFlag(Qt.WindowType.Window)
        self.setWindowTitle(f"Study – {shown(request.place)}")
        self.setAcceptDrops(True)
        self.place = request.place
        self._request: StudyRequest | None = request  # until the study is open
        self._data_folder = data_folder
        self._jobs = jobs
        self._app_version = app_version
        self._cost = cost
        self.background = Background("coordinator", self)
        self._study: OpenStudy | None = None
        self.packages: HandOut | None = None
        self._asked_key = False
        self._choose_next = ""  # the reader that the next overview shall choose
        self._noted = ""
        self._offers: dict[str, str] = {}  # notices that offer a new package, by reader
        self.overview: Overview | None = None
        self._build()
        self._update()
        self.background.run("Opening the study", lambda _steps: studies_in(request.place), self._choose, self._tell)

    # --- making it

    def _build(self) -> None:
        em = self.fontMetrics().height()
        self.notices = NoticesBar()
        self.title = label("Opening the study …", "title")
        self.facts = label("", "muted")
        self.phase = label("", "section")
        self.key = Key(self.background)
        self.next_words = label("")
        self.choice = StudyChoice()
        self.choice.picked.connect(self._open)
        self.choice.hide()
        self.tabs = QTabWidget()
        self.tabs.addTab(self._build_readers(), "&Readers")
        self.tabs.addTab(self._build_deviations(), "&Deviations")
        self.protocol = ProtocolView(self.background)
        self.protocol.problem.connect(self._tell)
        self.protocol.told.connect(self.note)
        self.tabs.addTab(self.protocol, "&Protocol")
        self.tabs.addTab(self._build_check(), "&Verification")
        self.close_button = button("&Close the reading phase …", self.ask_close, "lock")
        self.unseal_button = button("&Unseal and show the results …", self.ask_unseal, "chart", "main")
        bottom = QHBoxLayout()
        bottom.addWidget(TaskBar(self.background))
        bottom.addStretch(1)
        bottom.addWidget(self.close_button)
        bottom.addWidget(self.unseal_button)
        column = QVBoxLayout()
        column.setContentsMargins(22, 16, 22, 14)
        column.setSpacing(10)
        state = QHBoxLayout()
        state.addWidget(self.phase, 1)
        state.addWidget(self.key)
        column.addWidget(self.title)
        column.addWidget(self.facts)
        column.addLayout(state)
        column.addWidget(self.next_words)
        column.addWidget(self.choice)
        column.addWidget(self.tabs, 1)
        column.addLayout(bottom)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self.notices)
        whole.addLayout(column, 1)
        self.resize(76 * em, 46 * em)  # wide enough for what is under way beside the buttons: the window keeps its size

    def _build_readers(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 12, 0, 0)
        self.enrol_button = button("&Enrol a reader …", self.ask_enrol, "add")
        self.hand_out_button = button("&Hand out a package …", self.ask_hand_out, "export")
        self.take_in_button = button("&Take in answers …", self.ask_take_in, "import")
        self.reset_button = button("&New key …", self.ask_reset, "refresh")
        row = QHBoxLayout()
        for made in (self.enrol_button, self.hand_out_button, self.take_in_button, self.reset_button):
            row.addWidget(made)
        row.addStretch(1)
        self.refresh_button = button("Re&fresh", self.refresh, "refresh", "quiet")
        row.addWidget(self.refresh_button)
        column.addLayout(row)
        self.readers = plain_table("Readers", READER_COLUMNS, stretch=5)
        self.readers.itemSelectionChanged.connect(self._update)
        column.addWidget(self.readers, 1)
        self.drop_words = label(
            "Files that readers send back can be dropped anywhere on this window; the same file again adds nothing.",
            "small",
        )
        column.addWidget(self.drop_words)
        return page

    def _build_deviations(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 12, 0, 0)
        self.deviate_button = button("&Note a deviation …", self.ask_deviation, "edit")
        column.addWidget(self.deviate_button, 0, Qt.AlignmentFlag.AlignLeft)
        self.deviations = plain_table("Deviations", ("When", "What was done otherwise", "Why"), stretch=2)
        column.addWidget(self.deviations, 1)
        column.addWidget(label("The protocol itself never changes. Deviations are printed in the report.", "small"))
        return page

    def _build_check(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 12, 0, 0)
        self.verify_button = button("&Verify the record", self.verify, "check")
        column.addWidget(self.verify_button, 0, Qt.AlignmentFlag.AlignLeft)
        frame, inner = card()
        self.verdict = label("Not verified since this window was opened.")
        inner.addWidget(self.verdict)
        column.addWidget(frame)
        self.flaws = plain_table("Problems", ("Chain", "Place", "What does not fit"), stretch=2)
        self.flaws.hide()
        column.addWidget(self.flaws, 1)
        column.addStretch(0)
        return page

    # --- opening

    def _choose(self, studies: dict[str, str]) -> None:
        wanted = self._request.study if self._request is not None else ""
        if len(studies) == 1 or wanted in studies:
            self._open(wanted if wanted in studies else next(iter(studies)))
            return
        self.title.setText("Several studies are registered here. Which one?")
        self.choice.show()
        self.tabs.hide()
        self.choice.show_studies(studies)

    def _open(self, study_id: str) -> None:
        self.choice.hide()
        self.tabs.show()
        store = open_store(self.place, study_id, self._data_folder, self._app_version)
        scratch = self._data_folder / "studies" / study_id / "images"
        self._study = OpenStudy(Coordinator(store, self._app_version, self._cost), store, scratch)
        self.packages = HandOut(self, self._study, self._jobs)
        self.key.belong_to(self._study.coordinator)
        request, self._request = self._request, None
        if request is not None and request.passphrase:
            self.key.unlock(request.passphrase, lambda problem: self._tell(problem) if problem else None)
        self.refresh()

    def refresh(self) -> None:
        study = self._study
        if study is not None:
            self.run("Reading the study", lambda _steps: read_overview(study), self._take)

    def _take(self, overview: Overview) -> None:
        self.overview = overview
        chosen, self._choose_next = self._choose_next or self.chosen_reader(), ""
        p = overview.protocol
        self.title.setText(p.title)
        self.facts.setText(
            f"{p.planned_cases} cases, {p.planned_readers} readers planned; registered {local_time(overview.registered_utc)} by "
            f"{overview.coordinator}; protocol {overview.protocol_sha256[:16]}…"
        )
        self.facts.setToolTip(overview.protocol_sha256)
        fill_table(self.readers, [reader_cells(line) for line in overview.readers])
        fill_table(self.deviations, [(local_time(utc), what, why) for utc, what, why in overview.deviations])
        names = [line.id for line in overview.readers]
        if names:
            self.readers.selectRow(names.index(chosen) if chosen in names else 0)
        self.protocol.show_protocol(
            p, tuple((local_time(utc), f"{what} {why}") for utc, what, why in overview.deviations)
        )
        for line in overview.readers:
            if not line.needs_new_package:
                self.notices.withdraw(self._offers.pop(line.id, ""))
        for warning in overview.warnings:
            if warning not in self.notices.sentences:
                self._tell(warning)
        self._update()
        if not self._asked_key:
            self._asked_key = True
            if not overview.closed_utc and not self.key.is_open:  # later on little is entered: that asks by itself
                self.key.ask()

    # --- what may be done now

    def chosen_reader(self) -> str:
        rows = {index.row() for index in self.readers.selectedIndexes()}
        item = self.readers.item(min(rows), 0) if rows else None
        return item.text() if item is not None else ""

    def _line(self, name: str) -> ReaderLine | None:
        readers = self.overview.readers if self.overview is not None else ()
        return next((line for line in readers if line.id == name), None)

    def _update(self) -> None:
        held = self.overview
        not_open = "" if held is not None else "The study is not open yet."
        closed = not_open or ("The reading phase is closed." if held is not None and held.closed_utc else "")
        name = self.chosen_reader()
        line = self._line(name)
        allow(self.enrol_button, closed)
        allow(self.hand_out_button, closed or ("" if name else "Enrol a reader and choose them in the table first."))
        some = held is not None and any(line.handed_out for line in held.readers)
        allow(self.take_in_button, closed or ("" if some else "No package has been handed out yet."))
        allow(self.reset_button, closed or ("" if name else "Choose a reader in the table first."), "Lost passphrase")
        allow(self.deviate_button, not_open)
        allow(self.verify_button, not_open)
        allow(self.refresh_button, not_open)
        enrolled = held is not None and bool(held.readers)
        allow(self.close_button, closed or ("" if enrolled else "No reader is enrolled yet."))
        sealed = (
            "" if held is not None and held.closed_utc else "The truth stays sealed until the reading phase is closed."
        )
        allow(self.unseal_button, not_open or sealed)
        if line is not None and line.handed_out:
            self.hand_out_button.setToolTip("A new package replaces the earlier one, e.g. after a new key.")
        unsealed = held is not None and bool(held.unsealed_utc)
        self.unseal_button.setText("&Show the results …" if unsealed else "&Unseal and show the results …")
        self.drop_words.setVisible(held is None or not held.closed_utc)
        self.phase.setText(phase_words(held))
        self.next_words.setText(next_words(held))
        self.key.show_state()

    # --- doing it

    def ask_enrol(self) -> Ask:
        number = len(self.overview.readers) + 1 if self.overview else 1
        return self.key.need(lambda: dialogs.ask_enrol(self, number, self.enrol))

    def enrol(self, code: str, passphrase: str, experience: str) -> None:
        def done(_account: object) -> None:
            self._choose_next = code
            self.note(f"{code} is enrolled. Hand out their package next.")

        self.enter(f"Enrolling {code}", lambda held, _steps: held.enrol(code, passphrase, experience), done)

    def ask_reset(self) -> Ask:
        name = self.chosen_reader()
        return dialogs.ask_reset(self, name, partial(self.reset, name))

    def reset(self, name: str, new: str, own: str, reason: str) -> Task:
        return self.do(
            f"Making a new key for {name}",
            lambda held, _steps: held.reset(name, new, own, reason),
            lambda _account: self._offer_package(name),
        )

    def _offer_package(self, name: str) -> None:
        """What was handed out before opens with the lost passphrase alone."""
        line = self._line(name)
        if line is None or not line.handed_out or line.signed:
            self.note(f"{name} has a new key.")
            return
        self._choose_next = name
        self._offers[name] = f"{name} has a new key. Their package does not open with it: hand out a new one."
        self.notices.show_notice(
            self._offers[name],
            action=(f"Hand out to {name} …", partial(self.ask_hand_out, name)),
        )

    def ask_hand_out(self, name: str = "") -> None:
        """To the chosen reader, unless another is named."""
        if self.packages is not None:
            self.packages.ask(name or self.chosen_reader())

    def ask_take_in(self) -> None:
        self.key.need(lambda: choose_file(self, "Take in a reader's answers", lambda path: self.take_in([path])))

    def take_in(self, paths: list[Path]) -> None:
        def begin() -> None:
            for path in paths:
                self.do(f"Taking in {path.name}", partial(_take_in, path), self._on_taken_in)

        self.key.need(begin)

    def _on_taken_in(self, taken: TakenIn) -> None:
        entries = f"{taken.added} new entr{'y' if taken.added == 1 else 'ies'}"
        self.note(
            f"The answers of {taken.reader_id} were taken in: {entries}."
            if taken.added
            else f"Nothing new: these answers of {taken.reader_id} were taken in before."
        )

    def ask_deviation(self) -> Ask:
        return self.key.need(lambda: dialogs.ask_deviation(self, self.deviate))

    def deviate(self, what: str, why: str) -> None:
        self.enter(
            "Noting the deviation",
            lambda held, _steps: held.deviate(what, why),
            lambda _none: self.note("The deviation was noted."),
        )

    def verify(self) -> None:
        study = self._study
        if study is not None:
            self.verdict.setText("Verifying …")
            self.run("Verifying the record", lambda _steps: verify(study), self._show_check)

    def _show_check(self, found: Check) -> None:
        fill_table(self.flaws, list(found.problems))
        self.flaws.setVisible(bool(found.problems))
        self.verdict.setText(check_words(found))
        self.tabs.setCurrentIndex(3)

    def ask_close(self) -> Ask:
        unfinished = self.overview.unfinished if self.overview is not None else ()
        return dialogs.ask_close(self, unfinished, self.close_phase)

    def close_phase(self, passphrase: str, reason: str = "") -> Task:
        return self.do(
            "Closing the reading phase",
            lambda held, _steps: held.close(passphrase, reason),
            lambda _none: self.note("The reading phase is closed. The truth can be unsealed now."),
        )

    def ask_unseal(self) -> Ask | None:
        if self.overview is not None and self.overview.unsealed_utc:
            self._show_results("")  # the results ask for the passphrase themselves
            return None
        return self.ask_own(
            "Unseal the truth",
            "The truth is held against the commitment that was made before the first reading; then the results open.",
            "&Unseal",
            self.unseal,
        )

    def unseal(self, passphrase: str) -> Task:
        return self.do(
            "Unsealing the truth",
            lambda held, _steps: held.unseal(passphrase),
            lambda _scores: self._show_results(passphrase),
        )

    def _show_results(self, passphrase: str) -> None:
        """What this window knows goes along: the passphrase, in memory only, and where the images lie, whose notes it
        holds for itself while it is open."""
        study, place = self._study, self.place
        assert study is not None
        self.run(
            "Looking for the images",
            lambda _steps: places(study)[0],
            lambda found: self.results_asked.emit(ResultsRequest(place, study.store.study, passphrase, found)),
        )

    def ask_own(self, title: str, lead: str, do: str, then: Callable[[str], object]) -> Ask:
        """The coordinator's passphrase, and what is done with it."""
        return dialogs.ask_own(self, title, lead, do, then)

    # --- shared

    def enter(self, title: str, work: Callable[[Coordinator, Steps], Any], then: Callable[[Any], object]) -> None:
        """Something that becomes an entry, with the key; what asks for the passphrase itself goes by `do`."""
        self.key.need(lambda: self.do(title, work, then))

    def do(self, title: str, work: Callable[[Coordinator, Steps], Any], then: Callable[[Any], object]) -> Task:
        """Something that changes the study; the window is brought up to date whatever became of it."""
        study = self._study
        assert study is not None
        task = self.run(title, lambda steps: work(study.coordinator, steps), then)
        task.ended.connect(self.refresh)
        return task

    def run(self, title: str, work: Callable[[Steps], Any], then: Callable[[Any], object]) -> Task:
        return self.background.run(title, work, then, self._tell)

    def _tell(self, sentence: str, details: str = "") -> None:
        if self.overview is None and self._study is None:
            self.title.setText("The study could not be opened.")
        self.notices.show_notice(sentence, details)

    def note(self, sentence: str) -> None:
        """What was done; the next such sentence takes its place."""
        self.notices.withdraw(self._noted)
        self._noted = sentence
        self.notices.show_note(sentence)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls() and self.take_in_button.isEnabled():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.take_in(paths)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.background.shutdown()
        self.key.forget()
        if self._study is not None:
            self._study.store.close()
        if self.packages is not None:
            self.packages.close()
        super().closeEvent(event)


def _take_in(path: Path, coordinator: Coordinator, _steps: Steps) -> TakenIn:
    return coordinator.take_in(path)
