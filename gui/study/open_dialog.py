"""Which study to coordinate, or whose results to see: a file, or a study on a PostgreSQL server."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from gui import icons
from gui.file_dialogs import choose_file
from gui.study.study_place import place_problem


class OpenStudyDialog(QDialog):
    chosen = Signal(str)  # a path, or a postgresql:// URL

    def __init__(self, title: str, lead: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        words = QLabel(lead, wordWrap=True)
        words.setProperty("role", "muted")
        self.where_line = QLineEdit(placeholderText=self.tr("file, or postgresql://user@server/database"))
        self.where_line.setAccessibleName(self.tr("File or server address"))
        self.where_line.textChanged.connect(self._update)
        browse = QPushButton(self.tr("&Choose a file …"))
        icons.attach(browse, "folder")
        browse.clicked.connect(lambda: choose_file(self, self.windowTitle(), self._take_file))
        self.open_button = QPushButton(self.tr("&Open"))
        self.open_button.setProperty("role", "main")
        self.open_button.setDefault(True)
        self.open_button.clicked.connect(self.accept)
        cancel = QPushButton(self.tr("Cancel"))
        cancel.clicked.connect(self.reject)
        self.problem = QLabel(wordWrap=True)
        self.problem.setProperty("role", "warning")
        line = QHBoxLayout()
        line.addWidget(self.where_line, 1)
        line.addWidget(browse)
        buttons = QHBoxLayout()
        buttons.addWidget(self.problem, 1)
        buttons.addWidget(cancel)
        buttons.addWidget(self.open_button)
        layout = QVBoxLayout(self)
        layout.addWidget(words)
        layout.addLayout(line)
        layout.addLayout(buttons)
        self.setMinimumWidth(36 * self.fontMetrics().height())
        self._update()

    def accept(self) -> None:
        where = self.where_line.text().strip()
        problem = place_problem(where) if "://" in where else "" if Path(where).is_file() else "There is no such file."
        if problem:
            self.problem.setText(problem)
            return
        super().accept()
        self.chosen.emit(where)

    def _take_file(self, path: Path) -> None:
        self.where_line.setText(str(path))
        self.accept()

    def _update(self) -> None:
        self.problem.clear()
        self.open_button.setEnabled(bool(self.where_line.text().strip()))
