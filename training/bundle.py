"""`python -m training bundle`: weights of a finished run -> a bundle folder (inference/model_bundle.py).

The weights are rounded to half precision first and both engines get the rounded ones, so that the safetensors file
is half the size and the engines still agree to rounding error of single precision.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import warnings
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from inference.lucency_net import INPUT_SIZE, LANDMARKS, LOCATOR_SIZE, OUTPUTS, HipLocator, LucencyNet
from inference.model_bundle import (
    CARD_FILE,
    LOCATOR_ONNX_FILE,
    LOCATOR_WEIGHTS_FILE,
    LUCENCY_NET,
    ONNX_FILE,
    SCHEMA,
    WEIGHTS_FILE,
    CohortCard,
    IndeterminateBand,
    InputCard,
    LocatorCard,
    Metric,
    ModelBundle,
    ModelCard,
    OperatingPoint,
    SaliencyCard,
    SuitabilityRule,
    seal_bundle,
)
from inference.networks import NamedOutputs, export_onnx
from inference.replay import record_reference
from inference.saliency import CLASS_ACTIVATION_MAP
from training.calibrate import Calibration

INTENDED_USE = (
    "Research only. Marks where a simulated-radiograph-trained network sees radiolucency around a total hip "
    "replacement on one AP radiograph. Not validated on patients; not for diagnosis or treatment decisions."
)
SENTENCES = {
    "implant": "No hip replacement is seen in this region.",
    "ap_view": "This does not look like an AP view of a hip.",
    "complete": "Too much of the implant lies outside this region.",
    "covered_design": "This implant is of a kind that the network was not made for.",
}


def half_rounded(model: nn.Module) -> dict[str, torch.Tensor]:
    """The state dict with weights as float16 (buffers and vectors stay float32); the model gets the rounded values."""
    state = {}
    for name, value in model.state_dict().items():
        state[name] = (value.half() if value.dim() >= 2 else value).contiguous()
    model.load_state_dict(
        {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
    )
    return state


def export(model: nn.Module, names: tuple[str, ...], size: int, onnx_path: Path, weights_path: Path) -> None:
    """Write one network for both engines."""
    model = model.to(memory_format=torch.contiguous_format).eval()
    save_file(half_rounded(model), weights_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        export_onnx(NamedOutputs(model, names, model), size, 1, onnx_path)


def export_networks(folder: Path, network: LucencyNet, locator: HipLocator) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    export(network, ("logits", "evidence", "landmarks"), INPUT_SIZE, folder / ONNX_FILE, folder / WEIGHTS_FILE)
    export(locator, ("centers", "sizes"), LOCATOR_SIZE, folder / LOCATOR_ONNX_FILE, folder / LOCATOR_WEIGHTS_FILE)


def current_commit() -> str:
    """Of the working tree, "" outside a repository."""
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return found.stdout.strip()


def build_card(
    *,
    identifier: str,
    version: str,
    title: str,
    calibration: Calibration,
    cohort: CohortCard,
    metrics: tuple[Metric, ...] = (),
) -> ModelCard:
    """model.json of the bundled architecture."""
    point = calibration.operating_point
    return ModelCard(
        schema=SCHEMA,
        id=identifier,
        version=version,
        title=title,
        architecture=LUCENCY_NET,
        input=InputCard(size=INPUT_SIZE),
        outputs=OUTPUTS,
        landmarks=LANDMARKS,
        temperature=dict(calibration.temperature),
        bias=dict(calibration.bias),
        operating_point=OperatingPoint(
            threshold=point.threshold,
            chosen_on=point.chosen_on,
            sensitivity=point.sensitivity,
            specificity=point.specificity,
            n=point.n,
        ),
        indeterminate=IndeterminateBand(
            low=calibration.band.low, high=calibration.band.high, n=calibration.band.n, alpha=calibration.band.alpha
        ),
        saliency=SaliencyCard(method=CLASS_ACTIVATION_MAP, levels=calibration.levels, layer="evidence_head"),
        suitability={
            name: SuitabilityRule(threshold=threshold, sentence=SENTENCES[name])
            for name, threshold in calibration.suitability.items()
        },
        locator=LocatorCard(size=LOCATOR_SIZE, threshold=calibration.locator_threshold),
        training_data="simulated",
        cohort=cohort,
        commit=current_commit(),
        metrics=metrics,
        intended_use=INTENDED_USE,
    )


def seal(folder: Path, card: ModelCard, reference: np.ndarray | None, card_text: str) -> ModelBundle:
    """Reference, MODEL_CARD.md, hashes: the bundle as a user loads it. `reference` is 16-bit grey (rows, cols)."""
    (folder / CARD_FILE).write_text(card_text, encoding="utf-8")
    if reference is not None:
        record_reference(folder, card, reference)
    return seal_bundle(folder, card)


def cohort_of(records: list[dict[str, Any]]) -> CohortCard:
    """Counts and a hash over what was simulated: seed and index of every radiograph, and the labels."""
    seeds = sorted({int(record["seed"]) for record in records})
    labelled = [record for record in records if record.get("label") in ("loose", "fixed")]
    loose = sum(record["label"] == "loose" for record in labelled)
    digest = hashlib.sha256()
    for record in records:
        digest.update(json.dumps([record["seed"], record["index"], record.get("side"), record.get("label")]).encode())
    return CohortCard(
        manifest_sha256=digest.hexdigest(),
        n=len(records),
        prevalence=round(loose / len(labelled), 4) if labelled else None,
        seeds=tuple(seeds),
    )


def replace_metrics(card: ModelCard, metrics: tuple[Metric, ...]) -> ModelCard:
    return msgspec.structs.replace(card, metrics=metrics)
