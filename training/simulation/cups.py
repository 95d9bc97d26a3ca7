"""Cups: press-fit, threaded, slotted, dual-mobility, cemented; what surrounds them in the pelvis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.simulation.anatomy import Patient
from training.simulation.canvas import Canvas, Field, polyline_distance
from training.simulation.implants import OSTEOID, ComponentFields, along, insert_metal
from training.simulation.loosening import SAMPLES, ComponentPlan
from training.simulation.physics import Paths


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
        add_wires(view, part, (cx, cy), radius - 0.8, (nx, ny, nz), design.wires)
    else:
        shell = c0 - chord(-design.shell_mm)
        if design.family == "expansion":  # slots between its fins
            shell = shell * np.where(np.abs(np.sin(np.pi * design.turns * position)) < 0.12, 0.45, 1.0)
        insert_metal(view, design.material, np.maximum(shell, 0) * np.clip(1 + 0.03 * fray, 0.9, 1.1))
        within = np.maximum(chord(-design.shell_mm), 0)
        if design.liner == "polyethylene":
            view.insert("polyethylene", within)
        else:
            insert_metal(view, design.liner, within - np.maximum(chord(-design.shell_mm - 4.0), 0))
    solid = (c0 > 0.8 * design.shell_mm) & (r < radius)
    for tilt, length in design.screws:
        s, across = _beside_screw(x, y, (nx, ny), flat, tilt, radius)
        half = 2.2 + 0.55 * np.sin(s * 2 * np.pi / 2.6) - 1.2 * np.clip((s - length + 5) / 5, 0, 1)
        inside = (s > 0) & (s < length)
        path = np.where(inside, 2.0 * np.sqrt(np.maximum(half * half - across * across, 0)), 0.0)
        insert_metal(view, "titanium", path)
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


def add_wires(
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
