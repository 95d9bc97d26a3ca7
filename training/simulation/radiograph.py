"""One simulated radiograph from (seed, index): the scene, its exposure, its processing, its truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from imaging.radiograph import Side
from training.simulation import anatomy, overlays, physics, refused
from training.simulation.canvas import Field
from training.simulation.designs import DrawnHip, HipDesign, draw_design, draw_plans
from training.simulation.exposing import expose, finish
from training.simulation.framing import Frame, frame_pelvis, frame_single, mirrored
from training.simulation.hip_truth import combine, hip_truth
from training.simulation.options import DEFAULT, SimulationOptions
from training.simulation.scene import background, draw_hip, hip_band
from training.simulation.streams import Stream, streams
from training.simulation.truth import (
    ComponentTruth,
    Label,
    SimulatedRadiograph,
    Suitability,
    Truth,
)
from training.simulation.visibility import MIN_VISIBLE_SHARE

MAX_ATTEMPTS = 5
COARSE_MM = 0.5  # per pixel of the final image: above it lines begin to be lost
PARTS = ("stem", "cup")


def simulate(seed: int, index: int, options: SimulationOptions = DEFAULT) -> SimulatedRadiograph:
    """Image number `index` of the sequence `seed`: the same wherever and in whatever order it is made."""
    stream = streams(seed, index)
    kind = stream("kind")
    unsuitable, pelvis = kind.random() < options.unsuitable_share, kind.random() < options.pelvis_share
    wanted = options.suitability
    if wanted is None and unsuitable:
        wanted = refused.draw_kind(kind)
    if wanted not in (None, "suitable"):
        return refused.simulate_unsuitable(stream, Suitability(wanted), options, bool(pelvis))
    return _simulate_suitable(stream, options, bool(pelvis))


def _simulate_suitable(stream: Stream, options: SimulationOptions, pelvis: bool) -> SimulatedRadiograph:
    image_rng = stream("image")
    main_side = Side.LEFT if image_rng.random() < 0.5 else Side.RIGHT
    both = image_rng.random() < options.bilateral_share
    patient = anatomy.draw_patient(stream("patient"), options.shifted)
    design = draw_design(stream, options, patient, main_side, True, "main")
    assert design.stem_form is not None
    if pelvis:
        other_side = Side.RIGHT if main_side is Side.LEFT else Side.LEFT
        others = [draw_design(stream, options, patient, other_side, bool(both), "other")]
        frame = frame_pelvis(stream("frame"), design, patient, options)
    else:
        others = []
        hidden = overlays.draw_overlays(stream("overlays")).collimation if options.overlays else (0.0, 0.0, 0.0, 0.0)
        frame = frame_single(stream("frame"), design, patient, options, design.stem_form.tip[1], margins=hidden)
    paths = physics.Paths(frame.canvas)
    sockets = [None if each.replaced else 26.0 * patient.size for each in (design, *others)]
    background(paths, frame.canvas, patient, stream, (sockets[0], sockets[1] if others else 26.0 * patient.size))
    render = partial(_render, stream, patient, [design, *others], frame, paths, paths.stack, pelvis)
    return drawn_to_be_seen(render, options, frame)


Render = Callable[[SimulationOptions, int, tuple[str, ...]], tuple[SimulatedRadiograph, str]]


def drawn_to_be_seen(render: Render, options: SimulationOptions, frame: Frame) -> SimulatedRadiograph:
    """The image by `render(options, emphasis, notes)`, its loose components' lines visible or called borderline."""
    image, notes = _until_seen(partial(render, options))
    unseen = _unseen(image)
    if frame.final_pixel_mm > COARSE_MM and any(hip.label is Label.FIXED for hip in image.truth.hips):
        # Loose hips whose line cannot be seen are taken out; were fixed ones left in, few pixels would mean "fixed".
        # The twin is the same hip in the same picture, drawn as if it were loose.
        twin, _ = _until_seen(partial(render, replace(options, prevalence=1.0)))
        would_be_unseen = _unseen(twin)
        lost = {hip.side for hip in _relabelled(twin, would_be_unseen, []).truth.hips if hip.label is Label.BORDERLINE}
        fixed = {hip.side for hip in image.truth.hips if hip.label is Label.FIXED}
        unseen |= {(side, part) for side, part in would_be_unseen if side in lost & fixed}
    return _relabelled(image, unseen, notes)


