"""Drawing marks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QLineF, QPointF, Qt

from gui.annotations import FREE_LENGTH, MIN_POINTS, new_annotation
from gui.canvas.behaviour import DRAG_PX, PointsTool
from imaging.measure import Point
from study.model import Annotation, AnnotationKind

if TYPE_CHECKING:
    from gui.views.radiograph_view import RadiographView


class DrawTool(PointsTool):
    """Marks with a fixed number of points (ruler, angle, ellipse, point, text) and with any number.

    Fixed: each pair of points may be dragged or clicked. Free: one click a point, Enter or a double click ends.
    """

    cursor = Qt.CursorShape.CrossCursor

    def __init__(self, view: RadiographView, kind: AnnotationKind) -> None:
        super().__init__(view)
        self.kind = kind
        self._hover: Point | None = None
        self._pressed_at = QPointF()
        self._drags = False

    @property
    def _free(self) -> bool:
        return self.kind in FREE_LENGTH

    def press(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        if self.view.annotations.read_only:
            return
        self._pressed_at, self._drags = at, False
        point = self._point(at, modifiers)
        if self.kind is AnnotationKind.TEXT:
            self.view.edit_text(new_annotation(self.kind, [point]))
            return
        if self.kind is AnnotationKind.POLYGON and len(self._points) >= MIN_POINTS[self.kind]:
            first = self.view.view_point(*self._points[0])
            if QLineF(first, at).length() <= DRAG_PX * 2:
                self.finish()
                return
        self._points.append(point)
        self._hover = point
        self._complete()
        self.view.update()

    def move(self, at: QPointF, *, pressed: bool, modifiers: Qt.KeyboardModifier) -> None:
        if not self._points:
            return
        self._hover = self._point(at, modifiers)
        self._drags = self._drags or (pressed and QLineF(self._pressed_at, at).length() >= DRAG_PX)
        self.view.update()

    def release(self, at: QPointF) -> None:
        # A drag sets both ends; after a click the second end is the next click.
        if self._drags and not self._free and len(self._points) % 2 == 1 and self._hover is not None:
            self._points.append(self._hover)
            self._complete()
        self._drags = False
        self.view.update()

    def double_click(self, at: QPointF) -> bool:
        """The first of the two clicks has set the last point already."""
        if self._free and self._points:
            self.finish()
        else:
            self.press(at, Qt.KeyboardModifier.NoModifier)
        return True

    def finish(self) -> bool:
        if not self._free or not self._points:
            return False
        points = [p for i, p in enumerate(self._points) if not i or math.dist(p, self._points[i - 1]) > 1e-6]
        if len(points) >= MIN_POINTS[self.kind]:
            self._points = points
            self._add()
        return True

    def cancel(self) -> bool:
        was_busy = self.busy
        self._points, self._hover = [], None
        self.view.update()
        return was_busy

    def draft(self) -> Annotation | None:
        if not self._points:
            return None
        points = list(self._points)
        odd = len(points) % 2 == 1
        if self._hover is not None and (self._free or odd or self.kind is AnnotationKind.ANGLE):
            points.append(self._hover)
        if self.kind is AnnotationKind.POLYGON and len(points) < MIN_POINTS[self.kind]:
            return Annotation("", AnnotationKind.LUCENT_LINE, tuple(points))
        if self.kind is AnnotationKind.ELLIPSE and len(points) < 2:
            return None
        return Annotation("", self.kind, tuple(points))

    def _complete(self) -> None:
        if not self._free and len(self._points) == MIN_POINTS[self.kind]:
            self._add()

    def _add(self) -> None:
        points, self._points, self._hover = self._points, [], None
        if self.kind in (AnnotationKind.RULER, AnnotationKind.ELLIPSE) and _is_dot(points, self.kind):
            return
        self.view.annotations.add(new_annotation(self.kind, points))

    def _point(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> Point:
        """Shift keeps a ruler or a line of an angle at multiples of 45 degrees, an ellipse a circle."""
        x, y = self.view.clamped(self.view.image_point(at))
        pairs = self.kind in (AnnotationKind.RULER, AnnotationKind.ANGLE, AnnotationKind.ELLIPSE)
        if pairs and modifiers & Qt.KeyboardModifier.ShiftModifier and len(self._points) % 2 == 1:
            return _straightened(self._points[-1], (x, y), diagonal_only=self.kind is AnnotationKind.ELLIPSE)
        return x, y


def _straightened(start: Point, end: Point, *, diagonal_only: bool) -> Point:
    dx, dy = end[0] - start[0], end[1] - start[1]
    if diagonal_only:
        side = max(abs(dx), abs(dy))
        return start[0] + math.copysign(side, dx), start[1] + math.copysign(side, dy)
    angle = round(math.atan2(dy, dx) / (math.pi / 4)) * math.pi / 4
    length = dx * math.cos(angle) + dy * math.sin(angle)
    return start[0] + length * math.cos(angle), start[1] + length * math.sin(angle)


def _is_dot(points: list[Point], kind: AnnotationKind) -> bool:
    (x0, y0), (x1, y1) = points[:2]
    if kind is AnnotationKind.ELLIPSE:
        return min(abs(x1 - x0), abs(y1 - y0)) < 0.5
    return math.dist((x0, y0), (x1, y1)) < 0.5
