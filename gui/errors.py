"""How the program says that something went wrong: one sentence, and details that can be copied and hold no names."""

from __future__ import annotations

import faulthandler
import hashlib
import logging
import re
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui import icons

log = logging.getLogger(__name__)
T = TypeVar("T")

PROGRAM_SUFFIXES = (".py", ".pyc", ".so", ".pyd", ".dll", ".dylib", ".qss")
UNEXPECTED = "Something went wrong that Lucency did not expect. Your marks and readings are kept."
CRASH_FILE = "crash.log"
SHOWN_NOTICES = 3
NOTE_S = 12.0

_QUOTED_PATH = re.compile(r"""(["'])((?:/|[A-Za-z]:[\\/]|\\\\)[^"'\n]+)\1""")
# Up to the last separator of the line: a folder's name may hold spaces.
_BARE_PATH = re.compile(r"""(?<![^\s"'(=\[<,:])(?:/|[A-Za-z]:[\\/]|\\\\)(?:[^\n"'<>|]*[\\/])?[^\s"'<>|:,;)\]]*""")
_PERSON_NAME = re.compile(r"[^\s^'\"=\[\](),;:]+(?:\^[^\s^'\"=\[\](),;:]*)+")  # DICOM writes DOE^JOHN
_UID = re.compile(r"(?<![\w.])\d+(?:\.\d+){5,}(?![\w.])")

_private: set[str] = set()


def keep_private(*texts: str) -> None:
    """Never let these (a patient's name, an ID, a file's name) through `scrub`, nor a word of theirs."""
    for text in texts:
        words = [text, *re.split(r"[\^\s=_,;.]+", text)]
        _private.update(word.casefold() for word in words if len(word) >= 3)


def scrub(text: str) -> str:
    """The text without folders, names of data files, names of people, and with UIDs as short hashes."""
    text = _QUOTED_PATH.sub(lambda found: f"{found[1]}{_last_part(found[2])}{found[1]}", text)
    text = _BARE_PATH.sub(lambda found: _last_part(found[0]), text)
    text = _PERSON_NAME.sub("[name]", text)
    text = _UID.sub(lambda found: f"uid:{hashlib.sha256(found[0].encode()).hexdigest()[:8]}", text)
    for word in sorted(_private, key=len, reverse=True):
        if word in text.casefold():
            text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", "[private]", text, flags=re.IGNORECASE)
    return text


def _last_part(path: str) -> str:
    name = re.split(r"[\\/]", path.rstrip("\\/"))[-1]
    if len(path) <= 1 or not name:
        return path
    suffix = Path(name).suffix.lower()
    if suffix in PROGRAM_SUFFIXES:
        return f"…/{name}"
    # A data file's name may be a patient's: only its kind is kept.
    return f"…/[file]{suffix if re.fullmatch(r'[.][a-z0-9]{1,5}', suffix) else ''}"


class ScrubbingFormatter(logging.Formatter):
    """For every handler that writes to disk or shows a log."""

    def format(self, record: logging.LogRecord) -> str:
        return scrub(super().format(record))


class ErrorDialog(QDialog):
    def __init__(self, parent: QWidget | None, sentence: str, details: str) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Lucency"))
        self.setModal(False)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.sentence = sentence
        self.details = scrub(details)

        picture = QLabel()
        picture.setPixmap(icons.pixmap("warning", 2 * self.fontMetrics().height(), "warning", self.devicePixelRatioF()))
        words = QLabel(sentence, wordWrap=True)
        words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        words.setMinimumWidth(24 * self.fontMetrics().height())
        top = QHBoxLayout()
        top.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        top.addWidget(words, 1)

        self.details_text = QPlainTextEdit(self.details, readOnly=True)
        self.details_text.setAccessibleName(self.tr("Details"))
        self.details_text.setMinimumHeight(9 * self.fontMetrics().height())
        self.details_text.hide()
        self.details_button = QPushButton(self.tr("&Details"))
        self.details_button.setCheckable(True)
        self.details_button.toggled.connect(self._toggle_details)
        self.copy_button = QPushButton(self.tr("&Copy details"))
        icons.attach(self.copy_button, "copy")
        self.copy_button.clicked.connect(self._copy)
        self.close_button = QPushButton(self.tr("Close"))
        self.close_button.setProperty("role", "main")
        self.close_button.setDefault(True)
        self.close_button.clicked.connect(self.close)
        buttons = QHBoxLayout()
        if self.details:
            buttons.addWidget(self.details_button)
            buttons.addWidget(self.copy_button)
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addWidget(self.details_text, 1)
        layout.addLayout(buttons)
        self.close_button.setFocus()

    def _toggle_details(self, shown: bool) -> None:
        self.details_text.setVisible(shown)
        self.adjustSize()

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(f"{self.sentence}\n\n{self.details}")
        self.copy_button.setText(self.tr("Copied"))


def show_error(parent: QWidget | None, sentence: str, details: str = "") -> ErrorDialog:
    """Show what went wrong, without stopping the program. `details` are technical; they are scrubbed here."""
    dialog = ErrorDialog(parent, sentence, details)
    dialog.show()
    return dialog


def attempt(step: Callable[[], T], otherwise: T) -> T:
    """Do what belongs to quitting: its failure is logged, and keeps nothing else from being done."""
    try:
        return step()
    except Exception:
        log.exception("A step of quitting failed")
        return otherwise


