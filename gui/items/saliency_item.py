"""The CNN's map, painted over the region that it spans. Fixed levels; never stretched to its own minimum and maximum."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QLineF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QTransform

from gui.items.colour_map import SALIENCY_COLOURS
from gui.overlay import OverlayMode
from inference.prediction import SaliencyMap

FloatArray = npt.NDArray[np.float32]
_FINE_SIDE = 384  # samples along the longer side after interpolation
_EDGE = 0.15  # share of the display range over which colour fades in above the threshold
_HALO = QColor(0, 0, 0, 190)
_CONTOUR = QColor.fromRgb(*(int(v) for v in SALIENCY_COLOURS[235]))


class SaliencyItem:
    """One map. What depends on the threshold alone is kept between frames."""

    def __init__(self, saliency: SaliencyMap) -> None:
        self.saliency = saliency
        self._fine: FloatArray | None = None
        self._image: tuple[float, QImage] | None = None
        self._lines: tuple[float, list[QLineF]] | None = None

    @property
    def is_empty(self) -> bool:
        return self.saliency.is_empty

    def value_at(self, x: float, y: float) -> float | None:
        """The map's own value (not interpolated) at an image point, None outside its region or when empty."""
        square = self.saliency.region.squared()
        if self.is_empty or not (0 <= x - square.x < square.width and 0 <= y - square.y < square.height):
            return None
        rows, cols = self.saliency.values.shape
        row = min(rows - 1, int((y - square.y) / square.height * rows))
        col = min(cols - 1, int((x - square.x) / square.width * cols))
        return float(self.saliency.values[row, col])

    def paint(
        self, painter: QPainter, to_view: QTransform, opacity: float, threshold: float, mode: OverlayMode
    ) -> None:
        """`threshold` is a share of the display range, 0-1."""
        if self.is_empty or opacity <= 0:
            return
        square = self.saliency.region.squared()
        fine = self._interpolated()
        painter.save()
        painter.setTransform(to_view, True)
        if mode is not OverlayMode.CONTOUR:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.setOpacity(opacity)
            painter.drawImage(QRectF(square.x, square.y, square.width, square.height), self._coloured(threshold))
        if mode is not OverlayMode.FILL:
            rows, cols = fine.shape
            painter.translate(square.x, square.y)
            painter.scale(square.width / cols, square.height / rows)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setOpacity(1.0)
            lines = self._contour(threshold)
            for colour, width in ((_HALO, 3.6), (_CONTOUR, 1.6)):
                pen = QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)
                pen.setCosmetic(True)
                painter.setPen(pen)
                painter.drawLines(lines)
        painter.restore()

    def _interpolated(self) -> FloatArray:
        """The map as shares of its display range, on a fine grid: below 0 lies below the low level."""
        if self._fine is None:
            low, high = self.saliency.levels
            shares = (self.saliency.values - np.float32(low)) / np.float32(max(high - low, 1e-12))
            factor = max(1, round(_FINE_SIDE / max(shares.shape)))
            self._fine = _refined(_refined(shares.astype(np.float32), factor).T, factor).T
        return self._fine

    def _coloured(self, threshold: float) -> QImage:
        if self._image is None or self._image[0] != threshold:
            shares = self._interpolated()
            index = (np.clip(shares, 0, 1) * 255 + 0.5).astype(np.uint8)
            alpha = np.clip((shares - threshold) / _EDGE, 0, 1)[..., None]
            bgra = np.empty((*shares.shape, 4), np.uint8)
            bgra[..., :3] = SALIENCY_COLOURS[index][..., ::-1] * alpha + 0.5
            bgra[..., 3:] = alpha * 255 + 0.5
            rows, cols = shares.shape
            image = QImage(bgra.data, cols, rows, cols * 4, QImage.Format.Format_ARGB32_Premultiplied).copy()
            self._image = (threshold, image)
        return self._image[1]

    def _contour(self, threshold: float) -> list[QLineF]:
        """Line pieces in samples of the fine grid. At threshold 0 the outline of what lies above the low level."""
        if self._lines is None or self._lines[0] != threshold:
            level = max(threshold, 1e-3)
            padded = np.pad(self._interpolated(), 1, constant_values=-1.0)  # closes contours at the border
            pieces = contour_pieces(padded, level) - np.float32(0.5)  # undo the padding, sample centres at +0.5
            self._lines = (threshold, [QLineF(*piece) for piece in pieces.reshape(-1, 4).tolist()])
        return self._lines[1]


