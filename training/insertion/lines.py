"""A radiolucent line along an interface of a real film: planned by the label rule of docs/simulation.md, then drawn.

A line is darker than the bone beside it by a share of the difference between that bone and the darkest tissue nearby; it is
as blurred as the film's own metal edge; its rim, where it has one, is a little brighter. The film's noise and texture stay.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.special import erf

from training.dataset import CACHE_SIZE
from training.insertion.films import CutHip
from training.insertion.outlines import Distance, Interface, Outlines

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

LOOSE_MM, LOOSE_SHARE = 2.0, 0.5  # the label rule: so wide over so much of the interface is loose
ROUND_MM, ROUND_SHARE = 1.0, 0.8  # or so wide nearly all round
FIXED_MM, FIXED_SHARE = 1.0, 1 / 3  # at most so wide, over at most so much
BORDERLINE = 0.75  # the training target of a line that is more than a look-alike and less than the rule asks
CONTRASTS = {"clear": (0.5, 0.9), "moderate": (0.3, 0.5), "faint": (0.17, 0.3)}
_LEAST = {
    "clear": 0.10,
    "moderate": 0.07,
    "faint": 0.045,
}  # of the grey scale, where bone is hardly denser than its surroundings


@dataclass(frozen=True, eq=False)
class Line:
    """One line to draw. Per point of the interface: `width_mm` (0 where there is none) and `offset_mm` outward."""

    component: str
    width_mm: F64
    offset_mm: F64
    contrast: float
    clearness: str
    rim: float  # added grey
    rim_mm: float
    softness: float = 1.0  # of the line's edges, relative to the film's own blur
    blobs: tuple[tuple[int, float, float], ...] = ()  # osteolysis: (point, radius in mm along, depth in mm)

    @property
    def coverage(self) -> float:
        return float((self.width_mm >= 0.5).mean())

    def label(self) -> float:
        """1 loose, 0 well fixed, BORDERLINE between, by the label rule."""
        wide = float((self.width_mm >= LOOSE_MM).mean())
        round_about = float((self.width_mm >= ROUND_MM).mean())
        if wide >= LOOSE_SHARE or round_about >= ROUND_SHARE:
            return 1.0
        if float(self.width_mm.max(initial=0.0)) <= FIXED_MM + 1e-6 and self.coverage <= FIXED_SHARE + 0.02:
            return 0.0
        return BORDERLINE


def _wave(rng: np.random.Generator, along_mm: F64, period_mm: float) -> F64:
    """Smooth random values about 0 with a standard deviation near 1 over the length of an interface."""
    knots = max(4, int(along_mm[-1] / period_mm) + 3)
    values = rng.normal(0, 1, knots)
    x = np.linspace(0, along_mm[-1], knots)
    smooth = np.interp(along_mm, x, values)
    return np.asarray(ndimage.gaussian_filter1d(smooth, max(1.0, len(along_mm) / knots / 2), mode="nearest"))


def _extent(rng: np.random.Generator, interface: Interface, share: float, pieces: int) -> F64:
    """0-1 per point: where the line is, in `pieces` stretches that make up `share` of the length; ends tapered."""
    along = interface.along_mm
    total = interface.length_mm
    present = np.zeros(len(along))
    left = share * total
    for piece in range(pieces):
        length = left if piece == pieces - 1 else left * rng.uniform(0.35, 0.65)
        left -= length
        start = rng.uniform(0, max(total - length, 0.0)) if length < total else 0.0
        taper = rng.uniform(1.5, 5.0)
        edge = np.minimum(along - start, start + length - along)
        whole = (start <= 0) & (along < length / 2) | (start + length >= total - 1e-6) & (along > total - length / 2)
        present = np.maximum(present, np.where(whole, 1.0, np.clip(edge / taper + 0.5, 0, 1)))
    return present


def plan(rng: np.random.Generator, hip: CutHip, interface: Interface, kind: str) -> Line:
    """A line of the given kind: "loose", "partial" (borderline) or "lookalike" (at most 1 mm, incomplete)."""
    along = interface.along_mm
    clearness = str(rng.choice(["clear", "moderate", "faint"], p=[0.3, 0.4, 0.3]))
    if kind == "loose":
        if rng.random() < 0.75:
            width, share, pieces = rng.uniform(2.1, 4.2), rng.uniform(0.55, 1.0), 1 + int(rng.random() < 0.25)
        else:
            width, share, pieces = rng.uniform(1.2, 2.4), rng.uniform(0.86, 1.0), 1
    elif kind == "partial":
        width, share, pieces = rng.uniform(1.5, 3.5), rng.uniform(0.18, 0.45), 1 + int(rng.random() < 0.3)
    else:
        width, share, pieces = rng.uniform(0.5, 0.95), rng.uniform(0.08, 0.3), 1 + int(rng.random() < 0.3)
        clearness = str(rng.choice(["clear", "moderate", "faint"], p=[0.15, 0.45, 0.4]))
    present = _extent(rng, interface, share, pieces)
    swing = 0.16 if kind == "loose" else 0.2
    widths = width * present * np.clip(1 + swing * _wave(rng, along, rng.uniform(8, 25)), 0.55, 1.6)
    if kind == "lookalike":
        widths = np.minimum(widths, FIXED_MM)
    widths[present < 0.25] = 0.0
    cemented = hip.film.fixation == "cemented" and interface.component == "stem"
    offset = np.zeros(len(along))
    if cemented and rng.random() < 0.6:  # between bone and cement rather than along the metal
        offset = np.clip(rng.uniform(1.5, 4.5) * (1 + 0.25 * _wave(rng, along, 20)), 0.8, 6.0)
    elif interface.component == "cup" and rng.random() < 0.3:
        offset = np.clip(rng.uniform(0.3, 2.5) * (1 + 0.3 * _wave(rng, along, 20)), 0.0, 4.0)
    low, high = CONTRASTS[clearness]
    rim = rng.uniform(0.02, 0.10) if rng.random() < 0.6 else 0.0
    blobs: tuple[tuple[int, float, float], ...] = ()
    if kind == "loose" and rng.random() < 0.25:
        inside = np.nonzero(widths > 0)[0]
        blobs = tuple(
            (int(rng.choice(inside)), float(rng.uniform(3, 8)), float(rng.uniform(3, 8)))
            for _ in range(1 + int(rng.random() < 0.4))
        )
    return Line(
        interface.component, widths, offset, float(rng.uniform(low, high)), clearness, float(rim),
        float(rng.uniform(0.6, 1.4)), float(np.exp(rng.uniform(-0.3, 0.7))), blobs,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Film:
    """What drawing needs to know of one film: its bone, its darkest tissue, its blur."""

    grey: F32
    soft_metal: F32  # 0-1: share of metal in each pixel
    bone: F32  # without the metal
    dark: F32
    noise: F32
    blur_px: float


def film_of(hip: CutHip, found: Outlines) -> Film:
    grey, mm = hip.grey, float(np.sqrt(hip.mm_px[0] * hip.mm_px[1]))
    blur_px = edge_blur(hip, found)
    metal = ndimage.binary_dilation(found.metal, iterations=max(2, round(1.2 * blur_px)))
    clear = (~metal & hip.inside).astype(np.float32)

    def mean(sigma: float, values: F32) -> F32:
        weight = ndimage.gaussian_filter(clear, sigma)
        return np.asarray(ndimage.gaussian_filter(values * clear, sigma) / np.maximum(weight, 1e-3), np.float32)

    bone = mean(2.2 * mm, grey)
    smooth = np.where(clear > 0, mean(0.9 * mm, grey), 1.0).astype(np.float32)
    dark = ndimage.minimum_filter(smooth, size=max(3, round(22 * mm)))
    dark = ndimage.gaussian_filter(dark, 4 * mm)
    high = grey - ndimage.gaussian_filter(grey, 1.2 * mm)
    noise = np.sqrt(np.maximum(mean(4 * mm, high**2), 1e-6))
    soft = ndimage.gaussian_filter(found.metal.astype(np.float32), blur_px)
    return Film(grey, np.asarray(soft, np.float32), bone, np.asarray(dark, np.float32), noise, blur_px)


def edge_blur(hip: CutHip, found: Outlines) -> float:
    """Standard deviation, in cache pixels, of the blur of the film's metal edge along the stem (or the cup)."""
    interface = found.stem or found.cup
    if interface is None:
        return 1.5
    steps = np.arange(-7, 7.01, 0.5)
    at = interface.points[::6, None] + steps[None, :, None] * interface.outward[::6, None]
    profile = ndimage.map_coordinates(hip.grey, (at[..., 1] - 0.5, at[..., 0] - 0.5), order=1, mode="nearest")
    slope = np.maximum(-np.gradient(profile, steps, axis=1), 0)
    mass = slope.sum(axis=1)
    good = mass > np.quantile(mass, 0.4)
    if not good.any():
        return 1.5
    slope = slope[good] / np.maximum(mass[good], 1e-6)[:, None]
    centre = (slope * steps).sum(axis=1, keepdims=True)
    spread = np.sqrt((slope * (steps - centre) ** 2).sum(axis=1))
    return float(np.clip(np.median(spread) * 0.75, 0.7, 3.0))


