"""Tools that say where something is: the implanted head, a hip that was not found."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QPainter

from gui.canvas.behaviour import DRAG_PX, PointsTool, ToolBehaviour
from gui.items.head_circle_item import MIN_RADIUS_PX, HeadCircle, circle_through
from gui.items.region_item import paint_region
from gui.items.style import draw_handle
from imaging.geometry import HipRegion
from imaging.measure import Point

if TYPE_CHECKING:
    from gui.views.radiograph_view import RadiographView


class HeadCircleTool(PointsTool):
    """From the centre to the rim in one drag, or three clicks on the rim."""

    cursor = Qt.CursorShape.CrossCursor

    def __init__(self, view: RadiographView) -> None:
        super().__init__(view)
        self._pressed_at: QPointF | None = None
        self._drags = False

    def press(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        self._pressed_at, self._drags = at, False

    def move(self, at: QPointF, *, pressed: bool, modifiers: Qt.KeyboardModifier) -> None:
        hover = self._point(at)
        if pressed and self._pressed_at is not None and not self._points:
            if QLineF(self._pressed_at, at).length() >= DRAG_PX:
                self._drags = True
            if self._drags:
                center = self._point(self._pressed_at)
                self.view.show_head_circle(HeadCircle(center, max(MIN_RADIUS_PX, math.dist(center, hover))))
        elif len(self._points) == 2:
            circle = self._through([*self._points, hover])
            if circle is not None:
                self.view.show_head_circle(circle)
        self.view.update()

    def release(self, at: QPointF) -> None:
        if self._pressed_at is None:
            return
        pressed_at, self._pressed_at = self._pressed_at, None
        if self._drags:
            self._drags = False
            self.view.commit_head_circle()
            return
        self._points.append(self._point(pressed_at))
        if len(self._points) == 3:
            circle = self._through(self._points)
            self._points = []
            if circle is not None:
                self.view.show_head_circle(circle)
                self.view.commit_head_circle()
        self.view.update()

    def double_click(self, at: QPointF) -> bool:
        self.press(at, Qt.KeyboardModifier.NoModifier)
        return True

    def cancel(self) -> bool:
        was_busy = self.busy or self._drags
        self._points, self._pressed_at, self._drags = [], None, False
        if was_busy:
            self.view.restore_head_circle()
        return was_busy

    def paint(self, painter: QPainter) -> None:
        for point in self._points:
            at, colour = self.view.view_point(*point), self.view.scene.colours.calibration
            draw_handle(painter, at, colour, filled=True, size=5)

    def _through(self, points: list[Point]) -> HeadCircle | None:
        """None too where three points almost on a line give a circle that is no head."""
        circle = circle_through(points)
        return circle if circle is not None and circle.radius_px < self.view.viewport.image_width else None

    def _point(self, at: QPointF) -> Point:
        point = self.view.image_point(at)
        return point.x(), point.y()


class RegionTool(ToolBehaviour):
    """A new square, from corner to corner."""

    cursor = Qt.CursorShape.CrossCursor

    def __init__(self, view: RadiographView) -> None:
        super().__init__(view)
        self._start: QPointF | None = None
        self._drawn: HipRegion | None = None

    @property
    def busy(self) -> bool:
        return self._start is not None

    def press(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        self._start = self.view.image_point(at)
        self._drawn = None

    def move(self, at: QPointF, *, pressed: bool, modifiers: Qt.KeyboardModifier) -> None:
        if not pressed or self._start is None:
            return
        now = self.view.image_point(at)
        dx, dy = now.x() - self._start.x(), now.y() - self._start.y()
        side_px = max(abs(dx), abs(dy))
        if side_px < 2:
            return
        x = self._start.x() - (side_px if dx < 0 else 0)
        y = self._start.y() - (side_px if dy < 0 else 0)
        side, source = self.view.sole_side
        self._drawn = HipRegion(x, y, side_px, side_px, side, side_source=source)
        self.view.update()

    def release(self, at: QPointF) -> None:
        drawn, self._drawn, self._start = self._drawn, None, None
        if drawn is not None and drawn.width >= 32:
            self.view.region_drawn.emit(drawn)
        self.view.update()

    def cancel(self) -> bool:
        was_busy = self.busy
        self._start = self._drawn = None
        self.view.update()
        return was_busy

    def paint(self, painter: QPainter) -> None:
        if self._drawn is not None:
            view, colour = self.view, self.view.scene.colours.region
            seen = QRectF(view.rect())
            paint_region(painter, self._drawn, "New region", view.to_view, colour, view.font(), seen, current=True)
