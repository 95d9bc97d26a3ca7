"""Bones and soft tissue round a hip, in millimetres.

Frame of the pelvis: origin at the centre of the (native) femoral head, x lateral, y distal. Frame of the femur:
the same, turned about that origin, so that the shaft runs along y. A right hip is the mirror image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.simulation.canvas import Canvas, Field, Points, half_depth, path_length, polyline_distance, smooth_path
from training.simulation.physics import Paths


@dataclass(frozen=True)
class Patient:
    """Drawn once per image, independently of any label."""

    size: float  # scale of the skeleton
    midline_mm: float  # from the head centre
    fat_mm: float  # subcutaneous
    pelvis_depth_mm: float  # half thickness of the pelvis
    thigh_depth_mm: float
    thigh_half_width_mm: float
    bone_density: float  # of trabecular bone, share of cortical
    cortex: float  # scale of the cortical thickness (Dorr A 1.15 .. C 0.65)
    adduction_deg: float
    femur_offset_mm: float
    neck_length_mm: float  # moves the femur along y
    trochanter_mm: float
    pelvis_tilt: float  # height of the obturator foramen
    shape: tuple[float, ...]  # small wobbles of the outlines
    gas: float
    trabecular_contrast: float
    grain_mm: float

    @property
    def shaft_x_mm(self) -> float:
        return self.femur_offset_mm

    def to_pelvis(self, point: tuple[float, float]) -> tuple[float, float]:
        """From the femur's frame to that of the pelvis."""
        angle = np.deg2rad(self.adduction_deg)
        x, y = point
        return float(x * np.cos(angle) + y * np.sin(angle)), float(y * np.cos(angle) - x * np.sin(angle))


def draw_patient(rng: np.random.Generator, shifted: bool = False) -> Patient:
    wide = 1.3 if shifted else 1.0
    quality = rng.random()  # of the bone: porotic, Paget-like, or neither
    porotic, paget = quality < 0.08, quality > 0.97
    density, cortex, grain = (0.45, 0.72, 1.35) if porotic else (1.35, 1.2, 2.3) if paget else (1.0, 1.0, 1.0)
    return Patient(
        size=float(np.clip(rng.normal(1.0, 0.06 * wide), 0.84, 1.18)),
        midline_mm=float(rng.normal(89, 4)),
        fat_mm=float(np.clip(rng.lognormal(np.log(24), 0.5 * wide), 7, 75)),
        pelvis_depth_mm=float(np.clip(rng.normal(105, 14 * wide), 75, 150)),
        thigh_depth_mm=float(np.clip(rng.normal(76, 9 * wide), 52, 105)),
        thigh_half_width_mm=float(np.clip(rng.normal(84, 9), 64, 110)),
        bone_density=float(np.clip(density * rng.normal(0.17, 0.05 * wide), 0.05, 0.36)),
        cortex=float(np.clip(cortex * rng.normal(0.95, 0.17 * wide), 0.52, 1.4)),
        adduction_deg=float(rng.normal(4.0, 4.0)),
        femur_offset_mm=float(np.clip(rng.normal(43, 4), 33, 54)),
        neck_length_mm=float(rng.normal(0, 5)),
        trochanter_mm=float(rng.normal(0, 2.5)),
        pelvis_tilt=float(rng.normal(0, 1)),
        shape=tuple(rng.normal(0, 1, 40)),
        gas=float(rng.uniform(0, 1)),
        trabecular_contrast=float(rng.uniform(0.25, 1.15) * (1.5 if paget else 1.0)),
        grain_mm=float(rng.uniform(0.7, 1.7) * grain),
    )


# --- pelvis --------------------------------------------------------------------------------------------


def pelvis_outline(patient: Patient) -> tuple[Points, Points]:
    """(innominate bone, obturator foramen) in the pelvic frame."""
    w = patient.shape
    t = 3.0 * patient.pelvis_tilt
    medial = -patient.midline_mm + 3.5
    outer = [
        (25, -17), (28, -30), (31, -41), (32, -52 + w[3]), (38, -68), (50 + 2 * w[4], -86), (55, -104), (47, -132 + 3 * w[5]),
        (14, -156), (-26, -153), (-50, -128), (-55, -102), (-47 + w[6], -80), (-37, -64), (-32, -48), (-33, -30),
        (-35, -10), (-42, 3 + 0.3 * t), (-57, 12 + w[7]), (-74, 19 + 0.5 * t), (medial - 1, 24 + t), (medial, 40 + t), (medial + 2, 58 + t),
        (-75, 71 + t), (-60, 86 + 0.8 * t), (-44, 99 + w[8]), (-27, 101), (-15, 91 + w[9]), (-10, 72), (-11, 52), (-7, 38), (4, 29 + w[10]),
        (14, 22), (21, 10), (24, -4),
    ]  # fmt: skip
    foramen = [
        (-31, 37 + t), (-46, 32 + t + w[11]), (-61, 38 + t), (-68, 50 + t), (-61 + w[12], 66 + t), (-48, 80 + 0.8 * t), (-35, 78), (-27, 63 + w[13]), (-26, 47),
    ]  # fmt: skip
    return smooth_path(outer, 4, closed=True) * patient.size, smooth_path(foramen, 5, closed=True) * patient.size


