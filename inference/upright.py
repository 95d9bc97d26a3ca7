"""Pictures that lost their tags on the way, and arrive inverted or turned: other ways to look at a refused one.

A DICOM file says whether white means dense, and which way is up. A PNG does not: what the network refuses as it is
may be a good radiograph that somebody photographed, exported or scanned the other way round.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from imaging.geometry import HipRegion
from imaging.radiograph import Radiograph
from inference.prediction import Prediction, SaliencyMap, Way

Shape = tuple[int, int]  # rows, cols


WAYS = (
    Way(0, True, "Black and white seem to be swapped in this picture: the CNN was given it inverted."),
    Way(1, False, "This picture seems to lie on its side: the CNN was given it turned upright."),
    Way(2, False, "This picture seems to stand on its head: the CNN was given it turned upright."),
    Way(3, False, "This picture seems to lie on its side: the CNN was given it turned upright."),
)


def other_ways(radiograph: Radiograph) -> tuple[Way, ...]:
    """How else the CNN may be asked: every way for pictures, which do not say how they are meant to be seen.

    A DICOM file says which way is up; where it contradicts itself about black and white, inverted is the other way.
    """
    if not radiograph.modality:
        return WAYS
    return WAYS[:1] if radiograph.polarity_doubtful else ()


def changed(radiograph: Radiograph, way: Way) -> Radiograph:
    pixels, padding = radiograph.pixels, radiograph.padding
    if way.inverted:
        pixels = (pixels.max() + pixels.min()) - pixels
        if padding is not None:
            pixels[padding] = pixels[~padding].min(initial=np.inf)
    turned = np.ascontiguousarray(np.rot90(pixels, way.turns))
    return replace(radiograph, pixels=turned, padding=None if padding is None else np.rot90(padding, way.turns))


def changed_region(region: HipRegion, shape: Shape, way: Way) -> HipRegion:
    """A region of the picture of `shape` -> the same place in the changed picture."""
    turned_shape = shape if way.turns % 2 == 0 else (shape[1], shape[0])
    return _region_back(region, turned_shape, -way.turns)


def as_given(prediction: Prediction, shape: Shape, way: Way) -> Prediction:
    """What was found in the changed picture, in the pixels of the picture of `shape`, with the way's notice."""
    saliency = prediction.saliency and map_as_given(prediction.saliency, shape, way)
    landmarks = {
        name: (*_point_back(x, y, shape, way.turns), confidence)
        for name, (x, y, confidence) in prediction.landmarks.items()
    }
    region = _region_back(prediction.region, shape, way.turns)
    notice = f"{way.notice} {prediction.notice}".rstrip()
    return replace(prediction, region=region, saliency=saliency, landmarks=landmarks, notice=notice, way=way)


def map_as_given(saliency: SaliencyMap, shape: Shape, way: Way) -> SaliencyMap:
    """A map of the changed picture, over the picture of `shape`."""
    values = np.ascontiguousarray(np.rot90(saliency.values, -way.turns))
    return replace(saliency, values=values, region=_region_back(saliency.region, shape, way.turns))


def _point_back(x: float, y: float, shape: Shape, turns: int) -> tuple[float, float]:
    """A point of the picture turned by `turns` -> in the picture of `shape` that was turned."""
    rows, cols = shape
    match turns % 4:
        case 1:
            return cols - y, x
        case 2:
            return cols - x, rows - y
        case 3:
            return y, rows - x
    return x, y


def _region_back(region: HipRegion, shape: Shape, turns: int) -> HipRegion:
    x1, y1 = _point_back(region.x, region.y, shape, turns)
    x2, y2 = _point_back(region.x + region.width, region.y + region.height, shape, turns)
    return replace(region, x=min(x1, x2), y=min(y1, y2), width=abs(x2 - x1), height=abs(y2 - y1))
