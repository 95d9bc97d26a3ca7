"""`python -m training weights`: convert ImageNet weights from other libraries to what `--weights FOLDER` reads.

The source is a file that the user already has: a wheel or sdist with the weights inside, a Keras `.h5` or `.keras`,
a torchvision `.pth`, a timm `.safetensors`, or a pickle of NumPy arrays. Nothing is fetched, and nothing in a file is
run: pickles are read by an unpickler that knows arrays only, and of a Keras file only names and arrays are read.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import pickle
import re
import sys
import tarfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load as load_safetensors
from safetensors.torch import save_file
from torch import Tensor, nn

from inference.model_bundle import PUBLISHED_ARCHITECTURES
from inference.networks import ARCHITECTURES, Architecture, PublishedNetwork, WeightsError, load_weights
from inference.preprocess import InputSpec

Array = npt.NDArray[np.float32]

ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar")
WEIGHTS = (".keras", ".h5", ".hdf5", ".safetensors", ".pth", ".pt", ".pkl", ".pickle")
MAX_BYTES = 2 * 2**30
# Keras gives VGG and SqueezeNet the pixels that Caffe gave them: blue first, 0-255, less these means.
CAFFE = InputSpec(224, 3, (123.68 / 255, 116.779 / 255, 103.939 / 255), (1 / 255, 1 / 255, 1 / 255))
CAFFE_INPUTS = frozenset({"squeezenet1_1", "vgg16", "vgg19"})


@dataclass(frozen=True)
class Layer:
    """A Keras layer with weights, its arrays in Keras's order and axes. `name` is None where the file gives none."""

    name: str | None
    arrays: tuple[Array, ...]

    @property
    def is_convolution(self) -> bool:
        return self.arrays[0].ndim == 4

    @property
    def is_norm(self) -> bool:
        return self.arrays[0].ndim == 1


# Files and archives


def convert(source: Path, architecture: str, folder: Path, member: str | None = None) -> Path:
    """Write `architecture`.safetensors into `folder`, in the library's layout, with a JSON file on its origin beside it.

    `member` names the file inside an archive that holds several. WeightsError when the source cannot be read, holds
    code, or does not fit the architecture.
    """
    name, content = read_source(source, member)
    with torch.device("meta"):  # nothing is initialised: all weights come from the file
        network = PublishedNetwork(architecture, 1)
    network.to_empty(device="cpu")
    state = state_of(name, content, network)
    folder.mkdir(parents=True, exist_ok=True)
    result = folder / f"{architecture}.safetensors"
    temporary = folder / f".{architecture}.partial.safetensors"
    save_file({key: value.contiguous() for key, value in state.items()}, temporary)
    try:
        load_weights(network, temporary)
    except WeightsError:
        temporary.unlink()
        raise
    head = network.architecture.head
    origin = {
        "architecture": architecture,
        "source": source.name,
        "member": name if name != source.name else None,
        "sha256": hashlib.sha256(content).hexdigest(),
        "classes": len(state[f"{head}.weight"]) if f"{head}.weight" in state else None,
    }
    (folder / f"{architecture}.json").write_text(json.dumps(origin, indent=1) + "\n", encoding="utf-8")
    temporary.replace(result)
    return result


def read_source(source: Path, member: str | None = None) -> tuple[str, bytes]:
    """Name and content of the weights file `source`, or of the one weights file inside the archive `source`."""
    if not source.is_file():
        raise WeightsError(f"There is no file {source.name}.")
    try:
        if not source.name.lower().endswith(ARCHIVES):
            _check_size(source.name, source.stat().st_size)
            return source.name, source.read_bytes()
        if zipfile.is_zipfile(source):
            with zipfile.ZipFile(source) as archive:
                sizes = {info.filename: info.file_size for info in archive.infolist()}
                chosen = _choose(source.name, sizes, member)
                return chosen, archive.read(chosen)
        with tarfile.open(source) as archive:
            sizes = {info.name: info.size for info in archive.getmembers() if info.isfile()}
            chosen = _choose(source.name, sizes, member)
            stream = archive.extractfile(chosen)
            assert stream is not None  # it is a file
            return chosen, stream.read()
    except (OSError, zipfile.BadZipFile, tarfile.TarError, EOFError, RuntimeError) as error:
        raise WeightsError(f"{source.name} cannot be read.", str(error)) from error


