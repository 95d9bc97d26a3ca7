"""The record's table. It filters and sorts plain lists itself; a proxy model would call back into Python millions of times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor

from gui import icons
from gui.views.comparison import outcome_of
from gui.views.record_rows import Filter, Row, predicates
from gui.words import MODE_WORDS, score_words
from study.record import Agreement

Index = QModelIndex | QPersistentModelIndex
AGREEMENT_WORDS = {
    Agreement.AGREE: "same",
    Agreement.DISAGREE: "different",
    Agreement.NOT_COMPARABLE: "–",
}


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
