"""What the program must refuse: native hips, lateral and cut-off views, designs that it does not cover, other things.

They go through the same exposure, processing and overlays as everything else, so that only what is seen differs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from imaging.radiograph import Side
from training.simulation import anatomy, implants, physics, processing, radiograph
from training.simulation.canvas import Canvas, Field, Points, half_depth, polyline_distance, smooth_path
from training.simulation.loosening import plan_component
from training.simulation.options import SimulationOptions
from training.simulation.radiograph import Frame, Stream
from training.simulation.truth import HipTruth, Label, SimulatedRadiograph, Suitability, Truth

_KINDS: tuple[tuple[Suitability, float], ...] = (
    (Suitability.NATIVE, 0.24),
    (Suitability.LATERAL, 0.18),
    (Suitability.CROPPED, 0.16),
    (Suitability.UNCOVERED_DESIGN, 0.18),
    (Suitability.OTHER_BONE, 0.14),
    (Suitability.PHOTOGRAPH, 0.04),
    (Suitability.NOISE, 0.02),
    (Suitability.BLANK, 0.02),
    (Suitability.TEXT_PAGE, 0.02),
)


def draw_kind(rng: np.random.Generator) -> Suitability:
    return _KINDS[int(rng.choice(len(_KINDS), p=[share for _, share in _KINDS]))][0]


def simulate_unsuitable(
    stream: Stream, kind: Suitability, options: SimulationOptions, pelvis: bool
) -> SimulatedRadiograph:
    if kind is Suitability.NATIVE:
        return _native(stream, options, pelvis)
    if kind is Suitability.LATERAL:
        return _lateral(stream, options)
    if kind is Suitability.CROPPED:
        return _cropped(stream, options)
    if kind is Suitability.UNCOVERED_DESIGN:
        return _uncovered(stream, options)
    if kind is Suitability.OTHER_BONE:
        return _other_bone(stream, options)
    return _no_radiograph(stream, kind, options)


def _side(stream: Stream) -> Side:
    return Side.LEFT if stream("image").random() < 0.5 else Side.RIGHT


def _finish(
    stream: Stream,
    options: SimulationOptions,
    paths: physics.Paths,
    frame: Frame,
    side: Side,
    patient: anatomy.Patient | None,
    kind: Suitability,
    image_kind: str,
    hips: Callable[[Field], tuple[HipTruth, ...]],
    note: str = "",
) -> SimulatedRadiograph:
    grey, look, nuisance = radiograph.expose(paths, frame, options, stream, [], side, patient)
    truth = Truth(image_kind, kind, hips(grey), nuisance, (note,) if note else ())
    return radiograph.finish(grey, look, frame, truth)


def _unlabelled(hip: HipTruth) -> HipTruth:
    return replace(hip, label=None, hard=False)


# --- hips that are hips --------------------------------------------------------------------------------


def _native(stream: Stream, options: SimulationOptions, pelvis: bool) -> SimulatedRadiograph:
    side = _side(stream)
    patient = anatomy.draw_patient(stream("patient"), options.shifted)
    design = radiograph.draw_design(stream, options, patient, side, False, "main")
    designs = [design]
    rng = stream("frame")
    if pelvis:
        frame = radiograph.frame_pelvis(rng, design, patient, options)
        other = Side.RIGHT if side is Side.LEFT else Side.LEFT
        designs.append(radiograph.draw_design(stream, options, patient, other, False, "other"))
    else:
        frame = radiograph.frame_single(rng, design, patient, options, float(rng.uniform(80, 150)))
    paths = physics.Paths(frame.canvas)
    socket = 26.0 * patient.size
    radiograph.background(paths, frame.canvas, patient, stream, (socket, socket))
    drawn = []
    for number, each in enumerate(designs):
        canvas = frame.canvas if number == 0 else radiograph.mirrored(frame.canvas, patient)
        drawn.append(
            radiograph.draw_hip(radiograph.on(paths, canvas), canvas, patient, each, None, stream, str(number))
        )
    return _finish(
        stream, options, paths, frame, side, patient, Suitability.NATIVE, "pelvis" if pelvis else "single",
        lambda grey: tuple(radiograph.hip_truth(hip, frame, grey, patient)[0] for hip in drawn),
    )  # fmt: skip


def _cropped(stream: Stream, options: SimulationOptions) -> SimulatedRadiograph:
    """A replaced hip with a third or more of the stem, or the whole cup, outside the picture."""
    side = _side(stream)
    patient = anatomy.draw_patient(stream("patient"), options.shifted)
    design = radiograph.draw_design(stream, options, patient, side, True, "main")
    assert design.stem_form is not None
    rng = stream("frame")
    tip = design.stem_form.tip[1]
    x0 = patient.shaft_x_mm
    how = int(rng.integers(0, 4))
    if how == 0:  # head and cup are missing
        low, high = (
            (x0 - rng.uniform(45, 90), rng.uniform(22, 60)),
            (x0 + rng.uniform(40, 90), tip + rng.uniform(10, 120)),
        )
    elif how == 1:  # the lower stem is missing
        low, high = (
            (-rng.uniform(35, 110), -rng.uniform(35, 110)),
            (x0 + rng.uniform(30, 80), 20 + rng.uniform(0.15, 0.55) * (tip - 20)),
        )
    elif how == 2:  # only the tip
        start = tip - rng.uniform(15, 60)
        low, high = (x0 - rng.uniform(50, 90), start), (x0 + rng.uniform(50, 90), start + rng.uniform(150, 260))
    else:  # cut along the stem
        edge = x0 - rng.uniform(0, 22)
        low, high = (-rng.uniform(60, 150), -rng.uniform(40, 120)), (edge, tip + rng.uniform(0, 40))
    frame = radiograph.make_frame(rng, low, high, side, float(rng.normal(0, 4)), 1.0, options)
    paths = physics.Paths(frame.canvas)
    radiograph.background(paths, frame.canvas, patient, stream, (None, 26.0 * patient.size))
    plans = radiograph.draw_plans(stream, options, design, "main", 0)
    hip = radiograph.draw_hip(radiograph.on(paths, frame.canvas), frame.canvas, patient, design, plans, stream, "main")
    return _finish(
        stream, options, paths, frame, side, patient, Suitability.CROPPED, "single",
        lambda grey: (_unlabelled(radiograph.hip_truth(hip, frame, grey, patient)[0]),),
        ("no cup", "no distal stem", "tip only", "cut along the stem")[how],
    )  # fmt: skip


def _lateral(stream: Stream, options: SimulationOptions) -> SimulatedRadiograph:
    """A lateral view: shaft and neck nearly in one line, the stem seen on its narrow side, the leg flexed."""
    side = _side(stream)
    rng = stream("lateral")
    true_patient = anatomy.draw_patient(stream("patient"), options.shifted)
    frog = rng.random() < 0.5
    patient = replace(
        true_patient,
        femur_offset_mm=float(rng.uniform(10, 24) if frog else rng.uniform(-6, 14)),
        adduction_deg=float(-rng.uniform(28, 62) if frog else rng.normal(0, 8)),
        neck_length_mm=true_patient.neck_length_mm + 12,
    )
    design = radiograph.draw_design(stream, options, patient, side, True, "main")
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
    frame = radiograph.make_frame(frame_rng, low, high, side, turn, float(np.exp(frame_rng.normal(0, 0.1))), options)
    paths = physics.Paths(frame.canvas)
    if frog:
        radiograph.background(paths, frame.canvas, patient, stream, (None, 26.0))
    else:
        _cross_table(paths, patient, stream("flesh"))
    plans = radiograph.draw_plans(stream, options, design, "main", 0)
    hip = radiograph.draw_hip(radiograph.on(paths, frame.canvas), frame.canvas, patient, design, plans, stream, "main")
    return _finish(
        stream, options, paths, frame, side, patient, Suitability.LATERAL, "single",
        lambda grey: (_unlabelled(radiograph.hip_truth(hip, frame, grey, patient)[0]),),
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


# --- designs that are not covered ----------------------------------------------------------------------


def _uncovered(stream: Stream, options: SimulationOptions) -> SimulatedRadiograph:
    rng = stream("uncovered")
    how = str(rng.choice(["resurfacing", "hemiarthroplasty", "revision_stem", "plate", "nail"]))
    side = _side(stream)
    patient = anatomy.draw_patient(stream("patient"), options.shifted)
    if how == "resurfacing":  # its native neck stays
        patient = replace(patient, neck_length_mm=0.3 * patient.neck_length_mm)
    replaced = how in ("hemiarthroplasty", "revision_stem")
    design = radiograph.draw_design(stream, options, patient, side, replaced, "main")
    tip = float(rng.uniform(90, 160))
    if replaced:
        assert design.stem is not None
        stem = design.stem
        if how == "revision_stem":
            family = replace(stem.family, bow_mm=float(rng.uniform(3, 8)), cemented=False, fill=1.0)
            stem = replace(stem, family=family, length_mm=float(rng.uniform(225, 300)))
        else:
            stem = replace(stem, head_mm=float(rng.uniform(43, 54)) * patient.size)
        form = implants.stem_shape(stem, patient, design.femur, stream("form"))
        design = replace(design, stem=stem, stem_form=form)
        tip = form.tip[1]
    frame_rng = stream("frame")
    frame = radiograph.frame_single(frame_rng, design, patient, options, tip)
    canvas = frame.canvas
    paths = physics.Paths(canvas)
    socket = None if how in ("revision_stem", "resurfacing") else 26.5 * patient.size
    radiograph.background(paths, canvas, patient, stream, (socket, 26.0 * patient.size))
    drawing = stream("drawing")
    if how == "hemiarthroplasty":
        hip = _draw_hemi(paths, canvas, patient, design, stream, drawing)
    elif replaced:
        plans = radiograph.draw_plans(stream, options, design, "main", 0)
        hip = radiograph.draw_hip(radiograph.on(paths, canvas), canvas, patient, design, plans, stream, "main")
    else:
        hip = radiograph.draw_hip(radiograph.on(paths, canvas), canvas, patient, design, None, stream, "main")
        {"resurfacing": _draw_resurfacing, "plate": _draw_plate, "nail": _draw_nail}[how](
            paths, canvas, hip.femur_canvas, patient, drawing
        )

    def hips(grey: Field) -> tuple[HipTruth, ...]:
        truth = radiograph.hip_truth(hip, frame, grey, patient)[0]
        return (replace(_unlabelled(truth), replaced=how not in ("plate", "nail")),)

    return _finish(stream, options, paths, frame, side, patient, Suitability.UNCOVERED_DESIGN, "single", hips, how)


def _draw_hemi(
    paths: physics.Paths,
    canvas: Canvas,
    patient: anatomy.Patient,
    design: radiograph.HipDesign,
    stream: Stream,
    rng: np.random.Generator,
) -> radiograph.DrawnHip:
    assert design.stem is not None
    assert design.stem_form is not None
    femur_canvas = canvas.framed(rotation_deg=-patient.adduction_deg)
    fields = anatomy.femur_fields(femur_canvas, patient, design.femur, stream("texture main"))
    plan = plan_component(
        rng, Label.FIXED, cemented=design.stem.family.cemented, cup=False, hard=bool(rng.random() < 0.3)
    )
    stem_fields = None
    if fields is not None:
        envelope, stem_fields = implants.add_stem(paths, femur_canvas, fields, design.stem_form, design.stem, plan, rng)
        anatomy.add_femur(paths, fields, envelope)
    head_mask = implants.add_head_and_neck(paths, femur_canvas, design.stem_form, design.stem, (0.0, 0.0))
    rims = {"cup_rim_lateral": (20.0, -15.0), "cup_rim_medial": (-20.0, 15.0)}
    return radiograph.DrawnHip(
        design, canvas, femur_canvas, femur_canvas, plan, plan, stem_fields, None, (0.0, 0.0), rims, head_mask
    )


def add_rod(
    paths: physics.Paths,
    canvas: Canvas,
    path: Points,
    radius_mm: float,
    material: str,
    thread_mm: float = 0.0,
    depth: float = 1.0,
) -> None:
    """A metal cylinder along a path; `thread_mm` adds the ripple of a screw's thread."""
    window = canvas.box(tuple(path.min(axis=0) - radius_mm - 3), tuple(path.max(axis=0) + radius_mm + 3))
    if window is None:
        return
    slices, part = window
    stride, x, y = part.coarse(0.8)
    distance, arc, beyond = polyline_distance(path, x, y, 20.0)
    distance, arc, beyond = (part.refine(values, stride) for values in (np.abs(distance), arc, beyond))
    radius = radius_mm + thread_mm * np.sin(arc * 2 * np.pi / 2.8)
    inside = np.where(beyond > 0.6, 99.0, distance)
    paths.view(slices).insert(material, 2.0 * depth * np.sqrt(np.maximum(radius * radius - inside * inside, 0.0)))