def add_pelvis(paths: Paths, patient: Patient, rng: np.random.Generator, socket_mm: float | None) -> None:
    """One half of the pelvis; `socket_mm` is the radius of a native socket (None: a cup is drawn there)."""
    outline, foramen = pelvis_outline(patient)
    reach = 12.0
    window = paths.canvas.box(tuple(outline.min(axis=0) - reach), tuple(outline.max(axis=0) + reach))
    if window is None:
        return
    slices, canvas = window
    paths = paths.view(slices)
    x, y = canvas.coordinates
    distance = canvas.polygon(outline, 1.8)
    hole = canvas.polygon(foramen, 1.8)
    rough = canvas.noise(rng, 9.0) * 0.55 + canvas.noise(rng, 3.5) * 0.22
    distance = np.maximum(distance, -hole) + rough
    size = patient.size
    # Half thickness: a thin wing, a stout column round the socket, slender rami.
    stride, cx, cy = canvas.coarse(5.0)
    cx, cy = cx / size, cy / size
    bulk = (
        6.0
        + 17.0 * np.exp(-(((cx + 2) / 34) ** 2 + ((cy + 6) / 40) ** 2))
        + 8.0 * np.exp(-(((cx + 30) / 16) ** 2 + ((cy - 80) / 34) ** 2))
    )
    bulk += 5.0 * np.exp(-(((cx + 40) / 22) ** 2 + ((cy + 75) / 34) ** 2)) + 2.0 * np.exp(
        -(((cx + 78) / 14) ** 2 + ((cy - 40) / 26) ** 2)
    )
    radius = canvas.refine(bulk.astype(np.float32), stride) * size
    outer = half_depth(distance, radius)
    cortex = 1.1 * patient.cortex * np.clip(0.75 + 0.45 * canvas.noise(rng, 16.0), 0.12, 1.7) + 0.22 * rough
    inner = half_depth(distance, radius, -np.maximum(cortex, 0.12))
    if socket_mm is not None:
        # The socket is empty bone: half a ball that opens downwards and outwards.
        ball = np.sqrt(np.maximum(socket_mm**2 - x * x - y * y, 0.0))
        opening = np.clip(0.5 - 0.5 * (0.75 * x + 0.66 * y) / np.maximum(ball, 1.0), 0.0, 1.0)
        removed = ball * np.clip(1.15 - 0.75 * opening, 0.3, 1.0) * 0.85
        rim = ball - np.sqrt(np.maximum((socket_mm - 1.2) ** 2 - x * x - y * y, 0.0)) * (ball > 0)
        inner = np.maximum(inner - removed, 0.0)
        outer = np.maximum(outer - removed, 0.35 * outer) + 0.25 * rim * 0
    shell = np.maximum(outer - inner, 0.0) * 2.0
    spongy = 2.0 * inner
    texture = canvas.texture(rng, 75, patient.grain_mm) * 0.6 + canvas.texture(rng, 135, patient.grain_mm * 1.3) * 0.5
    density = 1.05 * patient.bone_density * (1 + 0.24 * patient.trabecular_contrast * texture)
    density *= 1 + 0.13 * canvas.noise(rng, 14.0)
    # The roof carries the load: dense above the socket, fading upwards and medially.
    stride, cx, cy = canvas.coarse(2.5)
    r = np.hypot(cx, cy) / size
    toward = np.clip((-cy * 0.86 + cx * 0.30) / np.maximum(r * size, 1), 0, 1)
    roof = np.exp(-np.maximum(r - 27, 0) / 13.0) * toward**2 * (r > 20)
    density *= 1 + 0.9 * canvas.refine(roof.astype(np.float32), stride)
    mineral = spongy * np.maximum(density, 0.02)
    paths.insert("bone", shell * 0.9 + mineral)
    marrow = np.maximum(spongy - mineral, 0.0) * 0.6
    paths.insert("fat", np.minimum(marrow, np.maximum(paths["soft"], 0)))
    add_pelvic_lines(paths, canvas, patient, rng, socket_mm is not None)


