"""`python -m training benchmark`: the published architectures on one simulated cohort of 40 patients, same folds.

17 loose, 23 well fixed, as in the study whose method this reproduces. Each architecture is cross-validated as in
training/cross_validate.py, from scratch and, where weights are given, transferred. Finished folds are kept. The
bundled network may take part in the same way, and a bundle may be set beside them as it is.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from imaging.geometry import HipRegion
from imaging.reader import read_radiograph
from imaging.sources import Source
from inference.classifier import Classifier
from inference.lucency_net import LucencyNet
from inference.model_bundle import LUCENCY_NET, PUBLISHED_ARCHITECTURES, WEIGHTS_FILE, ModelBundle, load_bundle
from inference.networks import ARCHITECTURES, PublishedNetwork, load_network
from inference.prediction import Decision
from inference.preprocess import network_input
from inference.saliency import class_activation, one_pass
from training.cohort import CohortCase, patient_folds, read_cohort
from training.cross_validate import CrossValidationOptions, build, cross_validate, input_spec, load_body
from training.dataset import any_pool
from training.prepare import hip_suitability
from training.report import figures_of
from training.scoring import GRID, dilated
from training.simulation import simulate
from training.simulation.command import write_png
from training.simulation.options import SimulationOptions
from training.simulation.truth import Label, Suitability

LOOSE, FIXED = 17, 23
COHORT_SEED = 9100  # no training and no evaluation set uses it
COHORT_OPTIONS = SimulationOptions(borderline_share=0.0, pelvis_share=0.0, size_px=(700, 1400), hard_share=0.2)


def make_cohort(folder: Path) -> Path:
    """Draw the 40 patients as PNG, their CSV, and the lines' masks; nothing to do when they exist."""
    manifest = folder / "cohort.csv"
    if manifest.is_file():
        return manifest
    (folder / "masks").mkdir(parents=True, exist_ok=True)
    wanted = {Label.LOOSE: LOOSE, Label.FIXED: FIXED}
    rows: list[list[str]] = []
    index = 0
    while any(wanted.values()):
        image = simulate(COHORT_SEED, index, COHORT_OPTIONS)
        hip = image.truth.hips[0]
        if hip_suitability(image, hip) is Suitability.SUITABLE and hip.label is not None and wanted.get(hip.label):
            wanted[hip.label] -= 1
            name = f"{index:04d}.png"
            write_png(image, folder / name)
            np.savez_compressed(folder / "masks" / f"{index:04d}.npz", lucency=hip.lucency_mask)
            box = " ".join(f"{value:.1f}" for value in hip.region.box)
            rows.append([name, f"patient-{index:04d}", str(hip.side), str(hip.label), box])
        index += 1
    with manifest.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["path", "patient", "side", "label", "region"], *rows])
    return manifest


@dataclass(frozen=True)
class MapHits:
    """Where the maximum of the map of a loose hip lay: on the line, one cell wider, or not; and chance beside it."""

    hits: int
    n: int
    chance: float  # share of the map's cells that count as the line, averaged over the hips; nan without any


def map_hits(cases: Sequence[CohortCase], folder: Path, options: CrossValidationOptions) -> MapHits:
    """The map of each loose hip (Grad-CAM, or a bundled network's own), by the model that never saw it."""
    assigned = patient_folds(cases, options.folds, options.seed)
    spec = input_spec(options)
    found = []
    for fold in sorted(set(assigned.tolist())):
        network = build(replace(options, weights="none"))
        load_body(network, folder / f"fold-{fold}" / "model.safetensors")
        network.eval()
        for case, own in zip(cases, assigned, strict=True):
            if own != fold or not case.loose:
                continue
            radiograph = read_radiograph(Source(case.path))
            square = case.region(radiograph).squared()
            given = torch.from_numpy(network_input(radiograph.pixels, square, spec))[None]
            found.append(map_hit(saliency_of(network, given), square, case))
    return counted(found)


