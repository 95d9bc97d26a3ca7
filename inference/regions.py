"""Where the hips are: from the locator's heatmaps to hip regions in image pixels, with their sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imaging.geometry import HipRegion
from imaging.orientation import Edge, side_at, tagged_side
from imaging.radiograph import Mask, Pixels, Radiograph, Side, SideSource
from inference.model_bundle import LocatorCard
from inference.preprocess import InputSpec, network_input, to_image, whole_image

FloatArray = npt.NDArray[np.float32]

REPLACED, NATIVE = 0, 1  # channels of `centers`
MIN_DISTANCE = 0.5  # of two hips, in sides of a hip region; closer peaks are the same hip
MIN_SIDE, MAX_SIDE = 0.15, 1.5  # of a hip region, in longer sides of the image


def locator_batch(card: LocatorCard, pixels: Pixels, padding: Mask | None = None) -> FloatArray:
    """(1, 1, size, size): the whole image, longer side to `size`, padded evenly: what the locator is given."""
    spec = InputSpec(card.size, 1, (card.mean,), (card.std,))
    return network_input(pixels, whole_image(pixels), spec, padding)[None]


@dataclass(frozen=True)
class Hip:
    """One hip that the locator saw. `x`, `y` and `side_px` in image pixels."""

    x: float
    y: float
    side_px: float
    score: float
    replaced: bool

    def region(self, side: Side, source: SideSource) -> HipRegion:
        half, size = self.side_px / 2, self.side_px
        return HipRegion(self.x - half, self.y - half, size, size, side, proposed=True, side_source=source)


def propose(radiograph: Radiograph, centers: FloatArray, sizes: FloatArray, card: LocatorCard) -> list[HipRegion]:
    """Regions to assess, image-left first: replaced hips, else native ones (the gate then says what it saw).

    `centers` (2, t, t) and `sizes` (1, t, t) are the locator's outputs for the whole image. Where no hip is found the
    whole image is proposed, so that a crop too tight for the locator is assessed, and for anything else the gate
    says why not.
    """
    hips = find_hips(radiograph, centers, sizes, card)
    chosen = [hip for hip in hips if hip.replaced] or hips
    if not chosen:
        return [full_region(radiograph)]
    return [hip.region(*side_of(hip, hips, radiograph)) for hip in sorted(chosen, key=lambda hip: hip.x)]


def full_region(radiograph: Radiograph) -> HipRegion:
    """The square around the whole image; its side is what the file says."""
    square = whole_image(radiograph.pixels).squared()
    side, source = tagged_side(radiograph)
    return HipRegion(*square.box, side, proposed=True, side_source=source)


def find_hips(radiograph: Radiograph, centers: FloatArray, sizes: FloatArray, card: LocatorCard) -> list[Hip]:
    """At most two hips, strongest first. A place that looks replaced and native is what it looks like more."""
    whole, size = whole_image(radiograph.pixels), card.size
    longer_px = max(radiograph.shape)
    found: list[Hip] = []
    for channel in (REPLACED, NATIVE):
        for row, col, score in _peaks(centers[channel], card.threshold):
            x, y = to_image(*_refined(centers[channel], row, col, size), whole, size)
            side_px = float(sizes[0, row, col]) * longer_px / size
            if not (np.isfinite([x, y, side_px]).all() and 0 <= x <= whole.width and 0 <= y <= whole.height):
                continue
            side_px = float(np.clip(side_px, MIN_SIDE * longer_px, MAX_SIDE * longer_px))
            found.append(Hip(x, y, side_px, score, channel == REPLACED))
    kept: list[Hip] = []
    for hip in sorted(found, key=lambda hip: -hip.score):
        if all(_apart(hip, other) for other in kept):
            kept.append(hip)
    return kept[:2]


def _apart(a: Hip, b: Hip) -> bool:
    """Two hips of one person lie side by side, not one above the other."""
    least = MIN_DISTANCE * max(a.side_px, b.side_px)
    return abs(a.x - b.x) >= least and abs(a.x - b.x) > abs(a.y - b.y)


def _peaks(heatmap: FloatArray, threshold: float) -> list[tuple[int, int, float]]:
    """Local maxima (row, col, value) of at least `threshold` within 3 x 3; of equal neighbours, the first."""
    padded = np.pad(heatmap, 1, constant_values=-np.inf)
    rows, cols = heatmap.shape
    highest = heatmap >= threshold
    for down in range(3):
        for right in range(3):
            if (down, right) == (1, 1):
                continue
            neighbour = padded[down : down + rows, right : right + cols]
            highest &= heatmap > neighbour if (down, right) < (1, 1) else heatmap >= neighbour
    return [(int(row), int(col), float(heatmap[row, col])) for row, col in zip(*np.nonzero(highest), strict=True)]


def _refined(heatmap: FloatArray, row: int, col: int, size: int) -> tuple[float, float]:
    """(x, y) in input pixels: the centre of mass of the 3 x 3 cells around a peak."""
    top, left = max(row - 1, 0), max(col - 1, 0)
    window = heatmap[top : row + 2, left : col + 2].astype(np.float64)
    total = window.sum()
    stride = size / heatmap.shape[1]
    y = (window.sum(axis=1) @ (np.arange(window.shape[0]) + top + 0.5)) / total
    x = (window.sum(axis=0) @ (np.arange(window.shape[1]) + left + 0.5)) / total
    return float(x * stride), float(y * stride)


def side_of(hip: Hip, hips: list[Hip], radiograph: Radiograph) -> tuple[Side, SideSource]:
    """Of two hips, by where they are and where the patient's right is; a single one is what the file says."""
    if len(hips) == 2:
        edge = Edge.LEFT if hip.x == min(other.x for other in hips) else Edge.RIGHT
        side = side_at(radiograph.orientation, edge)
        return side, SideSource.NONE if side is Side.UNKNOWN else radiograph.orientation.source
    return tagged_side(radiograph)
