"""Stems, heads and cups: families of silhouettes, and what they do to the bone's path lengths."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from training.simulation.anatomy import FemurFields, FemurShape, Patient
from training.simulation.canvas import (
    Canvas,
    Field,
    Points,
    half_depth,
    polygon_distance,
    polyline_distance,
)
from training.simulation.loosening import SAMPLES, ComponentPlan
from training.simulation.physics import Paths


@dataclass(frozen=True)
class StemFamily:
    """Half widths in mm about the shaft's axis at depths below the shoulder; depth is the AP radius."""

    name: str
    cemented: bool
    length_mm: tuple[float, float]
    lateral: tuple[tuple[float, float], ...]  # (depth as a share of the length, half width)
    medial: tuple[tuple[float, float], ...]
    depth_mm: tuple[float, float]
    material: str
    fill: float = 1.0  # of the canal, distally (cementless)
    collar_mm: float = 0.0
    bow_mm: float = 0.0
    neck_mm: float = 6.0  # half width
    tip: float = 1.0  # roundness
    heads_mm: tuple[float, ...] = (28.0, 32.0, 36.0)


FAMILIES: dict[str, StemFamily] = {
    family.name: family
    for family in (
        StemFamily(
            "straight_taper", False, (125, 160),
            ((0, 6.5), (0.08, 8.5), (0.3, 8.6), (0.6, 7.4), (1, 5.0)),
            ((0.09, 21.0), (0.18, 16.0), (0.3, 12.0), (0.45, 9.5), (0.7, 7.4), (1, 5.0)),
            (6.5, 9.0), "titanium", 0.93, heads_mm=(28.0, 32.0, 36.0, 40.0),
        ),
        StemFamily(
            "anatomic", False, (118, 150),
            ((0, 7.0), (0.1, 10.5), (0.3, 10.5), (0.55, 8.5), (1, 6.0)),
            ((0.1, 24.0), (0.2, 19.0), (0.34, 13.5), (0.5, 9.5), (0.75, 7.5), (1, 6.0)),
            (7.5, 10.0), "titanium", 1.0, bow_mm=3.0,
        ),
        StemFamily(
            "collared", False, (115, 155),
            ((0, 6.0), (0.06, 8.0), (0.3, 8.2), (0.6, 6.6), (1, 4.0)),
            ((0.1, 21.0), (0.2, 15.5), (0.35, 11.0), (0.5, 8.4), (0.75, 6.4), (1, 4.0)),
            (6.5, 8.5), "titanium", 0.88, collar_mm=7.0, heads_mm=(28.0, 32.0, 36.0, 40.0),
        ),
        StemFamily(
            "short", False, (85, 108),
            ((0, 6.0), (0.12, 8.0), (0.4, 8.2), (0.7, 7.0), (1, 4.5)),
            ((0.13, 22.0), (0.26, 17.0), (0.45, 12.0), (0.7, 8.0), (1, 4.5)),
            (7.0, 9.0), "titanium", 0.9, heads_mm=(28.0, 32.0, 36.0),
        ),
        StemFamily(
            "polished_taper", True, (125, 155),
            ((0, 5.0), (0.05, 7.2), (0.3, 6.4), (0.65, 5.0), (1, 3.0)),
            ((0.1, 15.0), (0.2, 11.5), (0.4, 8.2), (0.7, 5.6), (1, 3.0)),
            (5.0, 6.5), "cobalt", heads_mm=(22.0, 26.0, 28.0, 32.0, 36.0),
        ),
        StemFamily(
            "composite_beam", True, (112, 140),
            ((0, 5.5), (0.08, 7.5), (0.3, 6.8), (0.65, 5.2), (1, 3.8)),
            ((0.1, 14.0), (0.2, 11.0), (0.38, 8.0), (0.7, 5.6), (1, 3.8)),
            (4.6, 6.2), "cobalt", bow_mm=1.5, neck_mm=5.4, tip=1.0, heads_mm=(22.0, 22.0, 26.0, 28.0),
        ),
        StemFamily(
            "long", True, (165, 188),
            ((0, 5.5), (0.05, 7.5), (0.3, 6.8), (0.65, 5.4), (1, 3.6)),
            ((0.08, 16.0), (0.16, 12.0), (0.35, 8.4), (0.7, 5.8), (1, 3.6)),
            (5.0, 6.6), "cobalt", heads_mm=(26.0, 28.0, 32.0, 36.0),
        ),
        StemFamily(
            "rectangular_taper", False, (130, 165),
            ((0, 9.5), (0.1, 10.5), (0.3, 9.2), (0.6, 7.2), (1, 3.2)),
            ((0.09, 19.0), (0.2, 14.5), (0.35, 10.8), (0.6, 7.8), (1, 3.2)),
            (5.0, 6.8), "titanium", 0.97, tip=0.6, heads_mm=(28.0, 32.0, 36.0),
        ),
        StemFamily(
            "neck_preserving", False, (66, 88),
            ((0, 4.5), (0.2, 6.4), (0.5, 7.0), (0.8, 6.2), (1, 4.2)),
            ((0.14, 19.0), (0.3, 15.5), (0.5, 11.5), (0.75, 8.0), (1, 4.2)),
            (6.5, 8.2), "titanium", 0.9, bow_mm=3.0, heads_mm=(28.0, 32.0, 36.0, 40.0),
        ),
        StemFamily(
            "cemented_curved", True, (108, 135),
            ((0, 5.0), (0.06, 7.8), (0.3, 7.2), (0.65, 5.6), (1, 4.0)),
            ((0.1, 16.0), (0.2, 12.5), (0.4, 8.8), (0.7, 6.2), (1, 4.0)),
            (4.8, 6.4), "cobalt", collar_mm=5.0, bow_mm=5.0, neck_mm=6.5, heads_mm=(22.0, 28.0, 32.0),
        ),
        StemFamily(
            "cemented_straight", True, (125, 165),
            ((0, 6.0), (0.05, 7.0), (0.35, 6.8), (0.7, 6.0), (1, 4.6)),
            ((0.08, 13.0), (0.18, 10.2), (0.4, 8.0), (0.7, 6.4), (1, 4.6)),
            (4.4, 5.8), "titanium", neck_mm=6.2, tip=0.7, heads_mm=(28.0, 32.0),
        ),
        # Kept for the shifted set: never drawn otherwise.
        StemFamily(
            "cylindrical", False, (145, 175),
            ((0, 6.5), (0.08, 8.6), (0.3, 8.4), (0.55, 7.8), (1, 7.4)),
            ((0.1, 23.0), (0.2, 16.5), (0.32, 10.5), (0.45, 8.2), (0.7, 7.6), (1, 7.4)),
            (7.5, 8.5), "cobalt", 1.0, collar_mm=4.0, tip=0.8,
        ),
        StemFamily(
            "lateral_flare", False, (95, 125),
            ((0, 8.0), (0.1, 13.5), (0.3, 12.0), (0.55, 8.0), (1, 4.5)),
            ((0.12, 23.5), (0.24, 18.0), (0.4, 12.0), (0.6, 8.4), (1, 4.5)),
            (8.0, 10.5), "titanium", 0.9, bow_mm=2.0,
        ),
        StemFamily(
            "cemented_anatomic", True, (130, 160),
            ((0, 6.0), (0.08, 8.6), (0.3, 8.0), (0.65, 6.0), (1, 4.4)),
            ((0.1, 17.0), (0.2, 13.5), (0.4, 9.4), (0.7, 6.4), (1, 4.4)),
            (5.5, 7.0), "cobalt", collar_mm=6.0, bow_mm=4.0, heads_mm=(28.0, 32.0),
        ),
        StemFamily(
            "cone", False, (112, 142),
            ((0, 5.5), (0.1, 7.0), (0.35, 7.6), (0.7, 6.4), (1, 4.2)),
            ((0.1, 17.5), (0.2, 12.0), (0.35, 8.8), (0.7, 6.6), (1, 4.2)),
            (7.0, 8.5), "titanium", 1.0, tip=0.7, heads_mm=(28.0, 32.0, 36.0),
        ),
    )
}  # fmt: skip
SHIFTED_FAMILIES = ("cylindrical", "lateral_flare", "cemented_anatomic", "cone")
TRAINING_FAMILIES = tuple(name for name in FAMILIES if name not in SHIFTED_FAMILIES)


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
    _insert_metal(part, design.material, metal_path)
    if shape.collar is not None:
        d = canvas.refine(polygon_distance(shape.collar, x, y), stride)
        _insert_metal(part, design.material, np.maximum(2.0 * half_depth(d, 1.7) * 3.5 - metal_path, 0.0))

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


