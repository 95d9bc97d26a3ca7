"""Rays from a point source through the patient, and the path lengths of implicit bodies along them.

World: millimetres; x to the right of the image, y down, z towards the source; the origin is the centre of the main
hip's head. A pixel belongs to the point (u, v, 0) that it sees in the plane through that centre, so that lengths in
that plane are true. A body is a field: a function of points in its own frame that is negative inside and, near the
surface, the distance to it. Fields are evaluated on a coarse lattice of rays and depths, interpolated to all rays,
and the path through {field < 0} is measured between neighbouring depths where the field changes its sign.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from training.simulation.canvas import Canvas, Field, Points

Coordinates = tuple[Field, Field, Field]
Body = Callable[[Field, Field, Field], Field]
OUTSIDE = 99.0  # mm: where a field is not evaluated


@dataclass(frozen=True, eq=False)
class Pose:
    """Where a body's frame is: local = turn @ world + shift."""

    turn: npt.NDArray[np.float64]  # (3, 3), orthogonal; a reflection for a right hip
    shift: npt.NDArray[np.float64]  # (3,)

    def local(self, points: npt.ArrayLike) -> Points:
        """(n, 3) world -> (n, 3) local"""
        return np.atleast_2d(np.asarray(points, float)) @ self.turn.T + self.shift

    def world(self, points: npt.ArrayLike) -> Points:
        """(n, 3) local -> (n, 3) world"""
        return (np.atleast_2d(np.asarray(points, float)) - self.shift) @ self.turn

    def moved(self, turn: npt.NDArray[np.float64], shift: Sequence[float] = (0.0, 0.0, 0.0)) -> Pose:
        """A frame within this one: its coordinates are turn @ (local - shift)."""
        return Pose(turn @ self.turn, turn @ (self.shift - np.asarray(shift, float)))


def turned(x_deg: float = 0.0, y_deg: float = 0.0, z_deg: float = 0.0) -> npt.NDArray[np.float64]:
    """A turn about z, then y, then x."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(np.deg2rad([x_deg, y_deg, z_deg])), np.sin(np.deg2rad([x_deg, y_deg, z_deg]))
    about_x = np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]])
    about_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    about_z = np.array([[cz, sz, 0], [-sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_x @ about_y @ about_z, float)


@dataclass(frozen=True, eq=False)
class Beam:
    """A point source and the grid of pixels that it falls on."""

    canvas: Canvas  # (column, row) -> (u, v) mm, without rotation
    source: tuple[float, float, float]  # world mm

    def project(self, points: npt.ArrayLike) -> Points:
        """(n, 3) world -> (n, 2) where their shadows fall in the plane z = 0, mm."""
        x, y, z = np.atleast_2d(np.asarray(points, float)).T
        cx, cy, far = self.source
        k = far / (far - z)
        return np.column_stack([cx + (x - cx) * k, cy + (y - cy) * k])

    def pixels(self, points: npt.ArrayLike) -> Points:
        """(n, 3) world -> (n, 2) working pixels (column, row)"""
        return self.canvas.to_pixels(self.project(points))

    def window(
        self, pose: Pose, low: Sequence[float], high: Sequence[float], lattice_mm: float, depth_mm: float
    ) -> Rays | None:
        """The rays that can meet a box of the body's frame; None when all miss the picture."""
        corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
        world = pose.world(corners)
        shadow = self.project(world)
        window = self.canvas.box(tuple(shadow.min(axis=0)), tuple(shadow.max(axis=0)))
        if window is None:
            return None
        slices, canvas = window
        return Rays(
            self, slices, canvas, pose, float(world[:, 2].min()), float(world[:, 2].max()), lattice_mm, depth_mm
        )


