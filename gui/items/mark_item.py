"""A reader's mark: how it looks, where its handles are, and whether a click hits it."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import msgspec
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath, QPainterPathStroker, QPen, QPolygonF, QTransform

from gui.items.style import draw_handle, draw_label, draw_line, draw_path, text_size
from imaging.measure import Measure
from study.model import Annotation, AnnotationKind

WIDTH_HANDLE = -1  # of a lucent line: drags its width
GRAB_PX = 7.0  # logical pixels around a line or a handle that count as a hit
_POINT_RADIUS = 6.0


@dataclass(frozen=True)
class MarkStyle:
    colour: QColor
    font: QFont
    bounds: QRectF  # labels stay inside, logical pixels


@dataclass(frozen=True)
class Hit:
    """What a click met: a handle of the mark, or (None) its body."""

    mark_id: str
    handle: int | None = None


def handle_points(mark: Annotation) -> dict[int, tuple[float, float]]:
    """Handle number -> image point. An ellipse has the two stored corners of its box and the two between them."""
    handles = dict(enumerate(mark.points))
    if mark.kind is AnnotationKind.ELLIPSE and len(mark.points) == 2:
        (x0, y0), (x1, y1) = mark.points
        handles |= {2: (x1, y0), 3: (x0, y1)}
    if mark.kind is AnnotationKind.LUCENT_LINE and len(mark.points) >= 2:
        (x0, y0), (nx, ny) = _widest_place(mark)
        reach = mark.width_px / 2
        handles[WIDTH_HANDLE] = (x0 + nx * reach, y0 + ny * reach)
    return handles


def with_handle_at(mark: Annotation, handle: int, x: float, y: float) -> Annotation:
    """The mark with one handle dragged to (x, y)."""
    if handle == WIDTH_HANDLE:
        (x0, y0), (nx, ny) = _widest_place(mark)
        return msgspec.structs.replace(mark, width_px=2 * abs((x - x0) * nx + (y - y0) * ny))
    points = list(mark.points)
    if mark.kind is AnnotationKind.ELLIPSE and handle >= 2:
        (x0, y0), (x1, y1) = points
        points = [(x0, y), (x, y1)] if handle == 2 else [(x, y0), (x1, y)]
    else:
        points[handle] = (x, y)
    return msgspec.structs.replace(mark, points=tuple(points))


def hit_handle(mark: Annotation, at: QPointF, to_view: QTransform) -> int | None:
    best, best_px = None, GRAB_PX + 1
    for handle, (x, y) in handle_points(mark).items():
        shown = _width_handle_shown(mark, to_view) if handle == WIDTH_HANDLE else to_view.map(QPointF(x, y))
        away_px = QLineF(shown, at).length()
        if away_px < best_px:
            best, best_px = handle, away_px
    return best


def hit_body(mark: Annotation, at: QPointF, to_view: QTransform, *, inside: bool = False) -> bool:
    """`inside`: the inner part of a polygon or ellipse counts too, as it always does for small ones."""
    outline = outline_path(mark, to_view)
    reach = GRAB_PX
    box = outline.boundingRect()
    tiny = max(box.width(), box.height()) < 3 * reach
    if (inside or tiny) and mark.kind in _CLOSED and outline.contains(at):
        return True
    if mark.kind is AnnotationKind.LUCENT_LINE:
        reach = max(reach, mark.width_px * _scale(to_view) / 2 + 2)
    if mark.kind is AnnotationKind.TEXT:
        anchor = to_view.map(QPointF(*mark.points[0]))
        if text_size(QFont(), mark.text).translated(anchor + QPointF(8, -8)).adjusted(-4, -4, 4, 4).contains(at):
            return True
    stroker = QPainterPathStroker()
    stroker.setWidth(2 * reach)
    stroker.setCapStyle(Qt.PenCapStyle.RoundCap)
    return stroker.createStroke(outline).contains(at)


def segment_at(mark: Annotation, at: QPointF, to_view: QTransform) -> int | None:
    """Index at which a new point on the clicked edge of a polyline or polygon goes, None when no edge is near."""
    points = [to_view.map(QPointF(x, y)) for x, y in mark.points]
    if mark.kind is AnnotationKind.POLYGON:
        points.append(points[0])
    for index, (start, end) in enumerate(itertools.pairwise(points)):
        if _distance_to_segment(at, start, end) <= GRAB_PX:
            return index + 1
    return None


def outline_path(mark: Annotation, to_view: QTransform) -> QPainterPath:
    """The line that is drawn, in view coordinates."""
    points = [to_view.map(QPointF(x, y)) for x, y in mark.points]
    path = QPainterPath()
    if mark.kind is AnnotationKind.ELLIPSE:
        # Turned by quarter turns only, so that a box stays a box.
        path.addEllipse(QRectF(points[0], points[1]).normalized())
    elif mark.kind in (AnnotationKind.POINT, AnnotationKind.TEXT):
        path.addEllipse(points[0], _POINT_RADIUS - 2, _POINT_RADIUS - 2)
    elif mark.kind is AnnotationKind.ANGLE:
        for start, end in zip(points[0::2], points[1::2], strict=False):
            path.moveTo(start)
            path.lineTo(end)
    else:
        path.addPolygon(QPolygonF(points))
        if mark.kind is AnnotationKind.POLYGON:
            path.closeSubpath()
    return path


def mark_text(mark: Annotation, measure: Measure) -> str:
    """What is written beside the mark: its own text, and its measure with unit and source."""
    points = mark.points
    figures = ""
    if mark.kind is AnnotationKind.RULER and len(points) == 2:
        figures = measure.length_text(measure.length(points[0], points[1]))
    elif mark.kind is AnnotationKind.ANGLE and len(points) == 4:
        acute = measure.angle_deg(points)
        figures = f"{acute:.1f}° ({180 - acute:.1f}°)"
    elif mark.kind is AnnotationKind.LUCENT_LINE:
        # Born without a width: only a reader who drags its handle has measured one.
        measured = mark.width_px > 0
        figures = "width " + (measure.length_text(measure.length_of_px(mark.width_px)) if measured else "not measured")
    elif mark.kind is AnnotationKind.ELLIPSE and len(points) == 2:
        figures = measure.area_text(measure.ellipse_area(points[0], points[1]))
    elif mark.kind is AnnotationKind.POLYGON and len(points) >= 3:
        figures = measure.area_text(measure.polygon_area(points))
    return "\n".join(part for part in (mark.text, figures) if part)


_CLOSED = frozenset({AnnotationKind.POLYGON, AnnotationKind.ELLIPSE, AnnotationKind.POINT, AnnotationKind.TEXT})
_ALWAYS_LABELLED = frozenset({AnnotationKind.RULER, AnnotationKind.ANGLE, AnnotationKind.TEXT})


def paint_mark(
    painter: QPainter,
    mark: Annotation,
    to_view: QTransform,
    style: MarkStyle,
    measure: Measure,
    *,
    selected: bool = False,
    active_handle: int | None = None,
) -> None:
    """Draw in view coordinates, so that lines and letters keep their size at every zoom."""
    points = [to_view.map(QPointF(x, y)) for x, y in mark.points]
    path = outline_path(mark, to_view)
    colour = style.colour
    width = 2.2 if selected else 1.8
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if mark.kind is AnnotationKind.LUCENT_LINE:
        _paint_lucent_line(painter, points, mark.width_px * _scale(to_view), colour, width)
    elif mark.kind is AnnotationKind.RULER:
        draw_path(painter, path, colour, width)
        _paint_end_ticks(painter, points, colour)
    elif mark.kind is AnnotationKind.ANGLE:
        _paint_extensions(painter, points, colour)
        draw_path(painter, path, colour, width)
    elif mark.kind is AnnotationKind.POINT:
        _paint_cross(painter, points[0], colour)
    elif mark.kind is AnnotationKind.TEXT:
        draw_handle(painter, points[0], colour, filled=True, size=4)
    else:
        draw_path(painter, path, colour, width)
    text = mark_text(mark, measure)
    if mark.kind not in _ALWAYS_LABELLED and not selected:
        text = mark.text
    # A label follows its mark to the border of the view, but not when the mark itself is out of sight.
    if text and style.bounds.intersects(path.boundingRect().adjusted(-1, -1, 1, 1)):
        draw_label(painter, _label_place(mark, points, path), text, style.font, colour, style.bounds)
    if selected:
        _paint_handles(painter, mark, to_view, colour, active_handle)


def _paint_handles(
    painter: QPainter, mark: Annotation, to_view: QTransform, colour: QColor, active_handle: int | None
) -> None:
    if mark.kind is AnnotationKind.POINT:
        draw_handle(painter, to_view.map(QPointF(*mark.points[0])), colour, size=5)
        return
    for handle, (x, y) in handle_points(mark).items():
        if handle == WIDTH_HANDLE:
            at = _width_handle_shown(mark, to_view)
            painter.setPen(QPen(colour, 1.4))
            painter.setBrush(QColor(255, 255, 255, 235))
            painter.drawEllipse(at, 4.0, 4.0)
            painter.setBrush(Qt.BrushStyle.NoBrush)
        else:
            draw_handle(painter, to_view.map(QPointF(x, y)), colour, filled=handle == active_handle)


def _paint_lucent_line(painter: QPainter, points: list[QPointF], band_px: float, colour: QColor, width: float) -> None:
    """Both edges of the band, open between them: the finding itself stays visible."""
    if band_px < 5:
        path = QPainterPath()
        path.addPolygon(QPolygonF(points))
        draw_path(painter, path, colour, width)
        return
    band = _band(points, band_px / 2)
    tint = QColor(colour)
    tint.setAlpha(34)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(tint)
    painter.drawPath(band)
    draw_path(painter, band, colour, width - 0.6)


def _band(points: list[QPointF], half_px: float) -> QPainterPath:
    """The outline of a polyline with a width. Mitred, at most twice as far out as the band is wide."""
    points = [point for i, point in enumerate(points) if not i or QLineF(points[i - 1], point).length() > 0.1]
    if len(points) < 2:
        return QPainterPath()
    normals = []
    for start, end in itertools.pairwise(points):
        along = end - start
        length = math.hypot(along.x(), along.y())
        normals.append(QPointF(-along.y() / length, along.x() / length))
    offsets = [normals[0]]
    for before, after in itertools.pairwise(normals):
        bisector = before + after
        # |bisector|^2 = 2 (1 + cos): divided by half of it, the offset meets both edges.
        offsets.append(bisector / max(QPointF.dotProduct(bisector, bisector) / 2, 0.5))
    offsets.append(normals[-1])
    path = QPainterPath()
    left = [point + offset * half_px for point, offset in zip(points, offsets, strict=True)]
    right = [point - offset * half_px for point, offset in zip(points, offsets, strict=True)]
    path.addPolygon(QPolygonF(left + right[::-1]))
    path.closeSubpath()
    path.setFillRule(Qt.FillRule.WindingFill)
    return path


def _paint_end_ticks(painter: QPainter, points: list[QPointF], colour: QColor) -> None:
    if len(points) != 2:
        return
    line = QLineF(points[0], points[1])
    if line.length() < 1:
        return
    normal = line.normalVector().unitVector()
    offset = QPointF(normal.dx(), normal.dy()) * 6
    for end in points:
        draw_line(painter, QLineF(end - offset, end + offset), colour)


def _paint_extensions(painter: QPainter, points: list[QPointF], colour: QColor) -> None:
    """Dotted, from both lines to where they meet, when that is near."""
    if len(points) != 4:
        return
    one, two = QLineF(points[0], points[1]), QLineF(points[2], points[3])
    kind, meeting = one.intersects(two)
    if kind is not QLineF.IntersectionType.UnboundedIntersection:
        return
    faint = QColor(colour)
    faint.setAlpha(170)
    for line in (one, two):
        near = min((line.p1(), line.p2()), key=lambda end: QLineF(end, meeting).length())
        inside = _distance_to_segment(meeting, line.p1(), line.p2()) < 1
        if not inside and QLineF(near, meeting).length() < 4 * line.length() + 40:
            painter.setPen(QPen(faint, 1.2, Qt.PenStyle.DotLine))
            painter.drawLine(QLineF(near, meeting))


def _paint_cross(painter: QPainter, at: QPointF, colour: QColor) -> None:
    path = QPainterPath()
    path.addEllipse(at, _POINT_RADIUS, _POINT_RADIUS)
    for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        path.moveTo(at + QPointF(dx, dy) * 3)
        path.lineTo(at + QPointF(dx, dy) * (_POINT_RADIUS + 4))
    draw_path(painter, path, colour, 1.6)


def _label_place(mark: Annotation, points: list[QPointF], path: QPainterPath) -> QPointF:
    if mark.kind is AnnotationKind.TEXT:
        return points[0] + QPointF(8, -8)
    if mark.kind is AnnotationKind.RULER and len(points) == 2:
        lower = max(points, key=lambda point: (point.x(), point.y()))
        return lower + QPointF(10, 4)
    if mark.kind is AnnotationKind.ANGLE and len(points) == 4:
        return (points[1] + points[2]) / 2 + QPointF(12, -8)
    box = path.boundingRect()
    return QPointF(box.right() + 10, box.top() - 2)


def _widest_place(mark: Annotation) -> tuple[tuple[float, float], tuple[float, float]]:
    """Middle of the longest piece of a polyline, and the unit normal there."""
    pieces = list(itertools.pairwise(mark.points))
    (x0, y0), (x1, y1) = max(pieces, key=lambda piece: math.dist(piece[0], piece[1]))
    length = math.hypot(x1 - x0, y1 - y0) or 1.0
    return ((x0 + x1) / 2, (y0 + y1) / 2), (-(y1 - y0) / length, (x1 - x0) / length)


def _width_handle_shown(mark: Annotation, to_view: QTransform) -> QPointF:
    """A few pixels outside the band, so that it can be told from the line at any width."""
    (x, y), (nx, ny) = _widest_place(mark)
    reach = mark.width_px / 2 + 10 / _scale(to_view)
    return to_view.map(QPointF(x + nx * reach, y + ny * reach))


def _scale(to_view: QTransform) -> float:
    """Logical pixels per image pixel."""
    return math.hypot(to_view.m11(), to_view.m12())


def _distance_to_segment(at: QPointF, start: QPointF, end: QPointF) -> float:
    along = end - start
    length_squared = QPointF.dotProduct(along, along)
    share = QPointF.dotProduct(at - start, along) / length_squared if length_squared else 0.0
    return QLineF(at, start + along * min(max(share, 0.0), 1.0)).length()