def _insert_metal(paths: Paths, material: str, path: Field) -> None:
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
    _insert_metal(view, design.material, np.maximum(np.where(ball < 0, 0, neck_path) - existing, 0))
    _insert_metal(view, design.head_material, ball_path)
    mask[slices] = (inside < 0) | (ball < 0)
    return mask


# --- cups ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CupDesign:
    family: str  # "pressfit", "pressfit_screws", "threaded", "expansion", "dual_mobility", "cemented"
    radius_mm: float  # outer: of the shell, or of the polyethylene
    shell_mm: float  # thickness of metal, 0 when cemented
    inclination_deg: float
    anteversion_deg: float
    screws: tuple[tuple[float, float], ...]  # (angle from the pole in degrees, length in mm)
    mantle_mm: float
    wear_mm: float
    material: str
    wires: int
    liner: str = "polyethylene"  # or "ceramic", "cobalt"
    skirt_mm: float = 0.0  # how far the shell goes beyond its equator
    thread_mm: float = 0.0  # of a threaded ring, or of a slotted shell's fins
    turns: int = 0

    @property
    def cemented(self) -> bool:
        return self.family == "cemented"


_LINERS = ("polyethylene", "ceramic", "cobalt")


def draw_cup(
    rng: np.random.Generator, head_mm: float, cemented_stem: bool, patient: Patient, shifted: bool = False
) -> CupDesign:
    cemented = rng.random() < (0.62 if cemented_stem else 0.07)
    base = 26.5 * patient.size + rng.normal(0, 1.3)
    radius = max(base, head_mm / 2 + (7.0 if cemented else 6.5))
    screws: tuple[tuple[float, float], ...] = ()
    family = "cemented"
    if not cemented:
        family = str(rng.choice(["pressfit", "threaded", "expansion", "dual_mobility"], p=[0.74, 0.08, 0.06, 0.12]))
        if family == "pressfit":
            count = int(rng.choice([0, 1, 2, 3, 4], p=[0.5, 0.14, 0.22, 0.10, 0.04]))
            screws = tuple((float(rng.normal(12, 24)), float(rng.uniform(15, 50))) for _ in range(count))
            family = "pressfit_screws" if screws else "pressfit"
    spread = 1.3 if shifted else 1.0
    threaded = family in ("threaded", "expansion")
    return CupDesign(
        family,
        float(radius - 3.0 if cemented else radius),
        0.0 if cemented else float(rng.uniform(2.6, 4.5)),
        float(np.clip(rng.normal(43, 8 * spread), 20, 70)),
        float(np.clip(rng.normal(14, 7 * spread), 1, 34)),
        screws,
        float(rng.uniform(2.0, 5.0)) if cemented else 0.0,
        float(np.clip(rng.exponential(0.7), 0, 3.5)),
        "cobalt" if family == "dual_mobility" or rng.random() > 0.8 else "titanium",
        int(rng.integers(0, 3)) if cemented else 0,
        "polyethylene" if cemented or family == "dual_mobility" else str(rng.choice(_LINERS, p=(0.8, 0.13, 0.07))),
        float(rng.uniform(1, 6)) if family == "dual_mobility" else float(rng.uniform(-2, 2)),
        float(rng.uniform(0.5, 1.3)) if threaded else 0.0,
        int(rng.integers(5, 12)) if threaded else 0,
    )


