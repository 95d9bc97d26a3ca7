"""The proximal femur as a solid: shaft, metaphysis, trochanters, neck and, unless it is replaced, the head.

Frame: origin at the centre of the head, x lateral, y distal along the shaft, z anterior.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.simulation.anatomy import Patient, cortex_mm
from training.simulation.canvas import Field
from training.simulation.projection.shapes import ellipsoid, merged, rod, sphere, wave

# Half widths in mm about the shaft's axis at heights below the centre of the head; the AP half depth.
_HEIGHTS = (-10, -5, 1, 9, 20, 34, 50, 64, 80, 98, 130, 200, 330, 460)
_LATERAL = (4.0, 11.0, 17.5, 22.5, 25.0, 24.0, 20.5, 17.6, 15.6, 14.7, 14.2, 14.2, 15.0, 22.0)
_MEDIAL = (-3.0, 1.0, 4.5, 10.5, 17.0, 20.5, 20.5, 19.0, 16.5, 15.0, 14.2, 14.2, 15.0, 22.0)
_DEPTH = (7.0, 11.0, 13.5, 16.0, 17.5, 18.0, 17.2, 16.2, 15.4, 14.8, 14.4, 14.4, 15.0, 20.0)
HEAD_MM = 24.0  # radius of the native head


@dataclass(frozen=True, eq=False)
class Femur:
    """`resection_mm` moves the cut of the neck distally; None leaves the native neck and head."""

    patient: Patient
    resection_mm: float | None
    shape: tuple[float, ...]  # unit normal numbers: how this femur differs from the mean one
    seed: int

    @property
    def native(self) -> bool:
        return self.resection_mm is None

    def box(self, bottom_mm: float = 330.0) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
        p = self.patient
        inner = -28.0 * p.size if self.native else p.shaft_x_mm - 34.0 * p.size
        return (inner, -28.0 * p.size, -32.0 * p.size), (p.shaft_x_mm + 31.0 * p.size, bottom_mm, 32.0 * p.size)

    def surface(self, x: Field, y: Field, z: Field) -> Field:
        """The outer surface."""
        p, w, size = self.patient, self.shape, self.patient.size
        px, py, pz = (x - p.shaft_x_mm) / size, (y - p.neck_length_mm) / size, z / size
        lateral = np.interp(py, _HEIGHTS, np.array(_LATERAL) + _bumps(w[0:3]))
        medial = np.interp(py, _HEIGHTS, np.array(_MEDIAL) + _bumps(w[3:6]))
        depth = np.interp(py, _HEIGHTS, np.array(_DEPTH) + 0.5 * _bumps(w[6:9]))
        bow = np.float32(0.00012) * np.maximum(py - 60, 0) ** 2 - np.float32(2.0)  # the shaft bows forwards
        a, middle = ((lateral + medial) / 2).astype(np.float32), ((lateral - medial) / 2).astype(np.float32)
        b = depth.astype(np.float32)
        dx, dz = px - middle, pz - bow
        rough_line = 1.1 * np.exp(-((dx / 5) ** 2)) * (dz < 0) * np.clip((py - 70) / 40, 0, 1)  # linea aspera
        ratio = np.sqrt((dx / a) ** 2 + (dz / b) ** 2)
        slope = np.sqrt((dx / a**2) ** 2 + (dz / b**2) ** 2)
        shaft = (ratio - 1) * ratio / np.maximum(slope, 0.02) - rough_line
        shaft = np.maximum(shaft, -8.0 - py)
        g = p.trochanter_mm
        greater = ellipsoid(px, py, pz, (15 + 0.8 * w[9], 11 + g, -8), (12.0 + 0.5 * w[10], 19 + w[11], 13))
        tip = ellipsoid(px, py, pz, (7.0, 2.5 + g, -9), (8 + 0.6 * w[12], 9.5, 8))
        lesser = ellipsoid(px, py, pz, (-12.5, 60 + 2 * w[14], -12), (7.0 + 0.8 * w[15], 15 + w[16], 8.5))
        head = (-p.shaft_x_mm / size, -p.neck_length_mm / size, 0.0)
        neck = rod(px, py, pz, head, (-3.0, 29.0, 0.0), 14.5 + 0.7 * w[17], 19.0)
        whole = merged(shaft, merged(greater, tip, 4.0), 5.0)
        whole = merged(merged(whole, neck, 9.0), lesser, 8.0)
        if self.resection_mm is None:
            whole = merged(whole, sphere(px, py, pz, head, HEAD_MM), 3.0)
        else:
            cut = self.resection_mm / size
            a2, b2 = np.array([-23.0, 34.0 + cut]), np.array([-3.0 + 0.8 * w[18], 12.0 + 0.5 * cut])
            along = (b2 - a2) / np.hypot(*(b2 - a2))
            above = np.float32(along[0]) * (py - a2[1]) - np.float32(along[1]) * (px - a2[0])  # above the cut: negative
            removed = np.maximum(above, px - np.float32(b2[0] + 2.0))
            whole = np.maximum(whole, -removed)
        rng = np.random.default_rng(self.seed)
        uneven = 0.45 * np.clip((70 - py) / 50, 0.15, 1.0)
        whole = whole + uneven * (0.7 * wave(rng, px, py, pz, 17.0) + 0.45 * wave(rng, px, py, pz, 8.0))
        return np.asarray(whole * size, np.float32)

    def cortex(self, x: Field, y: Field, z: Field) -> Field:
        """Thickness of the compact bone below the surface."""
        p = self.patient
        wall = cortex_mm(y, p)
        n = p.neck_length_mm
        medial = np.clip((p.shaft_x_mm - 4 - x) / 12.0, 0.0, 1.0)
        calcar = medial * np.exp(-(((y - n - 46) / 20) ** 2)) * np.clip((x - p.shaft_x_mm + 38) / 10, 0, 1)
        rng = np.random.default_rng(self.seed + 1)
        wall = wall * (1 + 0.9 * calcar + 0.12 * wave(rng, x, y, z, 40.0)) + 0.35 * wave(rng, x, y, z, 11.0)
        lateral = np.clip((x - p.shaft_x_mm) / 14.0, 0.0, 1.0)
        wall *= 1 - 0.25 * lateral * np.exp(-(((y - n - 40) / 25) ** 2))
        return np.asarray(np.maximum(wall, 0.7), np.float32)


def _bumps(w: tuple[float, ...]) -> np.ndarray:
    """Slow departures from the mean profile: one for the trochanters, one for the metaphysis, one for the shaft."""
    heights = np.array(_HEIGHTS, float)
    return (
        0.7 * w[0] * np.exp(-(((heights - 5) / 20) ** 2))
        + 0.7 * w[1] * np.exp(-(((heights - 50) / 25) ** 2))
        + 0.5 * w[2] * np.exp(-(((heights - 130) / 60) ** 2))
    )


def draw_femur(rng: np.random.Generator, patient: Patient, resection_mm: float | None) -> Femur:
    return Femur(patient, resection_mm, tuple(rng.normal(0, 1, 24)), int(rng.integers(1 << 30)))