def _refined(values: FloatArray, factor: int) -> FloatArray:
    """Rows interpolated to `factor` times as many: cubic (Catmull-Rom), held between its two neighbours.

    Holding it there means that interpolation never invents a value above or below what the network gave.
    """
    count = len(values)
    position = (np.arange(count * factor, dtype=np.float32) + np.float32(0.5)) / factor - np.float32(0.5)
    first = np.floor(position).astype(int)
    t = (position - first).astype(np.float32)[:, None]
    before, here, after, beyond = (values[np.clip(first + k, 0, count - 1)] for k in (-1, 0, 1, 2))
    smooth = here + t / 2 * (
        after - before + t * (2 * before - 5 * here + 4 * after - beyond + t * (3 * (here - after) + beyond - before))
    )
    return np.clip(smooth, np.minimum(here, after), np.maximum(here, after))


def contour_pieces(values: FloatArray, level: float) -> npt.NDArray[np.float32]:
    """Marching squares: where `values` (rows, cols) crosses `level`, as (n, 2, 2) line pieces [[x, y], [x, y]].

    Samples lie at whole numbers. Lorensen WE, Cline HE, SIGGRAPH 1987, in two dimensions; a saddle is resolved by
    the mean of its four corners.
    """
    a, b = values[:-1, :-1], values[:-1, 1:]  # corners: top left, top right,
    d, c = values[1:, :-1], values[1:, 1:]  # bottom left, bottom right
    above = [corner > level for corner in (a, b, c, d)]
    crosses = np.logical_or.reduce(above) & ~np.logical_and.reduce(above)
    row, col = np.nonzero(crosses)
    if not len(row):
        return np.zeros((0, 2, 2), np.float32)
    tl, tr, br, bl = (corner[row, col] for corner in (a, b, c, d))

    def share(start: FloatArray, end: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.clip(np.nan_to_num((level - start) / (end - start), nan=0.5), 0, 1).astype(np.float32)

    edges = np.stack(  # (4, n, 2): crossing on the top, right, bottom and left edge
        [
            np.stack([col + share(tl, tr), row + 0 * tl], -1),
            np.stack([col + 1 + 0 * tl, row + share(tr, br)], -1),
            np.stack([col + share(bl, br), row + 1 + 0 * tl], -1),
            np.stack([col + 0 * tl, row + share(tl, bl)], -1),
        ]
    ).astype(np.float32)
    case = (tl > level) * 1 + (tr > level) * 2 + (br > level) * 4 + (bl > level) * 8
    middle_above = (tl + tr + br + bl) / 4 > level
    case = np.where((case == 5) & ~middle_above, 16, np.where((case == 10) & ~middle_above, 17, case))
    pieces = []
    for number, joins in _JOINS.items():
        chosen = case == number
        pieces += [np.stack([edges[i][chosen], edges[j][chosen]], 1) for i, j in joins]
    return np.concatenate(pieces)


_TOP, _RIGHT, _BOTTOM, _LEFT = range(4)
_JOINS: dict[int, tuple[tuple[int, int], ...]] = {
    1: ((_LEFT, _TOP),),
    2: ((_TOP, _RIGHT),),
    3: ((_LEFT, _RIGHT),),
    4: ((_RIGHT, _BOTTOM),),
    5: ((_TOP, _RIGHT), (_BOTTOM, _LEFT)),  # top left and bottom right joined through the middle
    6: ((_TOP, _BOTTOM),),
    7: ((_LEFT, _BOTTOM),),
    8: ((_BOTTOM, _LEFT),),
    9: ((_TOP, _BOTTOM),),
    10: ((_LEFT, _TOP), (_RIGHT, _BOTTOM)),
    11: ((_RIGHT, _BOTTOM),),
    12: ((_LEFT, _RIGHT),),
    13: ((_TOP, _RIGHT),),
    14: ((_LEFT, _TOP),),
    16: ((_LEFT, _TOP), (_RIGHT, _BOTTOM)),  # the two corners apart
    17: ((_TOP, _RIGHT), (_BOTTOM, _LEFT)),
}