def add_pelvic_lines(paths: Paths, canvas: Canvas, patient: Patient, rng: np.random.Generator, native: bool) -> None:
    """Cortices seen edge on: iliopectineal and ilioischial lines, teardrop, rims, sourcil."""
    lines: list[tuple[list[tuple[float, float]], float, float]] = [
        ([(-48, -86), (-36, -56), (-31, -30), (-33, -6), (-44, 6), (-62, 16), (-78, 24)], 6.0, 1.0),
        ([(-37, -62), (-30, -36), (-27, -8), (-27, 22), (-30, 55), (-34, 82)], 5.0, 0.9),
        ([(-28, 4), (-30, 18), (-28.5, 26), (-24.5, 27.5), (-22, 22), (-21, 12), (-22, 2)], 5.5, 0.8),
        ([(20, -68), (34, -88), (44, -104), (40, -126)], 3.0, 2.5),
    ]
    if native:
        r = 26.5
        sourcil = [(r * np.sin(a), -r * np.cos(a)) for a in np.deg2rad([-62, -45, -28, -10, 8, 26, 44, 58])]
        lines.append((sourcil, 8.0, 1.1))
        lines.append(([(24, -15), (17, 2), (9, 16), (-4, 27)], 2.5, 0.9))
        lines.append(([(23, -14), (8, -4), (-5, 8), (-14, 18)], 2.0, 0.9))
    stride, x, y = canvas.coarse(1.3)
    total = np.zeros_like(x)
    for curve, depth, width in lines:
        jitter = np.asarray(curve) * patient.size + rng.normal(0, 0.8, (len(curve), 2))
        path = smooth_path(jitter, 4)
        distance, arc, beyond = polyline_distance(path, x, y)
        length = path_length(path)
        ends = np.clip(np.minimum(arc, length - arc) / (0.18 * length), 0.0, 1.0) * np.exp(-np.maximum(beyond, 0))
        total += depth * rng.uniform(0.6, 1.2) * ends * np.exp(-((distance / (width * rng.uniform(0.8, 1.3))) ** 2))
    strength = np.clip(1 + 0.25 * canvas.noise(rng, 6.0), 0.3, 1.6)
    paths.insert("bone", np.maximum(canvas.refine(total.astype(np.float32), stride), 0) * strength * patient.cortex)


def add_sacrum(paths: Paths, patient: Patient, rng: np.random.Generator) -> None:
    """Sacrum, its foramina and the last vertebra, round the midline (both sides at once)."""
    m = -patient.midline_mm
    window = paths.canvas.box((m - 80, -230), (m + 80, 10))
    if window is None:
        return
    slices, canvas = window
    paths = paths.view(slices)
    half = [(38, -128), (50, -112), (46, -92), (34, -62), (20, -32), (9, -12), (3, 4)]
    outline = smooth_path(
        [(m + px, py) for px, py in half] + [(m - px, py) for px, py in reversed(half)], 4, closed=True
    )
    distance = canvas.polygon(outline, 2.5) + canvas.noise(rng, 6.0) * 0.7
    body = np.maximum(half_depth(distance, 14.0), 0)
    inner = half_depth(distance, 14.0, -1.1)
    x, y = canvas.coordinates
    holes = np.zeros_like(x)
    for level in range(4):
        for side in (-1, 1):
            cx, cy = m + side * (22 - 3.5 * level), -104 + 23 * level
            holes += np.exp(-((((x - cx) / 5.5) ** 2 + ((y - cy) / 4.5) ** 2) ** 1.5))
    texture = canvas.texture(rng, 90, patient.grain_mm * 1.2)
    density = patient.bone_density * 0.8 * (1 + 0.2 * texture * patient.trabecular_contrast) * (1 - 0.55 * holes)
    paths.insert("bone", 2 * (body - inner) * 0.7 * (1 - 0.5 * holes) + 2 * inner * np.maximum(density, 0.02))
    vertebra = smooth_path(
        [(m - 27, -180), (m + 27, -180), (m + 23, -160), (m + 28, -138), (m - 28, -138), (m - 23, -160)], 4, closed=True
    )
    distance = canvas.polygon(vertebra, 2.0) + canvas.noise(rng, 5.0) * 0.5
    outer, inner = half_depth(distance, 17.0), half_depth(distance, 17.0, -1.2)
    paths.insert("bone", 2 * (outer - inner) * 0.8 + 2 * inner * patient.bone_density * 0.8)


