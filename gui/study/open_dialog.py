"""Which study to coordinate: a file, or a study on a PostgreSQL server."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from gui import icons
from gui.file_dialogs import choose_file


class OpenStudyDialog(QDialog):
    chosen = Signal(str)  # a path, or a postgresql:// URL

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Open a study"))
        words = QLabel(
            self.tr(
                "The coordinator's study file, or the address of a PostgreSQL server that several workstations share."
            ),
            wordWrap=True,
        )
        words.setProperty("role", "muted")
        self.where_line = QLineEdit(placeholderText=self.tr("study file, or postgresql://user@server/database"))
        self.where_line.setAccessibleName(self.tr("Study file or server address"))
        self.where_line.textChanged.connect(self._update)
        browse = QPushButton(self.tr("&Choose a file …"))
        icons.attach(browse, "folder")
        browse.clicked.connect(lambda: choose_file(self, self.tr("Choose a study file"), self._take_file))
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
        if "://" not in where and not Path(where).is_file():
            self.problem.setText(self.tr("There is no such file."))
            return
        super().accept()
        self.chosen.emit(where)

    def _take_file(self, path: Path) -> None:
        self.where_line.setText(str(path))
        self.accept()

    def _update(self) -> None:
        self.problem.clear()
        self.open_button.setEnabled(bool(self.where_line.text().strip()))
