"""The reference image of a bundle: recorded once when the bundle is made, replayed wherever an engine starts.

The whole path is replayed, from 16-bit grey values through `preprocess` to the network's outputs, so that a changed
resampler, engine or driver is noticed before it touches a patient's image.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
from PIL import Image

from imaging.radiograph import Pixels
from inference.engine import InferenceEngine, OnnxEngine
from inference.model_bundle import (
    LOCATOR_ONNX_FILE,
    ONNX_FILE,
    REFERENCE_INPUT_FILE,
    REFERENCE_OUTPUTS_FILE,
    BundleError,
    ModelBundle,
    ModelCard,
)
from inference.preprocess import network_input, whole_image
from inference.regions import locator_batch

FloatArray = npt.NDArray[np.float32]
TOLERANCE = 1e-3  # between engines and machines, of the logits and of the mean of every other output
_POSITION_TOLERANCE_PX = 0.5  # of landmarks: a peak between two cells may tip over


class ReferenceOutputs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """reference_outputs.json: the logits, and a fingerprint (mean, peak) of each other output."""

    logits: tuple[float, ...]
    summaries: dict[str, tuple[float, float]]
    locator: dict[str, tuple[float, float]] = {}


def record_reference(folder: Path, card: ModelCard, pixels: npt.NDArray[np.uint16]) -> None:
    """Write the reference files of a bundle from 16-bit grey `pixels` (rows, cols), by ONNX Runtime on the CPU."""
    Image.fromarray(np.ascontiguousarray(pixels, np.uint16)).save(folder / REFERENCE_INPUT_FILE)
    locator = OnnxEngine(folder / LOCATOR_ONNX_FILE) if card.locator else None
    outputs = _observe(card, pixels.astype(np.float32), OnnxEngine(folder / ONNX_FILE), locator)
    text = msgspec.json.format(msgspec.json.encode(outputs), indent=1)
    (folder / REFERENCE_OUTPUTS_FILE).write_bytes(text + b"\n")


def replay(bundle: ModelBundle, engine: InferenceEngine, locator: InferenceEngine | None) -> None:
    """BundleError when the network does not say today what it said when the bundle was made."""
    try:
        recorded = msgspec.json.decode(bundle.file(REFERENCE_OUTPUTS_FILE).read_bytes(), type=ReferenceOutputs)
        with Image.open(bundle.file(REFERENCE_INPUT_FILE), formats=["PNG"]) as image:
            pixels = np.asarray(image).astype(np.float32)
        if pixels.ndim != 2:
            raise ValueError("the reference image is not grey")
    except (msgspec.MsgspecError, OSError, ValueError) as error:
        raise BundleError(f"The reference of the model “{bundle.card.title}” cannot be read.", str(error)) from error
    try:
        today = _observe(bundle.card, pixels, engine, locator)
    except Exception as error:  # whatever an engine raises on a graph that does not fit its card
        raise BundleError(
            f"The model “{bundle.card.title}” cannot compute its reference image.", f"{type(error).__name__}: {error}"
        ) from error
    difference = _difference(recorded, today)
    if not difference <= TOLERANCE:
        raise BundleError(
            f"The model “{bundle.card.title}” does not reproduce its reference on this computer and is not used.",
            f"largest difference {difference:.3g}, allowed {TOLERANCE:g}, {engine.label}",
        )


def _observe(
    card: ModelCard, pixels: Pixels, engine: InferenceEngine, locator: InferenceEngine | None
) -> ReferenceOutputs:
    outputs = engine.run(network_input(pixels, whole_image(pixels), card.input_spec)[None])
    logits = outputs.pop("logits")
    if logits.shape != (1, len(card.outputs)):
        raise ValueError(f"the card names {len(card.outputs)} outputs, the network has {logits.shape}")
    if "landmarks" in outputs and outputs["landmarks"].shape != (1, len(card.landmarks), 3):
        raise ValueError("the landmarks of the card are not those of the network")
    if not ({"evidence"} <= outputs.keys() or {"features", "channel_weights"} <= outputs.keys()):
        raise ValueError("the network gives nothing to make a map of")
    found = locator.run(locator_batch(card.locator, pixels)) if locator and card.locator else {}
    return ReferenceOutputs(
        tuple(float(value) for value in logits[0]),
        {name: _summary(name, value) for name, value in outputs.items()},
        {name: _summary(name, value) for name, value in found.items()},
    )


def _summary(name: str, values: FloatArray) -> tuple[float, float]:
    """(mean, peak), each on a scale where TOLERANCE is meaningful."""
    scale = _POSITION_TOLERANCE_PX / TOLERANCE if name in ("landmarks", "sizes") else 1.0
    return float(values.mean(dtype=np.float64)) / scale, float(values.max()) / scale


def _difference(recorded: ReferenceOutputs, today: ReferenceOutputs) -> float:
    """The largest difference; infinite where the two do not name the same outputs, NaN where one is NaN."""
    pairs: list[tuple[float, float]] = []
    for then, now in ((recorded.summaries, today.summaries), (recorded.locator, today.locator)):
        if then.keys() != now.keys():
            return float("inf")
        for name in then:
            pairs += zip(then[name], now[name], strict=True)
    if len(recorded.logits) != len(today.logits):
        return float("inf")
    pairs += zip(recorded.logits, today.logits, strict=True)
    first, second = np.asarray(pairs, np.float64).T
    # Large values agree to so many digits, not to so many decimals.
    return float(np.max(np.abs(first - second) / np.maximum(1.0, np.abs(first))))
