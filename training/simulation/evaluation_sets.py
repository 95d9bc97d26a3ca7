"""The evaluation sets, frozen before training: what every published figure is measured on.

A set is a seed, a count and options; its images are drawn anew where they are needed. `frozen/version-N.json` pins what
those draws give: a fingerprint over labels, lines, implants, patients, exposure and processing, and a few statistics
of rendered pixels that every platform reproduces within a tolerance. A change of any parameter range or of the physics
is noticed by them: such a change is a new version with its own results, beside the old ones. `python -m training freeze`
writes the record of a new version, and never over an old one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import sys
from dataclasses import asdict, dataclass, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from imaging.radiograph import Side
from training.simulation import (
    anatomy,
    coverage,
    designs,
    exposing,
    framing,
    overlays,
    processing,
    radiograph,
    refused,
    stem_families,
    streams,
    visibility,
)
from training.simulation.options import SimulationOptions
from training.simulation.refused.uncovered import SHARES
from training.simulation.truth import Label

VERSION = 3
FROZEN_FOLDER = Path(__file__).resolve().parent / "frozen"


@dataclass(frozen=True)
class EvaluationSet:
    name: str
    seed: int
    count: int  # radiographs
    options: SimulationOptions
    purpose: str
    version: int = VERSION


EVALUATION_SETS: dict[str, EvaluationSet] = {
    each.name: each
    for each in (
        EvaluationSet("calibration", 9201, 1500, SimulationOptions(unsuitable_share=0.2), "temperature and thresholds"),
        EvaluationSet("fresh", 9202, 2000, SimulationOptions(), "headline figures: new seeds, the trained ranges"),
        EvaluationSet("shifted", 9203, 1000, SimulationOptions(shifted=True), "other stems, spectra, tone, positions"),
        EvaluationSet(
            "coarse", 9204, 500, SimulationOptions(size_px=(160, 340), pelvis_share=0.0), "above 0.7 mm per pixel"
        ),
        EvaluationSet("gate", 9205, 1500, SimulationOptions(unsuitable_share=0.75), "what must be refused"),
    )
}
_EARLIER_SEEDS = frozenset((*range(9001, 9006), *range(9101, 9106)))  # versions 1 and 2
RESERVED_SEEDS = _EARLIER_SEEDS | {each.seed for each in EVALUATION_SETS.values()}  # never train on these


def refuse_reserved(seed: int) -> None:
    """ValueError, in words, for the seed of an evaluation set of any version."""
    if seed in RESERVED_SEEDS:
        raise ValueError(
            f"Seed {seed} belongs to a frozen evaluation set: nothing may be trained on its images. Choose another seed."
        )


def training_seed(text: str) -> int:
    """For argparse: a seed that no evaluation set uses."""
    seed = int(text)
    try:
        refuse_reserved(seed)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return seed


def _plain(value: Any) -> Any:
    """JSON-ready, floats rounded so that the last bits of a platform's arithmetic do not matter."""
    if is_dataclass(value) and not isinstance(value, type):
        return {key: _plain(getattr(value, key)) for key in sorted(value.__dataclass_fields__)}
    if isinstance(value, np.ndarray):
        return [_plain(v) for v in value.ravel()[::16].tolist()]
    if isinstance(value, dict):
        return {str(key): _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return f"{value:.3g}"
    return value if isinstance(value, int | str | bool) or value is None else str(value)


def draws(seed: int, index: int, options: SimulationOptions) -> dict[str, Any]:
    """What is drawn for one suitable image before anything is rendered."""
    stream = streams.streams(seed, index)
    patient = anatomy.draw_patient(stream("patient"), options.shifted)
    design = designs.draw_design(stream, options, patient, Side.LEFT, True, "main")
    plans = designs.draw_plans(stream, options, design, "main", 0)
    return {
        "patient": patient,
        "stem": design.stem,
        "cup": design.cup,
        "plans": plans,
        "exposure": exposing.draw_exposure(stream("exposure"), options),
        "look": processing.draw_look(stream("look"), options.clean, options.shifted),
        "overlays": overlays.draw_overlays(stream("overlays")),
        "longer_px": framing.draw_size(stream("size"), options),
    }


def fingerprint(each: EvaluationSet, images: int = 40) -> str:
    """SHA-256 over the set's definition, implant families, what is refused, the visibility rule, the first draws."""
    content = {
        "seed": each.seed,
        "count": each.count,
        "options": asdict(each.options),
        "families": stem_families.FAMILIES,
        "refused": [refused.KINDS, SHARES, coverage.MISSING_STEM, coverage.MISSING_DOME],
        "rule": [
            visibility.VISIBLE_CNR,
            visibility.VISIBLE_CONTRAST,
            visibility.MIN_VISIBLE_SHARE,
            radiograph.COARSE_MM,
        ],
        "draws": [draws(each.seed, index, each.options) for index in range(images)],
    }
    return hashlib.sha256(json.dumps(_plain(content), sort_keys=True).encode()).hexdigest()


PIXEL_TOLERANCE = 0.012  # of the display range: float arithmetic and image libraries differ less, other physics more


def pixel_statistics(each: EvaluationSet, images: int = 3) -> list[list[float]]:
    """Per image: the means of a 4 x 4 grid of blocks and the standard deviation, 0-1, of the first images drawn small."""
    found = []
    for index in range(images):
        options = replace(each.options, size_px=(320, 320), work_spacing_mm=0.5)
        image = radiograph.simulate(each.seed, index, options)
        grey = image.pixels.astype(np.float64) / ((1 << image.bits) - 1)
        blocks = [block.mean() for rows in np.array_split(grey, 4) for block in np.array_split(rows, 4, axis=1)]
        found.append([round(float(value), 4) for value in (*blocks, grey.std())])
    return found


def difficulty(each: EvaluationSet, images: int, workers: int = 1) -> dict[str, float | int | list[float]]:
    """Of the set's first images: shares of hard cases, redrawn and relabelled ones, contrast-to-noise of loose lines."""
    job = partial(_difficulty_of, each)
    if workers == 1:
        truths = [job(index) for index in range(images)]
    else:
        with multiprocessing.get_context("spawn").Pool(workers) as pool:
            truths = pool.map(job, range(images), chunksize=8)
    hips = [hip for truth in truths for hip in truth[0]]
    loose, fixed = ([hard for label, hard, _ in hips if label is wanted] for wanted in (Label.LOOSE, Label.FIXED))
    record: dict[str, float | int | list[float]] = {
        "images": images,
        "replaced_hips": len(hips),
        "loose_hips": len(loose),
        "hard_among_loose": round(float(np.mean(loose)), 3) if loose else 0.0,
        "hard_among_fixed": round(float(np.mean(fixed)), 3) if fixed else 0.0,
        "redrawn": round(float(np.mean([any("redrawn" in note for note in notes) for _, notes in truths])), 3),
        "relabelled": round(float(np.mean([any("relabelled" in note for note in notes) for _, notes in truths])), 3),
    }
    for part in ("stem", "cup"):
        contrast = [ratios[part] for _, _, ratios in hips if part in ratios]
        record[f"{part}_line_contrast_to_noise_10_50_90"] = [
            round(float(value), 2) for value in (np.percentile(contrast, (10, 50, 90)) if contrast else ())
        ]
    return record


def _difficulty_of(
    each: EvaluationSet, index: int
) -> tuple[list[tuple[Label, bool, dict[str, float]]], tuple[str, ...]]:
    truth = radiograph.simulate(each.seed, index, each.options).truth
    hips = []
    for hip in truth.hips:
        if hip.label is not None:
            parts = {"stem": hip.stem, "cup": hip.cup}
            ratios = {
                name: part.line_contrast_to_noise or 0.0
                for name, part in parts.items()
                if part is not None and part.label is Label.LOOSE
            }
            hips.append((hip.label, hip.hard, ratios))
    return hips, truth.notes


def frozen_record(version: int = VERSION) -> dict[str, Any]:
    """What was written down when this version was frozen. FileNotFoundError for a version that never was."""
    record: dict[str, Any] = json.loads((FROZEN_FOLDER / f"version-{version}.json").read_text(encoding="utf-8"))
    return record


# --- python -m training freeze -------------------------------------------------------------------------


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("freeze", help="write the record of a new version of the evaluation sets")
    parser.add_argument("--images", type=int, default=400, help="how many of each set difficulty is measured on")
    parser.add_argument("--workers", type=int, default=2)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    path = FROZEN_FOLDER / f"version-{VERSION}.json"
    if path.exists():
        print(f"Version {VERSION} is frozen already ({path.name}): raise VERSION for a new one.", file=sys.stderr)  # noqa: T201
        return 1
    sets = EVALUATION_SETS.values()
    record = {
        "version": VERSION,
        "sets": {each.name: {"seed": each.seed, "count": each.count} for each in sets},
        "fingerprints": {each.name: fingerprint(each) for each in sets},
        "pixel_statistics": {each.name: pixel_statistics(each) for each in sets},
        "difficulty": {
            each.name: difficulty(each, min(arguments.images, each.count), arguments.workers)
            for each in sets
            if each.name != "gate"
        },
    }
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"Version {VERSION} of the evaluation sets is recorded in {path}.", file=sys.stderr)  # noqa: T201
    return 0
