"""The published architectures: the split, the one-pass map, weights files, export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from inference import saliency
from inference.advanced_maps import library_map
from inference.engine import OnnxEngine, TorchEngine
from inference.model_bundle import PUBLISHED_ARCHITECTURES
from inference.networks import ARCHITECTURES, LogitsOnly, PublishedNetwork, WeightsError, create, export_onnx, with_map
from inference.prediction import Engine, InferenceError

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's exporter deprecates its own calls
NAMES = tuple(ARCHITECTURES)


def positive(name: str, num_classes: int = 2) -> PublishedNetwork:
    """Random weights, the same every time, with a head that makes the map positive: a zero map proves nothing."""
    torch.manual_seed(0)
    network = create(name, num_classes)
    with torch.no_grad():
        head = network.body.get_submodule(network.architecture.head)
        head.weight[-1].abs_()
        if name in ("vgg16", "vgg19"):
            for position in (0, 3):
                network.body.classifier[position].weight.abs_()
    return network.eval()


def image_for(name: str, count: int = 1) -> torch.Tensor:
    size = ARCHITECTURES[name].spec.size
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", NAMES)
def test_one_pass_equals_forward_textbook_and_library(name: str) -> None:
    """One network is built once and compared in every way: building is what takes time."""
    network, image = positive(name), image_for(name)
    loose = 1
    logits, values = saliency.one_pass(network, image, loose)

    # The split is the library's own forward pass, down to its last layer.
    with torch.no_grad():
        plain = network.body(image)
    torch.testing.assert_close(logits, plain, rtol=1e-5, atol=1e-6)
    assert values.max() > 0

    # Textbook: alpha_k = 1/Z sum_ij dy/dA_kij; relu(sum_k alpha_k A_k), term by term.
    features = network.forward_features(image).detach().requires_grad_(True)
    network.forward_head(features)[0, loose].backward()
    alpha = features.grad[0].sum(dim=(1, 2)) / (features.shape[2] * features.shape[3])
    textbook = torch.relu(sum(alpha[k] * features[0, k] for k in range(features.shape[1]))).detach()
    scale = float(textbook.max())
    torch.testing.assert_close(values[0], textbook, rtol=0, atol=1e-5 * scale)

    # The closed form that is exported.
    with torch.inference_mode():
        outputs = {key: value.numpy() for key, value in with_map(network, loose)(image).items()}
    closed = saliency.saliency_maps(outputs)
    np.testing.assert_allclose(closed[0], textbook.numpy(), rtol=0, atol=1e-5 * scale)

    # The library, unscaled, hooked where all of them give what the head is given.
    library = library_map("GradCAM", LogitsOnly(network).eval(), network.cam, image, loose)
    np.testing.assert_allclose(library, textbook.numpy(), rtol=0, atol=1e-5 * scale)

    # And hooked as a user would, on the plain torchvision or timm model. DenseNet is the exception: see below.
    if name != "densenet201":
        layer = network.body.get_submodule(network.architecture.cam_layer)
        library = library_map("GradCAM", network.body, layer, image, loose)
        np.testing.assert_allclose(library, textbook.numpy(), rtol=0, atol=1e-5 * scale)


def test_densenet_hook_reads_other_activations() -> None:
    """Why DenseNet's map is not the one a hook on norm5 gives: the ReLU behind it works in place."""
    network, image = positive("densenet201"), image_for("densenet201")
    stored: list[torch.Tensor] = []
    handle = network.body.features.norm5.register_forward_hook(lambda *arguments: stored.append(arguments[2]))
    with torch.no_grad():
        before = network.body.features(image)
        has_negative = bool((before < 0).any())
        stored.clear()
        network.body(image)
    handle.remove()
    assert has_negative
    assert not bool((stored[0] < 0).any())  # changed after the hook had stored it


@pytest.mark.parametrize("name", NAMES)
def test_input_and_head(name: str) -> None:
    architecture = ARCHITECTURES[name]
    half = name in ("inception_v3", "inception_resnet_v2", "legacy_xception")
    assert architecture.spec.size == (299 if half else 224)
    assert architecture.spec.mean == ((0.5, 0.5, 0.5) if half else (0.485, 0.456, 0.406))
    assert architecture.spec.std == ((0.5, 0.5, 0.5) if half else (0.229, 0.224, 0.225))


