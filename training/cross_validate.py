"""`python -m training cross-validate`: a published architecture on a hospital's own cohort, folds kept by patient.

Every fold is resumable: finished folds are kept, a stopped one goes on from its last epoch. Lightning drives the
training, so that several GPUs or nodes are a matter of options (`--devices`, `--nodes`, `--strategy`).
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import numpy.typing as npt
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, WeightedRandomSampler

from imaging.reader import read_radiograph
from imaging.sources import Source
from inference.lucency_net import INPUT_SIZE, LucencyNet, without_foreign_gate
from inference.model_bundle import LUCENCY_NET, PUBLISHED_ARCHITECTURES
from inference.networks import ARCHITECTURES, PublishedNetwork, create
from inference.preprocess import InputSpec, crop_region
from training.cohort import CohortCase, CohortError, check_cohort, patient_folds, read_cohort
from training.report import write_report
from training.strata import strata_columns

PREDICTIONS = "predictions.csv"
RESUME_FILE = "last.ckpt"
RESUME_S = 60.0
CALL_THRESHOLD = 50.0  # of the score 0-100: no threshold is tuned on the cases that it is measured on


@dataclass(frozen=True)
class CrossValidationOptions:
    architecture: str = "resnet50"
    weights: str = "none"  # "imagenet", "none", or a file in the library's layout
    folds: int = 5
    epochs: int = 60
    patience: int = 10
    batch: int = 8
    learning_rate: float = 1e-4
    weight_decay: float = 0.01
    input_size: int | None = None  # None: what the architecture was published with
    precision: str = "32-true"
    devices: str = "auto"
    nodes: int = 1
    strategy: str = "auto"
    accelerator: str = "auto"
    seed: int = 1
    progress: bool = True


def input_spec(options: CrossValidationOptions) -> InputSpec:
    published = (
        InputSpec(INPUT_SIZE) if options.architecture == LUCENCY_NET else ARCHITECTURES[options.architecture].spec
    )
    size = options.input_size or published.size
    return InputSpec(size, published.channels, published.mean, published.std)


def normalised(grey: Tensor, spec: InputSpec) -> Tensor:
    """(B, 1, S, S) grey 0-1 -> (B, channels, S, S) as the network is given it."""
    mean = torch.tensor(spec.mean, device=grey.device).reshape(1, -1, 1, 1)
    std = torch.tensor(spec.std, device=grey.device).reshape(1, -1, 1, 1)
    return (grey.expand(-1, spec.channels, -1, -1) - mean) / std


class HipDataset(Dataset[tuple[Tensor, Tensor]]):
    """Grey crops (1, S, S) 0-1 and labels, read once and kept."""

    def __init__(self, cases: Sequence[CohortCase], size: int) -> None:
        crops = []
        for case in cases:
            radiograph = read_radiograph(Source(case.path))
            crops.append(crop_region(radiograph.pixels, case.region(radiograph), size))
        self.images = torch.from_numpy(np.stack(crops)[:, None])
        self.labels = torch.tensor([float(case.loose) for case in cases])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.images[index], self.labels[index]


def vary(grey: Tensor) -> Tensor:
    """Random flip, rotation, scale, shift, squash and tone of (B, 1, S, S) grey 0-1; drawn from torch's generator."""
    count = len(grey)

    def between(low: float, high: float) -> Tensor:
        return torch.rand(count, device=grey.device) * (high - low) + low

    angle = between(-10, 10) * torch.pi / 180
    scale_x, scale_y = between(0.88, 1.15), between(0.88, 1.15)
    flip = torch.where(torch.rand(count, device=grey.device) < 0.5, -1.0, 1.0)
    cos, sin = torch.cos(angle), torch.sin(angle)
    matrix = torch.stack(
        [
            torch.stack([cos * scale_x * flip, -sin * scale_y, between(-0.08, 0.08)], dim=1),
            torch.stack([sin * scale_x * flip, cos * scale_y, between(-0.08, 0.08)], dim=1),
        ],
        dim=1,
    )
    moved = functional.grid_sample(
        grey, functional.affine_grid(matrix, list(grey.shape), align_corners=False), align_corners=False
    )
    gamma = torch.exp(between(-0.35, 0.35)).reshape(-1, 1, 1, 1)
    gain = between(0.9, 1.2).reshape(-1, 1, 1, 1)
    return (moved.clamp_min(1e-4) ** gamma * gain).clamp(0, 1)


def build(options: CrossValidationOptions) -> LucencyNet | PublishedNetwork:
    """The network with the weights that it starts from."""
    if options.architecture != LUCENCY_NET:
        return create(options.architecture, 1, options.weights)
    network = LucencyNet()
    if options.weights != "none":
        load_body(network, Path(options.weights))
    return network


def body_of(network: LucencyNet | PublishedNetwork) -> nn.Module:
    """What a weights file holds: of a published network the library's own module."""
    return network if isinstance(network, LucencyNet) else network.body


