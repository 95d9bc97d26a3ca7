"""`python -m training pretrain`: a published architecture on many simulated hips, to transfer from.

Stands in for ImageNet where its weights cannot be had, and is closer to the task. The label alone teaches little in
the time that two cores give (docs/benchmark.md): a 1x1 convolution on the activations that the maps are made of
learns the lucency mask beside it, and is thrown away afterwards. What is kept is the library's own state dict, which
`cross-validate --weights FILE` and `benchmark --weights FOLDER` read. Seeded and resumable.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from inference.lucency_net import INPUT_SIZE
from inference.model_bundle import PUBLISHED_ARCHITECTURES
from inference.networks import ARCHITECTURES, PublishedNetwork, create
from training.augment import AugmentOptions, as_grey, make_batch
from training.cross_validate import normalised
from training.dataset import HipSet, load_shards
from training.fit import Sampler
from training.losses import evidence_targets, known_bce

CHECKPOINT_S = 60.0
LOOSE = 0  # the column of dataset.LABELS


@dataclass(frozen=True)
class PretrainOptions:
    architecture: str = "resnet50"
    steps: int = 1500
    batch: int = 12
    input_size: int | None = None  # None: what the architecture was published with
    learning_rate: float = 3e-4
    weight_decay: float = 0.02
    mask_weight: float = 1.0
    seed: int = 1
    threads: int = 2
    reduced_precision: bool = True


class Pretraining(nn.Module):
    """The network with its passing mask head: one plane per component, at the grid of its activations."""

    def __init__(self, name: str, size: int) -> None:
        super().__init__()
        self.network: PublishedNetwork = create(name)
        self.network.eval()
        with torch.inference_mode():
            channels = self.network.forward_features(torch.zeros(1, 3, size, size)).shape[1]
        self.lines = nn.Conv2d(channels, 2, 1)

    def forward(self, given: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, S, S) -> logit for loosening (B,), line logits (B, 2, h, w)."""
        features = self.network.forward_features(given)
        return self.network.forward_head(features)[:, 0], self.lines(features)


def dense_loss(
    model: Pretraining, hips: HipSet, at: Tensor, size: int, options: PretrainOptions, generator: torch.Generator
) -> Tensor:
    """Of the hips `at`: cross-entropy of the label and, weighted, of the lucency mask on the activations' grid."""
    spec = ARCHITECTURES[options.architecture].spec
    batch = make_batch(
        hips.pixels[at],
        hips.masks[at],
        hips.landmarks[at],
        size=INPUT_SIZE,
        generator=generator,
        options=AugmentOptions(),
    )
    grey = functional.interpolate(as_grey(batch.image), (size, size), mode="bilinear", antialias=True)
    labels, suitability = hips.labels[at], hips.suitability[at]
    with torch.autocast("cpu", torch.bfloat16, enabled=options.reduced_precision):
        loose, lines = model(normalised(grey.clamp(0.0, 1.0), spec).to(memory_format=torch.channels_last))
    targets = evidence_targets(batch.masks, labels, suitability[:, 0] == 0)
    # A cell of the coarse grid is lucent when any finer one is, and unknown when any is unknown and none lucent.
    coarse = functional.adaptive_max_pool2d(torch.nan_to_num(targets, nan=0.5), lines.shape[-2:])
    coarse = torch.where(coarse == 0.5, torch.nan, coarse)
    weight = 1.0 + 3.0 * torch.nan_to_num(coarse, nan=0.0)
    return known_bce(loose.float(), labels[:, LOOSE]) + options.mask_weight * known_bce(lines.float(), coarse, weight)


def pretrain(hips: HipSet, folder: Path, options: PretrainOptions) -> Path:
    """Train into `folder`; returns ARCHITECTURE.safetensors. A finished run is not run again; a stopped one goes on."""
    folder.mkdir(parents=True, exist_ok=True)
    result = folder / f"{options.architecture}.safetensors"
    if result.is_file():
        return result
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    size = options.input_size or ARCHITECTURES[options.architecture].spec.size
    model = Pretraining(options.architecture, size).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.learning_rate, total_steps=options.steps + 1, pct_start=0.1
    )
    checkpoint = folder / f"{options.architecture}.checkpoint.pt"
    done = 0
    if checkpoint.is_file():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        done = int(state["step"])
    sampler = Sampler(hips, options.seed * 100_003 + done)
    generator = torch.Generator().manual_seed(options.seed * 100_003 + done)
    saved = time.monotonic()
    losses: list[float] = []
    title = ARCHITECTURES[options.architecture].title
    with tqdm(total=options.steps, initial=done, desc=title, unit="step", file=sys.stderr, mininterval=10) as bar:
        for step in range(done, options.steps):
            loss = dense_loss(model, hips, sampler.draw(options.batch), size, options, generator)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
            bar.update()
            if time.monotonic() - saved > CHECKPOINT_S:
                bar.set_postfix(loss=f"{sum(losses) / len(losses):.3f}")
                losses.clear()
                _save(checkpoint, model, optimizer, schedule, step + 1)
                saved = time.monotonic()
    temporary = result.with_suffix(".partial")
    save_file({name: value.contiguous() for name, value in model.network.body.state_dict().items()}, temporary)
    (folder / f"{options.architecture}.json").write_text(
        json.dumps({**asdict(options), "hips": len(hips), "shards": len(hips.shards)}, indent=1), encoding="utf-8"
    )
    temporary.replace(result)
    checkpoint.unlink(missing_ok=True)
    return result


def _save(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    step: int,
) -> None:
    temporary = path.with_suffix(".partial")
    torch.save(
        {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
            "step": step,
        },
        temporary,
    )
    temporary.replace(path)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    defaults = PretrainOptions()
    parser = subparsers.add_parser("pretrain", help="a published architecture on many simulated hips, to transfer from")
    parser.add_argument("--data", type=Path, required=True, help="folder that `prepare` wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for ARCHITECTURE.safetensors")
    parser.add_argument("--architectures", nargs="+", choices=PUBLISHED_ARCHITECTURES, default=PUBLISHED_ARCHITECTURES)
    parser.add_argument("--steps", type=int, default=defaults.steps)
    parser.add_argument("--batch", type=int, default=defaults.batch)
    parser.add_argument("--input-size", type=int, help="smaller than published, for small machines")
    parser.add_argument("--learning-rate", type=float, default=defaults.learning_rate)
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--threads", type=int, default=defaults.threads)
    parser.add_argument("--limit", type=int, help="use the first shards only")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    hips = load_shards(arguments.data, arguments.limit)
    for name in arguments.architectures:
        options = PretrainOptions(
            architecture=name,
            steps=arguments.steps,
            batch=arguments.batch,
            input_size=arguments.input_size,
            learning_rate=arguments.learning_rate,
            seed=arguments.seed,
            threads=arguments.threads,
        )
        pretrain(hips, arguments.out, options)
    return 0