def test_names_are_those_of_the_allow_list() -> None:
    assert NAMES == PUBLISHED_ARCHITECTURES


def test_unknown_name_and_class_count() -> None:
    with pytest.raises(InferenceError, match="alexnet"):
        create("alexnet")
    with pytest.raises(ValueError, match="one or two"):
        create("resnet50", 3)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_file_in_the_library_s_layout(tmp_path: Path, suffix: str) -> None:
    """1,000 classes, as published: everything is taken but the last layer."""
    import torchvision

    torch.manual_seed(3)
    published = torchvision.models.resnet50(weights=None)
    path = tmp_path / f"resnet50{suffix}"
    if suffix == ".pth":
        torch.save(published.state_dict(), path)
    else:
        save_file(published.state_dict(), path)
    network = create("resnet50", 2, path)
    for key, value in network.body.state_dict().items():
        if not key.startswith("fc."):
            torch.testing.assert_close(value, published.state_dict()[key], rtol=0, atol=0)
    assert network.body.fc.weight.shape == (2, 2048)


def test_published_layouts_with_auxiliary_head_and_old_names(tmp_path: Path) -> None:
    """Inception's files hold an auxiliary classifier, DenseNet's the layer names of 2017."""
    import re

    import torchvision

    inception = torchvision.models.inception_v3(weights=None, init_weights=False).state_dict()
    assert any(key.startswith("AuxLogits.") for key in inception)
    save_file(inception, tmp_path / "inception.safetensors")
    network = create("inception_v3", 1, tmp_path / "inception.safetensors")
    torch.testing.assert_close(network.body.Mixed_7c.branch1x1.conv.weight, inception["Mixed_7c.branch1x1.conv.weight"])

    dense = torchvision.models.densenet201(weights=None).state_dict()
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12]\.)", r"\1.\2", key): value for key, value in dense.items()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    save_file(old, tmp_path / "densenet.safetensors")
    network = create("densenet201", 1, tmp_path / "densenet.safetensors")
    key = "features.denseblock4.denselayer32.conv2.weight"
    torch.testing.assert_close(network.body.state_dict()[key], dense[key])


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no weights file"):
        create("resnet50", 1, tmp_path / "absent.pth")
    save_file({"conv1.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="not those of ResNet-50"):
        create("resnet50", 1, tmp_path / "other.safetensors")
    (tmp_path / "noise.pth").write_bytes(b"not weights")
    with pytest.raises(WeightsError, match="cannot be read"):
        create("resnet50", 1, tmp_path / "noise.pth")


def test_weights_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    ran = tmp_path / "ran"

    class Bomb:
        def __reduce__(self):
            return (Path.touch, (ran,))

    torch.save({"fc.weight": Bomb()}, tmp_path / "bomb.pth")
    with pytest.raises(WeightsError, match="cannot be read"):
        create("resnet50", 1, tmp_path / "bomb.pth")
    assert not ran.exists()


@pytest.mark.parametrize(
    "name", ["resnet50", *(pytest.param(name, marks=pytest.mark.slow) for name in NAMES if name != "resnet50")]
)
def test_exported_graph_agrees_with_torch(tmp_path: Path, name: str) -> None:
    network = with_map(positive(name, 1), 0)
    size = ARCHITECTURES[name].spec.size
    export_onnx(network, size, 3, tmp_path / "model.onnx")
    assert {file.name for file in tmp_path.iterdir()} == {"model.onnx"}
    engines = OnnxEngine(tmp_path / "model.onnx", threads=1), TorchEngine(network, Engine.CPU)
    for count in (1, 3):
        batch = image_for(name, count).numpy()
        onnx_outputs, torch_outputs = (engine.run(batch) for engine in engines)
        assert onnx_outputs.keys() == torch_outputs.keys() == {"features", "logits", "channel_weights"}
        maps = [saliency.saliency_maps(outputs) for outputs in (onnx_outputs, torch_outputs)]
        np.testing.assert_allclose(onnx_outputs["logits"], torch_outputs["logits"], rtol=1e-4, atol=1e-3)
        assert maps[1].shape[0] == count
        np.testing.assert_allclose(maps[0], maps[1], rtol=0, atol=1e-3 * float(maps[1].max()))
