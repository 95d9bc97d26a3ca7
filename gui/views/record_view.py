"""All readings of this machine: a table to filter, the chosen one in full, export, and moved images found again.

Reading the record waits for the disk and folding 100,000 readings takes a second or two: both happen in one
background thread of this view. The table filters and sorts plain lists itself; a proxy model would call back into
Python millions of times.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from PySide6.QtCore import (
    QAbstractTableModel,
    QDate,
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QColor, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDateEdit,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QScrollArea,
    QSplitter,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from gui import icons, theme
from gui.errors import show_error
from gui.file_dialogs import choose_file, choose_folder, choose_new_file
from gui.views.comparison import ComparisonView, outcome_of
from gui.words import MODE_WORDS, score_words
from study.model import Call, CaseKey, ReadingMode
from study.record import (
    Agreement,
    AgreementSummary,
    Opinion,
    Record,
    RecordedReading,
    case_ids,
    export_csv,
    export_json,
    find_moved,
    opinions,
    read_record,
    relink,
    summarise,
)
from study.store import StoreError, StudyStore

log = logging.getLogger(__name__)

Index = QModelIndex | QPersistentModelIndex
TYPING_RESTS_MS = 150
PRIVACY = (
    "The file names readers as they named themselves and holds their calls, marks and comments. Images appear as "
    "hashes; no patient data, file names or folders go into it, unless somebody typed them into a comment."
)
AGREEMENT_WORDS = {
    Agreement.AGREE: "same",
    Agreement.DISAGREE: "different",
    Agreement.NOT_COMPARABLE: "–",
}
PEOPLE, EVERYONE, CNN = "people", "everyone", "cnn"
NOT_ASSESSABLE = "not_assessable"


@dataclass(frozen=True)
class Filter:
    """What of the record is shown. `since` and `until` are inclusive days of the local clock."""

    who: str = PEOPLE  # PEOPLE, EVERYONE, CNN, or "reader:" and a reader's id
    mode: ReadingMode | None = None
    call: str | None = None  # a Call's value, NOT_ASSESSABLE, or None for all
    since: date | None = None
    until: date | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table, ready to be filtered and sorted."""

    item: RecordedReading
    opinion: Opinion | None
    case: str
    haystack: str  # what a search looks in
    agreement: Agreement
    by_cnn: bool
    cnn_score: float  # of the CNN on the same hip; -1 where there is none

    @property
    def at(self) -> datetime:
        """Local time of recording."""
        return datetime.fromisoformat(self.item.utc).astimezone()


def make_rows(record: Record) -> list[Row]:
    """Newest first."""
    names = case_ids(record.readings)
    of_reading: dict[str, Opinion] = {}
    for opinion in opinions(record.readings):
        of_reading[opinion.answer.reading.id] = opinion
        if opinion.revised is not None:
            of_reading[opinion.revised.reading.id] = opinion
    rows = []
    for item in reversed(record.readings):
        reading = item.reading
        case = names[reading.case]
        words = (case, reading.case.image_sha256, reading.reader.id, reading.comment, reading.not_assessable_reason)
        found = of_reading.get(reading.id)
        agreement, cnn_score = Agreement.NOT_COMPARABLE, -1.0
        if found is not None and found.cnn is not None:
            agreement = found.final_agreement if item is found.revised else found.agreement
            cnn_score = -1.0 if found.cnn.reading.score is None else found.cnn.reading.score
        rows.append(Row(item, found, case, " ".join(words).casefold(), agreement, item.is_algorithm, cnn_score))
    return rows


