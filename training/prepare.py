"""`python -m training prepare`: simulate radiographs and keep their hips as training sees them (training/dataset.py)."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from imaging.geometry import HipRegion
from imaging.radiograph import Side
from inference.lucency_net import LANDMARKS, SUITABILITY
from inference.preprocess import crop_region
from training.dataset import CACHE_SIZE, MASK_SIZE, Hip, Whole, any_pool, as_bytes, expanded, whole_view, write_shard
from training.simulation.evaluation_sets import refuse_reserved, training_seed
from training.simulation.options import SimulationOptions
from training.simulation.renderers import PROJECTED_SHARE, Renderer, draw
from training.simulation.truth import ComponentTruth, Fixation, HipTruth, Label, SimulatedRadiograph, Suitability

IMAGES_PER_SHARD = 40

# What each kind of image says about the gate's outputs, in the order of lucency_net.SUITABILITY; None: not asked.
_KINDS: Mapping[Suitability, tuple[float | None, ...]] = {
    Suitability.SUITABLE: (1, 1, 1, 1, 1, 1, None),
    Suitability.NATIVE: (0, 1, None, None, None, None, None),
    Suitability.LATERAL: (1, 0, None, None, None, None, None),
    Suitability.CROPPED: (1, None, 1, None, None, None, None),
    Suitability.OTHER_BONE: (0, 0, None, None, None, None, None),
    Suitability.PHOTOGRAPH: (0, 0, None, None, None, None, None),
    Suitability.NOISE: (0, 0, None, None, None, None, None),
    Suitability.BLANK: (0, 0, None, None, None, None, None),
    Suitability.TEXT_PAGE: (0, 0, None, None, None, None, None),
}
_UNCOVERED: Mapping[str, tuple[float | None, ...]] = {
    "resurfacing": (1, 1, 0, 1, None, 1, None),
    "hemiarthroplasty": (1, 1, 1, 0, 1, None, None),
    "spacer": (None, 1, None, 0, None, None, None),
    "revision_stem": (1, 1, 1, 1, None, 1, 0),
    "megaprosthesis": (1, 1, 1, 1, None, 1, None),
    "reconstruction_ring": (1, 1, 1, 1, 1, None, None),
}
_OSTEOSYNTHESIS: tuple[float | None, ...] = (0, 1, None, None, None, None, None)
# Of a cropped image: what is cut, by how it was framed.
_CROPPED: Mapping[str, tuple[float | None, float | None]] = {
    "no cup": (None, 0),
    "half a cup": (1, None),
    "no distal stem": (0, 1),
    "tip only": (0, 0),
    "one side of the stem": (0, None),
    "head only": (0, None),
}


def suitability_targets(image: SimulatedRadiograph, hip: HipTruth | None) -> tuple[float | None, ...]:
    """What the gate should say of one hip, in the order of lucency_net.SUITABILITY; None: not asked."""
    kind = hip_suitability(image, hip)
    how = image.truth.notes[0] if image.truth.notes else ""
    uncovered = kind is Suitability.UNCOVERED_DESIGN
    targets = list(_UNCOVERED.get(how, _OSTEOSYNTHESIS) if uncovered else _KINDS[kind])
    if kind is Suitability.CROPPED and how in _CROPPED:
        targets[_AT["stem_complete"]], targets[_AT["cup_complete"]] = _CROPPED[how]
    if hip is not None and hip.stem is not None and targets[_AT["cemented"]] is None and targets[_AT["has_stem"]]:
        targets[_AT["cemented"]] = float(hip.stem.fixation is Fixation.CEMENTED)
    return tuple(targets)


_AT = {name: index for index, name in enumerate(SUITABILITY)}

# Where training meets what must be refused: about a third of the images. The physics grid is a little coarser than the
# default (the input has about 0.6 mm per pixel): simulating is what takes time.
TRAINING_OPTIONS = SimulationOptions(unsuitable_share=0.3, pelvis_share=0.2, work_spacing_mm=0.42)


def dense_pixels(image: SimulatedRadiograph) -> npt.NDArray[np.float32]:
    """float32 (rows, cols), larger = denser, as `imaging.reader` would hand it over."""
    pixels = image.pixels.astype(np.float32)
    return (2.0**image.bits - 1.0) - pixels if image.truth.nuisance.get("inverted", 0) else pixels


def cup_side(hip: HipTruth, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """bool (rows, cols): pixels that belong to the cup's surroundings rather than the stem's.

    The half disc around the cup's middle that lies on the closed side of the plane through its rim.
    """
    points = hip.landmarks_px
    if "cup_rim_lateral" not in points or "cup_rim_medial" not in points or "stem_tip" not in points:
        return np.zeros(shape, bool)
    lateral, medial, tip = (
        np.asarray(points[name], float) for name in ("cup_rim_lateral", "cup_rim_medial", "stem_tip")
    )
    middle = (lateral + medial) / 2
    along = medial - lateral
    radius = float(np.hypot(*along)) / 2
    if radius < 1:
        return np.zeros(shape, bool)
    opening = np.array([-along[1], along[0]]) / (2 * radius)
    if opening @ (tip - middle) < 0:
        opening = -opening
    rows, cols = np.ogrid[: shape[0], : shape[1]]
    dx, dy = cols + 0.5 - middle[0], rows + 0.5 - middle[1]
    near = dx**2 + dy**2 <= (1.8 * radius) ** 2
    return near & (dx * opening[0] + dy * opening[1] <= 0.4 * radius)


def _label(label: Label | None) -> float:
    return {Label.LOOSE: 1.0, Label.FIXED: 0.0}.get(label, np.nan) if label is not None else np.nan


def landmark_points(hip: HipTruth) -> npt.NDArray[np.float32]:
    """(K, 2) image pixels in the order of LANDMARKS; nan where the truth has none."""
    points = np.full((len(LANDMARKS), 2), np.nan, np.float32)
    known = dict(hip.landmarks_px)
    if "head_center" in known and "head_radius_px" in known:
        center = np.asarray(known["head_center"], float)
        radius = np.asarray(known["head_radius_px"], float)
        known["head_top"] = (float(center[0]), float(center[1] - radius))
    for index, name in enumerate(LANDMARKS):
        if name in known:
            points[index] = np.asarray(known[name], float)
    return points


def _component_record(part: ComponentTruth | None) -> dict[str, object] | None:
    if part is None:
        return None
    return {
        "label": str(part.label),
        "fixation": str(part.fixation),
        "family": part.family,
        "coverage": part.coverage,
        "widest_mm": part.widest_mm,
        "signs": list(part.signs),
        "cnr": part.line_contrast_to_noise,
        "visible_share": part.line_visible_share,
        "zones": {zone: width for zone, width in part.zone_widths_mm.items() if width > 0},
    }


def hip_record(image: SimulatedRadiograph, hip: HipTruth | None, seed: int, index: int) -> dict[str, object]:
    """What may explain a result later: JSON-ready."""
    rows, cols = image.pixels.shape
    record: dict[str, object] = {
        "seed": seed,
        "index": index,
        "kind": image.truth.kind,
        "suitability": str(image.truth.suitability),
        "rows": rows,
        "cols": cols,
        "bits": image.bits,
        "spacing_mm": list(image.spacing_mm),
        "nuisance": {name: float(value) for name, value in image.truth.nuisance.items()},
    }
    if hip is not None:
        record |= {
            "side": str(hip.side),
            "box": list(hip.region.box),
            "replaced": hip.replaced,
            "label": None if hip.label is None else str(hip.label),
            "stem": _component_record(hip.stem),
            "cup": _component_record(hip.cup),
            "hard": hip.hard,
        }
    return record


def hip_suitability(image: SimulatedRadiograph, hip: HipTruth | None) -> Suitability:
    """Of one hip: the other hip of a pelvis may be native while the image is suitable."""
    if image.truth.suitability is Suitability.SUITABLE and hip is not None and not hip.replaced:
        return Suitability.NATIVE
    return image.truth.suitability


def cached_hip(image: SimulatedRadiograph, hip: HipTruth | None, record: dict[str, object]) -> Hip:
    """Cut one hip out of its radiograph; without a hip the whole image is the region."""
    pixels = dense_pixels(image)
    rows, cols = pixels.shape
    region = hip.region if hip is not None else HipRegion(0, 0, cols, rows, Side.UNKNOWN)
    square = expanded(region)
    masks = np.zeros((MASK_SIZE, MASK_SIZE), np.uint8)
    points = np.full((len(LANDMARKS), 2), np.nan, np.float32)
    labels = np.full(3, np.nan, np.float32)
    kind = hip_suitability(image, hip)
    if hip is not None:
        cup = cup_side(hip, (rows, cols))
        box = (square.x, square.y, square.width)
        planes = (
            hip.lucency_mask & ~cup,
            hip.lucency_mask & cup,
            hip.implant_mask,
            hip.interface_mask & ~cup,
            hip.interface_mask & cup,
        )
        for bit, plane in enumerate(planes):  # in the order of MASKS
            masks |= any_pool(plane, box, MASK_SIZE).astype(np.uint8) << bit
        points = (landmark_points(hip) - np.array([square.x, square.y], np.float32)) * (CACHE_SIZE / square.width)
        if kind is Suitability.SUITABLE:
            labels = np.array(
                [
                    _label(hip.label),
                    _label(hip.stem.label if hip.stem else None),
                    _label(hip.cup.label if hip.cup else None),
                ],
                np.float32,
            )
    targets = [np.nan if value is None else value for value in suitability_targets(image, hip)]
    return Hip(
        as_bytes(crop_region(pixels, square, CACHE_SIZE)),
        masks,
        labels,
        np.array(targets, np.float32),
        points.astype(np.float32),
        record | {"hip_suitability": str(kind), "how": image.truth.notes[0] if image.truth.notes else ""},
    )


def whole_image(image: SimulatedRadiograph) -> Whole:
    view, square, scale = whole_view(dense_pixels(image))
    boxes = []
    for hip in image.truth.hips:
        x, y = hip.region.center
        boxes.append(
            [(x - square.x) * scale, (y - square.y) * scale, hip.region.squared().width * scale, float(hip.replaced)]
        )
    return Whole(view, np.asarray(boxes, np.float32).reshape(-1, 4))


def prepare_shard(
    number: int,
    *,
    folder: Path,
    seed: int,
    options: SimulationOptions,
    images: int,
    renderer: Renderer = Renderer.LAYERED,
    projected_share: float = PROJECTED_SHARE,
) -> int:
    """Simulate and write shard `number`; 0 when it exists already, else the hips written."""
    path = folder / f"shard-{seed}-{number:05d}.npz"
    if path.is_file():
        return 0
    hips: list[Hip] = []
    wholes: list[Whole] = []
    for index in range(number * images, (number + 1) * images):
        image = draw(seed, index, options, renderer, projected_share)
        wholes.append(whole_image(image))
        for hip in image.truth.hips or (None,):
            hips.append(cached_hip(image, hip, hip_record(image, hip, seed, index)))
    write_shard(path, hips, wholes)
    return len(hips)


def prepare(
    folder: Path,
    *,
    count: int,
    seed: int,
    options: SimulationOptions,
    workers: int,
    images: int = IMAGES_PER_SHARD,
    renderer: Renderer = Renderer.LAYERED,
    projected_share: float = PROJECTED_SHARE,
) -> int:
    """Write the shards of `count` radiographs; those that exist are kept. Returns how many hips were added.

    ValueError for the seed of a frozen evaluation set.
    """
    refuse_reserved(seed)
    folder.mkdir(parents=True, exist_ok=True)
    job = partial(
        prepare_shard, folder=folder, seed=seed, options=options, images=images, renderer=renderer,
        projected_share=projected_share,
    )  # fmt: skip
    numbers = range((count + images - 1) // images)
    added = 0
    if workers <= 1:
        for number in tqdm(numbers, unit="shard", file=sys.stderr):
            added += job(number)
        return added
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # of the workers: each has a core of its own
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, initializer=_single_threaded) as pool:
        for hips in tqdm(pool.imap_unordered(job, numbers), total=len(numbers), unit="shard", file=sys.stderr):
            added += hips
    return added


def _single_threaded() -> None:
    import torch

    torch.set_num_threads(1)
    os.nice(1)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("prepare", help="simulate radiographs and keep their hips for training")
    parser.add_argument("--n", type=int, required=True, help="how many radiographs")
    parser.add_argument("--seed", type=training_seed, default=1)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--unsuitable", type=float, default=TRAINING_OPTIONS.unsuitable_share, help="share to refuse")
    parser.add_argument("--renderer", type=Renderer, choices=list(Renderer), default=Renderer.LAYERED)
    parser.add_argument("--projected", type=float, default=PROJECTED_SHARE, help="share by projection, with both")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    options = replace(TRAINING_OPTIONS, unsuitable_share=arguments.unsuitable)
    added = prepare(
        arguments.out, count=arguments.n, seed=arguments.seed, options=options, workers=arguments.workers,
        renderer=arguments.renderer, projected_share=arguments.projected,
    )  # fmt: skip
    print(f"{added} hips added to {arguments.out} ({asdict(options)})", file=sys.stderr)  # noqa: T201 the command's answer
    return 0
