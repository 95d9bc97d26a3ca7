"""Tables to read and choose from, and the choice among the studies of one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QListWidget,
    QListWidgetItem,
    QTableWidget,
    QTableWidgetItem,
)


def plain_table(name: str, columns: Sequence[str], stretch: int) -> QTableWidget:
    """Rows to read and choose from, none to write in; the column `stretch` takes what room is left."""
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


def fill_table(table: QTableWidget, rows: Sequence[Sequence[str]]) -> None:
    table.setRowCount(len(rows))
    for row, cells in enumerate(rows):
        for column, text in enumerate(cells):
            item = QTableWidgetItem(text)
            item.setToolTip(text)
            table.setItem(row, column, item)


class StudyChoice(QListWidget):
    """Which of the studies that are registered in one place; Enter or a double click chooses."""

    picked = Signal(str)  # the study's id

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Studies on this server")
        self.itemActivated.connect(lambda item: self.picked.emit(item.data(Qt.ItemDataRole.UserRole)))

    def show_studies(self, titles: Mapping[str, str]) -> None:
        """titles: by id."""
        self.clear()
        for study_id, title in sorted(titles.items(), key=lambda held: held[1].casefold()):
            item = QListWidgetItem(title)
            item.setData(Qt.ItemDataRole.UserRole, study_id)
            self.addItem(item)
        self.setCurrentRow(0)
        self.setFocus()