def predicates(wanted: Filter) -> list[Callable[[Row], bool]]:
    """What a row must fulfil: one test for each thing that is asked, none for what is not."""
    tests: list[Callable[[Row], bool]] = []
    if wanted.who == PEOPLE:
        tests.append(lambda row: not row.by_cnn)
    elif wanted.who == CNN:
        tests.append(lambda row: row.by_cnn)
    elif wanted.who != EVERYONE:
        name = wanted.who.removeprefix("reader:")
        tests.append(lambda row: row.item.reading.reader.id == name)
    if wanted.mode is not None:
        tests.append(lambda row: row.item.reading.mode is wanted.mode)
    if wanted.call == NOT_ASSESSABLE:
        tests.append(lambda row: row.item.reading.call is None)
    elif wanted.call is not None:
        tests.append(lambda row: row.item.reading.call == wanted.call)
    # UTC in the record is ISO text of one form: it compares as text, which spares 100,000 conversions.
    if wanted.since is not None:
        first = _utc_of_midnight(wanted.since)
        tests.append(lambda row: row.item.utc >= first)
    if wanted.until is not None:
        end = _utc_of_midnight(wanted.until + timedelta(days=1))
        tests.append(lambda row: row.item.utc < end)
    words = wanted.text.casefold().split()
    if words:
        tests.append(lambda row: all(word in row.haystack for word in words))
    return tests


