"""Training on tiny prepared hips: it learns, survives being stopped, and is deterministic."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from inference.lucency_net import LucencyNet
from tests.unit.training.fakes import fake_shard
from training.augment import AugmentOptions, make_batch, shutters
from training.dataset import MASKS, any_pool, load_shards
from training.fit import FitOptions, fit, learning_rate, load_network, patch_centers
from training.losses import evidence_targets, known_bce, locator_targets
from training.validation import hits

TINY = FitOptions(steps=4, batch=2, patch_batch=2, patch_size=64, input_size=128, processes=1, reduced_precision=False)


def test_fit_writes_a_checkpoint_and_goes_on_from_it(tmp_path: Path) -> None:
    fake_shard(tmp_path)
    hips = load_shards(tmp_path)
    first = fit(tmp_path / "run", hips, None, TINY)
    assert first.step == 4
    again = fit(tmp_path / "run", hips, None, replace(TINY, steps=6))
    assert again.step == 6
    state = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    assert state["step"] == 6
    assert json.loads((tmp_path / "run" / "options.json").read_text())["steps"] == 6
    loaded = load_network(tmp_path / "run" / "checkpoint.pt", "lucency-net")
    assert isinstance(loaded, LucencyNet)


def test_fit_is_deterministic(tmp_path: Path) -> None:
    fake_shard(tmp_path)
    hips = load_shards(tmp_path)
    weights = []
    for name in ("a", "b"):
        run = fit(tmp_path / name, hips, None, replace(TINY, steps=2))
        weights.append(run.model.state_dict()["evidence_head.1.bias"])
    assert torch.equal(weights[0], weights[1])


def test_locator_learns_where_the_bar_is(tmp_path: Path) -> None:
    fake_shard(tmp_path, count=12)
    hips = load_shards(tmp_path)
    options = replace(
        TINY, network="locator", steps=40, batch=6, average_decay=0.5, learning_rate=4e-3,
        augment=AugmentOptions(strength=0.0),
    )  # fmt: skip
    fit(tmp_path / "run", hips, hips, options)
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["validation"]["found_replaced"] >= 0.5


def test_learning_rate_warms_up_and_ends_low() -> None:
    options = FitOptions(steps=1000)
    rates = [learning_rate(step, options) for step in range(1000)]
    assert max(rates) == pytest.approx(options.learning_rate)
    assert rates[0] < 0.1 * options.learning_rate
    assert rates[-1] < 0.02 * options.learning_rate


def test_masks_and_landmarks_follow_the_pixels() -> None:
    """Whatever the warp, a bright disc, its mask and its landmark stay together."""
    yy, xx = np.mgrid[:576, :576]
    pixels = torch.from_numpy((((xx - 330) ** 2 + (yy - 250) ** 2 < 60**2) * 200 + 20).astype(np.uint8))
    cells = torch.from_numpy(any_pool(pixels.numpy() > 100, (0, 0, 576), 144).astype(np.uint8))
    points = torch.full((9, 2), float("nan"))
    points[0] = torch.tensor([330.5, 250.5])
    generator = torch.Generator().manual_seed(1)
    count = 6
    batch = make_batch(
        pixels.expand(count, -1, -1), cells.expand(count, -1, -1), points.expand(count, -1, -1),
        size=448, generator=generator, options=AugmentOptions(shutter_probability=0.0),
    )  # fmt: skip
    assert batch.masks.shape == (count, len(MASKS), 56, 56)
    assert torch.isnan(batch.landmarks[:, 1:]).all()
    for image, mask, point in zip(batch.image[:, 0], batch.masks[:, 0], batch.landmarks[:, 0], strict=True):
        bright = torch.nonzero(image > 0).float().median(dim=0).values
        lit = (torch.nonzero(mask > 0).float().mean(dim=0) + 0.5) * 8
        assert torch.linalg.norm(bright + 0.5 - point.flip(0)) < 8
        assert torch.linalg.norm(lit - point.flip(0)) < 8


def test_shutters_cover_edges_and_never_an_implant() -> None:
    cells = torch.zeros(30, len(MASKS), 56, 56)
    cells[:, MASKS.index("implant"), 10:40, 20:30] = 1
    image = torch.full((30, 1, 448, 448), 0.5)
    covered = shutters(image, cells, AugmentOptions(shutter_probability=1.0), torch.Generator().manual_seed(0)) != 0.5
    assert not covered[:, 0, 80:320, 160:240].any()
    assert covered.flatten(1).any(dim=1).float().mean() > 0.8


def test_any_pool_keeps_lines_thinner_than_a_cell() -> None:
    mask = np.zeros((1000, 1000), bool)
    mask[:, 501] = True
    pooled = any_pool(mask, (0, 0, 1000), 50)
    assert pooled[:, 25].all()
    assert pooled.sum() == 50


def test_any_pool_has_no_holes_in_coarse_images() -> None:
    assert any_pool(np.ones((20, 20), bool), (0, 0, 20), 144).all()


def test_borderline_and_unlabelled_components_cost_nothing_where_lucent() -> None:
    masks = torch.zeros(3, len(MASKS), 4, 4)
    masks[:, 0, 1, 1] = 1
    labels = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [float("nan")] * 3])
    targets = evidence_targets(masks, labels, torch.tensor([False, False, False]))
    assert targets[0, 0, 1, 1] == 1
    assert targets[1, 0, 1, 1] == 0
    assert torch.isnan(targets[2, 0, 1, 1])
    assert targets[2, 0, 0, 0] == 0


def test_unknown_targets_give_no_gradient() -> None:
    logits = torch.zeros(3, requires_grad=True)
    known_bce(logits, torch.tensor([1.0, float("nan"), 0.0])).backward()
    assert logits.grad is not None
    assert logits.grad[1] == 0
    assert logits.grad[0] < 0 < logits.grad[2]


def test_patches_lie_on_the_interface() -> None:
    masks = torch.zeros(20, 144, 144, dtype=torch.uint8)
    masks[:, 40:100, 70] = 0b01000
    centers = patch_centers(masks, torch.Generator().manual_seed(0), 100.0)
    assert (centers[:, 0] - 282).abs().max() <= 36
    assert centers[:, 1].min() >= 160 - 36


def test_locator_targets_tell_replaced_from_native() -> None:
    centers, sides, counts = locator_targets([torch.tensor([[100.0, 60.0, 128.0, 1.0], [200.0, 60.0, 128.0, 0.0]])])
    assert centers[0, 0].argmax() == 7 * 32 + 12
    assert centers[0, 1, 7, 24] > 0.7
    assert centers[0, 0, 7, 24] < 0.01
    assert sides[0, 0, 7, 12] == pytest.approx(np.log(0.5))
    assert counts[0, 0].sum() > 0


def test_a_hit_is_the_maximum_within_a_cell_of_the_line() -> None:
    lucency = np.zeros((2, 8, 8), bool)
    lucency[:, 4, 4] = True
    evidence = np.zeros((2, 8, 8))
    evidence[0, 5, 5] = 1.0
    evidence[1, 6, 4] = 1.0
    assert hits(evidence, lucency).tolist() == [True, False]
