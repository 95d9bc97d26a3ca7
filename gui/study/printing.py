"""A page of HTML on paper or as PDF."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QMarginsF
from PySide6.QtGui import QPageLayout, QPageSize, QPdfWriter, QTextDocument
from PySide6.QtWidgets import QWidget

MARGIN_MM = 16


def document(html: str) -> QTextDocument:
    made = QTextDocument()
    made.setHtml(html)
    return made


def save_pdf(html: str, path: Path, title: str) -> None:
    """Write the page as PDF, A4. Raises OSError."""
    writer = QPdfWriter(str(path))
    writer.setPageLayout(_layout())
    writer.setTitle(title)
    writer.setResolution(300)
    document(html).print_(writer)
    if not path.is_file() or not path.stat().st_size:
        raise OSError(f"{path.name} could not be written.")


def print_page(parent: QWidget, html: str, done: Callable[[], object] = lambda: None) -> QWidget:
    """Ask for a printer and print. Returns the dialog."""
    from PySide6.QtPrintSupport import QPrintDialog, QPrinter

    printer = QPrinter(QPrinter.PrinterMode.HighResolution)
    printer.setPageLayout(_layout())
    dialog = QPrintDialog(printer, parent)

    def send() -> None:
        document(html).print_(printer)
        done()

    dialog.accepted.connect(send)
    dialog.setModal(True)
    dialog.show()
    return dialog


def _layout() -> QPageLayout:
    margins = QMarginsF(MARGIN_MM, MARGIN_MM, MARGIN_MM, MARGIN_MM)
    return QPageLayout(
        QPageSize(QPageSize.PageSizeId.A4), QPageLayout.Orientation.Portrait, margins, QPageLayout.Unit.Millimeter
    )
