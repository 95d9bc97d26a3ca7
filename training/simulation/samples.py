"""`python -m training samples`: the eight simulated hips that the program opens with, as DICOM DX with their truth."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from training.simulation.dicom import write_dicom
from training.simulation.manifest import truth_record
from training.simulation.options import SimulationOptions
from training.simulation.radiograph import simulate
from training.simulation.truth import ComponentTruth, HipTruth, Label, SimulatedRadiograph

SAMPLES_FOLDER = Path(__file__).resolve().parents[2] / "resources" / "samples"
LIMIT_BYTES = 15_000_000
_CRISP = SimulationOptions(
    size_px=(1400, 1400), overlays=False, clean=True, pelvis_share=0.0, borderline_share=0.0, work_spacing_mm=0.2
)


@dataclass(frozen=True)
class Sample:
    """One sample: where it is found. `wanted` picks the first image of the sequence that shows it well."""

    name: str
    title: str
    line: str  # one line for the welcome page
    seed: int
    options: SimulationOptions
    wanted: Callable[[SimulatedRadiograph], bool]
    index: int | None = None  # what `wanted` found; kept here, so that making the samples is quick


def _hip(image: SimulatedRadiograph) -> HipTruth:
    return image.truth.hips[0]


def _stem(image: SimulatedRadiograph) -> ComponentTruth:
    stem = _hip(image).stem
    assert stem is not None
    return stem


def _plainly_loose(image: SimulatedRadiograph) -> bool:
    stem = _stem(image)
    return (
        stem.label is Label.LOOSE
        and 2.6 <= stem.widest_mm <= 4.6
        and stem.coverage > 0.6
        and (stem.line_visible_share or 0) > 0.85
        and not {"stem_cement_line", "tilt"} & set(stem.signs)
        and _well_framed(image)
    )


def _well_framed(image: SimulatedRadiograph) -> bool:
    rows, cols = image.pixels.shape
    x, y, width, height = _hip(image).region.box
    inside = x > -0.02 * cols and y > -0.02 * rows and x + width < 1.05 * cols and y + height < 1.02 * rows
    return inside and 0.58 < cols / rows < 1.0 and image.truth.nuisance.get("patient_fat_mm", 0) < 45


def _quietly_fixed(image: SimulatedRadiograph) -> bool:
    hip = _hip(image)
    return hip.label is Label.FIXED and not hip.hard and _well_framed(image)


def _look_alike(image: SimulatedRadiograph) -> bool:
    hip, stem = _hip(image), _stem(image)
    return hip.label is Label.FIXED and stem.widest_mm > 0.7 and stem.coverage > 0.2 and (stem.line_visible_share or 0) > 0.5 and _well_framed(image)  # fmt: skip


def _wide_native(image: SimulatedRadiograph) -> bool:
    rows, cols = image.pixels.shape
    return _well_framed(image) and cols / rows > 0.75


def _whole_lateral(image: SimulatedRadiograph) -> bool:
    rows, cols = image.pixels.shape
    x, y = image.truth.hips[0].landmarks_px["stem_tip"]  # type: ignore[misc]
    return 0.6 < cols / rows < 1.4 and 0.08 * cols < x < 0.92 * cols and 0.08 * rows < y < 0.95 * rows


def _both_replaced(image: SimulatedRadiograph) -> bool:
    labels = {hip.label for hip in image.truth.hips}
    return len(image.truth.hips) == 2 and labels == {Label.LOOSE, Label.FIXED}


SAMPLES: tuple[Sample, ...] = (
    Sample(
        "loose-cemented", "Loose cemented stem", "A lucent line runs along the bone-cement interface of the stem.",
        501, replace(_CRISP, prevalence=1.0, hard_share=0.0, families=("composite_beam", "polished_taper")), _plainly_loose, 23,
    ),
    Sample(
        "loose-cementless", "Loose cementless stem", "A wide lucent line with a sclerotic rim surrounds the stem.",
        502, replace(_CRISP, prevalence=1.0, hard_share=0.0, families=("straight_taper", "collared", "anatomic")), _plainly_loose, 24,
    ),
    Sample(
        "fixed-cementless", "Well-fixed cementless hip", "Bone reaches the stem and the cup everywhere.",
        503, replace(_CRISP, prevalence=0.0, hard_share=0.0, families=("straight_taper", "collared")), _quietly_fixed, 0,
    ),
    Sample(
        "fixed-cemented", "Well-fixed cemented hip", "An even cement mantle without a line.",
        504, replace(_CRISP, prevalence=0.0, hard_share=0.0, families=("polished_taper",)), _quietly_fixed, 0,
    ),
    Sample(
        "incomplete-line", "Incomplete line, well fixed", "A line below one millimetre over part of the stem: a look-alike.",
        505, replace(_CRISP, prevalence=0.0, hard_share=1.0), _look_alike, 5,
    ),
    Sample(
        "both-hips", "Pelvis, both hips replaced", "One hip is loose, the other well fixed.",
        506, replace(_CRISP, pelvis_share=1.0, bilateral_share=1.0, hard_share=0.0, size_px=(1600, 1600), work_spacing_mm=0.28), _both_replaced, 0,
    ),
    Sample(
        "native-hip", "Native hip", "No replacement: the program should say so.",
        507, replace(_CRISP, suitability="native"), _wide_native, 3,
    ),
    Sample(
        "lateral-view", "Lateral view", "A replaced hip from the side: not assessable.",
        508, replace(_CRISP, suitability="lateral"), _whole_lateral, 6,
    ),
)  # fmt: skip


def burn_simulated(image: SimulatedRadiograph) -> SimulatedRadiograph:
    """SIMULATED and the side letter in the image itself, so that a copy without its header cannot mislead."""
    rows, cols = image.pixels.shape
    layer = Image.new("L", (cols, rows), 0)
    pen = ImageDraw.Draw(layer)
    size = min(rows, cols)
    pen.text((0.03 * size, rows - 0.06 * size), "SIMULATED", fill=220, font=ImageFont.load_default(0.03 * size))
    side = _hip(image).side.value
    where = (
        (cols - 0.09 * size, 0.03 * size) if side == "L" or len(image.truth.hips) > 1 else (0.03 * size, 0.03 * size)
    )
    letter = "L" if len(image.truth.hips) > 1 else side
    pen.text(where, letter, fill=230, font=ImageFont.load_default(0.055 * size))
    full = (1 << image.bits) - 1
    ink = np.asarray(layer, np.float32) / np.float32(255)
    pixels = image.pixels * (1 - ink) + ink * full
    return replace(image, pixels=pixels.astype(np.uint16))


def find(sample: Sample, limit: int = 400) -> int:
    """The first index whose image is wanted."""
    quick = replace(sample.options, work_spacing_mm=0.4, size_px=(700, 700))
    for index in range(limit):
        if sample.wanted(simulate(sample.seed, index, quick)) and sample.wanted(
            simulate(sample.seed, index, sample.options)
        ):
            return index
    raise RuntimeError(f"No image of the sequence shows {sample.name}.")


def make(folder: Path, search: bool = False) -> int:
    """Write NAME.dcm, NAME.truth.json and index.json; returns the bytes written."""
    folder.mkdir(parents=True, exist_ok=True)
    index_rows = []
    for order, sample in enumerate(SAMPLES, start=1):
        index = find(sample) if search or sample.index is None else sample.index
        image = burn_simulated(simulate(sample.seed, index, sample.options))
        path = folder / f"{sample.name}.dcm"
        write_dicom(
            image,
            path,
            patient_id=f"SIM-{order:02d}",
            patient_name="Simulated^Sample",
            description=f"SIMULATED: {sample.title}",
        )
        record = truth_record(image) | {"id": sample.name, "seed": sample.seed, "index": index}
        (folder / f"{sample.name}.truth.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        index_rows.append(
            {"id": sample.name, "file": path.name, "title": sample.title, "description": sample.line, "simulated": True}
        )
        print(f"{sample.name}: index {index}, {path.stat().st_size / 1e6:.2f} MB", file=sys.stderr)  # noqa: T201
    (folder / "index.json").write_text(json.dumps({"samples": index_rows}, indent=1) + "\n", encoding="utf-8")
    return sum(path.stat().st_size for path in folder.iterdir())


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("samples", help="make resources/samples anew")
    parser.add_argument("--out", type=Path, default=SAMPLES_FOLDER)
    parser.add_argument("--search", action="store_true", help="look for images that show each sample well, again")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    written = make(arguments.out, arguments.search)
    print(f"{written / 1e6:.1f} MB in {arguments.out}", file=sys.stderr)  # noqa: T201
    return 0 if written < LIMIT_BYTES else 1
