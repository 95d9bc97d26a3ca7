"""The networks through their public doors: shapes, pooling, landmarks, and both engines on the exported graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.engine import OnnxEngine
from inference.lucency_net import (
    EVIDENCE_STRIDE,
    INPUT_SIZE,
    LANDMARKS,
    LOCATOR_SIZE,
    LOCATOR_STRIDE,
    OUTPUTS,
    EvidencePooling,
    HipLocator,
    LucencyNet,
    either,
    local_contrast,
    soft_argmax,
)
from inference.networks import export_onnx, locator_outputs, lucency_outputs
from training.bundle import export


def test_outputs_have_the_contract_shapes() -> None:
    network = LucencyNet().eval()
    with torch.no_grad():
        logits, evidence, landmarks = network(torch.zeros(1, 1, INPUT_SIZE, INPUT_SIZE))
    cells = INPUT_SIZE // EVIDENCE_STRIDE
    assert logits.shape == (1, len(OUTPUTS))
    assert evidence.shape == (1, 2, cells, cells)
    assert landmarks.shape == (1, len(LANDMARKS), 3)
    assert float(evidence.min()) >= 0
    assert float(evidence.max()) <= 1


def test_more_evidence_never_lowers_the_score() -> None:
    pooling = EvidencePooling()
    evidence = torch.randn(1, 2, 56, 56)
    more = evidence.clone()
    more[0, 0, 10:20, 10] += 2.0
    with torch.no_grad():
        before, after = pooling(evidence), pooling(more)
    assert float(after[0, 0]) > float(before[0, 0])
    assert float(after[0, 1]) == pytest.approx(float(before[0, 1]))


@given(st.floats(-8, 8), st.floats(-8, 8))
def test_either_is_the_probability_of_stem_or_cup(stem: float, cup: float) -> None:
    logit = either(torch.tensor([[stem, cup]], dtype=torch.float64))
    fixed = (1 - 1 / (1 + np.exp(-stem))) * (1 - 1 / (1 + np.exp(-cup)))
    assert float(torch.sigmoid(logit)) == pytest.approx(1 - fixed, abs=1e-9)


@settings(max_examples=25)
@given(st.integers(3, 52), st.integers(3, 52))
def test_soft_argmax_finds_a_peak_and_says_how_sure(row: int, col: int) -> None:
    heatmap = torch.zeros(1, 2, 56, 56)
    heatmap[0, 0, row, col] = 20.0
    x, y, confidence = soft_argmax(heatmap, 8)[0, 0].tolist()
    assert (x, y) == (pytest.approx((col + 0.5) * 8, abs=0.1), pytest.approx((row + 0.5) * 8, abs=0.1))
    assert confidence > 0.99
    assert float(soft_argmax(heatmap, 8)[0, 1, 2]) < 0.05  # a flat heatmap is no landmark


def test_local_contrast_ignores_exposure() -> None:
    image = torch.rand(1, 1, 64, 64)
    brighter = local_contrast(image * 3.0 + 0.7)
    assert torch.allclose(local_contrast(image * 3.0), brighter, atol=1e-3)


def as_trained(model: torch.nn.Module) -> torch.nn.Module:
    """Batch statistics as after training, so that folding them into weights is tested."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
    return model.eval()


@pytest.mark.parametrize(("part", "size"), [("model", INPUT_SIZE), ("locator", LOCATOR_SIZE)])
def test_onnx_runtime_agrees_with_torch(tmp_path: Path, part: str, size: int) -> None:
    torch.manual_seed(3)
    outputs = (
        lucency_outputs(as_trained(LucencyNet())) if part == "model" else locator_outputs(as_trained(HipLocator()))
    )
    export(outputs, size, tmp_path / "model.onnx", tmp_path / "model.safetensors")
    image = np.random.default_rng(0).normal(size=(2, 1, size, size)).astype(np.float32)
    ours = OnnxEngine(tmp_path / "model.onnx", threads=1).run(image)
    with torch.no_grad():
        expected = outputs(torch.from_numpy(image))
    assert ours.keys() == expected.keys()
    # No trace of the machine that exported it.
    assert str(Path(__file__).parents[3]).encode() not in (tmp_path / "model.onnx").read_bytes()
    for name in outputs.names:
        scale = max(1.0, float(expected[name].abs().max()))
        assert np.abs(ours[name] - expected[name].numpy()).max() <= 1e-3 * scale


def test_features_change_nothing_else_in_the_graph(tmp_path: Path) -> None:
    torch.manual_seed(4)
    network = as_trained(LucencyNet())
    image = np.random.default_rng(0).normal(size=(1, 1, INPUT_SIZE, INPUT_SIZE)).astype(np.float32)
    found = []
    for features in (False, True):
        path = tmp_path / f"{features}.onnx"
        export_onnx(lucency_outputs(network, features=features), INPUT_SIZE, 1, path)
        found.append(OnnxEngine(path, threads=1).run(image))
    without, with_features = found
    assert with_features.keys() - without.keys() == {"features"}
    assert with_features["features"].shape == (1, 384)
    for name, values in without.items():
        np.testing.assert_allclose(with_features[name], values, rtol=0, atol=1e-6)


def test_locator_shapes() -> None:
    cells = LOCATOR_SIZE // LOCATOR_STRIDE
    with torch.no_grad():
        centers, sizes = HipLocator().eval()(torch.zeros(1, 1, LOCATOR_SIZE, LOCATOR_SIZE))
    assert centers.shape == (1, 2, cells, cells)
    assert sizes.shape == (1, 1, cells, cells)
    assert float(sizes.min()) > 0
