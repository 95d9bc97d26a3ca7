"""The bundled network on simulated radiographs, end to end: locator, region, network, map; one row per hip or image.

Simulating costs most, so what the network is given is kept on disk (inputs of the proposed regions, and the truth
in the same squares); another network with the same locator is then scored in seconds.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from imaging.geometry import HipRegion
from imaging.radiograph import Radiograph, Window
from inference.engine import OnnxEngine
from inference.lucency_net import (
    COMPONENTS,
    EVIDENCE_STRIDE,
    INPUT_SIZE,
    LANDMARKS,
    LOCATOR_SIZE,
    SUITABILITY,
)
from inference.model_bundle import LocatorCard, ModelCard
from inference.preprocess import InputSpec, network_input
from inference.regions import locator_batch, propose
from inference.saliency import class_activation
from inference.stem_axis import refined
from inference.suitability import missing
from training.calibrate import LOCATOR_THRESHOLD
from training.dataset import any_pool
from training.prepare import (
    cup_side,
    dense_pixels,
    hip_record,
    hip_suitability,
    landmark_points,
    suitability_targets,
)
from training.simulation import simulate
from training.simulation.options import SimulationOptions
from training.simulation.truth import HipTruth, Label, SimulatedRadiograph, Suitability

GRID = INPUT_SIZE // EVIDENCE_STRIDE
SPEC = InputSpec(INPUT_SIZE)
MIN_OVERLAP = 0.3  # intersection over union of a proposed region and the hip's own
IMAGES_PER_SHARD = 40
PLANES = ("stem_lucency", "cup_lucency", "implant", "interface")


@dataclass(frozen=True)
class CohortSpec:
    """A set of simulated radiographs: everything that is needed to draw it again."""

    name: str
    seed: int
    count: int
    options: SimulationOptions


def as_radiograph(pixels: npt.NDArray[np.float32]) -> Radiograph:
    """A plain radiograph without tags, as a user's PNG would be."""
    return Radiograph(pixels=pixels, windows=(Window(0.5, 1.0),), sha256="0" * 64, path=Path("simulated.png"))


def overlap(first: HipRegion, second: HipRegion) -> float:
    """Intersection over union of the two squares."""
    a, b = first.squared(), second.squared()
    width = max(0.0, min(a.x + a.width, b.x + b.width) - max(a.x, b.x))
    height = max(0.0, min(a.y + a.height, b.y + b.height) - max(a.y, b.y))
    shared = width * height
    return shared / (a.width * a.height + b.width * b.height - shared)


def _truth_planes(image: SimulatedRadiograph, hip: HipTruth, square: HipRegion) -> npt.NDArray[np.bool_]:
    """(4, GRID, GRID) in the order of PLANES; lucency only of loose components."""
    shape = image.pixels.shape
    cup = cup_side(hip, (shape[0], shape[1]))
    stem_loose = hip.stem is not None and hip.stem.label is Label.LOOSE
    cup_loose = hip.cup is not None and hip.cup.label is Label.LOOSE
    planes = (
        hip.lucency_mask & ~cup & stem_loose,
        hip.lucency_mask & cup & cup_loose,
        hip.implant_mask,
        hip.interface_mask,
    )
    return np.stack([any_pool(plane, (square.x, square.y, square.width), GRID) for plane in planes])


def _label(label: Label | None) -> int | None:
    return {Label.LOOSE: 1, Label.FIXED: 0}.get(label) if label is not None else None


@dataclass
class Case:
    """What one row is computed from; `image` is None where the locator missed the hip."""

    row: dict[str, Any]
    image: npt.NDArray[np.float16] | None
    planes: npt.NDArray[np.bool_]
    points: npt.NDArray[np.float32]  # (K, 2) in input pixels
    px_mm: float  # millimetres per input pixel