def add_cup(
    paths: Paths,
    canvas: Canvas,
    design: CupDesign,
    plan: ComponentPlan,
    center: tuple[float, float],
    rng: np.random.Generator,
) -> tuple[ComponentFields | None, dict[str, tuple[float, float]]]:
    """Draw cup, cement, membrane, screws and markers in the pelvic frame; returns masks and rim landmarks."""
    cx, cy = center[0] + plan.migration_mm[0], center[1] + plan.migration_mm[1]
    incl, ante = np.deg2rad(design.inclination_deg + plan.tilt_deg), np.deg2rad(design.anteversion_deg)
    nx, ny, nz = np.sin(incl) * np.cos(ante), np.cos(incl) * np.cos(ante), np.sin(ante)
    radius = design.radius_mm
    flat = np.hypot(nx, ny)
    lateral_rim = (cx + radius * ny / flat, cy - radius * nx / flat)
    medial_rim = (cx - radius * ny / flat, cy + radius * nx / flat)
    landmarks = {"cup_rim_lateral": lateral_rim, "cup_rim_medial": medial_rim}
    reach = radius + 18
    longest = max((length for _, length in design.screws), default=0.0)
    window = canvas.box((cx - reach - longest, cy - reach - longest), (cx + reach, cy + reach))
    if window is None:
        return None, landmarks
    slices, part = window
    view = paths.view(slices)
    px, py = part.coordinates
    x, y = px - cx, py - cy
    r = np.hypot(x, y)
    facing = nx * x + ny * y
    plane = (design.skirt_mm - facing) / max(nz, 0.03)  # the body lies where z <= plane
    # Position along the dome, lateral rim to medial rim.
    angle = np.arctan2((-nx * y + ny * x) / flat, -facing / flat)  # 0 at the pole, +90 degrees laterally
    position = np.clip(0.5 - angle / np.pi, 0, 1).astype(np.float32)
    back = np.clip((np.pi / 2 - np.abs(angle)) / 0.06, 0.0, 1.0).astype(np.float32)

    # A threaded or finned shell: its teeth stand out of the sphere.
    teeth = 0.0 * position
    if design.turns:
        teeth = (design.thread_mm * np.abs(np.sin(np.pi * design.turns * position)) ** 0.5).astype(np.float32)

    def chord(k: Field | float, depth: Field = plane) -> Field:
        outer = radius + k + np.where(k >= 0, teeth, 0.0)
        h = np.sqrt(np.maximum(outer * np.abs(outer) - r * r, 0.0))
        return np.clip(depth, -h, h) + h

    fray = part.noise(rng, 9.0) * 0.22 + part.noise(rng, 3.0) * 0.08
    rim_share = float(rng.uniform(0.50, 0.85))
    mantle: Field | float = 0.0
    if design.cemented:
        shape = 1 + 0.35 * np.interp(np.linspace(0, 1, SAMPLES), np.linspace(0, 1, 9), rng.normal(0, 1, 9))
        mantle = np.maximum(along(design.mantle_mm * np.clip(shape, 0.4, 2.0), position) + 2.0 * fray, 0.5) * back
    line = along(plan.outer_mm, position) * back
    line = np.where(line > 0.25, np.maximum(line + 1.6 * fray * np.minimum(line / 2.0, 1.0), 0.0), 0.0)
    rim = along(plan.rim_mm, position) * back * np.clip(1 + 2.2 * fray, 0.2, 2.0)
    c0, c2, c3, c4 = chord(0.0), chord(mantle), chord(mantle + line), chord(mantle + line + rim)
    # Bone that gave way to the cup: its share of the pelvic column.
    bone = view["bone"]
    gone = bone * np.clip(c3 / (1.75 * radius), 0, 0.92) * (r < radius + mantle + line + 1.0)
    bone -= gone
    # Bone lost behind the cup and along its screws.
    for place, size in plan.lysis:
        beta = (0.5 - place) * np.pi
        back_x, back_y = -nx / flat, -ny / flat
        away = radius + 0.5 * size
        bx = away * (back_x * np.cos(beta) - back_y * np.sin(beta))
        by = away * (back_x * np.sin(beta) + back_y * np.cos(beta))
        blob = np.exp(-((((x - bx) ** 2 + (y - by) ** 2) / size**2) ** 1.4))
        lost = 0.65 * blob * bone
        bone -= lost
        gone = gone + lost
    for tilt, length in design.screws if plan.screw_halo_mm else ():
        s, across = _beside_screw(x, y, (nx, ny), flat, tilt, radius)
        lost = 0.5 * bone * ((s > 2) & (s < length + 1) & (across < 2.4 + plan.screw_halo_mm))
        bone -= lost
        gone = gone + lost
    view["soft"][...] += gone
    view.insert("bone", rim_share * plan.rim_density * (c4 - c3))
    view.insert("bone", OSTEOID * (1.0 - along(plan.clarity, position)) * 0.6 * (c3 - c2))
    if design.cemented:
        view.insert("cement", c2 - c0)
        view.insert("polyethylene", np.maximum(c0, 0))
        _add_wires(view, part, (cx, cy), radius - 0.8, (nx, ny, nz), design.wires)
    else:
        shell = c0 - chord(-design.shell_mm)
        if design.family == "expansion":  # slots between its fins
            shell = shell * np.where(np.abs(np.sin(np.pi * design.turns * position)) < 0.12, 0.45, 1.0)
        _insert_metal(view, design.material, np.maximum(shell, 0) * np.clip(1 + 0.03 * fray, 0.9, 1.1))
        within = np.maximum(chord(-design.shell_mm), 0)
        if design.liner == "polyethylene":
            view.insert("polyethylene", within)
        else:
            _insert_metal(view, design.liner, within - np.maximum(chord(-design.shell_mm - 4.0), 0))
    solid = (c0 > 0.8 * design.shell_mm) & (r < radius)
    for tilt, length in design.screws:
        s, across = _beside_screw(x, y, (nx, ny), flat, tilt, radius)
        half = 2.2 + 0.55 * np.sin(s * 2 * np.pi / 2.6) - 1.2 * np.clip((s - length + 5) / 5, 0, 1)
        inside = (s > 0) & (s < length)
        path = np.where(inside, 2.0 * np.sqrt(np.maximum(half * half - across * across, 0)), 0.0)
        _insert_metal(view, "titanium", path)
        solid |= path > 0.5
    offset = r - radius - teeth
    drawn = (offset > mantle) & (offset < mantle + line) & (line > 0.3)
    present = (line > 0.3) & (back > 0.5)
    end = mantle + line
    fields = ComponentFields(
        slices,
        solid,
        (offset > -1.0) & (offset < end + rim + 3.0) & (back > 0.2),
        drawn,
        np.asarray(line),
        present & (offset < mantle) & (offset > mantle - 1.7),
        present & (offset > end) & (offset < end + 1.6),
        position,
        np.zeros(r.shape, bool),
    )
    return fields, landmarks