class Excepthook(QObject):
    """Catches what nothing else caught, in any thread: logged in full, told once, and only logged once `hush` was called."""

    caught = Signal(str)

    def __init__(self, parent: QObject | None = None, window: Callable[[], QWidget | None] = lambda: None) -> None:
        super().__init__(parent)
        self._window = window
        self._dialog: ErrorDialog | None = None
        self._hushed = False
        self._before = (sys.excepthook, threading.excepthook, sys.unraisablehook)
        self.caught.connect(self._tell, Qt.ConnectionType.QueuedConnection)

    def install(self) -> None:
        sys.excepthook = self._on_exception
        threading.excepthook = lambda args: self._on_exception(args.exc_type, args.exc_value, args.exc_traceback)
        sys.unraisablehook = lambda args: self._on_exception(args.exc_type, args.exc_value, args.exc_traceback)

    def uninstall(self) -> None:
        sys.excepthook, threading.excepthook, sys.unraisablehook = self._before

    def hush(self) -> None:
        """The program quits: a box on screen would keep it alive."""
        self._hushed = True

    def _on_exception(
        self, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt | SystemExit):
            if kind is KeyboardInterrupt:
                QGuiApplication.quit()
            return
        text = "".join(traceback.format_exception(kind, error, trace))
        log.error("Uncaught exception\n%s", scrub(text))
        self.caught.emit(text)

    def _tell(self, text: str) -> None:
        if self._hushed or self._dialog is not None:
            return  # one is on screen already; a fault that repeats must not bury it
        self._dialog = show_error(self._window(), UNEXPECTED, text)
        self._dialog.destroyed.connect(self._told)

    def _told(self) -> None:
        self._dialog = None


def start_crash_log(folder: Path) -> str:
    """Have crashes below Python written to a file. Returns what the last run left there, scrubbed; "" if nothing.

    Keeps the file open for as long as the process lives; a folder that cannot be written gives "".
    """
    file = folder / CRASH_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        left = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
        stream = file.open("w", encoding="utf-8")
    except OSError:
        return ""
    faulthandler.enable(stream)
    return scrub(left).strip()


class NoticesBar(QWidget):
    """Small things said without a dialog, newest below; each can be closed, and the oldest makes room."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(1)
        self.setAccessibleName(self.tr("Notices"))
        self.hide()

    @property
    def sentences(self) -> list[str]:
        return [notice.sentence for notice in self._notices()]

    def show_notice(
        self,
        sentence: str,
        details: str = "",
        *,
        action: tuple[str, Callable[[], object]] | None = None,
        seconds: float | None = None,
        quiet: bool = False,
    ) -> None:
        """`action` is a button's text and what it does; after `seconds` the notice goes by itself.

        quiet: it warns of nothing, so its edge has not the colour of a warning. The same sentence again replaces the one on screen.
        """
        self.withdraw(sentence)
        notices = self._notices()
        if len(notices) >= SHOWN_NOTICES:
            self._remove(notices[0])
        notice = _Notice(sentence, details, action, "note" if quiet else "notice")
        notice.closed.connect(lambda: self._remove(notice))
        self._layout.addWidget(notice)
        self.show()
        if seconds is not None:
            QTimer.singleShot(round(1000 * seconds), notice, notice.closed.emit)

    def show_note(self, sentence: str) -> None:
        """What was done, or done well: quiet, and it goes by itself."""
        self.show_notice(sentence, seconds=NOTE_S, quiet=True)

    def withdraw(self, sentence: str) -> None:
        for notice in self._notices():
            if notice.sentence == sentence:
                self._remove(notice)

    def clear(self) -> None:
        for notice in self._notices():
            self._remove(notice)

    def _notices(self) -> list[_Notice]:
        items = (self._layout.itemAt(index) for index in range(self._layout.count()))
        widgets = (item.widget() for item in items if item is not None)
        return [widget for widget in widgets if isinstance(widget, _Notice)]

    def _remove(self, notice: _Notice) -> None:
        self._layout.removeWidget(notice)
        notice.hide()
        notice.deleteLater()
        self.setVisible(bool(self._notices()))


class _Notice(QFrame):
    closed = Signal()

    def __init__(self, sentence: str, details: str, action: tuple[str, Callable[[], object]] | None, role: str) -> None:
        super().__init__()
        self.sentence = sentence
        self._details = details
        self.setProperty("role", role)
        words = QLabel(sentence, wordWrap=True)
        words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 4, 4, 4)
        layout.addWidget(words, 1)
        if action is not None:
            text, do = action
            button = QPushButton(text)
            button.clicked.connect(self.closed)
            button.clicked.connect(lambda: do())
            layout.addWidget(button)
        if details:
            more = QPushButton(self.tr("Details"))
            more.setProperty("role", "quiet")
            more.clicked.connect(lambda: show_error(self.window(), self.sentence, self._details))
            layout.addWidget(more)
        close = QToolButton()
        close.setProperty("role", "quiet")
        close.setAccessibleName(self.tr("Close this notice"))
        close.setToolTip(self.tr("Close"))
        icons.attach(close, "close")
        close.clicked.connect(self.closed)
        layout.addWidget(close)