def _draw_resurfacing(
    paths: physics.Paths, canvas: Canvas, femur: Canvas, patient: anatomy.Patient, rng: np.random.Generator
) -> None:
    cup = implants.draw_cup(rng, 46.0, False, patient)
    cup = replace(
        cup,
        radius_mm=27.5 * patient.size,
        shell_mm=3.5,
        screws=(),
        family="pressfit",
        material="cobalt",
        mantle_mm=0.0,
        wires=0,
    )
    plan = plan_component(rng, Label.FIXED, cemented=False, cup=True, hard=False)
    implants.add_cup(paths, canvas, cup, plan, (0.0, 0.0), rng)
    r = 24.0 * patient.size
    window = femur.box((-r - 2, -r - 2), (r + 2, r + 2))
    if window is not None:
        slices, part = window
        x, y = part.coordinates
        # A cap over the head, open towards the neck.
        axis = np.array([0.72, 0.69])
        facing = x * axis[0] + y * axis[1]
        outer = np.sqrt(np.maximum(r * r - x * x - y * y, 0))
        inner = np.sqrt(np.maximum((r - 3.5) ** 2 - x * x - y * y, 0))
        cap = 2 * np.where(facing < 0.35 * r, outer - inner, 0)
        paths.view(slices).insert("cobalt", cap)
    add_rod(paths, femur, np.array([[0.0, 0.0], [0.72 * 48, 0.69 * 48]]), 2.2, "cobalt")


