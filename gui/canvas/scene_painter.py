"""Paints a scene: image, map, regions, marks, texts, from back to front."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import QLineF, QPointF, QRectF
from PySide6.QtGui import QFont, QPainter, QPainterPath, QTransform

from gui.canvas.behaviour import ToolBehaviour
from gui.canvas.scene import Scene
from gui.items import hud
from gui.items.head_circle_item import paint_head_circle
from gui.items.image_item import ImageItem
from gui.items.mark_item import MarkStyle, paint_mark
from gui.items.region_item import paint_region, region_name, region_rect
from gui.items.style import draw_line, draw_path
from gui.overlay import MapState

LOUPE_RADIUS = 110.0  # logical pixels
LOUPE_MAGNIFICATION = 2.5


@dataclass(frozen=True)
class Hand:
    """What the tool in hand adds to the scene."""

    behaviour: ToolBehaviour
    active_handle: tuple[str, int] | None = None  # mark, and the point of it that the keys move
    fits_head: bool = False  # the head circle shows its handles
    hint: str = ""


class ScenePainter:
    """For one paint event. `bounds` are the view's, in logical pixels."""

    def __init__(self, painter: QPainter, scene: Scene, hand: Hand | None, font: QFont, bounds: QRectF) -> None:
        self._painter, self._scene, self._hand, self._font, self._bounds = painter, scene, hand, font, bounds
        self._to_view = scene.viewport.to_view

    def paint(self) -> None:
        scene, painter = self._scene, self._painter
        painter.fillRect(self._bounds, scene.colours.background)
        if scene.image is None:
            return
        scene.image.set_window(scene.window, scene.inverted)
        scene.image.paint(painter, scene.viewport)
        self._paint_map(self._to_view)
        self._paint_regions()
        self._paint_marks()
        if self._hand is not None:
            self._hand.behaviour.paint(painter)
        self._paint_peer_pointer()
        self._paint_texts(scene.image)
        self._paint_loupe(scene.image)

    def _paint_map(self, to_view: QTransform) -> None:
        overlay = self._scene.overlay
        if overlay.shown:
            for item in self._scene.saliency:
                item.paint(self._painter, to_view, overlay.opacity, overlay.threshold, overlay.mode)

    def _paint_regions(self) -> None:
        scene = self._scene
        if not scene.show_regions:
            return
        for index, region in enumerate(scene.regions):
            current = index == scene.current_region
            colour = scene.colours.region if current else scene.colours.region_idle
            name = region_name(region, index, len(scene.regions))
            paint_region(self._painter, region, name, self._to_view, colour, self._font, self._bounds, current=current)

    def _paint_marks(self) -> None:
        scene, painter, hand = self._scene, self._painter, self._hand
        bounds = self._bounds.adjusted(4, 4, -4, -4)
        own = MarkStyle(scene.reader_colour, self._font, bounds)
        if scene.show_marks:
            for colour, marks in scene.other_marks:
                style = MarkStyle(colour, self._font, bounds)
                for mark in marks:
                    paint_mark(painter, mark, self._to_view, style, scene.measure)
            active = hand.active_handle if hand is not None else None
            for mark in scene.marks.annotations:
                paint_mark(
                    painter,
                    mark,
                    self._to_view,
                    own,
                    scene.measure,
                    selected=mark.id in scene.marks.selection,
                    active_handle=active[1] if active is not None and active[0] == mark.id else None,
                )
            if scene.head_circle is not None:
                paint_head_circle(
                    painter,
                    scene.head_circle,
                    self._to_view,
                    scene.measure,
                    scene.colours.calibration,
                    self._font,
                    bounds,
                    handles=hand is not None and hand.fits_head,
                )
        draft = hand.behaviour.draft() if hand is not None else None
        if draft is not None:
            paint_mark(painter, draft, self._to_view, own, scene.measure)

    def _paint_peer_pointer(self) -> None:
        scene, painter = self._scene, self._painter
        if scene.peer_pointer is None or scene.pointer is not None:
            return
        at = scene.viewport.view_point(*scene.peer_pointer)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            arm = QLineF(at + QPointF(dx, dy) * 5, at + QPointF(dx, dy) * 15)
            draw_line(painter, arm, scene.colours.text, 1.3)

    def _paint_texts(self, image: ImageItem) -> None:
        scene, painter, font, hand = self._scene, self._painter, self._font, self._hand
        port, colours, overlay, radiograph = scene.viewport, scene.colours, scene.overlay, scene.radiograph
        if radiograph is None:
            return
        hud.paint_side_markers(painter, hud.side_markers(radiograph), port, font, colours)
        hud.paint_orientation(painter, port, font, colours)
        if overlay.shown and scene.map_state is not MapState.ABSENT:
            saliency = scene.saliency[0].saliency
            legend = hud.Legend(saliency.method, saliency.levels, overlay.threshold, overlay.opacity, scene.map_state)
            maps = [self._to_view.mapRect(region_rect(item.saliency.region)) for item in scene.saliency]
            hud.paint_legend(painter, legend, port, font, colours, maps)
        if not scene.show_texts:
            return
        lines = hud.corner_lines(scene.window, scene.inverted, port, scene.measure, radiograph)
        hud.paint_corner_lines(painter, lines, port, scene.measure, font, colours)
        hud.paint_scale_bar(painter, port, scene.measure, font, colours)
        pointer = scene.pointer or scene.peer_pointer
        if pointer is not None:
            hud.paint_cursor_value(painter, self._pointer_text(image, *pointer), port, font, colours)
        if hand is not None and hand.hint:
            hud.paint_hint(painter, hand.hint, port, font, colours)

    def _pointer_text(self, image: ImageItem, x: float, y: float) -> str:
        value = image.value_at(x, y)
        text = f"x {int(x)}  y {int(y)}" + (f"  value {value:.6g}" if value is not None else "")
        if self._scene.overlay.shown:
            for item in self._scene.saliency:
                attention = item.value_at(x, y)
                if attention is not None:
                    return f"attention {hud.level_text(attention, item.saliency.levels)}   {text}"
        return text

    def _paint_loupe(self, image: ImageItem) -> None:
        scene, painter, at = self._scene, self._painter, self._scene.loupe_at
        if at is None:
            return
        point = scene.viewport.image_point(at)
        port = replace(scene.viewport, zoom=max(scene.viewport.zoom * LOUPE_MAGNIFICATION, 1.0))
        box = QRectF(at.x() - LOUPE_RADIUS, at.y() - LOUPE_RADIUS, 2 * LOUPE_RADIUS, 2 * LOUPE_RADIUS)
        circle = QPainterPath()
        circle.addEllipse(box)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setClipPath(circle)
        image.paint_patch(painter, box, port, point.x(), point.y())
        moved = replace(port, center_x=point.x(), center_y=point.y()).to_view
        middle = QPointF(port.view_width / 2, port.view_height / 2)
        self._paint_map(moved * QTransform.fromTranslate(at.x() - middle.x(), at.y() - middle.y()))
        painter.restore()
        draw_path(painter, circle, scene.colours.text, 2.0)
