"""Hips that must be refused for the view or for having no implant: native, cropped, lateral."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from imaging.radiograph import Side
from training.simulation import anatomy, coverage, designs, framing, hip_truth, implants, physics, scene
from training.simulation.canvas import half_depth, smooth_path
from training.simulation.options import SimulationOptions
from training.simulation.refused.common import draw_side, finish, unlabelled
from training.simulation.streams import Stream
from training.simulation.truth import SimulatedRadiograph, Suitability


def native(stream: Stream, options: SimulationOptions, pelvis: bool) -> SimulatedRadiograph:
    side = draw_side(stream)
    patient = anatomy.draw_patient(stream("patient"), options.shifted)
    design = designs.draw_design(stream, options, patient, side, False, "main")
    both = [design]
    rng = stream("frame")
    if pelvis:
        frame = framing.frame_pelvis(rng, design, patient, options)
        other = Side.RIGHT if side is Side.LEFT else Side.LEFT
        both.append(designs.draw_design(stream, options, patient, other, False, "other"))
    else:
        frame = framing.frame_single(rng, design, patient, options, float(rng.uniform(80, 150)))
    paths = physics.Paths(frame.canvas)
    socket = 26.0 * patient.size
    scene.background(paths, frame.canvas, patient, stream, (socket, socket))
    drawn = []
    for number, each in enumerate(both):
        canvas = frame.canvas if number == 0 else framing.mirrored(frame.canvas, patient)
        drawn.append(scene.draw_hip(paths.on(canvas), canvas, patient, each, None, stream, str(number)))
    return finish(
        stream, options, paths, frame, side, patient, Suitability.NATIVE, "pelvis" if pelvis else "single",
        lambda grey: tuple(hip_truth.hip_truth(hip, frame, grey, patient)[0] for hip in drawn),
    )  # fmt: skip


def cropped(stream: Stream, options: SimulationOptions) -> SimulatedRadiograph:
    """A replaced hip of which the picture lacks the cup's dome, a quarter of the stem or more, or one of its sides."""
    side = draw_side(stream)
    patient = anatomy.draw_patient(stream("patient"), options.shifted)
    design = designs.draw_design(stream, options, patient, side, True, "main")
    frame, how = cropped_frame(stream("frame"), design, patient, options)
    paths = physics.Paths(frame.canvas)
    scene.background(paths, frame.canvas, patient, stream, (None, 26.0 * patient.size))
    plans = designs.draw_plans(stream, options, design, "main", 0)
    hip = scene.draw_hip(paths.on(frame.canvas), frame.canvas, patient, design, plans, stream, "main")
    return finish(
        stream, options, paths, frame, side, patient, Suitability.CROPPED, "single",
        lambda grey: (unlabelled(hip_truth.hip_truth(hip, frame, grey, patient)[0]),), how,
    )  # fmt: skip


def cropped_frame(
    rng: np.random.Generator, design: designs.HipDesign, patient: anatomy.Patient, options: SimulationOptions
) -> tuple[framing.Frame, str]:
    """A frame that plainly lacks a part of the implant, and which."""
    assert design.stem_form is not None
    assert design.cup is not None
    how = str(rng.choice(["no cup", "half a cup", "no distal stem", "tip only", "one side of the stem", "head only"]))
    while True:
        low, high = _cut(rng, how, patient, design.stem_form.tip[1])
        squash = float(np.exp(rng.normal(0, 0.14)))
        frame = framing.make_frame(rng, low, high, design.side, float(rng.normal(0, 4)), squash, options)
        femur = frame.canvas.framed(rotation_deg=-patient.adduction_deg)
        lost = coverage.missing(frame.canvas, femur, design.stem_form, design.cup)
        # A background alone is no cropped implant: some of it must be there to be seen.
        if lost.plainly_cropped and (lost.stem < 0.85 or lost.dome < 0.5):
            return frame, how


