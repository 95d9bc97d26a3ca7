"""`python -m training contact-sheets`: the pictures of docs/simulation.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from training.simulation.options import SimulationOptions
from training.simulation.radiograph import simulate
from training.simulation.refused.uncovered import SHARES
from training.simulation.renderers import Renderer, draw
from training.simulation.stem_families import SHIFTED_FAMILIES, TRAINING_FAMILIES
from training.simulation.truth import Label, SimulatedRadiograph, Suitability

SHEETS_FOLDER = Path(__file__).resolve().parents[2] / "docs" / "simulation"
CELL_PX = 300
_PLAIN = SimulationOptions(size_px=(700, 700), pelvis_share=0.0, borderline_share=0.0)


def shown(image: SimulatedRadiograph, truth: bool = False) -> Image.Image:
    """As a viewer shows it; with truth the lucency mask in red and the implant outlined by its band in green."""
    grey = image.pixels.astype(np.float32) / np.float32((1 << image.bits) - 1)
    if image.truth.nuisance.get("inverted"):
        grey = 1 - grey
    rgb = np.repeat(grey[..., None], 3, axis=2)
    if truth:
        for hip in image.truth.hips:
            rgb[hip.interface_mask] += (0.0, 0.12, 0.0)
            rgb[hip.lucency_mask] = 0.5 * rgb[hip.lucency_mask] + (0.5, 0.0, 0.0)
    picture = Image.fromarray((np.clip(rgb, 0, 1) * 255).astype(np.uint8))
    scale = CELL_PX / max(picture.size)
    return picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), Image.Resampling.LANCZOS)  # fmt: skip


def sheet(tiles: list[tuple[str, Image.Image]], columns: int) -> Image.Image:
    rows = -(-len(tiles) // columns)
    page = Image.new("RGB", (columns * CELL_PX, rows * (CELL_PX + 16)), (24, 24, 24))
    pen = ImageDraw.Draw(page)
    for number, (title, tile) in enumerate(tiles):
        x, y = number % columns * CELL_PX, number // columns * (CELL_PX + 16)
        page.paste(tile, (x + (CELL_PX - tile.width) // 2, y + 16))
        pen.text((x + 4, y + 2), title, fill=(235, 235, 235), font=ImageFont.load_default(11))
    return page


def first(seed: int, options: SimulationOptions, wanted: Callable[[SimulatedRadiograph], bool], count: int) -> Iterator[SimulatedRadiograph]:  # fmt: skip
    """The first images of a sequence that are wanted, in their order: not the best ones."""
    found = index = 0
    while found < count:
        image = simulate(seed, index, options)
        index += 1
        if wanted(image):
            found += 1
            yield image


def _main_label(label: Label) -> Callable[[SimulatedRadiograph], bool]:
    return lambda image: image.truth.hips[0].label is label


def families(label: Label, names: tuple[str, ...], seed: int) -> list[tuple[str, Image.Image]]:
    tiles = []
    for number, name in enumerate(names):
        options = replace(_PLAIN, families=(name,), prevalence=float(label is Label.LOOSE), shifted=name in SHIFTED_FAMILIES)  # fmt: skip
        tiles += [
            (name.replace("_", " "), shown(image))
            for image in first(seed + 20 * number, options, _main_label(label), 2)
        ]
    return tiles


def with_truth(seed: int) -> list[tuple[str, Image.Image]]:
    tiles = []
    for image in first(seed, replace(_PLAIN, prevalence=1.0, clean=True), _main_label(Label.LOOSE), 4):
        hip = image.truth.hips[0]
        tiles += [(f"loose, CNR {hip.line_contrast_to_noise:.1f}", shown(image)), ("truth", shown(image, truth=True))]
    return tiles


SHOWN_OF_EACH = {
    Suitability.NATIVE: 7, Suitability.LATERAL: 7, Suitability.CROPPED: 14, Suitability.OTHER_BONE: 7,
    Suitability.PHOTOGRAPH: 2, Suitability.NOISE: 2, Suitability.BLANK: 1, Suitability.TEXT_PAGE: 2,
}  # fmt: skip


def of_kind(kind: Suitability, seed: int, wanted: Callable[[SimulatedRadiograph], bool], count: int) -> list[tuple[str, Image.Image]]:  # fmt: skip
    options = replace(_PLAIN, suitability=str(kind), size_px=(500, 500))
    return [
        (f"{kind}: {image.truth.notes[0] if image.truth.notes else kind}".replace("_", " "), shown(image))
        for image in first(seed, options, wanted, count)
    ]


def unsuitable(seed: int) -> list[tuple[str, Image.Image]]:
    return [tile for kind, count in SHOWN_OF_EACH.items() for tile in of_kind(kind, seed, lambda image: True, count)]


def uncovered_designs(seed: int) -> list[tuple[str, Image.Image]]:
    """The first two of each design."""
    return [
        tile
        for design in SHARES
        for tile in of_kind(Suitability.UNCOVERED_DESIGN, seed, lambda image, of=design: of in image.truth.notes, 2)  # type: ignore[misc]
    ]


def cups(seed: int) -> list[tuple[str, Image.Image]]:
    """The first loose and the first fixed cup of each family."""
    tiles = []
    for label in (Label.LOOSE, Label.FIXED):
        for family in ("pressfit", "pressfit_screws", "threaded", "expansion", "dual_mobility", "cemented"):

            def wanted(image: SimulatedRadiograph, label: Label = label, family: str = family) -> bool:
                cup = image.truth.hips[0].cup
                return cup is not None and cup.label is label and cup.family == family

            options = replace(_PLAIN, prevalence=float(label is Label.LOOSE))
            tiles += [
                (f"{family}, {label}".replace("_", " "), shown(image)) for image in first(seed, options, wanted, 1)
            ]
    return tiles


def titled(images: Iterator[SimulatedRadiograph]) -> list[tuple[str, Image.Image]]:
    return [
        (f"{image.truth.label}, {image.pixels.shape[1]} x {image.pixels.shape[0]}, {image.bits} bit", shown(image))
        for image in images
    ]


def projected(seed: int, count: int) -> list[tuple[str, Image.Image]]:
    """The first images of the second renderer's sequence, without overlays."""
    options = replace(_PLAIN, size_px=(450, 600), overlays=False)
    return titled(draw(seed, index, options, Renderer.PROJECTION) for index in range(count))