def _draw_plate(
    paths: physics.Paths, canvas: Canvas, femur: Canvas, patient: anatomy.Patient, rng: np.random.Generator
) -> None:
    """A sliding hip screw with its side plate, or a plain plate with screws."""
    x = patient.shaft_x_mm + 15.5 * patient.size
    top, length = rng.uniform(30, 55) + patient.neck_length_mm, rng.uniform(70, 170)
    add_rod(paths, femur, np.array([[x + 2.5, top], [x + 1.5, top + length]]), 3.0, "cobalt", depth=2.0)
    if rng.random() < 0.7:
        add_rod(paths, femur, np.array([[x + 1, top + 6], [2.0, rng.uniform(-6, 6)]]), 4.0, "cobalt", thread_mm=0.0)
        add_rod(paths, femur, np.array([[18.0, 14.0], [-4.0, rng.uniform(-4, 2)]]), 5.2, "cobalt", thread_mm=0.9)
    for level in np.arange(top + 14, top + length - 5, rng.uniform(14, 22)):
        add_rod(
            paths, femur, np.array([[x + 4, level], [x - 36, level + rng.normal(0, 2)]]), 2.0, "cobalt", thread_mm=0.4
        )


def _draw_nail(
    paths: physics.Paths, canvas: Canvas, femur: Canvas, patient: anatomy.Patient, rng: np.random.Generator
) -> None:
    x, n = patient.shaft_x_mm, patient.neck_length_mm
    end = n + (rng.uniform(150, 190) if rng.random() < 0.5 else 360)
    path = smooth_path([(x + 5, -12 + n), (x + 1, 40 + n), (x, 100 + n), (x, end)], 6)
    add_rod(paths, femur, path, float(rng.uniform(5.0, 7.0)), "titanium")
    add_rod(paths, femur, np.array([[x + 22, 48 + n], [0.0, rng.uniform(-6, 4)]]), 5.0, "titanium", thread_mm=0.5)
    if rng.random() < 0.7:
        level = end - rng.uniform(18, 30)
        add_rod(paths, femur, np.array([[x + 20, level], [x - 18, level]]), 2.4, "titanium", thread_mm=0.3)