def cases_of(image: SimulatedRadiograph, seed: int, index: int, locator: OnnxEngine) -> list[Case]:
    """Replaced hips of suitable images, each with the proposed region that fits it; every proposal of the others."""
    pixels = dense_pixels(image)
    card = LocatorCard(size=LOCATOR_SIZE, threshold=LOCATOR_THRESHOLD)
    found = locator.run(locator_batch(card, pixels))
    proposals = propose(as_radiograph(pixels), found["centers"][0], found["sizes"][0], card)
    pairs: list[tuple[HipTruth | None, HipRegion | None]] = []
    if image.truth.suitability is Suitability.SUITABLE:
        for one in image.truth.hips:
            if one.replaced:
                shares = [overlap(region, one.region) for region in proposals]
                best = int(np.argmax(shares)) if shares else -1
                pairs.append((one, proposals[best] if shares and shares[best] >= MIN_OVERLAP else None))
    else:
        shown = image.truth.hips[0] if image.truth.hips else None
        pairs = [(shown, region) for region in proposals]
    cases = []
    for hip, region in pairs:
        kind = hip_suitability(image, hip)
        row: dict[str, Any] = {
            "record": hip_record(image, hip, seed, index),
            "hip_suitability": str(kind),
            "suitability_targets": dict(zip(SUITABILITY, suitability_targets(image, hip), strict=True)),
            "truth": {
                "loose": _label(hip.label) if hip else None,
                "stem": _label(hip.stem.label) if hip and hip.stem else None,
                "cup": _label(hip.cup.label) if hip and hip.cup else None,
            }
            if kind is Suitability.SUITABLE
            else {},
            "overlap": round(overlap(region, hip.region), 3) if hip and region else None,
        }
        planes = np.zeros((len(PLANES), GRID, GRID), bool)
        points = np.full((len(LANDMARKS), 2), np.nan, np.float32)
        given, px_mm = None, float("nan")
        if region is not None:
            square = region.squared()
            row["region"] = list(square.box)
            given = network_input(pixels, region, SPEC)[0].astype(np.float16)
            px_mm = float(np.mean(image.spacing_mm)) * square.width / INPUT_SIZE
            if hip is not None and kind is Suitability.SUITABLE:
                planes = _truth_planes(image, hip, square)
                corner = np.array([square.x, square.y], np.float32)
                points = (landmark_points(hip) - corner) * np.float32(INPUT_SIZE / square.width)
        cases.append(Case(row, given, planes, np.asarray(points, np.float32), px_mm))
    return cases


def _shard(number: int, *, spec: CohortSpec, folder: Path, locator_path: Path) -> None:
    path = folder / f"cases-{number:05d}.npz"
    locator = OnnxEngine(locator_path, threads=1)
    last = (number + 1) * IMAGES_PER_SHARD
    cases: list[Case] = []
    for index in range(number * IMAGES_PER_SHARD, last):
        cases += cases_of(simulate(spec.seed, index, spec.options), spec.seed, index, locator)
    blank = np.zeros((INPUT_SIZE, INPUT_SIZE), np.float16)
    with path.with_suffix(".jsonl").open("w", encoding="utf-8") as stream:
        for case in cases:
            stream.write(json.dumps(case.row | {"found": case.image is not None, "px_mm": case.px_mm}) + "\n")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.npz")
    np.savez(
        temporary,
        images=np.stack([blank if case.image is None else case.image for case in cases]),
        planes=np.stack([case.planes for case in cases]),
        points=np.stack([case.points for case in cases]),
    )
    temporary.replace(path)


def prepare_cases(spec: CohortSpec, folder: Path, locator_path: Path, workers: int) -> None:
    """Draw a cohort and keep what the network is given; shards that exist are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    shards = (spec.count + IMAGES_PER_SHARD - 1) // IMAGES_PER_SHARD
    numbers = [number for number in range(shards) if not (folder / f"cases-{number:05d}.npz").is_file()]
    if not numbers:
        return
    job = partial(_shard, spec=spec, folder=folder, locator_path=locator_path)
    if workers <= 1:
        for number in tqdm(numbers, unit="shard", desc=spec.name, file=sys.stderr):
            job(number)
        return
    with multiprocessing.get_context("spawn").Pool(workers, initializer=os.nice, initargs=(3,)) as pool:
        for _ in tqdm(
            pool.imap_unordered(job, numbers), total=len(numbers), unit="shard", desc=spec.name, file=sys.stderr
        ):
            pass


def score_cases(folder: Path, network: OnnxEngine, images: int, batch: int = 8) -> list[dict[str, Any]]:
    """The prepared cases of a cohort's first `images` radiographs through the network. FileNotFoundError when none."""
    shards = (images + IMAGES_PER_SHARD - 1) // IMAGES_PER_SHARD
    paths = sorted(folder.glob("cases-*.npz"))[:shards]
    if not paths:
        raise FileNotFoundError(f"No cases are prepared in “{folder}”.")
    rows: list[dict[str, Any]] = []
    for path in paths:
        with path.with_suffix(".jsonl").open(encoding="utf-8") as stream:
            own = [json.loads(line) for line in stream]
        with np.load(path, allow_pickle=False) as data:
            given, planes, points = data["images"], data["planes"], data["points"]
        for first in range(0, len(own), batch):
            part = slice(first, first + batch)
            outputs = network.run(given[part].astype(np.float32)[:, None])
            for offset, row in enumerate(own[part]):
                at = first + offset
                if row["record"]["index"] >= images:
                    continue
                rows.append(row | _measured(row, outputs, offset, planes[at], points[at]))
    return rows


