"""Which part of the radiograph is on screen, how large, and which way round. Plain arithmetic, no widget.

Image coordinates are image pixels, x along columns and y along rows, pixel centres at +0.5. View coordinates are the
widget's logical pixels. `zoom` is in device pixels per image pixel, so that 1.0 shows every image pixel as one pixel
of the screen, whatever the display scale.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QTransform

from imaging.orientation import Edge

MAX_ZOOM = 40.0
MIN_ZOOM = 0.02
FIT_MARGIN = 4.0  # logical pixels left free around a fitted image

# Clockwise quarter turns as (m11, m12, m21, m22) of x' = m11 x + m21 y, y' = m12 x + m22 y.
_TURNS = ((1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0))


@dataclass(frozen=True)
class Viewport:
    """Frozen: every change gives a new one, and linked panes hand them to each other."""

    image_width: float = 1.0
    image_height: float = 1.0
    view_width: float = 1.0  # logical pixels
    view_height: float = 1.0
    device_pixel_ratio: float = 1.0
    zoom: float = 1.0  # device pixels per image pixel
    center_x: float = 0.5  # the image point in the middle of the view
    center_y: float = 0.5
    quarter_turns: int = 0  # clockwise, after mirroring
    mirrored: bool = False  # left and right of the image swapped
    fitted: bool = True  # follow the size of the view

    @property
    def scale(self) -> float:
        """Logical pixels per image pixel."""
        return self.zoom / self.device_pixel_ratio

    @property
    def is_turned(self) -> bool:
        """True when image columns run up and down the screen."""
        return self.quarter_turns % 2 == 1

    def edge_on_screen(self, edge: Edge) -> Edge:
        """Where that edge of the image is on screen; on its side, the edge stays what it is in the image."""
        m11 = self.orientation[0]
        return edge.other if m11 < 0 else edge

    @property
    def orientation(self) -> tuple[int, int, int, int]:
        """(m11, m12, m21, m22), each -1, 0 or 1: mirror first, then turn."""
        m11, m12, m21, m22 = _TURNS[self.quarter_turns % 4]
        return (-m11, -m12, m21, m22) if self.mirrored else (m11, m12, m21, m22)

    @property
    def to_view(self) -> QTransform:
        """Image pixels -> logical pixels of the view."""
        m11, m12, m21, m22 = (value * self.scale for value in self.orientation)
        dx = self.view_width / 2 - (m11 * self.center_x + m21 * self.center_y)
        dy = self.view_height / 2 - (m12 * self.center_x + m22 * self.center_y)
        return QTransform(m11, m12, m21, m22, dx, dy)

    @property
    def to_image(self) -> QTransform:
        """Logical pixels of the view -> image pixels. Written out: the orientation's inverse is its transpose."""
        m11, m12, m21, m22 = (value / self.scale for value in self.orientation)
        half_w, half_h = self.view_width / 2, self.view_height / 2
        dx = self.center_x - (m11 * half_w + m12 * half_h)
        dy = self.center_y - (m21 * half_w + m22 * half_h)
        return QTransform(m11, m21, m12, m22, dx, dy)

    def image_point(self, view_point: QPointF) -> QPointF:
        return self.to_image.map(view_point)

    def view_point(self, x: float, y: float) -> QPointF:
        return self.to_view.map(QPointF(x, y))

    @property
    def image_rect(self) -> QRectF:
        """The whole image, in logical pixels of the view."""
        return self.to_view.mapRect(QRectF(0, 0, self.image_width, self.image_height))

    @property
    def fit_zoom(self) -> float:
        wide, high = self.image_width, self.image_height
        if self.is_turned:
            wide, high = high, wide
        free_w = max(self.view_width - 2 * FIT_MARGIN, 1.0)
        free_h = max(self.view_height - 2 * FIT_MARGIN, 1.0)
        return self._clamped_zoom(min(free_w / wide, free_h / high) * self.device_pixel_ratio)

    def fit(self) -> Viewport:
        return replace(
            self, zoom=self.fit_zoom, center_x=self.image_width / 2, center_y=self.image_height / 2, fitted=True
        )

    def refitted(self) -> Viewport:
        """After a change of size or orientation."""
        return self.fit() if self.fitted else self

    def resized(self, view_width: float, view_height: float, device_pixel_ratio: float) -> Viewport:
        return replace(
            self,
            view_width=max(view_width, 1.0),
            view_height=max(view_height, 1.0),
            device_pixel_ratio=device_pixel_ratio,
        ).refitted()

    def zoomed(self, factor: float, at: QPointF | None = None) -> Viewport:
        """Zoom by `factor`; the image point under the view point `at` (default: the middle) stays where it is."""
        zoom = self._clamped_zoom(self.zoom * factor)
        if at is None:
            return replace(self, zoom=zoom, fitted=False)
        anchor = self.image_point(at)
        ratio = self.zoom / zoom
        return replace(
            self,
            zoom=zoom,
            center_x=anchor.x() + (self.center_x - anchor.x()) * ratio,
            center_y=anchor.y() + (self.center_y - anchor.y()) * ratio,
            fitted=False,
        )._inside()

    def with_zoom(self, zoom: float, at: QPointF | None = None) -> Viewport:
        return self.zoomed(zoom / self.zoom, at)

    def panned(self, dx: float, dy: float) -> Viewport:
        """Move the image by (dx, dy) logical pixels on screen."""
        to_image = self.to_image
        moved = to_image.map(QPointF(dx, dy)) - to_image.map(QPointF(0, 0))
        return replace(
            self, center_x=self.center_x - moved.x(), center_y=self.center_y - moved.y(), fitted=False
        )._inside()

    def turned(self, quarter_turns: int) -> Viewport:
        return replace(self, quarter_turns=(self.quarter_turns + quarter_turns) % 4).refitted()

    def flipped(self) -> Viewport:
        """Mirror what is on screen from left to right, whichever way it is turned."""
        return replace(self, quarter_turns=-self.quarter_turns % 4, mirrored=not self.mirrored).refitted()

    def upright(self) -> Viewport:
        return replace(self, quarter_turns=0, mirrored=False).refitted()

    def follow(self, other: Viewport) -> Viewport:
        """What a linked pane shows when `other` moves: same place, size and way round in its own frame."""
        turned = replace(self, quarter_turns=other.quarter_turns, mirrored=other.mirrored)
        if other.fitted:
            return turned.fit()
        return replace(turned, zoom=other.zoom, center_x=other.center_x, center_y=other.center_y, fitted=False)

    def _inside(self) -> Viewport:
        """Keep the middle of the view on the image, so that it cannot be lost."""
        return replace(
            self,
            center_x=min(max(self.center_x, 0.0), self.image_width),
            center_y=min(max(self.center_y, 0.0), self.image_height),
        )

    @staticmethod
    def _clamped_zoom(zoom: float) -> float:
        return min(max(zoom, MIN_ZOOM), MAX_ZOOM)