# --- other bones ---------------------------------------------------------------------------------------


def _add_bone(
    paths: physics.Paths,
    canvas: Canvas,
    outline: Points,
    radius: float,
    cortex: float,
    density: float,
    rng: np.random.Generator,
    closed_smooth: int = 4,
) -> None:
    window = canvas.box(tuple(outline.min(axis=0) - 4), tuple(outline.max(axis=0) + 4))
    if window is None:
        return
    slices, part = window
    distance = part.polygon(smooth_path(outline, closed_smooth, closed=True), 1.5) + part.noise(rng, 5.0) * 0.35
    wall = cortex * np.clip(1 + 0.3 * part.noise(rng, 14.0), 0.4, 1.6)
    outer, inner = half_depth(distance, radius), half_depth(distance, radius, -wall)
    texture = part.texture(rng, float(rng.choice([60, 90, 120])), 1.1)
    mineral = 2 * inner * np.maximum(density * (1 + 0.3 * texture), 0.004)
    view = paths.view(slices)
    view.insert("bone", 2 * (outer - inner) * 0.9 + mineral)


def _shaft(x0: float, y0: float, x1: float, y1: float, waist: float, top: float, bottom: float) -> Points:
    """The outline of a long bone from one end to the other."""
    d = np.array([x1 - x0, y1 - y0], float)
    length = float(np.hypot(*d))
    d /= length
    side = np.array([-d[1], d[0]])
    stations = [
        (0.0, 0.75 * top),
        (0.03, top),
        (0.10, 0.9 * top),
        (0.22, 1.1 * waist),
        (0.5, waist),
        (0.78, 1.1 * waist),
        (0.9, 0.9 * bottom),
        (0.97, bottom),
        (1.0, 0.75 * bottom),
    ]
    left = [np.array([x0, y0]) + d * length * t + side * w for t, w in stations]
    right = [np.array([x0, y0]) + d * length * t - side * w for t, w in stations]
    return np.array(left + right[::-1])


