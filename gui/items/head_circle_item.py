"""The circle on the rim of the implanted head: the best ruler that a hip radiograph has."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from PySide6.QtCore import QLineF, QPointF, QRectF
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath, QTransform

from gui.items.style import draw_handle, draw_label, draw_path
from imaging.geometry import GeometryError, fit_circle
from imaging.measure import Measure, Point

GRAB_PX = 7.0
MIN_RADIUS_PX = 3.0


@dataclass(frozen=True)
class HeadCircle:
    """In image pixels."""

    center: Point
    radius_px: float

    def with_rim_at(self, x: float, y: float) -> HeadCircle:
        return replace(self, radius_px=max(MIN_RADIUS_PX, math.dist(self.center, (x, y))))

    @property
    def rim_points(self) -> tuple[Point, ...]:
        """Handles: right, bottom, left, top."""
        (x, y), r = self.center, self.radius_px
        return (x + r, y), (x, y + r), (x - r, y), (x, y - r)


def circle_through(points: Sequence[Point]) -> HeadCircle | None:
    """The circle on three points or more of the rim, None when they lie on a line or on top of each other."""
    try:
        circle = fit_circle(points)
    except GeometryError:
        return None
    return HeadCircle((circle.x, circle.y), max(MIN_RADIUS_PX, circle.radius))


def hit_head_circle(circle: HeadCircle, at: QPointF, to_view: QTransform) -> str | None:
    """ "center", "rim" or None."""
    center = to_view.map(QPointF(*circle.center))
    away = QLineF(center, at).length()
    if away <= GRAB_PX:
        return "center"
    radius = QLineF(center, to_view.map(QPointF(*circle.rim_points[0]))).length()
    return "rim" if abs(away - radius) <= GRAB_PX else None


def paint_head_circle(
    painter: QPainter,
    circle: HeadCircle,
    to_view: QTransform,
    measure: Measure,
    colour: QColor,
    font: QFont,
    bounds: QRectF,
    *,
    handles: bool = True,
) -> None:
    center = to_view.map(QPointF(*circle.center))
    radius = QLineF(center, to_view.map(QPointF(*circle.rim_points[0]))).length()
    path = QPainterPath()
    path.addEllipse(center, radius, radius)
    for dx, dy in ((1, 0), (0, 1)):
        path.moveTo(center - QPointF(dx, dy) * 5)
        path.lineTo(center + QPointF(dx, dy) * 5)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    draw_path(painter, path, colour, 1.6)
    if handles:
        for x, y in circle.rim_points:
            draw_handle(painter, to_view.map(QPointF(x, y)), colour, size=6)
    diameter_px = 2 * circle.radius_px
    text = f"Head ⌀ {diameter_px:.1f} px"
    if measure.has_mm:
        text += f"\n{measure.length_text(measure.length_of_px(diameter_px))}"
    if not bounds.intersects(path.boundingRect()):
        return
    draw_label(painter, center + QPointF(radius + 10, -radius), text, font, colour, bounds)
