"""What the CNN says about one hip: numpy only, so that every process can hold it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from imaging.geometry import HipRegion
from imaging.orientation import Edge
from imaging.zones import lateral_edge

LANDMARK_CONFIDENCE = 0.3  # below it a landmark fits no zone, and says nothing about side or the film's edge


class InferenceError(Exception):
    """Something that the CNN needs is missing or wrong. `str(error)` is one sentence; `details` may be empty."""

    def __init__(self, sentence: str, details: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.details = details  # technical, for "details" to copy; never contains patient data

    def __reduce__(self) -> tuple[type[InferenceError], tuple[str, str]]:
        return type(self), (self.sentence, self.details)


class Decision(StrEnum):
    LOOSE = "loose"
    NOT_LOOSE = "not_loose"
    INDETERMINATE = "indeterminate"
    NOT_ASSESSABLE = "not_assessable"


class Engine(StrEnum):
    """What computed a prediction."""

    CUDA = "cuda"
    MPS = "mps"
    CPU = "cpu"


@dataclass(frozen=True, eq=False)
class SaliencyMap:
    """Raw values of the map, float32 (rows, cols), never min-max stretched.

    `region` is the square of the image that the map spans. `levels` = (low, high) are the bundle's fixed
    display levels: below low nothing is drawn, at high and above the colour scale is full.
    """

    values: npt.NDArray[np.float32]
    region: HipRegion
    levels: tuple[float, float]
    method: str  # as the bundle names it: "Grad-CAM", "class-activation map", ...

    @property
    def is_empty(self) -> bool:
        """True when there is nothing to show ("no map"): not finite, or nowhere above the low level."""
        return not bool(np.isfinite(self.values).all()) or float(self.values.max(initial=0.0)) <= self.levels[0]


@dataclass(frozen=True)
class Suitability:
    """Is this an AP hip radiograph with a replacement? If not, why."""

    assessable: bool
    reason: str = ""  # a sentence, "" when assessable
    scores: Mapping[str, float] = field(default_factory=dict)  # what was seen, 0-1 each


@dataclass(frozen=True)
class Way:
    """How a picture was changed before the network saw it: `turns` quarter turns counter-clockwise, or inverted."""

    turns: int
    inverted: bool
    notice: str  # a sentence that says so


@dataclass(frozen=True)
class PartFinding:
    """Stem or cup: what the CNN says of it, or why the film does not let it be assessed."""

    name: str  # "stem" or "cup"
    decision: Decision
    reason: str  # a sentence when not assessable, else ""
    probability: float | None  # None when not assessable
    missing_zones: tuple[str, ...] = ()  # zones that are off the film, as far as the landmarks tell
    complete: float = 1.0  # 0-1: how sure the network is that the film shows enough of this part


@dataclass(frozen=True, eq=False)
class Prediction:
    """One forward pass over one hip region.

    `probability` (0-1) is calibrated for loosening of the hip (stem or cup); `score` is the same on 0-100. Where the
    bundle knows parts, the hip's probability and decision are those of its more suspicious assessable part.
    """

    region: HipRegion
    decision: Decision
    reason: str  # a sentence where the decision is indeterminate or not assessable, else ""
    probability: float | None  # None when not assessable
    stem_probability: float | None
    cup_probability: float | None
    saliency: SaliencyMap | None
    suitability: Suitability
    zone_shares: Mapping[str, float]  # zone name (imaging.zones) -> share of the map's mass, sums to <= 1
    model_id: str
    model_version: str
    model_sha256: str
    engine: Engine
    elapsed_s: float
    seen_in_training: bool = False
    # name (as in imaging.zones) -> x, y in image pixels and confidence 0-1; empty when the network gives none
    landmarks: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    # sentences: the network was given the picture in another way than it came; it knows nothing like it
    notice: str = ""
    parts: Mapping[str, PartFinding] = field(default_factory=dict)  # "stem", "cup"; empty for bundles before 2.0
    fixation: str = ""  # of the stem: "cemented", "cementless", or "" where the network does not say
    fixation_probability: float | None = None  # of cement
    way: Way | None = None  # that other way; region, map and landmarks are those of the picture as it came

    @property
    def score(self) -> float | None:
        """0-100 for loosening, on the readers' scale."""
        return None if self.probability is None else 100.0 * self.probability

    @property
    def lateral(self) -> Edge | None:
        """Where the implant's lateral side is in the picture as it came; None where the landmarks do not tell."""
        return lateral_edge(sure_points(self.landmarks))


def sure_points(landmarks: Mapping[str, tuple[float, float, float]]) -> dict[str, tuple[float, float]]:
    """The landmarks (x, y, confidence) that are sure enough to place zones by, as (x, y)."""
    return {name: (x, y) for name, (x, y, sure) in landmarks.items() if sure >= LANDMARK_CONFIDENCE}
