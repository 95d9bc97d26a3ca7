"""For tests of the canvas: keys held, points that may be off by a pixel, the wheel."""

from __future__ import annotations

import math

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication

from gui.views.radiograph_view import RadiographView

SHIFT, CONTROL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


def near(point, expected, tolerance: float = 1.0) -> bool:
    return math.dist(tuple(point), expected) <= tolerance


def points_near(points, expected, tolerance: float = 1.0) -> bool:
    return len(points) == len(expected) and all(near(p, e, tolerance) for p, e in zip(points, expected, strict=True))


def wheel(view: RadiographView, at: QPoint, notches: int) -> None:
    position = QPointF(at)
    event = QWheelEvent(
        position,
        QPointF(view.mapToGlobal(at)),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, event)
