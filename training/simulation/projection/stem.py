"""A stem in a femur: metal, cement, membrane and rim as solids, and what of them the truth needs.

The stem's silhouette is that of `implants.stem_shape`, in its frame: head at the origin, x lateral, y distal. Here it
has a depth, its edges are rounded, and it turns in space with its femur.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from training.simulation.canvas import Field, polyline_distance
from training.simulation.implants import (
    CORTEX_LEFT_MM,
    OSTEOID,
    ComponentFields,
    StemDesign,
    StemShape,
    along,
    insert_metal,
    path_points,
)
from training.simulation.loosening import SAMPLES, ComponentPlan
from training.simulation.physics import Paths
from training.simulation.projection.femur import Femur
from training.simulation.projection.rays import Beam, Pose, Rays
from training.simulation.projection.shapes import Silhouette, extruded, merged, rod, sphere
from training.simulation.projection.tissue import Unevenness, femoral_density, insert_bone, smoothed
from training.simulation.truth import Mask

FEMUR_LATTICE_MM, FEMUR_DEPTH_MM = 2.0, 2.2
METAL_LATTICE_MM, METAL_DEPTH_MM = 1.2, 1.6


@dataclass(frozen=True, eq=False)
class StemSolid:
    """The body that bone or cement holds; neck, collar and head are what sticks out."""

    shape: StemShape
    design: StemDesign
    rounding: float  # of the section: 1 round, less is boxy
    slim: float  # the depth at the tip as a share of that at the shoulder
    hole_mm: float  # radius of the hole for extraction; 0 none
    outline: Silhouette

    def body(self, x: Field, y: Field, z: Field) -> Field:
        top, tip = self.shape.shoulder[1], self.shape.tip[1]
        t = np.clip((y - top) / (tip - top), 0, 1)
        depth = self.design.depth_mm * (1.05 + (self.slim - 1.05) * t)
        return np.asarray(extruded(self.outline(x, y), z, depth, self.rounding), np.float32)

    def metal(self, x: Field, y: Field, z: Field) -> Field:
        base, design = self.shape.neck_base, self.design
        whole = self.body(x, y, z)
        width = design.family.neck_mm
        start = np.array([*base, 0.0]) * 1.04
        whole = merged(whole, rod(x, y, z, start, (0.0, 0.0, 0.0), 1.45 * width, 0.8 * width), 5.0)
        if self.shape.collar is not None:
            collar = Silhouette(self.shape.collar, 8.0, 0.5)(x, y)
            whole = np.minimum(whole, extruded(collar, z, 1.0 * design.depth_mm, 0.2))
        if self.hole_mm:
            cx, cy = self.shape.shoulder[0] - 7.0, self.shape.shoulder[1] + 9.0
            whole = np.maximum(whole, self.hole_mm - np.hypot(x - cx, y - cy))
        return np.asarray(whole, np.float32)


def draw_solid(rng: np.random.Generator, shape: StemShape, design: StemDesign) -> StemSolid:
    return StemSolid(
        shape, design, float(rng.uniform(0.35, 1.0)), float(rng.uniform(0.55, 0.95)),
        float(rng.uniform(1.5, 3.4)) if rng.random() < 0.22 else 0.0, Silhouette(shape.body, 16.0),
    )  # fmt: skip


def position_along(rays: Rays, beam: Beam, pose: Pose, interface: np.ndarray) -> tuple[Field, Field]:
    """(0-1 along the interface, 0-1 whether the nearest place of it is no end) at every pixel of the window."""
    seen = beam.project(pose.world(np.column_stack([interface, np.zeros(len(interface))])))
    stride, x, y = rays.canvas.coarse(0.9)
    _, arc, beyond = polyline_distance(seen, x, y)
    total = float(np.hypot(*np.diff(seen, axis=0).T).sum())
    position = np.clip(rays.canvas.refine((arc / total).astype(np.float32), stride), 0, 1)
    return position, np.clip(1.0 - rays.canvas.refine(beyond, stride) / 1.5, 0.0, 1.0)


def fit_to_bone(plan: ComponentPlan, pose: Pose, femur: Femur, bone: Pose, shape: StemShape) -> ComponentPlan:
    """The plan with its lines no wider than the bone has room for."""
    at = path_points(shape.interface)
    x, y, z = bone.local(pose.world(np.column_stack([at, np.zeros(SAMPLES)]))).astype(np.float32).T[:, None, None]
    room = np.clip(-femur.surface(x, y, z)[0, 0].astype(float) - CORTEX_LEFT_MM, 0.0, None)
    return replace(plan, outer_mm=np.minimum(plan.outer_mm, room), inner_mm=np.minimum(plan.inner_mm, room))


def axis_deg(pose: Pose) -> float:
    """Direction of the shaft in the picture, from x towards y."""
    return float(np.rad2deg(np.arctan2(pose.turn[1, 1], pose.turn[1, 0])))


def add_femur_with_stem(
    paths: Paths,
    beam: Beam,
    femur: Femur,
    bone: Pose,
    thinned: Field,
    stem: StemSolid,
    stem_pose: Pose,
    plan: ComponentPlan,
    rough: Unevenness,
    rng: np.random.Generator,
    density_rng: np.random.Generator,
) -> ComponentFields | None:
    """Draw the bone around the stem, cement and membrane; returns the masks. `thinned` is where spongy bone is lost."""
    low, high = femur.box(min(330.0, stem.shape.tip[1] + 130.0))
    rays = beam.window(bone, low, high, FEMUR_LATTICE_MM, FEMUR_DEPTH_MM)
    if rays is None:
        return None
    x, y, z = rays.points
    surface = femur.surface(x, y, z)
    inner = surface + femur.cortex(x, y, z)
    world = bone.world(np.column_stack([x.ravel(), y.ravel(), z.ravel()]))
    in_stem = stem_pose.local(world).astype(np.float32).T.reshape(3, *x.shape)
    body = stem.body(in_stem[0], in_stem[1], in_stem[2])

    position, held = position_along(rays, beam, stem_pose, stem.shape.interface)
    canvas = rays.canvas
    fray = canvas.noise(rng, 9.0) * 0.20 + canvas.noise(rng, 3.0) * 0.07
    lean = rng.uniform(-0.5, 0.5) + 0.35 * canvas.noise(rng, 40.0)  # a line is wider in front here, behind there
    cemented = bool(stem.shape.mantle_mm.any())
    mantle = along(stem.shape.mantle_mm, position)
    mantle = np.maximum(mantle + 2.0 * fray, 0.3 * mantle) if cemented else 0 * mantle
    line = smoothed(along(plan.outer_mm, position), canvas) * held
    line = np.where(line > 0.25, np.maximum(line + 1.6 * fray * np.minimum(line / 2.0, 1.0), 0.0), 0.0)
    debonded = smoothed(along(plan.inner_mm, position), canvas) * held if cemented else 0 * line
    rim = smoothed(along(plan.rim_mm, position), canvas) * held * np.clip(1 + 2.2 * fray, 0.2, 2.0)
    depth = np.linspace(-1, 1, len(rays.depths))
    silhouette = np.full(line.shape, 99.0, np.float32)  # of metal, signed distance
    mantled = silhouette.copy()  # of what the bone holds

    def bodies(index: int, values: list[Field]) -> list[Field]:
        uneven = rough.at(rays, index)
        outer, canal, metal = values[0] + uneven, values[1] - uneven, values[2]
        np.minimum(silhouette, metal, out=silhouette)
        core = np.maximum(metal - mantle, canal - np.float32(0.4)) if cemented else metal
        core = np.minimum(core, metal)
        np.minimum(mantled, core, out=mantled)
        wide = line * np.clip(1 + lean * np.float32(depth[index] * 2.2), 0.45, 1.6)
        beyond = core - wide
        rimmed = beyond - rim
        return [
            outer, canal, np.maximum(outer, metal), np.maximum(outer, metal - debonded), np.maximum(outer, core),
            np.maximum(outer, beyond), np.maximum(outer, rimmed), np.maximum(canal, rimmed),
        ]  # fmt: skip

    whole, canal, held_metal, p1, p2, p3, p4, canal4 = rays.paths([surface, inner, body], bodies, 8)
    compact = np.maximum((whole - canal) - (p4 - canal4), 0)
    spongy = np.maximum(canal - canal4, 0)
    part = paths.view(rays.slices)
    middle = np.abs(z).argmin(axis=0)
    height = rays.fine(np.take_along_axis(y, middle[None], axis=0)[0])
    density = femoral_density(beam.canvas, axis_deg(bone), femur.patient, _everywhere(beam, rays, height), density_rng)
    loss = thinned[rays.slices]
    density = density[rays.slices] * (1 - loss)
    moved = 0.4 * loss * compact
    insert_bone(paths, rays, compact - moved, spongy + moved, density)
    along_line = 1.0 - along(plan.clarity, position)
    membrane, gap = np.maximum(p3 - p2, 0), np.maximum(p1 - held_metal, 0)
    cement = np.maximum(p2 - p1, 0)
    total = float(np.hypot(*np.diff(stem.shape.interface, axis=0).T).sum())
    cracks = np.zeros(line.shape, bool)
    for place in plan.mantle_cracks:
        crossing = np.abs(position - place + 0.0013 * silhouette) * total
        crack = (crossing < 0.9 + 0.3 * fray) & (silhouette > debonded) & (mantled < 0)
        cracks |= crack
        cement = np.where(crack, 0.12 * cement, cement)
    if cemented:
        voids = canvas.noise(rng, 3.0)
        cement = cement * np.where(voids > 2.3, 0.75, 1.0)
    part.insert("cement", cement + 0.5 * along_line * gap)
    part.insert("bone", plan.rim_density * np.maximum(p4 - p3, 0) + OSTEOID * along_line * membrane)
    if plan.pedestal:
        tip = rays.canvas.to_pixels(beam.project(stem_pose.world([(*stem.shape.tip, 0.0)])))[0]
        row_mm, col_mm = canvas.spacing_mm
        py = (np.arange(canvas.rows)[:, None] - tip[1]) * row_mm
        px = (np.arange(canvas.cols)[None, :] - tip[0]) * col_mm
        plug = plan.pedestal * np.exp(-(((py - 6.0 - 2.0 * fray - 0.02 * px**2) / 1.9) ** 2))
        part.insert("bone", (0.5 * plug * canal).astype(np.float32))

    on_bone = whole > 1.0
    outside = (mantled > 0) & (mantled < line) & (line > 0.3) & on_bone
    inside = (silhouette > 0) & (silhouette < debonded) & (debonded > 0.3) & on_bone
    within = debonded > line
    start, end = np.where(within, silhouette, mantled), np.where(within, silhouette - debonded, mantled - line)
    drawn = (np.maximum(line, debonded) > 0.3) & on_bone & (held > 0.5)
    return ComponentFields(
        rays.slices,
        silhouette < 0,
        (silhouette > -1.0) & (mantled < line + rim + 3.0) & (held > 0.2) & on_bone,
        outside | inside,
        np.maximum(line, debonded),
        drawn & (start < 0) & (start > -1.7),
        drawn & (end > 0) & (end < 1.6),
        position,
        cracks,
    )


def _everywhere(beam: Beam, rays: Rays, values: Field) -> Field:
    """A window's values on the whole picture, the edges carried on."""
    rows, cols = beam.canvas.rows, beam.canvas.cols
    (top, bottom), (left, right) = ((s.start, s.stop) for s in rays.slices)
    return np.pad(values, ((top, rows - bottom), (left, cols - right)), mode="edge")


