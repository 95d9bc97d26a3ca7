"""Stems, necks and heads: their silhouettes in a patient, and what they do to the bone's path lengths."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from training.simulation.anatomy import FemurFields, FemurShape, Patient
from training.simulation.canvas import Canvas, Field, Points, half_depth, polygon_distance, polyline_distance
from training.simulation.loosening import SAMPLES, ComponentPlan
from training.simulation.physics import Paths
from training.simulation.stem_families import FAMILIES, StemFamily


@dataclass(frozen=True)
class StemDesign:
    """One stem, sized to a patient."""

    family: StemFamily
    length_mm: float
    scale: float
    depth_mm: float
    head_mm: float  # diameter
    material: str
    head_material: str
    texture: float  # of a coating, 0-1


def draw_stem(rng: np.random.Generator, names: tuple[str, ...]) -> StemDesign:
    family = FAMILIES[names[int(rng.integers(len(names)))]]
    ceramic = rng.random() < (0.35 if not family.cemented else 0.08)
    return StemDesign(
        family,
        float(rng.uniform(*family.length_mm)),
        float(np.clip(rng.normal(1.0, 0.075), 0.84, 1.18)),
        float(rng.uniform(*family.depth_mm)),
        float(family.heads_mm[int(rng.integers(len(family.heads_mm)))]),
        family.material if rng.random() < 0.85 else ("cobalt" if family.material == "titanium" else family.material),
        "ceramic" if ceramic else "cobalt",
        float(rng.uniform(0, 1)),
    )


@dataclass(frozen=True, eq=False)
class StemShape:
    """The silhouette in the stem's frame (head at the origin, axis along y at `axis_x`)."""

    body: Points  # closed
    interface: Points  # open: lateral shoulder, tip, medial neck; the part that bone or cement holds
    mantle_mm: np.ndarray  # (SAMPLES,) cement round the stem at equal arc lengths; zeros without
    zones: np.ndarray  # (SAMPLES,) Gruen zone 1-7
    heights: np.ndarray  # (SAMPLES,) y
    shoulder: tuple[float, float]
    tip: tuple[float, float]
    axis_top: tuple[float, float]
    neck_base: tuple[float, float]
    collar: Points | None


def _profile(depth: np.ndarray, stations: tuple[tuple[float, float], ...]) -> np.ndarray:
    return np.interp(depth, [at for at, _ in stations], [width for _, width in stations])


def stem_shape(design: StemDesign, patient: Patient, femur: FemurShape, rng: np.random.Generator) -> StemShape:
    family, x0 = design.family, patient.shaft_x_mm
    top = 15.0 * patient.size + patient.neck_length_mm
    length = design.length_mm
    depth = np.linspace(0.0, 1.0, 60)
    lateral = _profile(depth, family.lateral) * design.scale * patient.size
    medial = _profile(depth, family.medial) * design.scale * patient.size
    y = top + depth * length
    canal = femur.canal_half_width(y, patient)
    distal = np.clip((depth - 0.35) / 0.2, 0.0, 1.0)
    if family.cemented:
        room = np.maximum(canal - rng.uniform(1.4, 4.6), 2.6)
    else:
        room = np.maximum(canal * family.fill * rng.uniform(0.74, 1.0) - 0.2, 3.0)
    lateral = lateral * (1 - distal) + np.minimum(lateral, room) * distal
    medial = medial * (1 - distal) + np.minimum(medial, room) * distal
    lateral = np.minimum(lateral, 13.0 * patient.size)
    bow = family.bow_mm * np.sin(np.pi * np.clip((depth - 0.2) / 0.8, 0, 1)) - 0.3 * family.bow_mm
    keep_medial = depth >= family.medial[0][0]
    tip_y = top + length
    last = 0.5 * (lateral[-1] + medial[-1])
    lateral_side = np.column_stack([x0 + bow + lateral, y])
    medial_side = np.column_stack([x0 + bow - medial, y])[keep_medial][::-1]
    angle = np.linspace(0, np.pi, 11)[1:-1]
    middle = x0 + bow[-1] + 0.5 * (lateral[-1] - medial[-1])
    cap = np.column_stack([middle + last * np.cos(angle), tip_y + family.tip * last * np.sin(angle)])
    interface = np.vstack([lateral_side[2:], cap, medial_side])
    neck_base = 0.68 * medial_side[-1] + 0.32 * lateral_side[0]
    up = -neck_base / np.hypot(*neck_base)
    fillet = neck_base + 9.0 * up + (1.12 * family.neck_mm) * np.array([-up[1], up[0]])
    body = np.vstack([fillet, lateral_side[:1] + np.array([-1.5, 0.0]), lateral_side[1:], cap, medial_side])

    ix, iy = path_points(interface).T
    at = np.linspace(0.0, 1.0, SAMPLES)
    half = np.abs(ix - x0)
    mantle = np.zeros(SAMPLES)
    if family.cemented:
        wall = femur.canal_half_width(iy, patient)
        mantle = np.clip(wall - half, 1.2, 7.0) * np.clip(1 + 0.12 * rng.standard_normal(), 0.8, 1.2)
        proximal = iy < top + 0.25 * length
        mantle = np.where(proximal, np.clip(mantle, 2.0, 5.5), mantle)
        mantle += np.convolve(rng.normal(0, 0.6, SAMPLES + 20), np.ones(21) / 21, "valid") * 2.0
        mantle = ndimage.gaussian_filter1d(mantle, 5.0, mode="nearest")
        mantle = np.maximum(mantle, 0.8)
        below = np.exp(-(((at - at[np.argmax(iy)]) / 0.02) ** 2))
        mantle += below * rng.uniform(1, 7)  # the plug of cement beyond the tip
    turn = int(np.argmax(iy))
    side = np.arange(SAMPLES) <= turn
    share = (iy - top) / (tip_y - top)
    third = np.clip((share / 0.92 * 3).astype(int), 0, 2)
    zones = np.where(share > 0.92, 4, np.where(side, 1 + third, 7 - third))
    collar = None
    if family.collar_mm:
        mx, my = medial_side[-1]
        direction = np.array([-0.72, -0.69])
        across = np.array([0.69, -0.72]) * 1.6
        start, end = np.array([mx + 4, my]), np.array([mx, my]) + direction * -0.0 + np.array([-family.collar_mm, 1.0])
        collar = np.vstack([start + across, end + across * 0.8, end - across * 0.8, start - across])
    return StemShape(
        body, interface, mantle, zones, iy,
        (float(lateral_side[1, 0]), float(lateral_side[1, 1])),
        (float(middle), float(tip_y + family.tip * last)),
        (float(x0 + np.interp(0.3, depth, bow)), float(top + 0.3 * length)),
        (float(neck_base[0]), float(neck_base[1])),
        collar,
    )  # fmt: skip


