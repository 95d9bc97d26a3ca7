"""`python -m training bundle`: weights of a finished run -> a bundle folder (inference/model_bundle.py).

The weights are rounded to half precision first and both engines get the rounded ones, so that the safetensors file
is half the size and the engines still agree to rounding error of single precision.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from inference.lucency_net import (
    COMPLETE,
    FIXATION,
    INPUT_SIZE,
    LANDMARKS,
    LOCATOR_SIZE,
    OUTPUTS,
    HipLocator,
    LucencyNet,
)
from inference.model_bundle import (
    CARD_FILE,
    LOCATOR_ONNX_FILE,
    LOCATOR_WEIGHTS_FILE,
    LUCENCY_NET,
    ONNX_FILE,
    SCHEMA,
    WEIGHTS_FILE,
    CohortCard,
    FixationRule,
    IndeterminateBand,
    InputCard,
    LocatorCard,
    Metric,
    ModelBundle,
    ModelCard,
    OperatingPoint,
    PartRule,
    SaliencyCard,
    SuitabilityRule,
    load_bundle,
    seal_bundle,
)
from inference.networks import NamedOutputs, export_onnx, locator_outputs, lucency_outputs
from inference.replay import record_reference
from inference.saliency import CLASS_ACTIVATION_MAP
from training.calibrate import Calibration, calibrate
from training.dataset import read_records
from training.evaluate import case_folder, default_corpus, evaluate, scored, table
from training.fit import load_network
from training.insertion.measure import FILM_SET, at_operating_point, by_patient, judged
from training.measure import average
from training.model_card import render
from training.sets import CALIBRATION, EVALUATION, cohort, limits
from training.simulation import simulate

INTENDED_USE = (
    "Research only. Marks where a simulated-radiograph-trained network sees radiolucency around a total hip "
    "replacement on one AP radiograph. Not validated on patients; not for diagnosis or treatment decisions."
)
INTENDED_USE_INSERTED = (
    "Research only. Marks where a network, trained on lines inserted into real radiographs and on simulations, sees "
    "radiolucency around a total hip replacement on one AP radiograph. Not validated on patients; not for diagnosis or "
    "treatment decisions."
)
SENTENCES = {
    "implant": "No hip replacement is seen in this region.",
    "ap_view": "This does not look like an AP view of a hip.",
    "has_stem": "This looks like a resurfacing: there is no stem, and this CNN was not made for it.",
    "has_cup": "This looks like a hemiarthroplasty: there is no cup, and this CNN was not made for it.",
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


def export(outputs: NamedOutputs, size: int, onnx_path: Path, weights_path: Path) -> None:
    """Write one network for both engines."""
    model = outputs.network.to(memory_format=torch.contiguous_format).eval()
    save_file(half_rounded(model), weights_path)
    weights_path.chmod(0o644)  # safetensors writes files for their owner alone
    export_onnx(outputs, size, 1, onnx_path)


def export_networks(folder: Path, network: LucencyNet, locator: HipLocator) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    export(lucency_outputs(network), INPUT_SIZE, folder / ONNX_FILE, folder / WEIGHTS_FILE)
    export(locator_outputs(locator), LOCATOR_SIZE, folder / LOCATOR_ONNX_FILE, folder / LOCATOR_WEIGHTS_FILE)


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
    inserted: bool = False,
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
        parts={
            name: PartRule(complete=COMPLETE[name], threshold=round(limit, 4))
            for name, limit in calibration.parts.items()
        },
        fixation=FixationRule(
            output=FIXATION, cemented_from=calibration.fixation[0], cementless_to=calibration.fixation[1]
        ),
        feature_statistics=calibration.feature_statistics,
        stem_axis=calibration.stem_axis,
        locator=LocatorCard(size=LOCATOR_SIZE, threshold=calibration.locator_threshold),
        training_data="inserted" if inserted else "simulated",
        cohort=cohort,
        commit=current_commit(),
        metrics=metrics,
        intended_use=INTENDED_USE_INSERTED if inserted else INTENDED_USE,
    )


def seal(folder: Path, card: ModelCard, reference: np.ndarray | None, card_text: str) -> ModelBundle:
    """Reference, MODEL_CARD.md, hashes: the bundle as a user loads it. `reference` is 16-bit grey (rows, cols)."""
    (folder / CARD_FILE).write_text(card_text, encoding="utf-8")
    if reference is not None:
        record_reference(folder, card, reference)
    return seal_bundle(folder, card)


def cohort_of(records: list[dict[str, Any]]) -> CohortCard:
    """Counts and a hash over what was simulated: seed and index of every radiograph, and the labels."""
    seeds = sorted({int(record["seed"]) for record in records if "seed" in record})
    labelled = [record for record in records if record.get("label") in ("loose", "fixed")]
    loose = sum(record["label"] == "loose" for record in labelled)
    digest = hashlib.sha256()
    for record in records:
        named = [record.get(key) for key in ("seed", "index", "side", "label", "variant", "components")]
        digest.update(json.dumps(named).encode())
    return CohortCard(
        manifest_sha256=digest.hexdigest(),
        n=len(records),
        prevalence=round(loose / len(labelled), 4) if labelled else None,
        seeds=tuple(seeds),
    )


def replace_metrics(card: ModelCard, metrics: tuple[Metric, ...]) -> ModelCard:
    return msgspec.structs.replace(card, metrics=metrics)


def randomisation(checkpoint: Path, cases: Path, count: int = 24) -> list[Metric]:
    """Correlation of the map with its own after the weights of ever more stages are drawn anew, from the top down.

    Maps that stay the same when what was learnt is destroyed show edges, not evidence.
    """
    from scipy.stats import spearmanr

    found = sorted(cases.glob("cases-*.npz"))
    with np.load(found[0], allow_pickle=False) as data:
        loose = data["planes"][:, :2].any(axis=(1, 2, 3))
        images = torch.from_numpy(data["images"][loose][:count].astype(np.float32))[:, None]
    network = load_network(checkpoint, LUCENCY_NET)
    assert isinstance(network, LucencyNet)
    with torch.no_grad():
        original = network(images)[1].amax(dim=1).flatten(1).numpy()
    metrics = []
    torch.manual_seed(0)
    for stages in (
        ("evidence_head",),
        ("merge3", "merge4", "lateral3", "lateral4", "lateral5"),
        ("stage5", "stage4", "stage3"),
    ):
        for stage in stages:
            for module in network.get_submodule(stage).modules():
                if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
                    module.reset_parameters()
        with torch.no_grad():
            now = network(images)[1].amax(dim=1).flatten(1).numpy()
        similar = [abs(float(spearmanr(a, b).statistic)) for a, b in zip(original, now, strict=True)]
        found_mean = average(
            f"|rank correlation| with the map after randomising down to {stages[-1]}", similar, "weight randomisation"
        )
        metrics += [found_mean] if found_mean else []
    return metrics


DESCRIPTION = (
    (
        "A residual network with a small decoder (4.3 M parameters) on a 448 x 448 crop of one hip; its second input "
        "channel is a fixed local-contrast normalisation. Two evidence channels (stem, cup) are supervised cell by cell "
        "with the simulated lucency masks of loose components; the score of a component is an affine function of the "
        'means of its strongest cells, the hip\'s score that of "stem or cup". Patches near the interface and whole hips '
        "alternated in the first part of training. Landmarks, an implant and interface map (training only) and four "
        "suitability outputs share the body; the latter have a last stage of their own. Nothing was pretrained on anything "
        "else."
    ),
    "A separate locator (0.6 M parameters, 256 px) proposes the hip regions.",
)


DESCRIPTION_INSERTED = (
    (
        "The network of lucency-1: residual, with a small decoder (4.3 M parameters), on a 448 x 448 crop of one hip; its "
        "second input channel is a fixed local-contrast normalisation. Two evidence channels (stem, cup) are supervised "
        "cell by cell with the masks of the inserted or simulated lines; the score of a part is an affine function of the "
        "means of its strongest cells. Seven more outputs say what is seen of the film: an implant, an AP view, a stem, a "
        "cup, a complete stem, a complete cup, a cemented stem."
    ),
    (
        "Fine-tuned from lucency-1 1.3.0 on real films with inserted lines beside their originals, and on simulated hips "
        "(docs/insertion.md). Three networks were trained, each without the films of a third of the patients; the figures "
        "on real films, the calibration and the operating point are theirs, each on the patients that it never saw. This "
        "network is the mean of their weights, with a gate trained on all films."
    ),
    "A separate locator (0.6 M parameters, 256 px), that of lucency-1, proposes the hip regions.",
)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """What `evaluate-films --rows` wrote."""
    with path.open(encoding="utf-8") as stream:
        return [row for row in map(json.loads, stream) if row["record"].get("implant")]


def make_bundle(arguments: argparse.Namespace) -> ModelBundle:
    """Export, calibrate, measure, seal. The finished folder replaces `arguments.out` only when it loads."""
    staging = arguments.out.with_name(f".{arguments.out.name}.partial")
    shutil.rmtree(staging, ignore_errors=True)
    network, locator = load_network(arguments.network, LUCENCY_NET), load_network(arguments.locator, "locator")
    assert isinstance(network, LucencyNet)
    assert isinstance(locator, HipLocator)
    export_networks(staging, network, locator)
    paths = staging / ONNX_FILE, staging / LOCATOR_ONNX_FILE
    spec = cohort(CALIBRATION, limits(arguments.limit))
    rows = scored(spec, arguments.work, *paths, arguments.workers)
    films = read_rows(arguments.films) if arguments.films else None
    chosen_on = "real films with inserted lines, out of fold" if films else f"{CALIBRATION} cohort, seed {spec.seed}"
    calibration = calibrate(rows, chosen_on, films)
    card = build_card(
        identifier=arguments.out.name,
        version=arguments.version,
        title=arguments.title,
        calibration=calibration,
        cohort=cohort_of([record for folder in arguments.data for record in read_records(folder)]),
        inserted=films is not None,
    )
    reference = simulate(spec.seed, 0, spec.options).pixels
    commands = command_lines(arguments)
    description = [*(DESCRIPTION_INSERTED if films else DESCRIPTION), *([arguments.note] if arguments.note else [])]
    bundle = seal(staging, card, reference, render(card, {}, description, commands))
    metrics, extra = evaluate(
        bundle,
        arguments.work,
        [CALIBRATION, *arguments.sets],
        limits(arguments.limit),
        arguments.workers,
        default_corpus(),
    )
    calibration_cases = case_folder(spec, arguments.work, paths[1])
    metrics += randomisation(arguments.network, calibration_cases)
    measured_before = [msgspec.json.decode(path.read_bytes(), type=list[Metric]) for path in arguments.figures]
    on_films = by_patient(judged(films or [], card), lambda drawn: at_operating_point(drawn, card, FILM_SET))
    metrics = [*on_films, *(metric for figures in measured_before for metric in figures), *metrics]
    card = replace_metrics(card, tuple(metrics))
    bundle = seal(staging, card, None, render(card, extra, description, commands))
    shutil.rmtree(arguments.out, ignore_errors=True)
    staging.rename(arguments.out)
    return load_bundle(arguments.out)


def run_line(checkpoint: Path) -> str:
    """The command of the run that left this checkpoint."""
    options = json.loads((checkpoint.parent / "options.json").read_text(encoding="utf-8"))
    out = _portable(checkpoint.parent)
    if options["network"] == "gate":
        return (
            f"python -m training gate --out {out} --cropped {options['cropped']} "
            f"--uncovered-design {options['uncovered_design']} --suitable {options['suitable']} --seed {options['seed']} "
            f"--epochs {options['epochs']} --data … --start … --locator …"
        )
    if options["network"] == "average":
        networks = " ".join(_portable(Path(name)) for name in options["networks"])
        return f"python -m training average --networks {networks} --out {out} --seed {options['seed']} --data …"
    held_out = f"--hold-out {options['hold_out']} " if options.get("hold_out") else ""
    return (
        f"python -m training fit --network {options['network']} --out {out} {held_out}--steps {options['steps']} "
        f"--batch {options['batch']} --learning-rate {options['learning_rate']} "
        f"--patch-until {options['patch_until']} --seed {options['seed']} --data … [--start …]"
    )


def command_lines(arguments: argparse.Namespace) -> list[str]:
    """What reproduces the bundle: every run's own options in order, and this command."""
    lines = [run_line(checkpoint) for checkpoint in (*arguments.earlier, arguments.network, arguments.locator)]
    lines.append(
        f"python -m training bundle --network {_portable(arguments.network)} --locator {_portable(arguments.locator)} "
        f"--out {_portable(arguments.out)} --version {arguments.version} …"
    )
    lines.append(f"python -m training evaluate --bundle {_portable(arguments.out)}")
    return lines


