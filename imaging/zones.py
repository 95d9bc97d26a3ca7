"""Gruen zones 1-7 of the stem and DeLee-Charnley zones I-III of the cup (AP view).

Gruen 1 is lateral-proximal, 4 lies at the tip, 7 medial-proximal; DeLee-Charnley I is superolateral, III inferomedial.
Gruen TA et al., Clin Orthop 1979;(141):17-27. DeLee JG, Charnley J, Clin Orthop 1976;(121):20-32.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from imaging.orientation import Edge

GRUEN_ZONES: tuple[str, ...] = ("1", "2", "3", "4", "5", "6", "7")
CUP_ZONES: tuple[str, ...] = ("I", "II", "III")
ZONES: tuple[str, ...] = GRUEN_ZONES + CUP_ZONES

# Landmarks of an implant, as (x, y) in any square pixels; see training.simulation for how they are defined.
STEM_LANDMARKS: tuple[str, ...] = ("stem_tip", "stem_axis_top", "head_center")
CUP_LANDMARKS: tuple[str, ...] = ("cup_rim_lateral", "cup_rim_medial", "stem_tip")

# All lengths are shares of the stem's length (shoulder to tip) or of the cup's radius: no scale in mm is needed.
_HALF_WIDTH_TOP, _HALF_WIDTH_TIP = 0.30, 0.16  # from the stem's axis outwards, at the shoulder and at the tip
_TIP_ABOVE, _TIP_BELOW = 0.04, 0.14  # zone 4, from the tip upwards and downwards
_CUP_INNER, _CUP_OUTER = 0.80, 1.40
_ARC_STEPS = 8
_FACING = 0.5  # of the medial direction, along the rows

Point = tuple[float, float]
Polygon = npt.NDArray[np.float64]  # (n, 2): x, y


def zone_polygons(landmarks: Mapping[str, Point]) -> dict[str, Polygon]:
    """Zone name -> polygon, for the zones whose landmarks are there: Gruen 1-7, DeLee-Charnley I-III.

    Zones of the stem are the thirds of its length on either side, with 4 around the tip; zones of the cup are the
    thirds of its outer rim. They cover the bone around the implant, not only the interface.
    """
    return {**gruen_polygons(landmarks), **cup_polygons(landmarks)}


def gruen_polygons(landmarks: Mapping[str, Point]) -> dict[str, Polygon]:
    """Gruen 1-7 from `stem_tip`, `stem_axis_top` and `head_center` (and `shoulder`, where known); else nothing."""
    medial = medial_direction(landmarks)
    if medial is None:
        return {}
    tip, axis_top = (np.asarray(landmarks[name], np.float64) for name in ("stem_tip", "stem_axis_top"))
    length = float(np.hypot(*(axis_top - tip)))
    up = (axis_top - tip) / length
    if "shoulder" in landmarks:  # the zones begin at the shoulder, wherever on its axis the stem was marked
        length = float((np.asarray(landmarks["shoulder"], np.float64) - tip) @ up)
    if not length > 0:
        return {}

    def point(height: float, outwards: float, direction: Polygon) -> Polygon:
        """`height` from the tip (0) to the shoulder (1); `outwards` 0 on the axis, 1 at the edge of the zones."""
        half_width = _HALF_WIDTH_TIP + (_HALF_WIDTH_TOP - _HALF_WIDTH_TIP) * min(max(height, 0.0), 1.0)
        return tip + length * (height * up + outwards * half_width * direction)

    edges = (1.0, 2 / 3, 1 / 3, _TIP_ABOVE)
    polygons: dict[str, Polygon] = {}
    for direction, names in ((-medial, "123"), (medial, "765")):
        for name, above, below in zip(names, edges, edges[1:], strict=False):
            corners = [
                point(above, 0, direction),
                point(above, 1, direction),
                point(below, 1, direction),
                point(below, 0, direction),
            ]
            polygons[name] = np.stack(corners)
    corners = [
        point(_TIP_ABOVE, 1, -medial),
        point(_TIP_ABOVE, 1, medial),
        point(-_TIP_BELOW, 1, medial),
        point(-_TIP_BELOW, 1, -medial),
    ]
    polygons["4"] = np.stack(corners)
    return {name: polygons[name] for name in GRUEN_ZONES}


def medial_direction(landmarks: Mapping[str, Point]) -> Polygon | None:
    """(2,) x, y of length 1, at right angles to the stem's axis and towards the head; None where that is not known."""
    if not set(STEM_LANDMARKS) <= landmarks.keys():
        return None
    tip, axis_top, head = (np.asarray(landmarks[name], np.float64) for name in STEM_LANDMARKS)
    length = float(np.hypot(*(axis_top - tip)))
    if not length > 0:
        return None
    up = (axis_top - tip) / length
    across = np.array([-up[1], up[0]])
    offset = float((head - tip) @ across)
    return across * np.sign(offset) if offset else None  # the head lies medial of the stem's axis


def lateral_edge(landmarks: Mapping[str, Point]) -> Edge | None:
    """The edge of the picture that the implant's lateral side faces; None where the stem does not tell.

    A stem that lies across the picture faces neither: it counts from 30 degrees off on.
    """
    medial = medial_direction(landmarks)
    if medial is None or abs(medial[0]) < _FACING:
        return None
    return Edge.LEFT if medial[0] > 0 else Edge.RIGHT


def cup_polygons(landmarks: Mapping[str, Point]) -> dict[str, Polygon]:
    """DeLee-Charnley I-III from `cup_rim_lateral` and `cup_rim_medial`, with `stem_tip` to tell in from out.

    The cup is taken as a half circle over the line between its rims, on the side away from the stem.
    """
    if not set(CUP_LANDMARKS) <= landmarks.keys():
        return {}
    lateral, medial, tip = (np.asarray(landmarks[name], np.float64) for name in CUP_LANDMARKS)
    center, radius = (lateral + medial) / 2, float(np.hypot(*(lateral - medial))) / 2
    if not radius > 0:
        return {}
    outwards = (lateral - center) / radius
    dome = np.array([-outwards[1], outwards[0]])
    if (tip - center) @ dome > 0:
        dome = -dome
    polygons = {}
    for index, name in enumerate(CUP_ZONES):
        angles = np.linspace(index, index + 1, _ARC_STEPS + 1) * (np.pi / len(CUP_ZONES))
        arc = np.cos(angles)[:, None] * outwards + np.sin(angles)[:, None] * dome
        polygons[name] = center + radius * np.concatenate([_CUP_OUTER * arc, _CUP_INNER * arc[::-1]])
    return polygons