@dataclass(eq=False)
class ComponentFields:
    """Masks over one window, for the truth and the contrast of lines."""

    slices: tuple[slice, slice]
    implant: np.ndarray
    interface: np.ndarray  # the periprosthetic band
    line: np.ndarray  # lucent line (any width that is drawn)
    line_width: Field  # its width there, mm
    inside: np.ndarray  # neighbours on the implant's side
    outside: np.ndarray  # neighbours on the bone's side
    position: Field  # 0-1 along the interface
    cracks: np.ndarray


def along(values: np.ndarray, position: Field) -> Field:
    """A function of the position along an interface, at every pixel."""
    index = np.clip((position * (SAMPLES - 1)).astype(np.int32), 0, SAMPLES - 2)
    part = np.clip(position * (SAMPLES - 1) - index, 0, 1).astype(np.float32)
    table = values.astype(np.float32)
    return table[index] * (1 - part) + table[index + 1] * part


OSTEOID = 0.16  # of cortical bone: what a membrane that is not wholly lucent may hold
CORTEX_LEFT_MM = 1.8  # what a line leaves of the bone beyond it


def fit_to_bone(plan: ComponentPlan, stem_canvas: Canvas, femur: FemurFields, shape: StemShape) -> ComponentPlan:
    """The plan with its lines no wider than the bone has room for; where the femur is not seen it is unchanged."""
    at = path_points(shape.interface)
    world = stem_canvas.to_pixels(at) - (femur.slices[1].start, femur.slices[0].start)
    depth = ndimage.map_coordinates(-femur.distance, world[:, ::-1].T, order=1, mode="constant", cval=np.nan)
    room = np.where(np.isfinite(depth), depth, 50.0) - CORTEX_LEFT_MM
    outer = np.clip(np.minimum(plan.outer_mm, room), 0.0, None)
    inner = np.clip(np.minimum(plan.inner_mm, room), 0.0, None)
    return replace(plan, outer_mm=outer, inner_mm=inner)


def path_points(path: Points) -> Points:
    """(SAMPLES, 2) points at equal arc lengths."""
    arcs = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    at = np.linspace(0, arcs[-1], SAMPLES)
    return np.column_stack([np.interp(at, arcs, path[:, i]) for i in (0, 1)])


