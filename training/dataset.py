"""Simulated hips, cropped once and kept on disk, so that training spends its time on training.

A shard holds the hips of a few dozen simulated radiographs: a grey crop around each hip region with a margin for
moving the region about, masks at a quarter of that resolution, labels, landmarks; and each whole radiograph, squeezed
as the locator sees it. Shards are written whole or not at all, and those that exist are not made again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from imaging.geometry import HipRegion
from inference.lucency_net import INPUT_SIZE, LANDMARKS, LOCATOR_SIZE, SUITABILITY
from inference.preprocess import crop_region, whole_image

MARGIN = 1.25  # side of the cached square relative to the hip region
CACHE_SIZE = 576  # its pixels: slightly finer than the network's input over the region alone
MASK_STRIDE = 4
MASK_SIZE = CACHE_SIZE // MASK_STRIDE
MASKS = ("stem_lucency", "cup_lucency", "implant", "stem_interface", "cup_interface")  # bit 0 upwards
LABELS = ("loose", "stem", "cup")

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]


@dataclass
class Hip:
    """One hip as training sees it; nan in `labels` and `suitability` means: unknown, borderline, or not asked."""

    pixels: U8  # (CACHE_SIZE, CACHE_SIZE)
    masks: U8  # (MASK_SIZE, MASK_SIZE), one bit per name in MASKS
    labels: F32  # (3,) in the order of LABELS: 1 loose, 0 fixed, between: a borderline line that is drawn
    suitability: F32  # (n,) in the order of lucency_net.SUITABILITY
    landmarks: F32  # (K, 2) x, y in cache pixels; nan when outside or hidden, inf when nobody knows
    record: dict[str, object] = field(default_factory=dict)  # where it came from, and what may explain a failure


@dataclass
class Whole:
    """A whole radiograph for the locator; `hips` is (n, 4): x, y, side of the region in pixels, replaced (1/0)."""

    pixels: U8  # (LOCATOR_SIZE, LOCATOR_SIZE)
    hips: F32


def any_pool(mask: npt.NDArray[np.bool_], box: tuple[float, float, float], size: int) -> npt.NDArray[np.bool_]:
    """Resample a mask's square `box` = (left, top, side) to (size, size); a cell is set when any pixel in it is.

    Lines thinner than a cell survive.
    """
    left, top, side = box
    out = np.zeros((size, size), bool)
    rows, cols = np.nonzero(mask)
    if rows.size:
        y = np.floor((rows + 0.5 - top) * size / side).astype(int)
        x = np.floor((cols + 0.5 - left) * size / side).astype(int)
        inside = (x >= 0) & (y >= 0) & (x < size) & (y < size)
        out[y[inside], x[inside]] = True
    cell_px = side / size
    if cell_px < 1:  # the image is coarser than the cells: fill the gaps between hits
        centers = (np.arange(size) + 0.5) * cell_px
        row = np.clip(np.floor(centers + top), 0, mask.shape[0] - 1).astype(int)
        col = np.clip(np.floor(centers + left), 0, mask.shape[1] - 1).astype(int)
        out |= mask[np.ix_(row, col)]
    return out


def expanded(region: HipRegion) -> HipRegion:
    """The square that the cache keeps of a hip region."""
    square = region.squared()
    cx, cy = square.center
    side = square.width * MARGIN
    return HipRegion(cx - side / 2, cy - side / 2, side, side, region.side)


def as_bytes(grey: F32) -> U8:
    return np.asarray(np.round(grey * 255.0), dtype=np.uint8)


def write_shard(path: Path, hips: list[Hip], wholes: list[Whole]) -> None:
    """One .npz (no pickle) and one .jsonl beside it; the .npz appears last and complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    counts = [len(whole.hips) for whole in wholes]
    with path.with_suffix(".jsonl").open("w", encoding="utf-8") as stream:
        for hip in hips:
            stream.write(json.dumps(hip.record) + "\n")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.npz")

    def stacked(arrays: list[npt.NDArray], shape: tuple[int, ...], dtype: type) -> npt.NDArray:
        return np.stack(arrays).astype(dtype) if arrays else np.zeros((0, *shape), dtype)

    np.savez(
        temporary,
        pixels=stacked([hip.pixels for hip in hips], (CACHE_SIZE, CACHE_SIZE), np.uint8),
        masks=stacked([hip.masks for hip in hips], (MASK_SIZE, MASK_SIZE), np.uint8),
        labels=stacked([hip.labels for hip in hips], (len(LABELS),), np.float32),
        suitability=stacked([hip.suitability for hip in hips], (len(SUITABILITY),), np.float32),
        landmarks=stacked([hip.landmarks for hip in hips], (len(LANDMARKS), 2), np.float32),
        whole_pixels=stacked([whole.pixels for whole in wholes], (LOCATOR_SIZE, LOCATOR_SIZE), np.uint8),
        whole_hips=np.concatenate([whole.hips.reshape(-1, 4) for whole in wholes] or [np.zeros((0, 4), np.float32)]),
        whole_counts=np.asarray(counts, np.int64),
    )
    temporary.replace(path)


def whole_view(pixels: npt.NDArray[np.float32]) -> tuple[U8, HipRegion, float]:
    """The radiograph as the locator sees it, the square of the image that this is, and locator pixels per image
    pixel."""
    square = whole_image(pixels).squared()
    return as_bytes(crop_region(pixels, square, LOCATOR_SIZE)), square, LOCATOR_SIZE / square.width


