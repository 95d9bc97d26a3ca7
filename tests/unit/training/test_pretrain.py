"""Pretraining for transfer: the file has the library's layout, a stopped run goes on, and cross-validation reads it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from inference.networks import create
from tests.unit.training.fakes import fake_shard
from training import pretrain as pretraining
from training.cohort import read_cohort
from training.cross_validate import CrossValidationOptions, cross_validate
from training.dataset import load_shards
from training.pretrain import PretrainOptions, pretrain

OPTIONS = PretrainOptions(architecture="resnet50", steps=3, batch=4, input_size=64, threads=1)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pretrained")
    fake_shard(folder / "data")
    return pretrain(load_shards(folder / "data"), folder / "weights", OPTIONS)


def test_the_file_has_the_librarys_layout(pretrained: Path) -> None:
    network = create("resnet50", 1, pretrained)
    kept = load_file(pretrained)
    assert set(kept) == set(network.body.state_dict())
    assert all(torch.isfinite(value.float()).all() for value in kept.values())


def test_a_stopped_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_shard(tmp_path / "data")
    hips = load_shards(tmp_path / "data")
    monkeypatch.setattr(pretraining, "CHECKPOINT_S", 0.0)
    steps: list[int] = []
    loss = pretraining.dense_loss
    stop_after = 2

    def counted(*given: object) -> torch.Tensor:
        if len(steps) == stop_after:
            raise KeyboardInterrupt
        steps.append(len(steps))
        return loss(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(pretraining, "dense_loss", counted)
    with pytest.raises(KeyboardInterrupt):
        pretrain(hips, tmp_path / "out", OPTIONS)
    state = torch.load(tmp_path / "out" / "resnet50.checkpoint.pt", weights_only=True)
    assert state["step"] == len(steps) == 2
    stop_after = 100
    assert pretrain(hips, tmp_path / "out", OPTIONS).is_file()
    assert len(steps) == OPTIONS.steps  # only what was missing
    pretrain(hips, tmp_path / "out", OPTIONS)
    assert len(steps) == OPTIONS.steps  # nothing to do


def test_cross_validation_transfers_from_it(pretrained: Path, tmp_path: Path) -> None:
    rows = [["path", "patient", "side", "label"]]
    rng = np.random.default_rng(0)
    for patient in range(8):
        name = f"{patient}.png"
        Image.fromarray(rng.integers(0, 255, (70, 60)).astype(np.uint8)).save(tmp_path / name)
        rows.append([name, str(patient), "L", "loose" if patient % 2 else "fixed"])
    with (tmp_path / "cohort.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    options = CrossValidationOptions(
        weights=str(pretrained), folds=2, epochs=1, batch=4, input_size=64, accelerator="cpu", devices="1",
        learning_rate=1e-7, progress=False,
    )  # fmt: skip
    cross_validate(read_cohort(tmp_path / "cohort.csv"), tmp_path / "out", options)
    learnt = load_file(tmp_path / "out" / "fold-0" / "model.safetensors")
    given = load_file(pretrained)
    assert torch.allclose(learnt["conv1.weight"], given["conv1.weight"], atol=1e-4)
