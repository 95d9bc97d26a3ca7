"""Muscle, fat, bowel gas and folds of skin round a hip, in millimetres, in the frame of the pelvis."""

from __future__ import annotations

import numpy as np

from training.simulation.anatomy import Patient
from training.simulation.canvas import Field, Points, path_length, polyline_distance, smooth_path
from training.simulation.physics import Paths


def _smoothstep(low: float, high: float, value: Field) -> Field:
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)


def _section(x: Field, center: Field | float, half_width: Field | float, depth: Field | float, power: float) -> Field:
    """Thickness of a super-elliptic cross-section."""
    u = np.abs((x - center) / half_width)
    return 2.0 * depth * np.maximum(1.0 - np.minimum(u, 1.0) ** power, 0.0) ** (1.0 / power)


def _flesh(x: Field, y: Field, patient: Patient, shrink: float) -> Field:
    """Thickness of the body, its surface moved inwards by `shrink`. x < midline is the other, mirrored side."""
    from_midline = np.abs(x + patient.midline_mm)
    hip_width = patient.midline_mm + 62 + 10 * np.tanh((y - 10) / 60) + patient.fat_mm * 1.05 - shrink
    torso = _section(from_midline, 0.0, np.maximum(hip_width, 20.0), patient.pelvis_depth_mm - 0.8 * shrink, 2.6)
    center = patient.midline_mm + patient.shaft_x_mm - 16 - 0.06 * (y - 100)
    half = patient.thigh_half_width_mm + 0.85 * patient.fat_mm - 0.08 * (y - 100) - shrink
    thigh = _section(
        from_midline, center, np.maximum(half, 15.0), patient.thigh_depth_mm + 0.6 * patient.fat_mm - 0.9 * shrink, 2.2
    )
    # The trunk thins out over a hand's breadth while the thigh emerges from it.
    low = 25 + 10 * patient.shape[0]
    leaving, coming = 1 - _smoothstep(low, low + 135, y), _smoothstep(low - 110, low + 70, y)
    return ((torso * leaving) ** 3 + (thigh * coming) ** 3) ** (1 / 3)


def add_soft_tissue(paths: Paths, patient: Patient, rng: np.random.Generator) -> None:
    """Muscle within subcutaneous fat, fat planes along the muscles."""
    canvas = paths.canvas
    stride, x, y = canvas.coarse(5.0)
    wobble = 2.5 * np.sin(y / 47 + 3 * patient.shape[1]) + 1.5 * np.sin(y / 21 + 5 * patient.shape[2])
    body = _flesh(x + wobble, y, patient, 0.0)
    muscle = np.minimum(_flesh(x - 0.6 * wobble, y, patient, patient.fat_mm), body)
    body, muscle = (np.maximum(canvas.refine(part, stride), 0.0) for part in (body, muscle))
    fat = np.maximum(body - muscle, 0.0)

    # Fat planes: thin sheets seen nearly edge on, some millimetres deep along the beam each.
    planes = _fat_planes(patient, rng)
    stride, x, y = canvas.coarse(1.6)
    gap = np.zeros_like(x)
    for curve, depth, width in planes:
        distance, arc, beyond = polyline_distance(curve, x, y)
        fade = np.clip(np.minimum(arc, path_length(curve) - arc) / 25.0, 0.0, 1.0) * (beyond <= 0)
        gap += depth * fade * np.exp(-((distance / width) ** 2))
    gap = np.clip(canvas.refine(gap, stride), 0.0, None)
    streak = canvas.texture(rng, 80 + patient.adduction_deg, 4.5)  # bundles of muscle, faint
    gap += np.maximum(2.4 * streak, -3.0) + 2.0
    gap = np.minimum(np.maximum(gap, 0), 0.5 * muscle)
    paths["soft"][...] += muscle - gap
    paths["fat"][...] += fat + gap