@dataclass
class HipSet:
    """All hips of some shards, in memory: uint8 tensors."""

    pixels: torch.Tensor  # (n, CACHE_SIZE, CACHE_SIZE)
    masks: torch.Tensor  # (n, MASK_SIZE, MASK_SIZE)
    labels: torch.Tensor  # (n, 3)
    suitability: torch.Tensor  # (n, outputs of the gate)
    landmarks: torch.Tensor  # (n, K, 2)
    whole_pixels: torch.Tensor  # (m, LOCATOR_SIZE, LOCATOR_SIZE)
    whole_hips: list[torch.Tensor]  # m of (k, 4)
    records: list[dict[str, object]]
    shards: list[Path]

    def __len__(self) -> int:
        return len(self.pixels)

    def originals(self) -> list[int]:
        """For each altered film the index of its original; -1 for every other hip."""
        first = {
            record["film"]: at
            for at, record in enumerate(self.records)
            if record.get("variant") == "original" and record["hip_suitability"] == "suitable"
        }
        return [
            -1 if record.get("variant", "original") == "original" else first.get(record["film"], -1)
            for record in self.records
        ]

    def chosen(self, keep: Sequence[bool]) -> HipSet:
        """Only the hips for which `keep` is true; whole radiographs stay."""
        at = torch.tensor([index for index, wanted in enumerate(keep) if wanted], dtype=torch.long)
        part = {name: getattr(self, name)[at] for name in _PER_HIP}
        return replace(self, **part, records=[self.records[index] for index in at.tolist()])


_PER_HIP = ("pixels", "masks", "labels", "suitability", "landmarks")


def fold_of(group: str, folds: int) -> int:
    """The fold of a patient of real films: the same everywhere and for ever."""
    return int(hashlib.sha256(f"fold {group}".encode()).hexdigest(), 16) % folds


def in_fold(record: Mapping[str, object], fold: int, folds: int) -> bool:
    """The record is of a real film whose patient falls into that fold."""
    return "group" in record and fold_of(str(record["group"]), folds) == fold


def shard_paths(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("shard-*.npz") if path.with_suffix(".jsonl").is_file())


def _read(paths: list[Path]) -> Iterator[tuple[dict[str, npt.NDArray], list[dict[str, object]]]]:
    for path in paths:
        with np.load(path, allow_pickle=False) as data:
            arrays = {name: data[name] for name in data.files}
        with path.with_suffix(".jsonl").open(encoding="utf-8") as stream:
            yield arrays, [json.loads(line) for line in stream]


def read_records(folder: Path) -> list[dict[str, object]]:
    """Where the hips of a folder came from, in the order of its files: of `prepare`, or drawn by `gate`."""
    records = []
    for path in (*shard_paths(folder), *sorted(folder.glob("cases-*.npz"))):
        with path.with_suffix(".jsonl").open(encoding="utf-8") as stream:
            rows = [json.loads(line) for line in stream]
        records += [row.get("record", row) for row in rows]
    return records


def load_shards(folder: Path, limit: int | None = None) -> HipSet:
    """Every shard of a folder, or the first `limit`. FileNotFoundError when there is none."""
    paths = shard_paths(folder)[:limit]
    if not paths:
        raise FileNotFoundError(f"There are no prepared hips in “{folder}”: run `python -m training prepare` first.")
    return _load(paths)


def without_fold(hips: HipSet, hold_out: str) -> HipSet:
    """All but the real films of fold K of N, written "K/N"; all of them where it is empty."""
    if not hold_out:
        return hips
    fold, folds = (int(word) for word in hold_out.split("/"))
    return hips.chosen([not in_fold(record, fold, folds) for record in hips.records])


def joined(sets: Sequence[HipSet]) -> HipSet:
    """All of them as one."""
    tensors = {name: torch.cat([getattr(one, name) for one in sets]) for name in (*_PER_HIP, "whole_pixels")}
    return HipSet(
        **tensors,
        whole_hips=[hip for one in sets for hip in one.whole_hips],
        records=[record for one in sets for record in one.records],
        shards=[shard for one in sets for shard in one.shards],
    )


def grown(hips: HipSet, folder: Path) -> HipSet:
    """`hips` and the shards that have since appeared in their folder; the same object when there are none."""
    new = [path for path in shard_paths(folder) if path not in set(hips.shards)]
    if not new:
        return hips
    return joined([hips, _load(new)])


def _load(paths: list[Path]) -> HipSet:
    parts: dict[str, list[npt.NDArray]] = {}
    records: list[dict[str, object]] = []
    for arrays, part_records in _read(paths):
        records += part_records
        for name, array in arrays.items():
            parts.setdefault(name, []).append(array)

    def stacked(name: str) -> torch.Tensor:
        return torch.from_numpy(np.concatenate(parts.pop(name)))

    counts = stacked("whole_counts").tolist()
    return HipSet(
        stacked("pixels"),
        stacked("masks"),
        stacked("labels"),
        stacked("suitability"),
        stacked("landmarks"),
        stacked("whole_pixels"),
        list(torch.split(stacked("whole_hips"), counts)),
        records,
        paths,
    )


INPUT_PER_CACHE = INPUT_SIZE * MARGIN / CACHE_SIZE  # network pixels per cache pixel when the region is not moved