def _limb(paths: physics.Paths, rng: np.random.Generator, width: float, depth: float) -> None:
    stride, x, y = paths.canvas.coarse(5.0)
    half = width * (1 + 0.12 * np.sin(y / 90 + rng.uniform(0, 6)))
    body = 2 * depth * np.sqrt(np.maximum(1 - (x / half) ** 2, 0))
    body = np.maximum(paths.canvas.refine(body.astype(np.float32), stride), 0)
    paths["soft"][...] += 0.85 * body
    paths["fat"][...] += 0.15 * body


def _knee(paths: physics.Paths, rng: np.random.Generator) -> None:
    canvas = paths.canvas
    _limb(paths, rng, rng.uniform(58, 85), rng.uniform(50, 70))
    femur = np.array(
        [
            (-14, -200),
            (14, -200),
            (15, -110),
            (20, -60),
            (36, -32),
            (41, -12),
            (36, 2),
            (20, 5),
            (6, -3),
            (-6, -3),
            (-20, 5),
            (-36, 2),
            (-41, -12),
            (-36, -32),
            (-20, -60),
            (-15, -110),
        ],
        float,
    )
    tibia = np.array(
        [
            (-40, 9),
            (-20, 11),
            (0, 6),
            (20, 11),
            (40, 9),
            (38, 24),
            (26, 45),
            (15, 90),
            (13, 230),
            (-13, 230),
            (-15, 90),
            (-26, 45),
            (-38, 24),
        ],
        float,
    )
    _add_bone(paths, canvas, femur, 16, 2.5, 0.14, rng)
    _add_bone(paths, canvas, tibia, 16, 2.5, 0.14, rng)
    _add_bone(paths, canvas, _shaft(40, 22, 34, 230, 5, 10, 7), 6, 1.8, 0.1, rng)
    _add_bone(
        paths,
        canvas,
        np.array([(-20, -38), (0, -46), (20, -38), (22, -18), (0, -4), (-22, -18)], float),
        9,
        1.0,
        0.12,
        rng,
    )
    if rng.random() < 0.5:  # a knee replacement: metal, but no hip
        shield = np.array(
            [(-38, -14), (-30, 3), (-8, 5), (0, -6), (8, 5), (30, 3), (38, -14), (28, -26), (-28, -26)], float
        )
        window = canvas.box((-45, -40), (45, 20))
        if window is not None:
            slices, part = window
            distance = part.polygon(smooth_path(shield, 4, closed=True), 1.0)
            paths.view(slices).insert("cobalt", 2 * half_depth(distance, 8.0))
        add_rod(paths, canvas, np.array([[-36.0, 12.0], [36.0, 12.0]]), 2.2, "cobalt", depth=6.0)
        add_rod(paths, canvas, np.array([[0.0, 12.0], [0.0, 50.0]]), 5.5, "titanium")


def _forearm(paths: physics.Paths, rng: np.random.Generator) -> None:
    canvas = paths.canvas
    _limb(paths, rng, rng.uniform(38, 52), rng.uniform(26, 36))
    _add_bone(paths, canvas, _shaft(-14, -190, -17, 90, 7, 9, 15), 7, 2.6, 0.08, rng)
    _add_bone(paths, canvas, _shaft(14, -210, 13, 88, 6.5, 14, 8), 7, 2.6, 0.08, rng)
    for row, count in ((102, 4), (114, 4)):
        for k in range(count):
            cx = -19 + 12.5 * k + rng.normal(0, 1)
            _add_bone(
                paths,
                canvas,
                np.array([(cx - 6, row - 6), (cx + 6, row - 6), (cx + 6, row + 6), (cx - 6, row + 6)], float),
                6,
                0.8,
                0.15,
                rng,
            )
    for k in range(5):
        cx = -30 + 14 * k
        _add_bone(paths, canvas, _shaft(cx * 0.8, 122, cx * 1.5, 180, 3.6, 6, 6), 4, 1.4, 0.1, rng)
    if rng.random() < 0.3:
        add_rod(paths, canvas, np.array([[-22.0, -60.0], [-24.0, 40.0]]), 2.2, "titanium", depth=2.0)


