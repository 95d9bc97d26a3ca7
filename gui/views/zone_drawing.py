"""The drawing that the zones are pointed at on: a hip replacement seen AP, and how findings look on it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPainterPathStroker, QPen

from gui import theme
from imaging.zones import CUP_ZONES

# Units of the drawing: x 32-196, y 0-276.
DRAWING = QRectF(32, 0, 164, 276)
HEAD_CENTER, HEAD_RADIUS = QPointF(137, 60), 19.0
CUP_RADIUS, LINER_RADIUS, BONE_BAND = 33.0, 28.5, 15.0
CUP_INCLINATION_DEG = 40.0
STEM_AXIS_X = 88.0


@dataclass(frozen=True)
class Anatomy:
    """Paths of a right hip in drawing units."""

    femur: QPainterPath
    pelvis: QPainterPath
    stem: QPainterPath
    head: QPainterPath
    shell: QPainterPath
    liner: QPainterPath
    zones: Mapping[str, QPainterPath]


def _path(start: tuple[float, float], *parts: tuple[float, ...]) -> QPainterPath:
    """A closed path; a part of two numbers is a line, one of six a Bézier curve."""
    path = QPainterPath(QPointF(*start))
    for part in parts:
        if len(part) == 2:
            path.lineTo(*part)
        else:
            path.cubicTo(*part)
    path.closeSubpath()
    return path


def _dome(radius: float) -> QPainterPath:
    """The half disc above the cup's face: superomedial of a line inclined by CUP_INCLINATION_DEG."""
    box = QRectF(HEAD_CENTER.x() - radius, HEAD_CENTER.y() - radius, 2 * radius, 2 * radius)
    path = QPainterPath()
    path.arcMoveTo(box, -CUP_INCLINATION_DEG)
    path.arcTo(box, -CUP_INCLINATION_DEG, 180)
    path.closeSubpath()
    return path


def _sector(from_deg: float, to_deg: float) -> QPainterPath:
    outer, inner = CUP_RADIUS + BONE_BAND, CUP_RADIUS
    center = HEAD_CENTER
    path = QPainterPath()
    big = QRectF(center.x() - outer, center.y() - outer, 2 * outer, 2 * outer)
    small = QRectF(center.x() - inner, center.y() - inner, 2 * inner, 2 * inner)
    path.arcMoveTo(big, from_deg)
    path.arcTo(big, from_deg, to_deg - from_deg)
    path.arcTo(small, to_deg, from_deg - to_deg)
    path.closeSubpath()
    return path


def _circle(radius: float) -> QPainterPath:
    path = QPainterPath()
    path.addEllipse(HEAD_CENTER, radius, radius)
    return path


def _box(left: float, top: float, right: float, bottom: float) -> QPainterPath:
    path = QPainterPath()
    path.addRect(QRectF(QPointF(left, top), QPointF(right, bottom)))
    return path


