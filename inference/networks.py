"""The networks by name. Needs torch: for training, the GPU engines, export and the advanced maps.

The published architectures are torchvision's and timm's own modules with a new last layer. Each is split where
its class-activation maps are read: `forward_features` gives the activations, `forward_head` the logits. Both
together are the plain forward pass, so a map costs no second one.

DenseNet: torchvision applies the last ReLU after `features`, in place, and thereby changes what a hook on
`features.norm5` has stored. The activations here are those after the ReLU (into a new tensor): the textbook map of
what the classifier is given, and not what a hook on `norm5` sees.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from inference.model_bundle import (
    LOCATOR_WEIGHTS_FILE,
    LUCENCY_NET,
    PUBLISHED_ARCHITECTURES,
    WEIGHTS_FILE,
    BundleError,
    ModelBundle,
    ModelCard,
)
from inference.prediction import InferenceError
from inference.preprocess import InputSpec

if TYPE_CHECKING:
    from inference.lucency_net import HipLocator, LucencyNet

_IMAGENET = InputSpec(224, 3, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALF = InputSpec(299, 3, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@dataclass(frozen=True)
class Architecture:
    """A published architecture: where it comes from, what it is given, which layer its maps are read from."""

    name: str
    library: Literal["torchvision", "timm"]
    spec: InputSpec
    head: str  # name of the last linear layer
    cam_layer: str  # as it is known in that library
    title: str

    @property
    def head_module(self) -> str:
        """Name of the module that contains the last linear layer and whatever is between the maps and it."""
        return self.head.partition(".")[0]


ARCHITECTURES: Mapping[str, Architecture] = {
    architecture.name: architecture
    for architecture in (
        Architecture("vgg19", "torchvision", _IMAGENET, "classifier.6", "features.35", "VGG-19"),
        Architecture("resnet50", "torchvision", _IMAGENET, "fc", "layer4.2", "ResNet-50"),
        Architecture("inception_v3", "torchvision", _HALF, "fc", "Mixed_7c", "Inception-V3"),
        Architecture("inception_resnet_v2", "timm", _HALF, "classif", "conv2d_7b", "Inception-ResNet-V2"),
        Architecture("legacy_xception", "timm", _HALF, "fc", "act4", "Xception"),
        Architecture(
            "densenet201", "torchvision", _IMAGENET, "classifier", "ReLU after features.norm5", "DenseNet-201"
        ),
        Architecture("squeezenet1_1", "torchvision", _IMAGENET, "classifier.1", "features.12", "SqueezeNet 1.1"),
        Architecture("vgg16", "torchvision", _IMAGENET, "classifier.6", "features.29", "VGG-16"),
    )
}
assert tuple(ARCHITECTURES) == PUBLISHED_ARCHITECTURES


class WeightsError(InferenceError):
    """Weights that were asked for cannot be had or do not fit."""


class PublishedNetwork(nn.Module):
    """One of them. `body` is the library's own module, whose state dict keeps the library's names.

    The activations pass through `cam`, an identity, on their way to the head: a hook there sees for all of them what
    the maps are made of.
    """

    def __init__(self, name: str, num_classes: int) -> None:
        super().__init__()
        if num_classes not in (1, 2):
            raise ValueError("A network for loosening has one or two classes.")
        self.architecture = ARCHITECTURES[name]
        self.num_classes = num_classes
        self.body = _build(self.architecture, num_classes)
        self.cam = nn.Identity()

    def forward_features(self, x: Tensor) -> Tensor:
        """(N, 3, S, S) -> activations (N, C, h, w) of the CAM layer."""
        body: Any = self.body
        match self.architecture.name:
            case "vgg16" | "vgg19":
                features = body.features[:-1](x)
            case "resnet50":
                x = body.maxpool(body.relu(body.bn1(body.conv1(x))))
                features = body.layer4(body.layer3(body.layer2(body.layer1(x))))
            case "inception_v3":
                features = x
                for layer, module in body.named_children():
                    if layer == "avgpool":
                        break
                    features = module(features)
            case "densenet201":
                features = functional.relu(body.features(x))
            case "squeezenet1_1":
                features = body.features(x)
            case _:
                features = body.forward_features(x)
        return cast(Tensor, self.cam(features))

    def forward_head(self, features: Tensor) -> Tensor:
        """Activations (N, C, h, w) -> logits (N, num_classes)."""
        body: Any = self.body
        match self.architecture.name:
            case "vgg16" | "vgg19":
                logits = body.classifier(torch.flatten(body.avgpool(body.features[-1](features)), 1))
            case "resnet50":
                logits = body.fc(torch.flatten(body.avgpool(features), 1))
            case "inception_v3":
                logits = body.fc(torch.flatten(body.dropout(body.avgpool(features)), 1))
            case "densenet201":
                logits = body.classifier(torch.flatten(functional.adaptive_avg_pool2d(features, 1), 1))
            case "squeezenet1_1":
                logits = torch.flatten(body.classifier(features), 1)
            case _:
                logits = body.forward_head(features)
        return cast(Tensor, logits)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, S, S) -> logits (N, num_classes)."""
        return self.forward_head(self.forward_features(x))

    def channel_weights(self, features: Tensor, index: int) -> Tensor:
        """(N, C): the mean over the map of d logit[index] / d activation, in closed form, so that it can be exported.

        Behind global average pooling and one linear layer it is that layer's row divided by the number of cells. Of
        VGG it is the chain through the two hidden layers; each pooled gradient reaches exactly one of its four cells,
        so that its sum over the map is the same before and after pooling.
        """
        cells = features.shape[-2] * features.shape[-1]
        if self.architecture.name not in ("vgg16", "vgg19"):
            row = cast(nn.Linear, self.body.get_submodule(self.architecture.head)).weight[index].flatten()
            return (row / cells).unsqueeze(0).expand(features.shape[0], -1)
        body: Any = self.body
        first, second, last = (cast(nn.Linear, body.classifier[position]) for position in (0, 3, 6))
        pooled = torch.flatten(body.avgpool(body.features[-1](features)), 1)
        hidden = first(pooled)
        open_second = (second(functional.relu(hidden)) > 0).to(features.dtype)
        open_first = (hidden > 0).to(features.dtype)
        gradient: Tensor = ((last.weight[index] * open_second) @ second.weight * open_first) @ first.weight
        return gradient.reshape(features.shape[0], features.shape[1], -1).sum(dim=2) / cells


