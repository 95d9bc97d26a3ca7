"""Fields of simple bodies: negative inside, near the surface the distance to it in millimetres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from training.simulation.canvas import Field, Points, polygon_distance

Point3 = Sequence[float] | npt.NDArray[np.floating[Any]]


def sphere(x: Field, y: Field, z: Field, center: Point3, radius: float) -> Field:
    return np.sqrt((x - center[0]) ** 2 + (y - center[1]) ** 2 + (z - center[2]) ** 2) - np.float32(radius)


def ellipsoid(x: Field, y: Field, z: Field, center: Point3, radii: Point3) -> Field:
    """To first order: exact on the surface, its slope there 1."""
    px, py, pz = x - center[0], y - center[1], z - center[2]
    a, b, c = radii
    k = np.sqrt((px / a) ** 2 + (py / b) ** 2 + (pz / c) ** 2)
    slope = np.sqrt((px / a**2) ** 2 + (py / b**2) ** 2 + (pz / c**2) ** 2)
    return k * (k - 1) / np.maximum(slope, 1e-3 / max(radii))


def rod(x: Field, y: Field, z: Field, a: Point3, b: Point3, ra: float, rb: float) -> Field:
    """A capsule whose radius changes from end to end."""
    start, way = np.asarray(a, np.float32), np.asarray(b, np.float32) - np.asarray(a, np.float32)
    px, py, pz = x - start[0], y - start[1], z - start[2]
    t = np.clip((px * way[0] + py * way[1] + pz * way[2]) / np.float32(way @ way), 0.0, 1.0)
    px -= t * way[0]
    py -= t * way[1]
    pz -= t * way[2]
    return np.sqrt(px * px + py * py + pz * pz) - (np.float32(ra) + np.float32(rb - ra) * t)


def tube(x: Field, y: Field, z: Field, points: Sequence[Point3], radii: Sequence[float]) -> Field:
    """Capsules end to end."""
    best = None
    for a, b, ra, rb in zip(points[:-1], points[1:], radii[:-1], radii[1:], strict=True):
        part = rod(x, y, z, a, b, ra, rb)
        best = part if best is None else np.minimum(best, part)
    assert best is not None
    return best


def merged(a: Field, b: Field, blend_mm: float) -> Field:
    """The union of two bodies, filleted where they meet."""
    h = np.clip(0.5 + (b - a) * np.float32(0.5 / blend_mm), 0.0, 1.0)
    return b + (a - b) * h - np.float32(blend_mm) * h * (1 - h)


class Silhouette:
    """The signed distance to a closed outline, kept on a grid so that it can be asked at any points."""

    def __init__(self, outline: Points, margin_mm: float = 16.0, step_mm: float = 0.7) -> None:
        self.low, high = outline.min(axis=0) - margin_mm, outline.max(axis=0) + margin_mm
        self.step = step_mm
        cols, rows = np.ceil((high - self.low) / step_mm).astype(int) + 1
        x, y = np.meshgrid(self.low[0] + step_mm * np.arange(cols), self.low[1] + step_mm * np.arange(rows))
        self.distance = polygon_distance(outline, x.astype(np.float32), y.astype(np.float32))

    def __call__(self, x: Field, y: Field) -> Field:
        """Beyond the margin: the distance at its edge and how far beyond it is."""
        place = np.stack([(y - np.float32(self.low[1])) / self.step, (x - np.float32(self.low[0])) / self.step])
        last = np.array(self.distance.shape, np.float32).reshape(2, *[1] * (place.ndim - 1)) - 1
        beyond = np.abs(place - np.clip(place, 0, last)).max(axis=0) * np.float32(self.step)
        return np.asarray(ndimage.map_coordinates(self.distance, place, order=1, mode="nearest") + beyond, np.float32)


def extruded(flat: Field, z: Field, half_depth: Field | float, rounding: float = 1.0) -> Field:
    """A body of depth 2 x half_depth over the region where `flat`, a distance, is negative."""
    radius = np.float32(rounding) * half_depth
    side, depth = flat + radius, np.abs(z) - half_depth + radius
    outside = np.sqrt(np.maximum(side, 0) ** 2 + np.maximum(depth, 0) ** 2)
    return outside + np.minimum(np.maximum(side, depth), 0) - radius


def wave(rng: np.random.Generator, x: Field, y: Field, z: Field, length_mm: float, waves: int = 4) -> Field:
    """Smooth three-dimensional unevenness of about unit variance."""
    total = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape), np.float32)
    for _ in range(waves):
        k = rng.normal(0, 1, 3)
        k *= 2 * np.pi / length_mm / np.linalg.norm(k) * rng.uniform(0.6, 1.4)
        total += np.sin(
            np.float32(k[0]) * x + np.float32(k[1]) * y + np.float32(k[2]) * z + np.float32(rng.uniform(0, 6.28))
        )
    return total * np.float32(np.sqrt(2.0 / waves))
