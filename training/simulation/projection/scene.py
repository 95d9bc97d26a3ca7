"""The patient in front of the beam: how bones and implants are turned, and what they leave on the way of the rays."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from training.simulation import implants, scene, soft_tissue
from training.simulation.anatomy import Patient, add_ossification
from training.simulation.canvas import Canvas, Field
from training.simulation.designs import DrawnHip, HipDesign
from training.simulation.framing import Frame
from training.simulation.loosening import ComponentPlan, plan_component
from training.simulation.physics import Paths
from training.simulation.projection import cup as cups
from training.simulation.projection import heads, tissue
from training.simulation.projection import stem as stems
from training.simulation.projection.femur import draw_femur
from training.simulation.projection.flesh import draw_flesh
from training.simulation.projection.pelvis import draw_pelvis, sacrum
from training.simulation.projection.rays import Beam, Plane, Pose, turned
from training.simulation.streams import Stream
from training.simulation.truth import Label

SOCKET_MM = 26.0
ROUGH = ((9.0, 0.16), (3.2, 0.10))


@dataclass(frozen=True)
class Posture:
    """How the patient lies: drawn once per picture, as nuisance."""

    tilt_deg: float  # of the pelvis, forwards
    turn_deg: float  # of the pelvis to a side
    rotation_deg: tuple[float, float]  # of each femur about its shaft, neck forwards
    flexion_deg: tuple[float, float]
    seat_mm: tuple[float, float, float]  # of the cup in its bone, from where the native head was
    source_mm: float  # distance of the focal spot from the hip
    off_center_mm: tuple[float, float]


def draw_posture(rng: np.random.Generator) -> Posture:
    return Posture(
        float(rng.normal(0, 6)),
        float(rng.normal(0, 2.5)),
        (float(rng.normal(8, 9)), float(rng.normal(8, 9))),
        (float(rng.normal(3, 4)), float(rng.normal(3, 4))),
        (float(rng.normal(-1, 2)), float(rng.normal(-1, 2.5)), float(rng.normal(0, 1.5))),
        float(rng.uniform(880, 1250)),
        (float(rng.normal(0, 25)), float(rng.normal(15, 25))),
    )


@dataclass(frozen=True, eq=False)
class Setting:
    """One picture's beam and frames."""

    patient: Patient
    posture: Posture
    frame: Frame
    beam: Beam
    base: Pose  # of the pelvis, the main hip's side

    def pelvis(self, number: int) -> Pose:
        """The frame of one half of the pelvis: 0 the main hip's, 1 the other's."""
        if number == 0:
            return self.base
        return self.base.moved(np.diag([-1.0, 1.0, 1.0]), (-2.0 * self.patient.midline_mm, 0.0, 0.0))

    def femur(self, number: int) -> Pose:
        p = self.posture
        turn = turned(p.flexion_deg[number] - p.tilt_deg, p.rotation_deg[number], -self.patient.adduction_deg)
        return self.pelvis(number).moved(turn)

    def native_hip(self, number: int, design: HipDesign) -> DrawnHip:
        """What the truth knows of a hip without an implant."""
        femoral = Plane.of(self.beam, self.femur(number), (self.patient.shaft_x_mm, 60.0))
        pelvic = Plane.of(self.beam, self.pelvis(number))
        return DrawnHip(design, pelvic, None, femoral, None, None, None, None, (0.0, 0.0), {}, None)


def draw_setting(stream: Stream, patient: Patient, frame: Frame, pelvis: bool) -> Setting:
    """The world's axes are the picture's: the frame's rotation and mirroring become the patient's."""
    posture = draw_posture(stream("posture"))
    row_mm, col_mm = frame.canvas.spacing_mm
    flat = frame.canvas.matrix[:, :2] / (col_mm, row_mm)
    canvas = Canvas(frame.canvas.rows, frame.canvas.cols, flat.T @ frame.canvas.matrix)
    in_plane = np.eye(3)
    in_plane[:2, :2] = flat
    middle = np.array([-patient.midline_mm, 0.0]) if pelvis or stream("centring").random() < 0.6 else np.zeros(2)
    cx, cy = flat.T @ (middle + posture.off_center_mm)
    beam = Beam(canvas, (float(cx), float(cy), posture.source_mm))
    base = Pose(turned(posture.tilt_deg, posture.turn_deg) @ in_plane, np.zeros(3))
    return Setting(patient, posture, frame, beam, base)