def _fat_planes(patient: Patient, rng: np.random.Generator) -> list[tuple[Points, float, float]]:
    shaft = patient.shaft_x_mm
    s = rng.normal(0, 4, (8, 2))
    curves = [
        # gluteus medius and minimus, running down to the trochanter
        [(46 + s[0, 0], -95), (60 + s[0, 1], -50), (64, -18), (62, 4)],
        [(30 + s[1, 0], -80), (44 + s[1, 1], -45), (52, -12)],
        # iliopsoas to the lesser trochanter
        [(-40 + s[2, 0], -60), (-20 + s[2, 1], -10), (2, 28), (20, 54)],
        # vastus lateralis, tensor fasciae latae
        [(shaft + 30 + s[3, 0], 20), (shaft + 36 + s[3, 1], 80), (shaft + 33, 150), (shaft + 30, 240)],
        [(shaft + 44 + s[4, 0], -30), (shaft + 55 + s[4, 1], 50), (shaft + 52, 140), (shaft + 44, 240)],
        # adductors
        [(-52 + s[5, 0], 66), (-30 + s[5, 1], 120), (-6, 190), (4, 260)],
        [(-24 + s[6, 0], 90), (-2 + s[6, 1], 140), (14, 210), (20, 270)],
        [(-70 + s[7, 0], 70), (-58 + s[7, 1], 130), (-38, 210), (-30, 270)],
    ]
    planes = []
    for curve in curves:
        if rng.random() < 0.85:
            planes.append((smooth_path(curve, 5), float(rng.uniform(5, 22)), float(rng.uniform(0.9, 3.2))))
    return planes


def add_gas(paths: Paths, patient: Patient, rng: np.random.Generator) -> None:
    """Bowel gas: chains of lobes in the pelvis, medial to the bone."""
    canvas = paths.canvas
    count = int(rng.integers(0, 4) * (patient.gas > 0.25)) + (2 if patient.gas > 0.75 else 0)
    for _ in range(count):
        cx, cy = rng.uniform(-150, -38), rng.uniform(-150, 2)
        heading = rng.uniform(0, 2 * np.pi)
        lobes = int(rng.integers(2, 7))
        window = canvas.box((cx - 75, cy - 75), (cx + 75, cy + 75))
        draws = rng.uniform(0, 1, (lobes, 5))
        if window is None:
            continue
        slices, part = window
        stride, x, y = part.coarse(2.0)
        depth = np.zeros_like(x)
        for turn, step, size, flat, angle in draws:
            radius = 7 + 12 * size
            a, c = np.cos(angle * 3), np.sin(angle * 3)
            u, v = (
                ((x - cx) * a + (y - cy) * c) / radius,
                (-(x - cx) * c + (y - cy) * a) / (radius * (0.6 + 0.4 * flat)),
            )
            lobe = np.sqrt(np.maximum(1 - (u * u + v * v) ** 1.5, 0)) * radius * 1.1
            depth = np.sqrt(depth**2 + lobe**2)
            heading += (turn - 0.5) * 2.2
            cx += np.cos(heading) * radius * (0.7 + 0.6 * step)
            cy += np.sin(heading) * radius * (0.7 + 0.6 * step)
        air = np.maximum(part.refine(np.minimum(depth, 26), stride), 0)
        soft = paths["soft"][slices]
        soft -= np.minimum(air, 0.7 * np.maximum(soft, 0))


def add_skin_fold(paths: Paths, rng: np.random.Generator) -> None:
    """A fold of skin lying across the hip: one edge sharp, the other fading; a look-alike of a line."""
    canvas = paths.canvas
    x0, y0 = rng.uniform(5, 60), rng.uniform(-10, 110)
    angle = rng.normal(1.1, 0.5)
    d = np.array([np.cos(angle), np.sin(angle)])
    bend = rng.normal(0, 12)
    normal = np.array([-d[1], d[0]])
    middle = np.array([x0, y0])
    curve = smooth_path(
        [
            middle - 90 * d,
            middle - 40 * d + 0.4 * bend * normal,
            middle + 40 * d + 0.5 * bend * normal,
            middle + 90 * d,
        ],
        5,
    )
    depth = rng.uniform(2, 7)
    stride, x, y = canvas.coarse(1.6)
    distance, arc, beyond = polyline_distance(curve, x, y, 60.0)
    ends: Field = np.clip(np.minimum(arc, 180 - arc) / 40, 0, 1) * (beyond <= 0)
    distance, fade = canvas.refine(distance, stride), canvas.refine(ends, stride)
    edge = np.clip(0.5 + distance / rng.uniform(1.0, 3.5), 0, 1)
    fold = depth * np.clip(fade, 0, 1) * edge * np.exp(-np.maximum(distance, 0) / 9.0)
    paths["soft"][...] += fold