def _cut(
    rng: np.random.Generator, how: str, patient: anatomy.Patient, tip: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """A frame that lacks a part, in the pelvic frame: (low, high) corners in mm."""
    x0 = patient.shaft_x_mm
    medial, lateral = -rng.uniform(35, 120), x0 + rng.uniform(35, 100)
    top, bottom = -rng.uniform(35, 110), tip + rng.uniform(10, 90)
    if how == "no cup":
        medial, top = x0 - rng.uniform(45, 90), rng.uniform(20, 55)
    elif how == "half a cup":
        if rng.random() < 0.5:
            top = rng.uniform(-6, 14)
        else:
            medial = rng.uniform(-4, 12)
    elif how == "no distal stem":
        bottom = 20 + rng.uniform(0.15, 0.7) * (tip - 20)
    elif how == "tip only":
        top = tip - rng.uniform(25, 70)
        medial, bottom = x0 - rng.uniform(50, 90), top + rng.uniform(130, 260)
    elif how == "one side of the stem":
        if rng.random() < 0.6:
            lateral = x0 + rng.uniform(-22, 3)
        else:
            medial = x0 + rng.uniform(-4, 3)
    else:
        bottom = rng.uniform(35, 60)
    return (medial, top), (lateral, bottom)


def lateral(stream: Stream, options: SimulationOptions) -> SimulatedRadiograph:
    """A lateral view: shaft and neck nearly in one line, the stem seen on its narrow side, the leg flexed."""
    side = draw_side(stream)
    rng = stream("lateral")
    true_patient = anatomy.draw_patient(stream("patient"), options.shifted)
    frog = rng.random() < 0.5
    patient = replace(
        true_patient,
        femur_offset_mm=float(rng.uniform(10, 24) if frog else rng.uniform(-6, 14)),
        adduction_deg=float(-rng.uniform(28, 62) if frog else rng.normal(0, 8)),
        neck_length_mm=true_patient.neck_length_mm + 12,
    )
    design = designs.draw_design(stream, options, patient, side, True, "main")
    assert design.stem is not None
    assert design.cup is not None
    slim = replace(
        design.stem.family,
        lateral=tuple((at, 0.55 * min(width, 9.0) + 2.2) for at, width in design.stem.family.lateral),
        medial=tuple((at, 0.34 * min(width, 16.0) + 3.0) for at, width in design.stem.family.medial),
        collar_mm=0.0,
        bow_mm=float(rng.uniform(2, 6)),
    )
    stem = replace(design.stem, family=slim, depth_mm=9.0)
    femur = lateral_femur(patient)
    form = implants.stem_shape(stem, patient, femur, stream("lateral stem"))
    cup = replace(design.cup, inclination_deg=float(rng.uniform(20, 75)), anteversion_deg=float(rng.uniform(22, 50)))
    design = replace(design, stem=stem, cup=cup, stem_form=form, femur=femur)
    angle = np.deg2rad(-patient.adduction_deg)
    tip = np.array(
        [
            form.tip[0] * np.cos(angle) + form.tip[1] * np.sin(angle),
            form.tip[1] * np.cos(angle) - form.tip[0] * np.sin(angle),
        ]
    )
    frame_rng = stream("frame")
    if frog:
        low = (-frame_rng.uniform(45, 110), -frame_rng.uniform(40, 100))
        high = (tip[0] + frame_rng.uniform(15, 60), tip[1] + frame_rng.uniform(15, 70))
        turn = float(frame_rng.normal(0, 5))
    else:
        low = (-frame_rng.uniform(60, 110), -frame_rng.uniform(35, 80))
        high = (frame_rng.uniform(60, 110), tip[1] + frame_rng.uniform(10, 60))
        turn = float(frame_rng.choice([0, 25, 45, 70, 90, -60]) + frame_rng.normal(0, 8))
    frame = framing.make_frame(frame_rng, low, high, side, turn, float(np.exp(frame_rng.normal(0, 0.1))), options)
    paths = physics.Paths(frame.canvas)
    if frog:
        scene.background(paths, frame.canvas, patient, stream, (None, 26.0))
    else:
        _cross_table(paths, patient, stream("flesh"))
    plans = designs.draw_plans(stream, options, design, "main", 0)
    hip = scene.draw_hip(paths.on(frame.canvas), frame.canvas, patient, design, plans, stream, "main")
    return finish(
        stream, options, paths, frame, side, patient, Suitability.LATERAL, "single",
        lambda grey: (unlabelled(hip_truth.hip_truth(hip, frame, grey, patient)[0]),),
        "frog-leg" if frog else "cross-table",
    )  # fmt: skip


def lateral_femur(patient: anatomy.Patient) -> anatomy.FemurShape:
    """The femur from the side: neck in line with a bowed shaft, the trochanter behind it."""
    s, n, w = patient.shaft_x_mm / patient.size, patient.neck_length_mm / patient.size, patient.shape
    r = 14.0 + 0.6 * w[14]
    # fmt: off
    points = [
        (s + 4, 6 + n), (s + 16, 12 + n + w[15]), (s + 21 + w[16], 24 + n), (s + 19, 40 + n), (s + r + 2, 62 + n), (s + r, 100 + n),
        (s + r + 2, 160 + n), (s + r, 240 + n), (s + r - 6, 330 + n),
        (s - r - 6, 330 + n), (s - r, 240 + n), (s - r + 2, 160 + n), (s - r, 100 + n), (s - r - 1 + w[18], 66 + n), (s - r - 2, 44 + n),
        (s - r - 1, 26 + n), (s - 11, 14 + n), (s - 4, 10 + n),
    ]
    # fmt: on
    return anatomy.FemurShape(smooth_path(points, 4, closed=True) * patient.size, patient.shaft_x_mm, r * patient.size)


def _cross_table(paths: physics.Paths, patient: anatomy.Patient, rng: np.random.Generator) -> None:
    """Flesh of a thigh shot through from the side, the ischium behind, the other parts of the pelvis as haze."""
    canvas = paths.canvas
    stride, x, y = canvas.coarse(4.0)
    depth = 170 + 45 * np.tanh((40 - y) / 60) - 0.25 * np.abs(x) + 14 * np.sin(x / 60 + rng.uniform(0, 6))
    front = np.clip((x + rng.uniform(85, 120)) / 40, 0, 1)
    body = np.maximum(depth * np.sqrt(front), 0)
    paths["soft"][...] += canvas.refine((0.8 * body).astype(np.float32), stride)
    paths["fat"][...] += canvas.refine((0.2 * body).astype(np.float32), stride)
    ischium = smooth_path(
        [
            (8, -30),
            (26, -8),
            (40, 24),
            (52, 62),
            (44, 82),
            (30, 70),
            (22, 40),
            (4, 22),
            (-18, 14),
            (-30, -8),
            (-26, -36),
            (-8, -44),
        ],
        5,
        closed=True,
    )
    ischium += rng.normal(0, 3, 2)
    distance = canvas.polygon(ischium * patient.size, 1.8) + canvas.noise(rng, 7.0) * 0.7
    outer, inner = half_depth(distance, 17.0), half_depth(distance, 17.0, -1.2)
    texture = canvas.texture(rng, 60, patient.grain_mm)
    paths.insert("bone", 2 * (outer - inner) * 0.8 + 2 * inner * patient.bone_density * (1 + 0.2 * texture))