def add_background(paths: Paths, setting: Setting, stream: Stream) -> None:
    """Flesh, sacrum, gas, stray bone: all that is there whatever the hips are."""
    beam, patient = setting.beam, setting.patient
    tissue.add_flesh(paths, beam, setting.base, draw_flesh(stream("flesh"), patient))
    bones = stream("sacrum")
    box, body = sacrum(patient, int(bones.integers(1 << 30)))
    rays = beam.window(setting.base, *box, cups.PELVIS_LATTICE_MM, cups.PELVIS_DEPTH_MM)
    if rays is not None:
        surface = body(*rays.points)
        rough = tissue.Unevenness(beam.canvas, bones, ROUGH)
        compact, spongy = tissue.bone_paths(rays, surface, np.full_like(surface, 0.9 * patient.cortex), rough)
        density = 0.85 * tissue.pelvic_density(beam.canvas, patient, bones)
        tissue.insert_bone(paths, rays, compact, spongy, density[rays.slices])
    soft_tissue.add_gas(paths.on(setting.frame.canvas), patient, stream("gas"))
    ossified = stream("ossification")
    if ossified.random() < 0.12:
        add_ossification(paths.on(setting.frame.canvas), patient, ossified)


def add_native(paths: Paths, setting: Setting, number: int, stream: Stream, name: str) -> None:
    """A native hip: half a pelvis with its socket, and the femur with its head."""
    rng = stream(f"bones {name}")
    rough = add_socket(paths, setting, number, rng)
    add_native_femur(paths, setting, number, rng, rough)


def add_socket(paths: Paths, setting: Setting, number: int, rng: np.random.Generator) -> tissue.Unevenness:
    """Half a pelvis with its native socket."""
    beam, patient = setting.beam, setting.patient
    pelvis = draw_pelvis(rng, patient, SOCKET_MM * patient.size)
    density = tissue.pelvic_density(beam.canvas, patient, rng)
    rough = tissue.Unevenness(beam.canvas, rng, ROUGH)
    cups.add_pelvis(paths, beam, pelvis, setting.pelvis(number), density, rough, None)
    return rough


def add_native_femur(
    paths: Paths, setting: Setting, number: int, rng: np.random.Generator, rough: tissue.Unevenness
) -> None:
    beam, patient, pose = setting.beam, setting.patient, setting.femur(number)
    bone = draw_femur(rng, patient, None)
    rays = beam.window(pose, *bone.box(), stems.FEMUR_LATTICE_MM, stems.FEMUR_DEPTH_MM)
    if rays is None:
        return
    x, y, z = rays.points
    compact, spongy = tissue.bone_paths(rays, bone.surface(x, y, z), bone.cortex(x, y, z), rough)
    height = Plane.of(beam, pose, (patient.shaft_x_mm, 80.0)).coordinates[1]
    density = tissue.femoral_density(beam.canvas, stems.axis_deg(pose), patient, height, rng)
    tissue.insert_bone(paths, rays, compact, spongy, density[rays.slices])