def load_body(network: LucencyNet | PublishedNetwork, path: Path) -> None:
    """Weights that `run_fold` saved, or a bundle's."""
    body = body_of(network)
    body.load_state_dict(without_foreign_gate(body, load_file(path)))


class LoosenessModule(lightning.LightningModule):
    """One network with one logit for loosening."""

    def __init__(self, options: CrossValidationOptions) -> None:
        super().__init__()
        self.options = options
        self.spec = input_spec(options)
        self.network = build(options)

    def forward(self, grey: Tensor) -> Tensor:
        """(B, 1, S, S) grey 0-1 -> logits (B,)."""
        given = normalised(grey, self.spec)
        if isinstance(self.network, LucencyNet):
            return self.network.training_outputs(given)["loose"]
        return self.network(given)[:, 0]

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        grey, label = batch
        loss = functional.binary_cross_entropy_with_logits(self(vary(grey)), label)
        self.log("train_loss", loss, on_epoch=True, on_step=False, batch_size=len(label))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        grey, label = batch
        loss = functional.binary_cross_entropy_with_logits(self(grey), label)
        self.log("val_loss", loss, prog_bar=True, batch_size=len(label), sync_dist=True)

    def predict_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        return self(batch[0])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            self.parameters(), lr=self.options.learning_rate, weight_decay=self.options.weight_decay
        )


class ResumeFile(lightning.Callback):
    """What a stopped fold goes on from: written at the end of an epoch, at most once in RESUME_S seconds.

    On 40 patients an epoch of a network with 140 M parameters is over before its optimizer's state is on disk.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written = time.monotonic()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if time.monotonic() - self._written >= RESUME_S:
            trainer.save_checkpoint(self.path)
            self._written = time.monotonic()


def balanced_loader(data: HipDataset, batch: int, seed: int) -> DataLoader[tuple[Tensor, Tensor]]:
    """Both classes equally often. The last batch is dropped when it would hold one image: batch norm needs two."""
    loose = data.labels == 1
    weights = torch.where(loose, 0.5 / loose.sum().clamp_min(1), 0.5 / (~loose).sum().clamp_min(1))
    generator = torch.Generator().manual_seed(seed)
    sampler = WeightedRandomSampler(weights.tolist(), len(data), generator=generator)
    return DataLoader(data, batch_size=min(batch, len(data)), sampler=sampler, drop_last=len(data) > batch)


def run_fold(
    fold: int,
    cases: Sequence[CohortCase],
    assigned: npt.NDArray[np.int_],
    folder: Path,
    options: CrossValidationOptions,
) -> None:
    """Train without fold `fold`, predict it, write its predictions and weights. Nothing to do when they exist."""
    target = folder / f"fold-{fold}"
    if (target / PREDICTIONS).is_file():
        return
    target.mkdir(parents=True, exist_ok=True)
    lightning.seed_everything(options.seed + fold, workers=True, verbose=False)
    test = [case for case, own in zip(cases, assigned, strict=True) if own == fold]
    others = [case for case, own in zip(cases, assigned, strict=True) if own != fold]
    # A part of the other patients tells when to stop; it is neither learnt from nor measured on.
    inner = patient_folds([_without_fold(case) for case in others], inner_parts(others), options.seed)
    learn = [case for case, part in zip(others, inner, strict=True) if part != 0]
    watch = [case for case, part in zip(others, inner, strict=True) if part == 0]
    size = input_spec(options).size
    module = LoosenessModule(options)
    last = target / RESUME_FILE
    # The best epoch is settled before the file to resume from is written, so that the two agree.
    best = ModelCheckpoint(
        target,
        "best",
        monitor="val_loss",
        save_weights_only=True,
        save_on_train_epoch_end=False,
        enable_version_counter=False,
    )
    callbacks: list[Any] = [EarlyStopping("val_loss", patience=options.patience), ResumeFile(last), best]
    # Lightning's bars go where the command's answer goes.
    progress = options.progress and sys.stdout.isatty()
    if progress:
        callbacks.append(TQDMProgressBar(refresh_rate=1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's advice is for who writes the loop: images are in memory here
        trainer = lightning.Trainer(
            max_epochs=options.epochs,
            precision=options.precision,  # type: ignore[arg-type]
            accelerator=options.accelerator,
            devices=options.devices if not options.devices.isdigit() else int(options.devices),
            num_nodes=options.nodes,
            strategy=options.strategy,
            callbacks=callbacks,
            logger=CSVLogger(target, name="", version=""),
            enable_progress_bar=progress,
            enable_model_summary=False,
            log_every_n_steps=1,
            deterministic="warn",
        )
        trainer.fit(
            module,
            balanced_loader(HipDataset(learn, size), options.batch, options.seed + fold),
            DataLoader(HipDataset(watch, size), batch_size=options.batch),
            ckpt_path=str(last) if last.is_file() else None,
        )
        if best.best_model_path:
            state = torch.load(best.best_model_path, map_location="cpu", weights_only=True)["state_dict"]
            module.load_state_dict(state)
        parts = trainer.predict(module, DataLoader(HipDataset(test, size), batch_size=options.batch))
    logits = torch.cat([part for part in parts or [] if isinstance(part, Tensor)]).double()
    if not trainer.is_global_zero:
        return
    state = {name: value.contiguous() for name, value in body_of(module.network).state_dict().items()}
    save_file(state, target / "model.safetensors")
    write_predictions(target / PREDICTIONS, test, torch.sigmoid(logits).mul(100).tolist(), options.architecture)
    for checkpoint in target.glob("*.ckpt"):
        checkpoint.unlink()  # gigabytes over the folds of a large network


def _without_fold(case: CohortCase) -> CohortCase:
    """The CSV's own folds say nothing about the inner split."""
    return replace(case, fold=None)


