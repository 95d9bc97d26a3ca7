"""`python -m training likeness`: does a renderer's picture have the statistics of film? One table, both renderers beside it.

Everything is measured on 8-bit grey at 331 x 331 px, squashed to a square as public single-hip crops are, so that
sizes and shapes do not enter. Each figure is taken per picture; the table gives the median and the 10th and 90th percentile.
"""

from __future__ import annotations

import argparse
import multiprocessing
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from training.simulation.canvas import Field
from training.simulation.options import SimulationOptions
from training.simulation.renderers import Renderer, draw

SIDE_PX = 331
SEED = 4331
# As public crops are: one hip, a few hundred pixels, no words and rulers, which real statistics leave out as well.
OPTIONS = SimulationOptions(pelvis_share=0.0, size_px=(331, 600), overlays=False, work_spacing_mm=0.45)

FIGURES = {
    "black": "share of black, %",
    "q05": "grey at 5 %",
    "q25": "grey at 25 %",
    "q50": "grey at 50 %",
    "q75": "grey at 75 %",
    "q95": "grey at 95 %",
    "white": "share of white, %",
    "metal": "metal less its surroundings",
    "edge": "edge spread, px",
    "slope": "slope of the spectrum",
    "texture": "texture in even areas, x 1000",
    "detail": "structure of 2-6 px, x 1000",
}


def statistics(grey: Field) -> dict[str, float]:
    """Of a picture of SIDE_PX x SIDE_PX, 0-1."""
    quantiles = np.percentile(grey, (5, 25, 50, 75, 95))
    found = {f"q{share:02d}": float(value) for share, value in zip((5, 25, 50, 75, 95), quantiles, strict=True)}
    found["black"], found["white"] = 100 * float(np.mean(grey <= 0.02)), 100 * float(np.mean(grey >= 0.98))
    slope = ndimage.gaussian_gradient_magnitude(grey, 0.7)
    steep = slope >= np.percentile(slope, 99.3)
    reach = ndimage.maximum_filter(grey, 11) - ndimage.minimum_filter(grey, 11)
    found["edge"] = float(np.median(0.8 * reach[steep] / np.maximum(slope[steep], 1e-4)))
    window = np.hanning(SIDE_PX)[:, None] * np.hanning(SIDE_PX)[None, :]
    power = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(SIDE_PX)[:, None], np.fft.fftfreq(SIDE_PX)[None, :])
    edges = np.geomspace(1 / 64, 0.4, 14)
    place = np.digitize(frequency.ravel(), edges)
    mean = np.array([power.ravel()[place == k].mean() for k in range(1, len(edges))])
    found["slope"] = float(np.polyfit(np.log(np.sqrt(edges[1:] * edges[:-1])), np.log(mean + 1e-9), 1)[0])
    fine = grey - ndimage.gaussian_filter(grey, 1.5)
    even = (ndimage.gaussian_gradient_magnitude(grey, 3.0) < 0.012) & (grey > 0.05) & (grey < 0.95)
    found["texture"] = 1000 * float(1.4826 * np.median(np.abs(fine[even]))) if even.sum() > 200 else np.nan
    band = ndimage.gaussian_filter(grey, 1.0) - ndimage.gaussian_filter(grey, 3.0)
    middle = (grey > 0.05) & (grey < 0.95)
    found["detail"] = 1000 * float(np.percentile(np.abs(band[middle]), 75)) if middle.sum() > 200 else np.nan
    top = float(np.percentile(grey, 99))
    blobs, count = ndimage.label(ndimage.gaussian_filter(grey, 1.0) > top - 0.12)
    if count:
        metal = blobs == 1 + int(np.argmax(ndimage.sum_labels(np.ones_like(grey), blobs, np.arange(1, count + 1))))
        ring = ndimage.binary_dilation(metal, iterations=9) & ~ndimage.binary_dilation(metal, iterations=3)
        if ring.any():
            found["metal"] = float(np.median(grey[metal]) - np.median(grey[ring]))
    return found


def as_crop(picture: Image.Image) -> Field:
    """Any picture squashed to the square on which figures are taken."""
    grey = picture.convert("L").resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    return np.asarray(grey, np.float32) / np.float32(255)


def simulated(index: int, renderer: Renderer) -> dict[str, float]:
    image = draw(SEED, index, OPTIONS, renderer)
    grey = image.pixels.astype(np.float32) / np.float32((1 << image.bits) - 1)
    if image.truth.nuisance.get("inverted"):
        grey = 1 - grey
    return statistics(as_crop(Image.fromarray((255 * grey + 0.5).astype(np.uint8))))


def table(groups: dict[str, list[dict[str, float]]]) -> str:
    """Markdown: a row per figure, a column per group."""
    lines = ["| | " + " | ".join(f"{name} ({len(rows)})" for name, rows in groups.items()) + " |"]
    lines.append("|---" * (len(groups) + 1) + "|")
    for key, title in FIGURES.items():
        cells = []
        for rows in groups.values():
            low, middle, high = np.nanpercentile([row.get(key, np.nan) for row in rows], (10, 50, 90))
            digits = 1 if max(abs(low), abs(high)) >= 5 else 2
            cells.append(f"{middle:.{digits}f} ({low:.{digits}f} – {high:.{digits}f})")
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("likeness", help="statistics of simulated pictures beside those of real ones")
    parser.add_argument("--real", type=Path, required=True, help="folder of single-hip crops")
    parser.add_argument("--n", type=int, default=60, help="how many pictures of each renderer")
    parser.add_argument("--workers", type=int, default=1)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    files = sorted(path for path in arguments.real.iterdir() if path.suffix.lower() in (".png", ".jpg", ".jpeg"))
    if not files:
        print(f"There are no pictures in “{arguments.real}”.")  # noqa: T201
        return 1
    groups = {"real crops": [statistics(as_crop(Image.open(path))) for path in files]}
    with multiprocessing.get_context("spawn").Pool(arguments.workers) as pool:
        for renderer in (Renderer.LAYERED, Renderer.PROJECTION):
            groups[str(renderer)] = pool.map(partial(simulated, renderer=renderer), range(arguments.n), chunksize=2)
    print(table(groups))  # noqa: T201 the command's answer
    return 0