def _beside_screw(
    x: Field, y: Field, normal: tuple[float, float], flat: float, tilt_deg: float, radius: float
) -> tuple[Field, Field]:
    """(mm along a screw from the shell, mm beside its axis)"""
    a = np.deg2rad(tilt_deg)
    base = np.array([-normal[0], -normal[1]]) / flat
    d = np.array([base[0] * np.cos(a) - base[1] * np.sin(a), base[0] * np.sin(a) + base[1] * np.cos(a)])
    return x * d[0] + y * d[1] - (radius - 2), np.abs(-x * d[1] + y * d[0])


def _add_wires(
    view: Paths,
    canvas: Canvas,
    center: tuple[float, float],
    radius: float,
    normal: tuple[float, float, float],
    wires: int,
) -> None:
    """Marker wires of a polyethylene cup: round the rim, and over the dome."""
    n = np.asarray(normal)
    a = np.cross(n, [0, 0, 1.0])
    a /= np.linalg.norm(a)
    b = np.cross(n, a)
    t = np.linspace(0, 2 * np.pi, 60)
    circle = radius * (np.outer(np.cos(t), a) + np.outer(np.sin(t), b)) - 1.0 * n
    curves = [circle[:, :2] + center]
    if wires > 1:
        t = np.linspace(0, np.pi, 30)
        dome = radius * (np.outer(np.cos(t), b) - np.outer(np.sin(t), n))
        curves.append(dome[:, :2] + center)
    for curve in curves:
        low, high = curve.min(axis=0) - 2, curve.max(axis=0) + 2
        window = canvas.box(tuple(low), tuple(high))
        if window is None:
            continue
        slices, part = window
        stride, x, y = part.coarse(0.8)
        distance, _, _ = polyline_distance(curve, x, y)
        distance = part.refine(np.abs(distance), stride)
        path = 2.0 * np.sqrt(np.maximum(0.55**2 - distance**2, 0.0)) * 1.6
        view.view(slices).insert("cobalt", path)


def add_cerclage(paths: Paths, canvas: Canvas, femur: FemurFields, patient: Patient, rng: np.random.Generator) -> None:
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


def stem_families_for(cemented: bool | None, shifted: bool) -> tuple[str, ...]:
    names = SHIFTED_FAMILIES if shifted else TRAINING_FAMILIES
    return tuple(n for n in names if cemented is None or FAMILIES[n].cemented == cemented)