def inner_parts(cases: Sequence[CohortCase]) -> int:
    """Sixths where there are patients enough, else what the smaller class allows."""
    patients = min(len({case.patient for case in cases if case.loose is loose}) for loose in (True, False))
    return max(2, min(6, patients))


def write_predictions(path: Path, cases: Sequence[CohortCase], scores: Sequence[float], reader: str) -> None:
    """The readings CSV: one row per hip; written whole or not at all."""
    temporary = path.with_suffix(".partial")
    with temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["reader", "mode", "case", "truth", "score", "patient", "side", "call"])
        for case, score in zip(cases, scores, strict=True):
            row = [reader, "algorithm", case.id, int(case.loose), f"{score:.4f}", case.patient, str(case.side)]
            writer.writerow([*row, int(score >= CALL_THRESHOLD)])
    temporary.replace(path)


def read_predictions(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def cross_validate(cases: Sequence[CohortCase], folder: Path, options: CrossValidationOptions) -> dict[str, Any]:
    """All folds, the out-of-fold predictions, and the report. CohortError when the cohort cannot be used, or when the
    folder holds a run with other options."""
    check_cohort(cases, options.folds)
    folder.mkdir(parents=True, exist_ok=True)
    assigned = patient_folds(cases, options.folds, options.seed)
    plan = {
        "options": {name: value for name, value in asdict(options).items() if name not in ("progress", "devices")},
        "folds": {f"{case.row}": int(fold) for case, fold in zip(cases, assigned, strict=True)},
    }
    plan_file = folder / "plan.json"
    if plan_file.is_file() and json.loads(plan_file.read_text(encoding="utf-8")) != plan:
        raise CohortError([f"The folder {folder} holds a run with other options or another cohort: choose a new one."])
    plan_file.write_text(json.dumps(plan, indent=1), encoding="utf-8")
    for fold in sorted(set(assigned.tolist())):
        run_fold(fold, cases, assigned, folder, options)
    rows = [
        row | {"fold": str(fold)}
        for fold in sorted(set(assigned.tolist()))
        for row in read_predictions(folder / f"fold-{fold}" / PREDICTIONS)
    ]
    with (folder / PREDICTIONS).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, [name for name in rows[0] if name != "fold"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    ordered = [
        case
        for fold in sorted(set(assigned.tolist()))
        for case, own in zip(cases, assigned, strict=True)
        if own == fold
    ]
    return write_report(folder, rows, plan["options"], strata_columns(ordered))


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    defaults = CrossValidationOptions()
    parser = subparsers.add_parser("cross-validate", help="a published architecture on your own cohort, by patient")
    parser.add_argument("--cohort", type=Path, required=True, help="CSV: path, patient, side, label[, region][, date]")
    parser.add_argument("--architecture", choices=(*PUBLISHED_ARCHITECTURES, LUCENCY_NET), required=True)
    parser.add_argument("--weights", default=defaults.weights, help="imagenet, none, or a file")
    parser.add_argument("--out", type=Path, required=True)
    for name, kind in (
        ("folds", int),
        ("epochs", int),
        ("patience", int),
        ("batch", int),
        ("nodes", int),
        ("seed", int),
    ):
        parser.add_argument(f"--{name}", type=kind, default=getattr(defaults, name))
    parser.add_argument("--learning-rate", type=float, default=defaults.learning_rate)
    parser.add_argument("--input-size", type=int)
    for name in ("precision", "devices", "strategy", "accelerator"):
        parser.add_argument(f"--{name}", default=getattr(defaults, name), help="as in lightning.Trainer")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    options = CrossValidationOptions(
        **{name: getattr(arguments, name) for name in asdict(CrossValidationOptions()) if hasattr(arguments, name)}
    )
    try:
        figures = cross_validate(read_cohort(arguments.cohort), arguments.out, options)
    except CohortError as error:
        print(error, file=sys.stderr)  # noqa: T201 the command's answer
        return 1
    print(json.dumps(figures, indent=1))  # noqa: T201
    return 0
