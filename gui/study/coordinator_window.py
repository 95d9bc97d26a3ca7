"""The coordinator's window: enrol, hand out, take in, note deviations, verify, close, unseal.

While others read it shows how far they are, never what they answered.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QListWidget,
    QListWidgetItem,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from gui.errors import NoticesBar
from gui.file_dialogs import choose_file, choose_folder, choose_new_file
from gui.jobs import Jobs
from gui.preferences import Preferences
from gui.study.background import Background, RadiographReader, Steps, Task
from gui.study.coordinator_dialogs import Ask, LookDialog
from gui.study.coordinator_overview import Check, Overview, ReaderLine, places, read_overview, verify
from gui.study.parts import TaskBar, allow, button, card, label
from gui.study.protocol_view import ProtocolView
from gui.study.study_place import Place, open_store, shown, studies_in
from imaging.radiograph import Radiograph
from imaging.sources import Source
from study.cases import StudyCase
from study.coordinator import Coordinator
from study.package import SUFFIX as PACKAGE_SUFFIX
from study.package import Images
from study.record import find_moved
from study.store import StudyStore
from study.study_events import TakenIn
from study.truth import KeyCost

READER_COLUMNS = ("Reader", "Experience", "Package", "Practice", "Read", "State")
NOTE_S = 12.0


class CoordinatorWindow(QWidget):
    results_asked = Signal(object)  # where the study lies

    def __init__(
        self,
        place: Place,
        data_folder: Path,
        jobs: Jobs,
        preferences: Preferences,
        app_version: str,
        parent: QWidget | None = None,
        *,
        cost: KeyCost | None = None,
    ) -> None:
        """place: the study's file, or its postgresql:// URL. cost: of passphrases; the default but for tests."""
        super().__init__(parent)
        self.setWindowFlag(Qt.WindowType.Window)
        self.setWindowTitle(f"Study – {shown(place)}")
        self.setAcceptDrops(True)
        self.place = place
        self._data_folder = data_folder
        self._jobs = jobs
        self._app_version = app_version
        self._cost = cost
        self.background = Background("coordinator", self)
        self._reader = RadiographReader(jobs, self)
        self._store: StudyStore | None = None
        self._coordinator: Coordinator | None = None
        self._scratch: Path | None = None  # the de-identified images, removed when the window closes
        self.images: Images | None = None
        self._looked = False  # somebody looked at every image
        self.overview: Overview | None = None
        self._build()
        self._update()
        self.background.run("Opening the study", lambda _steps: studies_in(place), self._choose, self._tell)

    # --- making it

    def _build(self) -> None:
        em = self.fontMetrics().height()
        self.notices = NoticesBar()
        self.title = label("Opening the study …", "title")
        self.facts = label("", "muted")
        self.phase = label("", "section")
        self.choice = QListWidget()
        self.choice.setAccessibleName("Studies on this server")
        self.choice.itemActivated.connect(lambda item: self._open(item.data(Qt.ItemDataRole.UserRole)))
        self.choice.hide()
        self.tabs = QTabWidget()
        self.tabs.addTab(self._build_readers(), "&Readers")
        self.tabs.addTab(self._build_deviations(), "&Deviations")
        self.protocol = ProtocolView(self.background)
        self.protocol.problem.connect(self._tell)
        self.protocol.told.connect(self._note)
        self.tabs.addTab(self.protocol, "&Protocol")
        self.tabs.addTab(self._build_check(), "&Verification")
        self.close_button = button("&Close the reading phase …", self.ask_close, "lock")
        self.unseal_button = button("&Unseal and show the results …", self.ask_unseal, "chart", "main")
        self.next_words = label("", "small")
        bottom = QHBoxLayout()
        bottom.addWidget(self.next_words, 1)
        bottom.addWidget(TaskBar(self.background))
        bottom.addWidget(self.close_button)
        bottom.addWidget(self.unseal_button)
        column = QVBoxLayout()
        column.setContentsMargins(22, 16, 22, 14)
        column.setSpacing(10)
        for widget in (self.title, self.facts, self.phase, self.choice):
            column.addWidget(widget)
        column.addWidget(self.tabs, 1)
        column.addLayout(bottom)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self.notices)
        whole.addLayout(column, 1)
        self.resize(62 * em, 44 * em)

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
        self.readers = _table("Readers", READER_COLUMNS, stretch=5)
        self.readers.itemSelectionChanged.connect(self._update)
        column.addWidget(self.readers, 1)
        column.addWidget(
            label(
                "Files that readers send back can be dropped anywhere on this window; the same file again adds nothing.",
                "small",
            )
        )
        return page

    def _build_deviations(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 12, 0, 0)
        self.deviate_button = button("&Note a deviation …", self.ask_deviation, "edit")
        column.addWidget(self.deviate_button, 0, Qt.AlignmentFlag.AlignLeft)
        self.deviations = _table("Deviations", ("When", "What was done otherwise", "Why"), stretch=2)
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
        self.flaws = _table("Problems", ("Chain", "Place", "What does not fit"), stretch=2)
        column.addWidget(self.flaws, 1)
        return page

    # --- opening

    def _choose(self, studies: dict[str, str]) -> None:
        if len(studies) == 1:
            self._open(next(iter(studies)))
            return
        self.title.setText("Several studies are registered here. Which one?")
        for study_id, title in studies.items():
            item = QListWidgetItem(title)
            item.setData(Qt.ItemDataRole.UserRole, study_id)
            self.choice.addItem(item)
        self.choice.show()
        self.tabs.hide()

    def _open(self, study_id: str) -> None:
        self.choice.hide()
        self.tabs.show()
        self._store = open_store(self.place, study_id, self._data_folder, self._app_version)
        self._coordinator = Coordinator(self._store, self._app_version, self._cost)
        self._scratch = self._data_folder / "studies" / study_id / "images"
        self.refresh()

    def refresh(self) -> None:
        store, coordinator = self._store, self._coordinator
        if store is not None and coordinator is not None:
            self._run("Reading the study", lambda _steps: read_overview(coordinator, store), self._take)

    def _take(self, overview: Overview) -> None:
        first = self.overview is None
        self.overview = overview
        chosen = self.chosen_reader()
        p = overview.protocol
        self.title.setText(p.title)
        self.facts.setText(
            f"{p.planned_cases} cases, {p.planned_readers} readers planned; registered {_local(overview.registered_utc)} by "
            f"{overview.coordinator}; protocol {overview.protocol_sha256[:16]}…"
        )
        self.facts.setToolTip(overview.protocol_sha256)
        _fill(self.readers, [reader_cells(line) for line in overview.readers])
        _fill(self.deviations, [(_local(utc), what, why) for utc, what, why in overview.deviations])
        names = [line.id for line in overview.readers]
        if chosen in names:
            self.readers.selectRow(names.index(chosen))
        elif first and names:
            self.readers.selectRow(0)
        self.protocol.show_protocol(p, tuple((_local(utc), f"{what} {why}") for utc, what, why in overview.deviations))
        for warning in overview.warnings:
            if warning not in self.notices.sentences:
                self._tell(warning)
        self._update()

    # --- what may be done now

    def chosen_reader(self) -> str:
        rows = {index.row() for index in self.readers.selectedIndexes()}
        item = self.readers.item(min(rows), 0) if rows else None
        return item.text() if item is not None else ""

    def _update(self) -> None:
        held = self.overview
        not_open = "" if held is not None else "The study is not open yet."
        closed = not_open or ("The reading phase is closed." if held is not None and held.closed_utc else "")
        name = self.chosen_reader()
        line = next((line for line in held.readers if line.id == name), None) if held is not None else None
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
        self.phase.setText(phase_words(held))
        self.next_words.setText(next_words(held))

    # --- doing it

    def ask_enrol(self) -> Ask:
        number = len(self.overview.readers) + 1 if self.overview else 1
        ask = Ask(
            self,
            "Enrol a reader",
            "The code stands in the record instead of a name. Let the reader type a passphrase now, or set a first one and "
            "hand it over; with it they open their package and sign.",
            "&Enrol",
        )
        code = ask.line("&Code", needed="Give the reader a code.")
        code.setText(f"R{number}")
        experience = ask.line("E&xperience", "e.g. consultant, 12 years of hip surgery")
        passphrase = ask.new_passphrase("Reader")
        ask.accepted.connect(lambda: self.enrol(code.text().strip(), passphrase.text, experience.text().strip()))
        ask.open()
        return ask

    def enrol(self, code: str, passphrase: str, experience: str) -> Task:
        return self._do(
            f"Enrolling {code}",
            lambda held, _steps: held.enrol(code, passphrase, experience),
            lambda _account: self._note(f"{code} is enrolled. Hand out their package next."),
        )

    def ask_reset(self) -> Ask:
        name = self.chosen_reader()
        ask = Ask(
            self,
            f"New key for {name}",
            "For a reader who lost the passphrase. What they signed stays signed by the old key; make them a new package.",
            "&Make a new key",
        )
        reason = ask.line("&Reason", needed="Say why the account is reset.")
        new = ask.new_passphrase(name)
        own = ask.line("&Your passphrase", needed="Type the coordinator's passphrase.", secret=True)
        ask.accepted.connect(lambda: self.reset(name, new.text, own.text(), reason.text()))
        ask.open()
        return ask

    def reset(self, name: str, new: str, own: str, reason: str) -> Task:
        return self._do(
            f"Making a new key for {name}",
            lambda held, _steps: held.reset(name, new, own, reason),
            lambda _account: self._note(f"{name} has a new key. Hand out a new package."),
        )

    def ask_hand_out(self) -> None:
        """Images first, then somebody looks at them, then the file and the passphrase."""
        name = self.chosen_reader()
        if self.images is None:
            self.prepare(lambda: self._look(name))
        else:
            self._look(name)

    def prepare(self, then: Callable[[], object]) -> None:
        store, coordinator, scratch = self._store, self._coordinator, self._scratch
        assert store is not None
        assert coordinator is not None
        assert scratch is not None

        def work(steps: Steps) -> tuple[Images | None, set[str]]:
            found, missing = places(coordinator, store)
            if missing:
                return None, missing
            steps.total = len(coordinator.state().registered.cases)

            def read(case: StudyCase) -> Radiograph:
                return self._reader.read(found[case.image_sha256], case.frame, steps)

            return coordinator.prepare(read, scratch, steps.keep_going), set()

        def done(result: tuple[Images | None, set[str]]) -> None:
            self.images, missing = result
            if missing:
                self._ask_where(missing, then)
            else:
                then()

        self._run("Removing names from the images", work, done)

    def _ask_where(self, missing: set[str], then: Callable[[], object]) -> None:
        self.notices.show_notice(
            f"{len(missing)} image{' is' if len(missing) == 1 else 's are'} no longer where they were.",
            action=(
                "Look for them …",
                lambda: choose_folder(self, "Where are the images now?", partial(self.find_images, missing, then)),
            ),
        )

    def find_images(self, missing: set[str], then: Callable[[], object], folder: Path) -> None:
        store = self._store
        assert store is not None

        def work(steps: Steps) -> int:
            found = find_moved(folder, missing, steps.keep_going)
            for digest, path in found.items():
                store.note_location(digest, path).result()
            return len(found)

        self._run("Looking for the images", work, lambda _number: self.prepare(then))

    def _look(self, name: str) -> None:
        assert self.images is not None
        if self._looked:
            self._ask_file(name)
            return
        held = self.images
        digests = sorted({case.image_sha256 for case in held.of_case.values()})
        self.look_dialog = LookDialog(self, self._jobs, [Source(held.path(digest)) for digest in digests])
        self.look_dialog.accepted.connect(lambda: self._on_looked(name))
        self.look_dialog.open()

    def _on_looked(self, name: str) -> None:
        self._looked = True
        self._ask_file(name)

    def _ask_file(self, name: str) -> None:
        choose_new_file(
            self,
            f"The package of {name}",
            f"{name}{PACKAGE_SUFFIX}",
            f"Reader packages (*{PACKAGE_SUFFIX})",
            lambda path: self.ask_own(
                f"Hand out the package of {name}",
                "The package holds de-identified images, the protocol and this reader's order; never the truth.",
                "&Write the package",
                lambda passphrase: self.hand_out(name, path, passphrase),
            ),
        )

    def hand_out(self, name: str, path: Path, passphrase: str) -> Task:
        images, looked = self.images, self._looked
        assert images is not None
        return self._do(
            f"Writing the package of {name}",
            lambda held, _steps: held.hand_out(name, path, images, passphrase, burned_in_checked=looked),
            lambda _packaged: self._note(f"The package of {name} was written to {path.name}."),
        )

    def ask_take_in(self) -> None:
        choose_file(self, "Take in a reader's answers", lambda path: self.take_in([path]))

    def take_in(self, paths: list[Path]) -> None:
        for path in paths:
            self._do(
                f"Taking in {path.name}",
                partial(_take_in, path),
                self._on_taken_in,
            )

    def _on_taken_in(self, taken: TakenIn) -> None:
        entries = f"{taken.added} new entr{'y' if taken.added == 1 else 'ies'}"
        self._note(
            f"The answers of {taken.reader_id} were taken in: {entries}."
            if taken.added
            else f"Nothing new: these answers of {taken.reader_id} were taken in before."
        )

    def ask_deviation(self) -> Ask:
        ask = Ask(self, "Note a deviation", "Something is done otherwise than the protocol says.", "&Note it")
        what = ask.text("&What", "Say what was done otherwise.")
        why = ask.text("Wh&y", "Say why.")
        ask.accepted.connect(lambda: self.deviate(what.toPlainText(), why.toPlainText()))
        ask.open()
        return ask

    def deviate(self, what: str, why: str) -> Task:
        return self._do(
            "Noting the deviation",
            lambda held, _steps: held.deviate(" ".join(what.split()), " ".join(why.split())),
            lambda _none: self._note("The deviation was noted."),
        )

    def verify(self) -> None:
        store, coordinator = self._store, self._coordinator
        if store is not None and coordinator is not None:
            self.verdict.setText("Verifying …")
            self._run("Verifying the record", lambda _steps: verify(coordinator, store), self._show_check)

    def _show_check(self, found: Check) -> None:
        _fill(self.flaws, list(found.problems))
        what = f"{found.events} events in {found.chains} chain{'' if found.chains == 1 else 's'}"
        number = len(found.problems)
        verdict = (
            f"{number} problem{'' if number == 1 else 's'}." if number else "All sound: hashes and signatures fit."
        )
        self.verdict.setText(f"{verdict} {what} were looked at, {datetime.now():%H:%M:%S}.")  # noqa: DTZ005
        self.tabs.setCurrentIndex(3)

    def ask_close(self) -> Ask:
        unfinished = self.overview.unfinished if self.overview is not None else ()
        lead = "After this nothing more is taken in, and the truth can be unsealed."
        if unfinished:
            lead += f" Not finished and signed: {', '.join(unfinished)}. This becomes a deviation, with your reason."
        ask = Ask(self, "Close the reading phase", lead, "&Close the reading phase")
        reason = ask.line("&Reason", needed="Say why it is closed before all have finished.") if unfinished else None
        own = ask.line("&Your passphrase", needed="Type the coordinator's passphrase.", secret=True)
        ask.accepted.connect(lambda: self.close_phase(own.text(), reason.text() if reason is not None else ""))
        ask.open()
        return ask

    def close_phase(self, passphrase: str, reason: str = "") -> Task:
        return self._do(
            "Closing the reading phase",
            lambda held, _steps: held.close(passphrase, reason),
            lambda _none: self._note("The reading phase is closed. The truth can be unsealed now."),
        )

    def ask_unseal(self) -> Ask | None:
        if self.overview is not None and self.overview.unsealed_utc:
            self.results_asked.emit(self.place)  # the results ask for the passphrase themselves
            return None
        return self.ask_own(
            "Unseal the truth",
            "The truth is held against the commitment that was made before the first reading; then the results open.",
            "&Unseal",
            self.unseal,
        )

    def unseal(self, passphrase: str) -> Task:
        return self._do(
            "Unsealing the truth",
            lambda held, _steps: held.unseal(passphrase),
            lambda _scores: self.results_asked.emit(self.place),
        )

    def ask_own(self, title: str, lead: str, do: str, then: Callable[[str], object]) -> Ask:
        """The coordinator's passphrase, and what is done with it."""
        ask = Ask(self, title, lead, do)
        own = ask.line("&Your passphrase", needed="Type the coordinator's passphrase.", secret=True)
        ask.accepted.connect(lambda: then(own.text()))
        ask.open()
        return ask

    # --- shared

    def _do(self, title: str, work: Callable[[Coordinator, Steps], Any], then: Callable[[Any], object]) -> Task:
        """Something that changes the study; the window is brought up to date whatever became of it."""
        coordinator = self._coordinator
        assert coordinator is not None
        task = self._run(title, lambda steps: work(coordinator, steps), then)
        task.ended.connect(self.refresh)
        return task

    def _run(self, title: str, work: Callable[[Steps], Any], then: Callable[[Any], object]) -> Task:
        return self.background.run(title, work, then, self._tell)

    def _tell(self, sentence: str, details: str = "") -> None:
        if self.overview is None and self._coordinator is None:
            self.title.setText("The study could not be opened.")
        self.notices.show_notice(sentence, details)

    def _note(self, sentence: str) -> None:
        self.notices.show_notice(sentence, seconds=NOTE_S)

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
        if self._store is not None:
            self._store.close()
        if self._scratch is not None and self.images is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
        super().closeEvent(event)


