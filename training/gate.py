"""`python -m training gate`: teach the gate alone, on the regions that the locator proposes.

`fit` sees images to refuse in the frame of their own hip. A user's cut-off radiograph comes in the frame that the locator
proposes, which often ends where the picture does; and designs that are not covered are rare among training's images. This
draws more of both, takes the pooled features of a finished network for them, and learns its suitability head anew. No
other weight changes: scores, maps and landmarks stay what they were.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

from inference.lucency_net import INPUT_SIZE, LOCATOR_SIZE, SUITABILITY, HipLocator, LucencyNet
from inference.model_bundle import LOCATOR_ONNX_FILE, LOCATOR_WEIGHTS_FILE, LUCENCY_NET
from inference.networks import locator_outputs
from training.augment import AugmentOptions, make_batch
from training.bundle import export
from training.dataset import HipSet, load_shards
from training.fit import load_network
from training.losses import known_bce
from training.prepare import TRAINING_OPTIONS
from training.scoring import CohortSpec, prepare_cases
from training.simulation.evaluation_sets import refuse_reserved, training_seed
from training.simulation.truth import Suitability

BATCH = 16
# Of all that is learnt from, by kind; the kinds that are not named share the rest. What `fit` left too often accepted
# is seen most.
SHARES = {"suitable": 0.45, "cropped": 0.2, "uncovered_design": 0.2}


@dataclass(frozen=True)
class GateOptions:
    cropped: int = 700  # radiographs drawn
    uncovered_design: int = 900
    suitable: int = 400
    seed: int = 501  # and the two after it
    views: int = 1  # of each prepared hip of `fit`, randomly varied
    epochs: int = 40
    batch: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    held_out_every: int = 7  # one in so many files of what was drawn says how it went, and is not learnt from
    threads: int = 2


@dataclass
class Bank:
    """What the head learns from: one row per hip and view."""

    features: Tensor  # (n, C), pooled
    metal: Tensor  # (n,): logit of the cells where metal is seen, the other half of "implant"
    targets: Tensor  # (n, 4) in the order of SUITABILITY, nan where it is not asked
    kinds: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.features)


def joined(banks: Sequence[Bank]) -> Bank:
    return Bank(
        torch.cat([bank.features for bank in banks]),
        torch.cat([bank.metal for bank in banks]),
        torch.cat([bank.targets for bank in banks]),
        np.concatenate([bank.kinds for bank in banks]),
    )


def specs(options: GateOptions) -> list[CohortSpec]:
    """What is drawn, one cohort per kind. ValueError for the seed of a frozen evaluation set."""
    found = []
    for number, kind in enumerate((Suitability.CROPPED, Suitability.UNCOVERED_DESIGN, Suitability.SUITABLE)):
        seed = options.seed + number
        refuse_reserved(seed)
        drawn = replace(TRAINING_OPTIONS, unsuitable_share=0.0, suitability=str(kind))
        found.append(CohortSpec(f"gate-{kind}", seed, int(getattr(options, str(kind))), drawn))
    return found


def drawn_bank(network: LucencyNet, paths: Sequence[Path]) -> Bank:
    """Every proposed region in files of training.scoring.prepare_cases, as it is and mirrored."""
    banks = []
    for path in paths:
        with path.with_suffix(".jsonl").open(encoding="utf-8") as stream:
            rows = [json.loads(line) for line in stream]
        with np.load(path, allow_pickle=False) as data:
            images = torch.from_numpy(data["images"].astype(np.float32))[:, None]
        kept = [at for at, row in enumerate(rows) if row["found"]]
        targets = torch.tensor(
            [[_target(rows[at]["suitability_targets"][name]) for name in SUITABILITY] for at in kept]
        ).reshape(-1, len(SUITABILITY))
        kinds = np.array([rows[at]["hip_suitability"] for at in kept])
        for given in (images[kept], images[kept].flip(3)):
            banks.append(Bank(*_pooled(network, given.split(BATCH)), targets, kinds))
    return joined(banks)


def _target(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def varied_bank(network: LucencyNet, hips: HipSet, views: int, seed: int) -> Bank:
    """Prepared hips as `fit` meets them, varied anew in each view."""
    generator = torch.Generator().manual_seed(seed)

    def batches() -> Iterator[Tensor]:
        for part in torch.arange(len(hips)).split(BATCH):
            yield make_batch(
                hips.pixels[part], hips.masks[part], hips.landmarks[part],
                size=INPUT_SIZE, generator=generator, options=AugmentOptions(),
            ).image  # fmt: skip

    kinds = np.array([str(record["hip_suitability"]) for record in hips.records])
    return joined([Bank(*_pooled(network, batches()), hips.suitability, kinds) for _ in range(views)])


def _pooled(network: LucencyNet, batches: Iterator[Tensor] | Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    features, metal = [], []
    with torch.no_grad():
        for given in batches:
            raw = network.training_outputs(given.to(memory_format=torch.channels_last))
            features.append(raw["features"])
            metal.append(network.metal_seen(raw["auxiliary"]))
    return torch.cat(features), torch.cat(metal)


def weights_of(kinds: npt.NDArray[np.str_]) -> Tensor:
    """(n, 1): every kind counts as SHARES says, however often it occurs."""
    present = sorted(set(kinds.tolist()))
    others = [kind for kind in present if kind not in SHARES]
    rest = (1.0 - sum(SHARES.values())) / max(1, len(others))
    weights = np.zeros(len(kinds), np.float32)
    for kind in present:
        members = kinds == kind
        weights[members] = SHARES.get(kind, rest) / members.sum()
    return torch.from_numpy(weights * len(kinds))[:, None]


def train_head(network: LucencyNet, bank: Bank, options: GateOptions) -> None:
    """The suitability head of `network`, in place."""
    torch.manual_seed(options.seed)
    generator = torch.Generator().manual_seed(options.seed)
    head = network.suitability_head.train()
    optimizer = torch.optim.AdamW(head.parameters(), options.learning_rate, weight_decay=options.weight_decay)
    weights = weights_of(bank.kinds)
    steps = options.epochs * ((len(bank) + options.batch - 1) // options.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(options.epochs):
        for part in torch.randperm(len(bank), generator=generator).split(options.batch):
            logits = network.suitability(bank.features[part], bank.metal[part])
            loss = known_bce(logits, bank.targets[part], weights[part])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
    head.eval()


def refused_shares(network: LucencyNet, bank: Bank, accepted: float = 0.99) -> dict[str, float]:
    """Of each kind the share that falls below, where each output alone keeps `accepted` of the suitable hips."""
    with torch.no_grad():
        logits = network.suitability(bank.features, bank.metal).numpy()
    suitable = bank.kinds == "suitable"
    limits = np.quantile(logits[suitable], 1 - accepted, axis=0)
    below = (logits < limits).any(axis=1)
    return {kind: round(float(below[bank.kinds == kind].mean()), 4) for kind in sorted(set(bank.kinds.tolist()))}


def teach(start: Path, locator: Path, data: Sequence[Path], folder: Path, options: GateOptions, workers: int) -> Path:
    """Draw, learn, write `folder`/checkpoint.pt. What was drawn before is kept."""
    torch.set_num_threads(options.threads)
    network, finder = load_network(start, LUCENCY_NET), load_network(locator, "locator")
    assert isinstance(network, LucencyNet)
    assert isinstance(finder, HipLocator)
    folder.mkdir(parents=True, exist_ok=True)
    engine = folder / LOCATOR_ONNX_FILE
    export(locator_outputs(finder), LOCATOR_SIZE, engine, folder / LOCATOR_WEIGHTS_FILE)
    network.requires_grad_(False)
    network.suitability_head.requires_grad_(True)
    learnt, kept = [], []
    for spec in specs(options):
        prepare_cases(spec, folder / spec.name, engine, workers)
        paths = sorted((folder / spec.name).glob("cases-*.npz"))
        kept += paths[:: options.held_out_every]
        learnt += [path for path in paths if path not in kept]
    banks, held_out = [drawn_bank(network, learnt)], drawn_bank(network, kept)
    for number, place in enumerate(tqdm(data, desc="prepared hips", unit="folder", file=sys.stderr)):
        banks.append(varied_bank(network, load_shards(place), options.views, options.seed + number))
    before = refused_shares(network, held_out)
    train_head(network, joined(banks), options)
    (folder / "options.json").write_text(json.dumps({"network": "gate", **asdict(options)}, indent=1), encoding="utf-8")
    log = {"held out": len(held_out), "before": before, "after": refused_shares(network, held_out)}
    (folder / "log.jsonl").write_text(json.dumps(log) + "\n", encoding="utf-8")
    checkpoint = folder / "checkpoint.pt"
    torch.save({"average": network.state_dict()}, checkpoint)
    return checkpoint


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    defaults = GateOptions()
    parser = subparsers.add_parser("gate", help="teach the gate alone, on the regions that the locator proposes")
    parser.add_argument("--start", type=Path, required=True, help="checkpoint.pt of a finished network")
    parser.add_argument("--locator", type=Path, required=True, help="checkpoint.pt of the locator")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders that `prepare` wrote")
    parser.add_argument("--out", type=Path, required=True)
    for name in ("cropped", "uncovered_design", "suitable"):
        option = "--" + name.replace("_", "-")
        parser.add_argument(option, type=int, default=getattr(defaults, name), help="radiographs to draw")
    parser.add_argument("--seed", type=training_seed, default=defaults.seed)
    parser.add_argument("--views", type=int, default=defaults.views, help="of each prepared hip")
    parser.add_argument("--epochs", type=int, default=defaults.epochs)
    parser.add_argument("--workers", type=int, default=2)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    chosen = {name: getattr(arguments, name) for name in asdict(GateOptions()) if hasattr(arguments, name)}
    checkpoint = teach(
        arguments.start, arguments.locator, arguments.data, arguments.out, GateOptions(**chosen), arguments.workers
    )
    print((checkpoint.parent / "log.jsonl").read_text(encoding="utf-8"), end="")  # noqa: T201 the command's answer
    return 0