def add_stem(
    paths: Paths,
    stem_canvas: Canvas,
    femur: FemurFields,
    shape: StemShape,
    design: StemDesign,
    plan: ComponentPlan,
    rng: np.random.Generator,
) -> tuple[Field, ComponentFields | None]:
    """Draw stem, cement and membrane; returns (envelope over the femur's window, masks over the stem's)."""
    envelope = np.zeros_like(femur.outer)
    low, high = shape.body.min(axis=0) - 13, shape.body.max(axis=0) + 13
    # The stem's window is cut out of the femur's, so that both share their pixels.
    local = Canvas(femur.canvas.rows, femur.canvas.cols, _shifted_matrix(stem_canvas, femur.slices))
    window = local.box(tuple(low), tuple(high))
    if window is None:
        return envelope, None
    slices, canvas = window
    whole = tuple(
        slice(outer.start + inner.start, outer.start + inner.stop)
        for outer, inner in zip(femur.slices, slices, strict=True)
    )
    part = paths.view(whole)  # type: ignore[arg-type]
    stride, x, y = canvas.coarse(0.9)
    distance = canvas.refine(polygon_distance(shape.body, x, y), stride)
    _, arc, beyond = polyline_distance(shape.interface, x, y)
    total = float(np.hypot(*np.diff(shape.interface, axis=0).T).sum())
    position = np.clip(canvas.refine((arc / total).astype(np.float32), stride), 0, 1)
    beyond = canvas.refine(beyond, stride)
    held = np.clip(1.0 - beyond / 1.5, 0.0, 1.0)

    outer_bone = femur.outer[slices]
    radius = design.depth_mm
    fray = canvas.noise(rng, 9.0) * 0.20 + canvas.noise(rng, 3.0) * 0.07
    inner_line = along(plan.inner_mm, position) * held
    mantle = along(shape.mantle_mm, position) * held
    mantle = np.where(mantle > 0, np.maximum(mantle + 2.2 * fray, 0.3 * mantle), 0.0)
    line = along(plan.outer_mm, position) * held
    line = np.where(line > 0.25, np.maximum(line + 1.6 * fray * np.minimum(line / 2.0, 1.0), 0.0), 0.0)
    rim = along(plan.rim_mm, position) * held * np.clip(1 + 2.2 * fray, 0.2, 2.0)
    room = np.maximum(distance - femur.distance[slices] - CORTEX_LEFT_MM, 0.3)  # to the outside of the bone
    k1 = np.minimum(inner_line, room)
    # Cement fills the canal and hardly enters the cortex; a line may eat into it.
    to_wall = np.maximum(distance - femur.distance[slices] - femur.cortex[slices] + 0.4, 0.8)
    k2 = np.maximum(np.minimum(k1 + np.minimum(mantle, to_wall), room - line), k1)
    k3 = np.maximum(np.minimum(k2 + line, room), k2)
    k4 = k3 + rim
    metal = half_depth(distance, radius)
    h1, h2, h3, h4 = (
        np.minimum(np.maximum(half_depth(distance, radius, k), metal), outer_bone) for k in (k1, k2, k3, k4)
    )
    h1, h2, h3, h4 = h1, np.maximum(h2, h1), np.maximum(h3, h2), np.maximum(h4, h3)

    h1_gap = np.maximum(h1 - np.minimum(metal, outer_bone), 0.0) * (inner_line > 0.3)

    # Cracks run across the mantle, a little oblique.
    cracks = np.zeros(distance.shape, bool)
    cement = 2.0 * (h2 - h1)
    for place in plan.mantle_cracks:
        crossing = np.abs(position - place + 0.004 * distance / 3.0) * total
        crack = (crossing < 0.9 + 0.3 * fray) & (distance > k1) & (distance < k2)
        cracks |= crack
        cement = np.where(crack, 0.12 * cement, cement)
    if plan.label is not None and mantle.any():
        voids = canvas.noise(rng, 3.0)
        cement *= np.where(voids > 2.2, 0.7, 1.0)
    part.insert("cement", cement)
    part.insert("bone", plan.rim_density * 2.0 * (h4 - h3))
    clouded = 1.0 - along(plan.clarity, position)
    part.insert("bone", OSTEOID * clouded * 2.0 * (h3 - h2))
    part.insert("cement", 0.5 * clouded * 2.0 * h1_gap)
    envelope[slices] = np.maximum(h4, np.minimum(metal, outer_bone))

    metal_path = 2.0 * metal
    insert_metal(part, design.material, metal_path)
    if shape.collar is not None:
        d = canvas.refine(polygon_distance(shape.collar, x, y), stride)
        insert_metal(part, design.material, np.maximum(2.0 * half_depth(d, 1.7) * 3.5 - metal_path, 0.0))

    if plan.pedestal:
        tx, ty = shape.tip
        px, py = canvas.coordinates
        level = py - ty - 5.0 - 2.0 * fray - 0.02 * (px - tx) ** 2
        plug = plan.pedestal * np.exp(-((level / 1.8) ** 2)) * 2.0 * femur.inner[slices]
        part.insert("bone", 0.5 * plug)

    solid = distance < 0
    on_bone = outer_bone > 0.5
    outside_line = (distance > k2) & (distance < k3) & (line > 0.3) & on_bone
    inside_line = (distance > 0) & (distance < k1) & (inner_line > 0.3) & on_bone
    drawn = outside_line | inside_line
    start = np.where(inner_line > line, 0.0, k2)
    end = np.where(inner_line > line, k1, k3)
    any_line = (np.maximum(line, inner_line) > 0.3) & on_bone & (held > 0.5)
    return envelope, ComponentFields(
        whole,  # type: ignore[arg-type]
        solid,
        (distance > -1.0) & (distance < k4 + 3.0) & (held > 0.2) & on_bone,
        drawn,
        np.maximum(line, inner_line),
        any_line & (distance < start) & (distance > start - 1.7),
        any_line & (distance > end) & (distance < end + 1.6),
        position,
        cracks,
    )


