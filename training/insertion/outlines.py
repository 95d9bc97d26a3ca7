"""Where metal, stem interface and cup interface are in one real film: from a trained network's dense maps, sharpened.

The network of a bundle knows where metal is to within one of its cells; a watershed on the film's own gradient finds the
edge. An interface is a polyline in cache pixels, dense and smooth, with the direction that points away from the implant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import contourpy
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from scipy import ndimage
from scipy.spatial import cKDTree

from inference.lucency_net import AUXILIARY, LANDMARKS, LucencyNet
from inference.preprocess import InputSpec
from training.dataset import CACHE_SIZE
from training.insertion.films import CutHip

F32 = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]

_SURE, _NONE = 0.7, 0.15  # of the network's metal map: markers of the watershed
_ENGAGED = 0.3  # of its interface maps: a stretch of the outline that is in bone
_RAYS = 181
_CUP_SHARE = 0.55  # of the dome's rays that must show an interface
_REACH = (1.15, 2.6)  # of the cup's outline, in head radii
_MIN_STEM_MM = 55.0  # of interface; less is no stem to draw a line along


@dataclass(frozen=True, eq=False)
class Interface:
    """One component's interface: `points` (n, 2) in cache pixels about half a pixel apart, `outward` unit normals.

    `zone` (n,) names the Gruen or DeLee-Charnley zone of each point; `length_mm` is the whole length.
    """

    component: str  # "stem" or "cup"
    points: Points
    outward: Points
    along_mm: npt.NDArray[np.float64]
    zone: npt.NDArray[np.str_]

    @property
    def length_mm(self) -> float:
        return float(self.along_mm[-1])


@dataclass(frozen=True, eq=False)
class Outlines:
    """What is known of one hip's implant. Masks (CACHE_SIZE, CACHE_SIZE)."""

    metal: Mask
    stem: Interface | None
    cup: Interface | None
    dense: F32  # (3, CACHE_SIZE, CACHE_SIZE): the network's maps in the order of AUXILIARY
    placed: F32  # (K, 3): the network's landmarks in cache pixels, with confidence


def look(network: LucencyNet, hip: CutHip, size: int = 448) -> tuple[F32, F32]:
    """The network's dense maps and landmarks for the whole cache square, in cache pixels."""
    small = np.asarray(Image.fromarray(hip.grey).resize((size, size), Image.Resampling.BILINEAR), np.float32)
    spec = InputSpec(size)
    batch = torch.from_numpy((small - spec.mean[0]) / spec.std[0])[None, None]
    with torch.no_grad():
        raw = network.training_outputs(batch)
        _, _, landmarks = network(batch)
    maps = torch.sigmoid(raw["auxiliary"])[0].numpy()
    dense = np.stack(
        [
            np.asarray(Image.fromarray(one).resize((CACHE_SIZE, CACHE_SIZE), Image.Resampling.BILINEAR), np.float32)
            for one in maps
        ]
    )
    placed = landmarks[0].numpy().copy()
    placed[:, :2] *= CACHE_SIZE / size
    return dense, placed


def outlines(network: LucencyNet, hip: CutHip) -> Outlines:
    dense, placed = look(network, hip)
    metal = _metal(hip, dense[AUXILIARY.index("implant")])
    stem = cup = None
    if hip.film.implant in ("thr", "hemi"):
        stem = _stem(hip, metal, dense[AUXILIARY.index("stem_interface")])
    if hip.film.implant == "thr" and hip.film.cup_visible == 2:
        cup = _cup(hip, metal, dense[AUXILIARY.index("cup_interface")])
    return Outlines(metal, stem, cup, dense, placed)


