"""The table of real films (`seen.csv`), and each hip of it cut out as training sees it.

The table says what one person saw: where head, tip and shoulder are, which parts the film shows, how the stem is fixed, and
whether a lucent line can be seen. Its column `folder_label` is never read here: it measures fixation, not loosening.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from imaging.geometry import HipRegion
from inference.lucency_net import LANDMARKS
from inference.preprocess import crop_region
from training.dataset import CACHE_SIZE, as_bytes, expanded

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]

TABLE = "seen.csv"
HEAD_RADIUS_MM = 16.0  # assumed: most implanted heads measure 28 to 36 mm
LANDMARK_UNKNOWN = np.inf  # nobody has marked it; nan says that it is not in the image
# From head and tip to the region, in millimetres, as the simulator frames a hip.
_MEDIAL_MM, _ABOVE_MM, _LATERAL_MM, _BELOW_MM = 45.0, 42.0, 26.0, 16.0
_NATIVE_SIDE = 0.55  # of the shorter side of an AP pelvis: the region of one native hip


@dataclass(frozen=True)
class Film:
    """One row of the table: one hip of one film. Points and radii in pixels of the file."""

    path: Path
    group: str  # same patient or film: never on both sides of a split
    kind: str  # crop, pelvis, native
    side_in_image: str
    implant: str  # thr, hemi, resurfacing, "" for a native hip
    fixation: str  # cemented, cementless, unclear, ""
    cup_visible: int  # 0 absent, 1 cut, 2 complete
    stem_visible: int
    head: tuple[float, float] | None
    head_radii: tuple[float, float] | None
    tip: tuple[float, float] | None
    shoulder: tuple[float, float] | None
    lucency_seen: str  # no, unclear, yes
    drawn_boxes: tuple[tuple[float, float, float, float], ...]
    note: str

    @property
    def name(self) -> str:
        return f"{self.path.stem}{'-' + self.side_in_image if self.side_in_image else ''}"


def _point(text: str) -> tuple[float, float] | None:
    numbers = [float(word) for word in text.split()]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else None


def _boxes(text: str) -> tuple[tuple[float, float, float, float], ...]:
    boxes = []
    for part in text.split(";"):
        numbers = [float(word) for word in part.split()]
        if len(numbers) == 4:
            boxes.append((numbers[0], numbers[1], numbers[2], numbers[3]))
    return tuple(boxes)


def read_films(folder: Path) -> list[Film]:
    """Every row of `folder`/seen.csv. FileNotFoundError where there is none."""
    with (folder / TABLE).open(encoding="utf-8", newline="") as stream:
        return [_film(folder, row) for row in csv.DictReader(stream)]


def _film(folder: Path, row: dict[str, str]) -> Film:
    rx, ry = row["head_rx_px"], row["head_ry_px"]
    return Film(
        path=folder / row["file"],
        group=row["group"],
        kind=row["kind"],
        side_in_image=row["side_in_image"],
        implant=row["implant"],
        fixation=row["fixation_stem"],
        cup_visible=int(row["cup_visible"] or 0),
        stem_visible=int(row["stem_visible"] or 0),
        head=_point(row["head_center"]),
        head_radii=(float(rx), float(ry)) if rx and ry else None,
        tip=_point(row["stem_tip"]),
        shoulder=_point(row["shoulder"]),
        lucency_seen=row["lucency_seen"],
        drawn_boxes=_boxes(row["drawn_boxes"]),
        note=row["note"],
    )


def read_grey(path: Path) -> F32:
    """(rows, cols) of a plain image, larger = denser, as `imaging.reader` gives it."""
    with Image.open(path) as image:
        return np.asarray(image.convert("L"), np.float32)


def regions(film: Film, shape: tuple[int, int]) -> list[HipRegion]:
    """The hip regions to train on: one for a replaced hip; both hips, or the whole film, for a native one.

    A crop is its own region; in a pelvis the region follows from head, tip and shoulder.
    """
    rows, cols = shape
    if film.kind == "crop":
        return [HipRegion(0, 0, cols, rows)]
    if film.kind == "native":
        side = min(_NATIVE_SIDE * cols, rows)
        if cols < 1.15 * rows:  # one hip alone
            return [HipRegion(0, 0, cols, rows)]
        centers = ((0.24 * cols, 0.5 * rows), (0.76 * cols, 0.5 * rows))
        return [HipRegion(x - side / 2, y - side / 2, side, side) for x, y in centers]
    if film.head is None or film.head_radii is None:
        return []
    mm = film.head_radii[0] / HEAD_RADIUS_MM * (16.0 / 25.0 if film.implant == "resurfacing" else 1.0)
    x, y = film.head
    lateral = 1.0 if x > cols / 2 else -1.0  # of the two hips of a pelvis each is lateral on its own side
    if film.tip is not None:
        lateral = 1.0 if film.tip[0] >= x else -1.0
    reach = 62.0 * mm
    if film.shoulder is not None:
        reach = abs(film.shoulder[0] - x) + _LATERAL_MM * mm
    if film.tip is not None:
        bottom = film.tip[1] + _BELOW_MM * mm
        reach = max(reach, abs(film.tip[0] - x) + _LATERAL_MM * mm)
    else:
        bottom = min(float(rows), y + (105.0 if film.implant == "resurfacing" else 190.0) * mm)
    top = y - _ABOVE_MM * mm
    inner, outer = x - lateral * _MEDIAL_MM * mm, x + lateral * reach
    left, right = min(inner, outer), max(inner, outer)
    return [HipRegion(left, top, right - left, bottom - top)]


@dataclass(frozen=True, eq=False)
class CutHip:
    """One hip in the cache square: grey 0-1 (CACHE_SIZE, CACHE_SIZE), landmarks in its pixels.

    `inside` is where the film is; `landmarks` (K, 2): LANDMARK_UNKNOWN where nobody has marked them.
    """

    film: Film
    region: HipRegion
    grey: F32
    inside: npt.NDArray[np.bool_]
    landmarks: F32
    mm_px: tuple[float, float]  # cache pixels per millimetre along x and along y, from the head's half axes


def cut(film: Film, pixels: F32, region: HipRegion) -> CutHip:
    """One hip region out of its film."""
    square = expanded(region)
    scale = CACHE_SIZE / square.width
    corner = np.array([square.x, square.y])

    def placed(point: tuple[float, float]) -> npt.NDArray[np.float64]:
        return (np.asarray(point) - corner) * scale

    landmarks = np.full((len(LANDMARKS), 2), LANDMARK_UNKNOWN, np.float32)
    radii = film.head_radii or (0.11 * CACHE_SIZE / scale, 0.11 * CACHE_SIZE / scale)
    if film.head is not None and film.head_radii is not None:
        landmarks[LANDMARKS.index("head_center")] = placed(film.head)
        landmarks[LANDMARKS.index("head_top")] = placed((film.head[0], film.head[1] - film.head_radii[1]))
    for name, point in (("stem_tip", film.tip), ("shoulder", film.shoulder)):
        if point is not None:
            landmarks[LANDMARKS.index(name)] = placed(point)
    if film.implant == "thr" and film.stem_visible < 2 and film.tip is None:
        landmarks[LANDMARKS.index("stem_tip")] = np.nan  # outside the film
    rows, cols = pixels.shape
    y, x = np.mgrid[:CACHE_SIZE, :CACHE_SIZE] + 0.5
    inside = (
        (x / scale + square.x >= 0)
        & (x / scale + square.x < cols)
        & (y / scale + square.y >= 0)
        & (y / scale + square.y < rows)
    )
    return CutHip(
        film,
        region,
        crop_region(pixels, square, CACHE_SIZE),
        inside,
        landmarks,
        (radii[0] * scale / HEAD_RADIUS_MM, radii[1] * scale / HEAD_RADIUS_MM),
    )


def cut_hips(folder: Path) -> Iterator[CutHip]:
    """Every hip of the table that has a region."""
    for film in read_films(folder):
        pixels = read_grey(film.path)
        for region in regions(film, (pixels.shape[0], pixels.shape[1])):
            yield cut(film, pixels, region)


def grey_bytes(hip: CutHip) -> U8:
    return as_bytes(hip.grey)
