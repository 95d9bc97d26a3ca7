"""`python -m training fit`: train the bundled network, or the locator, on prepared hips. Seeded and resumable.

A plain loop rather than lightning: patches and whole hips alternate by step, and the run must survive being killed at
any minute on a small machine. Cross-validation on a hospital's cohort, where clusters matter, runs on lightning
(training/cross_validate.py).
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from torch import Tensor, distributed, nn
from tqdm import tqdm

from inference.lucency_net import COMPONENTS, INPUT_SIZE, HipLocator, LucencyNet, without_foreign_gate
from inference.model_bundle import WEIGHTS_FILE
from training.augment import AugmentOptions, cut_films, make_batch, stretch, tone
from training.dataset import CACHE_SIZE, MASK_STRIDE, MASKS, HipSet, grown, joined, load_shards, without_fold
from training.losses import LossWeights, locator_loss, pair_loss, patch_loss, whole_loss
from training.validation import validate, validate_locator

GROW_STEPS = 100
SUITABLE_SHARE = 0.74  # of a batch; the rest are images that must be refused
# Loose cups are rarer than loose stems and harder to see: they are drawn more often than they occur.
GROUP_SHARES = {"loose stem": 0.18, "loose cup": 0.20, "loose both": 0.09, "fixed": 0.45, "borderline": 0.08}
HARD_TO_REFUSE = {"cropped": 3.0, "uncovered_design": 3.0, "lateral": 1.5, "native": 1.5}  # other kinds: 1
REAL_SHARE = 0.5  # of the suitable hips, where real and simulated ones are there
REAL_WEIGHT = 1.5  # of a real kind to refuse, relative to the simulated one
PAIR_SHARE = 0.5  # of a batch: altered films and their originals
LOOKALIKE_PAIRS = 0.25  # of the pairs: look-alikes and shams


@dataclass(frozen=True)
class FitOptions:
    network: str = "lucency-net"  # or "locator"
    steps: int = 2000
    batch: int = 16
    patch_batch: int = 32
    patch_size: int = 224
    patch_until: float = 0.5  # share of the steps during which patches are mixed in
    patch_share: float = 0.6  # of the steps until then
    input_size: int = INPUT_SIZE
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    average_decay: float = 0.996  # of the running average of the weights, which is what is kept
    seed: int = 1
    threads: int = 1  # of each process
    processes: int = 2  # each works on a share of the batch; they meet once a step, which suits busy machines
    reduced_precision: bool = True  # bfloat16 where the processor has it
    hold_out: str = ""  # K/N: real films of this fold were left out
    growing: str = ""  # folder whose new shards are taken up as they appear: simulating and training at once
    checkpoint_s: float = 90.0
    validate_s: float = 420.0
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    weights: LossWeights = field(default_factory=LossWeights)


def learning_rate(step: int, options: FitOptions) -> float:
    """Linear warm-up over 4 % of the steps, then half a cosine."""
    warm = max(1, round(0.04 * options.steps))
    if step < warm:
        return options.learning_rate * (step + 1) / warm
    progress = (step - warm) / max(1, options.steps - warm)
    return options.learning_rate * (0.5 * (1 + math.cos(math.pi * min(1.0, progress))) * 0.99 + 0.01)


class Sampler:
    """Draws hips so that loose and fixed hips are equally often seen, and every kind of image to refuse is.

    Simulated hips and real ones take turns by REAL_SHARE where both are there. Altered films come in pairs with
    their original (`pairs`); the others are drawn from originals, look-alikes and shams.
    """

    def __init__(self, hips: HipSet, seed: int) -> None:
        kinds = np.array([str(record["hip_suitability"]) for record in hips.records])
        real = np.array([record.get("source") == "inserted" for record in hips.records])
        suitable = kinds == "suitable"
        loose, stem, cup = hips.labels.numpy().T
        both = bool(real.any()) and bool((~real).any())
        groups: list[tuple[float, npt.NDArray[np.bool_]]] = []
        simulated = suitable & ~real
        for name, members in (
            ("loose stem", simulated & (loose == 1) & (cup != 1)),
            ("loose cup", simulated & (loose == 1) & (stem != 1)),
            ("loose both", simulated & (stem == 1) & (cup == 1)),
            ("fixed", simulated & (loose == 0)),
            ("borderline", simulated & np.isnan(loose)),
        ):
            groups.append((SUITABLE_SHARE * GROUP_SHARES[name] * (1 - REAL_SHARE if both else 1.0), members))
        original = np.array([record.get("variant") == "original" for record in hips.records])
        fixation = np.array([str(record.get("fixation", "")) for record in hips.records])
        unaltered = suitable & real & original
        lookalike = (
            suitable & real & np.isin(np.array([r.get("variant", "") for r in hips.records]), ("lookalike", "sham"))
        )
        for share, members in (
            (0.35, unaltered & (fixation == "cemented")),
            (0.35, unaltered & (fixation != "cemented")),
            (0.30, lookalike),
        ):
            groups.append((SUITABLE_SHARE * share * (REAL_SHARE if both else 1.0), members))
        refused = sorted(set(kinds) - {"suitable"})
        for kind in refused:
            for origin in (real, ~real):
                members = (kinds == kind) & origin
                weight = HARD_TO_REFUSE.get(kind, 1.0) * (REAL_WEIGHT if origin is real else 1.0)
                groups.append(((1 - SUITABLE_SHARE) * weight / 12.0, members))
        self.weights = np.zeros(len(hips))
        for share, members in groups:
            if members.any():
                self.weights[members] += share / members.sum()
        self.weights /= self.weights.sum()
        self.patch_weights = self.weights * np.where(suitable & ~(np.isnan(loose) & ~real), 1.0, 0.0)
        self.patch_weights /= max(self.patch_weights.sum(), 1e-12)
        self.generator = np.random.default_rng(seed)
        self.pairs = np.array([(line, first) for line, first in enumerate(hips.originals()) if first >= 0]).reshape(
            -1, 2
        )
        self.pair_weights = self._pair_weights(hips)

    def _pair_weights(self, hips: HipSet) -> npt.NDArray[np.float64]:
        """Every film equally often, cemented stems as often as the others, cups as often as stems; look-alikes and shams
        take LOOKALIKE_PAIRS of all."""
        strata: dict[tuple[str, str, bool], dict[str, int]] = {}
        keys = []
        for line, _ in self.pairs:
            record = hips.records[line]
            cemented = "cemented" if record["fixation"] == "cemented" else "other"
            lucent = record["variant"] in ("loose", "partial")
            key = cemented, "cup" if record["components"] == ["cup"] else "stem", lucent
            film = str(record["film"])
            keys.append((key, film))
            strata.setdefault(key, {}).setdefault(film, 0)
            strata[key][film] += 1
        weights = np.array(
            [
                (1.0 - LOOKALIKE_PAIRS if key[2] else LOOKALIKE_PAIRS) / (len(strata[key]) * strata[key][film])
                for key, film in keys
            ]
        )
        return weights / weights.sum() if len(weights) else weights

    def draw(self, count: int, *, patches: bool = False) -> Tensor:
        weights = self.patch_weights if patches else self.weights
        return torch.from_numpy(self.generator.choice(len(weights), count, p=weights))

    def draw_pairs(self, count: int) -> Tensor:
        """(count, 2): a film with a line, and its original."""
        return torch.from_numpy(self.pairs[self.generator.choice(len(self.pairs), count, p=self.pair_weights)])


def patch_centers(masks: Tensor, generator: torch.Generator, patch_px: float) -> Tensor:
    """(B, M, M) bit masks -> (B, 2) cache pixels: on a lucent line half of the time, else on the interface.

    Stem and cup take turns at random, for a cup's interface is the shorter one.
    """
    band_bits = sum(1 << MASKS.index(f"{name}_interface") for name in COMPONENTS)
    centers = []
    for mask in masks:
        what, which = torch.rand(2, generator=generator).tolist()
        component = COMPONENTS[int(which * len(COMPONENTS))]
        sign = "lucency" if what < 0.5 else "interface"
        cells = torch.nonzero(mask & (1 << MASKS.index(f"{component}_{sign}")))
        if not len(cells):
            cells = torch.nonzero(mask & band_bits)
        if not len(cells):
            cells = torch.tensor([[CACHE_SIZE // MASK_STRIDE // 2] * 2])
        row, col = cells[int(torch.randint(len(cells), (), generator=generator))].tolist()
        jitter = (torch.rand(2, generator=generator) - 0.5) * 0.7 * patch_px
        centers.append(torch.tensor([col + 0.5, row + 0.5]) * MASK_STRIDE + jitter)
    return torch.stack(centers)


@dataclass
class Run:
    """What a checkpoint keeps."""

    model: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0

    def save(self, path: Path) -> None:
        temporary = path.with_suffix(".partial")
        torch.save(
            {
                "model": self.model.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
            },
            temporary,
        )
        temporary.replace(path)

    def restore(self, path: Path) -> None:
        state = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]

    def follow(self, decay: float) -> None:
        """Move the running average towards the model; early on it follows faster."""
        decay = min(decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for kept, current in zip(self.average.state_dict().values(), self.model.state_dict().values(), strict=True):
                if kept.dtype.is_floating_point:
                    kept.lerp_(current, 1 - decay)
                else:
                    kept.copy_(current)


def load_network(path: Path, network: str) -> nn.Module:
    """The averaged weights of a checkpoint, ready to evaluate."""
    model: nn.Module = LucencyNet() if network == "lucency-net" else HipLocator()
    model.load_state_dict(torch.load(path, weights_only=True)["average"])
    return model.eval()


def begin_from(model: nn.Module, start: Path) -> None:
    """Take over the averaged weights of a checkpoint, or those of a bundle folder; a gate of other outputs stays fresh."""
    if start.is_dir():
        state = {
            name: value.float() if value.is_floating_point() else value
            for name, value in load_file(start / WEIGHTS_FILE).items()
        }
    else:
        state = torch.load(start, weights_only=True)["average"]
    model.load_state_dict(without_foreign_gate(model, state))


def _steps(run: Run, options: FitOptions, quiet: bool) -> Iterator[int]:
    with tqdm(
        total=options.steps, initial=run.step, unit="step", file=sys.stderr, mininterval=20, disable=quiet
    ) as bar:
        while run.step < options.steps:
            yield run.step
            run.step += 1
            bar.update()


def average_gradients(model: nn.Module, processes: int) -> None:
    """Over the processes of the group, in one message."""
    if processes == 1:
        return
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= processes
    for gradient, part in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


def _worker(rank: int, meeting: str, folder: Path, hips: HipSet, options: FitOptions, start: Path | None) -> None:
    distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=options.processes)
    _train(folder, hips, None, options, start, rank)


def fit(folder: Path, hips: HipSet, held_out: HipSet | None, options: FitOptions, start: Path | None = None) -> Run:
    """Train into `folder` (checkpoint.pt, log.jsonl); goes on where a killed run stopped.

    `start`: a checkpoint whose averaged weights begin a new run. The first process is this one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "options.json").write_text(json.dumps(asdict(options), indent=1), encoding="utf-8")
    if options.processes == 1:
        return _train(folder, hips, held_out, options, start, 0)
    with tempfile.TemporaryDirectory() as meeting_folder:
        meeting = (Path(meeting_folder) / "meeting").as_uri()
        others = torch.multiprocessing.get_context("spawn")
        workers = [
            others.Process(target=_worker, args=(rank, meeting, folder, hips, options, start), daemon=True)
            for rank in range(1, options.processes)
        ]
        for worker in workers:
            worker.start()
        try:
            distributed.init_process_group("gloo", init_method=meeting, rank=0, world_size=options.processes)
            return _train(folder, hips, held_out, options, start, 0)
        finally:
            distributed.destroy_process_group()
            for worker in workers:
                worker.join(timeout=10)


