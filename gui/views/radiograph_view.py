"""One pane that shows a radiograph and lets it be marked. The shell decides what it shows."""

from __future__ import annotations

import math
from dataclasses import replace

import msgspec
from PySide6.QtCore import QEvent, QLineF, QPoint, QPointF, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QNativeGestureEvent
from PySide6.QtWidgets import QWidget

from gui.canvas.behaviour import DRAG_PX, DragTool, MagnifierTool, ToolBehaviour
from gui.canvas.canvas import Canvas
from gui.canvas.draw_tool import DrawTool
from gui.canvas.keys import CanvasKeys
from gui.canvas.mark_text_editor import MarkTextEditor
from gui.canvas.place_tools import HeadCircleTool, RegionTool
from gui.canvas.scene_painter import Hand
from gui.canvas.select_tool import SelectTool
from gui.items.head_circle_item import HeadCircle
from gui.items.region_item import MIN_SIDE_PX, RegionPart, hit_region, region_rect
from gui.tools import HINTS, MARK_TOOLS, Tool
from imaging.geometry import HipRegion
from imaging.measure import Point
from imaging.radiograph import Radiograph
from study.model import Annotation

__all__ = ["RadiographView", "Tool"]


class RadiographView(Canvas):
    """A canvas with tools in hand.

    Everything that is given stays as given: the view changes marks only through `AnnotationModel`, and regions and
    the head circle only on screen until the mouse button is let go, when it emits what they became.
    """

    region_edited = Signal(int, object)  # index, HipRegion: on release
    region_selected = Signal(int)
    region_drawn = Signal(object)  # HipRegion, by Tool.REGION
    head_circle_drawn = Signal(QPointF, float)  # center, radius_px: on release
    tool_changed = Signal(object)  # Tool
    hint_changed = Signal(str)
    context_menu_requested = Signal(QPoint)  # a right click that was no drag; position in the view

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kept_head_circle: HeadCircle | None = None  # as of the last release, for Esc
        self._pressed_button = Qt.MouseButton.NoButton
        self._pressed_with: ToolBehaviour | None = None
        self._right_pressed_at = QPointF()
        self._keys = CanvasKeys(self)
        self.selecting = SelectTool(self)
        self._pan_tool = DragTool(self, lambda dx, dy, _: self.pan(dx, dy), Qt.CursorShape.OpenHandCursor)
        self._window_tool = DragTool(self, lambda dx, dy, _: self._drag_window(dx, dy), Qt.CursorShape.SizeAllCursor)
        self._zoom_tool = DragTool(self, self._drag_zoom, Qt.CursorShape.SizeVerCursor)
        self._tool = Tool.SELECT
        self.behaviour: ToolBehaviour = self.selecting
        self._editor = MarkTextEditor(self)
        self._editor.written.connect(self._on_text)
        self.viewport_changed.connect(self._editor.drop)

    def set_radiograph(self, radiograph: Radiograph | None) -> None:
        super().set_radiograph(radiograph)
        self._kept_head_circle = None

    # Tools

    @property
    def tool(self) -> Tool:
        return self._tool

    @property
    def hint(self) -> str:
        """One sentence about the tool in hand."""
        return HINTS[self._tool]

    def set_tool(self, tool: Tool) -> None:
        self._drop_drawing()
        self._tool = Tool(tool)
        self.behaviour = self._new_behaviour(self._tool)
        self.selecting.active_handle = None
        self.setCursor(self.behaviour.cursor)
        self.tool_changed.emit(self._tool)
        self.hint_changed.emit(self.hint)
        self.update()

    def _new_behaviour(self, tool: Tool) -> ToolBehaviour:
        if tool in MARK_TOOLS:
            return DrawTool(self, MARK_TOOLS[tool])
        made: dict[Tool, ToolBehaviour] = {
            Tool.SELECT: self.selecting,
            Tool.PAN: self._pan_tool,
            Tool.WINDOW: self._window_tool,
            Tool.ZOOM: self._zoom_tool,
        }
        if tool in made:
            return made[tool]
        return {Tool.MAGNIFIER: MagnifierTool, Tool.HEAD_CIRCLE: HeadCircleTool, Tool.REGION: RegionTool}[tool](self)

    def _hand(self) -> Hand:
        return Hand(
            self.behaviour,
            self.selecting.active_handle,
            fits_head=self._tool is Tool.HEAD_CIRCLE,
            hint="" if self._tool in (Tool.SELECT, Tool.PAN) else self.hint,
        )

    def _drop_drawing(self) -> None:
        """Whatever the hand was in the middle of; the selection stays."""
        if self.behaviour.busy:
            self.behaviour.cancel()
        self._editor.drop()
        self._pressed_with = None
        self.scene.loupe_at = None
        self.selecting.active_handle = None

    def show_loupe(self, at: QPointF | None) -> None:
        self.scene.loupe_at = at
        self.update()

    # The head

    @property
    def head_circle(self) -> HeadCircle | None:
        return self.scene.head_circle

    def set_head_circle(self, center: Point | None, radius_px: float = 0.0) -> None:
        """Show a circle that was stored, or take it away (None)."""
        self.scene.head_circle = None if center is None else HeadCircle(center, radius_px)
        self._kept_head_circle = self.scene.head_circle
        self.update()

    def show_head_circle(self, circle: HeadCircle) -> None:
        """While it is dragged."""
        self.scene.head_circle = circle
        self.update()

    def restore_head_circle(self) -> None:
        self.scene.head_circle = self._kept_head_circle
        self.update()

    def commit_head_circle(self) -> None:
        circle = self.scene.head_circle
        self._kept_head_circle = circle
        if circle is not None:
            self.head_circle_drawn.emit(QPointF(*circle.center), circle.radius_px)

    # Regions

    def region_hit(self, at: QPointF) -> tuple[int, RegionPart] | None:
        """Index and part of the region under a view point; the current one first."""
        if not self.scene.show_regions:
            return None
        order = sorted(range(len(self.scene.regions)), key=lambda index: index != self.scene.current_region)
        for index in order:
            part = hit_region(self.scene.regions[index], at, self.to_view)
            if part is not None:
                return index, part
        return None

    def select_region(self, index: int) -> None:
        if index != self.scene.current_region:
            self.scene.current_region = index
            self.update()
            self.region_selected.emit(index)

    def select_region_inside(self, at: QPointF) -> None:
        """A click into another hip's square takes that hip."""
        point = self.image_point(at)
        inside = [index for index, region in enumerate(self.scene.regions) if region_rect(region).contains(point)]
        if inside and self.scene.current_region not in inside:
            self.select_region(inside[0])

    def preview_region(self, index: int, region: HipRegion) -> None:
        self.scene.regions[index] = region
        self.update()

    def commit_region(self, index: int) -> None:
        self.region_edited.emit(index, self.scene.regions[index])

    def adjust_region(self, dx: float = 0.0, dy: float = 0.0, grow: float = 0.0) -> None:
        """Move the current region on screen, or grow it about its centre, by image pixels: for the keyboard."""
        if not self.scene.regions:
            return
        square = self.scene.regions[self.scene.current_region].squared()
        m11, m12, m21, m22 = self.scene.viewport.orientation
        side_px = max(MIN_SIDE_PX, square.width + grow)
        center_x, center_y = square.center
        region = replace(
            square,
            x=center_x - side_px / 2 + dx * m11 + dy * m12,
            y=center_y - side_px / 2 + dx * m21 + dy * m22,
            width=side_px,
            height=side_px,
            proposed=False,
        )
        self.preview_region(self.scene.current_region, region)
        self.commit_region(self.scene.current_region)

    # Text of a mark

    def edit_text(self, mark: Annotation) -> None:
        """Write on the canvas; a text mark without text is not made."""
        self._editor.edit(mark, self.view_point(*mark.points[0]).toPoint())

    def _on_text(self, mark: Annotation, text: str) -> None:
        known = self.annotations.annotation(mark.id)
        if known is not None:
            self.annotations.replace(msgspec.structs.replace(known, text=text))
        elif text:
            self.annotations.add(msgspec.structs.replace(mark, text=text))

    # Mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self.scene.image is None or self._pressed_with is not None:
            return
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        at = event.position()
        button = event.button()
        if button == Qt.MouseButton.LeftButton:
            self._pressed_with = self._left_behaviour(at)
        elif button == Qt.MouseButton.MiddleButton:
            self._pressed_with = self._pan_tool
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        elif button == Qt.MouseButton.RightButton:
            self._pressed_with = self._window_tool
            self._right_pressed_at = at
        else:
            return
        self._pressed_button = button
        self._pressed_with.press(at, event.modifiers())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.scene.image is None:
            return
        at = event.position()
        if self._pressed_with is not None:
            self._pressed_with.move(at, pressed=True, modifiers=event.modifiers())
        else:
            self.behaviour.move(at, pressed=False, modifiers=event.modifiers())
        self._point_at(at)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._pressed_with is None or event.button() != self._pressed_button:
            return
        behaviour, self._pressed_with = self._pressed_with, None
        behaviour.release(event.position())
        clicked = QLineF(self._right_pressed_at, event.position()).length() < DRAG_PX
        if event.button() == Qt.MouseButton.RightButton and clicked:
            self.select_region_inside(event.position())  # what the menu offers is about that hip
            self.context_menu_requested.emit(event.position().toPoint())
        self.setCursor(self.behaviour.cursor)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self.scene.image is None:
            return
        if event.button() != Qt.MouseButton.LeftButton:
            self.mousePressEvent(event)
            return
        if not self._left_behaviour(event.position()).double_click(event.position()):
            self.fit()

    def _left_behaviour(self, at: QPointF) -> ToolBehaviour:
        """A drawing tool leaves the handles of a selected mark to the selection; nobody draws what is not shown."""
        drawing = isinstance(self.behaviour, DrawTool) and not self.behaviour.busy
        if not self.scene.show_marks and isinstance(self.behaviour, DrawTool | HeadCircleTool):
            return self.selecting
        fitting = isinstance(self.behaviour, HeadCircleTool) and not self.behaviour.busy
        if (drawing or fitting) and self.selecting.grabs(at):
            return self.selecting
        return self.behaviour

    def _drag_window(self, dx: float, dy: float) -> None:
        window = self.scene.window
        width = window.width * math.exp(dx / 250)
        self.set_window(window.center + dy * window.width / 400, width, sigmoid=window.sigmoid)

    def _drag_zoom(self, dx: float, dy: float, start: QPointF) -> None:
        self.zoom_by(math.exp(-dy / 150), start)

    # Keys

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._keys.claims(event):
            # Without this the arrows would turn the page while a mark is selected.
            event.accept()
            return True
        if isinstance(event, QNativeGestureEvent) and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
            self.zoom_by(1 + event.value(), event.position())  # two fingers on a touchpad
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self.radiograph is not None and self._keys.claims(event) and self._keys.press(event):
            event.accept()
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self.overlay.set_peek(False)
            event.accept()
        else:
            super().keyReleaseEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        # The release of Space would go to another widget, and the peek would stay.
        self.overlay.set_peek(False)
        super().focusOutEvent(event)
