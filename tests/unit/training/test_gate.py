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
from training.dataset import read_records
from training.fit import load_network
from training.gate import Bank, GateOptions, chances, refused_shares, specs, teach, train_gate
from training.scoring import CohortSpec
from training.simulation.truth import Suitability

TARGETS: dict[str, dict[str, float]] = {
    "suitable": {name: 1.0 for name in SUITABILITY if name != "cemented"},
    "cropped": {"implant": 1.0, "has_stem": 1.0, "stem_complete": 0.0},
    "uncovered_design": {"implant": 1.0, "ap_view": 1.0, "has_stem": 1.0, "has_cup": 0.0},
    "native": {"implant": 0.0, "ap_view": 1.0},
}


def bank(network: LucencyNet, count: int = 200) -> Bank:
    """Cropped hips differ from suitable ones in one channel, uncovered designs in another."""
    rng = np.random.default_rng(0)
    kinds = np.array(["suitable", "cropped", "uncovered_design", "native"])[np.arange(count) % 4]
    maps = rng.normal(0, 0.2, (count, network.gate_stage[0][0].in_channels, 4, 4)).astype(np.float32)
    for channel, kind in enumerate(("cropped", "uncovered_design", "native")):
        maps[kinds == kind, channel] += 2
    targets = [[TARGETS[kind].get(name, np.nan) for name in SUITABILITY] for kind in kinds]
    return Bank(
        torch.from_numpy(maps).bfloat16(), torch.zeros(count), torch.tensor(targets, dtype=torch.float32), kinds
    )


def test_the_gate_learns_what_to_refuse() -> None:
    torch.manual_seed(0)
    network = LucencyNet().eval()
    known = bank(network)
    train_gate(network, known, GateOptions(epochs=12, batch=32, reduced_precision=False))
    assert not network.gate_stage.training
    with torch.no_grad():
        logits = network.suitability(known.maps.float(), known.metal).numpy()
    complete, covered = (logits[:, SUITABILITY.index(name)] for name in ("stem_complete", "has_cup"))
    suitable = known.kinds == "suitable"
    assert complete[known.kinds == "cropped"].max() < complete[suitable].min()
    assert covered[known.kinds == "uncovered_design"].max() < covered[suitable].min()
    shares = refused_shares(network, known, accepted=1.0)
    assert shares == {"cropped": 1.0, "native": 1.0, "suitable": 0.0, "uncovered_design": 1.0}


def test_every_kind_is_seen_as_often_as_it_should_be() -> None:
    kinds = np.array(["suitable"] * 90 + ["cropped"] * 5 + ["native"] * 3 + ["noise"] * 2)
    drawn = chances(kinds)
    absent = {name: share for name, share in gate.SHARES.items() if name not in kinds}
    known = 1 - sum(absent.values())
    assert drawn.sum() == pytest.approx(1)
    assert drawn[kinds == "suitable"].sum() == pytest.approx(gate.SHARES["suitable"] / known)
    assert drawn[kinds == "native"].sum() == pytest.approx(drawn[kinds == "noise"].sum())


def test_weights_from_before_the_gate_had_its_own_stage() -> None:
    """They answer as they did: the gate looks through the diagnosis' stage."""
    torch.manual_seed(0)
    earlier = {name: value for name, value in LucencyNet().state_dict().items() if not name.startswith("gate_stage.")}
    network = LucencyNet()
    network.load_state_dict(earlier, strict=True)
    for name, value in network.stage5.state_dict().items():
        assert torch.equal(value, network.gate_stage.state_dict()[name])
    assert not any(name.startswith("gate_stage.") for name in earlier), "what was handed over is left as it was"


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
        targets = {name: TARGETS[str(kind)].get(name) for name in SUITABILITY}
        for number in range(2):
            rows = [
                {
                    "found": found,
                    "suitability_targets": targets,
                    "hip_suitability": str(kind),
                    "record": {"seed": spec.seed, "index": number},
                }
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
    assert all(name.startswith(("suitability_head.", "gate_stage.")) for name in changed)
    learnt = read_records(tmp_path / "out" / "gate-cropped")  # for the card of the bundle
    assert learnt == [{"seed": 501, "index": number} for number in (0, 0, 0, 1, 1, 1)]
    log = json.loads((tmp_path / "out" / "log.jsonl").read_text())
    assert log["held out"] == 3 * 2  # the first file of each kind: two found hips
