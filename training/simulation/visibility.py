"""Can a drawn line be seen in the final image? The rule by its contrast-to-noise ratio."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from training.simulation.canvas import Field
from training.simulation.framing import Frame
from training.simulation.implants import ComponentFields

VISIBLE_CNR = 1.5  # of one stretch of line, in the final image
VISIBLE_CONTRAST = 0.018  # of the display range
MIN_VISIBLE_SHARE = 0.5


def final_window(values: np.ndarray, slices: tuple[slice, slice], frame: Frame) -> tuple[tuple[slice, slice], Field]:
    """A window of the working grid -> (window of the final image, area-averaged values)."""
    sx, sy = frame.scale
    r0, r1 = int(np.ceil(slices[0].start * sy - 1e-6)), int(np.floor(slices[0].stop * sy + 1e-6))
    c0, c1 = int(np.ceil(slices[1].start * sx - 1e-6)), int(np.floor(slices[1].stop * sx + 1e-6))
    r1, c1 = min(max(r1, r0 + 1), frame.rows), min(max(c1, c0 + 1), frame.cols)
    r0, c0 = min(r0, r1 - 1), min(c0, c1 - 1)
    height, width = values.shape
    box = (
        max(c0 / sx - slices[1].start, 0.0), max(r0 / sy - slices[0].start, 0.0),
        min(c1 / sx - slices[1].start, width), min(r1 / sy - slices[0].start, height),
    )  # fmt: skip
    image = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))
    out = np.array(image.resize((c1 - c0, r1 - r0), Image.Resampling.BILINEAR, box=box), dtype=np.float32)
    return (slice(r0, r1), slice(c0, c1)), out


def line_contrast(fields: ComponentFields, frame: Frame, grey: Field, bins: int = 16) -> tuple[float, float]:
    """(median contrast-to-noise, share of its length that can be seen) of a drawn line, in the final image.

    Contrast of each stretch: the darker of its two neighbours, less the line; noise: the robust deviation
    of the fine residue in the periprosthetic band.
    """
    window, line = final_window(fields.line, fields.slices, frame)
    _, inside = final_window(fields.inside, fields.slices, frame)
    _, outside = final_window(fields.outside, fields.slices, frame)
    _, position = final_window(fields.position, fields.slices, frame)
    _, band = final_window(fields.interface, fields.slices, frame)
    patch = grey[window]
    place = np.clip((position * bins).astype(int), 0, bins - 1)
    means = []
    for weight in (line, inside, outside):
        weight = np.where(weight > 0.15, weight * weight, 0.0)
        total = np.bincount(place.ravel(), weight.ravel(), bins)
        means.append((np.bincount(place.ravel(), (weight * patch).ravel(), bins), total))
    (dark, n0), (near, n1), (far, n2) = means
    known = (n0 > 0.3) & (n1 > 0.2) & (n2 > 0.2)
    if not known.any():
        return 0.0, 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        contrast = np.minimum(near / n1, far / n2) - dark / n0
    # Where a stretch has no neighbour left (cut by the edge, merged into metal) it counts as unseen.
    there = n0 > 0.3
    residue = (patch - ndimage.uniform_filter(patch, 3))[band > 0.5]
    noise = max(1.4826 * float(np.median(np.abs(residue))) if residue.size > 20 else 0.004, 0.004)
    cnr = np.where(known, contrast / noise, 0.0)
    seen = (cnr > VISIBLE_CNR) & np.where(known, contrast > VISIBLE_CONTRAST, False)
    return float(np.median(cnr[known])), float(seen[there].sum() / max(1, there.sum()))