@cache
def anatomy() -> Anatomy:
    femur = _path(
        (65, 290),
        (65, 235, 61, 185, 56, 146),
        (53, 126, 42, 112, 42, 94),  # vastus ridge
        (42, 78, 50, 68, 60, 68),  # greater trochanter
        (69, 68, 73, 80, 81, 86),
        (114, 109),  # where the neck was cut
        (121, 118, 126, 130, 123, 140),  # lesser trochanter
        (120, 151, 113, 160, 111, 176),
        (108, 205, 109, 250, 109, 290),
    )
    rim = CUP_RADIUS + 1.0
    pelvis = QPainterPath(QPointF(HEAD_CENTER.x() - 40, HEAD_CENTER.y() - 33))
    pelvis.cubicTo(92, 18, 88, 6, 90, -14)
    pelvis.lineTo(196, -14)
    pelvis.cubicTo(188, 12, 184, 34, 186, 56)
    pelvis.cubicTo(188, 76, 187, 92, 181, 106)
    pelvis.cubicTo(176, 119, 168, 127, 161, 125)
    pelvis.cubicTo(154, 122, 157, 108, 161, 98)
    angle = math.radians(CUP_INCLINATION_DEG)
    pelvis.cubicTo(163, 93, 164, 90, HEAD_CENTER.x() + rim * math.cos(angle), HEAD_CENTER.y() + rim * math.sin(angle))
    socket = QRectF(HEAD_CENTER.x() - rim, HEAD_CENTER.y() - rim, 2 * rim, 2 * rim)
    pelvis.arcTo(socket, -CUP_INCLINATION_DEG, 180)
    pelvis.closeSubpath()
    stem = _path(
        (80, 92),
        (79, 125, 81, 185, 84, 224),
        (85, 233, 90, 233, 91, 224),  # tip
        (94, 185, 98, 145, 107, 115),
        (110, 106, 114, 99, 119, 93),  # calcar to neck
        (134, 73),
        (124, 62),
        (97, 79),
        (87, 83, 81, 84, 80, 92),  # shoulder
    )
    head = _circle(HEAD_RADIUS)
    dome = _dome(CUP_RADIUS)
    shell = dome.subtracted(_circle(LINER_RADIUS))
    liner = _dome(LINER_RADIUS).subtracted(head)
    bone = femur.subtracted(stem)
    boxes = {
        "1": _box(0, 40, STEM_AXIS_X, 137),
        "2": _box(0, 137, STEM_AXIS_X, 184),
        "3": _box(0, 184, STEM_AXIS_X, 225),
        "4": _box(0, 225, 200, 266),
        "5": _box(STEM_AXIS_X, 184, 200, 225),
        "6": _box(STEM_AXIS_X, 137, 200, 184),
        "7": _box(STEM_AXIS_X, 100, 200, 137),
    }
    zones = {name: bone.intersected(box) for name, box in boxes.items()}
    lateral_rim = 180 - CUP_INCLINATION_DEG
    sectors = {"I": _sector(90, lateral_rim), "II": _sector(0, 90), "III": _sector(-CUP_INCLINATION_DEG, 0)}
    zones |= {name: pelvis.intersected(sector) for name, sector in sectors.items()}
    return Anatomy(femur, pelvis, stem, head, shell, liner, zones)


@cache
def interface(zone: str, width_units: float) -> QPainterPath:
    """The strip of bone that touches the implant in this zone: where a radiolucent line runs."""
    drawn = anatomy()
    if zone in CUP_ZONES:
        ring = _circle(CUP_RADIUS + width_units).subtracted(_circle(CUP_RADIUS))
        return ring.intersected(drawn.zones[zone])
    stroker = QPainterPathStroker()
    stroker.setWidth(2 * width_units)
    stroker.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    return stroker.createStroke(drawn.stem).subtracted(drawn.stem).intersected(drawn.zones[zone])


def hatch(painter: QPainter, path: QPainterPath, color: QColor) -> None:
    """Slanted lines: the zone cannot be assessed."""
    painter.save()
    painter.setClipPath(path, Qt.ClipOperation.IntersectClip)
    painter.setPen(QPen(color, 1.1))
    box = path.boundingRect()
    at = box.left() - box.height()
    while at < box.right():
        painter.drawLine(QPointF(at, box.bottom()), QPointF(at + box.height(), box.top()))
        at += 5.0
    painter.restore()


def scallops(painter: QPainter, path: QPainterPath, color: QColor) -> None:
    """Round bites in a regular grid: what osteolysis looks like, and no line."""
    painter.save()
    painter.setClipPath(path, Qt.ClipOperation.IntersectClip)
    painter.setPen(QPen(color, 1.0))
    painter.setBrush(theme.translucent(color.name(), 0.35))
    box = path.boundingRect()
    step = 8.0
    for row in range(int(box.height() / step) + 2):
        for column in range(int(box.width() / step) + 2):
            shift = step / 2 if row % 2 else 0.0
            painter.drawEllipse(QPointF(box.left() + column * step + shift, box.top() + row * step), 2.6, 2.6)
    painter.restore()