def add_resurfaced(paths: Paths, setting: Setting, design: HipDesign, stream: Stream) -> DrawnHip:
    """A cap on the native neck with a peg, in a thin metal cup."""
    rng, patient, pelvic = stream("bones main"), setting.patient, setting.pelvis(0)
    rough = add_socket(paths, setting, 0, rng)
    add_native_femur(paths, setting, 0, rng, rough)
    neck = np.array([patient.shaft_x_mm - 3.0, 29.0 + patient.neck_length_mm, 0.0])
    cap = heads.Cap(
        float(rng.uniform(20, 26)), neck / np.linalg.norm(neck), float(rng.uniform(-2, 12)), float(rng.uniform(28, 50))
    )
    mask = heads.add_cap(paths, setting.beam, cap, setting.femur(0))
    lean = np.deg2rad(rng.uniform(32, 58))
    opening = np.array([np.sin(lean), np.cos(lean), rng.uniform(0.05, 0.4)])
    mask |= heads.add_shell(
        paths, setting.beam, cap.radius_mm + rng.uniform(3.0, 5.0), cap.radius_mm + 0.3, opening, pelvic
    )
    return replace(setting.native_hip(0, design), head_mask=mask)


def add_ball(paths: Paths, setting: Setting, design: HipDesign, stream: Stream, bipolar: bool) -> DrawnHip:
    """A stem with one large ball, or a ball that turns on a small one, in a native socket."""
    assert design.stem is not None
    assert design.stem_form is not None
    beam, patient = setting.beam, setting.patient
    rng, drawing = stream("bones main"), stream("drawing main")
    rough = add_socket(paths, setting, 0, rng)
    femur = draw_femur(rng, patient, float(rng.uniform(-3, 6)))
    pose, form = setting.femur(0), design.stem_form
    radius = SOCKET_MM * patient.size - float(rng.uniform(1.5, 4.0))
    small = float(rng.choice([22.0, 28.0])) if bipolar else 2.0 * radius
    solid = stems.draw_solid(stream("solid main"), form, replace(design.stem, head_mm=small))
    plan = plan_component(
        drawing, Label.FIXED, cemented=design.stem.family.cemented, cup=False, hard=bool(rng.random() < 0.3)
    )
    flat = Plane.of(beam, pose, (patient.shaft_x_mm, 60.0))
    fields = stems.add_femur_with_stem(
        paths,
        beam,
        femur,
        pose,
        thinning(stream("lookalike main"), flat, patient),
        solid,
        pose,
        plan,
        rough,
        drawing,
        stream("texture main"),
    )
    mask = stems.add_metal(paths, beam, solid, pose, (0.0, 0.0, 0.0))
    if bipolar:
        lean = np.deg2rad(rng.uniform(15, 70))
        mouth = np.array([np.sin(lean), np.cos(lean), 0.1])
        mask |= heads.add_shell(
            paths, beam, radius, radius - rng.uniform(2.0, 3.5), mouth, setting.pelvis(0), 0.45 * radius
        )
    rims = {"cup_rim_lateral": (radius, 0.0), "cup_rim_medial": (-radius, 0.0)}
    return replace(
        setting.native_hip(0, design),
        stem_canvas=Plane.of(beam, pose, form.tip),
        stem_plan=plan,
        cup_plan=plan,
        stem_fields=fields,
        cup_rims=rims,
        head_mask=mask,
    )