def _measured(
    row: Mapping[str, Any],
    outputs: Mapping[str, npt.NDArray[np.float32]],
    at: int,
    planes: npt.NDArray[np.bool_],
    points: npt.NDArray[np.float32],
) -> dict[str, Any]:
    if not row["found"]:
        return {"logits": None}
    evidence = outputs["evidence"][at]
    saliency = class_activation(evidence[None])[0]
    measured: dict[str, Any] = {
        "logits": [float(value) for value in outputs["logits"][at]],
        "map_peak": float(saliency.max()),
    }
    band = planes[PLANES.index("interface")]
    if band.any():
        mass = float(saliency.sum())
        measured["mass_in_band"] = float(saliency[dilated(band)].sum() / mass) if mass > 0 else None
        # Below a tenth of the scale nothing is ever drawn: the same share over what could be seen.
        seen = np.where(saliency >= 0.1, saliency, 0.0)
        measured["seen_mass_in_band"] = float(seen[dilated(band)].sum() / seen.sum()) if seen.sum() > 0 else None
    lucency = planes[:2]
    for name, mask, values in (
        ("hip", lucency.any(axis=0), saliency),
        *((component, lucency[index], evidence[index]) for index, component in enumerate(COMPONENTS)),
    ):
        if not mask.any():
            continue
        near = dilated(mask)
        peak = np.unravel_index(int(values.argmax()), values.shape)
        measured[f"hit_{name}"] = bool(near[peak])
        measured[f"random_hit_{name}"] = float(near.mean())
        if band.any():
            inside = dilated(band)
            measured[f"random_band_hit_{name}"] = float((near & inside).sum() / inside.sum())
        for level in (0.3, 0.5):
            shown = values >= level
            union = (shown | mask).sum()
            measured[f"iou_{name}_{level}"] = float((shown & mask).sum() / union)
    measured["landmarks"] = outputs["landmarks"][at]
    measured["landmark_truth"] = points
    if "features" in outputs:
        measured["features"] = outputs["features"][at]
    return measured


def landmark_mm(row: Mapping[str, Any], card: ModelCard) -> dict[str, float]:
    """Distance of each landmark, as the classifier would place it, from where it is; none where the hip was missed."""
    if row["logits"] is None:
        return {}
    placed = refined(row["landmarks"], LANDMARKS, card.stem_axis)
    distance = np.linalg.norm(placed[:, :2] - row["landmark_truth"], axis=1) * row["px_mm"]
    return {name: float(value) for name, value in zip(LANDMARKS, distance, strict=True) if np.isfinite(value)}


def dilated(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """By one cell in every direction."""
    padded = np.pad(mask, 1)
    rows, cols = mask.shape
    out = np.zeros_like(mask)
    for down in range(3):
        for right in range(3):
            out |= padded[down : down + rows, right : right + cols]
    return out


def lacking(row: Mapping[str, Any], card: ModelCard) -> str | None:
    """The gate's output that explains why the hip is refused; None where it is accepted, or was not found."""
    if row["logits"] is None:
        return None
    logits = dict(zip(card.outputs, row["logits"], strict=True))
    return missing(card, {name: _sigmoid(logits[name]) for name in card.suitability})


def assessed_parts(row: Mapping[str, Any], card: ModelCard) -> dict[str, float]:
    """Part -> calibrated probability, for the parts that the network calls complete."""
    logits = dict(zip(card.outputs, row["logits"], strict=True))
    return {
        name: _sigmoid(logits[name] / card.temperature.get(name, 1.0) + card.bias.get(name, 0.0))
        for name, rule in card.parts.items()
        if _sigmoid(logits[rule.complete]) >= rule.threshold
    }


def outcome(row: Mapping[str, Any], card: ModelCard) -> tuple[str, float | None]:
    """(decision, calibrated probability) by the card's rules, as the classifier would decide."""
    if row["logits"] is None or lacking(row, card):
        return "not_assessable", None
    if card.parts:
        assessed = assessed_parts(row, card)
        if not assessed:
            return "not_assessable", None
        probability = max(assessed.values())
    else:
        logit = row["logits"][card.outputs.index("loose")]
        probability = _sigmoid(logit / card.temperature.get("loose", 1.0) + card.bias.get("loose", 0.0))
    band = card.indeterminate
    if band is not None and band.low < band.high and band.low <= probability <= band.high:
        return "indeterminate", probability
    return ("loose" if probability >= card.operating_point.threshold else "not_loose"), probability


def _sigmoid(value: float) -> float:
    return float(1.0 / (1.0 + np.exp(-np.clip(value, -60.0, 60.0))))


def by_kind(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(str(row["hip_suitability"]), []).append(row)
    return groups