def _band(distance: F64, start: F64, width: F64, sigma: float) -> F64:
    """A box from `start` to `start + width` blurred by a Gaussian; 0 where the width is."""
    scale = np.sqrt(2) * sigma
    box = 0.5 * (erf((distance - start) / scale) - erf((distance - start - width) / scale))
    return np.asarray(np.where(width > 0, box, 0.0))


@dataclass(frozen=True, eq=False)
class Drawn:
    grey: F32
    mask: Mask  # where the line is, the metal excepted
    visible_share: float  # of its length, that stands out of the film's own texture


def draw(
    rng: np.random.Generator,
    film: Film,
    hip: CutHip,
    interface: Interface,
    line: Line,
    near: Distance,
    shift_mm: float = 0.0,
) -> Drawn:
    """The film with one line more; `near` is `distance_from(interface)`. `shift_mm` moves it outward, away from the interface: a sham."""
    mm = float(np.sqrt(hip.mm_px[0] * hip.mm_px[1]))
    sigma = max(line.softness * film.blur_px / mm, 0.18)
    width, offset = line.width_mm[near.nearest], line.offset_mm[near.nearest] + shift_mm
    profile = _band(near.outward_mm, offset, width, sigma)
    for point, along_radius, depth in line.blobs:
        run = (interface.along_mm[near.nearest] - interface.along_mm[point]) / along_radius
        out = (near.outward_mm - offset) / depth
        inside = np.clip(1.4 - np.hypot(run, np.maximum(out, 0)) * 1.4, 0, 1) * (near.outward_mm > offset - sigma)
        profile = np.maximum(profile, np.minimum(inside, 1.0) * 0.9)
    rim = _band(near.outward_mm, offset + width, np.where(width > 0, line.rim_mm, 0.0), sigma)
    at = near.rows, near.cols
    bone, dark = film.bone[at], film.dark[at]
    depth_grey = np.maximum(line.contrast * (bone - dark), _LEAST[line.clearness])
    # It cannot become darker than the darkest nearby, a little margin apart.
    depth_grey = np.minimum(depth_grey, np.maximum(film.grey[at] - 0.6 * dark, 0.0))
    along = interface.along_mm
    depth_grey = depth_grey * np.clip(1 + 0.18 * _wave(rng, along, 12), 0.6, 1.4)[near.nearest]
    clear = 1.0 - film.soft_metal[at]
    grey = film.grey.copy()
    grey[at] += ((-depth_grey * profile + line.rim * rim * np.clip((bone - dark) / 0.15, 0.2, 1)) * clear).astype(
        np.float32
    )
    mask = np.zeros((CACHE_SIZE, CACHE_SIZE), bool)
    core = (profile * clear) > 0.35
    mask[near.rows[core], near.cols[core]] = True
    seen = core & (depth_grey * profile * clear > 1.1 * film.noise[at])
    points, all_points = np.unique(near.nearest[seen]).size, np.unique(near.nearest[core]).size
    return Drawn(np.clip(grey, 0, 1), mask, points / all_points if all_points else 0.0)


def sham(rng: np.random.Generator, line: Line) -> tuple[Line, float]:
    """The same line away from the interface: (line, how far outward in mm). Its rim stays."""
    return replace(line, offset_mm=np.zeros_like(line.offset_mm), blobs=()), float(rng.uniform(8.0, 13.0))