def _choose(archive: str, sizes: dict[str, int], member: str | None) -> str:
    found = sorted(name for name in sizes if name.lower().endswith(WEIGHTS))
    if member is not None:
        found = [name for name in sizes if name == member]
    if not found:
        raise WeightsError(f"{archive} contains no {'weights file' if member is None else member}.")
    if len(found) > 1:
        raise WeightsError(f"{archive} contains several weights files. Choose one with --member: {', '.join(found)}.")
    _check_size(found[0], sizes[found[0]])
    return found[0]


def _check_size(name: str, size: int) -> None:
    if size > MAX_BYTES:
        raise WeightsError(f"{name} is too large for a weights file ({size / 2**30:.0f} GB).")


def state_of(name: str, content: bytes, network: PublishedNetwork) -> dict[str, Tensor]:
    """The state dict in the library's layout; without the head's weights where the file has none."""
    suffix = Path(name).suffix.lower()
    architecture = network.architecture
    try:
        match suffix:
            case ".safetensors":
                return from_torch(architecture, load_safetensors(content))
            case ".pth" | ".pt":
                state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
                return from_torch(architecture, _nested_state(state))
            case ".pkl" | ".pickle":
                return from_keras(network, layers_of_pickle(content))
            case ".keras" | ".h5" | ".hdf5":
                return from_keras(network, layers_of_keras(content))
    except WeightsError:
        raise
    except Exception as error:  # damaged files raise whatever their library raises
        raise WeightsError(f"{Path(name).name} cannot be read as weights.", str(error)) from error
    raise WeightsError(f"{Path(name).name} is not a weights file: expected {', '.join(WEIGHTS)}.")


# torchvision and timm


def _nested_state(state: Any) -> dict[str, Tensor]:
    """The table of tensors itself, or the one that a training script put under `state_dict` or `model`."""
    for key in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError("The file contains no table of weights.")
    return {str(key).removeprefix("module."): value for key, value in state.items()}


def from_torch(architecture: Architecture, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """torchvision's names are kept. timm's VGG keeps its hidden layers as convolutions under other names."""
    if architecture.name not in ("vgg16", "vgg19"):
        return state
    names = {"pre_logits.fc1": "classifier.0", "pre_logits.fc2": "classifier.3", "head.fc": "classifier.6"}
    renamed = {}
    for key, value in state.items():
        layer, _, kind = key.rpartition(".")
        hidden = layer.startswith("pre_logits.") and value.ndim == 4
        renamed[f"{names.get(layer, layer)}.{kind}"] = value.flatten(1) if hidden else value
    return renamed


# Pickles of NumPy arrays


class _ArrayType:
    """Stands for numpy.ndarray in a pickle."""


class _Dtype:
    """Stands for numpy.dtype in a pickle: keeps the code, its byte order comes with the state."""

    __slots__ = ("code", "order")

    def __init__(self, code: object, *_: object) -> None:
        self.code, self.order = code, "<"

    def __setstate__(self, state: Sequence[object]) -> None:
        self.order = str(state[1])

    def numpy(self) -> np.dtype[Any]:
        if self.code not in ("f2", "f4", "f8"):
            raise pickle.UnpicklingError(f"Arrays of type {self.code!r} are not weights.")
        return np.dtype(f"{'>' if self.order == '>' else '<'}{self.code}")


class _PickledArray:
    """Stands for an array in a pickle. Built from its bytes by us, so that NumPy's own unpickling is never called."""

    __slots__ = ("values",)

    def __init__(self, *_: object) -> None:
        self.values: Array | None = None

    def __setstate__(self, state: Sequence[Any]) -> None:
        _, shape, dtype, fortran, content = state
        if not isinstance(dtype, _Dtype) or not isinstance(content, bytes):
            raise pickle.UnpicklingError("An array without plain numbers.")
        flat = np.frombuffer(content, dtype.numpy())
        self.values = flat.reshape(shape, order="F" if fortran else "C").astype(np.float32)


class _BufferedArray(_PickledArray):
    """The same from protocol 5, which hands over content, type, shape and order at once."""

    __slots__ = ()

    def __init__(self, content: bytes | bytearray, dtype: _Dtype, shape: tuple[int, ...], order: str) -> None:
        self.__setstate__((1, shape, dtype, order == "F", bytes(content)))


_ARRAY_GLOBALS: dict[tuple[str, str], type] = {
    ("numpy", "ndarray"): _ArrayType,
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): _PickledArray,
    ("numpy._core.multiarray", "_reconstruct"): _PickledArray,
    ("numpy.core.numeric", "_frombuffer"): _BufferedArray,
    ("numpy._core.numeric", "_frombuffer"): _BufferedArray,
}


