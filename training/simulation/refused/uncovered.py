"""Designs that the program does not cover, each told by what is seen.

| design | what shows it |
|---|---|
| resurfacing | a cap on the native neck and a short peg: no stem |
| hemiarthroplasty | a stem, and a large ball in the native socket: joint space and roof, no cup |
| spacer | the same in cement, round a thin rod |
| revision stem | far longer than any primary stem, with flutes, a modular junction or interlocking screws |
| megaprosthesis | metal in the place of the proximal femur |
| reconstruction ring | a cage with a flange on the ilium and a hook or spike on the ischium |
| plate, sliding hip screw, nail, cannulated screws | a native head |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from training.simulation import anatomy, cups, designs, framing, hip_truth, implants, physics, scene
from training.simulation.canvas import Canvas, Field, smooth_path
from training.simulation.clutter import add_rod
from training.simulation.designs import DrawnHip, HipDesign
from training.simulation.loosening import plan_component
from training.simulation.options import SimulationOptions
from training.simulation.refused.common import draw_side, finish, unlabelled
from training.simulation.streams import Stream
from training.simulation.truth import HipTruth, Label, SimulatedRadiograph, Suitability

Draw = Callable[[physics.Paths, Canvas, anatomy.Patient, np.random.Generator], None]
SOCKET_MM = 26.0

SHARES = {
    "resurfacing": 0.16, "hemiarthroplasty": 0.22, "spacer": 0.05, "revision_stem": 0.19, "megaprosthesis": 0.07,
    "reconstruction_ring": 0.08, "plate": 0.05, "hip_screw": 0.07, "nail": 0.08, "cannulated_screws": 0.03,
}  # fmt: skip


def uncovered(stream: Stream, options: SimulationOptions) -> SimulatedRadiograph:
    rng = stream("uncovered")
    how = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    side = draw_side(stream)
    patient = anatomy.draw_patient(stream("patient"), options.shifted)
    if how == "resurfacing":  # its native neck stays
        patient = replace(patient, neck_length_mm=0.3 * patient.neck_length_mm)
    with_stem = how in ("hemiarthroplasty", "spacer", "revision_stem", "megaprosthesis", "reconstruction_ring")
    design = designs.draw_design(stream, options, patient, side, with_stem, "main")
    gap = float(rng.uniform(1.5, 4.0))  # the joint space of a ball in a native socket
    tip = float(rng.uniform(90, 160))
    if design.stem is not None:
        stem = design.stem
        if how == "revision_stem":
            stem = replace(
                stem,
                family=replace(stem.family, bow_mm=float(rng.uniform(2, 8)), cemented=False, fill=1.0, collar_mm=0.0),
                length_mm=float(rng.uniform(240, 305)),
            )
        elif how in ("hemiarthroplasty", "spacer"):
            stem = replace(stem, head_mm=2.0 * (SOCKET_MM * patient.size - gap))
        if how == "spacer":
            stem = replace(stem, material="cement", head_material="cement", depth_mm=1.3 * stem.depth_mm)
        design = replace(design, stem=stem, stem_form=implants.stem_shape(stem, patient, design.femur, stream("form")))
        assert design.stem_form is not None
        tip = design.stem_form.tip[1]
    frame = framing.frame_single(stream("frame"), design, patient, options, tip, whole=True)
    canvas = frame.canvas
    paths = physics.Paths(canvas)
    native_socket = how not in ("revision_stem", "megaprosthesis", "reconstruction_ring", "resurfacing")
    socket = SOCKET_MM * patient.size if native_socket else None
    scene.background(paths, canvas, patient, stream, (socket, SOCKET_MM * patient.size))
    drawing = stream("drawing")
    if how in ("hemiarthroplasty", "spacer"):
        hip = _draw_ball(
            paths, canvas, patient, design, stream, drawing, bipolar=how != "spacer" and rng.random() < 0.4
        )
    elif design.stem is not None:
        plans = designs.draw_plans(stream, options, design, "main", 0)
        alter = _resect if how == "megaprosthesis" else None
        hip = scene.draw_hip(paths.on(canvas), canvas, patient, design, plans, stream, "main", alter=alter)
        assert hip.stem_canvas is not None
        if how == "revision_stem":
            _draw_revision(paths, hip.stem_canvas, design, drawing)
        elif how == "megaprosthesis":
            _draw_body(paths, hip.stem_canvas, patient, design, drawing)
        else:
            _draw_ring(paths.on(canvas), patient, drawing)
    else:
        hip = scene.draw_hip(paths.on(canvas), canvas, patient, design, None, stream, "main")
        _OSTEOSYNTHESIS[how](paths, hip.femur_canvas, patient, drawing)
        if how == "resurfacing":
            _draw_shell(paths, canvas, patient, drawing)

    def hips(grey: Field) -> tuple[HipTruth, ...]:
        truth = hip_truth.hip_truth(hip, frame, grey, patient)[0]
        return (replace(unlabelled(truth), replaced=with_stem or how == "resurfacing"),)

    return finish(stream, options, paths, frame, side, patient, Suitability.UNCOVERED_DESIGN, "single", hips, how)


# --- a ball in a native socket -------------------------------------------------------------------------


def _draw_ball(
    paths: physics.Paths,
    canvas: Canvas,
    patient: anatomy.Patient,
    design: HipDesign,
    stream: Stream,
    rng: np.random.Generator,
    bipolar: bool,
) -> DrawnHip:
    assert design.stem is not None
    assert design.stem_form is not None
    femur_canvas = canvas.framed(rotation_deg=-patient.adduction_deg)
    fields = anatomy.femur_fields(femur_canvas, patient, design.femur, stream("texture main"))
    cemented = design.stem.family.cemented
    plan = plan_component(rng, Label.FIXED, cemented=cemented, cup=False, hard=bool(rng.random() < 0.3))
    stem_fields = None
    if fields is not None:
        envelope, stem_fields = implants.add_stem(paths, femur_canvas, fields, design.stem_form, design.stem, plan, rng)
        anatomy.add_femur(paths, fields, envelope)
    stem = design.stem
    if bipolar:
        _draw_bipolar(paths, canvas, 0.5 * stem.head_mm, rng)
        stem = replace(stem, head_mm=float(rng.choice([22.0, 28.0])))
    head_mask = implants.add_head_and_neck(paths, femur_canvas, design.stem_form, stem, (0.0, 0.0))
    if stem.material == "cement":  # the rod within a spacer
        form = design.stem_form
        path = smooth_path([(2.0, 2.0), form.neck_base, form.axis_top, (form.tip[0], form.tip[1] - 12)], 6)
        add_rod(paths.on(femur_canvas), path, float(rng.uniform(1.5, 3.5)), "cobalt")
    rims = {"cup_rim_lateral": (20.0, -15.0), "cup_rim_medial": (-20.0, 15.0)}
    return DrawnHip(
        design, canvas, femur_canvas, femur_canvas, plan, plan, stem_fields, None, (0.0, 0.0), rims, head_mask
    )


def _draw_bipolar(paths: physics.Paths, canvas: Canvas, radius: float, rng: np.random.Generator) -> None:
    """A shell that is nearly a ball (no flat face, as a cup has), its mouth round the neck, polyethylene within."""
    window = canvas.box((-radius - 2, -radius - 2), (radius + 2, radius + 2))
    if window is None:
        return
    slices, part = window
    x, y = part.coordinates
    lean = np.deg2rad(rng.uniform(15, 70))
    facing = np.sin(lean) * x + np.cos(lean) * y
    r2 = x * x + y * y
    outer = np.sqrt(np.maximum(radius * radius - r2, 0))
    wall = rng.uniform(1.8, 3.0)
    inner = np.sqrt(np.maximum((radius - wall) ** 2 - r2, 0))
    there = np.clip((rng.uniform(0.72, 0.88) * radius - facing) / 0.6, 0, 1)
    view = paths.view(slices)
    view.insert("cobalt", 2 * (outer - inner) * there)
    view.insert("polyethylene", 2 * inner * there)


# --- long stems, metal for bone, cages -----------------------------------------------------------------


def _draw_revision(paths: physics.Paths, stem: Canvas, design: HipDesign, rng: np.random.Generator) -> None:
    """What a modular revision stem has and a primary stem has not; at least one of the three."""
    form, size = design.stem_form, design.stem
    assert form is not None
    assert size is not None
    x, top, tip = form.axis_top[0], form.shoulder[1], form.tip[1]
    here = paths.on(stem)
    flutes, junction, locked = rng.random(3) < (0.8, 0.6, 0.45)
    if not (flutes or junction or locked):
        flutes = True
    if flutes:  # ribs that stand out of the distal third
        half = rng.uniform(5.5, 8.5)
        for offset in np.linspace(-1, 1, int(rng.integers(3, 6))):
            start = top + rng.uniform(0.35, 0.45) * (tip - top)
            path = np.array([[x + offset * half, start], [form.tip[0] + 0.55 * offset * half, tip - 4]])
            add_rod(here, path, 1.1, size.material, depth=2.5)
    if junction:  # a step and a waist between body and stem
        level = top + rng.uniform(55, 85)
        body = rng.uniform(9.0, 13.0)
        add_rod(here, np.array([[x, top + 6], [x, level]]), body, size.material, depth=0.7)
        add_rod(here, np.array([[x - body - 1, level + 1], [x + body + 1, level + 1]]), 1.2, size.material, depth=4.0)
    if locked:
        for level in tip - rng.uniform(14, 20) - np.arange(int(rng.integers(1, 4))) * rng.uniform(16, 26):
            path = np.array([[x + 19, level + rng.normal(0, 1)], [x - 18, level + rng.normal(0, 1)]])
            add_rod(here, path, 2.3, "titanium", thread_mm=0.3)


RESECTED_MM = 115.0


def _resect(fields: anatomy.FemurFields) -> None:
    """No femur above this level."""
    _, y = fields.canvas.coordinates
    there = np.clip((y - RESECTED_MM) / 1.5, 0.0, 1.0)
    fields.outer *= there
    fields.inner *= there


def _draw_body(
    paths: physics.Paths, stem: Canvas, patient: anatomy.Patient, design: HipDesign, rng: np.random.Generator
) -> None:
    """The segments of a proximal femoral replacement, a rod in what is left of the femur."""
    form = design.stem_form
    assert form is not None
    here, x = paths.on(stem), form.axis_top[0]
    half = rng.uniform(12, 17) * patient.size
    top = form.shoulder[1] + rng.uniform(4, 14)
    add_rod(here, np.array([[x, top + half], [x, RESECTED_MM]]), half, "titanium", depth=0.8)
    for level in np.arange(RESECTED_MM, top + half, -rng.uniform(28, 45)):
        add_rod(here, np.array([[x - half - 1, level], [x + half + 1, level]]), 1.4, "titanium", depth=5.0)
    low = RESECTED_MM + rng.uniform(70, 130)
    add_rod(here, np.array([[x, RESECTED_MM], [form.tip[0], low]]), rng.uniform(5, 7.5), "cobalt")


def _draw_ring(paths: physics.Paths, patient: anatomy.Patient, rng: np.random.Generator) -> None:
    """The flange of a reconstruction cage on the ilium with its screws, and its foot below."""
    lean, r = rng.uniform(-0.15, 0.35), 27.0 * patient.size
    up = np.array([np.sin(lean), -np.cos(lean)])
    across = np.array([up[1], -up[0]])
    reach, wide = rng.uniform(28, 48), rng.uniform(9, 15)
    start = (r - 6) * up
    flange = np.array(
        [start - wide * across, start + reach * up - 0.8 * wide * across, start + reach * up + 0.8 * wide * across,
         start + wide * across]
    )  # fmt: skip
    window = paths.canvas.box(tuple(flange.min(axis=0) - 6), tuple(flange.max(axis=0) + 6))
    if window is not None:
        slices, part = window
        distance = part.polygon(smooth_path(flange, 5, closed=True), 1.0)
        plate = rng.uniform(4, 7) * np.clip(0.5 - distance, 0, 1)
        paths.view(slices).insert("titanium", plate.astype(np.float32))
    for _ in range(int(rng.integers(3, 6))):
        at = start + rng.uniform(0.15, 0.95) * reach * up + rng.uniform(-0.6, 0.6) * wide * across
        heading = lean + rng.normal(-0.5, 0.35)
        end = at + rng.uniform(22, 45) * np.array([np.sin(heading), -np.cos(heading)])
        add_rod(paths, np.vstack([at, end]), 2.2, "titanium", thread_mm=0.5)
    foot = smooth_path([(-0.4 * r, 0.8 * r), (-0.55 * r, 1.25 * r), (-0.7 * r, 1.25 * r + rng.uniform(10, 30))], 5)
    add_rod(paths, foot, rng.uniform(2.5, 4.5), "titanium", depth=1.3)


# --- a native head -------------------------------------------------------------------------------------


def _draw_shell(paths: physics.Paths, canvas: Canvas, patient: anatomy.Patient, rng: np.random.Generator) -> None:
    """The cup of a resurfacing: thin, of cobalt-chromium, without a liner."""
    cup = replace(
        cups.draw_cup(rng, 46.0, False, patient), radius_mm=27.5 * patient.size, shell_mm=3.0, screws=(),
        family="pressfit", material="cobalt", mantle_mm=0.0, wires=0, turns=0, thread_mm=0.0, liner="polyethylene",
        skirt_mm=-3.0,
    )  # fmt: skip
    plan = plan_component(rng, Label.FIXED, cemented=False, cup=True, hard=False)
    cups.add_cup(paths, canvas, cup, plan, (0.0, 0.0), rng)


def _draw_cap(paths: physics.Paths, femur: Canvas, patient: anatomy.Patient, rng: np.random.Generator) -> None:
    """The cap over the head, open towards the neck, and its peg."""
    r = float(rng.uniform(22.5, 24.5)) * patient.size
    window = femur.box((-r - 2, -r - 2), (r + 2, r + 2))
    if window is not None:
        slices, part = window
        x, y = part.coordinates
        facing = x * 0.72 + y * 0.69
        outer = np.sqrt(np.maximum(r * r - x * x - y * y, 0))
        inner = np.sqrt(np.maximum((r - 3.5) ** 2 - x * x - y * y, 0))
        paths.view(slices).insert("cobalt", 2 * np.where(facing < 0.35 * r, outer - inner, 0))
    length = rng.uniform(40, 54)
    path = np.array([[0.0, 0.0], [0.72 * length, 0.69 * length]])
    add_rod(paths.on(femur), path, rng.uniform(1.5, 3.0), "cobalt")


def _screws_across(
    here: physics.Paths, x: float, levels: np.ndarray, rng: np.random.Generator, material: str = "cobalt"
) -> None:
    for level in levels:
        path = np.array([[x + 4, level], [x - 36, level + rng.normal(0, 2)]])
        add_rod(here, path, 2.0, material, thread_mm=0.4)


def _draw_plate(paths: physics.Paths, femur: Canvas, patient: anatomy.Patient, rng: np.random.Generator) -> None:
    here, x = paths.on(femur), patient.shaft_x_mm + 15.5 * patient.size
    top, length = rng.uniform(10, 50) + patient.neck_length_mm, rng.uniform(90, 190)
    add_rod(here, np.array([[x + 3.5, top], [x + 1.5, top + length]]), 3.0, "cobalt", depth=2.0)
    _screws_across(here, x, np.arange(top + 10, top + length - 5, rng.uniform(14, 22)), rng)


def _draw_hip_screw(paths: physics.Paths, femur: Canvas, patient: anatomy.Patient, rng: np.random.Generator) -> None:
    """A sliding screw in the head, its barrel, its side plate."""
    here, x = paths.on(femur), patient.shaft_x_mm + 15.5 * patient.size
    top, length = rng.uniform(38, 58) + patient.neck_length_mm, rng.uniform(60, 110)
    add_rod(here, np.array([[x + 2.5, top], [x + 1.5, top + length]]), 3.0, "cobalt", depth=2.0)
    end = np.array([rng.uniform(-6, 4), rng.uniform(-6, 6)])
    start = np.array([x + 1, top + 6])
    add_rod(here, np.vstack([start, end]), 4.0, "cobalt")
    add_rod(here, np.vstack([end + 0.4 * (start - end), end]), 5.2, "cobalt", thread_mm=0.9)
    _screws_across(here, x, np.arange(top + 16, top + length - 5, rng.uniform(14, 20)), rng)


def _draw_nail(paths: physics.Paths, femur: Canvas, patient: anatomy.Patient, rng: np.random.Generator) -> None:
    here, x, n = paths.on(femur), patient.shaft_x_mm, patient.neck_length_mm
    end = n + (rng.uniform(150, 190) if rng.random() < 0.5 else 360)
    path = smooth_path([(x + 5, -12 + n), (x + 1, 40 + n), (x, 100 + n), (x, end)], 6)
    add_rod(here, path, float(rng.uniform(5.0, 7.0)), "titanium")
    head = np.array([0.0, rng.uniform(-6, 4)])
    add_rod(here, np.vstack([[x + 22, 48 + n], head]), 5.0, "titanium", thread_mm=0.5)
    if rng.random() < 0.3:
        add_rod(here, np.vstack([[x + 20, 36 + n], head + np.array([6, -8])]), 3.0, "titanium", thread_mm=0.3)
    if rng.random() < 0.7:
        level = end - rng.uniform(18, 30)
        add_rod(here, np.array([[x + 20, level], [x - 18, level]]), 2.4, "titanium", thread_mm=0.3)


def _draw_cannulated(paths: physics.Paths, femur: Canvas, patient: anatomy.Patient, rng: np.random.Generator) -> None:
    """Two or three parallel screws through the neck."""
    here, x, n = paths.on(femur), patient.shaft_x_mm, patient.neck_length_mm
    for k in range(int(rng.integers(2, 4))):
        start, end = np.array([x + 22, 26 + 9.0 * k + n]), np.array([4.0, -12 + 11.0 * k]) + rng.normal(0, 2, 2)
        add_rod(here, np.vstack([start, end]), 3.3, "titanium", bore=0.4)
        add_rod(here, np.vstack([end + 0.3 * (start - end), end]), 3.6, "titanium", thread_mm=0.6, bore=0.4)


_OSTEOSYNTHESIS: dict[str, Draw] = {
    "resurfacing": _draw_cap,
    "plate": _draw_plate,
    "hip_screw": _draw_hip_screw,
    "nail": _draw_nail,
    "cannulated_screws": _draw_cannulated,
}
__all__ = ["uncovered"]