def _spine(paths: physics.Paths, rng: np.random.Generator) -> None:
    canvas = paths.canvas
    _limb(paths, rng, rng.uniform(150, 190), rng.uniform(100, 125))
    lean = rng.normal(0, 0.06)
    for k in range(-5, 6):
        cx, cy = lean * 36 * k, 36.0 * k
        body = np.array(
            [
                (cx - 24, cy - 14),
                (cx + 24, cy - 14),
                (cx + 20, cy),
                (cx + 24, cy + 14),
                (cx - 24, cy + 14),
                (cx - 20, cy),
            ],
            float,
        )
        _add_bone(paths, canvas, body, 16, 1.4, 0.13, rng)
        for sign in (-1, 1):
            _add_bone(
                paths,
                canvas,
                np.array(
                    [
                        (cx + sign * 22, cy - 4),
                        (cx + sign * 46, cy - 7),
                        (cx + sign * 46, cy),
                        (cx + sign * 22, cy + 5),
                    ],
                    float,
                ),
                5,
                1.2,
                0.1,
                rng,
            )
            _add_bone(
                paths,
                canvas,
                np.array(
                    [
                        (cx + sign * 12 - 4, cy - 7),
                        (cx + sign * 12 + 4, cy - 7),
                        (cx + sign * 12 + 4, cy + 3),
                        (cx + sign * 12 - 4, cy + 3),
                    ],
                    float,
                ),
                8,
                1.4,
                0.12,
                rng,
            )
        _add_bone(
            paths,
            canvas,
            np.array([(cx - 3, cy + 2), (cx + 3, cy + 2), (cx + 4, cy + 18), (cx - 4, cy + 18)], float),
            7,
            1.2,
            0.12,
            rng,
        )
        if rng.random() < 0.12:
            for sign in (-1, 1):
                add_rod(
                    paths,
                    canvas,
                    np.array([[cx + sign * 20, cy - 3], [cx + sign * 8, cy + 2]]),
                    3.0,
                    "titanium",
                    thread_mm=0.4,
                )


def _chest(paths: physics.Paths, rng: np.random.Generator) -> None:
    canvas = paths.canvas
    _limb(paths, rng, rng.uniform(160, 200), rng.uniform(95, 120))
    for sign in (-1, 1):
        lung = smooth_path(
            np.array(
                [
                    (sign * 25, -140),
                    (sign * 75, -130),
                    (sign * 115, -60),
                    (sign * 125, 60),
                    (sign * 110, 95),
                    (sign * 40, 75),
                    (sign * (55 if sign > 0 else 35), 0),
                    (sign * 25, -60),
                ],
                float,
            ),
            5,
            closed=True,
        )
        distance = canvas.polygon(lung, 2.5)
        air = 1.5 * half_depth(distance, 55.0)
        texture = canvas.noise(rng, 9.0)
        soft = paths["soft"]
        soft -= np.minimum(air * (0.72 + 0.03 * texture), 0.85 * np.maximum(soft, 0))
        for k in range(9):
            start = -130 + 24 * k
            rib = smooth_path(
                [(sign * 15, start), (sign * 60, start - 6), (sign * 115, start + 22), (sign * 130, start + 50)], 5
            )
            add_rod(paths, canvas, rib, 5.0, "bone", depth=0.35)
    add_rod(paths, canvas, np.array([[0.0, -220.0], [0.0, 220.0]]), 17.0, "bone", depth=0.22)