class NamedOutputs(nn.Module):
    """What an engine runs: `forward` gives the outputs of the exported graph, by name."""

    def __init__(
        self, network: nn.Module, names: tuple[str, ...], outputs: Callable[[Tensor], tuple[Tensor, ...]]
    ) -> None:
        super().__init__()
        self.network = network
        self.names = names
        self._outputs = outputs

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        return dict(zip(self.names, self._outputs(image), strict=True))


class LogitsOnly(nn.Module):
    """Any of the networks as the grad-cam library expects one: image in, logits out."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        outputs = self.network(image)
        return cast(Tensor, outputs[0] if isinstance(outputs, tuple) else outputs)


def with_map(network: PublishedNetwork, loose: int) -> NamedOutputs:
    """`features`, `logits` and the `channel_weights` of the loose logit, from one forward pass."""

    def outputs(image: Tensor) -> tuple[Tensor, ...]:
        features = network.forward_features(image)
        return features, network.forward_head(features), network.channel_weights(features, loose)

    return NamedOutputs(network, ("features", "logits", "channel_weights"), outputs)


def lucency_outputs(network: LucencyNet, *, features: bool = True) -> NamedOutputs:
    """What the graph of a bundled network gives; `features` are missing from bundles without statistics for them."""
    names = ("logits", "evidence", "landmarks")
    if features:
        return NamedOutputs(network, (*names, "features"), network.with_features)
    return NamedOutputs(network, names, network)


def locator_outputs(locator: HipLocator) -> NamedOutputs:
    """What the graph of a locator gives."""
    return NamedOutputs(locator, ("centers", "sizes"), locator)


def create(name: str, num_classes: int = 1, weights: str | Path = "none") -> PublishedNetwork:
    """A published network with `weights` as in `load_weights`."""
    if name not in ARCHITECTURES:
        raise InferenceError(f"“{name}” is no known architecture: choose one of {', '.join(ARCHITECTURES)}.")
    network = PublishedNetwork(name, num_classes)
    load_weights(network, weights)
    return network


def load_weights(network: PublishedNetwork, weights: str | Path) -> None:
    """`none`: as initialised. `imagenet`: by the library's own loader, online. Else a file in the library's layout.

    A file may be safetensors, or a .pth as the libraries publish them (read by torch's restricted unpickler, which
    builds tensors and nothing else). Only the head may differ: a last layer with another number of classes stays
    fresh, and so does a head that the file lacks as a whole.
    """
    if str(weights) == "none":
        return
    architecture = network.architecture
    state = _imagenet_state(architecture) if str(weights) == "imagenet" else _file_state(Path(weights))
    state = {_modern_name(architecture, key): value for key, value in state.items()}
    fresh = network.body.state_dict()
    for key in (f"{architecture.head}.weight", f"{architecture.head}.bias"):
        if key in state and state[key].shape != fresh[key].shape:
            state[key] = fresh[key]
    if not any(key.partition(".")[0] == architecture.head_module for key in state):
        state |= {key: value for key, value in fresh.items() if key.partition(".")[0] == architecture.head_module}
    state = {key: value for key, value in state.items() if not key.startswith("AuxLogits.")}
    try:
        network.body.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise WeightsError(f"These weights are not those of {architecture.title}.", str(error)) from error


def load_network(bundle: ModelBundle, part: Literal["model", "locator"] = "model") -> NamedOutputs:
    """The network of a bundle with its weights, strictly: every tensor is there, and no other."""
    from inference.lucency_net import COMPONENTS, HipLocator, LucencyNet

    card = bundle.card
    target: nn.Module
    if part == "locator":
        target = HipLocator()
        wrapped = locator_outputs(target)
    elif card.architecture == LUCENCY_NET:
        target = LucencyNet([name for name in card.outputs if name not in ("loose", *COMPONENTS)])
        wrapped = lucency_outputs(target, features=card.feature_statistics is not None)
    else:
        published = PublishedNetwork(card.architecture, class_count(card))
        wrapped, target = with_map(published, card.outputs.index("loose")), published.body
    path = bundle.file(LOCATOR_WEIGHTS_FILE if part == "locator" else WEIGHTS_FILE)
    try:
        state = {
            name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in load_file(path).items()
        }
        target.load_state_dict(state, strict=True)
    except (RuntimeError, SafetensorError, OSError) as error:
        raise BundleError(f"The weights in {path.name} do not fit the model “{card.title}”.", str(error)) from error
    return wrapped.eval()


def class_count(card: ModelCard) -> int:
    """Outputs of a published network: `loose`, or `not_loose` and `loose`."""
    if set(card.outputs) not in ({"loose"}, {"loose", "not_loose"}):
        raise BundleError(f"The model “{card.title}” must have the output “loose”, or “loose” and “not_loose”.")
    return len(card.outputs)


def export_onnx(network: NamedOutputs, size: int, channels: int, path: Path) -> None:
    """Write the graph with its weights inside: input `image` (N, channels, size, size), outputs by name."""
    import onnx

    network = network.eval().cpu()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter deprecates its own calls
        program = torch.onnx.export(
            network,
            (torch.zeros(2, channels, size, size),),
            input_names=["image"],
            output_names=list(network.names),
            dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=1024)},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # as it is wherever `dynamo` is set
    model = program.model_proto
    _forget_origin(model)
    onnx.save(model, path)


def _forget_origin(model: Any) -> None:
    """Drop what the exporter notes beside the graph: stack traces with this machine's paths. The same weights then
    give the same file wherever they are exported."""
    graph = model.graph
    noted = [model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer]
    for function in model.functions:
        noted += [function, *function.node, *function.value_info]
    for holder in noted:
        holder.ClearField("metadata_props")
        holder.ClearField("doc_string")


def _build(architecture: Architecture, num_classes: int) -> nn.Module:
    if architecture.library == "timm":
        import timm

        return timm.create_model(architecture.name, pretrained=False, num_classes=num_classes)
    import torchvision.models

    options: dict[str, Any] = {"num_classes": num_classes}
    if architecture.name == "inception_v3":
        # Without the auxiliary classifier, which only training from scratch would use; inputs arrive normalised.
        options |= {"aux_logits": False, "transform_input": False, "init_weights": True}
    body = cast(Any, torchvision.models.get_model(architecture.name, weights=None, **options))
    if architecture.name == "squeezenet1_1":
        # Published with a ReLU between the last convolution and the pooling: a single logit could not be negative.
        body.classifier[2] = nn.Identity()
    return cast(nn.Module, body)


def _imagenet_state(architecture: Architecture) -> dict[str, Tensor]:
    try:
        if architecture.library == "timm":
            import timm

            model = timm.create_model(architecture.name, pretrained=True)
        else:
            import torchvision.models

            model = torchvision.models.get_model(architecture.name, weights="IMAGENET1K_V1")
    except Exception as error:  # the loaders raise whatever the network below them raises
        raise WeightsError(
            f"The ImageNet weights of {architecture.title} could not be fetched: give a file, or none.", str(error)
        ) from error
    return cast(dict[str, Tensor], model.state_dict())


def _file_state(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise WeightsError(f"There is no weights file {path.name}.")
    try:
        if path.suffix.lower() == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # truncated, not a state dict, or refused by the restricted unpickler
        raise WeightsError(f"{path.name} cannot be read as weights.", str(error)) from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"{path.name} holds no table of weights.")
    return state


def _modern_name(architecture: Architecture, key: str) -> str:
    """torchvision's published DenseNet files still name layers `norm.1`, which Python modules cannot be called."""
    if architecture.name != "densenet201":
        return key
    return re.sub(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)", r"\1\2", key)
