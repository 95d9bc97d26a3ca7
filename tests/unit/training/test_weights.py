"""Converting weights of other libraries: every tensor arrives, the function stays the same, and no file runs code."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch.nn import functional

from inference.networks import ARCHITECTURES, WeightsError, create
from training.__main__ import main
from training.benchmark import weights_of
from training.weights import convert, from_torch, layers_of_pickle

RNG = np.random.default_rng(5)
FIRES = {2: 3, 3: 4, 4: 6, 5: 7, 6: 9, 7: 10, 8: 11, 9: 12}  # Keras's number -> torchvision's place


def kernel(weight: torch.Tensor) -> np.ndarray:
    """torch (out, in, rows, cols) -> Keras (rows, cols, in, out)."""
    return weight.detach().numpy().transpose(2, 3, 1, 0)


def squeezenet_table(classes: int = 1000) -> tuple[dict[str, list[np.ndarray]], dict[str, torch.Tensor]]:
    """Random weights as the package names them, and what must become of all but the first layer."""
    import torchvision

    state = torchvision.models.squeezenet1_1(weights=None, num_classes=classes).state_dict()
    names = {"conv1": "features.0", "conv10": "classifier.1"}
    for number, place in FIRES.items():
        for own, other in (("squeeze1x1", "squeeze"), ("expand1x1", "expand1x1"), ("expand3x3", "expand3x3")):
            names[f"fire{number}/{own}"] = f"features.{place}.{other}"
    for key, value in state.items():
        if key.endswith(".bias"):
            value.uniform_(-0.1, 0.1)
    table = {name: [kernel(state[f"{to}.weight"]), state[f"{to}.bias"].numpy()] for name, to in names.items()}
    return table, state


def legacy_file(path: Path, table: dict[str, list[np.ndarray]]) -> Path:
    """Keras 2: a group per layer, in order, its weights named in an attribute."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in ("input_1", *table)]
        file.create_group("input_1").attrs["weight_names"] = []
        for name, arrays in table.items():
            group = file.create_group(name)
            weights = [f"{name}/{kind}:0" for kind in ("kernel", "bias")]
            group.attrs["weight_names"] = [weight.encode() for weight in weights]
            for weight, array in zip(weights, arrays, strict=True):
                group[weight] = array
    return path


def sdist(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("layout", ["sdist", "h5"])
def test_squeezenet_keeps_every_tensor_and_what_its_first_layer_computes(tmp_path: Path, layout: str) -> None:
    table, state = squeezenet_table()
    if layout == "sdist":
        content = pickle.dumps(table, protocol=3)
        source = sdist(tmp_path / "package-0.1.tar.gz", {"package/a.py": b"raise", "package/weights.pkl": content})
    else:
        source = legacy_file(tmp_path / "weights.h5", table)

    written = convert(source, "squeezenet1_1", tmp_path / "out")

    assert weights_of("squeezenet1_1", tmp_path / "out") == [str(written)]
    network = create("squeezenet1_1", 1, written)
    got = load_file(written)
    for key, value in state.items():
        if not key.startswith("features.0."):
            torch.testing.assert_close(got[key], value, rtol=0, atol=0)
            if not key.startswith("classifier."):
                torch.testing.assert_close(network.body.state_dict()[key], value, rtol=0, atol=0)
    # Keras was given blue first, 0-255, less Caffe's means; our network red first, with torchvision's.
    rgb = torch.rand(2, 3, 20, 20)
    caffe = rgb.flip(1) * 255 - torch.tensor([103.939, 116.779, 123.68]).reshape(1, 3, 1, 1)
    want = functional.conv2d(caffe, state["features.0.weight"], state["features.0.bias"], stride=2)
    spec = ARCHITECTURES["squeezenet1_1"].spec
    mean, std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (spec.mean, spec.std))
    torch.testing.assert_close(network.body.features[0]((rgb - mean) / std), want, rtol=1e-4, atol=1e-3)
    origin = json.loads((tmp_path / "out" / "squeezenet1_1.json").read_text())
    assert origin["classes"] == 1000
    assert origin["source"] == source.name


