"""How far a reader's answer and the CNN's agree: call, zones, marks against the map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imaging.geometry import HipRegion
from inference.prediction import Decision, Prediction, SaliencyMap
from study.model import Annotation, AnnotationKind, Call, Reading

GRID = 256  # marks and map are compared on a square of this many cells over the hip region
AREA_KINDS = {AnnotationKind.LUCENT_LINE, AnnotationKind.POLYGON, AnnotationKind.ELLIPSE, AnnotationKind.POINT}

CALL_OF_DECISION = {
    Decision.LOOSE: Call.LOOSE,
    Decision.NOT_LOOSE: Call.NOT_LOOSE,
    Decision.INDETERMINATE: Call.CANNOT_TELL,
}


@dataclass(frozen=True)
class Agreement:
    """None wherever one of the two said nothing that could be compared."""

    same_call: bool | None
    score_difference: float | None  # the reader's minus the CNN's, on 0-100
    marked_zones: tuple[str, ...]  # zones in which the reader found something
    attention_in_marked_zones: float | None  # share of the map's mass, 0-1
    peak_on_mark: bool | None  # the map's maximum lies on a mark, to within one cell of the map
    iou: float | None  # marked area against the map above its low level


def compare(reading: Reading, prediction: Prediction) -> Agreement:
    marked = tuple(finding.zone for finding in reading.findings if finding.lucency or finding.osteolysis)
    shares = prediction.zone_shares
    attention = float(sum(shares.get(zone, 0.0) for zone in marked)) if marked and shares else None
    cnn_call = CALL_OF_DECISION.get(prediction.decision)
    same_call = None if reading.call is None or cnn_call is None else reading.call is cnn_call
    difference = None if reading.score is None or prediction.score is None else reading.score - prediction.score
    peak_on_mark, iou = _compare_marks(reading.annotations, prediction.saliency)
    return Agreement(same_call, difference, marked, attention, peak_on_mark, iou)


def _compare_marks(marks: Sequence[Annotation], saliency: SaliencyMap | None) -> tuple[bool | None, float | None]:
    areas = [mark for mark in marks if mark.kind in AREA_KINDS]
    if not areas or saliency is None or saliency.is_empty:
        return None, None
    rows, cols = saliency.values.shape
    region = saliency.region.squared()
    marked = marks_mask(areas, region)
    if not marked.any():
        return None, None
    shown = _enlarge(saliency.values) > saliency.levels[0]
    union = np.count_nonzero(marked | shown)
    iou = np.count_nonzero(marked & shown) / union if union else 0.0
    row, col = np.unravel_index(int(np.argmax(saliency.values)), (rows, cols))
    # One cell of the map around its maximum: the map cannot be more exact than its cells.
    top, bottom = int((row - 1) * GRID / rows), int(np.ceil((row + 2) * GRID / rows))
    left, right = int((col - 1) * GRID / cols), int(np.ceil((col + 2) * GRID / cols))
    hit = bool(marked[max(top, 0) : bottom, max(left, 0) : right].any())
    return hit, float(iou)


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