def _hand(paths: physics.Paths, rng: np.random.Generator) -> None:
    canvas = paths.canvas
    for k in range(5):
        angle = (k - 2) * rng.uniform(0.12, 0.2) + (-0.5 if k == 0 else 0)
        d = np.array([np.sin(angle), -np.cos(angle)])
        at = np.array([(k - 2) * 15.0, 40.0])
        tip = at + d * 150
        add_rod(paths, canvas, np.vstack([at - d * 20, tip]), 9.5, "soft", depth=1.0)
        for length, width in ((58, 4.5), (38, 4.0), (24, 3.6), (17, 3.2)):
            end = at + d * length
            _add_bone(
                paths,
                canvas,
                _shaft(at[0], at[1], end[0], end[1], width * 0.85, width * 1.5, width * 1.4),
                4.5,
                1.3,
                0.1,
                rng,
            )
            at = end + d * 2.5
    add_rod(paths, canvas, np.array([[0.0, 50.0], [0.0, 130.0]]), 36.0, "soft", depth=0.5)
    for k in range(8):
        cx, cy = -18 + 12 * (k % 4), 56 + 12 * (k // 4)
        _add_bone(
            paths,
            canvas,
            np.array([(cx - 6, cy - 6), (cx + 6, cy - 6), (cx + 6, cy + 6), (cx - 6, cy + 6)], float),
            6,
            0.8,
            0.16,
            rng,
        )
    for cx in (-12, 13):
        _add_bone(paths, canvas, _shaft(cx, 82, cx, 220, 7, 13, 8), 7, 2.4, 0.09, rng)
    np.maximum(paths["soft"], 0, out=paths["soft"])
    np.minimum(paths["soft"], 34, out=paths["soft"])


def _skull(paths: physics.Paths, rng: np.random.Generator) -> None:
    canvas = paths.canvas
    x, y = canvas.coordinates
    a, b = rng.uniform(72, 82), rng.uniform(92, 104)
    r = np.sqrt((x / a) ** 2 + ((y + 10) / b) ** 2)
    head, vault, brain = (np.sqrt(np.maximum(1 - (r * k) ** 2, 0)) for k in (0.93, 1.0, 1.07))
    paths["soft"][...] += 2 * 78 * head
    paths.insert("bone", 2 * 70 * np.maximum(vault - brain, 0) * 0.55)
    for sign in (-1, 1):
        orbit = smooth_path(
            np.array(
                [(sign * 15, 10), (sign * 35, 4), (sign * 50, 14), (sign * 46, 34), (sign * 26, 38), (sign * 14, 26)],
                float,
            ),
            4,
            closed=True,
        )
        distance = canvas.polygon(orbit, 1.5)
        paths.insert("bone", 9 * np.exp(-((distance / 2.2) ** 2)))
    jaw = smooth_path([(-52, 40), (-46, 78), (-22, 104), (0, 108), (22, 104), (46, 78), (52, 40)], 5)
    add_rod(paths, canvas, jaw, 9.0, "bone", depth=0.5)
    for k in range(14):
        add_rod(paths, canvas, np.array([[-26 + 4 * k, 76.0], [-26 + 4 * k, 92.0]]), 1.7, "bone", depth=3.0)


def _leg(paths: physics.Paths, rng: np.random.Generator) -> None:
    """A shaft alone: femur, tibia or humerus, sometimes with a nail or plate."""
    canvas = paths.canvas
    _limb(paths, rng, rng.uniform(48, 90), rng.uniform(42, 75))
    r = rng.uniform(11, 15)
    _add_bone(
        paths, canvas, _shaft(0, -260, rng.normal(0, 8), 240, r, 1.6 * r, 2.2 * r), r, rng.uniform(4, 7), 0.03, rng
    )
    if rng.random() < 0.4:
        _add_bone(paths, canvas, _shaft(32, -230, 30, 230, 6, 10, 9), 6, 2.6, 0.05, rng)
    roll = rng.random()
    if roll < 0.25:
        add_rod(paths, canvas, np.array([[0.0, -260.0], [0.0, 150.0]]), 5.0, "titanium")
    elif roll < 0.5:
        add_rod(paths, canvas, np.array([[r + 2.0, -90.0], [r + 2.0, 60.0]]), 2.4, "titanium", depth=2.0)
        for level in range(-80, 60, 20):
            add_rod(
                paths,
                canvas,
                np.array([[r + 3.0, float(level)], [-r - 2.0, float(level)]]),
                1.9,
                "titanium",
                thread_mm=0.4,
            )


_BONES: dict[str, tuple[Callable[[physics.Paths, np.random.Generator], None], float]] = {
    "knee": (_knee, 170.0), "forearm": (_forearm, 190.0), "spine": (_spine, 190.0), "chest": (_chest, 210.0),
    "hand": (_hand, 160.0), "skull": (_skull, 130.0), "shaft": (_leg, 190.0),
}  # fmt: skip


def _other_bone(stream: Stream, options: SimulationOptions) -> SimulatedRadiograph:
    rng = stream("bone")
    name = str(rng.choice(list(_BONES)))
    draw, half = _BONES[name]
    height = half * rng.uniform(0.6, 1.0)
    width = height * rng.uniform(0.45, 1.0)
    side = _side(stream)
    turn = float(rng.normal(0, 8) + (90 * rng.integers(0, 4) if rng.random() < 0.15 else 0))
    low, high = (-width + rng.normal(0, 8), -height), (width + rng.normal(0, 8), height)
    frame = radiograph.make_frame(stream("frame"), low, high, side, turn, 1.0, options)
    paths = physics.Paths(frame.canvas)
    draw(paths, rng)
    return _finish(stream, options, paths, frame, side, None, Suitability.OTHER_BONE, "other", lambda grey: (), name)


# --- no radiograph at all ------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _photographs() -> list[Field]:
    """Two real photographs that come with scikit-learn, as grey 0-1."""
    from sklearn.datasets import load_sample_images

    return [
        np.asarray(Image.fromarray(image).convert("L"), np.float32) / np.float32(255)
        for image in load_sample_images().images
    ]


def _photograph(rng: np.random.Generator, rows: int, cols: int) -> Field:
    if rng.random() < 0.5:
        source = _photographs()[int(rng.integers(2))]
        height, width = (int(size * rng.uniform(0.3, 1.0)) for size in source.shape)
        top, left = (
            int(rng.integers(0, source.shape[0] - height + 1)),
            int(rng.integers(0, source.shape[1] - width + 1)),
        )
        image = Image.fromarray(source[top : top + height, left : left + width])
        if rng.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return np.array(image.resize((cols, rows), Image.Resampling.BICUBIC), np.float32)
    # Things on a table: shaded shapes over fractal texture.
    grey = 0.3 + 0.4 * _fractal(rng, rows, cols, 1.6)
    pen_image = Image.fromarray((np.clip(grey, 0, 1) * 255).astype(np.uint8))
    pen = ImageDraw.Draw(pen_image)
    for _ in range(int(rng.integers(3, 14))):
        x, y, w, h = (
            rng.uniform(0, cols),
            rng.uniform(0, rows),
            rng.uniform(0.05, 0.5) * cols,
            rng.uniform(0.05, 0.5) * rows,
        )
        shade = int(rng.integers(0, 256))
        if rng.random() < 0.5:
            pen.ellipse((x, y, x + w, y + h), fill=shade)
        else:
            pen.polygon([(x + rng.uniform(-1, 1) * w, y + rng.uniform(-1, 1) * h) for _ in range(4)], fill=shade)
    out = np.array(pen_image, np.float32) / np.float32(255)
    return ndimage.gaussian_filter(out, rng.uniform(0, 2.5)) * (0.8 + 0.4 * _fractal(rng, rows, cols, 2.2))


def _fractal(rng: np.random.Generator, rows: int, cols: int, power: float) -> Field:
    n = 256
    spectrum = np.fft.rfft2(rng.standard_normal((n, n)))
    f = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.rfftfreq(n)[None, :])
    f[0, 0] = 1.0
    field = np.fft.irfft2(spectrum / f**power, s=(n, n))
    field = (field - field.min()) / (field.max() - field.min())
    return np.array(
        Image.fromarray(field.astype(np.float32)).resize((cols, rows), Image.Resampling.BICUBIC), np.float32
    )


