"""A cup in a pelvis: shell, liner, cement, membrane and screws as solids. Frame of the pelvis."""

from __future__ import annotations

import numpy as np

from training.simulation.canvas import Canvas, Field
from training.simulation.cups import CupDesign, add_wires
from training.simulation.implants import OSTEOID, ComponentFields, along, insert_metal
from training.simulation.loosening import SAMPLES, ComponentPlan
from training.simulation.physics import Paths
from training.simulation.projection.pelvis import Pelvis
from training.simulation.projection.rays import Beam, Pose, Rays
from training.simulation.projection.shapes import rod
from training.simulation.projection.tissue import Unevenness, bone_paths, insert_bone, smoothed

PELVIS_LATTICE_MM, PELVIS_DEPTH_MM = 3.0, 3.0
CUP_LATTICE_MM, CUP_DEPTH_MM = 1.6, 1.8

Point3 = tuple[float, float, float]


def opening(design: CupDesign, tilt_deg: float) -> np.ndarray:
    """Where the cup opens to: lateral, distal, anterior."""
    incl, ante = np.deg2rad(design.inclination_deg + tilt_deg), np.deg2rad(design.anteversion_deg)
    return np.array([np.sin(incl) * np.cos(ante), np.cos(incl) * np.cos(ante), np.sin(ante)])


def rim_points(design: CupDesign, tilt_deg: float, center: Point3) -> tuple[Point3, Point3]:
    """(lateral, medial): the ends of the rim's longer axis as an AP view shows it."""
    n = opening(design, tilt_deg)
    across = np.cross(n, [0.0, 0.0, 1.0])
    across /= np.linalg.norm(across)
    if across[0] < 0:
        across = -across
    middle = np.asarray(center) + design.skirt_mm * n
    lateral, medial = middle + design.radius_mm * across, middle - design.radius_mm * across
    return tuple(lateral), tuple(medial)


def add_pelvis(
    paths: Paths,
    beam: Beam,
    pelvis: Pelvis,
    pose: Pose,
    density: Field,
    rough: Unevenness,
    reamed: tuple[Point3, float] | None,
) -> None:
    """`reamed` is the centre and radius of the ball of bone that gave way to a cup."""
    rays = beam.window(pose, *pelvis.box(), PELVIS_LATTICE_MM, PELVIS_DEPTH_MM)
    if rays is None:
        return
    surface, inner = _bone(rays, pelvis, reamed)
    compact, spongy = bone_paths(rays, surface, inner - surface, rough)
    insert_bone(paths, rays, compact, spongy, density[rays.slices])