def _metal(hip: CutHip, seen: F32) -> Mask:
    """Watershed between what is surely metal and what surely is not, on the gradient of the film."""
    smooth = ndimage.gaussian_filter(hip.grey, 1.2)
    gradient = ndimage.gaussian_gradient_magnitude(smooth, 1.0)
    scaled = np.clip(gradient / max(float(np.quantile(gradient, 0.995)), 1e-6), 0, 1)
    markers = np.zeros(seen.shape, np.int16)
    sure = ndimage.binary_erosion(seen > _SURE, iterations=5)
    # A thin stem has no surely metallic middle left after erosion: its ridge is kept.
    ridge = (seen > _SURE) & (seen >= ndimage.maximum_filter(seen, 9) - 0.02)
    bright = hip.grey > np.quantile(hip.grey[sure], 0.15) - 0.12 if sure.any() else hip.grey > 2
    markers[(sure | ridge) & bright] = 2
    markers[(seen < _NONE) | ~hip.inside] = 1
    flooded = ndimage.watershed_ift((scaled * 255).astype(np.uint8), markers)
    metal = ndimage.binary_opening(flooded == 2, iterations=2)
    return np.asarray(ndimage.binary_fill_holes(metal), bool)


def _components(metal: Mask, points: list[tuple[float, float]]) -> Mask:
    """The connected parts of the metal that hold, or come near, one of the points (x, y)."""
    labels, _ = ndimage.label(metal)
    kept = set()
    for x, y in points:
        row, col = int(np.clip(y, 0, CACHE_SIZE - 1)), int(np.clip(x, 0, CACHE_SIZE - 1))
        near = labels[max(0, row - 6) : row + 7, max(0, col - 6) : col + 7]
        kept |= set(near[near > 0].tolist())
    return np.isin(labels, list(kept)) if kept else np.zeros_like(metal)


def _resampled(points: Points, step: float = 0.5) -> Points:
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.arange(0, length[-1], step)
    return np.column_stack([np.interp(at, length, points[:, axis]) for axis in (0, 1)])


def _smoothed(points: Points, sigma: float, *, closed: bool) -> Points:
    mode: Literal["wrap", "nearest"] = "wrap" if closed else "nearest"
    return np.column_stack([ndimage.gaussian_filter1d(points[:, axis], sigma, mode=mode) for axis in (0, 1)])


def _normals(points: Points, metal: Mask) -> Points:
    """Unit normals that point out of the metal."""
    along = np.gradient(points, axis=0)
    normal = np.column_stack([along[:, 1], -along[:, 0]])
    normal /= np.maximum(np.hypot(*normal.T), 1e-9)[:, None]
    inner = ndimage.map_coordinates(metal.astype(np.float32), (points - 4 * normal).T[::-1], order=1, mode="nearest")
    outer = ndimage.map_coordinates(metal.astype(np.float32), (points + 4 * normal).T[::-1], order=1, mode="nearest")
    return normal if float((inner - outer).sum()) >= 0 else -normal


def _along(points: Points, mm_px: tuple[float, float]) -> npt.NDArray[np.float64]:
    steps = np.diff(points, axis=0) / np.asarray(mm_px)
    return np.concatenate([[0.0], np.cumsum(np.hypot(*steps.T))])


def _stem(hip: CutHip, metal: Mask, band: F32) -> Interface | None:
    """The stretch of the metal's outline that runs in bone, from the lateral shoulder round the tip to the calcar."""
    shoulder = hip.landmarks[LANDMARKS.index("shoulder")]
    tip = hip.landmarks[LANDMARKS.index("stem_tip")]
    if not np.isfinite(shoulder).all() or not np.isfinite(tip).all():
        return None
    middle = (shoulder + tip) / 2
    part = _components(metal, [tuple(middle), tuple(0.25 * shoulder + 0.75 * tip)])
    if not part.any():
        return None
    soft = ndimage.gaussian_filter(part.astype(np.float32), 1.5)
    lines = cast(list[Points], contourpy.contour_generator(z=soft).lines(0.5))
    if not lines:
        return None
    outline = max(lines, key=lambda line: float(np.ptp(line[:, 0]) * np.ptp(line[:, 1]))) + 0.5
    if np.hypot(*(outline[0] - outline[-1])) > 3:
        return None  # it leaves the square
    outline = _smoothed(_resampled(outline), 4.0, closed=True)
    near = ndimage.maximum_filter(band, 9)
    engaged = ndimage.map_coordinates(near, (outline - 0.5).T[::-1], order=1, mode="nearest") > _ENGAGED
    axis = (tip - shoulder) / max(float(np.hypot(*(tip - shoulder))), 1e-6)
    below = (outline - shoulder) @ axis > -0.02 * float(np.hypot(*(tip - shoulder)))
    engaged = ndimage.binary_closing(np.concatenate([engaged & below] * 2), iterations=30)
    labels, count = ndimage.label(engaged)
    if not count:
        return None
    longest = int(np.argmax(ndimage.sum_labels(engaged, labels, range(1, count + 1)))) + 1
    at = np.nonzero(labels == longest)[0][: len(outline)]
    points = outline[at % len(outline)]
    nearest = int(np.argmin(np.hypot(*(points - tip).T)))
    if min(nearest, len(points) - nearest) < 0.15 * len(points):
        return None  # one side of the stem only: the outline has failed
    # The lateral side comes first: it is the one that ends nearer to the shoulder.
    if np.hypot(*(points[-1] - shoulder)) < np.hypot(*(points[0] - shoulder)):
        points, nearest = points[::-1].copy(), len(points) - 1 - nearest
    along = _along(points, hip.mm_px)
    if along[-1] < _MIN_STEM_MM:
        return None
    return Interface("stem", points, _normals(points, part), along, _gruen(along, float(along[nearest])))


