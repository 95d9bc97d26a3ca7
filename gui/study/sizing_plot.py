"""Power against the number of cases, one curve for each number of readers, with the target and what is planned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui import theme

STYLES = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DashDotLine, Qt.PenStyle.DotLine)
TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Curve:
    readers: int
    points: tuple[tuple[int, float], ...]  # cases, power


class SizingPlot(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self._curves: Sequence[Curve] = ()
        self._target = 0.8
        self._planned = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Power against number of cases")

    def sizeHint(self) -> QSize:
        em = self.fontMetrics().height()
        return QSize(26 * em, 15 * em)

    def minimumSizeHint(self) -> QSize:
        em = self.fontMetrics().height()
        return QSize(16 * em, 12 * em)

    def show_curves(self, curves: Sequence[Curve], target: float, planned_cases: int) -> None:
        self._curves, self._target, self._planned = curves, target, planned_cases
        words = [
            f"{curve.readers} readers: power {curve.points[-1][1]:.2f} with {curve.points[-1][0]} cases"
            for curve in curves
        ]
        self.setAccessibleDescription("; ".join(words))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._curves:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colors, metrics = theme.colors(), self.fontMetrics()
        most = max(curve.points[-1][0] for curve in self._curves)
        left = metrics.horizontalAdvance("100 % ") + 4
        right = metrics.horizontalAdvance(" 20 readers") + 6
        area = QRectF(left, metrics.height() * 0.8, self.width() - left - right, self.height() - 3.4 * metrics.height())
        painter.setPen(QColor(colors.muted))
        for tick in TICKS:
            y = area.bottom() - tick * area.height()
            painter.setPen(QColor(colors.line))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(QColor(colors.muted))
            painter.drawText(
                QRectF(0, y - metrics.height() / 2, left - 6, metrics.height()),
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                f"{tick:.0%}".replace("%", " %"),
            )
        step = _nice(most / 5)
        for cases in range(0, most + 1, step):
            x = area.left() + cases / most * area.width()
            box = QRectF(x - 40, area.bottom() + 4, 80, metrics.height())
            painter.drawText(box, Qt.AlignmentFlag.AlignHCenter, str(cases))
        below = QRectF(area.left(), area.bottom() + 4 + metrics.height(), area.width(), 1.3 * metrics.height())
        painter.drawText(below, Qt.AlignmentFlag.AlignCenter, "cases")
        self._draw_line(painter, area, QColor(colors.warning), y=self._target)
        if 0 < self._planned <= most:
            self._draw_line(painter, area, QColor(colors.muted), x=self._planned / most)
        lowest = area.top() - metrics.height()
        for index, curve in enumerate(sorted(self._curves, key=lambda curve: -curve.points[-1][1])):
            pen = QPen(QColor(colors.accent), 2, STYLES[index % len(STYLES)])
            painter.setPen(pen)
            points = [
                QPointF(area.left() + cases / most * area.width(), area.bottom() - power * area.height())
                for cases, power in curve.points
            ]
            painter.drawPolyline(QPolygonF(points))
            y = lowest = max(points[-1].y(), lowest + metrics.height())  # names never lie over each other
            painter.setPen(QColor(colors.text))
            place = QRectF(area.right() + 6, y - metrics.height() / 2, right, metrics.height())
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, f"{curve.readers} readers")
        painter.end()

    def _draw_line(
        self, painter: QPainter, area: QRectF, color: QColor, *, x: float | None = None, y: float | None = None
    ) -> None:
        """Across the whole area, at a share of it."""
        painter.setPen(QPen(color, 1, Qt.PenStyle.DashLine))
        if y is not None:
            height = area.bottom() - y * area.height()
            painter.drawLine(QPointF(area.left(), height), QPointF(area.right(), height))
        if x is not None:
            across = area.left() + x * area.width()
            painter.drawLine(QPointF(across, area.top()), QPointF(across, area.bottom()))


def _nice(step: float) -> int:
    """The next of 1, 2, 5, 10, 20, …"""
    size = 1
    while True:
        for factor in (1, 2, 5):
            if factor * size >= step:
                return factor * size
        size *= 10
