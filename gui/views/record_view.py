"""All readings of this machine: a table to filter, the chosen one in full, export, and moved images found again.

Reading the record waits for the disk and folding 100,000 readings takes a second or two: both happen in one
background thread of this view.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QMenu,
    QPushButton,
    QSplitter,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from gui import icons
from gui.errors import show_error
from gui.file_dialogs import choose_file, choose_folder, choose_new_file
from gui.views.record_details import RecordDetails
from gui.views.record_filters import RecordFilters
from gui.views.record_jobs import is_there, load_record, relink_all
from gui.views.record_model import RecordModel
from gui.views.record_rows import Row, summary_of, summary_words
from study.model import CaseKey
from study.record import Record, RecordedReading, export_csv, export_json, relink
from study.store import StoreError, StudyStore

log = logging.getLogger(__name__)

PRIVACY = (
    "The file names readers as they named themselves and holds their calls, marks and comments. Images appear as "
    "hashes; no patient data, file names or folders go into it, unless somebody typed them into a comment."
)


class RecordView(QWidget):
    """Open it and call `refresh`. `close_down` ends its background thread."""

    open_case = Signal(str, int)  # SHA-256 and frame of the image: it lies where the record says
    notice = Signal(str)  # something small to say
    _done = Signal(object, object)  # a future of the background thread, and who waits for it

    def __init__(self, store: StudyStore, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._record = Record()
        self._rows: list[Row] = []
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="record-view")
        self._search_cancelled = False
        self._done.connect(lambda future, then: then(future), Qt.ConnectionType.QueuedConnection)
        self.model = RecordModel()
        self.filters = RecordFilters()
        self.filters.changed.connect(self._apply_filter)
        self.details = RecordDetails()
        self.details.open_asked.connect(self._open_current)
        self.details.place_asked.connect(self._ask_where)
        self.table = self._build_table()
        self._build_bottom()
        self._lay_out()
        self._show_current()

    # What the program asks

    def refresh(self) -> None:
        """Read the record anew, in the background."""
        self.count_label.setText(self.tr("Reading the record …"))
        self._in_background(lambda: load_record(self._store), self._take_record)

    def close_down(self) -> None:
        self._search_cancelled = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def shown(self) -> list[RecordedReading]:
        """The readings that the filters leave, in the table's order."""
        return [row.item for row in self.model.rows]

    def select(self, reading_id: str) -> None:
        for number, row in enumerate(self.model.rows):
            if row.item.reading.id == reading_id:
                self.table.selectRow(number)
                return

    # Building

    def _build_table(self) -> QTableView:
        table = QTableView()
        table.setModel(self.model)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setTabKeyNavigation(False)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.verticalHeader().hide()
        table.setSortingEnabled(True)
        table.sortByColumn(RecordModel.RECORDED, Qt.SortOrder.DescendingOrder)
        table.setAccessibleName(self.tr("Readings"))
        header = table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setStretchLastSection(True)
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self._size_table(table)
        table.selectionModel().currentRowChanged.connect(lambda *_: self._show_current())
        self.model.modelReset.connect(self._show_current)
        table.doubleClicked.connect(lambda _index: self._open_current())
        enter = QShortcut(QKeySequence(Qt.Key.Key_Return), table, self._open_current)
        enter.setContext(Qt.ShortcutContext.WidgetShortcut)
        return table

    def _build_bottom(self) -> None:
        self.count_label = QLabel()
        self.count_label.setProperty("role", "muted")
        self.summary_label = QLabel(wordWrap=True)
        self.summary_label.setProperty("role", "muted")
        self.export_button = QPushButton(self.tr("&Export …"))
        icons.attach(self.export_button, "export")
        menu = QMenu(self.export_button)
        menu.addAction(self.tr("Table (&CSV) …"), lambda: self._ask_export("csv"))
        menu.addAction(self.tr("Everything (&JSON) …"), lambda: self._ask_export("json"))
        self.export_button.setMenu(menu)
        self.export_button.setToolTip(self.tr("The readings that the filters leave. {note}").format(note=PRIVACY))
        self.find_button = QPushButton(self.tr("&Find moved images …"))
        icons.attach(self.find_button, "search")
        self.find_button.setToolTip(self.tr("Look in a folder for the images of these readings, by their hash"))
        self.find_button.clicked.connect(lambda: choose_folder(self, self.tr("Folder to look in"), self._find_moved))
        self.refresh_button = QPushButton(self.tr("&Refresh"))
        icons.attach(self.refresh_button, "refresh")
        self.refresh_button.clicked.connect(self.refresh)
        self.privacy_label = QLabel(PRIVACY, wordWrap=True)
        self.privacy_label.setProperty("role", "small")

    def _lay_out(self) -> None:
        bottom = QHBoxLayout()
        words = QVBoxLayout()
        words.addWidget(self.count_label)
        words.addWidget(self.summary_label)
        bottom.addLayout(words, 1)
        for button in (self.refresh_button, self.find_button, self.export_button):
            bottom.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(10, 10, 10, 10)
        column.addWidget(self.filters)
        column.addWidget(self.table, 1)
        column.addLayout(bottom)
        column.addWidget(self.privacy_label)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.addWidget(left)
        self.splitter.addWidget(self.details)
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setCollapsible(0, False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.splitter)

    def _size_table(self, table: QTableView) -> None:
        em = self.fontMetrics().height()
        table.setIconSize(QSize(em, em))
        table.verticalHeader().setDefaultSectionSize(round(1.7 * em))
        for column, ems in enumerate((10, 9.5, 8.5, 8.5, 4.5, 4.5, 8, 14)):
            table.setColumnWidth(column, round(ems * em))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange and hasattr(self, "table"):
            self._size_table(self.table)

    # Showing

    def _take_record(self, future: Future[Any]) -> None:
        try:
            self._record, self._rows = future.result()
        except StoreError as error:
            self.count_label.setText(error.sentence)
            show_error(self.window(), error.sentence, error.details)
            return
        people = {row.item.reading.reader.id for row in self._rows if not row.by_cnn}
        self.filters.set_readers(sorted(people, key=str.casefold))
        chosen = self._current()
        self.model.set_rows(self._rows)
        self._apply_filter()
        if chosen is not None:
            self.select(chosen.item.reading.id)
        if self._record.problems:
            self.notice.emit(self._record.problems[0].sentence)

    def _apply_filter(self) -> None:
        self.model.set_filter(self.filters.wanted())
        shown, everything = len(self.model.rows), len(self._rows)
        words = self.tr("{shown:,} of {all:,} readings") if shown != everything else self.tr("{all:,} readings")
        self.count_label.setText(words.format(shown=shown, all=everything))
        rows = self.model.rows
        self._in_background(lambda: summary_of(rows), lambda done: self._show_summary(rows, done))
        self.export_button.setEnabled(shown > 0)
        self.find_button.setEnabled(shown > 0)

    def _show_summary(self, rows: list[Row], future: Future[Any]) -> None:
        if rows is self.model.rows:  # else the filter has moved on
            self.summary_label.setText(summary_words(future.result()))

    def _current(self) -> Row | None:
        index = self.table.currentIndex()
        return self.model.rows[index.row()] if 0 <= index.row() < len(self.model.rows) else None

    def _show_current(self) -> None:
        row = self._current()
        if row is None:
            none = self.tr("Choose a reading") if self._rows else self.tr("Nothing has been recorded yet")
            self.details.show_none(none)
            return
        self.details.show_row(row)
        case = row.item.reading.case
        self._in_background(lambda: is_there(self._store, case), lambda done: self._show_place(row, done))

    def _show_place(self, row: Row, future: Future[Any]) -> None:
        if self._current() is row:
            self.details.show_place(there=future.exception() is None and future.result())

    # Opening, relinking

    def _open_current(self) -> None:
        row = self._current()
        if row is None:
            return
        case = row.item.reading.case
        self._in_background(lambda: is_there(self._store, case), lambda done: self._open(case, done))

    def _open(self, case: CaseKey, future: Future[Any]) -> None:
        if future.exception() is None and future.result():
            self.open_case.emit(case.image_sha256, case.frame)
        else:
            self._ask_where()

    def _ask_where(self) -> None:
        row = self._current()
        if row is not None:
            case = row.item.reading.case
            choose_file(self, self.tr("Where is this image now?"), lambda path: self.relink_to(case, path))

    def relink_to(self, case: CaseKey, path: Path) -> None:
        """Note that the case's image lies at `path`, if it is that image."""
        self._in_background(lambda: relink(self._store, case.image_sha256, path), self._relinked)

    def _relinked(self, future: Future[Any]) -> None:
        if self._told(future):
            self.notice.emit(self.tr("The image was found again."))
        self._show_current()

    def _find_moved(self, folder: Path) -> None:
        wanted = {row.item.reading.case.image_sha256 for row in self.model.rows}
        self._search_cancelled = False
        self.find_button.setEnabled(False)
        self.count_label.setText(self.tr("Looking for moved images …"))
        self._in_background(
            lambda: relink_all(self._store, folder, wanted, lambda _looked_at: not self._search_cancelled),
            self._found_moved,
        )

    def _found_moved(self, future: Future[Any]) -> None:
        self._apply_filter()
        if self._told(future):
            found, missing = future.result()
            self.notice.emit(self.tr("{n} moved images were found; {m} are still missing.").format(n=found, m=missing))
        self._show_current()

    # Export

    def _ask_export(self, kind: str) -> None:
        title = self.tr("Export {n:,} readings").format(n=len(self.model.rows))
        kinds = self.tr("Tables (*.csv)") if kind == "csv" else self.tr("JSON (*.json)")
        choose_new_file(self, title, f"lucency-readings.{kind}", kinds, lambda path: self.export_to(path))

    def export_to(self, path: Path) -> None:
        """Write the readings that are shown, oldest first; the suffix decides: .json, else CSV."""
        items = sorted(self.shown(), key=lambda item: (item.utc, item.device, item.seq))
        record = self._record
        if path.suffix.lower() == ".json":
            self._in_background(lambda: export_json(record, path, items), lambda done: self._exported(done, len(items)))
        else:
            self._in_background(lambda: export_csv(items, path), lambda done: self._exported(done, len(items)))

    def _exported(self, future: Future[Any], count: int) -> None:
        if self._told(future):
            self.notice.emit(self.tr("{n:,} readings were exported.").format(n=count))

    # The background thread

    def _in_background(self, job: Callable[[], Any], then: Callable[[Future[Any]], None]) -> None:
        """Run `job` off the window's thread, then `then` with its future on it."""
        self._pool.submit(job).add_done_callback(lambda future: self._done.emit(future, then))

    def _told(self, future: Future[Any]) -> bool:
        """Whether the job went well; if not, its sentence is shown."""
        error = future.exception()
        if error is None:
            return True
        if isinstance(error, StoreError):
            show_error(self.window(), error.sentence, error.details)
        else:
            log.error("The record view's job failed", exc_info=error)
            show_error(self.window(), self.tr("That did not work."), repr(error))
        return False