def test_xception_is_read_by_the_names_of_its_layers(tmp_path: Path) -> None:
    """A `.keras` file numbers its groups by the order of the layers, whatever these are called; a head of another task
    and an optimizer are left alone."""
    source = create("legacy_xception", 1)
    state = {key: torch.randn_like(value) for key, value in source.body.state_dict().items() if value.ndim}
    layers: list[tuple[str, str, list[np.ndarray]]] = []

    def norm(name: str, prefix: str) -> None:
        parts = ("weight", "bias", "running_mean", "running_var")
        layers.append(("BatchNormalization", name, [state[f"{prefix}.{part}"].numpy() for part in parts]))

    def separable(name: str, prefix: str) -> None:
        depthwise = state[f"{prefix}.conv1.weight"].numpy().transpose(2, 3, 0, 1)
        layers.append(("SeparableConv2D", name, [depthwise, kernel(state[f"{prefix}.pointwise.weight"])]))

    for number in (1, 2):
        layers.append(("Conv2D", f"block1_conv{number}", [kernel(state[f"conv{number}.weight"])]))
        norm(f"block1_conv{number}_bn", f"bn{number}")
    shortcuts = 0
    for block in range(2, 14):
        first = 0 if block == 2 else 1  # only this block starts without a ReLU of its own
        for number in range(2 if block in (2, 3, 4, 13) else 3):
            place = f"block{block - 1}.rep.{first + 3 * number}"
            separable(f"block{block}_sepconv{number + 1}", place)
            norm(f"block{block}_sepconv{number + 1}_bn", f"block{block - 1}.rep.{first + 3 * number + 1}")
        if block in (2, 3, 4, 13):
            suffix = f"_{shortcuts}" if shortcuts else ""
            shortcuts += 1
            layers.append(("Conv2D", f"conv2d{suffix}", [kernel(state[f"block{block - 1}.skip.weight"])]))
            norm(f"batch_normalization{suffix}", f"block{block - 1}.skipbn")
    for number in (1, 2):
        separable(f"block14_sepconv{number}", f"conv{number + 2}")
        norm(f"block14_sepconv{number}_bn", f"bn{number + 2}")

    config = {
        "name": "xception",
        "layers": [{"class_name": kind, "config": {"name": name}} for kind, name, _ in layers],
    }
    outer = {
        "layers": [{"class_name": "Functional", "config": config}, {"class_name": "Dense", "config": {"name": "own"}}]
    }
    groups = {"Conv2D": "conv2d", "SeparableConv2D": "separable_conv2d", "BatchNormalization": "batch_normalization"}
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        counted: dict[str, int] = {}
        for kind, _, arrays in layers:
            number = counted.get(kind, 0)
            counted[kind] = number + 1
            name = groups[kind] + (f"_{number}" if number else "")
            for position, array in enumerate(arrays):
                file[f"layers/functional/layers/{name}/vars/{position}"] = array
        file["layers/dense/vars/0"] = np.zeros((2048, 6), np.float32)
        file["optimizer/vars/0"] = np.zeros((3, 3), np.float32)
    bare = tmp_path / "bare.weights.h5"
    bare.write_bytes(weights.getvalue())
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Functional", "config": outer}))
        archive.writestr("model.weights.h5", weights.getvalue())

    got = load_file(convert(path, "legacy_xception", tmp_path / "out"))

    assert not any(key.startswith("fc.") for key in got)
    for key, value in state.items():
        if not key.startswith("fc."):
            torch.testing.assert_close(got[key], value, rtol=0, atol=0)
    create("legacy_xception", 1, tmp_path / "out" / "legacy_xception.safetensors")
    # Without names the groups' numbers do not tell which layer is which.
    with pytest.raises(WeightsError, match="does not name its layers"):
        convert(bare, "legacy_xception", tmp_path / "out")


