"""One radiograph by projection from (seed, index): the same options, designs, plans and truth as the layered renderer."""

from __future__ import annotations

from functools import partial

from imaging.radiograph import Side
from training.simulation import anatomy, overlays, physics
from training.simulation.canvas import Field
from training.simulation.designs import DrawnHip, HipDesign, draw_design, draw_plans
from training.simulation.exposing import finish
from training.simulation.framing import frame_pelvis
from training.simulation.hip_truth import hip_truth
from training.simulation.options import DEFAULT, SimulationOptions
from training.simulation.projection.developing import expose
from training.simulation.projection.framing import frame_crop
from training.simulation.projection.refused import simulate_unsuitable
from training.simulation.projection.scene import (
    Setting,
    add_background,
    add_native,
    add_replaced,
    draw_setting,
    hip_band,
)
from training.simulation.radiograph import drawn_to_be_seen
from training.simulation.refused import draw_kind
from training.simulation.streams import Stream, streams
from training.simulation.truth import SimulatedRadiograph, Suitability, Truth

SALT = 0x3D  # so that the two renderers do not draw the same patients from the same seed


def simulate(seed: int, index: int, options: SimulationOptions = DEFAULT) -> SimulatedRadiograph:
    """Image number `index` of the sequence `seed`: the same wherever and in whatever order it is made."""
    stream = streams(seed ^ (SALT << 24), index)
    kind = stream("kind")
    unsuitable, pelvis = kind.random() < options.unsuitable_share, bool(kind.random() < options.pelvis_share)
    wanted = options.suitability
    if wanted is None and unsuitable:
        wanted = draw_kind(kind)
    if wanted not in (None, Suitability.SUITABLE):
        return simulate_unsuitable(stream, Suitability(wanted), options, pelvis)
    return _suitable(stream, options, pelvis)


def _suitable(stream: Stream, options: SimulationOptions, pelvis: bool) -> SimulatedRadiograph:
    image_rng = stream("image")
    side = Side.LEFT if image_rng.random() < 0.5 else Side.RIGHT
    both = image_rng.random() < options.bilateral_share
    patient = anatomy.draw_patient(stream("patient"), options.shifted)
    designs = [draw_design(stream, options, patient, side, True, "main")]
    assert designs[0].stem_form is not None
    if pelvis:
        other = Side.RIGHT if side is Side.LEFT else Side.LEFT
        designs.append(draw_design(stream, options, patient, other, bool(both), "other"))
        frame = frame_pelvis(stream("frame"), designs[0], patient, options)
    else:
        hidden = overlays.draw_overlays(stream("overlays")).collimation if options.overlays else (0.0, 0.0, 0.0, 0.0)
        frame = frame_crop(stream("frame"), designs[0], patient, options, designs[0].stem_form.tip[1], margins=hidden)
    setting = draw_setting(stream, patient, frame, pelvis)
    paths = physics.Paths(frame.canvas)
    add_background(paths, setting, stream)
    if len(designs) == 1 or not designs[1].replaced:
        add_native(paths, setting, 1, stream, "other")
    render = partial(_render, stream, setting, designs, paths, paths.stack, pelvis)
    return drawn_to_be_seen(render, options, frame)


def _render(
    stream: Stream,
    setting: Setting,
    designs: list[HipDesign],
    paths: physics.Paths,
    without_hips: Field,
    pelvis: bool,
    options: SimulationOptions,
    emphasis: int,
    notes: tuple[str, ...],
) -> tuple[SimulatedRadiograph, str]:
    """(radiograph, what a loose component lacks to be seen or "")"""
    frame = setting.frame
    paths.stack = without_hips.copy()
    drawn: list[DrawnHip] = []
    for number, (design, name) in enumerate(zip(designs, ("main", "other"), strict=False)):
        if design.replaced:
            plans = draw_plans(stream, options, design, name, emphasis)
            drawn.append(add_replaced(paths, setting, number, design, plans, stream, name))
        else:
            drawn.append(setting.native_hip(number, design))
    bands = [hip_band(hip, frame) for hip in drawn]
    grey, look, nuisance = expose(paths, frame, options, stream, bands, designs[0].side, setting.patient)
    hips, failed = [], ""
    for hip in drawn:
        known, problem = hip_truth(hip, frame, grey, setting.patient)
        hips.append(known)
        failed = failed or problem
    nuisance["pelvis"] = float(pelvis)
    truth = Truth("pelvis" if pelvis else "single", Suitability.SUITABLE, tuple(hips), nuisance, notes)
    return finish(grey, look, frame, truth), failed