class RecordModel(QAbstractTableModel):
    """The rows that fit the filter, in the order asked for."""

    COLUMNS: ClassVar[tuple[tuple[str, Callable[[Row], Any]], ...]] = (
        ("Recorded", lambda row: row.item.utc),
        ("Case", lambda row: row.case),
        ("Reader", lambda row: "CNN" if row.by_cnn else row.item.reading.reader.id.casefold()),
        ("Call", lambda row: outcome_of(row.item.reading).word),
        ("Score", lambda row: -1.0 if row.item.reading.score is None else row.item.reading.score),
        ("CNN", lambda row: row.cnn_score),
        ("Call and CNN", lambda row: AGREEMENT_WORDS[row.agreement]),
        ("Mode", lambda row: row.item.reading.mode.value),
        ("Comment", lambda row: row.item.reading.comment.casefold()),
    )
    RECORDED, CASE, READER, CALL, SCORE, CNN_SCORE, AGREEMENT, MODE, COMMENT = range(9)

    def __init__(self) -> None:
        super().__init__()
        self._all: list[Row] = []
        self.rows: list[Row] = []
        self._filter = Filter()
        self._sorted = (self.RECORDED, Qt.SortOrder.DescendingOrder)

    def set_rows(self, rows: list[Row]) -> None:
        self._all = list(rows)
        self.sort(*self._sorted)

    def set_filter(self, wanted: Filter) -> None:
        self._filter = wanted
        self._rebuild()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self._sorted = (column, order)
        self._all.sort(key=self.COLUMNS[column][1], reverse=order is Qt.SortOrder.DescendingOrder)
        self._rebuild()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self.COLUMNS[section][0]
        if role == Qt.ItemDataRole.TextAlignmentRole and section in (self.SCORE, self.CNN_SCORE):
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self.rows[index.row()]
        column = index.column()
        reading = row.item.reading
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(row, column)
        if role == Qt.ItemDataRole.DecorationRole and column == self.CALL:
            shown = outcome_of(reading)
            return icons.icon(shown.icon, shown.color)
        if role == Qt.ItemDataRole.ForegroundRole and column == self.CALL:
            return QColor(outcome_of(reading).color)
        if role == Qt.ItemDataRole.TextAlignmentRole and column in (self.SCORE, self.CNN_SCORE):
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.ToolTipRole and column == self.COMMENT:
            return reading.comment or reading.not_assessable_reason
        return None

    def _text(self, row: Row, column: int) -> str:
        reading = row.item.reading
        match column:
            case self.RECORDED:
                return f"{row.at:%Y-%m-%d %H:%M}"
            case self.CASE:
                return row.case
            case self.READER:
                return f"CNN {reading.model_id}" if row.by_cnn else reading.reader.id
            case self.CALL:
                return outcome_of(reading).word
            case self.SCORE:
                return "–" if reading.score is None else score_words(reading.score)
            case self.CNN_SCORE:
                return "–" if row.cnn_score < 0 else score_words(row.cnn_score)
            case self.AGREEMENT:
                return AGREEMENT_WORDS[row.agreement]
            case self.MODE:
                return MODE_WORDS[reading.mode]
        return " ".join((reading.comment or reading.not_assessable_reason).split())

    def _rebuild(self) -> None:
        self.beginResetModel()
        rows = self._all
        for test in predicates(self._filter):
            rows = [row for row in rows if test(row)]
        self.rows = rows
        self.endResetModel()


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
        self._build()
        self._rest = QTimer(self, singleShot=True, interval=TYPING_RESTS_MS)
        self._rest.timeout.connect(self._apply_filter)
        self.search.textChanged.connect(lambda _text: self._rest.start())
        for box in (self.who_box, self.mode_box, self.call_box):
            box.currentIndexChanged.connect(self._apply_filter)
        for chosen in (self.since_edit, self.until_edit):
            chosen.dateChanged.connect(self._apply_filter)
        self._show_current()

    # What the program asks

    def refresh(self) -> None:
        """Read the record anew, in the background."""
        self.count_label.setText(self.tr("Reading the record …"))
        self._in_background(lambda: _load(self._store), self._take_record)

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

    def _build(self) -> None:
        self.search = QLineEdit(placeholderText=self.tr("Case, reader or comment"), clearButtonEnabled=True)
        self.search.setAccessibleName(self.tr("Search in case, reader and comment"))
        self.who_box = self._box(self.tr("Reader"), [(self.tr("All readers"), PEOPLE)])
        self.mode_box = self._box(
            self.tr("Mode"),
            [
                (self.tr("All modes"), None),
                *((MODE_WORDS[m], m) for m in ReadingMode if m is not ReadingMode.ALGORITHM),
            ],
        )
        self.call_box = self._box(
            self.tr("Call"),
            [
                (self.tr("All calls"), None),
                *((theme.outcome(call).word, call.value) for call in Call),
                (theme.outcome(None).word, NOT_ASSESSABLE),
            ],
        )
        # The earliest date stands for "any": a date field cannot be empty.
        self.since_edit = self._date(self.tr("From"), self.tr("any day"))
        self.until_edit = self._date(self.tr("To"), self.tr("any day"))
        filters = QHBoxLayout()
        for box in (self.who_box, self.mode_box, self.call_box):
            filters.addWidget(box)
        for caption, chosen in ((self.tr("from"), self.since_edit), (self.tr("to"), self.until_edit)):
            filters.addWidget(QLabel(caption))
            filters.addWidget(chosen)
        filters.addStretch(1)

        self.table = QTableView()
        self.table.setModel(self.model)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setTabKeyNavigation(False)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.verticalHeader().hide()
        self.table.setSortingEnabled(True)
        self.table.sortByColumn(RecordModel.RECORDED, Qt.SortOrder.DescendingOrder)
        self.table.setAccessibleName(self.tr("Readings"))
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setStretchLastSection(True)
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self._size_table()
        self.table.selectionModel().currentRowChanged.connect(lambda *_: self._show_current())
        self.model.modelReset.connect(self._show_current)
        self.table.doubleClicked.connect(lambda _index: self._open_current())
        enter = QShortcut(QKeySequence(Qt.Key.Key_Return), self.table, self._open_current)
        enter.setContext(Qt.ShortcutContext.WidgetShortcut)

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
        bottom = QHBoxLayout()
        words = QVBoxLayout()
        words.addWidget(self.count_label)
        words.addWidget(self.summary_label)
        bottom.addLayout(words, 1)
        for button in (self.refresh_button, self.find_button, self.export_button):
            bottom.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        self.privacy_label = QLabel(PRIVACY, wordWrap=True)
        self.privacy_label.setProperty("role", "small")

        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(10, 10, 10, 10)
        column.addWidget(self.search)
        column.addLayout(filters)
        column.addWidget(self.table, 1)
        column.addLayout(bottom)
        column.addWidget(self.privacy_label)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.addWidget(left)
        self.splitter.addWidget(self._build_details())
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setCollapsible(0, False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.splitter)

    def _build_details(self) -> QWidget:
        self.details_title = QLabel(wordWrap=True)
        self.details_title.setProperty("role", "title")
        self.comparison = ComparisonView()
        self.comment_label = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.comment_label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.corrections_label = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.corrections_label.setProperty("role", "muted")
        self.place_label = QLabel(wordWrap=True)
        self.place_label.setProperty("role", "muted")
        self.open_button = QPushButton(self.tr("&Open the case"))
        self.open_button.setProperty("role", "main")
        self.open_button.clicked.connect(self._open_current)
        self.relink_button = QPushButton(self.tr("Image moved: show &where it is …"))
        icons.attach(self.relink_button, "link")
        self.relink_button.clicked.connect(self._ask_where)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(12, 10, 12, 10)
        column.setSpacing(10)
        for widget in (
            self.details_title,
            self.comparison,
            self.comment_label,
            self.corrections_label,
            self.place_label,
            self.open_button,
            self.relink_button,
        ):
            column.addWidget(widget)
        column.addStretch(1)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidget(content)
        scroll.setMinimumWidth(22 * self.fontMetrics().height())
        return scroll

    def _box(self, name: str, entries: Sequence[tuple[str, object]]) -> QComboBox:
        box = QComboBox()
        for words, value in entries:
            box.addItem(words, value)
        box.setAccessibleName(name)
        return box

    def _date(self, name: str, any_day: str) -> QDateEdit:
        chosen = QDateEdit()
        chosen.setCalendarPopup(True)
        chosen.setDisplayFormat("yyyy-MM-dd")
        chosen.setMinimumDate(QDate(2000, 1, 1))
        chosen.setSpecialValueText(any_day)
        chosen.setDate(chosen.minimumDate())
        chosen.setAccessibleName(name)
        return chosen

    def _size_table(self) -> None:
        em = self.fontMetrics().height()
        self.table.setIconSize(QSize(em, em))
        self.table.verticalHeader().setDefaultSectionSize(round(1.7 * em))
        for column, ems in enumerate((10, 9.5, 8.5, 8.5, 4.5, 4.5, 8, 14)):
            self.table.setColumnWidth(column, round(ems * em))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange and hasattr(self, "table"):
            self._size_table()

    # Showing

    def _take_record(self, future: Future[Any]) -> None:
        try:
            self._record, self._rows = future.result()
        except StoreError as error:
            self.count_label.setText(error.sentence)
            show_error(self.window(), error.sentence, error.details)
            return
        self._fill_who()
        chosen = self._current()
        self.model.set_rows(self._rows)
        self._apply_filter()
        if chosen is not None:
            self.select(chosen.item.reading.id)
        if self._record.problems:
            self.notice.emit(self._record.problems[0].sentence)

    def _fill_who(self) -> None:
        before = self.who_box.currentData()
        people = sorted({row.item.reading.reader.id for row in self._rows if not row.by_cnn}, key=str.casefold)
        self.who_box.blockSignals(True)
        self.who_box.clear()
        self.who_box.addItem(self.tr("All readers"), PEOPLE)
        for name in people:
            self.who_box.addItem(name, f"reader:{name}")
        self.who_box.addItem(self.tr("The CNN"), CNN)
        self.who_box.addItem(self.tr("Readers and CNN"), EVERYONE)
        self.who_box.setCurrentIndex(max(0, self.who_box.findData(before)))
        self.who_box.blockSignals(False)

    def _apply_filter(self) -> None:
        self._rest.stop()
        mode = self.mode_box.currentData()  # Qt keeps an enum's text only
        self.model.set_filter(
            Filter(
                who=self.who_box.currentData(),
                mode=ReadingMode(mode) if mode else None,
                call=self.call_box.currentData(),
                since=_chosen_day(self.since_edit),
                until=_chosen_day(self.until_edit),
                text=self.search.text(),
            )
        )
        shown, everything = len(self.model.rows), len(self._rows)
        words = self.tr("{shown:,} of {all:,} readings") if shown != everything else self.tr("{all:,} readings")
        self.count_label.setText(words.format(shown=shown, all=everything))
        rows = self.model.rows
        self._in_background(lambda: _summary(rows), lambda done: self._show_summary(rows, done))
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
        for widget in (self.comparison, self.comment_label, self.corrections_label, self.place_label):
            widget.setVisible(row is not None)
        self.open_button.setVisible(row is not None)
        self.relink_button.hide()
        if row is None:
            none = self.tr("Choose a reading") if self._rows else self.tr("Nothing has been recorded yet")
            self.details_title.setText(none)
            self.comparison.clear()
            return
        reading = row.item.reading
        self.details_title.setText(row.case)
        opinion = row.opinion
        cnn = opinion.cnn.reading if opinion is not None and opinion.cnn is not None else None
        revised = opinion is not None and row.item is opinion.revised
        first = opinion.answer.reading if opinion is not None and revised else None
        self.comparison.show_readings(reading, cnn, first)
        self.comment_label.setText(reading.comment)
        self.comment_label.setVisible(bool(reading.comment))
        changes = [
            self.tr("Corrected {utc} by {actor}: {reason}").format(
                utc=change.utc[:16].replace("T", " "), actor=change.actor, reason=change.reason
            )
            for change in row.item.corrections
        ]
        self.corrections_label.setText("\n".join(changes))
        self.corrections_label.setVisible(bool(changes))
        self.place_label.setText(self.tr("Looking for the image …"))
        self._in_background(lambda: _is_there(self._store, reading.case), lambda done: self._show_place(row, done))

    def _show_place(self, row: Row, future: Future[Any]) -> None:
        if self._current() is not row:
            return
        there = future.exception() is None and future.result()
        self.place_label.setText(
            self.tr("The image is where it was.")
            if there
            else self.tr("The image is no longer where it was opened from.")
        )
        self.relink_button.setVisible(not there)
        self.open_button.setEnabled(there)

    # Opening, relinking

    def _open_current(self) -> None:
        row = self._current()
        if row is None:
            return
        case = row.item.reading.case
        self._in_background(lambda: _is_there(self._store, case), lambda done: self._open(case, done))

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
            lambda: _relink_all(self._store, folder, wanted, lambda _looked_at: not self._search_cancelled),
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


