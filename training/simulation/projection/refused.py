"""What must be refused and shows a hip: native, cropped, resurfaced, or with a ball in its native socket."""

from __future__ import annotations

from dataclasses import replace

from imaging.radiograph import Side
from training.simulation import anatomy, designs, hip_truth, physics, refused
from training.simulation.framing import frame_pelvis
from training.simulation.options import SimulationOptions
from training.simulation.projection import scene
from training.simulation.projection.developing import expose
from training.simulation.projection.framing import frame_crop
from training.simulation.refused.common import draw_side, finish, unlabelled
from training.simulation.refused.hips import cropped_frame
from training.simulation.streams import Stream
from training.simulation.truth import SimulatedRadiograph, Suitability

SPATIAL_SHARE = 0.6  # of uncovered designs: those drawn here


def simulate_unsuitable(
    stream: Stream, kind: Suitability, options: SimulationOptions, pelvis: bool
) -> SimulatedRadiograph:
    """Kinds without a hip of their own in space are drawn by the layered renderer."""
    if kind is Suitability.NATIVE:
        return native(stream, options, pelvis)
    if kind is Suitability.CROPPED:
        return cropped(stream, options)
    if kind is Suitability.UNCOVERED_DESIGN:
        return uncovered(stream, options)
    return refused.simulate_unsuitable(stream, kind, options, pelvis)


def native(stream: Stream, options: SimulationOptions, pelvis: bool) -> SimulatedRadiograph:
    side = draw_side(stream)
    patient = anatomy.draw_patient(stream("patient"), options.shifted)
    both = [designs.draw_design(stream, options, patient, side, False, "main")]
    rng = stream("frame")
    if pelvis:
        frame = frame_pelvis(rng, both[0], patient, options)
        both.append(
            designs.draw_design(
                stream, options, patient, Side.RIGHT if side is Side.LEFT else Side.LEFT, False, "other"
            )
        )
    else:
        frame = frame_crop(rng, both[0], patient, options, float(rng.uniform(80, 150)))
    setting = scene.draw_setting(stream, patient, frame, pelvis)
    paths = physics.Paths(frame.canvas)
    scene.add_background(paths, setting, stream)
    scene.add_native(paths, setting, 0, stream, "main")
    scene.add_native(paths, setting, 1, stream, "other")
    hips = [setting.native_hip(number, design) for number, design in enumerate(both)]
    return finish(
        stream, options, paths, frame, side, patient, Suitability.NATIVE, "pelvis" if pelvis else "single",
        lambda grey: tuple(hip_truth.hip_truth(hip, frame, grey, patient)[0] for hip in hips), expose=expose,
    )  # fmt: skip


def cropped(stream: Stream, options: SimulationOptions) -> SimulatedRadiograph:
    """A replaced hip of which the picture lacks the cup's dome, a quarter of the stem or more, or one of its sides."""
    side = draw_side(stream)
    patient = anatomy.draw_patient(stream("patient"), options.shifted)
    design = designs.draw_design(stream, options, patient, side, True, "main")
    frame, how = cropped_frame(stream("frame"), design, patient, options)
    setting = scene.draw_setting(stream, patient, frame, False)
    paths = physics.Paths(frame.canvas)
    scene.add_background(paths, setting, stream)
    scene.add_native(paths, setting, 1, stream, "other")
    plans = designs.draw_plans(stream, options, design, "main", 0)
    hip = scene.add_replaced(paths, setting, 0, design, plans, stream, "main")
    return finish(
        stream, options, paths, frame, side, patient, Suitability.CROPPED, "single",
        lambda grey: (unlabelled(hip_truth.hip_truth(hip, frame, grey, patient)[0]),), how, expose,
    )  # fmt: skip


def uncovered(stream: Stream, options: SimulationOptions) -> SimulatedRadiograph:
    """A resurfacing, or a stem with a large ball in a native socket; other uncovered designs are drawn in layers."""
    rng = stream("uncovered")
    if rng.random() > SPATIAL_SHARE:
        return refused.simulate_unsuitable(stream, Suitability.UNCOVERED_DESIGN, options, False)
    how = "resurfacing" if rng.random() < 0.5 else "hemiarthroplasty"
    side = draw_side(stream)
    patient = anatomy.draw_patient(stream("patient"), options.shifted)
    design = designs.draw_design(stream, options, patient, side, how != "resurfacing", "main")
    bottom = float(rng.uniform(80, 150)) if design.stem_form is None else design.stem_form.tip[1]
    frame = frame_crop(stream("frame"), design, patient, options, bottom)
    setting = scene.draw_setting(stream, patient, frame, False)
    paths = physics.Paths(frame.canvas)
    scene.add_background(paths, setting, stream)
    scene.add_native(paths, setting, 1, stream, "other")
    if how == "resurfacing":
        hip = scene.add_resurfaced(paths, setting, design, stream)
    else:
        hip = scene.add_ball(paths, setting, design, stream, bipolar=bool(rng.random() < 0.4))
    return finish(
        stream, options, paths, frame, side, patient, Suitability.UNCOVERED_DESIGN, "single",
        lambda grey: (replace(unlabelled(hip_truth.hip_truth(hip, frame, grey, patient)[0]), replaced=True),), how, expose,
    )  # fmt: skip
