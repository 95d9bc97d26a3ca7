"""The table of cases in the study wizard: neutral numbers, what is known of each, and what is wrong with it in words."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import msgspec
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor

from gui import icons, theme
from gui.study.wizard_state import WizardState
from imaging.radiograph import Side
from study.model import Call

Index = QModelIndex | QPersistentModelIndex
TRUTH_WORDS = {1: "Loose", 0: "Not loose", None: "–"}
SIDE_WORDS = {Side.RIGHT.value: "Right", Side.LEFT.value: "Left", Side.BOTH.value: "Both", Side.UNKNOWN.value: "–"}


class CaseTable(QAbstractTableModel):
    """Rows of the wizard's state. File and patient are shown only where `names` is on, truth where `truth` is."""

    COLUMNS = ("Row", "File", "Patient", "Side", "Truth", "Use", "To correct")
    ROW, FILE, PATIENT, SIDE, TRUTH, USE, PROBLEM = range(7)

    def __init__(self, state: WizardState) -> None:
        super().__init__()
        self._state = state
        self.names = False
        self.truth = True
        self._problems: dict[int, list[str]] = {}
        self._pseudonyms: list[str] = []
        state.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        problems: dict[int, list[str]] = defaultdict(list)
        for problem in self._state.row_problems():
            what = problem.what
            problems[problem.row].append(f"{what[:1].upper()}{what[1:]} {problem.cure}".strip())
        for candidate in self._state.candidates:
            if candidate.key in self._state.answer_faults and candidate.key not in self._state.answers:
                problems[candidate.row].append(self._state.answer_faults[candidate.key])
        rows = self._state.rows
        numbers: dict[str, int] = {}
        pseudonyms = [
            f"Patient {numbers.setdefault(row.patient, len(numbers) + 1)}" if row.patient else "–" for row in rows
        ]
        if len(rows) != getattr(self, "_count", -1):
            self.beginResetModel()
            self._count, self._problems, self._pseudonyms = len(rows), problems, pseudonyms
            self.endResetModel()
        else:
            self._problems, self._pseudonyms = problems, pseudonyms
            if rows:
                self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(self.COLUMNS) - 1))

    def show_names(self, on: bool) -> None:
        self.names = on
        self.refresh()

    def show_truth(self, on: bool) -> None:
        self.truth = on
        self.refresh()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else self._count

    def columnCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self.COLUMNS[section]
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        if index.column() == self.PATIENT and self.names:
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.EditRole or index.column() != self.PATIENT:
            return False
        self.change({index.row()}, patient=" ".join(str(value).split())[:100])
        return True

    def change(self, places: set[int], **fields: Any) -> None:
        """Fields of some rows, by position."""
        rows = self._state.rows
        self._state.set_rows(
            [msgspec.structs.replace(row, **fields) if index in places else row for index, row in enumerate(rows)]
        )

    def remove(self, places: set[int]) -> None:
        self._state.set_rows([row for index, row in enumerate(self._state.rows) if index not in places])

    def problem_of(self, place: int) -> str:
        return " ".join(self._problems.get(place + 1, ()))

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row, column = self._state.rows[index.row()], index.column()
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return self._text(index.row(), column, editing=role == Qt.ItemDataRole.EditRole)
        if role == Qt.ItemDataRole.ToolTipRole and column == self.PROBLEM:
            return self.problem_of(index.row()) or None
        if column == self.TRUTH and self.truth and row.truth is not None:
            shown = theme.outcome(Call.LOOSE if row.truth else Call.NOT_LOOSE)
            if role == Qt.ItemDataRole.DecorationRole:
                return icons.icon(shown.icon, shown.color)
            if role == Qt.ItemDataRole.ForegroundRole:
                return QColor(shown.color)
        if role == Qt.ItemDataRole.ForegroundRole and column == self.PROBLEM:
            return QColor(theme.colors().warning)
        if role == Qt.ItemDataRole.TextAlignmentRole and column == self.ROW:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def _text(self, place: int, column: int, *, editing: bool) -> str:
        row = self._state.rows[place]
        match column:
            case self.ROW:
                return str(place + 1)
            case self.FILE:
                frame = f", frame {row.frame + 1}" if row.frame else ""
                return f"{row.source.label}{frame}" if self.names else "hidden"
            case self.PATIENT:
                return (row.patient or ("" if editing else "–")) if self.names else self._pseudonyms[place]
            case self.SIDE:
                return SIDE_WORDS[row.side]
            case self.TRUTH:
                return TRUTH_WORDS[row.truth] if self.truth else "hidden"
            case self.USE:
                return "Practice" if row.practice else "Counted"
        return self.problem_of(place)


def summary(state: WizardState) -> str:
    """The table in one line."""
    rows = state.rows
    if not rows:
        return "No cases yet."
    counted = [row for row in rows if not row.practice]
    loose = sum(row.truth == 1 for row in counted)
    stable = sum(row.truth == 0 for row in counted)
    unknown = len(counted) - loose - stable
    patients = {row.patient or f"only:{row.image_sha256}" for row in counted}
    parts = [f"{len(counted)} counted: {loose} loose, {stable} not loose"]
    if unknown:
        parts[0] += f", {unknown} without truth"
    parts.append(f"{_count(len(patients), 'patient')}")
    practice = len(rows) - len(counted)
    if practice:
        parts.append(f"{practice} for practice")
    return "; ".join(parts) + "."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
