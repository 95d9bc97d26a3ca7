"""Teaching the gate alone: it learns to refuse, and nothing else of the network changes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from inference.lucency_net import INPUT_SIZE, SUITABILITY, HipLocator, LucencyNet
from tests.unit.training.fakes import fake_shard
from training import gate
from training.fit import load_network
from training.gate import Bank, GateOptions, specs, teach, train_head, weights_of
from training.prepare import SUITABILITY_TARGETS
from training.scoring import CohortSpec
from training.simulation.truth import Suitability


def bank(network: LucencyNet, count: int = 400) -> Bank:
    """Cropped hips differ from suitable ones in one feature, uncovered designs in another."""
    rng = np.random.default_rng(0)
    kinds = np.array(["suitable", "cropped", "uncovered_design", "native"])[np.arange(count) % 4]
    width = network.suitability_head[0].in_features
    features = rng.normal(0, 1, (count, width)).astype(np.float32)
    features[kinds == "cropped", 0] += 6
    features[kinds == "uncovered_design", 1] += 6
    features[kinds == "native", 2] += 6
    targets = [
        [np.nan if value is None else value for value in SUITABILITY_TARGETS[Suitability(kind)]] for kind in kinds
    ]
    return Bank(torch.from_numpy(features), torch.zeros(count), torch.tensor(targets, dtype=torch.float32), kinds)


def test_the_head_learns_what_to_refuse() -> None:
    torch.manual_seed(0)
    network = LucencyNet().eval()
    known = bank(network)
    train_head(network, known, GateOptions(epochs=60, batch=64))
    with torch.no_grad():
        logits = network.suitability(known.features, known.metal).numpy()
    complete, covered = (logits[:, SUITABILITY.index(name)] for name in ("complete", "covered_design"))
    suitable = known.kinds == "suitable"
    assert complete[known.kinds == "cropped"].max() < complete[suitable].min()
    assert covered[known.kinds == "uncovered_design"].max() < covered[suitable].min()


def test_every_kind_counts_as_it_should_however_often_it_occurs() -> None:
    kinds = np.array(["suitable"] * 90 + ["cropped"] * 5 + ["native"] * 3 + ["noise"] * 2)
    weights = weights_of(kinds)[:, 0].numpy()
    assert weights.sum() == pytest.approx(100 * (1 - gate.SHARES["uncovered_design"]), rel=1e-5)
    assert weights[kinds == "suitable"].sum() == pytest.approx(100 * gate.SHARES["suitable"], rel=1e-5)
    assert weights[kinds == "native"].sum() == pytest.approx(weights[kinds == "noise"].sum(), rel=1e-5)


def test_seeds_of_evaluation_sets_are_refused() -> None:
    with pytest.raises(ValueError, match="frozen evaluation set"):
        specs(GateOptions(seed=9201))
    with pytest.raises(ValueError, match="frozen evaluation set"):
        specs(GateOptions(seed=9200))  # the second of the three


def test_only_the_gate_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    start = tmp_path / "start.pt"
    locator = tmp_path / "locator.pt"
    torch.save({"average": LucencyNet().state_dict()}, start)
    torch.save({"average": HipLocator().state_dict()}, locator)
    fake_shard(tmp_path / "data")

    def draw(spec: CohortSpec, folder: Path, engine: Path, _workers: int) -> None:
        assert engine.is_file()
        folder.mkdir(parents=True)
        rng = np.random.default_rng(spec.seed)
        kind = Suitability(spec.name.removeprefix("gate-"))
        targets = dict(zip(SUITABILITY, SUITABILITY_TARGETS[kind], strict=True))
        for number in range(2):
            rows = [
                {"found": found, "suitability_targets": targets, "hip_suitability": str(kind)}
                for found in (True, True, False)
            ]
            path = folder / f"cases-{number:05d}.npz"
            np.savez(path, images=rng.normal(0, 1, (3, INPUT_SIZE, INPUT_SIZE)).astype(np.float16))
            path.with_suffix(".jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    monkeypatch.setattr(gate, "prepare_cases", draw)
    found = teach(start, locator, [tmp_path / "data"], tmp_path / "out", GateOptions(epochs=2), 1)
    before, after = (load_network(path, "lucency-net").state_dict() for path in (start, found))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("suitability_head.") for name in changed)
    log = json.loads((tmp_path / "out" / "log.jsonl").read_text())
    assert log["held out"] == 3 * 2 * 2  # the first file of each kind: two found hips, as they are and mirrored
