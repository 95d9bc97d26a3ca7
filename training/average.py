"""`python -m training average`: one network from several that were fine-tuned from the same weights.

The mean of their weights is one network that has used all of the data, while each of them gives honest scores for the
patients that it never saw (Wortsman et al., "Model soups", ICML 2022). The running statistics of the normalisation layers
are measured again, on the training data, for those of an average are not the average of those.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from inference.lucency_net import INPUT_SIZE, LucencyNet
from inference.model_bundle import LUCENCY_NET
from training.augment import AugmentOptions, make_batch
from training.dataset import HipSet, joined, load_shards
from training.fit import Sampler, load_network


def averaged(networks: Sequence[nn.Module]) -> dict[str, Tensor]:
    """The mean of the networks' floating-point tensors; of counters, the first one's."""
    states = [network.state_dict() for network in networks]
    return {
        name: torch.stack([state[name] for state in states]).mean(dim=0) if value.is_floating_point() else value
        for name, value in states[0].items()
    }


def measure_again(network: LucencyNet, hips: HipSet, *, batches: int, batch: int, seed: int) -> None:
    """Running means and variances of the normalisation layers as plain means over batches of training data."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative mean
    sampler, generator = Sampler(hips, seed), torch.Generator().manual_seed(seed)
    network.train()
    with torch.no_grad():
        for _ in range(batches):
            at = sampler.draw(batch)
            if len(sampler.pairs):
                at = torch.cat([at[: batch // 2], sampler.draw_pairs(batch // 4).flatten()])
            made = make_batch(
                hips.pixels[at], hips.masks[at], hips.landmarks[at],
                size=INPUT_SIZE, generator=generator, options=AugmentOptions(),
            )  # fmt: skip
            network.training_outputs(made.image.to(memory_format=torch.channels_last))
    for norm in norms:
        norm.momentum = 0.1
    network.eval()


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("average", help="one network from several that began from the same weights")
    parser.add_argument("--networks", type=Path, nargs="+", required=True, help="checkpoints of `fit`")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders that `prepare` or `insert` wrote")
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint.pt")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    network = LucencyNet()
    network.load_state_dict(averaged([load_network(path, LUCENCY_NET) for path in arguments.networks]))
    hips = joined([load_shards(folder) for folder in arguments.data])
    measure_again(network, hips, batches=arguments.batches, batch=16, seed=arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    options = {"network": "average", "networks": list(map(str, arguments.networks)), "seed": arguments.seed}
    (arguments.out / "options.json").write_text(json.dumps(options, indent=1), encoding="utf-8")
    torch.save({"average": network.state_dict()}, arguments.out / "checkpoint.pt")
    return 0
