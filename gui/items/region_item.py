"""The square that one hip occupies: how it looks, and dragging it by border, label or corner."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath, QTransform

from gui.items.style import draw_label, draw_path
from imaging.geometry import HipRegion
from imaging.radiograph import Side, SideSource

GRAB_PX = 7.0
MIN_SIDE_PX = 32.0  # image pixels: less is no hip, and leaves the handles on top of each other
_SIDE_NAMES = {Side.RIGHT: "Right hip", Side.LEFT: "Left hip", Side.BOTH: "Hip", Side.UNKNOWN: "Hip"}


class RegionPart(Enum):
    BODY = "body"
    TOP_LEFT = (0, 0)
    TOP_RIGHT = (1, 0)
    BOTTOM_LEFT = (0, 1)
    BOTTOM_RIGHT = (1, 1)


CORNERS = (RegionPart.TOP_LEFT, RegionPart.TOP_RIGHT, RegionPart.BOTTOM_LEFT, RegionPart.BOTTOM_RIGHT)


def region_rect(region: HipRegion) -> QRectF:
    square = region.squared()
    return QRectF(square.x, square.y, square.width, square.height)


def region_name(region: HipRegion, index: int, count: int) -> str:
    number = f" {index + 1}/{count}" if count > 1 else ""
    return f"{_SIDE_NAMES[region.side]}{number}{', assumed' if region.side_source is SideSource.ASSUMED else ''}"


def corner_point(region: HipRegion, corner: RegionPart) -> QPointF:
    """In image pixels."""
    rect = region_rect(region)
    across, down = corner.value
    return QPointF(rect.left() + across * rect.width(), rect.top() + down * rect.height())


def hit_region(region: HipRegion, at: QPointF, to_view: QTransform) -> RegionPart | None:
    for corner in CORNERS:
        if QLineF(to_view.map(corner_point(region, corner)), at).length() <= GRAB_PX + 2:
            return corner
    shown = to_view.mapRect(region_rect(region))
    outer = shown.adjusted(-GRAB_PX, -GRAB_PX, GRAB_PX, GRAB_PX)
    inner = shown.adjusted(GRAB_PX, GRAB_PX, -GRAB_PX, -GRAB_PX)
    return RegionPart.BODY if outer.contains(at) and not inner.contains(at) else None


def dragged(region: HipRegion, part: RegionPart, start: QPointF, now: QPointF) -> HipRegion:
    """The region after its `part` went from `start` to `now` (image pixels). Stays square; a person has set it."""
    square = replace(region.squared(), proposed=False)
    move = now - start
    if part is RegionPart.BODY:
        return replace(square, x=square.x + move.x(), y=square.y + move.y())
    across, down = part.value
    outwards = (move.x() * (1 if across else -1) + move.y() * (1 if down else -1)) / 2
    side_px = max(MIN_SIDE_PX, square.width + outwards)
    grown = side_px - square.width
    # The opposite corner stays where it is.
    return replace(
        square,
        x=square.x - (0 if across else grown),
        y=square.y - (0 if down else grown),
        width=side_px,
        height=side_px,
    )


def paint_region(
    painter: QPainter,
    region: HipRegion,
    name: str,
    to_view: QTransform,
    colour: QColor,
    font: QFont,
    bounds: QRectF,
    *,
    current: bool,
) -> None:
    """`bounds`: what is seen, in view coordinates; the name stays inside it."""
    rect = to_view.mapRect(region_rect(region))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    # A thin frame and strong corners: what lies inside is to be looked at, not the box.
    frame = QPainterPath()
    frame.addRect(rect)
    thin = QColor(colour)
    thin.setAlpha(190)
    draw_path(painter, frame, thin, 1.0, Qt.PenStyle.SolidLine if current else Qt.PenStyle.DashLine)
    if current:
        arm = min(18.0, rect.width() / 4)
        corners = QPainterPath()
        for x, inwards_x in ((rect.left(), arm), (rect.right(), -arm)):
            for y, inwards_y in ((rect.top(), arm), (rect.bottom(), -arm)):
                corners.moveTo(x + inwards_x, y)
                corners.lineTo(x, y)
                corners.lineTo(x, y + inwards_y)
        draw_path(painter, corners, colour, 2.6)
    seen = rect & bounds
    if not seen.isEmpty():
        draw_label(painter, seen.topLeft() + QPointF(10, 7), name, font, colour, seen.adjusted(4, 4, -4, -4))
