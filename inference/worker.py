"""What runs inside the inference worker (imaging.worker.SupervisedWorker): one classifier, kept between jobs.

    worker = SupervisedWorker("inference", initializer=start, initargs=(bundle_folder, "auto"))
    worker.submit(assess, radiograph, region)

Importing this module loads no engine, so that the window may name its functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imaging.geometry import HipRegion
from imaging.radiograph import Radiograph
from inference.model_bundle import BundleError, load_bundle
from inference.prediction import Engine, InferenceError, Prediction, SaliencyMap, Way

if TYPE_CHECKING:
    from inference.classifier import Classifier

_classifier: Classifier | None = None
_failure: InferenceError | None = None


@dataclass(frozen=True)
class EngineDescription:
    """What the window shows about the CNN that is loaded."""

    model_id: str
    model_title: str
    model_version: str
    model_sha256: str
    training_data: str  # "simulated" or "clinical"
    engine: Engine
    engine_label: str
    advanced_methods: tuple[str, ...]  # empty where torch is not installed


def start(bundle_folder: Path, device: str = "auto") -> None:
    """Load, verify and replay a bundle. A bundle that fails is told by every job, not by killing the worker."""
    global _classifier, _failure
    from inference.classifier import Classifier

    _classifier, _failure = None, None
    try:
        _classifier = Classifier(load_bundle(bundle_folder), device)
    except InferenceError as error:
        _failure = error


def assess(radiograph: Radiograph, region: HipRegion | None = None) -> list[Prediction]:
    """A Prediction for every hip of the radiograph, or for the one in `region`."""
    return _ready().assess(radiograph, region)


def advanced_map(radiograph: Radiograph, region: HipRegion, method: str, way: Way | None) -> SaliencyMap:
    """Another saliency method (inference.advanced_maps.METHODS); `way` is the prediction's. Slow; cancel it through the
    worker."""
    from inference import advanced_maps

    return advanced_maps.compute(_ready().bundle, radiograph, region, method, way)


def describe() -> EngineDescription:
    from inference.advanced_maps import available_methods

    classifier = _ready()
    card = classifier.bundle.card
    return EngineDescription(
        card.id,
        card.title,
        card.version,
        classifier.bundle.sha256,
        card.training_data,
        classifier.engine,
        classifier.engine_label,
        available_methods(classifier.bundle),
    )


def _ready() -> Classifier:
    if _failure is not None:
        raise _failure
    if _classifier is None:
        raise BundleError("No model is loaded.")
    return _classifier
