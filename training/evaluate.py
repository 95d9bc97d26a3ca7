"""`python -m training evaluate`: every figure of the card, by one command. Also the calibration that precedes it.

Cohorts are drawn by training/simulation/evaluation_sets.py, frozen before training. Work files go to a folder and are
kept: an interrupted run goes on, and another network with the same locator is scored without simulating again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from imaging.radiograph import RadiographError
from inference.classifier import Classifier
from inference.engine import OnnxEngine
from inference.model_bundle import (
    LOCATOR_ONNX_FILE,
    LOCATOR_WEIGHTS_FILE,
    ONNX_FILE,
    Metric,
    ModelBundle,
    load_bundle,
    sha256_of,
)
from inference.prediction import Decision
from training.measure import measure, reliability, share
from training.scoring import CohortSpec, prepare_cases, score_cases
from training.sets import CALIBRATION, EVALUATION, cohort, limits

REAL_IMAGES = "real images without a replacement"


def case_folder(spec: CohortSpec, work: Path, locator: Path) -> Path:
    """Named by the locator's weights: its ONNX file may differ with the exporter's version."""
    return work / sha256_of(locator.with_name(LOCATOR_WEIGHTS_FILE))[:12] / f"{spec.name}-{spec.seed}"


def scored(spec: CohortSpec, work: Path, network: Path, locator: Path, workers: int) -> list[dict[str, Any]]:
    """Rows of a cohort; draws what is missing first. The folder is named by the locator, whose regions it holds."""
    folder = case_folder(spec, work, locator)
    prepare_cases(spec, folder, locator, workers)
    return score_cases(folder, OnnxEngine(network, threads=2), images=spec.count)


def real_image_refusals(bundle: ModelBundle, folder: Path) -> tuple[list[Metric], list[str]]:
    """Every readable radiograph below `folder` (none shows a replacement): the share that is refused, and a line each."""
    from imaging.reader import read_radiograph

    classifier = Classifier(bundle, "cpu")
    refused: list[bool] = []
    lines: list[str] = []
    for path in sorted(folder.rglob("*.dcm")):
        try:
            radiograph = read_radiograph(path)
        except RadiographError:
            continue
        # What the file says about itself would make it easy: the tags are withheld here.
        bare = replace(radiograph, modality="", body_part="", view=type(radiograph.view).UNKNOWN)
        predictions = classifier.assess(bare)
        good = all(prediction.decision is Decision.NOT_ASSESSABLE for prediction in predictions)
        refused.append(good)
        lines.append(f"{path.name}: " + "; ".join(p.reason or str(p.decision) for p in predictions))
    found = share("refused", refused, REAL_IMAGES)
    return ([found] if found else []), lines


def evaluate(
    bundle: ModelBundle, work: Path, names: Sequence[str], limit: Mapping[str, int], workers: int, corpus: Path | None
) -> tuple[list[Metric], dict[str, Any]]:
    """All metrics, and what else the card tells: reliability per set, one line per real image."""
    metrics: list[Metric] = []
    extra: dict[str, Any] = {"reliability": {}, "real_images": []}
    for name in names:
        spec = cohort(name, limit)
        rows = scored(spec, work, bundle.folder / ONNX_FILE, bundle.folder / LOCATOR_ONNX_FILE, workers)
        metrics += measure(rows, bundle.card, name)
        if any(row["truth"].get("loose") is not None for row in rows):
            extra["reliability"][name] = reliability(rows, bundle.card)
    if corpus is not None and corpus.is_dir():
        found, extra["real_images"] = real_image_refusals(bundle, corpus / "radiographs")
        metrics += found
    return metrics, extra


def default_corpus() -> Path:
    """Real images, never committed: `LUCENCY_CORPUS`, else a folder beside the project."""
    root = Path(__file__).resolve().parents[1]
    return Path(os.environ.get("LUCENCY_CORPUS", root.parent / "shared" / "corpus"))


def table(metrics: Sequence[Metric]) -> str:
    """Plain text, one metric a line."""
    lines = []
    for metric in metrics:
        interval = f"[{metric.ci[0]:.3f}, {metric.ci[1]:.3f}]" if metric.ci else ""
        lines.append(f"{metric.set:24s} {metric.name:55s} {metric.value:8.3f} {interval:18s} n={metric.n}")
    return "\n".join(lines)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("evaluate", help="measure a bundle on the frozen sets: every figure of its card")
    parser.add_argument("--bundle", type=Path, default=Path("resources/models/lucency-1"))
    parser.add_argument("--work", type=Path, default=Path("runs/evaluation"), help="where drawn cohorts are kept")
    parser.add_argument("--sets", nargs="+", default=list(EVALUATION), choices=[*EVALUATION, CALIBRATION])
    parser.add_argument("--limit", nargs="*", default=[], help="only so many radiographs of each set: 500 gate=300")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    bundle = load_bundle(arguments.bundle)
    metrics, extra = evaluate(
        bundle, arguments.work, arguments.sets, limits(arguments.limit), arguments.workers, default_corpus()
    )
    print(table(metrics))  # noqa: T201 the command's answer
    for line in extra["real_images"]:
        print(line, file=sys.stderr)  # noqa: T201
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        figures = {"metrics": msgspec.to_builtins(metrics), **extra, "bundle": bundle.sha256}
        arguments.out.write_text(json.dumps(figures, indent=1, default=_plain), encoding="utf-8")
    return 0


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value)} is not JSON")