class ArrayUnpickler(pickle.Unpickler):
    """Reads containers, text, numbers and float arrays. Any other global is refused before it is even imported."""

    def find_class(self, module: str, name: str) -> type:
        try:
            return _ARRAY_GLOBALS[module, name]
        except KeyError:
            raise WeightsError(
                f"The pickle asks for {module}.{name}, which is not an array. It was not opened: it could run code."
            ) from None


def layers_of_pickle(content: bytes) -> list[Layer]:
    """A pickled table of layer name -> arrays in Keras's order and axes."""
    table = ArrayUnpickler(io.BytesIO(content)).load()
    if not isinstance(table, dict):
        raise WeightsError("The pickle contains no table of layers.")
    layers = []
    for name, arrays in table.items():
        given = arrays if isinstance(arrays, list | tuple) else [arrays]
        values = [array.values for array in given if isinstance(array, _PickledArray) and array.values is not None]
        if len(values) != len(given) or not values:
            raise WeightsError(f"The layer {name} of the pickle holds something other than arrays.")
        layers.append(Layer(str(name), tuple(values)))
    return layers


# Keras


def layers_of_keras(content: bytes) -> list[Layer]:
    """The layers of a `.h5`, `.weights.h5` or `.keras` file, in the file's order."""
    try:
        import h5py
    except ImportError as error:
        raise WeightsError(
            "Keras files need the package h5py. Install it, for example with: pip install h5py"
        ) from error
    names: dict[str, str] = {}
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_size("model.weights.h5", archive.getinfo("model.weights.h5").file_size)
            names = _group_names(json.loads(archive.read("config.json"))["config"])
            content = archive.read("model.weights.h5")
    with h5py.File(io.BytesIO(content), "r") as file:
        root = file.get("model_weights", file)
        if "layer_names" in root.attrs:
            return list(_legacy_layers(root))
        groups: dict[str, dict[int, Array]] = defaultdict(dict)
        given = dict(names)

        def visit(path: str, item: Any) -> None:
            parent, _, position = path.rpartition("/")
            if path.startswith("optimizer") or not parent.endswith("vars"):
                return
            if isinstance(item, h5py.Dataset) and position.isdigit():
                group = parent.removesuffix("/vars")
                groups[group][int(position)] = np.asarray(item[()], np.float32)
                if "name" in item.parent.attrs:
                    given[group] = str(item.parent.attrs["name"])

        file.visititems(visit)
        return [
            Layer(given.get(group), tuple(array for _, array in sorted(groups[group].items())))
            for group in sorted(groups, key=_natural)
        ]


