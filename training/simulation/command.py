"""`python -m training simulate`: a folder of simulated radiographs and its manifest."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from training.simulation.dicom import write_dicom
from training.simulation.evaluation_sets import training_seed
from training.simulation.manifest import rows_of, write_manifest
from training.simulation.options import DEFAULT, SimulationOptions
from training.simulation.radiograph import simulate
from training.simulation.truth import SimulatedRadiograph, Suitability


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("simulate", help="draw radiographs with known truth, and their manifest")
    parser.add_argument("--n", type=_positive, required=True, help="how many radiographs")
    parser.add_argument("--seed", type=training_seed, default=1)
    parser.add_argument("--start", type=int, default=0, help="index of the first")
    parser.add_argument("--out", type=Path, required=True, help="folder; made if need be")
    parser.add_argument("--as", dest="form", choices=("png", "dicom"), default="png")
    parser.add_argument("--prevalence", type=_share, default=0.5, help="of loosening among replaced hips")
    parser.add_argument("--pelvis", action="store_true", help="whole AP pelves only")
    parser.add_argument("--single", action="store_true", help="single-hip crops only")
    parser.add_argument("--shifted", action="store_true", help="other stems, spectra, tone curves and line positions")
    parser.add_argument("--unsuitable", type=_share, default=0.0, help="share of images that must be refused")
    parser.add_argument("--only", choices=[str(kind) for kind in Suitability], help="one kind of image")
    parser.add_argument("--size", type=_positive, help="longer side in pixels; varied without")
    parser.add_argument("--clean", action="store_true", help="mild processing: for teaching and figures")
    parser.add_argument("--workers", type=_positive, default=2)
    parser.set_defaults(run=run)


def _share(text: str) -> float:
    value = float(text)
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError("a share lies between 0 and 1")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("a whole number above 0")
    return value


def options_from(arguments: argparse.Namespace) -> SimulationOptions:
    pelvis_share = 1.0 if arguments.pelvis else 0.0 if arguments.single else DEFAULT.pelvis_share
    return SimulationOptions(
        prevalence=arguments.prevalence,
        unsuitable_share=arguments.unsuitable,
        suitability=arguments.only,
        shifted=arguments.shifted,
        clean=arguments.clean,
        size_px=(arguments.size, arguments.size) if arguments.size else None,
        pelvis_share=pelvis_share,
    )


def write_png(image: SimulatedRadiograph, path: Path) -> None:
    """8 bit as they are, deeper ones as 16 bit with the grey depth stretched to it."""
    if image.bits <= 8:
        Image.fromarray(image.pixels.astype(np.uint8)).save(path)
    else:
        Image.fromarray(image.pixels << np.uint16(16 - image.bits)).save(path)


def make_one(index: int, *, seed: int, options: SimulationOptions, folder: Path, form: str) -> list[dict[str, Any]]:
    image = simulate(seed, index, options)
    name = f"sim-{seed}-{index:06d}.{'dcm' if form == 'dicom' else 'png'}"
    if form == "dicom":
        write_dicom(image, folder / name, patient_id=f"sim-{seed}-{index}")
    else:
        write_png(image, folder / name)
    return list(rows_of(image, name, seed, index))


def run(arguments: argparse.Namespace) -> int:
    folder: Path = arguments.out
    folder.mkdir(parents=True, exist_ok=True)
    job = partial(make_one, seed=arguments.seed, options=options_from(arguments), folder=folder, form=arguments.form)
    indices = range(arguments.start, arguments.start + arguments.n)
    rows: list[dict[str, Any]] = []
    if arguments.workers == 1:
        for index in tqdm(indices, unit="image", file=sys.stderr):
            rows += job(index)
    else:
        with multiprocessing.get_context("spawn").Pool(arguments.workers) as pool:
            for found in tqdm(pool.imap(job, indices, chunksize=4), total=len(indices), unit="image", file=sys.stderr):
                rows += found
    count = write_manifest(rows, folder / "manifest.csv")
    print(f"{arguments.n} radiographs, {count} rows in {folder / 'manifest.csv'}", file=sys.stderr)  # noqa: T201
    return 0
