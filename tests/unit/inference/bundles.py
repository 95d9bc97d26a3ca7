"""Small bundles that the tests make themselves: graphs of a few nodes whose answers follow from the image."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from imaging.radiograph import Radiograph, Side, View, Window
from inference.model_bundle import (
    IndeterminateBand,
    InputCard,
    LocatorCard,
    ModelBundle,
    ModelCard,
    OperatingPoint,
    SaliencyCard,
    SuitabilityRule,
    seal_bundle,
)
from inference.replay import record_reference

SIZE, STRIDE = 64, 8
LOCATOR_SIZE = 64
SUITABILITY = ("implant", "ap_view")
OUTPUTS = ("loose", "stem", "cup", *SUITABILITY)
SENTENCES = {
    "implant": "No hip replacement was found in this region.",
    "ap_view": "This looks like a lateral view.",
}
LANDMARKS = ("head_center", "stem_tip", "stem_axis_top", "shoulder", "cup_rim_lateral", "cup_rim_medial")
# On the input square, as a left image half hip would have them: head medial (to the right), stem downwards.
LANDMARK_POINTS = {
    "head_center": (36.0, 16.0),
    "stem_tip": (24.0, 56.0),
    "stem_axis_top": (24.0, 20.0),
    "shoulder": (22.0, 20.0),
    "cup_rim_lateral": (28.0, 16.0),
    "cup_rim_medial": (44.0, 16.0),
}


def card(**changes: object) -> ModelCard:
    fields: dict[str, object] = {
        "schema": 1,
        "id": "tiny",
        "version": "0.1.0",
        "title": "Tiny",
        "architecture": "lucency-net",
        "input": InputCard(size=SIZE, mean=(0.0,), std=(1.0,)),
        "outputs": OUTPUTS,
        "landmarks": LANDMARKS,
        "temperature": {"loose": 2.0},
        "operating_point": OperatingPoint(threshold=0.5, chosen_on="nothing: a test"),
        "indeterminate": IndeterminateBand(low=0.4, high=0.6, n=10, alpha=0.1),
        "saliency": SaliencyCard(method="class-activation map", levels=(0.1, 0.9)),
        "suitability": {name: SuitabilityRule(threshold=0.5, sentence=SENTENCES[name]) for name in SUITABILITY},
        "training_data": "simulated",
        "intended_use": "Tests.",
    }
    return ModelCard(**{**fields, **changes})  # type: ignore[arg-type]


def write_model(path: Path, *, external: str = "", features: bool = False) -> None:
    """evidence = sigmoid(20 x (cell mean - 0.5)): stem from the lower half of the image, cup from the upper.

    stem, cup = logit of their strongest cell, loose = the larger; implant = 50 x (brightness - 0.02): a dark image
    has none; ap_view = 5 unless the very left column is bright. `features`, where asked for: the brightness, twice.
    """
    cells = SIZE // STRIDE
    half = np.zeros((1, 2, cells, cells), np.float32)
    half[0, 0, : cells // 2] = half[0, 1, cells // 2 :] = -40.0
    left = np.zeros((1, 1, cells, cells), np.float32)
    left[..., 0] = 1.0 / cells
    points = np.array([[(*LANDMARK_POINTS[name], 0.9) for name in LANDMARKS]], np.float32)
    constants = {
        "half": half,
        "left": left,
        "points": points,
        "gain": np.array([20.0], np.float32),
        "shift": np.array([10.0], np.float32),
        "floor": np.array([0.02], np.float32),
        "five": np.array([5.0], np.float32),
        "fifty": np.array([50.0], np.float32),
        "spatial": np.array([2, 3], np.int64),
        "one": np.array([1], np.int64),
        "zero": np.array([0], np.int64),
        "tail": np.array([1, 1], np.int64),
    }
    node = helper.make_node
    nodes = [
        node("AveragePool", ["image"], ["cells"], kernel_shape=[STRIDE, STRIDE], strides=[STRIDE, STRIDE]),
        node("Mul", ["cells", "gain"], ["scaled"]),
        node("Sub", ["scaled", "shift"], ["shifted"]),
        node("Add", ["shifted", "half"], ["raw"]),
        node("Sigmoid", ["raw"], ["evidence"]),
        node("ReduceMax", ["raw", "spatial"], ["components"], keepdims=0),
        node("ReduceMax", ["components", "one"], ["loose"], keepdims=1),
        node("ReduceMean", ["image", "spatial"], ["brightness"], keepdims=0),
        node("Sub", ["brightness", "floor"], ["above"]),
        node("Mul", ["above", "fifty"], ["implant"]),
        node("Mul", ["cells", "left"], ["left_cells"]),
        node("ReduceSum", ["left_cells", "spatial"], ["leftness"], keepdims=0),
        node("Mul", ["leftness", "gain"], ["lateral"]),
        node("Sub", ["five", "lateral"], ["ap_view"]),
        node("Concat", ["loose", "components", "implant", "ap_view"], ["logits"], axis=1),
        node("Shape", ["image"], ["shape"]),
        node("Gather", ["shape", "zero"], ["count"]),
        node("Concat", ["count", "tail"], ["wanted"], axis=0),
        node("Expand", ["points", "wanted"], ["landmarks"]),
    ]
    outputs = {"logits": ["n", 5], "evidence": ["n", 2, cells, cells], "landmarks": ["n", len(LANDMARKS), 3]}
    if features:
        nodes.append(node("Concat", ["brightness", "brightness"], ["features"], axis=1))
        outputs["features"] = ["n", 2]
    _save(path, nodes, constants, ["n", 1, SIZE, SIZE], outputs, external)


def write_locator(path: Path) -> None:
    """centers: replaced = how bright a cell is, native = how near to mid-grey; sizes = 24 input pixels everywhere."""
    cells = LOCATOR_SIZE // STRIDE
    constants = {
        "half": np.array([0.5], np.float32),
        "zero": np.array([0.0], np.float32),
        "side": np.array([24.0], np.float32),
    }
    node = helper.make_node
    nodes = [
        node("AveragePool", ["image"], ["replaced"], kernel_shape=[STRIDE, STRIDE], strides=[STRIDE, STRIDE]),
        node("Sub", ["replaced", "half"], ["off"]),
        node("Abs", ["off"], ["distance"]),
        node("Sub", ["half", "distance"], ["native"]),
        node("Concat", ["replaced", "native"], ["centers"], axis=1),
        node("Mul", ["replaced", "zero"], ["nothing"]),
        node("Add", ["nothing", "side"], ["sizes"]),
    ]
    outputs = {"centers": ["n", 2, cells, cells], "sizes": ["n", 1, cells, cells]}
    _save(path, nodes, constants, ["n", 1, LOCATOR_SIZE, LOCATOR_SIZE], outputs, "")


def _save(path: Path, nodes, constants, shape, outputs, external: str) -> None:
    graph = helper.make_graph(
        nodes,
        path.stem,
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    if external:
        onnx.save(model, path, save_as_external_data=True, location=external, size_threshold=128)
    else:
        onnx.save(model, path)


def make_bundle(folder: Path, *, locator: bool = False, external: str = "", **changes: object) -> ModelBundle:
    """A sealed bundle in `folder`, which is made."""
    folder.mkdir(parents=True)
    if locator:
        write_locator(folder / "locator.onnx")
        changes.setdefault("locator", LocatorCard(size=LOCATOR_SIZE, threshold=0.6, mean=0.0, std=1.0))
    write_model(folder / "model.onnx", external=external, features="feature_statistics" in changes)
    (folder / "MODEL_CARD.md").write_text("# Tiny\n", encoding="utf-8")
    unsealed = card(**changes)
    record_reference(folder, unsealed, reference_pixels())
    return seal_bundle(folder, unsealed)


def reference_pixels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 4096, (90, 70), dtype=np.uint16)


def radiograph(pixels: np.ndarray, **fields: object) -> Radiograph:
    values = np.ascontiguousarray(pixels, np.float32)
    known: dict[str, object] = {
        "pixels": values,
        "windows": (Window(0.5, 1.0),),
        "sha256": hashlib.sha256(values.tobytes()).hexdigest(),
        "path": Path("hip.png"),
        "view": View.UNKNOWN,
        "side": Side.UNKNOWN,
    }
    return Radiograph(**{**known, **fields})  # type: ignore[arg-type]


def hip(spot: tuple[int, int] | None = (48, 40), grey: float = 1.0) -> np.ndarray:
    """(64, 64): a bright column stands for the implant; `spot` (row, col) is a cell of lucency evidence.

    The column is 4 px wide, so that its cells stay at mean 0.5; the spot fills a cell and is as bright as `grey`.
    """
    pixels = np.zeros((SIZE, SIZE), np.float32)
    pixels[:, 26:29] = 1.0
    if spot:
        row, col = spot
        pixels[row : row + STRIDE, col : col + STRIDE] = grey
    return pixels