def test_vgg_convolutions_of_an_edge_detector(tmp_path: Path) -> None:
    """A chain without names, in blocks, with heads of another task; the classifier stays as initialised."""
    with torch.device("meta"):
        features = create("vgg16", 1).body.features
    state = {key: torch.randn(value.shape) for key, value in features.state_dict().items()}
    places = [int(key.partition(".")[0]) for key in state if key.endswith("weight")]
    numbers = iter(places)
    path = tmp_path / "edges.weights.h5"
    with h5py.File(path, "w") as file:
        for block, count in enumerate((2, 2, 3, 3, 3), start=1):
            for layer in range(count):
                place = next(numbers)
                group = f"block{block}/layers/conv2d" + (f"_{layer}" if layer else "")
                file[f"{group}/vars/0"] = kernel(state[f"{place}.weight"])
                file[f"{group}/vars/1"] = state[f"{place}.bias"].numpy()
            file[f"dsn{block}/vars/0"] = np.zeros((1, 1, 64, 1), np.float32)
            file[f"dsn{block}/vars/1"] = np.zeros(1, np.float32)
    got = load_file(convert(path, "vgg16", tmp_path))
    assert set(got) == {f"features.{key}" for key in state}
    for key, value in state.items():
        if not key.startswith("0."):
            torch.testing.assert_close(got[f"features.{key}"], value, rtol=0, atol=0)
    with pytest.raises(WeightsError, match="13 layers where the network has 16"):
        convert(path, "vgg19", tmp_path)


def test_torch_files_as_trained_scripts_save_them(tmp_path: Path) -> None:
    import torchvision

    state = torchvision.models.squeezenet1_1(weights=None).state_dict()
    torch.save(
        {"epoch": 3, "state_dict": {f"module.{key}": value for key, value in state.items()}}, tmp_path / "own.pth"
    )
    got = load_file(convert(tmp_path / "own.pth", "squeezenet1_1", tmp_path / "out"))
    assert got.keys() == state.keys()
    assert all(torch.equal(got[key], value) for key, value in state.items())


def test_hidden_layers_that_timm_keeps_as_convolutions() -> None:
    state = {
        "features.0.weight": torch.zeros(4, 3, 3, 3),
        "pre_logits.fc1.weight": torch.arange(72.0).reshape(2, 4, 3, 3),
        "pre_logits.fc1.bias": torch.zeros(2),
        "head.fc.weight": torch.zeros(1, 2),
    }
    got = from_torch(ARCHITECTURES["vgg19"], state)
    assert set(got) == {"features.0.weight", "classifier.0.weight", "classifier.0.bias", "classifier.6.weight"}
    assert torch.equal(got["classifier.0.weight"], state["pre_logits.fc1.weight"].flatten(1))


class Asks:
    """Pickles as a call of whatever it is given."""

    def __init__(self, function, *arguments) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def harmful(ran: Path) -> dict[str, bytes]:
    """Pickles that would do something when opened, each by another way."""
    array = np.zeros(2, np.float32)
    return {
        "a call": pickle.dumps({"conv1": [Asks(Path.touch, ran)]}),
        "eval": pickle.dumps(Asks(eval, f"__import__('pathlib').Path({str(ran)!r}).touch()")),
        "beside an array": pickle.dumps({"conv1": [array], "conv2": [Asks(exec, f"open({str(ran)!r}, 'w')")]}),
        "numpy itself": pickle.dumps({"conv1": [Asks(np.save, str(ran), array)]}),
        "an attribute of an array type": b"cnumpy\nndarray.tofile\n(S'x'\ntR.",
        "protocol 4, a dotted name": pickle.dumps({"conv1": [Asks(np.ndarray.tofile, array, str(ran))]}, protocol=4),
        "an extension": b"\x80\x02\x82\x01.",
        "a persistent id": b"Pevil\n.",
    }