def _legacy_layers(root: Any) -> Iterable[Layer]:
    """Keras 1 and 2: a group per layer, in order; a model used as a layer is one group with all its layers' weights."""
    for layer in map(_text, root.attrs["layer_names"]):
        found: dict[str, list[Array]] = defaultdict(list)
        for weight in map(_text, root[layer].attrs["weight_names"]):
            found[weight.rpartition("/")[0]].append(np.asarray(root[layer][weight][()], np.float32))
        if len(found) == 1:
            yield Layer(layer, tuple(*found.values()))
        else:
            yield from (Layer(name.rpartition("/")[2], tuple(arrays)) for name, arrays in found.items())


def _group_names(config: dict[str, Any], path: str = "layers") -> dict[str, str]:
    """Keras 3: group inside the weights file -> name of the layer, as the library numbers the groups."""
    names: dict[str, str] = {}
    seen: dict[str, int] = defaultdict(int)
    for layer in config.get("layers", []):
        kind = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", layer["class_name"])
        kind = re.sub(r"([a-z])([A-Z])", r"\1_\2", kind).lower()
        group = f"{path}/{kind}" + (f"_{seen[kind]}" if seen[kind] else "")
        seen[kind] += 1
        if "layers" in layer["config"]:
            names |= _group_names(layer["config"], f"{group}/layers")
        else:
            names[group] = layer["config"]["name"]
    return names


def _text(value: str | bytes) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _natural(text: str) -> list[tuple[int, str]]:
    """`conv2d` before `conv2d_1` before `conv2d_10`."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)]


# From Keras's layers to the library's modules


def from_keras(network: PublishedNetwork, layers: Sequence[Layer]) -> dict[str, Tensor]:
    """The state dict of `network` with the weights of `layers`. WeightsError where they do not fit."""
    architecture, body = network.architecture, network.body
    if architecture.name not in _PAIRS:
        raise WeightsError(
            f"Keras's {architecture.title} differs from this one in its strides: its weights would not fit. "
            "Use a file of torchvision or timm."
        )
    expected = body.state_dict()
    state: dict[str, Tensor] = {}
    for prefix, layer in _PAIRS[architecture.name](body, layers):
        for key, value in _as_torch(body.get_submodule(prefix), layer).items():
            name = f"{prefix}.{key}"
            fits = name in expected and (expected[name].shape == value.shape or prefix == architecture.head)
            if not fits:
                raise WeightsError(f"These weights are not those of {architecture.title}.", f"{layer.name} -> {name}")
            state[name] = value
    has_head = any(key.partition(".")[0] == architecture.head_module for key in state)
    for key, value in expected.items():
        if key.endswith("num_batches_tracked"):  # counted by torch only
            state[key] = torch.zeros_like(value)
        elif key not in state and (has_head or key.partition(".")[0] != architecture.head_module):
            raise WeightsError(f"These weights are not those of {architecture.title}.", f"missing: {key}")
    if architecture.name in CAFFE_INPUTS:
        state |= from_caffe("features.0", state, architecture.spec)
    return state


def from_caffe(first: str, state: dict[str, Tensor], spec: InputSpec) -> dict[str, Tensor]:
    """The first convolution, for red first and normalised by `spec` instead of blue first and `CAFFE`."""
    weight = state[f"{first}.weight"].flip(1).double()
    scale = torch.tensor([own / other for own, other in zip(spec.std, CAFFE.std, strict=True)])
    offset = torch.tensor(
        [(own - other) / std for own, other, std in zip(spec.mean, CAFFE.mean, CAFFE.std, strict=True)]
    )
    bias = state[f"{first}.bias"].double() + (weight.sum(dim=(2, 3)) * offset).sum(dim=1)
    return {f"{first}.weight": (weight * scale[:, None, None]).float(), f"{first}.bias": bias.float()}


def _as_torch(module: nn.Module, layer: Layer) -> dict[str, Tensor]:
    """A layer's arrays by the names and axes of the module that takes them."""
    arrays = [torch.from_numpy(np.ascontiguousarray(array)) for array in layer.arrays]
    if isinstance(module, nn.BatchNorm2d):
        names = ("weight", "bias", "running_mean", "running_var")
        if len(arrays) == 3:  # made without a scale
            arrays.insert(0, torch.ones_like(arrays[0]))
        return dict(zip(names, arrays, strict=True))
    if isinstance(module, nn.Conv2d):
        kernel = arrays[0].permute(3, 2, 0, 1)
        found = {"weight": kernel}
    elif isinstance(module, nn.Linear):
        found = {"weight": arrays[0].T}
    else:  # timm's separable convolution
        depthwise, pointwise = arrays
        return {"conv1.weight": depthwise.permute(2, 3, 0, 1), "pointwise.weight": pointwise.permute(3, 2, 0, 1)}
    if len(arrays) > 1:
        found["bias"] = arrays[1]
    return found


