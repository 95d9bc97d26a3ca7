"""What is known about a simulated radiograph: the ground truth that no clinical image has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from imaging.geometry import HipRegion
from imaging.radiograph import Side

Mask = npt.NDArray[np.bool_]
Point = tuple[float, float]


class Label(StrEnum):
    """Of a component and of a hip. Borderline cases are drawn, and kept out of the headline figures."""

    LOOSE = "loose"
    FIXED = "fixed"
    BORDERLINE = "borderline"


class Fixation(StrEnum):
    CEMENTED = "cemented"
    CEMENTLESS = "cementless"
    NONE = "none"  # a native hip


class Suitability(StrEnum):
    """Why an image is, or is not, fit to assess."""

    SUITABLE = "suitable"
    NATIVE = "native"  # a hip without a replacement
    LATERAL = "lateral"
    CROPPED = "cropped"  # too much of the implant lies outside
    UNCOVERED_DESIGN = "uncovered_design"  # resurfacing, hemiarthroplasty, revision stem, plate, nail
    OTHER_BONE = "other_bone"
    PHOTOGRAPH = "photograph"
    NOISE = "noise"
    BLANK = "blank"
    TEXT_PAGE = "text_page"


@dataclass(frozen=True)
class ComponentTruth:
    """Stem or cup of one replaced hip."""

    label: Label
    fixation: Fixation
    family: str
    zone_widths_mm: Mapping[str, float]  # zone name (imaging.zones) -> widest lucent line there, 0 for none
    zone_continuity: Mapping[str, float]  # zone name -> share of the zone's interface that has a line, 0-1
    coverage: float  # share of the whole interface that has a line, 0-1
    widest_mm: float
    signs: tuple[str, ...] = ()  # "subsidence", "tilt", "mantle_fracture", "pedestal", "osteolysis", ...
    line_contrast_to_noise: float | None = None  # None where no line is drawn
    line_visible_share: float | None = None  # share of the line's length that can be seen in the final image


@dataclass(frozen=True, eq=False)
class HipTruth:
    """One hip of an image. Masks are (rows, cols) of the whole image; points are pixels (x, y)."""

    side: Side
    region: HipRegion
    replaced: bool
    label: Label | None  # None for a native hip or an unsuitable image
    stem: ComponentTruth | None
    cup: ComponentTruth | None
    lucency_mask: Mask
    implant_mask: Mask
    interface_mask: Mask  # the band round the implant in which lines can lie
    landmarks_px: Mapping[str, Point | float] = field(default_factory=dict)
    hard: bool = False  # a loose hip with thin or faint lines, or a fixed one with a look-alike

    @property
    def line_contrast_to_noise(self) -> float | None:
        """The better of the two components' lines, None without any."""
        found = [
            part.line_contrast_to_noise
            for part in (self.stem, self.cup)
            if part is not None and part.line_contrast_to_noise is not None
        ]
        return max(found) if found else None

    @property
    def zone_widths_mm(self) -> dict[str, float]:
        """Gruen and DeLee-Charnley zones together."""
        return {
            zone: width
            for part in (self.stem, self.cup)
            if part is not None
            for zone, width in part.zone_widths_mm.items()
        }


@dataclass(frozen=True, eq=False)
class Truth:
    kind: str  # "single" | "pelvis" | "other"
    suitability: Suitability
    hips: tuple[HipTruth, ...]
    nuisance: Mapping[str, float]  # scalars, drawn independently of the label
    notes: tuple[str, ...] = ()  # what the simulator changed: "loose stem relabelled: line not visible", ...

    @property
    def label(self) -> Label | None:
        """Of the image: loose if any hip is; borderline if none is loose and any is borderline."""
        labels = {hip.label for hip in self.hips if hip.label is not None}
        for label in (Label.LOOSE, Label.BORDERLINE, Label.FIXED):
            if label in labels:
                return label
        return None


@dataclass(frozen=True, eq=False)
class SimulatedRadiograph:
    """`pixels` is uint16 (rows, cols) as stored; larger = denser unless `truth.nuisance["inverted"]`."""

    pixels: npt.NDArray[np.uint16]
    bits: int
    spacing_mm: tuple[float, float]  # (between rows, between columns), in the plane of the hip
    truth: Truth
