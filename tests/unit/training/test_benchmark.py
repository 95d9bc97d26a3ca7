"""The benchmark of the published architectures, on a cohort small enough for every run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import save_file

from inference.model_bundle import load_bundle
from inference.networks import create
from training import benchmark as benchmarking
from training.benchmark import benchmark, make_cohort, markdown, weights_of
from training.cohort import read_cohort
from training.cross_validate import CrossValidationOptions
from training.simulation.options import SimulationOptions

SHIPPED = Path(__file__).resolve().parents[3] / "resources" / "models" / "lucency-1"
OPTIONS = CrossValidationOptions(
    folds=2, epochs=1, batch=4, input_size=64, accelerator="cpu", devices="1", progress=False
)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmarking, "LOOSE", 4)
    monkeypatch.setattr(benchmarking, "FIXED", 5)
    options = SimulationOptions(borderline_share=0.0, pelvis_share=0.0, size_px=(220, 260), work_spacing_mm=0.9)
    monkeypatch.setattr(benchmarking, "COHORT_OPTIONS", options)


@pytest.mark.usefixtures("small")
def test_from_scratch_and_transferred_on_the_same_folds(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    save_file(create("resnet50").body.state_dict(), weights / "resnet50.safetensors")
    (weights / "resnet50.json").write_text("{}")  # what pretrain writes beside it

    rows = benchmark(tmp_path / "out", ["resnet50"], OPTIONS, weights)

    assert [row["start"] for row in rows] == ["scratch", "transferred"]
    assert [row["weights"] for row in rows] == ["none", "resnet50.safetensors"]
    plans = [
        json.loads((tmp_path / "out" / f"resnet50-{start}" / "plan.json").read_text())["folds"]
        for start in ("scratch", "transferred")
    ]
    assert plans[0] == plans[1]
    cases = read_cohort(tmp_path / "out" / "cohort" / "cohort.csv")
    assert (sum(case.loose for case in cases), sum(not case.loose for case in cases)) == (4, 5)
    for row in rows:
        assert row["figures"]["n"] == 9
        assert 0 <= row["map"]["hits"] <= row["map"]["n"] <= 4
        assert row["map"]["n"] == 0 or 0 < row["map"]["chance"] <= 1
        assert row["parameters_m"] == pytest.approx(23.5, abs=0.1)
    table = markdown(rows).splitlines()
    assert len(table) == 4
    assert len({line.count("|") for line in table}) == 1
    # Drawn once, trained once: another call only reads.
    kept = (tmp_path / "out" / "cohort" / "cohort.csv").stat().st_mtime_ns
    make_cohort(tmp_path / "out" / "cohort")
    assert (tmp_path / "out" / "cohort" / "cohort.csv").stat().st_mtime_ns == kept


def test_without_a_file_there_is_nothing_to_transfer_from(tmp_path: Path) -> None:
    assert weights_of("vgg19", None) == []
    (tmp_path / "vgg19.json").write_text("{}")
    assert weights_of("vgg19", tmp_path) == []
    (tmp_path / "vgg19.pth").write_text("")
    assert weights_of("vgg19", tmp_path) == [str(tmp_path / "vgg19.pth")]


@pytest.mark.usefixtures("small")
def test_a_bundle_stands_beside_them_as_it_is(tmp_path: Path) -> None:
    bundle = load_bundle(SHIPPED)
    (row,) = benchmark(tmp_path / "out", [], OPTIONS, None, bundle)
    assert row["architecture"] == f"lucency-1 {bundle.card.version}"
    assert row["figures"]["n"] == 9
    # How well it does on nine coarse images says nothing; a hip that it refuses has no map, and counts as wrong.
    figures, found = row["figures"], row["map"]
    assert 0 <= figures["auc"]["value"] <= 1
    assert figures["sensitivity"]["value"] * 4 <= found["n"] <= 4
    assert 0 <= found["hits"] <= found["n"]
    assert json.loads((tmp_path / "out" / "benchmark.json").read_text()) == [row]


@pytest.mark.usefixtures("small")
def test_the_bundled_network_takes_part_and_transfers_from_its_bundle(tmp_path: Path) -> None:
    scratch, transferred, as_it_is = benchmark(
        tmp_path / "out", ["lucency-net"], replace(OPTIONS, input_size=160), None, load_bundle(SHIPPED)
    )
    assert (scratch["start"], transferred["start"]) == ("scratch", "transferred")
    assert transferred["weights"] == "model.safetensors"
    assert (
        scratch["parameters_m"] == transferred["parameters_m"] == pytest.approx(as_it_is["parameters_m"], abs=0.001)
    )  # another gate
    assert scratch["map"]["n"] == transferred["map"]["n"]
    perfect = transferred | {"figures": transferred["figures"] | {"auc": {"value": 1.0, "delong": [1.0, 1.0]}}}
    assert "| 1.00 (–) |" in markdown([perfect])
    # One epoch on a handful of hips does not undo what the bundle's weights had learnt.
    assert transferred["figures"]["auc"]["value"] > scratch["figures"]["auc"]["value"]
