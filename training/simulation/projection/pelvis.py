"""Half a pelvis and the sacrum as solids.

Frame: origin at the centre of the native head, x lateral, y distal, z anterior.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.simulation.anatomy import Patient
from training.simulation.canvas import Field, smooth_path
from training.simulation.projection.rays import Body
from training.simulation.projection.shapes import Silhouette, ellipsoid, merged, rod, sphere, tube, wave

# The opening of the socket: lateral, distal, anterior.
OPENING = np.array([0.70, 0.62, 0.35]) / np.linalg.norm([0.70, 0.62, 0.35])
_WING = np.array([-0.80, -0.22, 0.56]) / np.linalg.norm([-0.80, -0.22, 0.56])  # its plane's normal


@dataclass(frozen=True, eq=False)
class Pelvis:
    """`socket_mm` is the radius of a native socket; None where a cup fills it."""

    patient: Patient
    socket_mm: float | None
    shape: tuple[float, ...]
    seed: int
    roof: float  # how far the socket covers what is in it: 1 usual

    def box(self) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
        s = self.patient.size
        return (-self.patient.midline_mm - 2, -165 * s, -105 * s), (66 * s, 112 * s, 62 * s)

    def surface(self, x: Field, y: Field, z: Field) -> Field:
        w, s = self.shape, self.patient.size
        x, y, z = x / s, y / s, z / s
        mid = -self.patient.midline_mm / s
        # The socket: a thick cup of bone that opens down, outwards and a little forwards.
        bowl = ellipsoid(x, y, z, (-3, -4, -2), (35 + w[0], 36 + w[1], 33))
        facing = x * OPENING[0] + y * OPENING[1] + z * OPENING[2]
        edge = 4.0 * (self.roof - 1) + 1.5 + 1.5 * w[2]
        bowl = np.maximum(bowl, facing - np.float32(edge))
        # Column to the wing, and the wing: a bent plate.
        column = tube(x, y, z, [(0, -26, -4), (6, -46, -8), (10, -66, -10)], [19, 12.5, 7.5])
        spine = tube(x, y, z, [(13, -26, 22), (16, -40, 30), (25, -60, 38), (31 + w[3], -78, 41)], [8, 6, 6, 5])
        notch = tube(x, y, z, [(-12, -18, -22), (-24, -40, -42), (-40, -60, -66), (-52, -84, -82)], [15, 11, 12, 15])
        outline = np.array([
            (4, -40), (18, -52), (27, -62), (33 + w[3], -78), (44 + w[4], -96), (50 + w[4], -112), (44, -134 + 2 * w[5]), (20, -150), (-10, -152), (-36, -142),
            (-54, -122), (-58, -98), (-48, -72), (-34, -50), (-24, -36), (-8, -32),
        ])  # fmt: skip
        edge_mm = Silhouette(smooth_path(outline, 4, closed=True), 12.0, 1.5)(x, y)
        offset = (x - 6) * _WING[0] + (y + 60) * _WING[1] + (z + 8) * _WING[2]
        hollow = 10 * np.exp(-(((x - 4) / 38) ** 2 + ((y + 100) / 38) ** 2)) - 3
        thick = 2.4 + 4.5 * np.exp(-((np.minimum(edge_mm, 0) / 9) ** 2)) + 5 * np.exp(-(((x + 40) / 22) ** 2))
        wing = np.maximum(np.abs(offset - hollow) - thick, 0.75 * edge_mm)
        wing = np.where(edge_mm > 9, np.maximum(wing, edge_mm * 0.75), wing)
        # Pubis and ischium round the foramen.
        ramus = tube(x, y, z, [(-20, 6, 14), (-38, 13, 27), (-58, 17, 36 + w[6]), (mid + 12, 26, 39)], [13, 9, 7.5, 9])
        body = rod(x, y, z, (mid + 9, 28, 38), (mid + 8.5, 50 + w[7], 32), 8.0, 6.5)
        lower = tube(x, y, z, [(mid + 10, 52, 31), (-62 + w[8], 73, 10), (-46, 88, -10)], [6.5, 6.0, 9.0])
        ischium = tube(
            x, y, z, [(-8, 22, -14), (-18, 44, -24), (-28, 66, -28), (-38, 88 + w[9], -22)], [17, 14.5, 14.5, 12.5]
        )
        brim = tube(
            x, y, z, [(-50, -72, -62), (-42, -50, -46), (-34, -26, -20), (-31, -6, 6), (-42, 9, 25)], [6, 5, 5.5, 6, 6]
        )
        spike = rod(x, y, z, (-26, 6, -30), (-42 + w[10], 12, -36), 8.0, 2.5)
        wall = ellipsoid(x, y, z, (-29, 4, -8), (4.5, 36, 28))  # the quadrilateral plate
        bone = merged(bowl, column, 10.0)
        bone = merged(bone, wing, 7.0)
        bone = merged(bone, merged(notch, spine, 5.0), 6.0)
        bone = merged(bone, merged(ischium, merged(ramus, body, 5.0), 4.0), 7.0)
        bone = merged(bone, merged(lower, brim, 3.0), 5.0)
        bone = merged(bone, merged(spike, wall, 4.0), 5.0)
        bone = np.maximum(bone, mid + 2.6 - x)  # the symphysis
        rng = np.random.default_rng(self.seed)
        bone = bone + 0.7 * wave(rng, x, y, z, 34.0) + 0.18 * wave(rng, x, y, z, 12.0)
        if self.socket_mm is not None:
            ball = sphere(x, y, z, (0, 0, 0), self.socket_mm / s)
            fossa = ellipsoid(x, y, z, (-24, 12, 2), (7, 13, 11))
            bone = np.maximum(bone, -np.minimum(ball, fossa))
        return np.asarray(bone * s, np.float32)

    def cortex(self, x: Field, y: Field, z: Field) -> Field:
        rng = np.random.default_rng(self.seed + 1)
        wall = 1.25 * self.patient.cortex * (1 + 0.25 * wave(rng, x, y, z, 40.0) + 0.07 * wave(rng, x, y, z, 14.0))
        return np.asarray(np.clip(wall, 0.5, 2.6), np.float32)


def draw_pelvis(rng: np.random.Generator, patient: Patient, socket_mm: float | None) -> Pelvis:
    return Pelvis(
        patient, socket_mm, tuple(rng.normal(0, 1, 12)), int(rng.integers(1 << 30)), float(rng.normal(1.0, 1.0))
    )


def sacrum(patient: Patient, seed: int) -> tuple[tuple[tuple[float, float, float], tuple[float, float, float]], Body]:
    """(box, body) of the sacrum and the last vertebra."""
    m, s = -patient.midline_mm, patient.size

    def body(x: Field, y: Field, z: Field) -> Field:
        x, y, z = (x - m) / s, y / s, z / s
        bone = ellipsoid(x, y, z, (0, -92, -66), (46, 30, 19))
        bone = merged(
            bone, tube(x, y, z, [(0, -78, -72), (0, -44, -84), (0, -10, -86), (0, 10, -76)], [24, 17, 10, 5]), 9.0
        )
        vertebra = merged(
            ellipsoid(x, y, z, (0, -136, -40), (26, 16, 19)), rod(x, y, z, (-42, -132, -62), (42, -132, -62), 7, 7), 6.0
        )
        spines = tube(x, y, z, [(0, -146, -84), (0, -112, -92), (0, -70, -98)], [5, 5, 5])
        bone = merged(merged(bone, vertebra, 4.0), spines, 4.0)
        for level in range(4):
            for side in (-1, 1):
                hole = rod(
                    x,
                    y,
                    z,
                    (side * (20 - 3 * level), -106 + 21 * level, -30),
                    (side * (23 - 3 * level), -104 + 21 * level, -110),
                    4.6,
                    4.6,
                )
                bone = np.maximum(bone, -hole)
        rng = np.random.default_rng(seed)
        return np.asarray((bone + 0.9 * wave(rng, x, y, z, 22.0) + 0.5 * wave(rng, x, y, z, 9.0)) * s, np.float32)

    return ((m - 52 * s, -165 * s, -110 * s), (m + 52 * s, 18 * s, -15 * s)), body