@dataclass(frozen=True, eq=False)
class Rays:
    """A window of pixels and the lattice of points on their rays."""

    beam: Beam
    slices: tuple[slice, slice]
    canvas: Canvas
    pose: Pose
    near: float
    far: float
    lattice_mm: float
    depth_mm: float

    @cached_property
    def depths(self) -> Field:
        count = max(2, int(np.ceil((self.far - self.near) / self.depth_mm)) + 1)
        return np.linspace(self.near, self.far, count)

    @cached_property
    def _axes(self) -> tuple[npt.NDArray, npt.NDArray]:
        """Lattice nodes in pixels of the window: (columns, rows), one beyond each edge."""
        row_mm, col_mm = self.canvas.spacing_mm

        def nodes(count: int, spacing: float) -> npt.NDArray:
            step = max(1.0, self.lattice_mm / spacing)
            return (np.arange(int(np.ceil((count - 1) / step)) + 3) - 1) * step

        return nodes(self.canvas.cols, col_mm), nodes(self.canvas.rows, row_mm)

    @cached_property
    def points(self) -> Coordinates:
        """Local x, y, z on the lattice, each (depths, rows, columns)."""
        columns, rows = self._axes
        m = self.canvas.matrix
        u, v = m[0, 0] * columns + m[0, 2], m[1, 1] * rows + m[1, 2]
        cx, cy, far = self.beam.source
        z = self.depths[:, None, None]
        x = u[None, None, :] + (cx - u[None, None, :]) * (z / far)
        y = v[None, :, None] + (cy - v[None, :, None]) * (z / far)
        t, s = self.pose.turn, self.pose.shift
        local = [(t[i, 0] * x + t[i, 1] * y + (t[i, 2] * z + s[i])).astype(np.float32) for i in range(3)]
        return local[0], local[1], local[2]

    @cached_property
    def _weights(self) -> tuple[Field, Field]:
        columns, rows = self._axes
        return (
            _interpolation(rows, np.arange(self.canvas.rows)),
            np.ascontiguousarray(_interpolation(columns, np.arange(self.canvas.cols)).T),
        )

    def fine(self, level: Field) -> Field:
        """One depth of the lattice at every pixel."""
        rows, columns = self._weights
        return rows @ (level @ columns)

    def levels(self, fields: Sequence[Field], margin: float = 3.0) -> Iterator[tuple[int, list[Field]] | None]:
        """Fields at every pixel, depth by depth; None where the first is nowhere near its surface or inside."""
        first = fields[0]
        near = first.reshape(len(first), -1).min(axis=1) < margin
        for index in range(len(first)):
            if near[index] or (index and near[index - 1]) or (index + 1 < len(near) and near[index + 1]):
                yield index, [self.fine(each[index]) for each in fields]
            else:
                yield None

    def paths(
        self,
        fields: Sequence[Field],
        bodies: Callable[[int, list[Field]], Sequence[Field]] | None = None,
        count: int | None = None,
    ) -> list[Field]:
        """Path lengths in mm through each body; `bodies` makes their fields from the interpolated ones of a depth."""
        count = len(fields) if count is None else count
        total = [np.zeros((self.canvas.rows, self.canvas.cols), np.float32) for _ in range(count)]
        before: Sequence[Field] | None = None
        for level in self.levels(fields):
            if level is None:
                before = None
                continue
            index, values = level
            now: Sequence[Field] = values if bodies is None else bodies(index, values)
            if before is not None:
                for path, a, b in zip(total, before, now, strict=True):
                    path += _inside(a, b)
            before = now
        step = np.float32(self.depths[1] - self.depths[0])
        return [path * step for path in total]


def _inside(a: Field, b: Field) -> Field:
    """The share of the way from a to b on which a field that is linear between them is negative."""
    low = np.minimum(a, b)
    np.negative(low, out=low)
    width = a - b
    np.abs(width, out=width)
    width += np.float32(1e-5)
    low /= width
    return np.clip(low, 0.0, 1.0, out=low)


def _interpolation(nodes: npt.NDArray, at: npt.NDArray) -> Field:
    """(len(at), len(nodes)) weights of Catmull-Rom interpolation between equally spaced nodes."""
    place = (at - nodes[0]) / (nodes[1] - nodes[0])
    index = np.clip(np.floor(place).astype(int), 1, len(nodes) - 3) if len(nodes) > 3 else np.zeros(len(at), int)
    t = place - index
    weights = np.zeros((len(at), len(nodes)), np.float32)
    every = np.arange(len(at))
    if len(nodes) <= 3:
        index = np.clip(np.floor(place).astype(int), 0, len(nodes) - 2)
        t = place - index
        weights[every, index], weights[every, index + 1] = 1 - t, t
        return weights
    cubic = (
        -0.5 * t + t**2 - 0.5 * t**3,
        1 - 2.5 * t**2 + 1.5 * t**3,
        0.5 * t + 2 * t**2 - 1.5 * t**3,
        -0.5 * t**2 + 0.5 * t**3,
    )
    for offset, weight in zip((-1, 0, 1, 2), cubic, strict=True):
        weights[every, index + offset] = weight
    return weights


@dataclass(frozen=True, eq=False)
class Plane(Canvas):
    """The plane z = 0 of a body's frame as the picture shows it.

    `to_pixels` is exact, perspective included; `matrix` and what follows from it are the affine map that touches it
    at `at`.
    """

    beam: Beam
    pose: Pose

    @staticmethod
    def of(beam: Beam, pose: Pose, at: tuple[float, float] = (0.0, 0.0)) -> Plane:
        x, y = at
        here, right, below = beam.pixels(pose.world([(x, y, 0), (x + 1, y, 0), (x, y + 1, 0)]))
        forward = np.column_stack([right - here, below - here])
        back = np.linalg.inv(forward)
        matrix = np.column_stack([back, np.array(at) - back @ here])
        return Plane(beam.canvas.rows, beam.canvas.cols, matrix, beam, pose)

    def to_pixels(self, points: npt.ArrayLike) -> Points:
        xy = np.atleast_2d(np.asarray(points, np.float64))
        return self.beam.pixels(self.pose.world(np.column_stack([xy[:, :2], np.zeros(len(xy))])))