def _bone(rays: Rays, pelvis: Pelvis, reamed: tuple[Point3, float] | None) -> tuple[Field, Field]:
    """(outer, inner surface of the compact bone) on the lattice."""
    x, y, z = rays.points
    surface = pelvis.surface(x, y, z)
    inner = surface + pelvis.cortex(x, y, z)
    if reamed is not None:
        (cx, cy, cz), radius = reamed
        ball = radius - np.sqrt((x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2)
        surface, inner = np.maximum(surface, ball), np.maximum(inner, ball)
    return surface, inner


def add_cup(
    paths: Paths,
    beam: Beam,
    pelvis: Pelvis,
    pose: Pose,
    flat: Canvas,
    design: CupDesign,
    plan: ComponentPlan,
    center: Point3,
    head_mm: float,
    density: Field,
    rough: Unevenness,
    rng: np.random.Generator,
) -> ComponentFields | None:
    """Draw the cup and what surrounds it; `flat` is the picture's grid in the pelvic frame, `center` the cup's there."""
    normal = opening(design, plan.tilt_deg)
    radius, longest = design.radius_mm, max((length for _, length in design.screws), default=0.0)
    reach = radius + 16.0 + longest
    low, high = np.asarray(center) - reach, np.asarray(center) + radius + 16
    high[2] = center[2] + reach
    rays = beam.window(pose, tuple(low), tuple(high), CUP_LATTICE_MM, CUP_DEPTH_MM)
    if rays is None:
        return None
    x, y, z = (axis - np.float32(c) for axis, c in zip(rays.points, center, strict=True))
    r = np.sqrt(x * x + y * y + z * z)
    facing = x * np.float32(normal[0]) + y * np.float32(normal[1]) + z * np.float32(normal[2])
    closed = facing - np.float32(design.skirt_mm)
    teeth = 0.0 * r
    if design.turns:
        polar = np.arccos(np.clip(-facing / np.maximum(r, 1e-3), -1, 1))
        teeth = design.thread_mm * np.abs(np.sin(2.2 * design.turns * polar)) ** 0.5
    surface, inner = _bone(rays, pelvis, (center, radius - 0.5))

    # Where along the dome a pixel lies, from the lateral rim to the medial one.
    fx, fy = flat.coordinates
    px, py = fx[rays.slices] - np.float32(center[0]), fy[rays.slices] - np.float32(center[1])
    length = float(np.hypot(normal[0], normal[1]))
    angle = np.arctan2(-normal[0] * py + normal[1] * px, -(normal[0] * px + normal[1] * py))
    position = np.clip(0.5 - angle / np.pi, 0, 1).astype(np.float32)
    back = np.clip((np.pi / 2 - np.abs(angle)) / 0.06, 0.0, 1.0).astype(np.float32)
    canvas = rays.canvas
    fray = canvas.noise(rng, 9.0) * 0.22 + canvas.noise(rng, 3.0) * 0.08
    mantle: Field = 0 * position
    if design.cemented:
        bulge = 1 + 0.35 * np.interp(np.linspace(0, 1, SAMPLES), np.linspace(0, 1, 9), rng.normal(0, 1, 9))
        mantle = np.maximum(along(design.mantle_mm * np.clip(bulge, 0.4, 2.0), position) + 2.0 * fray, 0.5) * back
    line = smoothed(along(plan.outer_mm, position), canvas) * back
    line = np.where(line > 0.25, np.maximum(line + 1.6 * fray * np.minimum(line / 2.0, 1.0), 0.0), 0.0)
    rim = smoothed(along(plan.rim_mm, position), canvas) * back * np.clip(1 + 2.2 * fray, 0.2, 2.0)

    lysis_rng, screw_rng = rng.spawn(2)  # apart: what is lost must not turn the screws
    lost = 0 * r + 99.0
    for place, size in plan.lysis:
        beta = (0.5 - place) * np.pi
        base = -normal[:2] / length
        away = radius + 0.4 * size
        bx, by = (
            (base[0] * np.cos(beta) - base[1] * np.sin(beta)) * away,
            (base[0] * np.sin(beta) + base[1] * np.cos(beta)) * away,
        )
        lost = np.minimum(lost, np.sqrt((x - bx) ** 2 + (y - by) ** 2 + (z - lysis_rng.uniform(-12, 6)) ** 2) - size)
    screws = 0 * r + 99.0
    for tilt, size in design.screws:
        tilted, deep = np.deg2rad(tilt), screw_rng.uniform(-0.55, 0.15)
        base = -normal[:2] / length
        way = np.array(
            [
                base[0] * np.cos(tilted) - base[1] * np.sin(tilted),
                base[0] * np.sin(tilted) + base[1] * np.cos(tilted),
                deep,
            ]
        )
        way /= np.linalg.norm(way)
        start, end = way * (radius - 2.5), way * (radius - 2 + size)
        s = x * way[0] + y * way[1] + z * way[2]
        thread = 0.45 * np.sin(s * np.float32(2 * np.pi / 2.6))
        screws = np.minimum(screws, rod(x, y, z, start, end, 2.4, 1.3) - np.clip(thread, -0.3, 0.45))
        if plan.screw_halo_mm:
            lost = np.minimum(lost, rod(x, y, z, start, end, 2.6 + plan.screw_halo_mm, 2.0 + plan.screw_halo_mm))
    shell = np.maximum(r - radius - teeth, closed)
    cavity = radius - design.shell_mm
    ball = head_mm / 2
    lip = closed - np.float32(2.0 if design.liner == "polyethylene" else 0.0)
    outermost = np.full(line.shape, 99.0, np.float32)

    def bodies(index: int, values: list[Field]) -> list[Field]:
        uneven = rough.at(rays, index)
        outer, canal, far, shut, gone = values[0] + uneven, values[1] - uneven, values[2], values[3], values[4]
        core = np.maximum(far - mantle, shut)
        np.minimum(outermost, core, out=outermost)
        beyond = np.maximum(far - mantle - line, shut)
        rimmed = np.maximum(far - mantle - line - rim, shut)
        return [
            np.maximum(outer, core), np.maximum(outer, beyond), np.maximum(outer, rimmed), np.maximum(canal, rimmed),
            np.maximum(np.maximum(canal, gone), -rimmed), np.maximum(core, -far),
        ]  # fmt: skip

    p2, p3, p4, canal4, lost_path, cement = rays.paths(
        [np.minimum(surface, shell - 12), inner, r - radius - teeth, closed, lost, surface],
        lambda index, v: bodies(index, [v[5], *v[1:5]]),
        6,
    )  # fmt: skip
    part = paths.view(rays.slices)
    mineral = np.maximum(density[rays.slices], 0.004)
    bone_gone = np.maximum(p4 - canal4, 0) * 0.95 + canal4 * mineral
    bone_gone += 0.85 * lost_path * mineral
    part.insert("bone", -np.minimum(bone_gone, part["bone"]))
    part.insert("fat", -np.minimum(0.75 * canal4 * (1 - mineral), part["fat"]))
    membrane = np.maximum(p3 - p2, 0)
    part.insert("bone", plan.rim_density * np.maximum(p4 - p3, 0))
    part.insert("bone", OSTEOID * (1.0 - along(plan.clarity, position)) * membrane)
    metals = [
        shell,
        np.maximum(shell, cavity - r),
        np.maximum(np.maximum(r - cavity, lip), ball - r),
        np.maximum(screws, -shell),
    ]
    _, shell_path, liner, screw_path = rays.paths([np.minimum(np.minimum(shell, screws), metals[2]), *metals[1:]])
    if design.cemented:
        part.insert("cement", cement)
        part.insert("polyethylene", liner)
        seen = beam.canvas.to_pixels(beam.project(pose.world([center])))
        on_flat = (flat.matrix[:, :2] @ seen[0]) + flat.matrix[:, 2]
        add_wires(
            part,
            _windowed(flat, rays.slices),
            (float(on_flat[0]), float(on_flat[1])),
            radius - 0.8,
            tuple(normal),
            design.wires,
        )
    else:
        insert_metal(part, design.material, shell_path)
        if design.liner == "polyethylene":
            part.insert("polyethylene", liner)
        else:
            insert_metal(part, design.liner, np.maximum(liner - 0.0, 0))
    insert_metal(part, "titanium", screw_path)
    solid = ((shell_path > 0.8 * design.shell_mm) & (not design.cemented)) | (screw_path > 0.5)
    if design.cemented:
        solid = (liner > 2.0) & (outermost < -mantle)
    present = (line > 0.3) & (back > 0.5)
    return ComponentFields(
        rays.slices,
        solid,
        (outermost > -mantle - 1.0) & (outermost < line + rim + 3.0) & (back > 0.2),
        (outermost > 0) & (outermost < line) & (line > 0.3),
        line,
        present & (outermost < 0) & (outermost > -1.7),
        present & (outermost > line) & (outermost < line + 1.6),
        position,
        np.zeros(line.shape, bool),
    )


def _windowed(canvas: Canvas, slices: tuple[slice, slice]) -> Canvas:
    matrix = canvas.matrix.copy()
    matrix[:, 2] += matrix[:, 0] * slices[1].start + matrix[:, 1] * slices[0].start
    return Canvas(slices[0].stop - slices[0].start, slices[1].stop - slices[1].start, matrix)
