"""Choosing files and folders without leaving traces.

Qt's dialogs keep the last folder and a history in a settings file of their own, for every Qt program of this user;
both may hold names of patients, and are removed once a dialog has closed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QFileDialog, QWidget


def choose_folder(parent: QWidget, title: str, then: Callable[[Path], object]) -> QFileDialog:
    """`then` gets the folder, unless the user cancels. Returns at once."""
    dialog = QFileDialog(parent, title)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    return _open(dialog, lambda paths: then(paths[0]))


def choose_file(parent: QWidget, title: str, then: Callable[[Path], object]) -> QFileDialog:
    """`then` gets an existing file."""
    dialog = QFileDialog(parent, title)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    return _open(dialog, lambda paths: then(paths[0]))


def choose_files(parent: QWidget, title: str, kinds: str, then: Callable[[list[Path]], object]) -> QFileDialog:
    """`then` gets one existing file or several; `kinds` is Qt's filter."""
    dialog = QFileDialog(parent, title)
    dialog.setNameFilter(kinds)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
    return _open(dialog, then)


def choose_new_file(
    parent: QWidget, title: str, suggested: str, kinds: str, then: Callable[[Path], object]
) -> QFileDialog:
    """`then` gets the path to write to; `kinds` is Qt's filter, e.g. "Tables (*.csv)". Asks before overwriting."""
    dialog = QFileDialog(parent, title, str(Path.home() / suggested), kinds)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setFileMode(QFileDialog.FileMode.AnyFile)
    dialog.setDefaultSuffix(Path(suggested).suffix.lstrip("."))
    return _open(dialog, lambda paths: then(paths[0]))


def forget_history() -> None:
    """Remove what Qt noted about chosen folders."""
    settings = QSettings(QSettings.Scope.UserScope, "QtProject")
    for key in ("history", "lastVisited"):
        settings.remove(f"FileDialog/{key}")
    settings.sync()


def _open(dialog: QFileDialog, then: Callable[[list[Path]], object]) -> QFileDialog:
    dialog.setOption(QFileDialog.Option.DontUseNativeDialog)
    dialog.filesSelected.connect(lambda files: then([Path(file) for file in files]) if files else None)
    dialog.finished.connect(dialog.deleteLater)
    dialog.destroyed.connect(forget_history)  # Qt writes its notes in the dialog's destructor, before this signal
    dialog.open()
    return dialog
