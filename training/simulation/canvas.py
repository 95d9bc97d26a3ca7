"""The grid that a scene is projected on, and fields over it: distances, noise, textures.

A canvas maps pixels to millimetres by an affine map, so that rotation, mirroring and anisotropic squashing
cost nothing: every body is described in the frame of its own bone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

Field = npt.NDArray[np.floating[Any]]  # float32 wherever it spans a canvas
Points = npt.NDArray[np.floating[Any]]  # (n, 2): x, y in mm


@dataclass(frozen=True, eq=False)
class Canvas:
    """`matrix` (2, 3) maps (column, row, 1) of a pixel centre to (x, y) in mm."""

    rows: int
    cols: int
    matrix: npt.NDArray[np.float64]

    @cached_property
    def coordinates(self) -> tuple[Field, Field]:
        """x and y in mm of every pixel, each (rows, cols)."""
        return self._coordinates(np.arange(self.cols), np.arange(self.rows))

    def _coordinates(self, columns: npt.NDArray, rows: npt.NDArray) -> tuple[Field, Field]:
        m = self.matrix.astype(np.float32)
        c, r = columns.astype(np.float32)[None, :], rows.astype(np.float32)[:, None]
        return m[0, 0] * c + (m[0, 1] * r + m[0, 2]), m[1, 0] * c + (m[1, 1] * r + m[1, 2])

    @cached_property
    def spacing_mm(self) -> tuple[float, float]:
        """(between rows, between columns)"""
        return float(np.hypot(*self.matrix[:, 1])), float(np.hypot(*self.matrix[:, 0]))

    @property
    def pixel_mm(self) -> float:
        return float(np.sqrt(self.spacing_mm[0] * self.spacing_mm[1]))

    def to_pixels(self, points: npt.ArrayLike) -> Points:
        """(n, 2) mm -> (n, 2) pixels (column, row); pixel centres are whole numbers."""
        xy = np.atleast_2d(np.asarray(points, np.float64))
        return np.linalg.solve(self.matrix[:, :2], (xy - self.matrix[:, 2]).T).T

    def framed(
        self, rotation_deg: float = 0.0, shift: tuple[float, float] = (0.0, 0.0), mirror: bool = False
    ) -> Canvas:
        """The same pixels in another frame: (x, y) -> rotate((mirrored x, y) - shift)."""
        angle = np.deg2rad(rotation_deg)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        flip = np.diag([-1.0, 1.0]) if mirror else np.eye(2)
        matrix = flip @ self.matrix
        matrix[:, 2] -= shift
        return Canvas(self.rows, self.cols, turn @ matrix)

    def box(self, low: tuple[float, float], high: tuple[float, float]) -> tuple[tuple[slice, slice], Canvas] | None:
        """The pixels that can see the mm box, as (row and column slices, canvas); None when all are outside."""
        corners = [(low[0], low[1]), (low[0], high[1]), (high[0], low[1]), (high[0], high[1])]
        pixels = self.to_pixels(corners)
        c0, r0 = np.floor(pixels.min(axis=0)).astype(int)
        c1, r1 = np.ceil(pixels.max(axis=0)).astype(int) + 1
        c0, r0, c1, r1 = max(c0, 0), max(r0, 0), min(c1, self.cols), min(r1, self.rows)
        if c1 - c0 < 2 or r1 - r0 < 2:
            return None
        matrix = self.matrix.copy()
        matrix[:, 2] += matrix[:, 0] * c0 + matrix[:, 1] * r0
        return (slice(r0, r1), slice(c0, c1)), Canvas(int(r1 - r0), int(c1 - c0), matrix)

    def coarse(self, step_mm: float) -> tuple[int, Field, Field]:
        """(stride in pixels, x, y) of a coarser grid that covers this one, for `refine`."""
        stride = max(1, int(step_mm / max(self.spacing_mm)))
        columns = np.arange(-(-self.cols // stride) + 2) * stride
        rows = np.arange(-(-self.rows // stride) + 2) * stride
        x, y = self._coordinates(columns, rows)
        return stride, np.broadcast_to(x, (rows.size, columns.size)), np.broadcast_to(y, (rows.size, columns.size))

    def refine(self, values: Field, stride: int) -> Field:
        """A field on the coarse grid -> (rows, cols), bicubic."""
        if stride == 1:
            return np.ascontiguousarray(values[: self.rows, : self.cols], dtype=np.float32)
        offset = 0.5 - 0.5 / stride
        box = (offset, offset, offset + self.cols / stride, offset + self.rows / stride)
        image = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))
        return np.array(image.resize((self.cols, self.rows), Image.Resampling.BICUBIC, box=box), dtype=np.float32)

    def polygon(self, points: Points, step_mm: float = 1.2) -> Field:
        """Signed distance in mm to a closed polygon, negative inside."""
        stride, x, y = self.coarse(step_mm)
        return self.refine(polygon_distance(points, x, y), stride)

    def noise(self, rng: np.random.Generator, scale_mm: float) -> Field:
        """Smooth noise of about unit variance with features of `scale_mm`."""
        step = max(scale_mm / 2.0, self.pixel_mm)
        shape = (int(self.rows * self.spacing_mm[0] / step) + 4, int(self.cols * self.spacing_mm[1] / step) + 4)
        grid = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), 1.0) * 3.5
        image = Image.fromarray(grid)
        box = (1, 1, shape[1] - 1, shape[0] - 1)
        return np.array(image.resize((self.cols, self.rows), Image.Resampling.BICUBIC, box=box), dtype=np.float32)

    def texture(self, rng: np.random.Generator, angle_deg: float, grain_mm: float = 1.0) -> Field:
        """Trabecular texture of unit variance, its strands along `angle_deg` (from x towards y, in pixels)."""
        sheet = texture_sheet(round(angle_deg / 15.0) * 15 % 180)
        zoom = grain_mm / TEXTURE_GRAIN_PX / self.pixel_mm  # canvas pixels per sheet pixel
        height, width = min(self.rows / zoom, sheet.shape[0] - 1.0), min(self.cols / zoom, sheet.shape[1] - 1.0)
        top, left = (rng.uniform(0, limit) for limit in (sheet.shape[0] - height, sheet.shape[1] - width))
        image = Image.fromarray(sheet)
        box = (left, top, left + width, top + height)
        return np.array(image.resize((self.cols, self.rows), Image.Resampling.BILINEAR, box=box), dtype=np.float32)


TEXTURE_GRAIN_PX = 2.0


@lru_cache(maxsize=16)
def texture_sheet(angle_deg: int) -> Field:
    """A fixed sheet of strands: the same in every process, so that an image depends on its seed alone."""
    rng = np.random.default_rng(7000 + angle_deg)
    size = 1400
    spectrum = np.fft.rfft2(rng.standard_normal((size, size), dtype=np.float32))
    fy, fx = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]
    angle = np.deg2rad(angle_deg)
    along, across = fx * np.cos(angle) + fy * np.sin(angle), -fx * np.sin(angle) + fy * np.cos(angle)
    grain = 1.0 / TEXTURE_GRAIN_PX
    # Strands: long along the load, a band of widths across it; a finer isotropic mesh lies under them.
    strands = np.exp(-((along / (0.10 * grain)) ** 2)) * np.exp(
        -(((np.abs(across) - 0.22 * grain) / (0.20 * grain)) ** 2)
    )
    mesh = 0.28 * np.exp(-(((np.hypot(along, across) - 0.30 * grain) / (0.22 * grain)) ** 2))
    sheet = np.fft.irfft2(spectrum * (strands + mesh), s=(size, size)).astype(np.float32)
    return np.ascontiguousarray(sheet / sheet.std())


class _Windows:
    """Which part of an affine grid lies within reach of a segment: distances are only needed near a line."""

    def __init__(self, x: Field, y: Field, reach_mm: float) -> None:
        self.shape = x.shape
        step = np.array([[x[0, 1] - x[0, 0], x[1, 0] - x[0, 0]], [y[0, 1] - y[0, 0], y[1, 0] - y[0, 0]]], np.float64)
        self.inverse = np.linalg.inv(step)
        self.origin = np.array([x[0, 0], y[0, 0]], np.float64)
        # A disc of this radius in mm spans so many columns and rows.
        self.reach = reach_mm * np.hypot(self.inverse[:, 0], self.inverse[:, 1]) + 1.0

    def around(self, points: Points) -> list[tuple[slice, slice] | None]:
        """One window per segment of the path."""
        pixels = (points - self.origin) @ self.inverse.T
        low = np.floor(np.minimum(pixels[:-1], pixels[1:]) - self.reach).astype(int)
        high = np.ceil(np.maximum(pixels[:-1], pixels[1:]) + self.reach).astype(int) + 1
        low = np.maximum(low, 0)
        high = np.minimum(high, (self.shape[1], self.shape[0]))
        return [
            (slice(int(b), int(d)), slice(int(a), int(c))) if c > a and d > b else None
            for (a, b), (c, d) in zip(low, high, strict=True)
        ]


def polygon_distance(points: Points, x: Field, y: Field, reach_mm: float = 30.0) -> Field:
    """Signed distance to a closed polygon, negative inside (even-odd); clipped at +-reach_mm."""
    closed = np.vstack([points, points[:1]])
    inside = np.zeros(x.shape, bool)
    best = np.full(x.shape, reach_mm * reach_mm, np.float32)
    low, high = y.min(axis=1), y.max(axis=1)
    for (ax, ay), (bx, by), window in zip(
        closed[:-1], closed[1:], _Windows(x, y, reach_mm).around(closed), strict=True
    ):
        dx, dy = float(bx - ax), float(by - ay)
        length = float(np.hypot(dx, dy))
        if length < 1e-9:
            continue
        if dy:
            rows = np.flatnonzero((high >= min(ay, by)) & (low <= max(ay, by)))
            if rows.size:
                part = slice(int(rows[0]), int(rows[-1]) + 1)
                spans = (y[part] < ay) != (y[part] < by)
                inside[part] ^= spans & (x[part] < dx * (y[part] - ay) / dy + ax)
        if window is None:
            continue
        ux, uy = np.float32(dx / length), np.float32(dy / length)
        px, py = x[window] - np.float32(ax), y[window] - np.float32(ay)
        along = px * ux + py * uy
        along -= np.clip(along, 0.0, np.float32(length))
        across = px * uy - py * ux
        across *= across
        along *= along
        across += along
        np.minimum(best[window], across, out=best[window])
    np.sqrt(best, out=best)
    return np.where(inside, -best, best)


def polyline_distance(points: Points, x: Field, y: Field, reach_mm: float = 30.0) -> tuple[Field, Field, Field]:
    """(signed distance, arc length of the nearest point, how far beyond the ends) of an open polyline.

    Beyond `reach_mm` the distance is `reach_mm` and the arc length 0. The sign changes across the line: with
    (ux, uy) the direction of travel it is that of px * uy - py * ux.
    """
    best = np.full(x.shape, reach_mm * reach_mm, np.float32)
    signed = np.ones(x.shape, np.float32)
    arc = np.zeros(x.shape, np.float32)
    beyond = np.zeros(x.shape, np.float32)
    start = 0.0
    last = len(points) - 2
    for index, ((ax, ay), (bx, by), window) in enumerate(
        zip(points[:-1], points[1:], _Windows(x, y, reach_mm).around(points), strict=True)
    ):
        dx, dy = float(bx - ax), float(by - ay)
        length = float(np.hypot(dx, dy))
        if length < 1e-9:
            continue
        if window is not None:
            ux, uy = np.float32(dx / length), np.float32(dy / length)
            px, py = x[window] - np.float32(ax), y[window] - np.float32(ay)
            along = px * ux + py * uy
            across = px * uy - py * ux
            inner = np.clip(along, 0.0, np.float32(length))
            distance = across * across + (along - inner) ** 2
            closer = distance < best[window]
            np.copyto(best[window], distance, where=closer)
            np.copyto(signed[window], across, where=closer)
            np.copyto(arc[window], inner + np.float32(start), where=closer)
            if index in (0, last):
                over = np.maximum(-along if index == 0 else 0.0, along - length if index == last else 0.0)
                np.copyto(beyond[window], np.maximum(over, 0.0), where=closer)
            else:
                np.copyto(beyond[window], 0.0, where=closer)
        start += length
    return np.sign(signed) * np.sqrt(best), arc, beyond


def path_length(points: Points) -> float:
    return float(np.hypot(*np.diff(points, axis=0).T).sum())


def smooth_path(points: Sequence[Sequence[float]] | Points, per_segment: int = 6, closed: bool = False) -> Points:
    """A Catmull-Rom curve through the points."""
    p = np.asarray(points, np.float64)
    padded = np.vstack([p[-1:], p, p[:2]]) if closed else np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    t = np.linspace(0.0, 1.0, per_segment, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(padded[:-3], padded[1:-2], padded[2:-1], padded[3:], strict=True):
        pieces.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    curve = np.vstack(pieces)
    return curve if closed else np.vstack([curve, p[-1:]])


def half_depth(distance: Field, radius: Field | float, offset: Field | float = 0.0) -> Field:
    """Half the chord through a body of rounded edge, from the signed distance to its silhouette.

    For a circular cylinder of this radius it is exact: sqrt((r + offset)^2 - (r + distance)^2). `offset` grows
    the body (a shell is the difference of two offsets).
    """
    inner = np.maximum(distance + radius, 0.0)
    outer = radius + offset
    return np.sqrt(np.maximum(outer * np.abs(outer) - inner * inner, 0.0))
