"""A widget that shows a scene: looking at it, moving about in it, and panes that move together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QResizeEvent, QTransform, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.annotations import AnnotationModel
from gui.canvas.scene import Scene
from gui.canvas.scene_painter import Hand, ScenePainter
from gui.items.image_item import ImageItem, grey_levels
from gui.items.saliency_item import SaliencyItem
from gui.items.style import CanvasColours
from gui.overlay import MapState, OverlayState
from gui.viewport import Viewport
from imaging.geometry import HipRegion
from imaging.measure import Measure, Point
from imaging.orientation import tagged_side
from imaging.radiograph import Radiograph, Side, SideSource, SpacingSource, Window
from inference.prediction import SaliencyMap
from study.model import Annotation

WHEEL_STEP = 1.2  # zoom factor of one notch


class Canvas(QWidget):
    """A plain widget that paints itself: docs/adr/0002-canvas.md says why."""

    cursor_moved = Signal(float, float, float)  # image x, y and grey value; all NaN when the pointer leaves the image
    window_changed = Signal(float, float)  # center, width
    inverted_changed = Signal(bool)
    zoom_changed = Signal(float)  # device pixels per image pixel
    viewport_changed = Signal()
    turned = Signal()  # or flipped

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 120)
        self.setAccessibleName("Radiograph")
        colours = CanvasColours()
        self.scene = Scene(AnnotationModel(parent=self), OverlayState(self), colours, colours.marks)
        self.scene.overlay.changed.connect(self.update)
        self._connect_model()
        self._peers: list[Canvas] = []

    # What is shown

    def set_radiograph(self, radiograph: Radiograph | None) -> None:
        """Show another image: fitted, upright, in its first window, with its own pixel spacing.

        Map, regions and head circle belong to the image before and go with it; the overlay's settings stay.
        """
        self._drop_drawing()
        self.scene.overlay.set_peek(False)
        self.scene.radiograph = radiograph
        self.scene.image = ImageItem(grey_levels(radiograph)) if radiograph is not None else None
        self.scene.saliency, self.scene.regions, self.scene.current_region = [], [], 0
        self.scene.head_circle = None
        self.scene.other_marks = []
        self.scene.inverted = False
        self.scene.pointer = self.scene.peer_pointer = None
        if radiograph is None:
            self.scene.measure = Measure()
            self.update()
            return
        rows, cols = radiograph.shape
        self.scene.measure = Measure(radiograph.spacing_mm, radiograph.spacing_source)
        size = self.scene.viewport
        self.scene.viewport = Viewport(cols, rows, size.view_width, size.view_height, size.device_pixel_ratio).fit()
        self.scene.window = radiograph.windows[0]
        self._viewport_moved()
        self.turned.emit()
        self.window_changed.emit(self.scene.window.center, self.scene.window.width)
        self.inverted_changed.emit(False)

    def set_annotations(self, model: AnnotationModel) -> None:
        """The marks to show and edit. Panes that share a model share selection and undo."""
        self._drop_drawing()
        self.scene.marks.changed.disconnect(self._marks_changed)
        self.scene.marks.selection_changed.disconnect(self._marks_changed)
        self.scene.marks = model
        self._connect_model()
        self.update()

    def set_other_marks(self, groups: Sequence[tuple[QColor, Sequence[Annotation]]]) -> None:
        """Marks of other readers, each in their colour: to be seen, not edited."""
        self.scene.other_marks = [(QColor(colour), tuple(marks)) for colour, marks in groups]
        self.update()

    def set_overlay(self, overlay: OverlayState) -> None:
        self.scene.overlay.changed.disconnect(self.update)
        self.scene.overlay = overlay
        self.scene.overlay.changed.connect(self.update)
        self.update()

    def set_saliency(self, maps: Sequence[SaliencyMap]) -> None:
        """The maps of the hips in this image; [] while there is no prediction or it is held back."""
        self.scene.saliency = [SaliencyItem(saliency) for saliency in maps]
        self.update()

    def set_regions(self, regions: Sequence[HipRegion], current: int = 0) -> None:
        self.scene.regions = list(regions)
        self.scene.current_region = min(max(current, 0), max(len(self.scene.regions) - 1, 0))
        self.update()

    def set_reader_color(self, color: QColor) -> None:
        self.scene.reader_colour = QColor(color)
        self.update()

    def set_colours(self, colours: CanvasColours) -> None:
        """Of a theme."""
        self.scene.colours = colours
        self.update()

    def set_spacing(self, spacing_mm: tuple[float, float] | None, source: SpacingSource) -> None:
        """(between rows, between columns) in mm, and where it comes from: every length on screen follows."""
        self.scene.measure = Measure(spacing_mm, SpacingSource(source))
        self.update()

    def set_show_marks(self, shown: bool) -> None:
        self.scene.show_marks = shown
        self.update()

    def set_show_regions(self, shown: bool) -> None:
        self.scene.show_regions = shown
        self.update()

    def set_show_texts(self, shown: bool) -> None:
        """The corner texts. The side markers and the orientation badge stay."""
        self.scene.show_texts = shown
        self.update()

    # What there is to ask

    @property
    def radiograph(self) -> Radiograph | None:
        return self.scene.radiograph

    @property
    def annotations(self) -> AnnotationModel:
        return self.scene.marks

    @property
    def overlay(self) -> OverlayState:
        return self.scene.overlay

    @property
    def regions(self) -> tuple[HipRegion, ...]:
        return tuple(self.scene.regions)

    @property
    def current_region(self) -> int:
        return self.scene.current_region

    @property
    def viewport(self) -> Viewport:
        return self.scene.viewport

    @property
    def to_view(self) -> QTransform:
        """Image pixels -> logical pixels of this widget."""
        return self.scene.viewport.to_view

    @property
    def zoom(self) -> float:
        """Device pixels per image pixel: 1.0 is one to one."""
        return self.scene.viewport.zoom

    @property
    def grey_window(self) -> Window:
        return self.scene.window

    @property
    def inverted(self) -> bool:
        return self.scene.inverted

    @property
    def measure(self) -> Measure:
        return self.scene.measure

    @property
    def map_state(self) -> MapState:
        return self.scene.map_state

    @property
    def shows_marks(self) -> bool:
        return self.scene.show_marks

    @property
    def shows_regions(self) -> bool:
        return self.scene.show_regions

    @property
    def sole_side(self) -> tuple[Side, SideSource]:
        """The side of a new region: known only where the radiograph shows a single one."""
        radiograph = self.scene.radiograph
        return tagged_side(radiograph) if radiograph is not None else (Side.UNKNOWN, SideSource.NONE)

    def image_point(self, view_point: QPointF) -> QPointF:
        return self.scene.viewport.image_point(view_point)

    def view_point(self, x: float, y: float) -> QPointF:
        return self.scene.viewport.view_point(x, y)

    def clamped(self, point: QPointF) -> Point:
        """The nearest point on the image."""
        port = self.scene.viewport
        return min(max(point.x(), 0.0), port.image_width), min(max(point.y(), 0.0), port.image_height)

    def clamped_shift(self, marks: Sequence[Annotation], dx: float, dy: float) -> Point:
        """As much of a shift as leaves every point of `marks` on the image."""
        xs = [x for mark in marks for x, _ in mark.points]
        ys = [y for mark in marks for _, y in mark.points]
        return (
            max(min(dx, self.scene.viewport.image_width - max(xs)), -min(xs)),
            max(min(dy, self.scene.viewport.image_height - max(ys)), -min(ys)),
        )

    # Moving about

    @Slot()
    def fit(self) -> None:
        self._go(self.scene.viewport.fit())

    @Slot()
    def one_to_one(self) -> None:
        """One image pixel on one pixel of the screen."""
        self._go(self.scene.viewport.with_zoom(1.0))

    def zoom_by(self, factor: float, at: QPointF | None = None) -> None:
        self._go(self.scene.viewport.zoomed(factor, at))

    def pan(self, dx: float, dy: float) -> None:
        """Move the image by logical pixels."""
        self._go(self.scene.viewport.panned(dx, dy))

    def show_point(self, x: float, y: float, zoom: float | None = None) -> None:
        """Bring an image point into the middle."""
        self._go(
            replace(self.scene.viewport, center_x=x, center_y=y, zoom=zoom or self.scene.viewport.zoom, fitted=False)
        )

    def rotate_by(self, degrees: int = 90) -> None:
        """Clockwise, in quarter turns."""
        if degrees % 90:
            raise ValueError("The canvas turns by multiples of 90 degrees.")
        self._go(self.scene.viewport.turned(degrees // 90))

    @Slot()
    def flip_horizontal(self) -> None:
        self._go(self.scene.viewport.flipped())

    @Slot()
    def invert(self) -> None:
        self.set_inverted(not self.scene.inverted)

    @Slot(bool)
    def set_inverted(self, inverted: bool) -> None:
        for view in (self, *self._peers):
            if view.scene.inverted != inverted:
                view.scene.inverted = inverted
                view.update()
                view.inverted_changed.emit(inverted)

    def set_window(self, center: float, width: float, name: str = "", sigmoid: bool = False) -> None:
        """In the units of the radiograph's pixels. `name` of a preset is shown beside the numbers."""
        least = self.scene.image.step if self.scene.image is not None else 1e-6
        window = Window(float(center), max(float(width), least), name, sigmoid)
        for view in (self, *self._peers):
            if view.scene.window != window:
                view.scene.window = window
                view.update()
                view.window_changed.emit(window.center, window.width)

    @Slot()
    def reset_view(self) -> None:
        """As at open: fitted, upright, not mirrored, first window, not inverted."""
        if self.scene.radiograph is None:
            return
        first = self.scene.radiograph.windows[0]
        self.set_inverted(False)
        self.set_window(first.center, first.width, first.name, first.sigmoid)
        self._go(self.scene.viewport.upright().fit())

    # Linked panes

    def link(self, other: Canvas) -> None:
        """From now on both show the same place, zoom, orientation and window, and each the other's pointer."""
        if other is self or other in self._peers:
            return
        for view in (self, *self._peers):
            view._peers.append(other)
            other._peers.append(view)
        other._follow(self.scene.viewport)
        self.set_inverted(self.scene.inverted)
        window = self.scene.window
        self.set_window(window.center, window.width, window.name, window.sigmoid)

    def unlink(self) -> None:
        for view in self._peers:
            view._peers.remove(self)
            view.scene.peer_pointer = None
            view.update()
        self._peers = []
        self.scene.peer_pointer = None
        self.update()

    def _follow(self, viewport: Viewport) -> None:
        self.scene.viewport = self.scene.viewport.follow(viewport)
        self._viewport_moved()

    # The pointer

    def wheelEvent(self, event: QWheelEvent) -> None:
        notches = event.angleDelta().y() / 120
        if self.scene.image is not None and notches:
            self.zoom_by(WHEEL_STEP**notches, event.position())
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        self._set_pointer(None)
        super().leaveEvent(event)

    def _point_at(self, at: QPointF) -> None:
        point = self.image_point(at)
        inside = 0 <= point.x() < self.scene.viewport.image_width and 0 <= point.y() < self.scene.viewport.image_height
        self._set_pointer((point.x(), point.y()) if inside else None)

    def _set_pointer(self, point: Point | None) -> None:
        if point == self.scene.pointer:
            return
        self.scene.pointer = point
        x, y = point if point is not None else (math.nan, math.nan)
        value = self.scene.image.value_at(x, y) if self.scene.image is not None and point is not None else None
        self.cursor_moved.emit(x, y, math.nan if value is None else value)
        for peer in self._peers:
            peer.scene.peer_pointer = point
            peer.update()
        self.update()

    # Painting

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.scene.viewport = self.scene.viewport.resized(self.width(), self.height(), self.devicePixelRatioF())
        self._viewport_moved()
        super().resizeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.devicePixelRatioF() != self.scene.viewport.device_pixel_ratio:  # moved to another screen
            self.scene.viewport = self.scene.viewport.resized(self.width(), self.height(), self.devicePixelRatioF())
        painter = QPainter(self)
        ScenePainter(painter, self.scene, self._hand(), self.font(), QRectF(self.rect())).paint()
        painter.end()

    def _hand(self) -> Hand | None:
        """The tool in hand; a canvas that only shows has none."""
        return None

    def _drop_drawing(self) -> None:
        """Whatever the hand was in the middle of."""

    def _go(self, viewport: Viewport) -> None:
        if viewport == self.scene.viewport:
            return
        was, self.scene.viewport = self.scene.viewport.orientation, viewport
        for peer in self._peers:
            peer._follow(viewport)
        self._viewport_moved()
        if viewport.orientation != was:
            for view in (self, *self._peers):
                view.turned.emit()

    def _viewport_moved(self) -> None:
        self.update()
        self.viewport_changed.emit()
        self.zoom_changed.emit(self.scene.viewport.zoom)

    def _connect_model(self) -> None:
        self.scene.marks.changed.connect(self._marks_changed)
        self.scene.marks.selection_changed.connect(self._marks_changed)

    @Slot()
    def _marks_changed(self) -> None:
        self.update()
