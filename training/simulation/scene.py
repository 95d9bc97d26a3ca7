"""The bodies of a scene: the patient, and a hip with or without its implant."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.simulation import anatomy, cups, implants, physics, soft_tissue
from training.simulation.canvas import Canvas
from training.simulation.designs import DrawnHip, HipDesign
from training.simulation.framing import Frame, mirrored
from training.simulation.loosening import ComponentPlan
from training.simulation.streams import Stream
from training.simulation.truth import (
    Mask,
)


def background(
    paths: physics.Paths,
    canvas: Canvas,
    patient: anatomy.Patient,
    stream: Stream,
    socket: tuple[float | None, float | None],
) -> None:
    """Everything that is there whatever the hips are: flesh, pelvis, sacrum, gas."""
    soft_tissue.add_soft_tissue(paths, patient, stream("flesh"))
    opposite = mirrored(canvas, patient)
    bones = stream("pelvis")
    first, second = bones.spawn(2)
    anatomy.add_pelvis(paths.on(canvas), patient, first, socket[0])
    anatomy.add_pelvis(paths.on(opposite), patient, second, socket[1])
    anatomy.add_sacrum(paths, patient, stream("sacrum"))
    soft_tissue.add_gas(paths, patient, stream("gas"))
    ossified = stream("ossification")
    if ossified.random() < 0.12:
        anatomy.add_ossification(paths.on(canvas), patient, ossified)


def draw_hip(
    paths: physics.Paths,
    canvas: Canvas,
    patient: anatomy.Patient,
    design: HipDesign,
    plans: tuple[ComponentPlan, ComponentPlan] | None,
    stream: Stream,
    name: str,
    alter: Callable[[anatomy.FemurFields], None] | None = None,
) -> DrawnHip:
    """Femur, and implant if any, of one hip, in its own pelvic frame; `alter` changes a replaced hip's femur first."""
    femur_canvas = canvas.framed(rotation_deg=-patient.adduction_deg)
    texture = stream(f"texture {name}")
    if plans is None or design.stem is None or design.cup is None or design.stem_form is None:
        fields = anatomy.femur_fields(femur_canvas, patient, design.femur, texture)
        if fields is not None:
            anatomy.add_femur(paths, fields)
        anatomy.add_native_head(paths, canvas, patient, texture)
        return DrawnHip(design, canvas, None, femur_canvas, None, None, None, None, (0.0, 0.0), {}, None)
    stem_plan, cup_plan = plans
    bone_canvas = femur_canvas.framed(shift=(0.0, -stem_plan.subsidence_mm))  # the bone rises past the stem
    fields = anatomy.femur_fields(bone_canvas, patient, design.femur, texture)
    pivot = (patient.shaft_x_mm - 8.0, 45.0)
    stem_canvas = femur_canvas.framed(rotation_deg=-stem_plan.tilt_deg, shift=pivot).framed(
        shift=(-pivot[0], -pivot[1])
    )
    stem_fields = None
    drawing = stream(f"drawing {name}")
    if fields is not None:
        lookalike = stream(f"lookalike {name}")
        stem_plan = implants.fit_to_bone(stem_plan, stem_canvas, fields, design.stem_form)
        _thin_bone(fields, lookalike, patient)
        if alter is not None:
            alter(fields)
        envelope, stem_fields = implants.add_stem(
            paths, stem_canvas, fields, design.stem_form, design.stem, stem_plan, drawing
        )
        anatomy.add_femur(paths, fields, envelope)
        if lookalike.random() < 0.10:
            implants.add_cerclage(paths, bone_canvas, patient, lookalike)
    # The head sits in the cup, a little higher where the polyethylene has worn; a tilted stem takes both along.
    turn = np.linalg.solve(stem_canvas.matrix[:, :2].T, canvas.matrix[:, :2].T).T
    origin = turn @ (-(stem_canvas.matrix[:, 2])) + canvas.matrix[:, 2]
    center = (float(origin[0]), float(origin[1]))
    wear = design.cup.wear_mm
    cup_center = (center[0] - 0.35 * wear, center[1] + 0.9 * wear)
    cup_fields, rims = cups.add_cup(paths, canvas, design.cup, cup_plan, cup_center, drawing)
    moved = cup_plan.migration_mm
    head = (moved[0], moved[1])  # the head follows its cup; in the stem's frame
    turned = np.linalg.solve(canvas.matrix[:, :2].T, stem_canvas.matrix[:, :2].T).T @ np.array(head)
    head_in_stem = (float(turned[0]), float(turned[1]))
    head_mask = implants.add_head_and_neck(paths, stem_canvas, design.stem_form, design.stem, head_in_stem)
    head_in_pelvis = (center[0] + head[0], center[1] + head[1])
    return DrawnHip(
        design,
        canvas,
        stem_canvas,
        femur_canvas,
        stem_plan,
        cup_plan,
        stem_fields,
        cup_fields,
        head_in_pelvis,
        rims,
        head_mask,
    )


def _thin_bone(fields: anatomy.FemurFields, rng: np.random.Generator, patient: anatomy.Patient) -> None:
    """Look-alikes that well-fixed stems show as often as loose ones: stress shielding, calcar resorption, lysis."""
    x, y = fields.canvas.coordinates
    n = patient.neck_length_mm
    shielding, calcar, lysis = rng.random(3)
    if shielding < 0.35:
        loss = rng.uniform(0.25, 0.65) * np.clip((75 + n - y) / 45, 0, 1)
        fields.density *= 1 - loss
        fields.inner += 0.45 * loss * (fields.outer - fields.inner)
    if calcar < 0.25:
        place = np.exp(-(((x - (patient.shaft_x_mm - 20)) / 9) ** 2 + ((y - (38 + n)) / rng.uniform(7, 14)) ** 2))
        fields.density *= 1 - 0.8 * place
        fields.inner += 0.7 * place * (fields.outer - fields.inner)
        fields.outer *= 1 - 0.25 * place
        fields.inner = np.minimum(fields.inner, fields.outer)
    if lysis < 0.18:
        for _ in range(int(rng.integers(1, 4))):
            cx, cy = patient.shaft_x_mm + rng.uniform(-14, 20), n + rng.uniform(0, 60)
            size = rng.uniform(4, 10)
            blob = np.exp(-((((x - cx) ** 2 + ((y - cy) * 0.8) ** 2) / size**2) ** 1.3))
            fields.density *= 1 - 0.7 * blob
            fields.inner += 0.5 * blob * (fields.outer - fields.inner)


def hip_band(hip: DrawnHip, frame: Frame) -> Mask:
    """Where this hip's component labels can change the image, in working pixels."""
    mask = np.zeros((frame.canvas.rows, frame.canvas.cols), bool)
    if not hip.design.replaced:
        return mask
    x, y = hip.femur_canvas.coordinates
    s = hip.femur_canvas
    assert hip.design.stem_form is not None
    tip = hip.design.stem_form.tip[1]
    window = s.box((-48, -48), (95, tip + 26))
    if window is not None:
        slices, _ = window
        px, py = x[slices], y[slices]
        shaft = hip.design.femur.shaft_x_mm
        mask[slices] = (
            (np.hypot(px, py) < 48)
            | ((np.abs(px - shaft) < 22) & (py > -30) & (py < tip + 24))
            | ((px > 0) & (px < shaft + 28) & (py > -30) & (py < 80))
        )
    return mask