def add_ossification(paths: Paths, patient: Patient, rng: np.random.Generator) -> None:
    """Heterotopic bone between trochanter and pelvis: islands, or a bridge of them, in the pelvic frame."""
    start = np.array([patient.shaft_x_mm + rng.uniform(-2, 16), rng.uniform(-14, 4)])
    end = np.array([rng.uniform(22, 40), -rng.uniform(24, 60)])
    for at in rng.uniform(0, 1, int(rng.integers(1, 6))):
        cx, cy = start + at * (end - start) + rng.normal(0, 4, 2)
        size, slim, turn = rng.uniform(4, 12), rng.uniform(0.4, 0.9), rng.uniform(0, np.pi)
        window = paths.canvas.box((cx - 16, cy - 16), (cx + 16, cy + 16))
        if window is None:
            continue
        slices, part = window
        x, y = part.coordinates
        u, v = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn), (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)
        edge = (np.hypot(u, v / slim) - size) * slim + 1.2 * part.noise(rng, 4.0)
        shell = half_depth(edge, slim * size) - half_depth(edge, slim * size, -0.9)
        paths.view(slices).insert("bone", 2 * shell * 0.8 + 0.25 * half_depth(edge, slim * size))


# --- femur ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FemurShape:
    """Silhouette and cavity of the proximal femur, in its own frame."""

    outline: Points
    shaft_x_mm: float
    radius_mm: float  # of the shaft

    def canal_half_width(self, y: np.ndarray, patient: Patient) -> np.ndarray:
        """Half width of the medullary canal at height y, about the shaft axis."""
        return self.radius_mm - cortex_mm(y, patient)


_CORTEX_Y = (-15.0, 10.0, 30.0, 50.0, 70.0, 95.0, 125.0, 160.0, 260.0)
_CORTEX_MM = (1.0, 1.3, 1.8, 3.2, 4.8, 6.0, 6.8, 7.2, 7.4)


def cortex_mm(y: np.ndarray, patient: Patient) -> np.ndarray:
    """Thickness of the cortex at height y of the femoral frame."""
    return np.interp(y - patient.neck_length_mm, _CORTEX_Y, np.asarray(_CORTEX_MM) * patient.cortex)


def femur_shape(patient: Patient, native: bool, cut_mm: float = 0.0) -> FemurShape:
    """`cut_mm` moves the resection of the neck distally."""
    s = patient.shaft_x_mm / patient.size
    w = patient.shape
    n = patient.neck_length_mm / patient.size
    g = patient.trochanter_mm
    r = 14.2 + 0.6 * w[14]
    # fmt: off
    lateral = [
        (s + 6, -8 + n + g), (s + 13, -7 + n + g + w[15]), (s + 20, -1 + n), (s + 25 + w[16], 10 + n), (s + 26.5 + w[17], 22 + n), (s + 23.5, 36 + n),
        (s + 19, 52 + n), (s + r + 1.8, 72 + n), (s + r + 0.6, 98 + n), (s + r, 130 + n), (s + r, 200 + n), (s + r + 0.5, 330 + n), (s + r + 8, 460 + n),
    ]
    medial = [
        (s - r - 8, 460 + n), (s - r - 0.5, 330 + n), (s - r, 200 + n), (s - r, 130 + n), (s - r - 0.8, 102 + n), (s - r - 3, 86 + n), (s - r - 6.5 + 0.7 * w[18], 74 + n),
        (s - r - 9 + w[19], 64 + n), (s - r - 9.3 + 0.5 * w[19], 54 + n), (s - r - 9.8, 44 + n),
    ]
    if native:
        neck = [
            (s - r - 12.5, 36 + n), (16, 27), (5, 23), (-8, 22), (-20, 12), (-23, -4), (-17, -17), (-2, -24), (12, -20), (20, -9), (27, -1),
            (s - 7, 7 + n), (s - 2, 3 + n), (s + 1, -3 + n + g),
        ]
    else:
        neck = [
            (s - r - 12.0 - 0.2 * cut_mm, 36 + n + cut_mm), (s - r - 12.5, 32 + n + cut_mm), (s - r - 6, 27 + n + 0.8 * cut_mm),
            (s - 10, 18 + n + 0.5 * cut_mm), (s - 2, 11 + n), (s + 0.5, 4 + n), (s + 2, -3 + n + g),
        ]
    # fmt: on
    outline = smooth_path(lateral + medial + neck, 4, closed=True) * patient.size
    return FemurShape(outline, patient.shaft_x_mm, r * patient.size)