def _train(
    folder: Path, hips: HipSet, held_out: HipSet | None, options: FitOptions, start: Path | None, rank: int
) -> Run:
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    locator = options.network == "locator"
    model: nn.Module = (HipLocator() if locator else LucencyNet()).to(memory_format=torch.channels_last)
    if start is not None:
        begin_from(model, start)
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)
    run = Run(model, copy.deepcopy(model).eval(), optimizer)
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.is_file():
        run.restore(checkpoint)
    # Keyed by the step, so that a resumed run does not draw again what it has already seen; by the rank, so that each
    # process draws its own. Whether a step is of patches is decided alike everywhere.
    seed = options.seed * 100_003 + run.step
    sampler = Sampler(hips, seed * 17 + rank)
    generator = torch.Generator().manual_seed(seed * 17 + rank)
    shared = torch.Generator().manual_seed(seed)
    log: list[dict[str, float]] = []
    began = saved = validated = time.monotonic()
    spent = run.seconds

    def write_log(entry: dict[str, object]) -> None:
        with (folder / "log.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry) + "\n")

    compute = _locator_step if locator else _network_step
    for step in _steps(run, options, quiet=rank > 0):
        if options.growing and step % GROW_STEPS == GROW_STEPS - 1:
            larger = grown(hips, Path(options.growing))
            if larger is not hips:
                hips, sampler = larger, Sampler(larger, (seed + step) * 17 + rank)
        model.train()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, options)
        loss, parts = compute(model, hips, sampler, generator, shared, step, options)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(model, options.processes)
        norm = nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        if bool(torch.isfinite(norm)):
            optimizer.step()
            run.follow(options.average_decay)
        log.append({"total": float(loss.detach()), **parts})
        if rank:
            continue
        now = time.monotonic()
        run.seconds = spent + now - began
        if now - saved > options.checkpoint_s:
            run.step += 1  # this step is done
            run.save(checkpoint)
            run.step -= 1
            names = {name for entry in log for name in entry}
            means = {name: float(np.mean([entry[name] for entry in log if name in entry])) for name in sorted(names)}
            write_log({"step": step, "seconds": round(run.seconds), **{k: round(v, 4) for k, v in means.items()}})
            log.clear()
            saved = now
        if held_out is not None and now - validated > options.validate_s:
            write_log({"step": step, "validation": _validate(run.average, held_out, locator)})
            validated = time.monotonic()
    if rank:
        return run
    run.save(checkpoint)
    if held_out is not None:
        write_log(
            {"step": run.step, "seconds": round(run.seconds), "validation": _validate(run.average, held_out, locator)}
        )
    return run


