"""What of the record is asked for: a search, and boxes for reader, mode, call and days."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from PySide6.QtCore import QDate, QSignalBlocker, QTimer, Signal
from PySide6.QtWidgets import QComboBox, QDateEdit, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from gui import theme
from gui.views.record_rows import CNN, EVERYONE, NOT_ASSESSABLE, PEOPLE, Filter
from gui.words import MODE_WORDS
from study.model import Call, ReadingMode

TYPING_RESTS_MS = 150


class RecordFilters(QWidget):
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.search = QLineEdit(placeholderText=self.tr("Case, reader or comment"), clearButtonEnabled=True)
        self.search.setAccessibleName(self.tr("Search in case, reader and comment"))
        self.who_box = _box(self.tr("Reader"), [(self.tr("All readers"), PEOPLE)])
        self.mode_box = _box(
            self.tr("Mode"),
            [
                (self.tr("All modes"), None),
                *((MODE_WORDS[m], m) for m in ReadingMode if m is not ReadingMode.ALGORITHM),
            ],
        )
        self.call_box = _box(
            self.tr("Call"),
            [
                (self.tr("All calls"), None),
                *((theme.outcome(call).word, call.value) for call in Call),
                (theme.outcome(None).word, NOT_ASSESSABLE),
            ],
        )
        # The earliest date stands for "any": a date field cannot be empty.
        self.since_edit = _date(self.tr("From"), self.tr("any day"))
        self.until_edit = _date(self.tr("To"), self.tr("any day"))
        self._rest = QTimer(self, singleShot=True, interval=TYPING_RESTS_MS)
        self._lay_out()
        self._connect()

    def wanted(self) -> Filter:
        mode = self.mode_box.currentData()  # Qt keeps an enum's text only
        return Filter(
            who=self.who_box.currentData(),
            mode=ReadingMode(mode) if mode else None,
            call=self.call_box.currentData(),
            since=_chosen_day(self.since_edit),
            until=_chosen_day(self.until_edit),
            text=self.search.text(),
        )

    def set_readers(self, names: Iterable[str]) -> None:
        """Who is in the record; whoever was chosen stays chosen. Says nothing."""
        before = self.who_box.currentData()
        with QSignalBlocker(self.who_box):
            self.who_box.clear()
            self.who_box.addItem(self.tr("All readers"), PEOPLE)
            for name in names:
                self.who_box.addItem(name, f"reader:{name}")
            self.who_box.addItem(self.tr("The CNN"), CNN)
            self.who_box.addItem(self.tr("Readers and CNN"), EVERYONE)
            self.who_box.setCurrentIndex(max(0, self.who_box.findData(before)))

    def _lay_out(self) -> None:
        boxes = QHBoxLayout()
        for box in (self.who_box, self.mode_box, self.call_box):
            boxes.addWidget(box)
        for caption, chosen in ((self.tr("from"), self.since_edit), (self.tr("to"), self.until_edit)):
            boxes.addWidget(QLabel(caption))
            boxes.addWidget(chosen)
        boxes.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.search)
        column.addLayout(boxes)

    def _connect(self) -> None:
        self._rest.timeout.connect(self.changed)
        self.search.textChanged.connect(lambda _text: self._rest.start())
        for box in (self.who_box, self.mode_box, self.call_box):
            box.currentIndexChanged.connect(self._tell)
        for chosen in (self.since_edit, self.until_edit):
            chosen.dateChanged.connect(self._tell)

    def _tell(self) -> None:
        self._rest.stop()
        self.changed.emit()


def _box(name: str, entries: Sequence[tuple[str, object]]) -> QComboBox:
    box = QComboBox()
    for words, value in entries:
        box.addItem(words, value)
    box.setAccessibleName(name)
    return box


def _date(name: str, any_day: str) -> QDateEdit:
    chosen = QDateEdit()
    chosen.setCalendarPopup(True)
    chosen.setDisplayFormat("yyyy-MM-dd")
    chosen.setMinimumDate(QDate(2000, 1, 1))
    chosen.setSpecialValueText(any_day)
    chosen.setDate(chosen.minimumDate())
    chosen.setAccessibleName(name)
    return chosen


def _chosen_day(chosen: QDateEdit) -> date | None:
    day = chosen.date()
    return None if day == chosen.minimumDate() else date(day.year(), day.month(), day.day())
