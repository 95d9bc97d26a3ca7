"""What the left mouse button and the keys do on the canvas: one small state machine per kind of tool."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING

from PySide6.QtCore import QLineF, QPointF, Qt
from PySide6.QtGui import QPainter

from gui.annotations import FREE_LENGTH, MIN_POINTS, moved, new_annotation
from gui.items.head_circle_item import MIN_RADIUS_PX, HeadCircle, circle_through, hit_head_circle
from gui.items.mark_item import Hit, hit_body, hit_handle, segment_at, with_handle_at
from gui.items.region_item import RegionPart, dragged
from imaging.geometry import HipRegion
from imaging.measure import Point
from study.model import Annotation, AnnotationKind

if TYPE_CHECKING:
    from gui.views.radiograph_view import RadiographView


class Tool(StrEnum):
    SELECT = "select"  # select, move and edit marks and regions; drags the image where nothing is hit
    PAN = "pan"
    WINDOW = "window"
    ZOOM = "zoom"
    MAGNIFIER = "magnifier"
    RULER = "ruler"
    ANGLE = "angle"
    LUCENT_LINE = "lucent_line"
    POLYGON = "polygon"
    ELLIPSE = "ellipse"
    POINT = "point"
    TEXT = "text"
    HEAD_CIRCLE = "head_circle"
    REGION = "region"  # draw the square of a hip that was not found


MARK_TOOLS: dict[Tool, AnnotationKind] = {
    Tool.RULER: AnnotationKind.RULER,
    Tool.ANGLE: AnnotationKind.ANGLE,
    Tool.LUCENT_LINE: AnnotationKind.LUCENT_LINE,
    Tool.POLYGON: AnnotationKind.POLYGON,
    Tool.ELLIPSE: AnnotationKind.ELLIPSE,
    Tool.POINT: AnnotationKind.POINT,
    Tool.TEXT: AnnotationKind.TEXT,
}

HINTS: dict[Tool, str] = {
    Tool.SELECT: "Click a mark to select it, drag to move it; drag the image to pan",
    Tool.PAN: "Drag to move the image",
    Tool.WINDOW: "Drag sideways for contrast, up and down for brightness",
    Tool.ZOOM: "Drag up to zoom in, down to zoom out",
    Tool.MAGNIFIER: "Hold the button to magnify",
    Tool.RULER: "Drag, or click both ends",
    Tool.ANGLE: "Draw two lines: drag each, or click their ends",
    Tool.LUCENT_LINE: "Click along the lucent line; double-click or Enter ends it",
    Tool.POLYGON: "Click around the region; double-click or Enter closes it",
    Tool.ELLIPSE: "Drag across the region",
    Tool.POINT: "Click to set a point",
    Tool.TEXT: "Click where the text belongs",
    Tool.HEAD_CIRCLE: "Drag from the centre of the head to its rim, or click three points on the rim",
    Tool.REGION: "Drag a square around the hip",
}

DRAG_PX = 4.0  # logical pixels that make a press a drag: a click must not nudge a mark


class ToolBehaviour:
    """Positions are view coordinates; the view converts. Subclasses override what they use."""

    cursor = Qt.CursorShape.ArrowCursor

    def __init__(self, view: RadiographView) -> None:
        self.view = view

    @property
    def busy(self) -> bool:
        """True while something is half drawn."""
        return False

    def press(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None: ...

    def move(self, at: QPointF, *, pressed: bool, modifiers: Qt.KeyboardModifier) -> None: ...

    def release(self, at: QPointF) -> None: ...

    def double_click(self, at: QPointF) -> bool:
        """False: the view does what a double click does anywhere else."""
        return False

    def finish(self) -> bool:
        """Enter. False when there was nothing to finish."""
        return False

    def step_back(self) -> bool:
        """Backspace. False when there was nothing to take back."""
        return False

    def cancel(self) -> bool:
        """Escape, or another tool. False when there was nothing to cancel."""
        return False

    def draft(self) -> Annotation | None:
        """The mark being drawn, for the view to paint."""
        return None

    def paint(self, painter: QPainter) -> None: ...


class DragTool(ToolBehaviour):
    """Calls `drag(dx, dy)` with the movement since the last call, in logical pixels."""

    def __init__(
        self, view: RadiographView, drag: Callable[[float, float, QPointF], None], cursor: Qt.CursorShape
    ) -> None:
        super().__init__(view)
        self._drag = drag
        self._start = self._last = QPointF()
        self.cursor = cursor

    def press(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        self._start = self._last = at

    def move(self, at: QPointF, *, pressed: bool, modifiers: Qt.KeyboardModifier) -> None:
        if pressed:
            step = at - self._last
            self._last = at
            self._drag(step.x(), step.y(), self._start)


class MagnifierTool(ToolBehaviour):
    cursor = Qt.CursorShape.CrossCursor

    def press(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        self.view.show_loupe(at)

    def move(self, at: QPointF, *, pressed: bool, modifiers: Qt.KeyboardModifier) -> None:
        self.view.show_loupe(at if pressed else None)

    def release(self, at: QPointF) -> None:
        self.view.show_loupe(None)

    def cancel(self) -> bool:
        self.view.show_loupe(None)
        return False


class SelectTool(ToolBehaviour):
    """Handles of selected marks first, then the head circle, marks, regions, and at last the image itself."""

    def __init__(self, view: RadiographView) -> None:
        super().__init__(view)
        self._start = self._last = QPointF()
        self._dragging = False
        self._gesture = 0
        self._grabbed: Annotation | None = None  # as it was at the press
        self._handle: int | None = None
        self._moving: tuple[Annotation, ...] = ()
        self._region: tuple[int, RegionPart, HipRegion] | None = None
        self._circle: tuple[str, HeadCircle] | None = None
        self._empty = False
        self.active_handle: tuple[str, int] | None = None

    @property
    def busy(self) -> bool:
        return self._dragging

    def press(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        self._start = self._last = at
        self._let_go()
        if self._grab_mark(at, extend=bool(modifiers & Qt.KeyboardModifier.ShiftModifier)):
            return
        circle = self.view.head_circle
        part = circle and hit_head_circle(circle, at, self.view.to_view)
        if circle and part:
            self._circle = (part, circle)
            return
        hit = self.view.region_hit(at)
        if hit is not None:
            index, region_part = hit
            self._region = (index, region_part, self.view.regions[index])
            self.view.select_region(index)
            return
        self._empty = True
        if not modifiers & Qt.KeyboardModifier.ShiftModifier:
            self.view.annotations.clear_selection()

    def grabs(self, at: QPointF) -> bool:
        """Would a press here edit a selected mark or the head circle? Drawing tools then leave it to this one."""
        if any(hit_handle(mark, at, self.view.to_view) is not None for mark in self.view.annotations.selected):
            return True
        circle = self.view.head_circle
        return circle is not None and hit_head_circle(circle, at, self.view.to_view) is not None

    def move(self, at: QPointF, *, pressed: bool, modifiers: Qt.KeyboardModifier) -> None:
        if not pressed:
            self.view.setCursor(self._cursor_over(at))
            return
        if not self._dragging and QLineF(self._start, at).length() < DRAG_PX:
            return
        if not self._dragging:
            self._dragging = True
            self._gesture = self.view.annotations.new_gesture()
        image_at, image_start = self.view.image_point(at), self.view.image_point(self._start)
        shift = image_at - image_start
        if self._grabbed is not None and self._handle is not None:
            x, y = self.view.clamped(image_at)
            self.view.annotations.replace(with_handle_at(self._grabbed, self._handle, x, y), self._gesture)
        elif self._moving:
            dx, dy = self.view.clamped_shift(self._moving, shift.x(), shift.y())
            self.view.annotations.replace_many(
                [moved(mark, dx, dy) for mark in self._moving], "Move marks", self._gesture
            )
        elif self._circle is not None:
            part, circle = self._circle
            if part == "center":
                moved_to = (circle.center[0] + shift.x(), circle.center[1] + shift.y())
                self.view.show_head_circle(HeadCircle(moved_to, circle.radius_px))
            else:
                self.view.show_head_circle(circle.with_rim_at(image_at.x(), image_at.y()))
        elif self._region is not None:
            index, region_part, region = self._region
            self.view.preview_region(index, dragged(region, region_part, image_start, image_at))
        elif self._empty:
            self.view.pan(at.x() - self._last.x(), at.y() - self._last.y())
            # The image moved under the pointer: measure from here on.
            self._last = at

    def release(self, at: QPointF) -> None:
        if self._dragging and self._region is not None:
            self.view.commit_region(self._region[0])
        if self._dragging and self._circle is not None:
            self.view.commit_head_circle()
        if not self._dragging and self._empty:
            self.view.select_region_inside(at)
        self._let_go()

    def double_click(self, at: QPointF) -> bool:
        hit = self._mark_under(at)
        if hit is None:
            return False
        mark = self.view.annotations.annotation(hit.mark_id)
        if mark is None or self.view.annotations.read_only:
            return True
        index = segment_at(mark, at, self.view.to_view) if mark.kind in FREE_LENGTH else None
        if index is not None and hit.handle is None:
            self.view.annotations.insert_point(mark.id, index, self.view.clamped(self.view.image_point(at)))
            self.active_handle = (mark.id, index)
        else:
            self.view.edit_text(mark)
        return True

    def cancel(self) -> bool:
        """Undo a drag that is under way; else let go of the selection."""
        if self._dragging and (self._handle is not None or self._moving):
            originals = [self._grabbed] if self._grabbed is not None else list(self._moving)
            self.view.annotations.replace_many(
                [mark for mark in originals if mark is not None], "Move marks", self._gesture
            )
        elif self._region is not None:
            self.view.preview_region(self._region[0], self._region[2])
        elif self._circle is not None:
            self.view.show_head_circle(self._circle[1])
        elif self.view.annotations.selection:
            self.view.annotations.clear_selection()
        else:
            return False
        self._let_go()
        return True

    def delete(self) -> bool:
        """The chosen point of a polyline or polygon; where it is needed, or none is chosen, the whole marks."""
        if self.active_handle is not None:
            mark_id, handle = self.active_handle
            self.active_handle = None
            if mark_id in self.view.annotations.selection and self.view.annotations.remove_point(mark_id, handle):
                return True
        if not self.view.annotations.selection:
            return False
        self.view.annotations.delete_selected()
        return True

    def _let_go(self) -> None:
        self._dragging = self._empty = False
        self._grabbed = self._handle = self._region = self._circle = None
        self._moving = ()

    def _grab_mark(self, at: QPointF, *, extend: bool) -> bool:
        hit = self._mark_under(at)
        self.active_handle = None
        if hit is None:
            return False
        model = self.view.annotations
        mark = model.annotation(hit.mark_id)
        if mark is None:
            return False
        if hit.handle is not None:
            self._grabbed, self._handle = mark, hit.handle
            if 0 <= hit.handle < len(mark.points):
                self.active_handle = (mark.id, hit.handle)
            self.view.update()
            return True
        if extend:
            model.select(model.selection ^ {mark.id})
        elif mark.id not in model.selection:
            model.select({mark.id})
        self._moving = model.selected if mark.id in model.selection else ()
        return True

    def _mark_under(self, at: QPointF) -> Hit | None:
        if not self.view.shows_marks:
            return None
        model, to_view = self.view.annotations, self.view.to_view
        for mark in reversed(model.selected):
            handle = hit_handle(mark, at, to_view)
            if handle is not None:
                # A point has a single handle: dragging it is moving it.
                return Hit(mark.id, None if MIN_POINTS[mark.kind] == 1 else handle)
        for mark in reversed(model.annotations):
            if hit_body(mark, at, to_view, inside=mark.id in model.selection):
                return Hit(mark.id)
        return None

    def _cursor_over(self, at: QPointF) -> Qt.CursorShape:
        hit = self._mark_under(at)
        if hit is not None:
            return Qt.CursorShape.SizeAllCursor if hit.handle is None else Qt.CursorShape.CrossCursor
        circle = self.view.head_circle
        if circle is not None and hit_head_circle(circle, at, self.view.to_view):
            return Qt.CursorShape.SizeAllCursor
        region = self.view.region_hit(at)
        if region is None:
            return Qt.CursorShape.ArrowCursor
        if region[1] is RegionPart.BODY:
            return Qt.CursorShape.SizeAllCursor
        diagonal = region[1] in (RegionPart.TOP_LEFT, RegionPart.BOTTOM_RIGHT)
        shape = Qt.CursorShape.SizeFDiagCursor if diagonal else Qt.CursorShape.SizeBDiagCursor
        if self.view.viewport.mirrored != self.view.viewport.is_turned:
            swapped = {
                Qt.CursorShape.SizeFDiagCursor: Qt.CursorShape.SizeBDiagCursor,
                Qt.CursorShape.SizeBDiagCursor: Qt.CursorShape.SizeFDiagCursor,
            }
            return swapped[shape]
        return shape


class DrawTool(ToolBehaviour):
    """Marks with a fixed number of points (ruler, angle, ellipse, point, text) and with any number.

    Fixed: each pair of points may be dragged or clicked. Free: one click a point, Enter or a double click ends.
    """

    cursor = Qt.CursorShape.CrossCursor

    def __init__(self, view: RadiographView, kind: AnnotationKind) -> None:
        super().__init__(view)
        self.kind = kind
        self._points: list[Point] = []
        self._hover: Point | None = None
        self._pressed_at = QPointF()
        self._drags = False

    @property
    def busy(self) -> bool:
        return bool(self._points)

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

    def step_back(self) -> bool:
        if not self._points:
            return False
        self._points.pop()
        self.view.update()
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
        width = self.view.line_width_px if self.kind is AnnotationKind.LUCENT_LINE else 0.0
        return Annotation("", self.kind, tuple(points), width)

    def _complete(self) -> None:
        if not self._free and len(self._points) == MIN_POINTS[self.kind]:
            self._add()

    def _add(self) -> None:
        points, self._points, self._hover = self._points, [], None
        if self.kind in (AnnotationKind.RULER, AnnotationKind.ELLIPSE) and _is_dot(points, self.kind):
            return
        width = self.view.line_width_px if self.kind is AnnotationKind.LUCENT_LINE else 0.0
        self.view.annotations.add(new_annotation(self.kind, points, width_px=width))

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


class HeadCircleTool(ToolBehaviour):
    """From the centre to the rim in one drag, or three clicks on the rim."""

    cursor = Qt.CursorShape.CrossCursor

    def __init__(self, view: RadiographView) -> None:
        super().__init__(view)
        self._points: list[Point] = []
        self._pressed_at: QPointF | None = None
        self._drags = False

    @property
    def busy(self) -> bool:
        return bool(self._points)

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
            circle = circle_through([*self._points, hover])
            if circle is not None and circle.radius_px < self.view.viewport.image_width:
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
            circle = circle_through(self._points)
            self._points = []
            if circle is not None:
                self.view.show_head_circle(circle)
                self.view.commit_head_circle()
        self.view.update()

    def double_click(self, at: QPointF) -> bool:
        self.press(at, Qt.KeyboardModifier.NoModifier)
        return True

    def step_back(self) -> bool:
        if not self._points:
            return False
        self._points.pop()
        self.view.update()
        return True

    def cancel(self) -> bool:
        was_busy = self.busy or self._drags
        self._points, self._pressed_at, self._drags = [], None, False
        if was_busy:
            self.view.restore_head_circle()
        return was_busy

    def paint(self, painter: QPainter) -> None:
        for point in self._points:
            self.view.paint_draft_point(painter, point)

    def _point(self, at: QPointF) -> Point:
        point = self.view.image_point(at)
        return point.x(), point.y()


class RegionTool(ToolBehaviour):
    """A new square, from corner to corner."""

    cursor = Qt.CursorShape.CrossCursor

    def __init__(self, view: RadiographView) -> None:
        super().__init__(view)
        self._start: QPointF | None = None
        self.drawn: HipRegion | None = None

    @property
    def busy(self) -> bool:
        return self._start is not None

    def press(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        self._start = self.view.image_point(at)
        self.drawn = None

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
        self.drawn = HipRegion(x, y, side_px, side_px, self.view.sole_side)
        self.view.update()

    def release(self, at: QPointF) -> None:
        drawn, self.drawn, self._start = self.drawn, None, None
        if drawn is not None and drawn.width >= 32:
            self.view.region_drawn.emit(drawn)
        self.view.update()

    def cancel(self) -> bool:
        was_busy = self.busy
        self._start = self.drawn = None
        self.view.update()
        return was_busy