def add_metal(paths: Paths, beam: Beam, stem: StemSolid, pose: Pose, head: tuple[float, float, float]) -> Mask:
    """The stem's metal and its head at `head` in the stem's frame; returns the mask of both over the picture."""
    mask = np.zeros((beam.canvas.rows, beam.canvas.cols), bool)
    design, shape = stem.design, stem.shape
    radius = design.head_mm / 2
    points = np.vstack([shape.body, [(-radius, -radius), (radius, radius)]])
    if shape.collar is not None:
        points = np.vstack([points, shape.collar])
    deep = max(1.2 * design.depth_mm, radius) + 2
    low, high = points.min(axis=0) - 3, points.max(axis=0) + 3
    rays = beam.window(pose, (*low, -deep), (*high, deep), METAL_LATTICE_MM, METAL_DEPTH_MM)
    if rays is None:
        return mask
    x, y, z = rays.points
    metal = stem.metal(x, y, z)
    ball = sphere(x, y, z, head, radius)
    bored = np.maximum(metal, -ball)  # the taper within the head is counted once
    part = paths.view(rays.slices)
    stem_path, head_path = rays.paths([np.minimum(bored, ball), bored, ball], lambda _, v: [v[1], v[2]], 2)
    insert_metal(part, design.material, stem_path)
    insert_metal(part, design.head_material, head_path)
    mask[rays.slices] = (stem_path > 1.0) | (head_path > 1.0)
    return mask
