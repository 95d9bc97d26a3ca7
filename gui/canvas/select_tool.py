"""Selecting, moving and editing what lies on the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QLineF, QPointF, Qt

from gui.annotations import FREE_LENGTH, MIN_POINTS, moved
from gui.canvas.behaviour import DRAG_PX, ToolBehaviour
from gui.items.head_circle_item import HeadCircle, hit_head_circle
from gui.items.mark_item import Hit, hit_body, hit_handle, segment_at, with_handle_at
from gui.items.region_item import RegionPart, dragged
from imaging.geometry import HipRegion
from study.model import Annotation

if TYPE_CHECKING:
    from gui.views.radiograph_view import RadiographView


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
