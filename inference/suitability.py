"""Is this an AP radiograph of a hip replacement that the network may judge? If not: why, in one sentence.

First what the file says about itself, then what the network sees. Distance from the training set is a second voice
only: it adds a sentence and never refuses (every hospital's radiographs look more
or less unlike them).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from imaging.geometry import HipRegion
from imaging.radiograph import Radiograph, View
from inference.model_bundle import ModelCard
from inference.prediction import Suitability

MIN_REGION_PX = 64  # a region of fewer pixels shows no line
MIN_INSIDE = 0.4  # share of the region that must lie in the image
# In this order, for the later outputs mean little where an earlier one is plainly missing: whether an implant is complete
# where none is seen, or of which design it is in a lateral view. A cropped implant makes the network doubt the view too,
# hence that low level. Both were chosen on version 3's calibration cohort.
PLAINLY_MISSING = {"implant": 0.5, "ap_view": 0.01}
UNLIKE = "This image looks unlike those that the CNN was trained on: take its answer with care."

_OTHER_MODALITIES = {
    "CT": "a CT image",
    "MR": "an MR image",
    "US": "an ultrasound image",
    "NM": "a scintigram",
    "PT": "a PET image",
    "MG": "a mammogram",
    "ES": "an endoscopy image",
    "OP": "an ophthalmic image",
    "ECG": "an electrocardiogram",
    "IO": "a dental image",
    "PX": "a dental image",
    "BMD": "a bone density image",
}
# DICOM's Body Part Examined, without punctuation. Parts beside the hip (pelvis, femur, leg, abdomen, lumbar spine)
# are not listed: the tag is often the protocol's, and such images may well show a hip.
_OTHER_BODY_PARTS = {
    "ANKLE": "an ankle", "BREAST": "a breast", "CALCANEUS": "a heel", "CHEST": "a chest", "CLAVICLE": "a clavicle",
    "CSPINE": "a cervical spine", "ELBOW": "an elbow", "FINGER": "a finger", "FOOT": "a foot", "FOREARM": "a forearm",
    "HAND": "a hand", "HEAD": "a head", "HEEL": "a heel", "HUMERUS": "an upper arm", "JAW": "a jaw", "KNEE": "a knee",
    "MANDIBLE": "a jaw", "MAXILLA": "a jaw", "NECK": "a neck", "PATELLA": "a knee", "RIB": "ribs", "RIBS": "ribs",
    "SCAPULA": "a shoulder blade", "SHOULDER": "a shoulder", "SKULL": "a skull", "STERNUM": "a breast bone",
    "THUMB": "a thumb", "TOE": "a toe", "TSPINE": "a thoracic spine", "WRIST": "a wrist",
}  # fmt: skip


def judge_file(radiograph: Radiograph, region: HipRegion) -> Suitability | None:
    """What can be refused before the network is asked; None when nothing speaks against it."""
    for reason in (_modality(radiograph), _body_part(radiograph), _view(radiograph), _pixels(radiograph, region)):
        if reason:
            return Suitability(False, reason)
    return None


def judge_outputs(card: ModelCard, scores: Mapping[str, float]) -> Suitability:
    """From the network's own scores (0-1 by name): one that misses its threshold refuses the image."""
    name = missing(card, scores)
    return Suitability(name is None, card.suitability[name].sentence if name else "", dict(scores))


def missing(card: ModelCard, scores: Mapping[str, float]) -> str | None:
    """The output whose sentence explains why the image is refused; None when all reach their thresholds.

    It need not be one that refused: of a native hip completeness may miss its threshold, but what is missing is the
    implant. Where nothing is plainly missing the lowest score explains, the card's order deciding between equals.
    """
    if all(scores[name] >= rule.threshold for name, rule in card.suitability.items()):
        return None
    for name, level in PLAINLY_MISSING.items():
        if name in card.suitability and scores[name] < level:
            return name
    return min(card.suitability, key=lambda name: scores[name])


def unlike_training(card: ModelCard, features: npt.NDArray[np.float32] | None) -> bool:
    """The pooled features (C,) lie beyond the bundle's limit; never so where network or bundle cannot tell."""
    distance = None if features is None else feature_distance(card, features)
    # What is not a number is unlike anything.
    return (
        distance is not None and card.feature_statistics is not None and not distance <= card.feature_statistics.limit
    )


def feature_distance(card: ModelCard, features: npt.NDArray[np.float32]) -> float | None:
    """Root mean square of pooled features (C,) on the bundle's axes: 1 for an ordinary hip of its calibration cohort.

    None where the bundle has no statistics, or statistics of another length.
    """
    statistics = card.feature_statistics
    if statistics is None:
        return None
    mean = np.frombuffer(statistics.mean, "<f4")
    if features.shape != mean.shape:
        return None
    projection = np.frombuffer(statistics.projection, "<f4").reshape(-1, len(mean))
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.sqrt(np.mean(np.square(projection @ (features - mean)))))


def _modality(radiograph: Radiograph) -> str:
    what = _OTHER_MODALITIES.get(radiograph.modality.strip().upper())
    return f"The file says that this is {what}, not a radiograph of a hip." if what else ""


def _body_part(radiograph: Radiograph) -> str:
    key = "".join(character for character in radiograph.body_part.upper() if character.isalpha())
    what = _OTHER_BODY_PARTS.get(key)
    return f"The file says that this shows {what}, not a hip." if what else ""


def _view(radiograph: Radiograph) -> str:
    if radiograph.view is View.LATERAL:
        return "The file says that this is a lateral view: only AP views can be assessed."
    return ""


def _pixels(radiograph: Radiograph, region: HipRegion) -> str:
    square = region.squared()
    rows, cols = radiograph.shape
    left, right = max(square.x, 0.0), min(square.x + square.width, float(cols))
    top, bottom = max(square.y, 0.0), min(square.y + square.height, float(rows))
    inside = max(0.0, right - left) * max(0.0, bottom - top)
    if inside < MIN_INSIDE * square.width * square.height and not _covers(square, rows, cols):
        return "Most of this region lies outside the image."
    if inside < MIN_REGION_PX * MIN_REGION_PX:
        return "This region has too few pixels to be assessed."
    cut = radiograph.pixels[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))]
    # Every 7th row and column tells a blank region as well as all of them.
    sample = cut[::7, ::7]
    if not float(sample.max()) > float(sample.min()):
        return "This region is blank."
    return ""


def _covers(square: HipRegion, rows: int, cols: int) -> bool:
    """The region holds the whole image: much of it is outside only because the image is long and narrow."""
    return square.x <= 0 and square.y <= 0 and square.x + square.width >= cols and square.y + square.height >= rows
