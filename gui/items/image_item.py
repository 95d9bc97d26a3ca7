"""The grey image: window/level through a lookup table, area-averaged when zoomed out.

Per change of window or zoom it costs one table lookup over the visible part of a halved level and one scaling by
Qt: no float arithmetic per pixel (docs/adr/0002-canvas.md has the figures).
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtGui import QImage, QPainter, QTransform

from gui.viewport import Viewport
from imaging.radiograph import Pixels, Radiograph, Window
from imaging.windowing import apply_window

Index = npt.NDArray[np.uint16]
_MAX_INDEX = 65535
_ROWS_AT_ONCE = 512  # keeps temporaries small while the index image is made
_CROP_GRID = 256  # crops start on multiples of this, so that panning does not shimmer


class GreyLevels:
    """Each grey value as a 16-bit index, and halved copies for small zooms. Panes on one radiograph share it."""

    def __init__(self, pixels: Pixels) -> None:
        finite = pixels if np.isfinite(pixels).all() else np.nan_to_num(pixels, posinf=0.0, neginf=0.0)
        self.pixels = finite
        self.low, self.high = float(finite.min()), float(finite.max())
        span = self.high - self.low
        # Whole grey values that fit are kept one to one; others are spread over the 16 bits.
        fits = span <= _MAX_INDEX and bool((finite[:: max(1, len(finite) // 64)] % 1 == 0).all())
        self.step = 1.0 if fits else span / _MAX_INDEX
        index = np.empty(finite.shape, np.uint16)
        for top in range(0, len(finite), _ROWS_AT_ONCE):
            block = finite[top : top + _ROWS_AT_ONCE] - np.float32(self.low)
            if not fits:
                block /= np.float32(self.step)
                block += np.float32(0.5)
            np.copyto(index[top : top + _ROWS_AT_ONCE], block, casting="unsafe")
        self._levels: list[Index] = [index]
        self.values = self.low + np.arange(int(span / self.step) + 2, dtype=np.float32) * np.float32(self.step)

    @property
    def full(self) -> Index:
        return self._levels[0]

    def for_zoom(self, zoom: float) -> tuple[Index, float]:
        """The halved level from which `zoom` is a reduction of at most two, and what is left to scale."""
        depth = 0
        while zoom <= 0.5 and min(self._levels[depth].shape) >= 2:
            if depth + 1 == len(self._levels):
                self._levels.append(_halved(self._levels[depth]))
            depth += 1
            zoom *= 2
        return self._levels[depth], zoom


_shared: WeakKeyDictionary[Radiograph, GreyLevels] = WeakKeyDictionary()


def grey_levels(radiograph: Radiograph) -> GreyLevels:
    """Made once for a radiograph, kept while any pane shows it."""
    levels = _shared.get(radiograph)
    if levels is None:
        levels = _shared[radiograph] = GreyLevels(radiograph.pixels)
    return levels


class ImageItem:
    """Grey levels seen through one pane's window."""

    def __init__(self, levels: GreyLevels) -> None:
        self._levels = levels
        span = levels.high - levels.low
        self._window = Window((levels.low + levels.high) / 2, max(span, levels.step))
        self._inverted = False
        self._colours: npt.NDArray[np.uint32] | None = None
        self._scaled: tuple[object, QImage] | None = None
        self._turned: tuple[object, Index] | None = None

    @property
    def width(self) -> int:
        return int(self._levels.full.shape[1])

    @property
    def height(self) -> int:
        return int(self._levels.full.shape[0])

    @property
    def step(self) -> float:
        """The smallest difference of grey values that is kept."""
        return self._levels.step

    def value_at(self, x: float, y: float) -> float | None:
        """The grey value of the pixel at image coordinates (x, y), None outside."""
        if 0 <= x < self.width and 0 <= y < self.height:
            return float(self._levels.pixels[int(y), int(x)])
        return None

    def set_window(self, window: Window, inverted: bool) -> None:
        if (window, inverted) != (self._window, self._inverted):
            self._window, self._inverted = window, inverted
            self._colours = None
            self._scaled = None

    def paint(self, painter: QPainter, viewport: Viewport) -> None:
        """Draw what the viewport shows. The painter is in logical pixels of the view."""
        dpr = viewport.device_pixel_ratio
        shown = QRectF(0, 0, viewport.view_width * dpr, viewport.view_height * dpr)
        level, zoom = self._levels.for_zoom(viewport.zoom)
        reduction = zoom / viewport.zoom
        extent = QRectF(0, 0, level.shape[1] * reduction, level.shape[0] * reduction)  # what the level covers
        on_view = viewport.to_view.mapRect(extent)
        left, top = on_view.left() * dpr, on_view.top() * dpr
        oriented = self._oriented(level, viewport)
        rows, cols = oriented.shape
        # The part of the level that is on screen, with a pixel of margin, on a coarse grid.
        x0, x1 = _crop(-left / zoom, (shown.width() - left) / zoom, cols)
        y0, y1 = _crop(-top / zoom, (shown.height() - top) / zoom, rows)
        if x1 <= x0 or y1 <= y0:
            return
        painter.save()
        # Work in device pixels, so that an unscaled image lands on the pixel grid.
        painter.scale(1 / dpr, 1 / dpr)
        if zoom <= 1:
            size = (max(1, round((x1 - x0) * zoom)), max(1, round((y1 - y0) * zoom)))
            key = (len(level), viewport.orientation, x0, y0, x1, y1, size)
            image = self._shrunk(key, oriented[y0:y1, x0:x1], size)
            painter.drawImage(QPoint(round(left + x0 * zoom), round(top + y0 * zoom)), image)
        else:
            image = self._coloured(oriented[y0:y1, x0:x1])
            painter.setClipRect(shown)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            target = QRectF(left + x0 * zoom, top + y0 * zoom, (x1 - x0) * zoom, (y1 - y0) * zoom)
            painter.drawImage(target, image, QRectF(0, 0, x1 - x0, y1 - y0))
        painter.restore()

    def paint_patch(self, painter: QPainter, target: QRectF, viewport: Viewport, x: float, y: float) -> None:
        """Fill `target` with the surroundings of the image point (x, y) as `viewport` would show them, for the loupe.

        `viewport` carries zoom and orientation; its own centre is not used.
        """
        radius_px = int(np.ceil(max(target.width(), target.height()) / viewport.scale / 2)) + 1
        x0, x1 = max(0, int(x) - radius_px), min(self.width, int(x) + radius_px + 1)
        y0, y1 = max(0, int(y) - radius_px), min(self.height, int(y) + radius_px + 1)
        painter.fillRect(target, Qt.GlobalColor.black)
        if x1 <= x0 or y1 <= y0:
            return
        image = self._coloured(self._levels.full[y0:y1, x0:x1])
        painter.save()
        painter.setClipRect(target, Qt.ClipOperation.IntersectClip)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.translate(target.center())
        m11, m12, m21, m22 = (value * viewport.scale for value in viewport.orientation)
        painter.setTransform(QTransform(m11, m12, m21, m22, 0, 0), True)
        painter.drawImage(QRectF(x0 - x, y0 - y, x1 - x0, y1 - y0), image)
        painter.restore()

    def _oriented(self, level: Index, viewport: Viewport) -> Index:
        """The level as it lies on screen. Turned copies are kept: reading across rows would cost ten milliseconds."""
        if viewport.quarter_turns == 0 and not viewport.mirrored:
            return level
        key = (len(level), viewport.orientation)
        if self._turned is None or self._turned[0] != key:
            mirrored = level[:, ::-1] if viewport.mirrored else level
            self._turned = (key, np.ascontiguousarray(np.rot90(mirrored, -viewport.quarter_turns)))
        return self._turned[1]

    def _shrunk(self, key: object, part: Index, size: tuple[int, int]) -> QImage:
        """Kept until the window or the zoom changes, so that panning only copies."""
        if self._scaled is None or self._scaled[0] != key:
            image = self._coloured(part)
            if (image.width(), image.height()) != size:
                # Qt averages over areas here: no moiré on grids and trabeculae.
                image = image.scaled(
                    *size, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
                )
            self._scaled = (key, image)
        return self._scaled[1]

    def _coloured(self, part: Index) -> QImage:
        """Grey values through the table into screen colours."""
        if self._colours is None:
            grey = apply_window(self._levels.values[None], self._window, self._inverted)[0].astype(np.uint32)
            self._colours = grey * np.uint32(0x010101) | np.uint32(0xFF000000)
        colours = np.ascontiguousarray(np.take(self._colours, part))
        rows, cols = colours.shape
        image = QImage(colours.data, cols, rows, cols * 4, QImage.Format.Format_RGB32)
        image.pixels = colours  # type: ignore[attr-defined]  # Qt only borrows the buffer
        return image


def _crop(first: float, last: float, size: int) -> tuple[int, int]:
    start = max(0, int(first) - 1)
    stop = min(size, int(np.ceil(last)) + 2)
    start -= start % _CROP_GRID
    stop = min(size, -(-stop // _CROP_GRID) * _CROP_GRID)
    return start, stop


def _halved(level: Index) -> Index:
    """Each two by two pixels averaged; a last odd row or column is dropped."""
    rows, cols = (size // 2 * 2 for size in level.shape)
    even, odd = level[0:rows:2], level[1:rows:2]
    total = even[:, 0:cols:2].astype(np.uint32)
    total += even[:, 1:cols:2]
    total += odd[:, 0:cols:2]
    total += odd[:, 1:cols:2]
    total += 2
    total >>= 2
    return total.astype(np.uint16)