def saliency_of(network: LucencyNet | PublishedNetwork, given: torch.Tensor) -> npt.NDArray[np.float32]:
    """(h, w) of the image `given` (1, C, S, S)."""
    if isinstance(network, PublishedNetwork):
        saliency: npt.NDArray[np.float32] = one_pass(network, given, 0)[1][0].numpy()
        return saliency
    with torch.inference_mode():
        _, evidence, _ = network(given)
    return class_activation(evidence.numpy())[0]


def map_hit(saliency: npt.NDArray[np.float32], square: HipRegion, case: CohortCase) -> tuple[bool, float] | None:
    """Does the map's maximum lie on the line, one cell wider, and what share of the cells does; None without a line.

    The cells are those of the bundled network whatever the map's own: in the few cells of a coarse map, a third or more
    would count as the line.
    """
    with np.load(case.path.parent / "masks" / f"{case.path.stem}.npz", allow_pickle=False) as data:
        line = any_pool(data["lucency"], (square.x, square.y, square.width), GRID)
    if not line.any():
        return None
    near = dilated(line)
    peak = np.array(np.unravel_index(int(saliency.argmax()), saliency.shape))
    row, col = ((peak + 0.5) * GRID / np.array(saliency.shape)).astype(int)
    return bool(near[row, col]), float(near.mean())


def counted(found: Iterable[tuple[bool, float] | None]) -> MapHits:
    known = [each for each in found if each is not None]
    chance = float(np.mean([share for _, share in known])) if known else float("nan")
    return MapHits(sum(hit for hit, _ in known), len(known), chance)


def bundled(bundle: ModelBundle, cases: Sequence[CohortCase]) -> dict[str, Any]:
    """The row of a bundle as it is, which learnt from other hips: no folds. What it does not decide counts as wrong."""
    classifier = Classifier(bundle, "cpu")
    rows: list[dict[str, str]] = []
    hits = []
    undecided = 0
    for case in cases:
        radiograph = read_radiograph(Source(case.path))
        answer = classifier.predict(radiograph, case.region(radiograph))
        decided = answer.decision in (Decision.LOOSE, Decision.NOT_LOOSE)
        undecided += not decided
        call = answer.decision is Decision.LOOSE if decided else not case.loose
        score = answer.score if answer.score is not None else 100.0 * (not case.loose)
        rows.append(
            {"truth": str(int(case.loose)), "score": str(score), "call": str(int(call)), "patient": case.patient, "fold": "0"}
        )  # fmt: skip
        if case.loose:
            saliency = answer.saliency
            hits.append(None if saliency is None else map_hit(saliency.values, saliency.region, case))
    card = bundle.card
    return {
        "architecture": f"{card.id} {card.version}",
        "start": f"as it is, {undecided} undecided",
        "figures": figures_of(rows),
        "map": asdict(counted(hits)),
        **cost(load_network(bundle).network, 1, card.input.size),
    }


def cost(network: nn.Module, channels: int, size: int) -> dict[str, float]:
    """Parameters in millions, megabytes at half precision, milliseconds of one forward pass on one thread (median)."""
    network.eval()
    count = sum(parameter.numel() for parameter in network.parameters())
    given = torch.zeros(1, channels, size, size)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    times = []
    with torch.inference_mode():
        network(given)
        for _ in range(5):
            start = time.process_time()
            network(given)
            times.append(time.process_time() - start)
    torch.set_num_threads(before)
    return {"parameters_m": count / 1e6, "fp16_mb": count * 2 / 1e6, "forward_cpu_ms": 1000 * float(np.median(times))}


def weights_of(architecture: str, folder: Path | None, bundle: ModelBundle | None = None) -> list[str]:
    """The file to transfer from, if there is one: the bundle's if it is of this architecture, else in `folder`
    ARCHITECTURE.safetensors, .pth or .pt."""
    if bundle is not None and bundle.card.architecture == architecture:
        return [str(bundle.file(WEIGHTS_FILE))]
    files = [folder / f"{architecture}{suffix}" for suffix in (".safetensors", ".pth", ".pt")] if folder else []
    return [str(path) for path in files if path.is_file()][:1]


