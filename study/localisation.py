"""Where a reader marked something, against where the CNN's map lies: whether its peak is on a mark, and their overlap.

Two opinions about a place are compared; the place itself is not known per lesion, so none of this is accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imaging.geometry import HipRegion
from study.model import Annotation, AnnotationKind

GRID = 256  # marks and map are compared on a square of this many cells over the hip region
AREA_KINDS = {AnnotationKind.LUCENT_LINE, AnnotationKind.POLYGON, AnnotationKind.ELLIPSE, AnnotationKind.POINT}


@dataclass(frozen=True)
class MarkOverlap:
    """peak_on_mark: the map's maximum lies on a mark, to within one cell of the map. iou: marked area against the map
    above its low level, intersection over union, 0-1."""

    peak_on_mark: bool
    iou: float


def compare_marks(
    marks: Sequence[Annotation], values: npt.NDArray[np.float32], region: HipRegion, low_level: float
) -> MarkOverlap | None:
    """values (rows, cols): the map over the region's square. None where one of the two shows nothing there."""
    areas = [mark for mark in marks if mark.kind in AREA_KINDS]
    if not areas or not np.isfinite(values).all() or float(values.max(initial=0.0)) <= low_level:
        return None
    rows, cols = values.shape
    marked = marks_mask(areas, region.squared())
    if not marked.any():
        return None
    shown = _enlarge(values) > low_level
    iou = np.count_nonzero(marked & shown) / np.count_nonzero(marked | shown)
    row, col = np.unravel_index(int(np.argmax(values)), (rows, cols))
    # One cell of the map around its maximum: the map cannot be more exact than its cells.
    top, bottom = int((row - 1) * GRID / rows), int(np.ceil((row + 2) * GRID / rows))
    left, right = int((col - 1) * GRID / cols), int(np.ceil((col + 2) * GRID / cols))
    return MarkOverlap(bool(marked[max(top, 0) : bottom, max(left, 0) : right].any()), float(iou))


def marks_mask(marks: Sequence[Annotation], region: HipRegion) -> npt.NDArray[np.bool_]:
    """bool (GRID, GRID) over the region's square: True where a mark lies. A point counts as one cell."""
    from PIL import Image, ImageDraw

    square = region.squared()
    scale = GRID / square.width
    canvas = Image.new("1", (GRID, GRID))
    draw = ImageDraw.Draw(canvas)
    for mark in marks:
        points = [((x - square.x) * scale, (y - square.y) * scale) for x, y in mark.points]
        if mark.kind is AnnotationKind.LUCENT_LINE and len(points) > 1:
            draw.line(points, fill=1, width=max(1, round(mark.width_px * scale)), joint="curve")
        elif mark.kind is AnnotationKind.POLYGON and len(points) > 2:
            draw.polygon(points, fill=1, outline=1)
        elif mark.kind is AnnotationKind.ELLIPSE and len(points) == 2:
            (x0, y0), (x1, y1) = points
            draw.ellipse((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)), fill=1, outline=1)
        elif points:
            draw.point(points[:1], fill=1)
    return np.asarray(canvas, dtype=bool)


def _enlarge(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The map on the comparison grid, bilinear, as it is drawn."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(image.resize((GRID, GRID), Image.Resampling.BILINEAR), np.float32)
