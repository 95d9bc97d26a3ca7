"""Colours and text on the canvas: light on a dark halo, readable on white metal and on black background alike."""

from __future__ import annotations

from typing import NamedTuple

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen

HALO = QColor(0, 0, 0, 200)


class CanvasColours(NamedTuple):
    """What a theme may set."""

    background: QColor = QColor(12, 13, 15)
    text: QColor = QColor(232, 234, 237)
    faint: QColor = QColor(170, 175, 182)
    warning: QColor = QColor(255, 196, 87)
    marks: QColor = QColor(88, 214, 255)  # of the reader, unless `set_reader_color` says otherwise
    region: QColor = QColor(163, 230, 120)
    region_idle: QColor = QColor(150, 156, 164)
    calibration: QColor = QColor(255, 158, 222)


def halo_pen(width: float) -> QPen:
    return QPen(HALO, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)


def line_pen(colour: QColor, width: float, style: Qt.PenStyle = Qt.PenStyle.SolidLine) -> QPen:
    return QPen(colour, width, style, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)


def draw_path(
    painter: QPainter,
    path: QPainterPath,
    colour: QColor,
    width: float = 1.8,
    style: Qt.PenStyle = Qt.PenStyle.SolidLine,
) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(halo_pen(width + 2.4))
    painter.drawPath(path)
    painter.setPen(line_pen(colour, width, style))
    painter.drawPath(path)


def draw_line(painter: QPainter, line: QLineF, colour: QColor, width: float = 1.8) -> None:
    path = QPainterPath(line.p1())
    path.lineTo(line.p2())
    draw_path(painter, path, colour, width)


def text_size(font: QFont, text: str) -> QRectF:
    """Bounding box of one or more lines, at the origin."""
    metrics = QFontMetricsF(font)
    lines = text.split("\n")
    return QRectF(0, 0, max(metrics.horizontalAdvance(line) for line in lines), metrics.lineSpacing() * len(lines))


_AROUND = tuple((dx, dy) for dx in (-1.0, 0.0, 1.0) for dy in (-1.0, 0.0, 1.0) if dx or dy)


def draw_text(painter: QPainter, box: QRectF, flags: Qt.AlignmentFlag, text: str, font: QFont, colour: QColor) -> None:
    """Text with a dark rim. Eight shifted copies are ten times cheaper than stroking glyph outlines."""
    painter.setFont(font)
    painter.setPen(HALO)
    for dx, dy in _AROUND:
        painter.drawText(box.translated(dx, dy), flags, text)
    painter.setPen(colour)
    painter.drawText(box, flags, text)


def draw_label(painter: QPainter, at: QPointF, text: str, font: QFont, colour: QColor, bounds: QRectF) -> QRectF:
    """Text whose top left lies at `at`, moved so that it stays inside `bounds`. Returns the box it took."""
    box = text_size(font, text).translated(at)
    box.moveLeft(min(max(box.left(), bounds.left()), max(bounds.left(), bounds.right() - box.width())))
    box.moveTop(min(max(box.top(), bounds.top()), max(bounds.top(), bounds.bottom() - box.height())))
    draw_text(
        painter, box.adjusted(0, 0, 2, 2), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, text, font, colour
    )
    return box


def draw_handle(painter: QPainter, at: QPointF, colour: QColor, *, filled: bool = False, size: float = 7.0) -> None:
    box = QRectF(at.x() - size / 2, at.y() - size / 2, size, size)
    painter.setPen(QPen(HALO, 3.0))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(box)
    painter.setPen(QPen(colour, 1.5))
    painter.setBrush(colour if filled else QColor(255, 255, 255, 235))
    painter.drawRect(box)
    painter.setBrush(Qt.BrushStyle.NoBrush)
