"""The report on paper: A4 pages with numbers, and the hashes of file and protocol at the foot of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from PySide6.QtCore import QMarginsF, QRectF, QSizeF, Qt, QUrl
from PySide6.QtGui import (
    QAbstractTextDocumentLayout,
    QColor,
    QFont,
    QImage,
    QPageLayout,
    QPageSize,
    QPainter,
    QPalette,
    QPdfWriter,
    QTextCursor,
    QTextDocument,
    QTextFormat,
)

from gui.study.results_export import picture
from study.result_parts import Plot, Status, Table

DPI = 300
MARGIN_MM = 15.0
FOOT_MM = 9.0
_MOST_COLUMNS = 9  # of a table that fits across a page; wider ones are set as records
_STYLE = """
body { font-family: 'Helvetica', 'Arial', sans-serif; font-size: 9pt; color: #1a1a1a; }
h1 { font-size: 17pt; margin-top: 10px; margin-bottom: 6px; }
h2 { font-size: 12pt; margin-top: 18px; margin-bottom: 4px; }
p { margin-top: 3px; margin-bottom: 5px; } .note { color: #555555; font-size: 8pt; }
.notice { font-size: 20pt; font-weight: bold; }
th { font-size: 7.5pt; text-align: left; background-color: #eef1f4; } td { font-size: 7.5pt; }
"""


@dataclass(frozen=True)
class PaperReport:
    title: str
    notice: str
    conclusion: str
    cautions: tuple[str, ...]
    tables: tuple[Table, ...]
    plots: tuple[Plot, ...]  # in light colours
    hashes: tuple[str, ...]


def save_report_pdf(report: PaperReport, path: Path) -> int:
    """Write it; returns the number of pages. Needs a QGuiApplication, offscreen will do. Raises OSError."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.open("wb").close()  # Qt says nothing about why a file cannot be made
    try:
        pages = _write(report, unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return pages


def _write(report: PaperReport, path: Path) -> int:
    writer = QPdfWriter(str(path))
    margins = QMarginsF(MARGIN_MM, MARGIN_MM, MARGIN_MM, MARGIN_MM)
    writer.setPageLayout(
        QPageLayout(
            QPageSize(QPageSize.PageSizeId.A4), QPageLayout.Orientation.Portrait, margins, QPageLayout.Unit.Millimeter
        )
    )
    writer.setResolution(DPI)
    writer.setTitle(report.title)
    page = writer.pageLayout().paintRectPixels(DPI)
    foot = FOOT_MM / 25.4 * DPI
    document = _document(report, writer, QSizeF(page.width(), page.height() - foot))
    painter = QPainter(writer)
    if not painter.isActive():
        raise OSError(f"{path.name} could not be written.")
    try:
        pages = document.pageCount()
        for number in range(pages):
            if number:
                writer.newPage()
            _paint_page(painter, document, number)
            _paint_foot(painter, report, number + 1, pages, QRectF(0, page.height() - foot, page.width(), foot))
    finally:
        painter.end()
    if not path.is_file() or not path.stat().st_size:
        raise OSError(f"{path.name} could not be written.")
    return pages


def _document(report: PaperReport, writer: QPdfWriter, size: QSizeF) -> QTextDocument:
    document = QTextDocument()
    document.documentLayout().setPaintDevice(writer)
    document.setDocumentMargin(0)
    document.setDefaultFont(QFont("Helvetica", 9))
    document.setDefaultStyleSheet(_STYLE)
    width = size.width()
    for plot in report.plots:
        if plot.svg:
            document.addResource(QTextDocument.ResourceType.ImageResource, QUrl(f"plot:{plot.name}"), _titled(plot))
    document.setHtml(_html(report, width))
    document.setPageSize(size)
    _keep_headings(document)
    # Lay it all out anew: blocks that were moved leave later ones unpainted.
    document.setPageSize(QSizeF(size.width(), size.height() + 1))
    document.setPageSize(size)
    return document


def _keep_headings(document: QTextDocument) -> None:
    """No heading is left behind at the end of a page: what follows it, or its table's first row, comes with it."""
    layout, height = document.documentLayout(), document.pageSize().height()
    block = document.begin()
    while block.isValid():
        follower = block.next()
        if block.blockFormat().headingLevel() and follower.isValid():
            table = QTextCursor(follower).currentTable()
            if table is not None:  # below the titles of its columns
                follower = table.cellAt(min(1, table.rows() - 1), 0).firstCursorPosition().block()
            ends = layout.blockBoundingRect(follower).bottom()
            if layout.blockBoundingRect(block).top() // height != ends // height:
                moved = block.blockFormat()
                moved.setPageBreakPolicy(QTextFormat.PageBreakFlag.PageBreak_AlwaysBefore)
                QTextCursor(block).setBlockFormat(moved)
        block = block.next()


def _titled(plot: Plot) -> QImage:
    """The plot below its title, as one picture: a heading of its own would be left behind at the end of a page."""
    drawn = picture(plot.svg)
    band = round(drawn.width() * 0.065)
    image = QImage(drawn.width(), drawn.height() + band, QImage.Format.Format_ARGB32)
    image.fill(QColor("#ffffff"))
    painter = QPainter(image)
    font = QFont("Helvetica")
    font.setPixelSize(round(band * 0.42))
    font.setBold(True)
    painter.setFont(font)
    painter.setPen(QColor("#1a1a1a"))
    box = QRectF(0, 0, drawn.width(), band)
    painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, plot.title)
    painter.drawImage(0, band, drawn)
    painter.end()
    return image


def _html(report: PaperReport, width: float) -> str:
    parts = []
    if report.notice:
        parts.append(
            f"<table width='100%' border='2' cellpadding='10'><tr><td align='center'><span class='notice'>"
            f"{escape(report.notice)}</span></td></tr></table>"
        )
    parts.append(f"<h1>{escape(report.title)}</h1><p><b>{escape(report.conclusion)}</b></p>")
    parts += [f"<p class='note'>{escape(sentence)}</p>" for sentence in report.cautions]
    first = [table for table in report.tables if table.status is Status.PREREGISTERED]
    parts += [_table(table) for table in first]
    if not first:
        parts.append(
            "<p>No protocol came with these data: everything in this report is exploratory or descriptive.</p>"
        )
    for plot in report.plots:
        if plot.svg:
            # In pixels of 96 to the inch; Qt keeps the picture's shape, and no line, so no picture, breaks across pages.
            parts.append(f"<p><img src='plot:{plot.name}' width='{round(width * 96 / DPI * 0.97)}'></p>")
        else:
            parts.append(f"<h2>{escape(plot.title)}</h2><p>{escape(plot.caption)}</p>")
    parts += [_table(table) for table in report.tables if table.status is not Status.PREREGISTERED]
    return f"<html><body>{''.join(parts)}</body></html>"


def _table(table: Table) -> str:
    head = f"<h2>{escape(table.title)} <span class='note'>({table.status})</span></h2>"
    note = f"<p class='note'>{escape(table.note)}</p>" if table.note else ""
    if len(table.columns) > _MOST_COLUMNS:
        return head + _records(table) + note
    titles = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    rows = "".join("<tr>" + "".join(f"<td>{_cell(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    padding = 6 if len(table.columns) < 8 else 3  # else words of many columns are broken anywhere
    grid = (
        f"width='100%' border='1' cellspacing='0' cellpadding='{padding}' "
        "style='border-collapse: collapse; border-color: #c8c8c8'"
    )
    return f"{head}<table {grid}><thead><tr>{titles}</tr></thead>{rows}</table>{note}"


def _records(table: Table) -> str:
    """A line of names and values for each row: wide tables do not fit across a page."""
    out = []
    for row in table.rows:
        pairs = [(name, cell) for name, cell in zip(table.columns, row, strict=True) if cell not in ("", "–")]
        words = " · ".join(
            f"{escape(name)}: {_cell(cell)}" if name else f"<b>{_cell(cell)}</b>" for name, cell in pairs
        )
        out.append(f"<p style='font-size: 8pt'>{words}</p>")
    return "".join(out)


def _cell(text: str) -> str:
    """Hashes have no place to break: they get some."""
    words = [_broken(word) for word in text.split(" ")]
    return escape(" ".join(words))


def _broken(word: str, every: int = 32) -> str:
    parts: Sequence[str] = [word[n : n + every] for n in range(0, len(word), every)]
    return "\u200b".join(parts)


def _paint_page(painter: QPainter, document: QTextDocument, number: int) -> None:
    size = document.pageSize()
    painter.save()
    painter.translate(0, -number * size.height())
    context = QAbstractTextDocumentLayout.PaintContext()
    context.clip = QRectF(0, number * size.height(), size.width(), size.height())
    context.palette.setColor(QPalette.ColorRole.Text, QColor("#1a1a1a"))  # paper is white in either theme
    painter.setClipRect(context.clip)
    document.documentLayout().draw(painter, context)
    painter.restore()


def _paint_foot(painter: QPainter, report: PaperReport, number: int, pages: int, box: QRectF) -> None:
    painter.save()
    painter.setFont(QFont("Helvetica", 6))
    painter.setPen(QColor("#8a8a8a"))
    painter.drawLine(box.topLeft(), box.topRight())
    painter.setPen(QColor("#555555"))
    inner = box.adjusted(0, 12, 0, 0)
    words = "\n".join(([report.notice] if report.notice else []) + list(report.hashes))
    painter.drawText(inner, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, words)
    painter.setFont(QFont("Helvetica", 7))
    painter.drawText(
        inner,
        Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop,
        f"for research use only · page {number} of {pages}",
    )
    painter.restore()
