"""Warm diagnosis with map against the bare forward pass of the same network and engine, and `predict` against bare ONNX Runtime.

Prints {"diagnosis": {"ours": …, "theirs": …}, "grad_cam": …, "batch": …}: seconds, or images a second for the batch.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path

import numpy as np

from benchmarks.measure import ROOT
from imaging.reader import read_radiograph
from inference.batch import add_arguments, run
from inference.classifier import Classifier
from inference.engine import OnnxEngine, physical_cores
from inference.model_bundle import find_bundles, load_bundle
from inference.preprocess import network_input


def timed(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def alternating(ours: Callable[[], object], theirs: Callable[[], object], pairs: int) -> dict[str, list[float]]:
    ours(), theirs()
    out: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(pairs):
        out["theirs"].append(timed(theirs))
        out["ours"].append(timed(ours))
    return out


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=25)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--folder", type=Path, required=True, help="where copies of the samples are put")
    arguments = parser.parse_args()

    folder = find_bundles(ROOT / "resources" / "models")[-1]
    bundle = load_bundle(folder)
    classifier = Classifier(bundle, "cpu")
    sample = ROOT / "resources" / "samples" / "loose-cemented.dcm"  # one hip: one tensor, for both sides
    radiograph = read_radiograph(sample)
    region = classifier.propose_regions(radiograph)[0]
    bare = OnnxEngine(folder / "model.onnx")
    batch = network_input(radiograph.pixels, region, bundle.card.input_spec)[None]
    results: dict[str, dict[str, list[float]]] = {}
    results["diagnosis"] = alternating(
        lambda: classifier.predict(radiograph, region), lambda: bare.run(batch), arguments.pairs
    )
    # Gate, region, diagnosis and map from the decoded radiograph: what a reader waits for.
    results["assess"] = alternating(lambda: classifier.assess(radiograph), lambda: bare.run(batch), arguments.pairs)

    # Bare ONNX Runtime on the same tensors: as many single-threaded sessions as `predict` uses cores would be its
    # best case; one session with all cores is what a user gets by default.
    copies = []
    for index in range(arguments.images):
        copy = arguments.folder / f"{index:05d}.dcm"
        copy.write_bytes(sample.read_bytes())
        copies.append(str(copy))
    prediction_parser = argparse.ArgumentParser()
    add_arguments(prediction_parser)
    prediction = prediction_parser.parse_args(
        [*copies, "--device", "cpu", "--json", str(arguments.folder / "out.jsonl")]
    )
    tensors = [np.ascontiguousarray(batch) for _ in copies]

    def predict() -> None:
        with redirect_stderr(io.StringIO()):
            if run(prediction, ROOT / "resources" / "models"):
                raise RuntimeError("predict failed")

    pairs = alternating(predict, lambda: [bare.run(tensor) for tensor in tensors], 3)
    results["batch"] = {key: [len(copies) / seconds for seconds in values] for key, values in pairs.items()}
    results["meta"] = {"ours": [float(physical_cores())], "theirs": [float(len(copies))]}
    print(json.dumps(results))


if __name__ == "__main__":
    main()
