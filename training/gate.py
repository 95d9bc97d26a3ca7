"""`python -m training gate`: teach the gate alone, on the regions that the locator proposes.

`fit` sees images to refuse in the frame of their own hip. A user's cut-off radiograph comes in the frame that the locator
proposes, which often ends where the picture does; and designs that are not covered are rare among training's images. This
draws more of both and trains the gate's own stage and head on what the shared stages of a finished network see there. No
other weight changes: scores, maps and landmarks stay what they were.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

from inference.lucency_net import GATE, INPUT_SIZE, LOCATOR_SIZE, SUITABILITY, HipLocator, LucencyNet
from inference.model_bundle import LOCATOR_ONNX_FILE, LOCATOR_WEIGHTS_FILE, LUCENCY_NET
from inference.networks import locator_outputs
from training.augment import AugmentOptions, cut_films, make_batch
from training.bundle import export
from training.dataset import HipSet, load_shards, without_fold
from training.fit import load_network
from training.losses import known_bce
from training.prepare import TRAINING_OPTIONS
from training.scoring import CohortSpec, prepare_cases
from training.simulation.evaluation_sets import refuse_reserved, training_seed
from training.simulation.truth import Suitability

CHUNK = 16  # hips at once where nothing is learnt
CUT_OFTEN = AugmentOptions(cut_probability=0.5)
_COMPLETE = [SUITABILITY.index(name) for name in ("stem_complete", "cup_complete")]
# Of all that is trained on, by kind; the kinds that are not named share the rest. Real films are kinds of their own, and so
# are hips of which a part is cut off.
SHARES = {
    "suitable": 0.15,
    "film suitable": 0.22,
    "film partial": 0.15,
    "partial": 0.1,
    "cropped": 0.06,
    "uncovered_design": 0.07,
}


@dataclass(frozen=True)
class GateOptions:
    cropped: int = 700  # radiographs drawn
    uncovered_design: int = 900
    suitable: int = 400
    seed: int = 501  # and the two after it
    epochs: int = 6
    batch: int = 64
    learning_rate: float = 8e-4
    weight_decay: float = 0.05
    views: int = 6  # of every real film that is trained on, each varied and cut otherwise
    hold_out: str = ""  # K/N: real films of this fold are left out
    held_out_every: int = 7  # one in so many files of what was drawn says how it went, and is not learnt from
    threads: int = 2
    reduced_precision: bool = True  # bfloat16 where the processor has it


@dataclass
class Bank:
    """What the gate learns from: one row per hip."""

    maps: Tensor  # (n, c4, S/16, S/16) bfloat16: what the shared stages see
    metal: Tensor  # (n,): logit of the cells where metal is seen, the other half of "implant"
    targets: Tensor  # (n, 4) in the order of SUITABILITY, nan where it is not asked
    kinds: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.maps)


def joined(banks: Sequence[Bank]) -> Bank:
    return Bank(
        torch.cat([bank.maps for bank in banks]),
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


def drawn_bank(network: LucencyNet, paths: Sequence[Path], *, mirrored: bool, precise: bool) -> Bank:
    """Every proposed region in files of training.scoring.prepare_cases; `mirrored`: each of them a second time, so."""
    banks = []
    for path in paths:
        with path.with_suffix(".jsonl").open(encoding="utf-8") as stream:
            rows = [json.loads(line) for line in stream]
        with np.load(path, allow_pickle=False) as data:
            images = torch.from_numpy(data["images"].astype(np.float32))[:, None]
        kept = [at for at, row in enumerate(rows) if row["found"]]
        # None becomes nan: not asked.
        asked = np.array([[rows[at]["suitability_targets"][name] for name in SUITABILITY] for at in kept], np.float32)
        targets = torch.from_numpy(asked.reshape(-1, len(SUITABILITY)))
        kinds = np.array([rows[at]["hip_suitability"] for at in kept])
        for given in (images[kept], images[kept].flip(3)) if mirrored else (images[kept],):
            banks.append(Bank(*seen_by(network, given.split(CHUNK), precise=precise), targets, kinds))
    return joined(banks)


def varied_bank(network: LucencyNet, hips: HipSet, seed: int, *, precise: bool, views: int = 1) -> Bank:
    """Prepared hips as `fit` meets them, randomly varied and cut, `views` times over."""
    generator = torch.Generator().manual_seed(seed)
    targets: list[Tensor] = []
    kinds: list[str] = []

    def batches() -> Iterator[Tensor]:
        for part in torch.arange(len(hips)).repeat(views).split(CHUNK):
            made = make_batch(
                hips.pixels[part], hips.masks[part], hips.landmarks[part],
                size=INPUT_SIZE, generator=generator, options=AugmentOptions(),
            )  # fmt: skip
            made, _, wanted = cut_films(made, hips.labels[part], hips.suitability[part], CUT_OFTEN, generator)
            targets.append(wanted)
            kinds.extend(_kind(hips.records[at], own) for at, own in zip(part.tolist(), wanted, strict=True))
            yield made.image

    maps, metal = seen_by(network, batches(), precise=precise)
    return Bank(maps, metal, torch.cat(targets), np.array(kinds))


def _kind(record: Mapping[str, object], targets: Tensor) -> str:
    """Of one hip, for its share of the training."""
    kind = str(record["hip_suitability"])
    if kind == "suitable" and record.get("implant") == "hemi":
        kind = "hemiarthroplasty"
    elif kind == "suitable" and bool((targets[_COMPLETE] == 0).any()):
        kind = "partial"
    return f"film {kind}" if record.get("source") == "inserted" else kind


def seen_by(network: LucencyNet, batches: Iterable[Tensor], *, precise: bool) -> tuple[Tensor, Tensor]:
    """Batches (b, 1, S, S) -> maps and metal of a Bank."""
    maps, metal = [], []
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=not precise):
        for given in batches:
            f3, f4 = network.shared(given.to(memory_format=torch.channels_last))
            p3, _ = network.dense(f3, f4)
            maps.append(f4.bfloat16())
            metal.append(network.metal_seen(network.auxiliary_head(p3).float()))
    return torch.cat(maps), torch.cat(metal)


def chances(kinds: npt.NDArray[np.str_]) -> npt.NDArray[np.float64]:
    """(n,) of being drawn: every kind as SHARES says, however often it occurs."""
    present = sorted(set(kinds.tolist()))
    others = [kind for kind in present if kind not in SHARES]
    rest = (1.0 - sum(SHARES.values())) / max(1, len(others))
    found = np.zeros(len(kinds))
    for kind in present:
        members = kinds == kind
        found[members] = SHARES.get(kind, rest) / members.sum()
    return found / found.sum()


def train_gate(network: LucencyNet, bank: Bank, options: GateOptions) -> None:
    """The gate's stage and head of `network`, in place."""
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    network.requires_grad_(False)
    own = (network.gate_stage, network.suitability_head)
    for module in own:
        module.requires_grad_(True).train()
    parameters = [parameter for module in own for parameter in module.parameters()]
    optimizer = torch.optim.AdamW(parameters, options.learning_rate, weight_decay=options.weight_decay)
    steps = options.epochs * -(-len(bank) // options.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.learning_rate, total_steps=steps, pct_start=0.15)
    drawn = chances(bank.kinds)
    for _ in tqdm(range(steps), desc="gate", unit="step", file=sys.stderr, mininterval=10):
        at = torch.from_numpy(rng.choice(len(bank), options.batch, p=drawn))
        turned = torch.from_numpy(rng.random(options.batch) < 0.5)[:, None, None, None]
        maps = bank.maps[at].float()
        maps = torch.where(turned, maps.flip(3), maps).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=options.reduced_precision):
            logits = network.suitability(maps, bank.metal[at])
        loss = known_bce(logits.float(), bank.targets[at])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
    network.eval()


