"""One pane that shows a radiograph: image, map, regions, marks, measures. The shell decides what it shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import msgspec
from PySide6.QtCore import QEvent, QLineF, QObject, QPoint, QPointF, QRectF, Qt, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QResizeEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QLineEdit, QSizePolicy, QWidget

from gui.annotations import AnnotationModel
from gui.items import hud
from gui.items.head_circle_item import HeadCircle, paint_head_circle
from gui.items.image_item import ImageItem, grey_levels
from gui.items.mark_item import MarkStyle, paint_mark
from gui.items.region_item import MIN_SIDE_PX, RegionPart, hit_region, paint_region, region_name, region_rect
from gui.items.saliency_item import SaliencyItem
from gui.items.style import CanvasColours, draw_handle, draw_line, draw_path
from gui.overlay import MapState, OverlayState
from gui.tools import (
    DRAG_PX,
    HINTS,
    MARK_TOOLS,
    DragTool,
    DrawTool,
    HeadCircleTool,
    MagnifierTool,
    RegionTool,
    SelectTool,
    Tool,
    ToolBehaviour,
)
from gui.viewport import Viewport
from imaging.geometry import HipRegion
from imaging.measure import Measure, Point
from imaging.radiograph import Radiograph, Side, SpacingSource, Window
from inference.prediction import SaliencyMap
from study.model import Annotation

__all__ = ["RadiographView", "Tool"]

WHEEL_STEP = 1.2  # zoom factor of one notch
LOUPE_RADIUS = 110.0  # logical pixels
LOUPE_MAGNIFICATION = 2.5
NUDGE_PX, FAR_NUDGE_PX = 1.0, 10.0  # image pixels per arrow key, without and with Shift
CIRCLE_NUDGE_PX = 0.5
SUGGESTED_LINE_MM = 2.0  # the width from which a lucent line is usually called a sign of loosening
SUGGESTED_LINE_SHARE = 0.006  # of the image's width, where there is no spacing

_ARROWS: dict[int, tuple[int, int]] = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class RadiographView(QWidget):
    """A plain widget that paints itself: docs/adr/0002-canvas.md says why.

    Everything that is given stays as given: the view changes marks only through `AnnotationModel`, and regions and
    the head circle only on screen until the mouse button is let go, when it emits what they became.
    """

    cursor_moved = Signal(float, float, float)  # image x, y and grey value; all NaN when the pointer leaves the image
    window_changed = Signal(float, float)  # center, width
    inverted_changed = Signal(bool)
    zoom_changed = Signal(float)  # device pixels per image pixel
    viewport_changed = Signal()
    region_edited = Signal(int, object)  # index, HipRegion: on release
    region_selected = Signal(int)
    region_drawn = Signal(object)  # HipRegion, by Tool.REGION
    head_circle_drawn = Signal(QPointF, float)  # center, radius_px: on release
    tool_changed = Signal(object)  # Tool
    hint_changed = Signal(str)
    context_menu_requested = Signal(QPoint)  # a right click that was no drag; position in the view

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 120)
        self.setAccessibleName("Radiograph")
        self._colours = CanvasColours()
        self._reader_colour = self._colours.marks
        self._radiograph: Radiograph | None = None
        self._image: ImageItem | None = None
        self._viewport = Viewport()
        self._window = Window(0.5, 1.0)
        self._inverted = False
        self._measure = Measure()
        self._overlay = OverlayState(self)
        self._overlay.changed.connect(self.update)
        self._saliency: list[SaliencyItem] = []
        self._model = AnnotationModel(parent=self)
        self._connect_model()
        self._other_marks: list[tuple[QColor, tuple[Annotation, ...]]] = []
        self._regions: list[HipRegion] = []
        self._current_region = 0
        self._head_circle: HeadCircle | None = None
        self._kept_head_circle: HeadCircle | None = None  # as of the last release, for Esc
        self._line_width_px: float | None = None  # as set; else `line_width_px` suggests one
        self._show_marks = self._show_regions = self._show_texts = True
        self._peers: list[RadiographView] = []
        self._pointer: Point | None = None  # image point under the pointer
        self._peer_pointer: Point | None = None
        self._loupe_at: QPointF | None = None
        self._held_gesture = 0  # of an arrow key that is held
        self._pressed_button = Qt.MouseButton.NoButton
        self._pressed_with: ToolBehaviour | None = None
        self._right_pressed_at = QPointF()
        self._select = SelectTool(self)
        self._pan_tool = DragTool(self, lambda dx, dy, _: self.pan(dx, dy), Qt.CursorShape.OpenHandCursor)
        self._window_tool = DragTool(self, lambda dx, dy, _: self._drag_window(dx, dy), Qt.CursorShape.SizeAllCursor)
        self._zoom_tool = DragTool(self, self._drag_zoom, Qt.CursorShape.SizeVerCursor)
        self._tool = Tool.SELECT
        self._behaviour: ToolBehaviour = self._select
        self._editor = QLineEdit(self)
        self._editor.setPlaceholderText("Text, then Enter")
        self._editor.hide()
        self._editor.returnPressed.connect(self._commit_text)
        self._editor.installEventFilter(self)
        self._edited: Annotation | None = None

    # What is shown

    def set_radiograph(self, radiograph: Radiograph | None) -> None:
        """Show another image: fitted, upright, in its first window, with its own pixel spacing.

        Map, regions and head circle belong to the image before and go with it; the overlay's settings stay.
        """
        self._drop_drawing()
        self._overlay.set_peek(False)
        self._radiograph = radiograph
        self._image = ImageItem(grey_levels(radiograph)) if radiograph is not None else None
        self._saliency, self._regions, self._current_region = [], [], 0
        self._head_circle = self._kept_head_circle = None
        self._other_marks = []
        self._inverted = False
        self._pointer = self._peer_pointer = None
        if radiograph is None:
            self._measure = Measure()
            self.update()
            return
        rows, cols = radiograph.shape
        self._measure = Measure(radiograph.spacing_mm, radiograph.spacing_source)
        size = self._viewport
        self._viewport = Viewport(cols, rows, size.view_width, size.view_height, size.device_pixel_ratio).fit()
        self._window = radiograph.windows[0]
        self._viewport_moved()
        self.window_changed.emit(self._window.center, self._window.width)
        self.inverted_changed.emit(False)

    def set_annotations(self, model: AnnotationModel) -> None:
        """The marks to show and edit. Panes that share a model share selection and undo."""
        self._drop_drawing()
        self._model.changed.disconnect(self._marks_changed)
        self._model.selection_changed.disconnect(self._marks_changed)
        self._model = model
        self._connect_model()
        self.update()

    def set_other_marks(self, groups: Sequence[tuple[QColor, Sequence[Annotation]]]) -> None:
        """Marks of other readers, each in their colour: to be seen, not edited."""
        self._other_marks = [(QColor(colour), tuple(marks)) for colour, marks in groups]
        self.update()

    def set_overlay(self, overlay: OverlayState) -> None:
        self._overlay.changed.disconnect(self.update)
        self._overlay = overlay
        self._overlay.changed.connect(self.update)
        self.update()

    def set_saliency(self, maps: Sequence[SaliencyMap]) -> None:
        """The maps of the hips in this image; [] while there is no prediction or it is held back."""
        self._saliency = [SaliencyItem(saliency) for saliency in maps]
        self.update()

    def set_regions(self, regions: Sequence[HipRegion], current: int = 0) -> None:
        self._regions = list(regions)
        self._current_region = min(max(current, 0), max(len(self._regions) - 1, 0))
        self.update()

    def set_reader_color(self, color: QColor) -> None:
        self._reader_colour = QColor(color)
        self.update()

    def set_colours(self, colours: CanvasColours) -> None:
        """Of a theme."""
        self._colours = colours
        self.update()

    def set_spacing(self, spacing_mm: tuple[float, float] | None, source: SpacingSource) -> None:
        """(between rows, between columns) in mm, and where it comes from: every length on screen follows."""
        self._measure = Measure(spacing_mm, SpacingSource(source))
        self.update()

    def set_show_marks(self, shown: bool) -> None:
        self._show_marks = shown
        self.update()

    def set_show_regions(self, shown: bool) -> None:
        self._show_regions = shown
        self.update()

    def set_show_texts(self, shown: bool) -> None:
        """The corner texts. The side markers and the orientation badge stay."""
        self._show_texts = shown
        self.update()

    def set_line_width(self, width_px: float) -> None:
        """Width of the lucent lines drawn from now on, and of those that are selected. Image pixels."""
        self._line_width_px = max(0.0, float(width_px))
        self._model.set_width(self._model.selection, self._line_width_px)
        self.update()

    # What there is to ask

    @property
    def radiograph(self) -> Radiograph | None:
        return self._radiograph

    @property
    def annotations(self) -> AnnotationModel:
        return self._model

    @property
    def overlay(self) -> OverlayState:
        return self._overlay

    @property
    def regions(self) -> tuple[HipRegion, ...]:
        return tuple(self._regions)

    @property
    def current_region(self) -> int:
        return self._current_region

    @property
    def viewport(self) -> Viewport:
        return self._viewport

    @property
    def to_view(self) -> QTransform:
        """Image pixels -> logical pixels of this widget."""
        return self._viewport.to_view

    @property
    def zoom(self) -> float:
        """Device pixels per image pixel: 1.0 is one to one."""
        return self._viewport.zoom

    @property
    def grey_window(self) -> Window:
        return self._window

    @property
    def inverted(self) -> bool:
        return self._inverted

    @property
    def measure(self) -> Measure:
        return self._measure

    @property
    def map_state(self) -> MapState:
        if not self._saliency:
            return MapState.ABSENT
        return MapState.EMPTY if all(item.is_empty for item in self._saliency) else MapState.PRESENT

    @property
    def tool(self) -> Tool:
        return self._tool

    @property
    def shows_marks(self) -> bool:
        return self._show_marks

    @property
    def line_width_px(self) -> float:
        """Of the next lucent line: as set, else 2 mm where the spacing is known."""
        if self._line_width_px is not None:
            return self._line_width_px
        if self._measure.has_mm:
            return SUGGESTED_LINE_MM / self._measure.length_of_px(1.0)
        return SUGGESTED_LINE_SHARE * self._viewport.image_width

    @property
    def head_circle(self) -> HeadCircle | None:
        return self._head_circle

    @property
    def sole_side(self) -> Side:
        """The side of a new region: known only where the radiograph shows a single one."""
        side = self._radiograph.side if self._radiograph is not None else Side.UNKNOWN
        return side if side in (Side.RIGHT, Side.LEFT) else Side.UNKNOWN

    def image_point(self, view_point: QPointF) -> QPointF:
        return self._viewport.image_point(view_point)

    def view_point(self, x: float, y: float) -> QPointF:
        return self._viewport.view_point(x, y)

    def clamped(self, point: QPointF) -> Point:
        """The nearest point on the image."""
        port = self._viewport
        return min(max(point.x(), 0.0), port.image_width), min(max(point.y(), 0.0), port.image_height)

    def clamped_shift(self, marks: Sequence[Annotation], dx: float, dy: float) -> Point:
        """As much of a shift as leaves every point of `marks` on the image."""
        xs = [x for mark in marks for x, _ in mark.points]
        ys = [y for mark in marks for _, y in mark.points]
        return (
            max(min(dx, self._viewport.image_width - max(xs)), -min(xs)),
            max(min(dy, self._viewport.image_height - max(ys)), -min(ys)),
        )

    # Moving about

    @Slot()
    def fit(self) -> None:
        self._go(self._viewport.fit())

    @Slot()
    def one_to_one(self) -> None:
        """One image pixel on one pixel of the screen."""
        self._go(self._viewport.with_zoom(1.0))

    def zoom_by(self, factor: float, at: QPointF | None = None) -> None:
        self._go(self._viewport.zoomed(factor, at))

    def pan(self, dx: float, dy: float) -> None:
        """Move the image by logical pixels."""
        self._go(self._viewport.panned(dx, dy))

    def show_point(self, x: float, y: float, zoom: float | None = None) -> None:
        """Bring an image point into the middle."""
        self._go(replace(self._viewport, center_x=x, center_y=y, zoom=zoom or self._viewport.zoom, fitted=False))

    def rotate_by(self, degrees: int = 90) -> None:
        """Clockwise, in quarter turns."""
        if degrees % 90:
            raise ValueError("The canvas turns by multiples of 90 degrees.")
        self._go(self._viewport.turned(degrees // 90))

    @Slot()
    def flip_horizontal(self) -> None:
        self._go(self._viewport.flipped())

    @Slot()
    def invert(self) -> None:
        self.set_inverted(not self._inverted)

    @Slot(bool)
    def set_inverted(self, inverted: bool) -> None:
        for view in (self, *self._peers):
            if view._inverted != inverted:
                view._inverted = inverted
                view.update()
                view.inverted_changed.emit(inverted)

    def set_window(self, center: float, width: float, name: str = "") -> None:
        """In the units of the radiograph's pixels. `name` of a preset is shown beside the numbers."""
        least = self._image.step if self._image is not None else 1e-6
        window = Window(float(center), max(float(width), least), name)
        for view in (self, *self._peers):
            if view._window != window:
                view._window = window
                view.update()
                view.window_changed.emit(window.center, window.width)

    @Slot()
    def reset_view(self) -> None:
        """As at open: fitted, upright, not mirrored, first window, not inverted."""
        if self._radiograph is None:
            return
        first = self._radiograph.windows[0]
        self.set_inverted(False)
        self.set_window(first.center, first.width, first.name)
        self._go(self._viewport.upright().fit())

    # Linked panes

    def link(self, other: RadiographView) -> None:
        """From now on both show the same place, zoom, orientation and window, and each the other's pointer."""
        if other is self or other in self._peers:
            return
        for view in (self, *self._peers):
            view._peers.append(other)
            other._peers.append(view)
        other._follow(self._viewport)
        self.set_inverted(self._inverted)
        self.set_window(self._window.center, self._window.width, self._window.name)

    def unlink(self) -> None:
        for view in self._peers:
            view._peers.remove(self)
            view._peer_pointer = None
            view.update()
        self._peers = []
        self._peer_pointer = None
        self.update()

    def _follow(self, viewport: Viewport) -> None:
        self._viewport = self._viewport.follow(viewport)
        self._viewport_moved()

    # Tools

    def set_tool(self, tool: Tool) -> None:
        self._drop_drawing()
        self._tool = Tool(tool)
        self._behaviour = self._new_behaviour(self._tool)
        self._select.active_handle = None
        self.setCursor(self._behaviour.cursor)
        self.tool_changed.emit(self._tool)
        self.hint_changed.emit(HINTS[self._tool])
        self.update()

    def _new_behaviour(self, tool: Tool) -> ToolBehaviour:
        if tool in MARK_TOOLS:
            return DrawTool(self, MARK_TOOLS[tool])
        made: dict[Tool, ToolBehaviour] = {
            Tool.SELECT: self._select,
            Tool.PAN: self._pan_tool,
            Tool.WINDOW: self._window_tool,
            Tool.ZOOM: self._zoom_tool,
        }
        if tool in made:
            return made[tool]
        return {Tool.MAGNIFIER: MagnifierTool, Tool.HEAD_CIRCLE: HeadCircleTool, Tool.REGION: RegionTool}[tool](self)

    @property
    def hint(self) -> str:
        """One sentence about the tool in hand."""
        return HINTS[self._tool]

    def show_loupe(self, at: QPointF | None) -> None:
        self._loupe_at = at
        self.update()

    def set_head_circle(self, center: Point | None, radius_px: float = 0.0) -> None:
        """Show a circle that was stored, or take it away (None)."""
        self._head_circle = None if center is None else HeadCircle(center, radius_px)
        self._kept_head_circle = self._head_circle
        self.update()

    def show_head_circle(self, circle: HeadCircle) -> None:
        """While it is dragged."""
        self._head_circle = circle
        self.update()

    def restore_head_circle(self) -> None:
        self._head_circle = self._kept_head_circle
        self.update()

    def commit_head_circle(self) -> None:
        circle = self._head_circle
        self._kept_head_circle = circle
        if circle is not None:
            self.head_circle_drawn.emit(QPointF(*circle.center), circle.radius_px)

    # Regions

    def region_hit(self, at: QPointF) -> tuple[int, RegionPart] | None:
        """Index and part of the region under a view point; the current one first."""
        if not self._show_regions:
            return None
        order = sorted(range(len(self._regions)), key=lambda index: index != self._current_region)
        for index in order:
            part = hit_region(self._regions[index], at, self.to_view)
            if part is not None:
                return index, part
        return None

    def select_region(self, index: int) -> None:
        if index != self._current_region:
            self._current_region = index
            self.update()
            self.region_selected.emit(index)

    def select_region_inside(self, at: QPointF) -> None:
        """A click into another hip's square takes that hip."""
        point = self.image_point(at)
        inside = [index for index, region in enumerate(self._regions) if region_rect(region).contains(point)]
        if inside and self._current_region not in inside:
            self.select_region(inside[0])

    def preview_region(self, index: int, region: HipRegion) -> None:
        self._regions[index] = region
        self.update()

    def commit_region(self, index: int) -> None:
        self.region_edited.emit(index, self._regions[index])

    def adjust_region(self, dx: float = 0.0, dy: float = 0.0, grow: float = 0.0) -> None:
        """Move the current region on screen, or grow it about its centre, by image pixels: for the keyboard."""
        if not self._regions:
            return
        square = self._regions[self._current_region].squared()
        m11, m12, m21, m22 = self._viewport.orientation
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
        self.preview_region(self._current_region, region)
        self.commit_region(self._current_region)

    # Text of a mark

    def edit_text(self, mark: Annotation) -> None:
        """Write on the canvas. Enter keeps, Esc drops; a text mark without text is not made."""
        self._edited = mark
        at = self.view_point(*mark.points[0]).toPoint()
        self._editor.setText(mark.text)
        self._editor.setFixedWidth(min(260, self.width()))
        self._editor.adjustSize()
        self._editor.move(
            max(0, min(at.x() + 6, self.width() - self._editor.width())),
            max(0, min(at.y() - 12, self.height() - self._editor.height())),
        )
        self._editor.show()
        self._editor.setFocus(Qt.FocusReason.OtherFocusReason)
        self._editor.selectAll()

    def _commit_text(self) -> None:
        mark, text = self._edited, self._editor.text().strip()
        self._close_editor()
        if mark is None:
            return
        known = self._model.annotation(mark.id)
        if known is not None:
            self._model.replace(msgspec.structs.replace(known, text=text))
        elif text:
            self._model.add(msgspec.structs.replace(mark, text=text))

    def _close_editor(self) -> None:
        self._edited = None
        if self._editor.isVisible():
            self._editor.hide()
            self.setFocus(Qt.FocusReason.OtherFocusReason)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._editor:
            if event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Escape:  # type: ignore[attr-defined]
                self._close_editor()
                return True
            if event.type() == QEvent.Type.FocusOut and self._edited is not None:
                # A click elsewhere keeps what was written: nothing typed is lost.
                self._commit_text()
        return super().eventFilter(watched, event)

    # Mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._image is None or self._pressed_with is not None:
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
        if self._image is None:
            return
        at = event.position()
        if self._pressed_with is not None:
            self._pressed_with.move(at, pressed=True, modifiers=event.modifiers())
        else:
            self._behaviour.move(at, pressed=False, modifiers=event.modifiers())
        self._point_at(at)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._pressed_with is None or event.button() != self._pressed_button:
            return
        behaviour, self._pressed_with = self._pressed_with, None
        behaviour.release(event.position())
        clicked = QLineF(self._right_pressed_at, event.position()).length() < DRAG_PX
        if event.button() == Qt.MouseButton.RightButton and clicked:
            self.context_menu_requested.emit(event.position().toPoint())
        self.setCursor(self._behaviour.cursor)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self._image is None:
            return
        if event.button() != Qt.MouseButton.LeftButton:
            self.mousePressEvent(event)
            return
        if not self._left_behaviour(event.position()).double_click(event.position()):
            self.fit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        notches = event.angleDelta().y() / 120
        if self._image is not None and notches:
            self.zoom_by(WHEEL_STEP**notches, event.position())
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        self._set_pointer(None)
        super().leaveEvent(event)

    def _left_behaviour(self, at: QPointF) -> ToolBehaviour:
        """A drawing tool leaves the handles of a selected mark to the selection; nobody draws what is not shown."""
        drawing = isinstance(self._behaviour, DrawTool) and not self._behaviour.busy
        if not self._show_marks and isinstance(self._behaviour, DrawTool | HeadCircleTool):
            return self._select
        fitting = isinstance(self._behaviour, HeadCircleTool) and not self._behaviour.busy
        if (drawing or fitting) and self._select.grabs(at):
            return self._select
        return self._behaviour

    def _point_at(self, at: QPointF) -> None:
        point = self.image_point(at)
        inside = 0 <= point.x() < self._viewport.image_width and 0 <= point.y() < self._viewport.image_height
        self._set_pointer((point.x(), point.y()) if inside else None)

    def _set_pointer(self, point: Point | None) -> None:
        if point == self._pointer:
            return
        self._pointer = point
        x, y = point if point is not None else (math.nan, math.nan)
        value = self._image.value_at(x, y) if self._image is not None and point is not None else None
        self.cursor_moved.emit(x, y, math.nan if value is None else value)
        for peer in self._peers:
            peer._peer_pointer = point
            peer.update()
        self.update()

    def _drag_window(self, dx: float, dy: float) -> None:
        width = self._window.width * math.exp(dx / 250)
        self.set_window(self._window.center + dy * self._window.width / 400, width)

    def _drag_zoom(self, dx: float, dy: float, start: QPointF) -> None:
        self.zoom_by(math.exp(-dy / 150), start)

    # Keys

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._claims(event):
            # Without this the arrows would turn the page while a mark is selected.
            event.accept()
            return True
        if isinstance(event, QNativeGestureEvent) and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
            self.zoom_by(1 + event.value(), event.position())  # two fingers on a touchpad
            return True
        return super().event(event)

    def _claims(self, event: QKeyEvent) -> bool:
        key, modifiers = event.key(), event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if key in _ARROWS:
            plain = Qt.KeyboardModifier.NoModifier
            allowed = [plain, Qt.KeyboardModifier.ShiftModifier]
            if self._nudges_circle:
                allowed.append(Qt.KeyboardModifier.ControlModifier)
            return modifiers in allowed and (bool(self._model.selection) or self._nudges_circle)
        if modifiers:
            return False
        if key in _ENTER:
            return self._behaviour.busy
        if key == Qt.Key.Key_Escape:
            return self._behaviour.busy or bool(self._model.selection)
        if key in (Qt.Key.Key_Backspace, Qt.Key.Key_Delete):
            return self._behaviour.busy or bool(self._model.selection)
        return key == Qt.Key.Key_Space and self._image is not None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._image is not None and self._claims(event) and self._press_key(event):
            event.accept()
        else:
            super().keyPressEvent(event)

    def _press_key(self, event: QKeyEvent) -> bool:
        key = event.key()
        if key == Qt.Key.Key_Space:
            self._overlay.set_peek(True)
            return True
        if key in _ARROWS:
            self._nudge(event)
            return True
        if key in _ENTER:
            return self._behaviour.finish()
        if key == Qt.Key.Key_Escape:
            return self._behaviour.cancel() or self._select.cancel()
        if key == Qt.Key.Key_Backspace and self._behaviour.step_back():
            return True
        return self._select.delete()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._overlay.set_peek(False)
            event.accept()
        else:
            super().keyReleaseEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        # The release of Space would go to another widget, and the peek would stay.
        self._overlay.set_peek(False)
        super().focusOutEvent(event)

    @property
    def _nudges_circle(self) -> bool:
        return self._tool is Tool.HEAD_CIRCLE and self._head_circle is not None and not self._model.selection

    def _nudge(self, event: QKeyEvent) -> None:
        """Arrows move on screen whichever way the image is turned; a held key is one undo step."""
        across, down = _ARROWS[event.key()]
        far = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        m11, m12, m21, m22 = self._viewport.orientation
        dx, dy = across * m11 + down * m12, across * m21 + down * m22
        if self._nudges_circle and self._head_circle is not None:
            circle = self._head_circle
            if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
                grown = circle.radius_px + (across - down) * CIRCLE_NUDGE_PX
                circle = replace(circle, radius_px=max(1.0, grown))
            else:
                step = CIRCLE_NUDGE_PX * (10 if far else 1)
                circle = replace(circle, center=(circle.center[0] + dx * step, circle.center[1] + dy * step))
            self.show_head_circle(circle)
            self.commit_head_circle()
            return
        step = FAR_NUDGE_PX if far else NUDGE_PX
        if not event.isAutoRepeat():
            self._held_gesture = self._model.new_gesture()
        if self._select.active_handle is not None:
            mark_id, handle = self._select.active_handle
            mark = self._model.annotation(mark_id)
            if mark is not None and mark_id in self._model.selection and handle < len(mark.points):
                points = list(mark.points)
                x, y = points[handle]
                points[handle] = self.clamped(QPointF(x + dx * step, y + dy * step))
                self._model.replace(msgspec.structs.replace(mark, points=tuple(points)), self._held_gesture)
                return
        shift = self.clamped_shift(self._model.selected, dx * step, dy * step)
        self._model.move(self._model.selection, *shift, self._held_gesture)

    # Painting

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._viewport = self._viewport.resized(self.width(), self.height(), self.devicePixelRatioF())
        self._viewport_moved()
        super().resizeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.devicePixelRatioF() != self._viewport.device_pixel_ratio:  # moved to another screen
            self._viewport = self._viewport.resized(self.width(), self.height(), self.devicePixelRatioF())
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._colours.background)
        if self._image is not None and self._radiograph is not None:
            self._image.set_window(self._window, self._inverted)
            self._image.paint(painter, self._viewport)
            self._paint_map(painter, self.to_view)
            self._paint_regions(painter)
            self._paint_marks(painter)
            self._behaviour.paint(painter)
            self._paint_peer_pointer(painter)
            self._paint_texts(painter, self._radiograph)
            self._paint_loupe(painter)
        painter.end()

    def _paint_map(self, painter: QPainter, to_view: QTransform) -> None:
        if self._overlay.shown:
            for item in self._saliency:
                item.paint(painter, to_view, self._overlay.opacity, self._overlay.threshold, self._overlay.mode)

    def _paint_regions(self, painter: QPainter) -> None:
        font = self.font()
        if self._show_regions:
            for index, region in enumerate(self._regions):
                current = index == self._current_region
                colour = self._colours.region if current else self._colours.region_idle
                name = region_name(region, index, len(self._regions))
                paint_region(painter, region, name, self.to_view, colour, font, current=current)
        if isinstance(self._behaviour, RegionTool) and self._behaviour.drawn is not None:
            drawn = self._behaviour.drawn
            paint_region(painter, drawn, "New region", self.to_view, self._colours.region, font, current=True)

    def _paint_marks(self, painter: QPainter) -> None:
        bounds = QRectF(self.rect()).adjusted(4, 4, -4, -4)
        if self._show_marks:
            for colour, marks in self._other_marks:
                style = MarkStyle(colour, self.font(), bounds)
                for mark in marks:
                    paint_mark(painter, mark, self.to_view, style, self._measure)
            style = MarkStyle(self._reader_colour, self.font(), bounds)
            for mark in self._model.annotations:
                active = self._select.active_handle
                paint_mark(
                    painter,
                    mark,
                    self.to_view,
                    style,
                    self._measure,
                    selected=mark.id in self._model.selection,
                    active_handle=active[1] if active is not None and active[0] == mark.id else None,
                )
            if self._head_circle is not None:
                paint_head_circle(
                    painter,
                    self._head_circle,
                    self.to_view,
                    self._measure,
                    self._colours.calibration,
                    self.font(),
                    bounds,
                    handles=self._tool is Tool.HEAD_CIRCLE,
                )
        draft = self._behaviour.draft()
        if draft is not None:
            style = MarkStyle(self._reader_colour, self.font(), bounds)
            paint_mark(painter, draft, self.to_view, style, self._measure)

    def paint_draft_point(self, painter: QPainter, point: Point) -> None:
        draw_handle(painter, self.view_point(*point), self._colours.calibration, filled=True, size=5)

    def _paint_peer_pointer(self, painter: QPainter) -> None:
        if self._peer_pointer is None or self._pointer is not None:
            return
        at = self.view_point(*self._peer_pointer)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            arm = QLineF(at + QPointF(dx, dy) * 5, at + QPointF(dx, dy) * 15)
            draw_line(painter, arm, self._colours.text, 1.3)

    def _paint_texts(self, painter: QPainter, radiograph: Radiograph) -> None:
        port, font, colours = self._viewport, self.font(), self._colours
        hud.paint_side_markers(painter, hud.side_markers(radiograph), port, font, colours)
        hud.paint_orientation(painter, port, font, colours)
        if self._overlay.shown and self.map_state is not MapState.ABSENT:
            saliency = self._saliency[0].saliency
            legend = hud.Legend(
                saliency.method, saliency.levels, self._overlay.threshold, self._overlay.opacity, self.map_state
            )
            hud.paint_legend(painter, legend, port, font, colours)
        if not self._show_texts:
            return
        lines = hud.corner_lines(self._window, self._inverted, port, self._measure, radiograph)
        hud.paint_corner_lines(painter, lines, port, font, colours)
        hud.paint_scale_bar(painter, port, self._measure, font, colours)
        pointer = self._pointer or self._peer_pointer
        if pointer is not None and self._image is not None:
            hud.paint_cursor_value(painter, self._pointer_text(self._image, *pointer), port, font, colours)
        if self._tool not in (Tool.SELECT, Tool.PAN):
            hud.paint_hint(painter, self.hint, port, font, colours)

    def _pointer_text(self, image: ImageItem, x: float, y: float) -> str:
        value = image.value_at(x, y)
        text = f"x {int(x)}  y {int(y)}" + (f"  value {value:.6g}" if value is not None else "")
        if self._overlay.shown:
            for item in self._saliency:
                attention = item.value_at(x, y)
                if attention is not None:
                    return f"attention {hud.level_text(attention, item.saliency.levels)}   {text}"
        return text

    def _paint_loupe(self, painter: QPainter) -> None:
        if self._loupe_at is None or self._image is None:
            return
        at = self._loupe_at
        point = self.image_point(at)
        port = replace(self._viewport, zoom=max(self._viewport.zoom * LOUPE_MAGNIFICATION, 1.0))
        box = QRectF(at.x() - LOUPE_RADIUS, at.y() - LOUPE_RADIUS, 2 * LOUPE_RADIUS, 2 * LOUPE_RADIUS)
        circle = QPainterPath()
        circle.addEllipse(box)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setClipPath(circle)
        self._image.paint_patch(painter, box, port, point.x(), point.y())
        moved = replace(port, center_x=point.x(), center_y=point.y()).to_view
        middle = QPointF(port.view_width / 2, port.view_height / 2)
        self._paint_map(painter, moved * QTransform.fromTranslate(at.x() - middle.x(), at.y() - middle.y()))
        painter.restore()
        draw_path(painter, circle, self._colours.text, 2.0)

    # Inner workings

    def _go(self, viewport: Viewport) -> None:
        if viewport == self._viewport:
            return
        self._viewport = viewport
        for peer in self._peers:
            peer._follow(viewport)
        self._viewport_moved()

    def _viewport_moved(self) -> None:
        self._close_editor()
        self.update()
        self.viewport_changed.emit()
        self.zoom_changed.emit(self._viewport.zoom)

    def _connect_model(self) -> None:
        self._model.changed.connect(self._marks_changed)
        self._model.selection_changed.connect(self._marks_changed)

    @Slot()
    def _marks_changed(self) -> None:
        self.update()

    def _drop_drawing(self) -> None:
        """Whatever the hand was in the middle of; the selection stays."""
        if self._behaviour.busy:
            self._behaviour.cancel()
        self._close_editor()
        self._pressed_with = None
        self._loupe_at = None
        self._select.active_handle = None