def _gruen(along: npt.NDArray[np.float64], tip_mm: float) -> npt.NDArray[np.str_]:
    """Thirds of either side, and zone 4 round the tip."""
    around = 0.10 * along[-1]
    zones = np.empty(len(along), "<U3")
    for start, end, names in ((0.0, tip_mm - around, "123"), (tip_mm + around, float(along[-1]), "567")):
        share = np.clip((along - start) / max(end - start, 1e-6), 0, 0.999)
        inside = (along >= start) & (along <= end)
        zones[inside] = np.array(list(names))[(share[inside] * 3).astype(int)]
    zones[np.abs(along - tip_mm) < around] = "4"
    return zones


def _cup(hip: CutHip, metal: Mask, band: F32) -> Interface | None:
    """The dome of the cup: of each ray from the head's centre, where the metal ends or the network sees the interface."""
    head = hip.landmarks[LANDMARKS.index("head_center")].astype(float)
    tip = hip.landmarks[LANDMARKS.index("stem_tip")]
    shoulder = hip.landmarks[LANDMARKS.index("shoulder")]
    if not np.isfinite(head).all() or not np.isfinite(shoulder).all():
        return None
    rx, ry = (16.0 * scale for scale in hip.mm_px)
    lateral = 1.0 if shoulder[0] > head[0] else -1.0
    del tip
    # The dome opens some 45 degrees down and out; its pole points up and in.
    pole = np.arctan2(-1.0, -lateral)
    angles = pole + np.deg2rad(np.linspace(-88, 88, _RAYS))
    reach = np.linspace(*_REACH, 140)
    x = head[0] + np.cos(angles)[:, None] * reach * rx
    y = head[1] + np.sin(angles)[:, None] * reach * ry
    on_film = (x > 2) & (x < CACHE_SIZE - 2) & (y > 2) & (y < CACHE_SIZE - 2)
    at = np.clip(y, 0, CACHE_SIZE - 1).astype(int), np.clip(x, 0, CACHE_SIZE - 1).astype(int)
    on_film &= hip.inside[at]
    filled = ndimage.binary_closing(metal, iterations=4)
    along_metal = ndimage.map_coordinates(filled.astype(np.float32), (y - 0.5, x - 0.5), order=1, mode="nearest")
    along_band = ndimage.map_coordinates(band, (y - 0.5, x - 0.5), order=1, mode="nearest")
    outer = np.full(_RAYS, np.nan)
    for ray in range(_RAYS):
        ok = on_film[ray]
        solid = along_metal[ray] > 0.5
        last = int(np.nonzero(solid)[0].max()) if solid.any() else -1
        peak = int(np.argmax(along_band[ray] * ok))
        if (
            last >= 0
            and along_band[ray, max(0, last - 12) : last + 12].max(initial=0.0) > 0.25
            and ok[min(last + 8, 139)]
        ):
            outer[ray] = reach[last]
        elif along_band[ray, peak] > 0.45:
            outer[ray] = reach[peak]
    known = np.isfinite(outer)
    if known.mean() < _CUP_SHARE:
        return None
    # Few terms of a series: a cup is a dome, whatever the network's edges wobble.
    t = np.linspace(-1, 1, _RAYS)
    basis = np.column_stack([np.ones_like(t), t, t**2, t**3])
    weight = known.astype(float)
    for _ in range(4):
        fit, *_ = np.linalg.lstsq(basis * weight[:, None], np.nan_to_num(outer) * weight, rcond=None)
        off = np.abs(basis @ fit - np.nan_to_num(outer, nan=1e3))
        weight = known / (1 + (off / 0.06) ** 2)
    smooth = basis @ fit
    if not (weight > 0.5).mean() > 0.45:
        return None
    first, last = (int(edge) for edge in (np.nonzero(known)[0].min(), np.nonzero(known)[0].max()))
    # The outline itself where it is near to the fit, the fit elsewhere.
    near = known & (np.abs(outer - smooth) < 0.09)
    radius = np.where(near, np.nan_to_num(outer), smooth)
    radius = ndimage.gaussian_filter1d(radius, 2.5)[first : last + 1]
    turn = angles[first : last + 1]
    points = np.column_stack([head[0] + np.cos(turn) * radius * rx, head[1] + np.sin(turn) * radius * ry])
    points = _smoothed(_resampled(points), 3.0, closed=False)
    outward = _normals(points, metal)
    if float(((points - head) * outward).sum()) < 0:
        outward = -outward
    # The lateral rim comes first.
    if (points[0, 0] - points[-1, 0]) * lateral < 0:
        points, outward = points[::-1].copy(), outward[::-1].copy()
    along = _along(points, hip.mm_px)
    inside = hip.inside[tuple(np.clip(points.T[::-1].astype(int), 0, CACHE_SIZE - 1))]
    if along[-1] < 35.0 or inside.mean() < 0.9:
        return None
    zones = np.array(["I", "II", "III"])[np.minimum((along / along[-1] * 3).astype(int), 2)]
    return Interface("cup", points, outward, along, zones)