def _until_seen(
    render: Callable[[int, tuple[str, ...]], tuple[SimulatedRadiograph, str]],
) -> tuple[SimulatedRadiograph, list[str]]:
    """Drawn again, each time more plainly, until every loose component's line is seen, or for the last time."""
    notes: list[str] = []
    for attempt in range(MAX_ATTEMPTS):
        image, failed = render(attempt, tuple(notes))
        if not failed:
            break
        notes.append(f"redrawn: {failed}")
    return image, notes


def _unseen(image: SimulatedRadiograph) -> set[tuple[Side, str]]:
    """The loose components whose line cannot be seen."""
    return {
        (hip.side, name)
        for hip in image.truth.hips
        for name, part in zip(PARTS, (hip.stem, hip.cup), strict=True)
        if part is not None and part.label is Label.LOOSE and (part.line_visible_share or 0.0) < MIN_VISIBLE_SHARE
    }


def _render(
    stream: Stream,
    patient: anatomy.Patient,
    designs: list[HipDesign],
    frame: Frame,
    paths: physics.Paths,
    without_hips: Field,
    pelvis: bool,
    options: SimulationOptions,
    emphasis: int,
    notes: tuple[str, ...],
) -> tuple[SimulatedRadiograph, str]:
    """(radiograph, what a loose component lacks to be seen or "") with the hips drawn into the paths."""
    canvas = frame.canvas
    paths.stack = without_hips.copy()
    drawn: list[DrawnHip] = []
    for number, design in enumerate(designs):
        name = "main" if number == 0 else "other"
        hip_canvas = canvas if number == 0 else mirrored(canvas, patient)
        plans = draw_plans(stream, options, design, name, emphasis) if design.replaced else None
        drawn.append(draw_hip(paths.on(hip_canvas), hip_canvas, patient, design, plans, stream, name))
    grey, look, nuisance = expose(
        paths, frame, options, stream, [hip_band(hip, frame) for hip in drawn], drawn[0].design.side, patient
    )
    hips, failed = [], ""
    for hip in drawn:
        known, problem = hip_truth(hip, frame, grey, patient)
        hips.append(known)
        failed = failed or problem
    nuisance["pelvis"] = float(pelvis)
    truth = Truth("pelvis" if pelvis else "single", Suitability.SUITABLE, tuple(hips), nuisance, notes)
    return finish(grey, look, frame, truth), failed


def _relabelled(image: SimulatedRadiograph, unseen: set[tuple[Side, str]], notes: list[str]) -> SimulatedRadiograph:
    """A component whose line cannot be seen, or could not be were it loose, is called borderline; that is recorded."""
    if not unseen:
        return image
    hips = []
    for hip in image.truth.hips:
        parts: list[ComponentTruth | None] = []
        for name, part in zip(PARTS, (hip.stem, hip.cup), strict=True):
            if part is not None and (hip.side, name) in unseen:
                why = "line not visible" if part.label is Label.LOOSE else f"a {name} line would not be visible"
                notes.append(f"relabelled borderline: {hip.side.value} {why}")
                part = replace(part, label=Label.BORDERLINE)
            parts.append(part)
        stem, cup = parts
        label = combine(stem.label, cup.label) if stem is not None and cup is not None else hip.label
        hips.append(replace(hip, stem=stem, cup=cup, label=label))
    return replace(image, truth=replace(image.truth, hips=tuple(hips), notes=tuple(notes)))
