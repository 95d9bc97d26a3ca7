"""Skin and muscles as solids: what lies between them is fat. Frame of the pelvis; both thighs and the trunk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.simulation.anatomy import Patient
from training.simulation.canvas import Field
from training.simulation.projection.shapes import ellipsoid, merged, tube, wave

Path = tuple[list[tuple[float, float, float]], list[float]]

# One side's muscles: points and radii in the frame of the pelvis of a patient of size 1.
_MUSCLES: dict[str, Path] = {
    "gluteus medius": ([(38, -110, 6), (58, -50, 0), (62, -8, -6)], [17, 17, 10]),
    "gluteus maximus": ([(-45, -70, -88), (5, -10, -84), (50, 50, -52), (62, 110, -22)], [22, 31, 24, 10]),
    "tensor": ([(38, -72, 44), (66, -10, 34), (78, 70, 14)], [10, 14, 10]),
    "sartorius": ([(33, -72, 46), (20, 20, 62), (-6, 140, 58), (-20, 260, 40)], [8, 11, 12, 12]),
    "iliopsoas": ([(-42, -130, -10), (-24, -40, 30), (4, 10, 32), (24, 62, -6)], [24, 20, 17, 8]),
    "rectus": ([(16, -34, 34), (34, 60, 56), (40, 150, 58), (40, 300, 50)], [9, 18, 24, 22]),
    "vastus lateralis": ([(64, 24, 2), (74, 90, 10), (70, 180, 12), (60, 320, 16)], [9, 24, 28, 26]),
    "vastus intermedius": ([(42, 70, 14), (42, 160, 22), (40, 320, 24)], [18, 26, 26]),
    "vastus medialis": ([(22, 90, 18), (10, 190, 22), (2, 320, 22)], [12, 24, 30]),
    "pectineus": ([(-56, 18, 40), (-10, 44, 24), (24, 84, -4)], [9, 13, 8]),
    "adductors": ([(-74, 44, 26), (-34, 110, 4), (2, 190, -12), (16, 320, -12)], [13, 31, 33, 22]),
    "gracilis": ([(-80, 58, 26), (-52, 150, 0), (-34, 320, -18)], [7, 11, 11]),
    "hamstrings": ([(-36, 86, -34), (-8, 160, -50), (10, 240, -54), (18, 330, -50)], [14, 26, 32, 32]),
    "quadratus": ([(-34, 76, -22), (24, 54, -24)], [11, 11]),
    "obturator": ([(-64, 46, 12), (-30, 30, -20), (36, 6, -16)], [15, 15, 7]),
}


@dataclass(frozen=True, eq=False)
class Flesh:
    patient: Patient
    bulk: float  # of the muscles
    wasting: tuple[float, ...]  # per muscle
    shift: tuple[tuple[float, float, float], ...]  # per muscle, mm
    abduction_deg: float  # of the thighs against the trunk
    apron_mm: float  # of skin and fat that hangs over the groin; 0 none
    crotch: float  # a scrotum or labia: 0-1
    marbling: float  # share of fat within the muscles
    seed: int

    def skin(self, x: Field, y: Field, z: Field) -> Field:
        """Both sides at once."""
        p = self.patient
        s, m, fat = p.size, p.midline_mm, p.fat_mm
        across = np.abs(x + m)  # from the midline
        depth = p.pelvis_depth_mm * 1.02 + 0.2 * fat
        trunk = ellipsoid(across, y, z, (0, -110, -8), (m + 74 * s + fat, 215, depth))
        spread = np.float32(np.tan(np.deg2rad(self.abduction_deg)))
        center = m + 22 * s + spread * y
        half = p.thigh_half_width_mm + 0.8 * fat - 0.07 * (y - 60)
        front = p.thigh_depth_mm + 0.55 * fat - 0.05 * (y - 60)
        dx, dz = across - center, z + 4.0
        top = np.sqrt(np.maximum(1.0 - np.minimum(y / 190.0, 0.0) ** 2, 0.02))  # it rounds off within the trunk
        ratio = np.sqrt((dx / (half * top)) ** 2 + (dz / (front * top)) ** 2)
        thigh = (ratio - 1) * np.minimum(half, front) * top
        buttock = ellipsoid(across, y, z, (66 * s, 6, -depth + 42), (78 * s + 0.6 * fat, 84, 46 + 0.4 * fat))
        body = merged(merged(trunk, thigh, 34.0), buttock, 22.0)
        if self.apron_mm:
            body = np.minimum(body, ellipsoid(across, y, z, (0, -60, depth - 12), (m + 40, 88, 26 + self.apron_mm)))
        if self.crotch:
            body = np.minimum(
                body, ellipsoid(across, y, z, (0, 88, 30), (20 + 12 * self.crotch, 30 + 22 * self.crotch, 24))
            )
        rng = np.random.default_rng(self.seed)
        return np.asarray(body + 2.0 * wave(rng, x, y, z, 130.0), np.float32)

    def muscles(self, x: Field, y: Field, z: Field, side: int) -> Field:
        """Of one side (1: the main hip's), with the organs of the pelvis."""
        p = self.patient
        s = p.size
        if side < 0:
            x = -2 * np.float32(p.midline_mm) - x
        spread = np.float32(np.tan(np.deg2rad(self.abduction_deg)))
        px = (x - spread * np.maximum(y - 20, 0)) / s
        py, pz = y / s, z / s
        rng = np.random.default_rng(self.seed + 1)
        uneven = 2.2 * wave(rng, px, py, pz, 70.0) + 1.0 * wave(rng, px, py, pz, 26.0)
        best = ellipsoid(px, py, pz, (-p.midline_mm / s, -40, 0), (66, 62, 52)) + uneven
        best = np.minimum(best, ellipsoid(px, py, pz, (-p.midline_mm / s, -190, 0), (112, 90, 74)))
        for (points, radii), waste, shift in zip(_MUSCLES.values(), self.wasting, self.shift, strict=True):
            moved = [(a + shift[0], b + shift[1], c + shift[2]) for a, b, c in points]
            part = tube(px, py, pz, moved, [r * self.bulk * waste for r in radii])
            best = merged(best, part, 1.6)
        return np.asarray((best + 0.5 * uneven) * s, np.float32)


def draw_flesh(rng: np.random.Generator, patient: Patient) -> Flesh:
    count = len(_MUSCLES)
    return Flesh(
        patient,
        float(np.clip(rng.normal(1.0, 0.09), 0.78, 1.22)),
        tuple(np.clip(rng.normal(1.0, 0.07, count), 0.8, 1.2)),
        tuple(map(tuple, rng.normal(0, 2.5, (count, 3)))),
        float(rng.normal(-3.5, 2.5)),
        float(rng.uniform(5, 35)) if rng.random() < 0.2 else 0.0,
        float(rng.random()) if rng.random() < 0.45 else 0.0,
        float(rng.uniform(0.0, 0.5)),
        int(rng.integers(1 << 30)),
    )
