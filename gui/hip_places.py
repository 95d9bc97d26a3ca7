"""Where hips lie in a radiograph, as far as readings, proposals and marks must be told apart by it."""

from __future__ import annotations

from collections.abc import Sequence

from gui.cases import Hip
from imaging.geometry import HipRegion
from imaging.orientation import tagged_side
from imaging.radiograph import Radiograph
from study.model import Annotation, CaseKey

SAME_HIP_IOU = 0.5  # a recorded reading belongs to a proposed region that overlaps its own this much


def case_key(radiograph: Radiograph, region: HipRegion) -> CaseKey:
    return CaseKey(radiograph.sha256, radiograph.frame, region.box, region.side.value)


def whole_image(radiograph: Radiograph) -> HipRegion:
    """The region where nothing was proposed."""
    rows, cols = radiograph.shape
    side, source = tagged_side(radiograph)
    return HipRegion(0.0, 0.0, float(cols), float(rows), side, proposed=True, side_source=source)


def hip_at(region: HipRegion, hips: Sequence[Hip]) -> Hip | None:
    """The hip that this region is of, or None where it is another's."""
    nearest = max(hips, key=lambda hip: _overlap(hip.region, region), default=None)
    return nearest if nearest is not None and _overlap(nearest.region, region) >= SAME_HIP_IOU else None


def nearest_hip(mark: Annotation, hips: Sequence[Hip]) -> Hip:
    """The hip that a mark belongs to: its centre is the nearest to the mark's."""
    x = sum(point[0] for point in mark.points) / len(mark.points)
    y = sum(point[1] for point in mark.points) / len(mark.points)

    def distance(hip: Hip) -> float:
        center_x, center_y = hip.region.center
        return (center_x - x) ** 2 + (center_y - y) ** 2

    return min(hips, key=distance)


def _overlap(one: HipRegion, other: HipRegion) -> float:
    """Intersection over union of two boxes."""
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (one.width * one.height + other.width * other.height - shared)