def _validate(model: nn.Module, held_out: HipSet, locator: bool) -> dict[str, float]:
    measure: Callable[..., dict[str, float]] = validate_locator if locator else validate
    return measure(model, held_out)


def _precision(options: FitOptions) -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16, enabled=options.reduced_precision)


def _network_step(
    model: nn.Module,
    hips: HipSet,
    sampler: Sampler,
    generator: torch.Generator,
    shared: torch.Generator,
    step: int,
    options: FitOptions,
) -> tuple[Tensor, dict[str, float]]:
    assert isinstance(model, LucencyNet)
    patches = (
        step < options.patch_until * options.steps and float(torch.rand((), generator=shared)) < options.patch_share
    )
    if patches:
        at = sampler.draw(options.patch_batch // options.processes, patches=True)
        pixels, masks = hips.pixels[at], hips.masks[at]
        labels, suitability = hips.labels[at], hips.suitability[at]
        centers = patch_centers(masks, generator, options.patch_size)
        batch = make_batch(
            pixels, masks, hips.landmarks[at],
            size=options.patch_size, generator=generator, options=options.augment, centers=centers, zoom=(0.62, 1.0),
        )  # fmt: skip
        with _precision(options):
            raw = model.training_outputs(batch.image.to(memory_format=torch.channels_last))
        loss = patch_loss(raw, batch.masks, labels, suitability)
        return loss, {"patch": float(loss.detach())}
    size = options.batch // options.processes
    pairs = (
        sampler.draw_pairs(round(0.5 * PAIR_SHARE * size))
        if len(sampler.pairs)
        else torch.zeros(0, 2, dtype=torch.long)
    )
    count = len(pairs)
    state = generator.get_state()
    parts = []
    for number, at in enumerate((pairs[:, 0], pairs[:, 1], sampler.draw(size - 2 * count))):
        if not len(at):
            continue
        if number == 1:
            generator.set_state(state)  # a film and its original are changed alike
        parts.append(_varied(hips, at, generator, options))
    image, masks, landmarks, labels, suitability = (torch.cat(column) for column in zip(*parts, strict=True))
    with _precision(options):
        raw = model.training_outputs(image.to(memory_format=torch.channels_last))
    loss, losses = whole_loss(raw, masks, labels, suitability, landmarks, options.weights)
    if count:
        drawn = torch.nan_to_num(labels[:count, 1:], nan=0.0) > 0
        together = pair_loss(raw["components"][:count], raw["components"][count : 2 * count], drawn)
        loss = loss + options.weights.pairs * together
        losses["pairs"] = float(together.detach())
    return loss, losses


def _varied(
    hips: HipSet, at: Tensor, generator: torch.Generator, options: FitOptions
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Whole hips, randomly changed: image, masks, landmarks, labels, suitability."""
    batch = make_batch(
        hips.pixels[at], hips.masks[at], hips.landmarks[at],
        size=options.input_size, generator=generator, options=options.augment,
    )  # fmt: skip
    batch, labels, suitability = cut_films(batch, hips.labels[at], hips.suitability[at], options.augment, generator)
    return batch.image, batch.masks, batch.landmarks, labels, suitability


def _locator_step(
    model: nn.Module,
    hips: HipSet,
    sampler: Sampler,
    generator: torch.Generator,
    shared: torch.Generator,
    step: int,
    options: FitOptions,
) -> tuple[Tensor, dict[str, float]]:
    assert isinstance(model, HipLocator)
    at = torch.from_numpy(sampler.generator.choice(len(hips.whole_pixels), options.batch // options.processes)).tolist()
    grey = hips.whole_pixels[at].unsqueeze(1).float() / 255.0
    boxes = [hips.whole_hips[index].clone() for index in at]
    size = grey.shape[-1]
    flipped = torch.rand(len(at), generator=generator) < 0.5
    shrink = 1 - 0.35 * torch.rand(len(at), generator=generator) * (torch.rand(len(at), generator=generator) < 0.4)
    images = []
    for index, single in enumerate(grey.split(1)):
        if flipped[index]:
            single = single.flip(3)
            boxes[index][:, 0] = size - boxes[index][:, 0]
        factor = float(shrink[index])
        if factor < 0.99:  # a wider field of view
            side = round(size * factor)
            left, top = (int(torch.randint(size - side + 1, (), generator=generator)) for _ in range(2))
            small = torch.nn.functional.interpolate(single, size=(side, side), mode="bilinear", antialias=True)
            single = torch.zeros_like(single)
            single[..., top : top + side, left : left + side] = small
            boxes[index][:, :3] *= side / size
            boxes[index][:, 0] += left
            boxes[index][:, 1] += top
        images.append(single)
    image = stretch(tone(torch.cat(images), options.augment, generator))
    with _precision(options):
        centers, sides = model.raw(image.to(memory_format=torch.channels_last))
    loss = locator_loss(centers, sides, boxes)
    return loss, {}


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    defaults = FitOptions()
    parser = subparsers.add_parser("fit", help="train the bundled network or the locator on prepared hips")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders that `prepare` or `insert` wrote")
    parser.add_argument(
        "--hold-out",
        metavar="K/N",
        default="",
        help="leave out every real film whose patient falls into fold K of N (from 0)",
    )
    parser.add_argument("--held-out", type=Path, help="another such folder, to watch progress on")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--network", choices=("lucency-net", "locator"), default=defaults.network)
    parser.add_argument("--steps", type=int, default=defaults.steps)
    parser.add_argument("--batch", type=int, default=defaults.batch)
    parser.add_argument("--learning-rate", type=float, default=defaults.learning_rate)
    parser.add_argument("--patch-until", type=float, default=defaults.patch_until)
    parser.add_argument("--growing", action="store_true", help="take up new shards of --data while training")
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--processes", type=int, default=defaults.processes)
    parser.add_argument("--start", type=Path, help="checkpoint.pt of another run, or a bundle folder, to begin from")
    parser.add_argument("--full-precision", action="store_true")
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace) -> int:
    options = FitOptions(
        network=arguments.network,
        steps=arguments.steps,
        batch=arguments.batch,
        learning_rate=arguments.learning_rate,
        patch_until=arguments.patch_until,
        growing=str(arguments.data[0]) if arguments.growing else "",
        seed=arguments.seed,
        processes=arguments.processes,
        reduced_precision=not arguments.full_precision,
        hold_out=arguments.hold_out,
    )
    hips = joined([load_shards(folder) for folder in arguments.data])
    hips = without_fold(hips, arguments.hold_out)
    held_out = load_shards(arguments.held_out) if arguments.held_out else None
    print(f"{len(hips)} hips from {len(hips.shards)} shards", file=sys.stderr)  # noqa: T201
    fit(arguments.out, hips, held_out, options, arguments.start)
    return 0