@dataclass(frozen=True, eq=False)
class Distance:
    """Of every pixel near an interface: how far outward (mm, negative inside), and the nearest point of the polyline."""

    rows: npt.NDArray[np.intp]
    cols: npt.NDArray[np.intp]
    outward_mm: npt.NDArray[np.float64]
    nearest: npt.NDArray[np.intp]


def distance_from(interface: Interface, mm_px: tuple[float, float], reach_mm: float = 16.0) -> Distance:
    """Pixels within `reach_mm` of the interface, beyond its ends excluded."""
    reach_px = reach_mm * max(mm_px)
    low = np.maximum(interface.points.min(axis=0) - reach_px, 0).astype(int)
    high = np.minimum(interface.points.max(axis=0) + reach_px + 1, CACHE_SIZE).astype(int)
    rows, cols = np.mgrid[low[1] : high[1], low[0] : high[0]]
    at = np.column_stack([cols.ravel() + 0.5, rows.ravel() + 0.5])
    scale = np.asarray(mm_px)
    found_distance, found_nearest = cKDTree(interface.points / scale).query(at / scale, distance_upper_bound=reach_mm)
    distance, nearest = np.asarray(found_distance), np.asarray(found_nearest)
    found = np.isfinite(distance)
    rows, cols, at, nearest, distance = (
        rows.ravel()[found],
        cols.ravel()[found],
        at[found],
        nearest[found],
        distance[found],
    )
    away = (at - interface.points[nearest]) / scale
    # Scaled normals: on a squashed film the outline's normal is not the anatomy's.
    normal = interface.outward[nearest] * scale
    normal /= np.maximum(np.hypot(*normal.T), 1e-9)[:, None]
    sideways = np.abs(away[:, 0] * normal[:, 1] - away[:, 1] * normal[:, 0])
    ends = (nearest == 0) | (nearest == len(interface.points) - 1)
    keep = ~(ends & (sideways > 1.0))
    signed = np.where((away * normal).sum(axis=1) >= 0, distance, -distance)
    return Distance(rows[keep], cols[keep], signed[keep], nearest[keep])