def add_replaced(
    paths: Paths,
    setting: Setting,
    number: int,
    design: HipDesign,
    plans: tuple[ComponentPlan, ComponentPlan],
    stream: Stream,
    name: str,
) -> DrawnHip:
    """A hip with its implant. Rests of random streams are the same whatever the plans are."""
    beam, patient = setting.beam, setting.patient
    assert design.stem is not None
    assert design.cup is not None
    assert design.stem_form is not None
    stem_plan, cup_plan = plans
    rng, drawing, lookalike = stream(f"bones {name}"), stream(f"drawing {name}"), stream(f"lookalike {name}")
    pelvis = draw_pelvis(rng, patient, None)
    femur = draw_femur(rng, patient, float(rng.uniform(-3, 6)))
    rough = tissue.Unevenness(beam.canvas, rng, ROUGH)
    density = tissue.pelvic_density(beam.canvas, patient, rng)
    solid = stems.draw_solid(stream(f"solid {name}"), design.stem_form, design.stem)

    pelvic = setting.pelvis(number)
    femoral = setting.femur(number)
    bone = femoral.moved(np.eye(3), (0.0, -stem_plan.subsidence_mm, 0.0))  # the bone rises past the stem
    pivot = np.array([patient.shaft_x_mm - 8.0, 45.0, 0.0])
    stem_pose = femoral.moved(turned(z_deg=-stem_plan.tilt_deg), tuple(pivot)).moved(np.eye(3), tuple(-pivot))
    # The head sits in the cup, a little higher where the polyethylene has worn; a tilted stem takes both along.
    center = pelvic.local(stem_pose.world([(0.0, 0.0, 0.0)]))[0]
    moved = np.array([*cup_plan.migration_mm, 0.0])
    wear = design.cup.wear_mm
    cup_center = center + moved + (-0.35 * wear, 0.9 * wear, 0.0)
    head = center + moved
    seat = pelvic.moved(np.eye(3), setting.posture.seat_mm)
    in_seat = seat.local(pelvic.world([cup_center]))[0]

    reamed = (tuple(in_seat), design.cup.radius_mm - 0.5)
    cups.add_pelvis(paths, beam, pelvis, seat, density, rough, reamed)
    stem_plan = stems.fit_to_bone(stem_plan, stem_pose, femur, bone, design.stem_form)
    flat = Plane.of(beam, bone, (patient.shaft_x_mm, 60.0))
    thinned = thinning(lookalike, flat, patient)
    stem_fields = stems.add_femur_with_stem(
        paths, beam, femur, bone, thinned, solid, stem_pose, stem_plan, rough, drawing, stream(f"texture {name}")
    )
    if lookalike.random() < 0.10:
        implants.add_cerclage(paths, flat, patient, lookalike)
    head_in_stem = stem_pose.local(pelvic.world([head]))[0]
    cup_fields = cups.add_cup(
        paths, beam, pelvis, seat, Plane.of(beam, seat), design.cup, cup_plan, tuple(in_seat), design.stem.head_mm,
        density, rough, stream(f"cup {name}"),
    )  # fmt: skip
    head_mask = stems.add_metal(paths, beam, solid, stem_pose, tuple(head_in_stem))
    lateral, medial = (
        pelvic.local(seat.world([p]))[0] for p in cups.rim_points(design.cup, cup_plan.tilt_deg, tuple(in_seat))
    )
    tip = design.stem_form.tip
    return DrawnHip(
        design,
        Plane.of(beam, pelvic),
        Plane.of(beam, stem_pose, tip),
        Plane.of(beam, femoral, (patient.shaft_x_mm, 60.0)),
        stem_plan,
        cup_plan,
        stem_fields,
        cup_fields,
        (float(head[0]), float(head[1])),
        {"cup_rim_lateral": (lateral[0], lateral[1]), "cup_rim_medial": (medial[0], medial[1])},
        head_mask,
    )


def thinning(rng: np.random.Generator, flat: Canvas, patient: Patient) -> Field:
    """(rows, cols) share of bone lost: look-alikes that well-fixed stems show as often as loose ones."""
    x, y = flat.coordinates
    n = patient.neck_length_mm
    loss = np.zeros_like(x)
    shielding, calcar, lysis = rng.random(3)
    if shielding < 0.35:
        loss = np.maximum(loss, rng.uniform(0.25, 0.65) * np.clip((75 + n - y) / 45, 0, 1))
    if calcar < 0.25:
        place = np.exp(-(((x - (patient.shaft_x_mm - 20)) / 9) ** 2 + ((y - (38 + n)) / rng.uniform(7, 14)) ** 2))
        loss = np.maximum(loss, 0.8 * place)
    if lysis < 0.18:
        for _ in range(int(rng.integers(1, 4))):
            cx, cy = patient.shaft_x_mm + rng.uniform(-14, 20), n + rng.uniform(0, 60)
            size = rng.uniform(4, 10)
            loss = np.maximum(loss, 0.75 * np.exp(-((((x - cx) ** 2 + ((y - cy) * 0.8) ** 2) / size**2) ** 1.3)))
    return np.asarray(loss, np.float32)


hip_band = scene.hip_band
