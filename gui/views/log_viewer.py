"""The program's log, to read and to copy; nothing is changed here."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices, QFontDatabase, QGuiApplication, QTextCursor
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QLineEdit, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from gui import icons
from gui.errors import scrub

TAIL_BYTES = 1 << 20


class LogViewer(QDialog):
    def __init__(self, log_file: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._file = log_file
        self._lines: list[str] = []
        self.setWindowTitle(self.tr("Log"))
        self.search = QLineEdit(placeholderText=self.tr("Show lines with …"), clearButtonEnabled=True)
        self.search.setAccessibleName(self.tr("Show only lines with these words"))
        self.search.textChanged.connect(self._show)
        self.text = QPlainTextEdit(readOnly=True, lineWrapMode=QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.setAccessibleName(self.tr("Log"))
        self.note = QLabel()
        self.note.setProperty("role", "small")
        refresh = QPushButton(self.tr("&Refresh"))
        icons.attach(refresh, "refresh")
        refresh.clicked.connect(self.refresh)
        self.copy_button = QPushButton(self.tr("&Copy"))
        icons.attach(self.copy_button, "copy")
        self.copy_button.clicked.connect(self._copy)
        self.folder_button = QPushButton(self.tr("Open &folder"))
        icons.attach(self.folder_button, "folder")
        self.folder_button.clicked.connect(self._open_folder)
        close = QPushButton(self.tr("Close"))
        close.setDefault(True)
        close.clicked.connect(self.close)
        buttons = QHBoxLayout()
        for button in (refresh, self.copy_button, self.folder_button):
            buttons.addWidget(button)
        buttons.addWidget(self.note, 1)
        buttons.addWidget(close)
        layout = QVBoxLayout(self)
        layout.addWidget(self.search)
        layout.addWidget(self.text, 1)
        layout.addLayout(buttons)
        em = self.fontMetrics().height()
        self.resize(52 * em, 32 * em)
        self.refresh()

    def refresh(self) -> None:
        """Read the end of the file anew."""
        try:
            with self._file.open("rb") as stream:
                size = stream.seek(0, 2)
                stream.seek(max(0, size - TAIL_BYTES))
                data = stream.read(TAIL_BYTES)
        except FileNotFoundError:
            self._lines, said = [], self.tr("Nothing has been logged yet.")
        except OSError:
            self._lines, said = [], self.tr("The log cannot be read.")
        else:
            # The log is written without names; scrubbing again costs nothing where an older version wrote it.
            self._lines = scrub(data.decode("utf-8", errors="replace")).splitlines()
            said = self.tr("The last {n} lines").format(n=len(self._lines)) if size > TAIL_BYTES else ""
        self.note.setText(said)
        self._show()

    def _show(self) -> None:
        wanted = self.search.text().casefold().split()
        lines = [line for line in self._lines if all(word in line.casefold() for word in wanted)]
        self.text.setPlainText("\n".join(lines))
        self.text.moveCursor(QTextCursor.MoveOperation.End)

    def _copy(self) -> None:
        chosen = self.text.textCursor().selectedText().replace("\u2029", "\n")
        QGuiApplication.clipboard().setText(chosen or self.text.toPlainText())
        self.note.setText(self.tr("Copied"))

    def _open_folder(self) -> None:
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._file.parent))):
            self.note.setText(self.tr("The folder is {folder}").format(folder=self._file.parent))