def _shifted_matrix(canvas: Canvas, slices: tuple[slice, slice]) -> np.ndarray:
    matrix = canvas.matrix.copy()
    matrix[:, 2] += matrix[:, 0] * slices[1].start + matrix[:, 1] * slices[0].start
    return matrix


def insert_metal(paths: Paths, material: str, path: Field) -> None:
    if material == "ceramic":  # alumina attenuates about as titanium does
        paths.insert("titanium", 0.75 * path)
    else:
        paths.insert(material, path)


def add_head_and_neck(
    paths: Paths, canvas: Canvas, shape: StemShape, design: StemDesign, head: tuple[float, float]
) -> np.ndarray:
    """The modular head and the neck up to it, in the stem's frame; returns their mask over the whole canvas."""
    mask = np.zeros((canvas.rows, canvas.cols), bool)
    radius = design.head_mm / 2
    bx, by = shape.neck_base
    low = (min(bx, head[0] - radius) - 9, min(by, head[1] - radius) - 9)
    high = (max(bx, head[0] + radius) + 9, max(by, head[1] + radius) + 9)
    window = canvas.box(low, high)
    if window is None:
        return mask
    slices, part = window
    view = paths.view(slices)
    x, y = part.coordinates
    length = float(np.hypot(head[0] - bx, head[1] - by))
    ux, uy = (head[0] - bx) / length, (head[1] - by) / length
    along_neck = (x - bx) * ux + (y - by) * uy
    across = np.abs((x - bx) * uy - (y - by) * ux)
    t = np.clip(along_neck / length, 0, 1)
    half = design.family.neck_mm * (1.45 - 0.62 * np.minimum(t * 1.5, 1.0)) + 3.5 * np.exp(-((t / 0.14) ** 2))
    inside = np.where((along_neck > -4) & (along_neck < length), across - half, 9.0)
    ball = np.hypot(x - head[0], y - head[1]) - radius
    neck_path = 2.0 * half_depth(inside, np.maximum(half, 3.0)) * 0.95
    ball_path = 2.0 * half_depth(ball, radius)
    existing = view["titanium"] + view["cobalt"]
    insert_metal(view, design.material, np.maximum(np.where(ball < 0, 0, neck_path) - existing, 0))
    insert_metal(view, design.head_material, ball_path)
    mask[slices] = (inside < 0) | (ball < 0)
    return mask


def add_cerclage(paths: Paths, canvas: Canvas, patient: Patient, rng: np.random.Generator) -> None:
    """A wire or cable round the shaft, or wires through the trochanter."""
    x0 = patient.shaft_x_mm
    for _ in range(int(rng.integers(1, 4))):
        level = rng.uniform(38, 130)
        half = 15.5 + max(0.0, (75 - level) * 0.12)
        sag = rng.uniform(1.5, 4.5)
        slope = rng.normal(0, 2)
        t = np.linspace(0, 2 * np.pi, 40)
        curve = np.column_stack(
            [x0 - max(0.0, (80 - level) * 0.06) + half * np.cos(t), level + sag * np.sin(t) + slope * np.cos(t)]
        )
        window = canvas.box(tuple(curve.min(axis=0) - 4), tuple(curve.max(axis=0) + 4))
        if window is None:
            continue
        slices, part = window
        stride, x, y = part.coarse(0.7)
        distance, _, _ = polyline_distance(curve, x, y)
        distance = part.refine(np.abs(distance), stride)
        paths.view(slices).insert("cobalt", 2.2 * np.sqrt(np.maximum(0.75**2 - distance**2, 0.0)))
