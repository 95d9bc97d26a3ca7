"""Which engine is chosen, what it imports, and that both say the same."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from imaging.geometry import HipRegion
from inference import engine
from inference.advanced_maps import METHODS, available_methods, compute
from inference.classifier import Classifier
from inference.engine import DeviceError, OnnxEngine, TorchEngine, choose_device
from inference.lucency_net import LANDMARKS, LOCATOR_SIZE, OUTPUTS, HipLocator, LucencyNet
from inference.model_bundle import BundleError, InputCard, LocatorCard, ModelBundle, seal_bundle
from inference.networks import NamedOutputs, export_onnx, load_network
from inference.prediction import Engine, InferenceError
from inference.replay import record_reference
from tests.unit.inference import bundles

ROOT = Path(__file__).resolve().parents[3]
SIZE = 64


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> ModelBundle:
    """The real lucency-net and locator with random weights, small, for both engines."""
    folder = tmp_path_factory.mktemp("models") / "both"
    folder.mkdir()
    torch.manual_seed(0)
    network, locator = LucencyNet().eval(), HipLocator().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter deprecates its own calls
        for module, names, size, name in (
            (network, ("logits", "evidence", "landmarks"), SIZE, "model"),
            (locator, ("centers", "sizes"), LOCATOR_SIZE, "locator"),
        ):
            weights = folder / f"{name}.safetensors"
            state = module.state_dict()
            save_file(
                {key: value.half() if value.is_floating_point() else value for key, value in state.items()}, weights
            )
            module.load_state_dict(load_file(weights))  # the rounded weights, for both engines
            export_onnx(NamedOutputs(module, names, module), size, 1, folder / f"{name}.onnx")
    card = bundles.card(
        id="both",
        outputs=OUTPUTS,
        landmarks=LANDMARKS,
        suitability={},
        input=InputCard(size=SIZE),
        locator=LocatorCard(size=LOCATOR_SIZE, threshold=0.5),
    )
    record_reference(folder, card, bundles.reference_pixels())
    return seal_bundle(folder, card)


def close(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> None:
    assert first.keys() == second.keys()
    for name, values in first.items():
        np.testing.assert_allclose(values, second[name], rtol=1e-3, atol=1e-3, err_msg=name)


@pytest.mark.parametrize("part", ["model", "locator"])
def test_engines_agree(both: ModelBundle, part: str) -> None:
    size = SIZE if part == "model" else LOCATOR_SIZE
    onnx = OnnxEngine(both.file(f"{part}.onnx"), threads=1)
    torch_cpu = TorchEngine(load_network(both, part), Engine.CPU)
    for count in (1, 3):
        batch = np.random.default_rng(count).normal(size=(count, 1, size, size)).astype(np.float32)
        close(onnx.run(batch), torch_cpu.run(batch))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_agrees_and_is_chosen(both: ModelBundle) -> None:
    region = HipRegion(0, 0, 64, 64)
    image = bundles.radiograph(bundles.hip())
    cuda, cpu = Classifier(both), Classifier(both, "cpu")
    assert cuda.engine is Engine.CUDA
    first, second = cuda.predict(image, region), cpu.predict(image, region)
    assert first.probability == pytest.approx(second.probability, abs=1e-3)
    np.testing.assert_allclose(first.saliency.values, second.saliency.values, atol=1e-3)


def test_weights_must_fit_strictly(both: ModelBundle, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(both.folder, tmp_path / "both"))
    state = load_file(folder / "model.safetensors")
    state.pop(next(name for name in state if name.endswith(".weight")))
    save_file(state, folder / "model.safetensors")
    bundle = seal_bundle(folder, both.card)
    with pytest.raises(BundleError, match="do not fit"):
        load_network(bundle, "model")


def test_cpu_without_a_gpu_never_imports_torch(tmp_path: Path) -> None:
    bundle = bundles.make_bundle(tmp_path / "tiny", locator=True)
    script = (
        "import sys; from pathlib import Path; from inference import worker\n"
        f"worker.start(Path({str(bundle.folder)!r}), 'auto')\n"
        "from tests.unit.inference import bundles\n"
        "(prediction,) = worker.assess(bundles.radiograph(bundles.hip()))\n"
        "print(prediction.engine, worker.describe().engine_label, 'torch' in sys.modules, 'PySide6' in sys.modules)"
    )
    hidden = {"CUDA_VISIBLE_DEVICES": "", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=hidden, capture_output=True, check=True, timeout=60
    )
    kind, *label, has_torch, has_qt = done.stdout.decode().split()
    assert (kind, has_torch, has_qt) == ("cpu", "False", "False")
    assert " ".join(label).startswith("ONNX Runtime")


def test_naming_the_worker_s_functions_imports_no_engine() -> None:
    script = "import sys, inference.worker, inference.model_bundle; print([m for m in ('torch', 'onnxruntime', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True, timeout=60)
    assert done.stdout.strip() == b"[]"


def fake(monkeypatch: pytest.MonkeyPatch, *, driver: bool = False, apple: bool = False, torch_has: bool = True) -> None:
    monkeypatch.setattr(engine, "_cuda_driver_has_device", lambda: driver)
    monkeypatch.setattr(engine, "_is_apple_silicon", lambda: apple)
    monkeypatch.setattr(engine, "_torch_has", lambda kind: torch_has)


def test_the_order_is_cuda_mps_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, driver=True, apple=True)
    assert choose_device() is Engine.CUDA
    fake(monkeypatch, apple=True)
    assert choose_device() is Engine.MPS
    fake(monkeypatch)
    assert choose_device() is Engine.CPU
    fake(monkeypatch, driver=True, torch_has=False)  # a GPU that this torch cannot use
    assert choose_device() is Engine.CPU


def test_a_device_that_is_asked_for_is_used_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, driver=True)
    assert choose_device("cpu") is Engine.CPU
    with pytest.raises(DeviceError, match="No MPS"):
        choose_device("mps")
    fake(monkeypatch)
    with pytest.raises(DeviceError, match="No CUDA device was found on this computer"):
        choose_device("cuda")
    with pytest.raises(DeviceError, match="no device"):
        choose_device("tpu")


def test_without_torch_the_sentence_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, both: ModelBundle) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else real(name))
    monkeypatch.setattr(engine, "_cuda_driver_has_device", lambda: True)
    assert choose_device() is Engine.CPU
    with pytest.raises(DeviceError, match="not part of this installation"):
        choose_device("cuda")
    assert available_methods(both) == ()
    with pytest.raises(InferenceError, match="not part of this installation"):
        compute(both, bundles.radiograph(bundles.hip()), HipRegion(0, 0, 64, 64), "Score-CAM")


def test_the_driver_is_asked_without_torch() -> None:
    assert isinstance(engine._cuda_driver_has_device(), bool)


def test_auto_takes_the_cpu_for_a_bundle_without_torch_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake(monkeypatch, driver=True)
    bundle = bundles.make_bundle(tmp_path / "tiny")
    assert Classifier(bundle).engine is Engine.CPU
    with pytest.raises(BundleError, match=r"no model\.safetensors"):
        Classifier(bundle, "cuda")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("method", METHODS)
def test_advanced_maps(both: ModelBundle, method: str) -> None:
    region = HipRegion(-4, 2, 60, 50)
    saliency = compute(both, bundles.radiograph(bundles.hip()), region, method)
    assert saliency.values.shape == (SIZE // 8, SIZE // 8)
    assert saliency.values.dtype == np.float32
    assert saliency.values.min() >= 0
    assert saliency.region == region.squared()
    assert saliency.method.startswith(method)
    assert saliency.levels[1] == pytest.approx(float(saliency.values.max())) or saliency.is_empty


def test_advanced_maps_refuse_in_words(both: ModelBundle, tmp_path: Path) -> None:
    image, region = bundles.radiograph(bundles.hip()), HipRegion(0, 0, 64, 64)
    with pytest.raises(InferenceError, match="no known saliency method"):
        compute(both, image, region, "HiResCAM")
    with pytest.raises(InferenceError, match="no PyTorch weights"):
        compute(bundles.make_bundle(tmp_path / "tiny"), image, region, "LayerCAM")