Pairs = list[tuple[str, Layer]]


def _named(layers: Sequence[Layer]) -> dict[str, Layer]:
    if any(layer.name is None for layer in layers):
        raise WeightsError("This file does not name its layers. Save the model as .keras, and convert that.")
    return {str(layer.name): layer for layer in layers}


def _modules(body: nn.Module, kind: type[nn.Module]) -> list[str]:
    return [name for name, module in body.named_modules() if isinstance(module, kind)]


def _paired(names: Sequence[str], layers: Sequence[Layer]) -> Pairs:
    if len(names) != len(layers):
        raise WeightsError(f"The file has {len(layers)} layers where the network has {len(names)}.")
    return list(zip(names, layers, strict=True))


def _vgg(body: nn.Module, layers: Sequence[Layer]) -> Pairs:
    """A chain: the order is enough. Convolutions other than 3 x 3 belong to heads of another task."""
    chain = [layer for layer in layers if layer.is_convolution and layer.arrays[0].shape[:2] == (3, 3)]
    pairs = _paired(_modules(body, nn.Conv2d), chain)
    dense = {layer.name: layer for layer in layers if layer.arrays[0].ndim == 2}
    wanted = {"fc1": "classifier.0", "fc2": "classifier.3", "predictions": "classifier.6"}
    if all(name in dense for name in wanted):
        kernel, bias = dense["fc1"].arrays
        # Keras flattens rows, columns, channels; torch channels first.
        turned = kernel.reshape(7, 7, -1, kernel.shape[1]).transpose(2, 0, 1, 3).reshape(kernel.shape)
        dense["fc1"] = Layer("fc1", (turned, bias))
        pairs += [(wanted[name], dense[name]) for name in wanted]
    return pairs


def _squeezenet(body: nn.Module, layers: Sequence[Layer]) -> Pairs:
    named = _named(layers)
    fires = (3, 4, 6, 7, 9, 10, 11, 12)  # torchvision counts the pooling layers between them
    wanted = {"conv1": "features.0"}
    for number, position in enumerate(fires, start=2):
        wanted[f"fire{number}/squeeze1x1"] = f"features.{position}.squeeze"
        wanted |= {f"fire{number}/{part}": f"features.{position}.{part}" for part in ("expand1x1", "expand3x3")}
    if "conv10" in named:
        wanted["conv10"] = "classifier.1"
    return [(target, named[name]) for name, target in wanted.items() if name in named]


