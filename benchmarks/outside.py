"""What the bundled network makes of pictures that lost their tags on the way: inverted, turned, squashed, shrunk.

    python -m benchmarks.outside [--hips 20] [--seed 50000] [--bundle FOLDER]

Simulated hips are drawn, each spoiled in one way at a time, and assessed as untagged 8-bit pictures. Prints one line
of a Markdown table for each way: how often the hip was still found and assessed, how far the probability moved, and
what was said where it was refused.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from benchmarks.measure import ROOT
from imaging.radiograph import Radiograph, Window
from inference.classifier import Classifier
from inference.model_bundle import find_bundles, load_bundle
from inference.prediction import Decision, Prediction

Picture = npt.NDArray[np.float32]  # (rows, cols), 0-255


def resized(picture: Picture, rows: int, cols: int) -> Picture:
    return np.asarray(Image.fromarray(picture).resize((cols, rows), Image.Resampling.BILINEAR), np.float32)


def thumbnail(picture: Picture) -> Picture:
    scale = 160 / max(picture.shape)
    return resized(picture, round(picture.shape[0] * scale), round(picture.shape[1] * scale))


def margins(picture: Picture, value: float) -> Picture:
    rows, cols = picture.shape
    return np.pad(picture, ((rows // 5, rows // 5), (cols // 5, cols // 5)), constant_values=value)


def watermark(picture: Picture) -> Picture:
    canvas = Image.new("L", picture.shape[::-1])
    size = max(picture.shape)
    draw = ImageDraw.Draw(canvas)
    for row in range(4):
        draw.text((size * 0.05, size * (0.1 + 0.25 * row)), "SAMPLE  COPY  SAMPLE", fill=255, font_size=size / 14)
    return np.clip(picture + 0.25 * np.asarray(canvas, np.float32), 0, 255)


def gamma(picture: Picture, exponent: float) -> Picture:
    return np.asarray(255 * (picture / 255) ** np.float32(exponent), np.float32)


WAYS: dict[str, Callable[[Picture], Picture]] = {
    "as it is": lambda picture: picture,
    "black and white swapped": lambda picture: 255 - picture,
    "squashed 1.3 times in width": lambda picture: resized(picture, picture.shape[0], round(picture.shape[1] / 1.3)),
    "squashed 1.3 times in height": lambda picture: resized(picture, round(picture.shape[0] / 1.3), picture.shape[1]),
    "160-pixel thumbnail": thumbnail,
    "wide black margins": lambda picture: margins(picture, 0),
    "wide white margins": lambda picture: margins(picture, 255),
    "turned by 90°": np.rot90,
    "turned by 180°": lambda picture: np.rot90(picture, 2),
    "mirrored": np.fliplr,
    "gamma 0.4": lambda picture: gamma(picture, 0.4),
    "gamma 2.5": lambda picture: gamma(picture, 2.5),
    "faint watermark": watermark,
}


def hips(count: int, seed: int) -> list[Picture]:
    """Radiographs with one replaced hip, as 8-bit pictures with the dense parts bright."""
    from training.prepare import dense_pixels
    from training.simulation import simulate
    from training.simulation.options import SimulationOptions

    options = SimulationOptions(pelvis_share=0.0, suitability="suitable", size_px=(700, 1400))
    pictures = []
    for index in range(count):
        pixels = dense_pixels(simulate(seed, index, options))
        low, high = float(pixels.min()), float(pixels.max())
        pictures.append(np.round((pixels - low) * np.float32(255 / (high - low))))
    return pictures


def assessed(classifier: Classifier, picture: Picture) -> Prediction:
    pixels = np.ascontiguousarray(picture, dtype=np.float32)
    radiograph = Radiograph(pixels=pixels, windows=(Window(127.5, 255.0),), sha256="0" * 64, path=Path("picture.png"))
    predictions = classifier.assess(radiograph)
    return max(predictions, key=lambda one: one.suitability.scores.get("implant", 0.0))


def row(name: str, originals: list[Prediction], spoiled: list[Prediction]) -> str:
    """| way | assessed | same answer | median and largest change of probability | reasons of the others |"""
    pairs = [
        (before, after)
        for before, after in zip(originals, spoiled, strict=True)
        if before.probability is not None and after.probability is not None
    ]
    moved = [abs((after.probability or 0.0) - (before.probability or 0.0)) for before, after in pairs]
    same = sum(before.decision is after.decision for before, after in pairs)
    opposite = sum({before.decision, after.decision} == {Decision.LOOSE, Decision.NOT_LOOSE} for before, after in pairs)
    reasons = Counter(one.reason for one in spoiled if one.decision is Decision.NOT_ASSESSABLE)
    change = f"{np.median(moved):.2f}, {max(moved):.2f}" if moved else "–"
    said = "; ".join(f"{reason} ({number})" for reason, number in reasons.most_common())
    found = sum(one.decision is not Decision.NOT_ASSESSABLE for one in spoiled)
    return f"| {name} | {found} | {same} | {opposite} | {change} | {said} |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--hips", type=int, default=20)
    parser.add_argument("--seed", type=int, default=50000)
    parser.add_argument("--bundle", type=Path, default=find_bundles(ROOT / "resources" / "models")[-1])
    arguments = parser.parse_args()
    classifier = Classifier(load_bundle(arguments.bundle), "cpu")
    pictures = hips(arguments.hips, arguments.seed)
    originals = [assessed(classifier, picture) for picture in pictures]
    print("| picture | assessed | same answer | opposite answer | change of probability | refused because |")
    print("|---|---|---|---|---|---|")
    for name, spoil in WAYS.items():
        print(row(name, originals, [assessed(classifier, spoil(picture)) for picture in pictures]), flush=True)


if __name__ == "__main__":
    main()
