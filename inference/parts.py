"""Stem and cup one by one: does the film show enough of each to be assessed, and if not, what is missing?

Films cut the tip or the cup all the time. The network says how complete each part looks; where it is sure of the
landmarks, the film's own edge says it too.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from imaging.zones import CUP_ZONES, GRUEN_ZONES, zone_polygons
from inference.model_bundle import ModelCard
from inference.prediction import Decision, PartFinding, Suitability, sure_points

PARTS = ("stem", "cup")
_ZONES = {"stem": GRUEN_ZONES, "cup": CUP_ZONES}
_SEEN_SHARE = 0.5  # of a zone's outline that must be on the film
_MAX_MISSING = 2  # zones of the stem that may be off the film
# Where a stem leaves the film the network places its tip on the film's edge, and is less sure of it than of a true tip.
# Distances in sides of the hip region; chosen on one third of the real films, checked on the others.
_ON_EDGE, _NEAR_EDGE = 0.014, 0.04
_TRUE_TIP = 0.85  # confidence of a tip near the edge

Landmarks = Mapping[str, tuple[float, float, float]]


def judge_parts(
    card: ModelCard,
    probabilities: Mapping[str, float],
    landmarks: Landmarks,
    shape: tuple[int, int],
    side_px: float,
) -> dict[str, PartFinding]:
    """Name -> what the CNN says of that part; empty for bundles that do not know parts.

    `probabilities` are all of the network's outputs, calibrated; `landmarks` x, y in image pixels and confidence; `shape`
    (rows, cols) of the image; `side_px` that of the hip region.
    """
    sure = sure_points(landmarks)
    off_film = zones_off_film(sure, shape)
    cut = {
        "stem": ("stem_tip" in sure and _on_edge(landmarks["stem_tip"], shape, side_px))
        or len([zone for zone in off_film if zone in GRUEN_ZONES]) > _MAX_MISSING,
        "cup": False,  # public crops are squashed: its dome cannot be placed from its rims, the network alone says
    }
    found: dict[str, PartFinding] = {}
    for name, rule in card.parts.items():
        missing = tuple(zone for zone in off_film if zone in _ZONES[name])
        complete = probabilities[rule.complete]
        if complete >= rule.threshold and not cut[name]:
            probability = probabilities[name]
            decision = Decision.LOOSE if probability >= card.operating_point.threshold else Decision.NOT_LOOSE
            band = card.indeterminate
            if band is not None and band.low < band.high and band.low <= probability <= band.high:
                decision = Decision.INDETERMINATE
            found[name] = PartFinding(name, decision, "", probability, missing, complete)
        else:
            reason = _missing_words(name, sure, missing, at_edge=cut[name])
            found[name] = PartFinding(name, Decision.NOT_ASSESSABLE, reason, None, missing, complete)
    return found


def zones_off_film(landmarks: Mapping[str, tuple[float, float]], shape: tuple[int, int]) -> tuple[str, ...]:
    """Zones of which less than half is on the film, as far as the landmarks tell."""
    rows, cols = shape
    gone = []
    for zone, polygon in zone_polygons(landmarks).items():
        on = (polygon[:, 0] >= 0) & (polygon[:, 0] <= cols) & (polygon[:, 1] >= 0) & (polygon[:, 1] <= rows)
        if on.mean() < _SEEN_SHARE:
            gone.append(zone)
    return tuple(gone)


def _on_edge(tip: tuple[float, float, float], shape: tuple[int, int], side_px: float) -> bool:
    """The stem's tip (x, y, confidence) is where the film ends rather than where the stem does."""
    x, y, confidence = tip
    rows, cols = shape
    distance = min(x, y, cols - x, rows - y) / side_px
    return distance < _ON_EDGE or (distance < _NEAR_EDGE and confidence < _TRUE_TIP)


def _missing_words(
    name: str, landmarks: Mapping[str, tuple[float, float]], missing: tuple[str, ...], *, at_edge: bool
) -> str:
    """One sentence: what the film does not show."""
    zones = f" (zones {', '.join(missing)})" if missing else ""
    if name == "cup":
        return f"The film does not show enough of the cup{zones}."
    tip = landmarks.get("stem_tip")
    top = landmarks.get("shoulder")
    if top is not None and (tip is None or at_edge):
        return f"The film ends above the tip of the stem{zones}."
    if tip is not None and top is None:
        return f"The film begins below the shoulder of the stem{zones}."
    return f"The film does not show enough of the stem{zones}."


def hip_decision(parts: Mapping[str, PartFinding]) -> tuple[Decision, str, float | None]:
    """(decision, sentence, probability) of the hip from its assessable parts: the more suspicious one decides."""
    assessed = [part for part in parts.values() if part.probability is not None]
    if not assessed:
        return Decision.NOT_ASSESSABLE, " ".join(part.reason for part in parts.values()), None
    leading = max(assessed, key=lambda part: part.probability or 0.0)
    reason = ""
    if leading.decision is Decision.INDETERMINATE:
        reason = "The network cannot tell: its answer is between loose and not loose."
    if len(assessed) < len(parts):
        left_out = next(part for part in parts.values() if part.probability is None)
        reason = f"{reason} Judged by the {assessed[0].name} alone. {left_out.reason}".strip()
    return leading.decision, reason, leading.probability


def fixation_of(card: ModelCard, probabilities: Mapping[str, float]) -> tuple[str, float | None]:
    """("cemented", "cementless" or "" where the network is not sure, probability of cement) of the stem."""
    rule = card.fixation
    if rule is None:
        return "", None
    probability = probabilities[rule.output]
    if not np.isfinite(probability):
        return "", None
    if probability >= rule.cemented_from:
        return "cemented", probability
    return ("cementless" if probability <= rule.cementless_to else ""), probability


def nothing_assessable(scores: Mapping[str, float], parts: Mapping[str, PartFinding]) -> Suitability:
    """A hip of which no part can be assessed."""
    return Suitability(False, " ".join(part.reason for part in parts.values()), dict(scores))
