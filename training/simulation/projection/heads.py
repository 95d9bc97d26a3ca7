"""Heads that are no cup and stem: the cap of a resurfacing, its thin cup, the shell of a bipolar head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.simulation.implants import insert_metal
from training.simulation.physics import Paths
from training.simulation.projection.rays import Beam, Pose
from training.simulation.projection.shapes import merged, rod
from training.simulation.truth import Mask

LATTICE_MM, DEPTH_MM = 1.4, 1.6


@dataclass(frozen=True, eq=False)
class Cap:
    radius_mm: float
    along: np.ndarray  # (3,) from its centre down the neck
    skirt_mm: float  # how far it reaches down the neck from its centre
    peg_mm: float


def _nothing(beam: Beam) -> Mask:
    return np.zeros((beam.canvas.rows, beam.canvas.cols), bool)


def add_cap(paths: Paths, beam: Beam, cap: Cap, pose: Pose) -> Mask:
    """In the frame of the femur; returns its mask over the picture."""
    mask = _nothing(beam)
    reach = max(cap.radius_mm, cap.peg_mm) + 4
    rays = beam.window(pose, (-reach, -reach, -reach), (reach, reach, reach), LATTICE_MM, DEPTH_MM)
    if rays is None:
        return mask
    x, y, z = rays.points
    r = np.sqrt(x * x + y * y + z * z)
    down = x * np.float32(cap.along[0]) + y * np.float32(cap.along[1]) + z * np.float32(cap.along[2])
    across = np.sqrt(np.maximum(r * r - down * down, 0))
    bore = np.maximum(across - np.float32(0.72 * cap.radius_mm), -down - np.float32(0.35 * cap.radius_mm))
    shell = np.maximum(np.maximum(r - cap.radius_mm, down - cap.skirt_mm), -bore)
    peg = rod(x, y, z, (0.0, 0.0, 0.0), cap.along * cap.peg_mm, 4.0, 2.6)
    path = rays.paths([merged(shell, peg, 1.5)])[0]
    insert_metal(paths.view(rays.slices), "cobalt", path)
    mask[rays.slices] = path > 1.0
    return mask


def add_shell(
    paths: Paths, beam: Beam, outer_mm: float, inner_mm: float, opening: np.ndarray, pose: Pose, lip_mm: float = 0.0
) -> Mask:
    """A hollow ball, cut off `lip_mm` beyond its middle on the side that it opens to; frame of the pelvis."""
    mask = _nothing(beam)
    reach = outer_mm + 3
    rays = beam.window(pose, (-reach, -reach, -reach), (reach, reach, reach), LATTICE_MM, DEPTH_MM)
    if rays is None:
        return mask
    x, y, z = rays.points
    n = opening / np.linalg.norm(opening)
    r = np.sqrt(x * x + y * y + z * z)
    shell = np.maximum(np.maximum(r - outer_mm, inner_mm - r), x * n[0] + y * n[1] + z * n[2] - lip_mm)
    path = rays.paths([shell])[0]
    insert_metal(paths.view(rays.slices), "cobalt", path)
    mask[rays.slices] = path > 1.0
    return mask