def _take_in(path: Path, coordinator: Coordinator, _steps: Steps) -> TakenIn:
    return coordinator.take_in(path)


def reader_cells(line: ReaderLine) -> tuple[str, ...]:
    """Counts and states, never an answer."""
    if line.signed:
        state = "Finished and signed"
    elif line.waits_until:
        state = f"Washout until {line.waits_until}"
    elif line.came_back and line.done == line.total:
        state = "Everything read, not signed yet"
    elif line.came_back:
        state = "Reading"
    elif line.handed_out:
        state = "Nothing has come back yet"
    else:
        state = "Enrolled"
    package = "handed out" if line.handed_out else "–"
    practice = f"{line.practice_done} of {line.practice_total}" if line.practice_total else "–"
    if line.resets:
        state += f"; {line.resets} new key{'' if line.resets == 1 else 's'}"
    return line.id, line.experience or "–", package, practice, f"{line.done} of {line.total}", state


def phase_words(held: Overview | None) -> str:
    if held is None:
        return ""
    if held.unsealed_utc:
        return f"Unsealed {_local(held.unsealed_utc)}"
    if held.closed_utc:
        return f"Reading phase closed {_local(held.closed_utc)}; the truth is sealed"
    return "Reading phase open; the truth is sealed"


def next_words(held: Overview | None) -> str:
    if held is None:
        return ""
    if not held.readers:
        return "Next: enrol the readers."
    if held.closed_utc:
        return ""
    waiting = [line.id for line in held.readers if not line.handed_out]
    if waiting:
        return f"Next: hand out the package of {', '.join(waiting)}."
    if held.unfinished:
        return f"Waiting for {', '.join(held.unfinished)}."
    return "Everybody has finished and signed: the reading phase can be closed."


def _local(utc: str) -> str:
    return f"{datetime.fromisoformat(utc).astimezone():%Y-%m-%d %H:%M}" if utc else ""


def _table(name: str, columns: tuple[str, ...], stretch: int) -> QTableWidget:
    table = QTableWidget(0, len(columns))
    table.setAccessibleName(name)
    table.setHorizontalHeaderLabels(list(columns))
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setTabKeyNavigation(False)
    table.setShowGrid(False)
    table.verticalHeader().hide()
    header = table.horizontalHeader()
    header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    header.setHighlightSections(False)
    for section in range(len(columns)):
        mode = QHeaderView.ResizeMode.Stretch if section == stretch else QHeaderView.ResizeMode.ResizeToContents
        header.setSectionResizeMode(section, mode)
    return table


def _fill(table: QTableWidget, rows: list[tuple[str, ...]]) -> None:
    table.setRowCount(len(rows))
    for row, cells in enumerate(rows):
        for column, text in enumerate(cells):
            item = QTableWidgetItem(text)
            item.setToolTip(text)
            table.setItem(row, column, item)