def _xception(body: Any, layers: Sequence[Layer]) -> Pairs:
    """Named, but for the four shortcuts, which are numbered in order."""
    named = _named(layers)
    pairs = []
    for number in (1, 2):
        pairs += [(f"conv{number}", f"block1_conv{number}"), (f"bn{number}", f"block1_conv{number}_bn")]
    for block in range(1, 13):
        separable = [
            int(name)
            for name, module in getattr(body, f"block{block}").rep.named_children()
            if hasattr(module, "pointwise")
        ]
        for number, position in enumerate(separable, start=1):
            source = f"block{block + 1}_sepconv{number}"
            pairs += [(f"block{block}.rep.{position}", source), (f"block{block}.rep.{position + 1}", f"{source}_bn")]
    for number in (1, 2):
        source = f"block14_sepconv{number}"
        pairs += [(f"conv{number + 2}", source), (f"bn{number + 2}", f"{source}_bn")]
    if "predictions" in named:
        pairs.append(("fc", "predictions"))
    found = [(target, named[name]) for target, name in pairs if name in named]
    blocks = [block for block in range(1, 13) if getattr(body, f"block{block}").skip is not None]
    for part, prefix in (("skip", "conv2d"), ("skipbn", "batch_normalization")):
        found += _paired([f"block{block}.{part}" for block in blocks], _numbered(named, prefix))
    return found


def _numbered(named: dict[str, Layer], prefix: str) -> list[Layer]:
    """Layers that Keras numbered itself, in the order in which they were made."""
    pattern = re.compile(rf"{prefix}(_\d+)?")
    return [named[name] for name in sorted(filter(pattern.fullmatch, named), key=_natural)]


def _densenet(body: nn.Module, layers: Sequence[Layer]) -> Pairs:
    """A chain as far as its weights go: the order is enough."""
    pairs = _paired(_modules(body, nn.Conv2d), [layer for layer in layers if layer.is_convolution])
    pairs += _paired(_modules(body, nn.BatchNorm2d), [layer for layer in layers if layer.is_norm])
    return pairs + [("classifier", layer) for layer in layers if layer.name == "predictions"]


def _inception(body: nn.Module, layers: Sequence[Layer]) -> Pairs:
    """Made in the same order in both libraries. The up-scaling convolutions of Inception-ResNet have names."""
    named = _named(layers)
    plain = [name for name in _modules(body, nn.Conv2d) if name.endswith(".conv2d")]
    convolutions = [name for name in _modules(body, nn.Conv2d) if name not in plain]
    last = [named[name] for name in ("conv_7b",) if name in named]
    last_norm = [named[name] for name in ("conv_7b_bn",) if name in named]
    pairs = _paired(convolutions, _numbered(named, "conv2d") + last)
    pairs += _paired(_modules(body, nn.BatchNorm2d), _numbered(named, "batch_normalization") + last_norm)
    up = [
        named[name]
        for stage in ("block35", "block17", "block8")
        for name in sorted((name for name in named if re.fullmatch(rf"{stage}_\d+_conv", name)), key=_natural)
    ]
    pairs += _paired(plain, up)
    head = "classif" if plain else "fc"
    return pairs + [(head, named["predictions"])] * ("predictions" in named)


_PAIRS: dict[str, Callable[[Any, Sequence[Layer]], Pairs]] = {
    "vgg16": _vgg,
    "vgg19": _vgg,
    "squeezenet1_1": _squeezenet,
    "legacy_xception": _xception,
    "densenet201": _densenet,
    "inception_v3": _inception,
    "inception_resnet_v2": _inception,
}


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("weights", help="convert ImageNet weights of other libraries for --weights")
    parser.add_argument("source", type=Path, help="a wheel, an sdist, or a Keras, torch, safetensors or pickle file")
    parser.add_argument("--architecture", choices=PUBLISHED_ARCHITECTURES, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for ARCHITECTURE.safetensors")
    parser.add_argument("--member", help="the file inside the archive, where there are several")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    try:
        written = convert(arguments.source, arguments.architecture, arguments.out, arguments.member)
    except WeightsError as error:
        print(*filter(None, (error.sentence, error.details)), sep="\n", file=sys.stderr)  # noqa: T201 the command's answer
        return 1
    classes = json.loads(written.with_suffix(".json").read_text(encoding="utf-8"))["classes"]
    head = "without its last layers" if classes is None else f"with {classes} classes"
    print(f"{ARCHITECTURES[arguments.architecture].title}, {head}: {written}")  # noqa: T201
    return 0