def _text_page(rng: np.random.Generator, rows: int, cols: int) -> Field:
    dark = rng.random() < 0.25
    page = Image.new("L", (cols, rows), 15 if dark else int(rng.integers(225, 256)))
    pen = ImageDraw.Draw(page)
    size = max(7.0, rows * rng.uniform(0.012, 0.035))
    font = ImageFont.load_default(size)
    letters = "abcdefghijklmnopqrstuvwxyz      0123456789.,"
    y = rows * rng.uniform(0.03, 0.1)
    while y < rows * 0.95:
        if rng.random() < 0.85:
            count = int(rng.uniform(0.4, 1.0) * cols / size * 1.7)
            line = "".join(letters[i] for i in rng.integers(0, len(letters), max(3, count)))
            pen.text((cols * 0.06, y), line, fill=230 if dark else int(rng.integers(0, 90)), font=font)
        y += size * 1.5
    return np.array(page, np.float32) / np.float32(255)


def _no_radiograph(stream: Stream, kind: Suitability, options: SimulationOptions) -> SimulatedRadiograph:
    rng = stream("picture")
    longer = radiograph.draw_size(stream("frame"), options)
    aspect = float(rng.uniform(0.6, 1.0))
    rows, cols = (
        (longer, max(32, int(longer * aspect))) if rng.random() < 0.6 else (max(32, int(longer * aspect)), longer)
    )
    if kind is Suitability.PHOTOGRAPH:
        grey = _photograph(rng, rows, cols)
    elif kind is Suitability.TEXT_PAGE:
        grey = _text_page(rng, rows, cols)
    elif kind is Suitability.NOISE:
        if rng.random() < 0.5:
            grey = _fractal(rng, rows, cols, float(rng.uniform(0.3, 2.0)))
        else:
            grey = 0.5 + rng.uniform(0.05, 0.4) * rng.standard_normal((rows, cols), dtype=np.float32)
    else:
        slope = np.linspace(0, rng.uniform(-0.3, 0.3), rows, dtype=np.float32)[:, None]
        grey = rng.uniform(0, 1) + slope + rng.uniform(0, 0.01) * rng.standard_normal((rows, cols), dtype=np.float32)
    grey = np.clip(grey, 0, 1).astype(np.float32)
    look = processing.draw_look(stream("look"), options.clean, options.shifted)
    overlays = processing.draw_overlays(stream("overlays"))
    grey = processing.degrade(grey, look, stream("noise"))
    if options.overlays and kind not in (Suitability.BLANK, Suitability.TEXT_PAGE):
        grey = processing.burn_overlays(grey, overlays, "L", stream("overlays burnt"))
    nuisance = {"rows": float(rows), "cols": float(cols), "inverted": float(look.inverted)}
    truth = Truth("other", kind, (), nuisance)
    return SimulatedRadiograph(processing.store(grey, look), look.bits, (1.0, 1.0), truth)


__all__ = ["draw_kind", "simulate_unsuitable"]