def _portable(path: Path) -> str:
    """As seen from the working folder; of what lies elsewhere the last two names: a card tells no one's folders."""
    found = path.resolve()
    if found.is_relative_to(Path.cwd()):
        return found.relative_to(Path.cwd()).as_posix()
    return "/".join(("…", *found.parts[-2:]))


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("bundle", help="finished runs -> a calibrated, measured model folder")
    parser.add_argument("--network", type=Path, required=True, help="checkpoint.pt of lucency-net")
    parser.add_argument("--locator", type=Path, required=True, help="checkpoint.pt of the locator")
    parser.add_argument(
        "--earlier", type=Path, nargs="*", default=[], help="checkpoints of the runs before, for the card"
    )
    parser.add_argument("--films", type=Path, help="rows of `evaluate-films`, out of fold: calibrate on real films")
    parser.add_argument("--figures", type=Path, nargs="*", default=[], help="figures of `evaluate-films`, for the card")
    parser.add_argument("--note", default="", help="a sentence for the card on how this network came to be")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="the prepared hips that it learnt from")
    parser.add_argument("--out", type=Path, default=Path("resources/models/lucency-1"))
    parser.add_argument("--version", required=True, help="of the new bundle, as 1.2.0; no network may bear another's")
    parser.add_argument("--title", default="Lucency, simulated radiographs")
    parser.add_argument("--work", type=Path, default=Path("runs/evaluation"))
    parser.add_argument("--sets", nargs="*", default=list(EVALUATION), choices=EVALUATION)
    parser.add_argument("--limit", nargs="*", default=[], help="only so many radiographs of each set: 500 gate=300")
    parser.add_argument("--workers", type=int, default=2)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    bundle = make_bundle(arguments)
    print(table(bundle.card.metrics))  # noqa: T201 the command's answer
    return 0