def summary_words(summary: AgreementSummary) -> str:
    """The agreement in words and counts; no percentages of a handful, no p-values."""
    if summary.comparable == 0:
        return summary.sentence
    parts = [summary.sentence]
    parts.append(
        f"Both loose: {summary.both_loose}. Both not loose: {summary.both_not_loose}. "
        f"Only the reader says loose: {summary.only_person_loose}. Only the CNN says loose: {summary.only_cnn_loose}."
    )
    left = summary.opinions - summary.comparable
    if left:
        parts.append(f"{left} cannot be compared.")
    if summary.revised:
        parts.append(
            f"Of {summary.revised} revised answers, {summary.changed_to_cnn} moved to the CNN's "
            f"and {summary.changed_from_cnn} away from it."
        )
    return " ".join(parts)


def _summary(rows: list[Row]) -> AgreementSummary:
    """Of the opinions whose answer or revision is among the rows; each counts once."""
    held = {id(row.opinion): row.opinion for row in rows if row.opinion is not None}
    return summarise(held.values())


def _utc_of_midnight(day: date) -> str:
    """The start of a local day, as the record writes UTC but for the fraction."""
    local = datetime(day.year, day.month, day.day).astimezone()
    return local.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _load(store: StudyStore) -> tuple[Record, list[Row]]:
    record = read_record(store)
    return record, make_rows(record)


def _is_there(store: StudyStore, case: CaseKey) -> bool:
    place = store.location(case.image_sha256)
    return place is not None and Path(place.path).is_file()


def _relink_all(
    store: StudyStore, folder: Path, wanted: set[str], keep_going: Callable[[int], bool]
) -> tuple[int, int]:
    """(found, still missing) of the wanted images that are not where they were."""
    missing = {sha256 for sha256 in wanted if not _is_there(store, CaseKey(sha256, 0, (0.0, 0.0, 1.0, 1.0), "U"))}
    found = find_moved(folder, missing, keep_going)
    for sha256, path in found.items():
        store.note_location(sha256, path).result()
    return len(found), len(missing) - len(found)


def _chosen_day(chosen: QDateEdit) -> date | None:
    day = chosen.date()
    return None if day == chosen.minimumDate() else date(day.year(), day.month(), day.day())