def pages() -> dict[str, Callable[[], tuple[list[tuple[str, Image.Image]], int]]]:
    return {
        "loose": lambda: (families(Label.LOOSE, TRAINING_FAMILIES, 701), 6),
        "fixed": lambda: (families(Label.FIXED, TRAINING_FAMILIES, 702), 6),
        "shifted": lambda: (
            families(Label.LOOSE, SHIFTED_FAMILIES, 703) + families(Label.FIXED, SHIFTED_FAMILIES, 704),
            8,
        ),
        "borderline": lambda: (
            titled(first(705, replace(_PLAIN, borderline_share=1.0), _main_label(Label.BORDERLINE), 6)),
            6,
        ),
        "look-alikes": lambda: (
            titled(
                first(706, replace(_PLAIN, prevalence=0.0, hard_share=1.0), lambda image: image.truth.hips[0].hard, 6)
            ),
            6,
        ),
        "truth": lambda: (with_truth(707), 8),
        "pelvis": lambda: (titled(first(708, replace(_PLAIN, pelvis_share=1.0), lambda image: True, 6)), 6),
        "coarse": lambda: (titled(first(709, replace(_PLAIN, size_px=(160, 240)), lambda image: True, 7)), 7),
        "unsuitable": lambda: (unsuitable(710), 7),
        "uncovered": lambda: (uncovered_designs(711), 7),
        "cups": lambda: (cups(712), 6),
        "projection": lambda: (projected(714, 14), 7),
        "mixture": lambda: (titled(first(713, SimulationOptions(), lambda image: True, 21)), 7),
    }


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("contact-sheets", help="draw the pictures of docs/simulation.md anew")
    parser.add_argument("--out", type=Path, default=SHEETS_FOLDER)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, page in tqdm(pages().items(), unit="sheet", file=sys.stderr):
        tiles, columns = page()
        sheet(tiles, columns).save(arguments.out / f"{name}.jpg", quality=72, optimize=True)
    return 0