@dataclass(eq=False)
class FemurFields:
    """What the drawing of the femur left, for the implant: half depths over the canvas of the femur's window."""

    slices: tuple[slice, slice]
    canvas: Canvas
    outer: Field
    inner: Field
    distance: Field
    density: Field
    cortex: Field


def femur_fields(canvas: Canvas, patient: Patient, shape: FemurShape, rng: np.random.Generator) -> FemurFields | None:
    """Half depths of the femur's outer and endosteal surfaces, and the density of the bone within."""
    low = shape.outline.min(axis=0) - 8
    high = shape.outline.max(axis=0) + 8
    window = canvas.box((low[0], low[1]), (high[0], high[1]))
    rough_rng, texture_rng = rng.spawn(2)
    if window is None:
        return None
    slices, part = window
    x, y = part.coordinates
    n = patient.neck_length_mm
    mottled = np.clip((60 + n - y) / 45, 0.0, 1.0)
    distance = part.polygon(shape.outline, 1.3)
    distance += (part.noise(rough_rng, 5.0) * 0.35 + part.noise(rough_rng, 2.2) * 0.18) * (0.25 + mottled)
    wall = np.interp(y - n, _CORTEX_Y, np.asarray(_CORTEX_MM) * patient.cortex).astype(np.float32)
    medial = np.clip((shape.shaft_x_mm - x) / 14.0, 0.0, 1.0)
    calcar = medial * np.exp(-(((y - n - 46) / 22) ** 2))
    wall = wall * (1 + 0.7 * calcar)
    endosteal = part.noise(rough_rng, 11.0) * 0.32 + part.noise(rough_rng, 3.0) * 0.16
    wall = np.maximum(wall * (1 + 0.10 * part.noise(rough_rng, 20.0)) + endosteal, 0.5)
    wall *= np.clip((y - n + 30) / 30, 0.55, 1.0)
    radius = np.float32(shape.radius_mm * 1.04) + 4.0 * mottled
    outer = half_depth(distance, radius)
    inner = half_depth(distance, radius, -wall)
    proximal = np.clip((92 + n - y) / 75, 0.0, 1.0)
    # Two systems of struts: from the calcar up to the head, and arching below the trochanter.
    lean = 90 - np.rad2deg(np.arctan2(canvas.matrix[0, 1], canvas.matrix[1, 1]))
    strands = (
        part.texture(texture_rng, lean + 35, patient.grain_mm) * 0.55
        + part.texture(texture_rng, lean - 40, patient.grain_mm) * 0.5
    )
    strands += part.texture(texture_rng, lean, patient.grain_mm * 1.4) * 0.35
    patches = part.noise(texture_rng, 7.0)
    density = patient.bone_density * (0.12 + 0.88 * proximal**1.4)
    density *= 1 + 0.34 * patient.trabecular_contrast * strands + 0.20 * mottled * patches
    return FemurFields(slices, part, outer, inner, distance, np.maximum(density, 0.004), wall)


def add_femur(paths: Paths, fields: FemurFields, envelope: Field | None = None) -> None:
    """Put the bone in; `envelope` is the half depth of what was implanted, in the femur's window."""
    part = paths.view(fields.slices)
    cavity = np.zeros_like(fields.outer) if envelope is None else np.minimum(envelope, fields.outer)
    inner = np.maximum(fields.inner, cavity)
    cortex = 2.0 * np.maximum(fields.outer - inner, 0.0)
    spongy = 2.0 * np.maximum(fields.inner - cavity, 0.0)
    mineral = spongy * fields.density
    part.insert("bone", 0.93 * cortex + mineral)
    part.insert("fat", 0.85 * (spongy - mineral))


def add_native_head(paths: Paths, canvas: Canvas, patient: Patient, rng: np.random.Generator) -> None:
    """The head's ball on top of the neck: its subchondral shell and dense core."""
    r = 24.0 * patient.size
    window = canvas.box((-r - 3, -r - 3), (r + 3, r + 3))
    if window is None:
        return
    slices, part = window
    view = paths.view(slices)
    x, y = part.coordinates
    d = np.hypot(x, y) - r + part.noise(rng, 8.0) * 0.25
    outer, inner = half_depth(d, r), half_depth(d, r, -0.8)
    texture = part.texture(rng, 75, patient.grain_mm * 0.7)
    core = 1 + 0.5 * np.exp(-(((x + 2 + 0.35 * y) / 9) ** 2))
    density = patient.bone_density * 0.65 * core * (1 + 0.10 * patient.trabecular_contrast * texture)
    existing = 0.55  # part of the ball has been counted with the neck's silhouette
    view.insert("bone", 2 * (outer - inner) * 0.5 + 2 * inner * density * (1 - existing))
