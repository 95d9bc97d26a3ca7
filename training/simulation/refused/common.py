"""What the images that must be refused have in common: side, exposure, a truth without labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from imaging.radiograph import Side
from training.simulation import anatomy, exposing, physics
from training.simulation.canvas import Field
from training.simulation.framing import Frame
from training.simulation.options import SimulationOptions
from training.simulation.streams import Stream
from training.simulation.truth import HipTruth, SimulatedRadiograph, Suitability, Truth


def draw_side(stream: Stream) -> Side:
    return Side.LEFT if stream("image").random() < 0.5 else Side.RIGHT


def finish(
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
    expose: exposing.Expose = exposing.expose,
) -> SimulatedRadiograph:
    grey, look, nuisance = expose(paths, frame, options, stream, [], side, patient)
    truth = Truth(image_kind, kind, hips(grey), nuisance, (note,) if note else ())
    return exposing.finish(grey, look, frame, truth)


def unlabelled(hip: HipTruth) -> HipTruth:
    return replace(hip, label=None, hard=False)