@pytest.mark.parametrize("name", list(harmful(Path("ran"))))
@pytest.mark.parametrize("packed", [False, True])
def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path, name: str, packed: bool) -> None:
    ran = tmp_path / "ran.npy"
    content = harmful(ran)[name]
    path = tmp_path / "weights.pkl"
    if packed:
        path = sdist(tmp_path / "package.tar.gz", {"weights.pkl": content})
    else:
        path.write_bytes(content)
    with pytest.raises(WeightsError):
        convert(path, "squeezenet1_1", tmp_path / "out")
    assert not ran.exists()
    assert not (tmp_path / "out").exists()


def test_the_command_says_why_it_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "weights.pkl"
    path.write_bytes(pickle.dumps({"conv1": [Asks(print, "ran")]}))
    assert main(["weights", str(path), "--architecture", "squeezenet1_1", "--out", str(tmp_path / "out")]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "could run code" in printed.err
    assert "Traceback" not in printed.err


@pytest.mark.parametrize("protocol", range(3, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f2", "<f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_are_read_as_numpy_would(protocol: int, dtype: str, order: str) -> None:
    array = np.asarray(RNG.normal(size=(3, 1, 2)).astype(dtype), order=order)
    (layer,) = layers_of_pickle(pickle.dumps({"conv1": [array]}, protocol=protocol))
    np.testing.assert_array_equal(layer.arrays[0], array.astype(np.float32))


def test_arrays_of_objects_are_refused(tmp_path: Path) -> None:
    for array in (np.array([{}], object), np.array(["a"]), np.zeros(2, "V8"), np.zeros(2, [("a", "f4")])):
        (tmp_path / "weights.pkl").write_bytes(pickle.dumps({"conv1": [array]}))
        with pytest.raises(WeightsError):
            convert(tmp_path / "weights.pkl", "squeezenet1_1", tmp_path)


@settings(max_examples=60, deadline=None)
@given(
    content=st.binary(max_size=300), suffix=st.sampled_from([".pkl", ".h5", ".keras", ".pth", ".safetensors", ".whl"])
)
def test_damaged_files_give_a_sentence(content: bytes, suffix: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("damaged") / f"weights{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError):
        convert(path, "squeezenet1_1", path.parent / "out")


def test_archives_name_what_they_contain(tmp_path: Path) -> None:
    table, _ = squeezenet_table()
    content = pickle.dumps(table)
    both = sdist(tmp_path / "two.tar.gz", {"p/a.pkl": content, "p/b.pkl": b"other"})
    with pytest.raises(WeightsError, match=r"--member: p/a\.pkl, p/b\.pkl"):
        convert(both, "squeezenet1_1", tmp_path / "out")
    assert convert(both, "squeezenet1_1", tmp_path / "out", member="p/a.pkl").is_file()
    with pytest.raises(WeightsError, match="contains no p/c"):
        convert(both, "squeezenet1_1", tmp_path / "out", member="p/c.pkl")
    with zipfile.ZipFile(tmp_path / "none.whl", "w") as archive:
        archive.writestr("p/a.py", "")
    with pytest.raises(WeightsError, match="contains no weights file"):
        convert(tmp_path / "none.whl", "squeezenet1_1", tmp_path / "out")
    with pytest.raises(WeightsError, match="no file absent"):
        convert(tmp_path / "absent.whl", "squeezenet1_1", tmp_path / "out")


def test_weights_of_another_network_leave_what_is_there(tmp_path: Path) -> None:
    table, _ = squeezenet_table()
    good = legacy_file(tmp_path / "good.h5", table)
    written = convert(good, "squeezenet1_1", tmp_path / "out")
    before = written.read_bytes()
    table.pop("fire5/expand3x3")
    with pytest.raises(WeightsError, match="not those of SqueezeNet") as caught:
        convert(legacy_file(tmp_path / "bad.h5", table), "squeezenet1_1", tmp_path / "out")
    assert "features.7.expand3x3" in caught.value.details
    with pytest.raises(WeightsError, match="strides"):
        convert(good, "resnet50", tmp_path / "out")
    assert written.read_bytes() == before
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"squeezenet1_1.safetensors", "squeezenet1_1.json"}
