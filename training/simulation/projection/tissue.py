"""Flesh and bones without an implant: from solids to path lengths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from training.simulation.anatomy import Patient
from training.simulation.canvas import Canvas, Field
from training.simulation.physics import Paths
from training.simulation.projection.flesh import Flesh
from training.simulation.projection.rays import Beam, Pose, Rays

FLESH_MM = 2.2  # pixels of the flesh: it has no finer edges


def add_flesh(paths: Paths, beam: Beam, pose: Pose, flesh: Flesh) -> None:
    """Muscle and fat within the skin, seen on a coarser grid of their own."""
    canvas = beam.canvas
    stride = max(1, int(FLESH_MM / max(canvas.spacing_mm)))
    rows, cols = -(-canvas.rows // stride) + 2, -(-canvas.cols // stride) + 2
    matrix = canvas.matrix.copy()
    matrix[:, :2] *= stride
    coarse = Beam(Canvas(rows, cols, matrix), beam.source)
    reach = 175.0 + flesh.patient.fat_mm
    rays = Rays(coarse, (slice(0, rows), slice(0, cols)), coarse.canvas, pose, -reach, reach, 5.0, 7.0)
    x, y, z = rays.points
    skin = flesh.skin(x, y, z)
    muscles = np.maximum(flesh.muscles(x, y, z, 1), skin + 2.0)
    other = np.maximum(flesh.muscles(x, y, z, -1), skin + 2.0)
    body, muscle = (canvas.refine(path, stride) for path in rays.paths([skin, np.minimum(muscles, other)]))
    muscle = np.clip(muscle, 0, np.maximum(body, 0))
    marbled = np.float32(flesh.marbling) * muscle  # fat within the muscles: the planes between them stand out less
    paths["soft"][...] += muscle - marbled
    paths["fat"][...] += np.maximum(body - muscle, 0) + marbled


def smoothed(values: Field, canvas: Canvas, size_mm: float = 1.3) -> Field:
    """What runs along an interface, its ends and steps rounded off."""
    row_mm, col_mm = canvas.spacing_mm
    return np.asarray(ndimage.gaussian_filter(values, (size_mm / row_mm, size_mm / col_mm)), np.float32)


class Unevenness:
    """Roughness of a surface that differs between its front and its back, for one picture."""

    def __init__(self, canvas: Canvas, rng: np.random.Generator, scales: Sequence[tuple[float, float]]) -> None:
        self.front, self.back = (
            sum(size * canvas.noise(each, scale) for scale, size in scales) for each in rng.spawn(2)
        )

    def at(self, rays: Rays, index: int) -> Field:
        angle = np.pi / 2 * index / max(1, len(rays.depths) - 1)
        front, back = self.front[rays.slices], self.back[rays.slices]  # type: ignore[index]
        return np.float32(np.sin(angle)) * front + np.float32(np.cos(angle)) * back


def bone_paths(rays: Rays, surface: Field, cortex: Field, rough: Unevenness) -> tuple[Field, Field]:
    """(compact, spongy) in mm."""

    def bodies(index: int, values: list[Field]) -> list[Field]:
        uneven = rough.at(rays, index)
        outer = values[0] + uneven
        return [outer, values[1] - uneven]

    outer, inner = rays.paths([surface, surface + cortex], bodies)
    return np.maximum(outer - inner, 0), inner


def insert_bone(paths: Paths, rays: Rays, compact: Field, spongy: Field, density: Field) -> None:
    """Compact bone and, by its density, spongy bone with marrow between; both displace soft tissue."""
    part = paths.view(rays.slices)
    mineral = spongy * np.maximum(density, 0.004)
    part.insert("bone", 0.95 * compact + mineral)
    part.insert("fat", 0.75 * np.maximum(spongy - mineral, 0))


def pelvic_density(canvas: Canvas, patient: Patient, rng: np.random.Generator) -> Field:
    """Share of mineral in the pelvis' spongy bone as it is projected, over the whole picture."""
    first, second, third = rng.spawn(3)
    grain = 0.75 * patient.grain_mm
    strands = canvas.texture(first, 75, grain) * 0.55 + canvas.texture(second, 135, 1.3 * grain) * 0.5
    strands += canvas.texture(first, 105, 2.6 * grain) * 0.4
    return patient.bone_density * (1 + 0.22 * patient.trabecular_contrast * strands + 0.10 * canvas.noise(third, 13.0))


def femoral_density(canvas: Canvas, axis_deg: float, patient: Patient, y: Field, rng: np.random.Generator) -> Field:
    """The same in the femur: full above, thinning out down the shaft; `y` is the height in its frame."""
    streams = rng.spawn(4)
    grain = 0.8 * patient.grain_mm
    strands = (
        canvas.texture(streams[0], axis_deg + 28, grain) * 0.5 + canvas.texture(streams[1], axis_deg - 38, grain) * 0.45
    )
    strands += (
        canvas.texture(streams[2], axis_deg, 1.7 * grain) * 0.35
        + canvas.texture(streams[1], axis_deg + 15, 3 * grain) * 0.35
    )
    proximal = np.clip((95 + patient.neck_length_mm - y) / 80, 0.0, 1.0) ** 1.3
    density = patient.bone_density * (0.10 + 0.90 * proximal)
    return density * (1 + 0.34 * patient.trabecular_contrast * strands + 0.16 * canvas.noise(streams[3], 8.0))
