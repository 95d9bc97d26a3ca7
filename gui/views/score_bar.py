"""The scale of the score, with both answers on it."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui import theme
from gui.words import score_words


@dataclass(frozen=True)
class Scale:
    """What a score is read against; all on 0-100."""

    operating_point: float | None = None
    band: tuple[float, float] | None = None  # indeterminate


class ScoreBar(QWidget):
    """0 to 100 for loosening: the CNN's score above the line, the reader's below it, the operating point across."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scale = Scale()
        self._cnn: float | None = None
        self._cnn_color = ""
        self._reader: float | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_scores(self, scale: Scale, cnn: float | None, cnn_color: str, reader: float | None) -> None:
        self._scale, self._cnn, self._cnn_color, self._reader = scale, cnn, cnn_color, reader
        parts = []
        if cnn is not None:
            parts.append(f"CNN {score_words(cnn)}")
        if reader is not None:
            parts.append(f"reader {score_words(reader)}")
        if scale.operating_point is not None:
            parts.append(f"called loose from {scale.operating_point:.0f}")
        self.setAccessibleName("Score for loosening, 0 to 100: " + ", ".join(parts))
        self.update()

    def sizeHint(self) -> QSize:
        em = QFontMetricsF(self.font()).height()
        return QSize(int(12 * em), int(3.4 * em))

    minimumSizeHint = sizeHint

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        now = theme.colors()
        font = QFont(self.font())
        font.setPointSizeF(0.85 * font.pointSizeF())
        em = QFontMetricsF(font).height()
        left, right = em * 0.7, self.width() - em * 0.7
        groove = QRectF(left, 1.25 * em, right - left, 0.45 * em)

        def at(score: float) -> float:
            return left + (right - left) * min(max(score, 0.0), 100.0) / 100

        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(now.line))
        painter.drawRoundedRect(groove, groove.height() / 2, groove.height() / 2)
        if self._scale.band is not None:
            low, high = self._scale.band
            band = QRectF(at(low), groove.top(), at(high) - at(low), groove.height())
            painter.setBrush(theme.translucent(now.indeterminate, 0.22))
            painter.drawRect(band)
            painter.setPen(QPen(theme.translucent(now.indeterminate, 0.75), 1))
            step = max(3.0, em * 0.35)
            x = band.left() + step
            while x < band.right():  # hatched: not told by colour alone
                painter.drawLine(QPointF(x, band.bottom() - 1), QPointF(min(x + step * 0.6, band.right()), band.top()))
                x += step
        if self._cnn is not None:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(self._cnn_color or now.text))
            x, y = at(self._cnn), groove.top() - 1
            half = 0.42 * em
            painter.drawPolygon(
                QPolygonF([QPointF(x - half, y - 0.75 * em), QPointF(x + half, y - 0.75 * em), QPointF(x, y)])
            )
        if self._reader is not None:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(now.readers[0]))
            x, y = at(self._reader), groove.bottom() + 1
            half = 0.42 * em
            painter.drawPolygon(
                QPolygonF([QPointF(x - half, y + 0.75 * em), QPointF(x + half, y + 0.75 * em), QPointF(x, y)])
            )
        painter.setFont(font)
        labels_top = groove.bottom() + 0.72 * em
        painter.setPen(QColor(now.muted))
        flags = Qt.AlignmentFlag.AlignTop
        painter.drawText(QRectF(0, labels_top, 6 * em, 1.2 * em), flags | Qt.AlignmentFlag.AlignLeft, "0")
        painter.drawText(
            QRectF(self.width() - 6 * em, labels_top, 6 * em, 1.2 * em), flags | Qt.AlignmentFlag.AlignRight, "100"
        )
        point = self._scale.operating_point
        if point is not None:
            painter.setPen(QPen(QColor(now.text), 2))
            x = at(point)
            painter.drawLine(QPointF(x, groove.top() - 0.2 * em), QPointF(x, groove.bottom() + 0.55 * em))
            painter.setPen(QColor(now.muted))
            width = 10 * em
            box = QRectF(min(max(x - width / 2, em), self.width() - width - em), labels_top, width, 1.2 * em)
            align = (
                Qt.AlignmentFlag.AlignRight
                if x > box.center().x() + width / 4
                else Qt.AlignmentFlag.AlignLeft
                if x < box.center().x() - width / 4
                else Qt.AlignmentFlag.AlignHCenter
            )
            painter.drawText(box, flags | align, f"loose from {point:.0f}")
        painter.end()
