"""`python -m training evaluate-films`: figures on real hips with inserted lines, each film by a network that never saw it.

One network (a bundle or checkpoint that was trained on none of the films), or one checkpoint per fold: number k is then
asked only about the films of fold k, which `fit --hold-out k/N` left out.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from inference.model_bundle import Metric
from training.dataset import HipSet, in_fold, joined, load_shards
from training.evaluate import table
from training.insertion.command import load_lucency_net
from training.insertion.measure import FILM_SET, by_patient, changed_calls, figures, score_hips
from training.measure import share


def out_of_fold(networks: Sequence[Path], hips: HipSet) -> list[dict[str, Any]]:
    """A row per real hip, scored by the network of its fold; by the only network where there is one."""
    rows: list[dict[str, Any]] = []
    for fold, path in enumerate(networks):
        held_out = hips.chosen([in_fold(record, fold, len(networks)) for record in hips.records])
        rows += score_hips(load_lucency_net(path), held_out)
    return rows


def robustness(networks: Sequence[Path], hips: HipSet, threshold: float, name: str) -> list[Metric]:
    """How often mirror image and gamma change the call at `threshold` (a logit), on originals and lines."""
    changed: dict[str, list[bool]] = {}
    for fold, path in enumerate(networks):
        kept = [
            in_fold(record, fold, len(networks)) and record.get("implant") in ("thr", "hemi") for record in hips.records
        ]
        for change, (count, n) in changed_calls(load_lucency_net(path), hips.chosen(kept), threshold).items():
            changed.setdefault(change, []).extend([True] * count + [False] * (n - count))
    found = [share(f"calls that change: {change}", values, name) for change, values in changed.items()]
    return [metric for metric in found if metric is not None]


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("evaluate-films", help="measure networks on real films with inserted lines")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders that `insert` wrote")
    parser.add_argument("--networks", type=Path, nargs="+", required=True, help="one network, or one per fold")
    parser.add_argument("--set", default=FILM_SET)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--robustness", action="store_true", help="also mirror image and gamma")
    parser.add_argument("--rows", type=Path, help="write one JSON line per hip")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    torch.set_num_threads(arguments.threads)
    hips = joined([load_shards(folder) for folder in arguments.data])
    rows = out_of_fold(arguments.networks, hips)
    metrics = by_patient(rows, lambda drawn: figures(drawn, arguments.set))
    if arguments.robustness:
        controls = [
            row["logits"]["loose"]
            for row in rows
            if row["record"]["variant"] in ("original", "lookalike", "sham") and row["labels"]["loose"] == 0.0
        ]
        kept = hips.chosen([record.get("variant") in ("original", "loose") for record in hips.records])
        metrics += robustness(arguments.networks, kept, float(np.quantile(controls, 0.95)), arguments.set)
    print(table(metrics))  # noqa: T201 the command's answer
    if arguments.rows:
        with arguments.rows.open("w", encoding="utf-8") as stream:
            stream.writelines(json.dumps(row) + "\n" for row in rows)
    if arguments.out:
        arguments.out.write_text(json.dumps(msgspec.to_builtins(metrics), indent=1), encoding="utf-8")
        print(f"written to {arguments.out}", file=sys.stderr)  # noqa: T201
    return 0