def refused_shares(network: LucencyNet, bank: Bank, accepted: float = 0.99) -> dict[str, float]:
    """Of each kind the share that falls below, where each output alone keeps `accepted` of the suitable hips."""
    with torch.no_grad():
        parts = [
            network.suitability(maps.float(), metal)
            for maps, metal in zip(bank.maps.split(CHUNK), bank.metal.split(CHUNK), strict=True)
        ]
    logits = torch.cat(parts).numpy()
    suitable = bank.kinds == "suitable"
    whole = [SUITABILITY.index(name) for name in GATE]
    limits = np.quantile(logits[suitable][:, whole], 1 - accepted, axis=0)
    below = (logits[:, whole] < limits).any(axis=1)
    return {kind: round(float(below[bank.kinds == kind].mean()), 4) for kind in sorted(set(bank.kinds.tolist()))}


def teach(start: Path, locator: Path, data: Sequence[Path], folder: Path, options: GateOptions, workers: int) -> Path:
    """Draw, learn, write `folder`/checkpoint.pt. What was drawn before is kept."""
    torch.set_num_threads(options.threads)
    network, finder = load_network(start, LUCENCY_NET), load_network(locator, "locator")
    assert isinstance(network, LucencyNet)
    assert isinstance(finder, HipLocator)
    network = network.to(memory_format=torch.channels_last)
    precise = not options.reduced_precision
    folder.mkdir(parents=True, exist_ok=True)
    engine = folder / LOCATOR_ONNX_FILE
    export(locator_outputs(finder), LOCATOR_SIZE, engine, folder / LOCATOR_WEIGHTS_FILE)
    learnt, kept = [], []
    for spec in specs(options):
        if not spec.count:
            continue
        prepare_cases(spec, folder / spec.name, engine, workers)
        paths = sorted((folder / spec.name).glob("cases-*.npz"))
        kept += paths[:: options.held_out_every]
        learnt += [path for path in paths if path not in kept]
    banks = [drawn_bank(network, learnt, mirrored=True, precise=precise)] if learnt else []
    for number, place in enumerate(tqdm(data, desc="prepared hips", unit="folder", file=sys.stderr)):
        hips = load_shards(place)
        real = any(record.get("source") == "inserted" for record in hips.records)
        if real:
            hips = hips.chosen([record.get("variant") == "original" for record in hips.records])
        hips = without_fold(hips, options.hold_out)
        banks.append(
            varied_bank(network, hips, options.seed + number, precise=precise, views=options.views if real else 1)
        )
    held_out = drawn_bank(network, kept, mirrored=False, precise=precise) if kept else banks[-1]
    before = refused_shares(network, held_out)
    train_gate(network, joined(banks), options)
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
    parser.add_argument("--epochs", type=int, default=defaults.epochs)
    parser.add_argument("--views", type=int, default=defaults.views)
    parser.add_argument("--hold-out", metavar="K/N", default="", help="leave out the real films of fold K of N")
    parser.add_argument("--threads", type=int, default=defaults.threads)
    parser.add_argument("--workers", type=int, default=2)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    chosen = {name: getattr(arguments, name) for name in asdict(GateOptions()) if hasattr(arguments, name)}
    checkpoint = teach(
        arguments.start, arguments.locator, arguments.data, arguments.out, GateOptions(**chosen), arguments.workers
    )
    print((checkpoint.parent / "log.jsonl").read_text(encoding="utf-8"), end="")  # noqa: T201 the command's answer
    return 0