def benchmark(
    folder: Path,
    architectures: Iterable[str],
    options: CrossValidationOptions,
    weights: Path | None,
    bundle: ModelBundle | None = None,
) -> list[dict[str, Any]]:
    """One row per architecture and start (scratch, and transferred where `weights` has a file for it)."""
    manifest = make_cohort(folder / "cohort")
    cases = read_cohort(manifest)
    rows = []
    for name in architectures:
        for start in ("none", *weights_of(name, weights, bundle)):
            own = replace(options, architecture=name, weights=start)
            out = folder / f"{name}-{'scratch' if start == 'none' else 'transferred'}"
            figures = cross_validate(cases, out, own)
            rows.append(
                {
                    "architecture": ARCHITECTURES[name].title if name in ARCHITECTURES else name,
                    "start": "scratch" if start == "none" else "transferred",
                    "weights": Path(start).name,
                    "figures": figures,
                    "map": asdict(map_hits(cases, out, own)),
                    **cost(build(replace(own, weights="none")), input_spec(own).channels, input_spec(own).size),
                }
            )
            (folder / "benchmark.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    if bundle is not None:
        rows.append(bundled(bundle, cases))
        (folder / "benchmark.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return rows


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """The table of docs/benchmark.md."""
    lines = [
        "| network | start | sensitivity | specificity | AUC | M params | fp16 MB | forward, CPU ms | map on the line | by chance |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        shares = [
            f"{row['figures'][name]['value']:.2f} ({row['figures'][name]['wilson'][0]:.2f}–{row['figures'][name]['wilson'][1]:.2f})"
            for name in ("sensitivity", "specificity")
        ]
        curve = _curve(row["figures"]["auc"])
        lines.append(
            f"| {row['architecture']} | {row['start']} | {shares[0]} | {shares[1]} | {curve} | {row['parameters_m']:.1f} "
            f"| {row['fp16_mb']:.0f} | {row['forward_cpu_ms']:.0f} | {row['map']['hits']} of {row['map']['n']} "
            f"| {row['map']['chance']:.2f} |"
        )
    return "\n".join(lines)


def _curve(area: Mapping[str, Any]) -> str:
    """AUC and DeLong's interval, which says nothing where all scores are in order: it has no width there."""
    if area["value"] is None:
        return "–"
    low, high = area["delong"]
    return f"{area['value']:.2f} ({low:.2f}–{high:.2f})" if low < high else f"{area['value']:.2f} (–)"


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    defaults = CrossValidationOptions()
    parser = subparsers.add_parser("benchmark", help="the published architectures on one simulated cohort")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmark"))
    parser.add_argument(
        "--architectures",
        nargs="+",
        choices=(*PUBLISHED_ARCHITECTURES, LUCENCY_NET),
        default=PUBLISHED_ARCHITECTURES,
    )
    parser.add_argument("--weights", type=Path, help="folder of ARCHITECTURE.safetensors or .pth to transfer from")
    parser.add_argument(
        "--bundle", type=Path, help="a model folder to set beside them as it is; its architecture transfers from it"
    )
    parser.add_argument("--folds", type=int, default=defaults.folds)
    parser.add_argument("--epochs", type=int, default=defaults.epochs)
    parser.add_argument("--patience", type=int, default=defaults.patience)
    parser.add_argument("--batch", type=int, default=defaults.batch)
    parser.add_argument("--input-size", type=int, help="smaller than published, for a quick look")
    parser.add_argument("--precision", default=defaults.precision, help="as in lightning.Trainer, e.g. bf16-mixed")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    options = CrossValidationOptions(
        folds=arguments.folds,
        epochs=arguments.epochs,
        patience=arguments.patience,
        batch=arguments.batch,
        input_size=arguments.input_size,
        precision=arguments.precision,
    )
    bundle = load_bundle(arguments.bundle) if arguments.bundle else None
    rows = benchmark(arguments.out, arguments.architectures, options, arguments.weights, bundle)
    print(markdown(rows))  # noqa: T201 the command's answer
    print(f"Details: {arguments.out / 'benchmark.json'}", file=sys.stderr)  # noqa: T201
    return 0
