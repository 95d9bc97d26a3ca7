"""Colours and text on the canvas: light on a dark halo, readable on white metal and on black background alike."""

from __future__ import annotations

from typing import NamedTuple

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen

HALO = QColor(0, 0, 0, 200)
PLATE = QColor(0, 0, 0, 172)
PLATE_PADDING = 5.0


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


def draw_plate(painter: QPainter, box: QRectF) -> None:
    """A dark pane under text: grey bone, white metal and black air all leave it readable."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(PLATE)
    painter.drawRoundedRect(box.adjusted(-PLATE_PADDING, -1, PLATE_PADDING, 1), 3, 3)
    painter.setBrush(Qt.BrushStyle.NoBrush)


def draw_text(painter: QPainter, box: QRectF, flags: Qt.AlignmentFlag, text: str, font: QFont, colour: QColor) -> None:
    painter.setFont(font)
    painter.setPen(colour)
    painter.drawText(box, flags | Qt.TextFlag.TextDontClip, text)


def draw_label(painter: QPainter, at: QPointF, text: str, font: QFont, colour: QColor, bounds: QRectF) -> None:
    """Text on a plate whose top left lies at `at`, moved so that it stays inside `bounds`."""
    box = text_size(font, text).translated(at)
    inner = bounds.adjusted(PLATE_PADDING, 1, -PLATE_PADDING, -1)
    box.moveLeft(min(max(box.left(), inner.left()), max(inner.left(), inner.right() - box.width())))
    box.moveTop(min(max(box.top(), inner.top()), max(inner.top(), inner.bottom() - box.height())))
    draw_plate(painter, box)
    draw_text(painter, box, Qt.AlignmentFlag.AlignLeft, text, font, colour)


def draw_handle(painter: QPainter, at: QPointF, colour: QColor, *, filled: bool = False, size: float = 7.0) -> None:
    box = QRectF(at.x() - size / 2, at.y() - size / 2, size, size)
    painter.setPen(QPen(HALO, 3.0))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(box)
    painter.setPen(QPen(colour, 1.5))
    painter.setBrush(colour if filled else QColor(255, 255, 255, 235))
    painter.drawRect(box)
    painter.setBrush(Qt.BrushStyle.NoBrush)
