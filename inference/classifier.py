"""A radiograph and a hip region in, a Prediction out: score, decision, map and zones from one forward pass."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from imaging import orientation
from imaging.geometry import HipRegion
from imaging.radiograph import Radiograph
from imaging.zones import lateral_edge, zone_polygons
from inference import parts, regions, replay, saliency, suitability, upright
from inference.engine import InferenceEngine, open_engine
from inference.model_bundle import ModelBundle, ModelCard
from inference.prediction import Decision, Engine, Prediction, SaliencyMap, Suitability, sure_points
from inference.preprocess import network_input, to_image
from inference.stem_axis import refined

FloatArray = npt.NDArray[np.float32]
_ZONE_GRID = 112  # zones are laid over the map on a grid of about so many cells a side


class Classifier:
    """One bundle on one engine. Construction loads the weights and replays the bundle's reference.

    Raises BundleError or DeviceError. On the CPU several threads may use it at once; `cpu_threads` is how many cores
    one image is spread over, all of them unless told.
    """

    def __init__(self, bundle: ModelBundle, device: str = "auto", *, cpu_threads: int | None = None) -> None:
        self.bundle = bundle
        self._model: InferenceEngine = open_engine(bundle, device, "model", cpu_threads)
        self._locator: InferenceEngine | None = None
        if bundle.card.locator:
            self._locator = open_engine(bundle, self._model.kind.value, "locator", cpu_threads)
        replay.replay(bundle, self._model, self._locator)

    @property
    def engine(self) -> Engine:
        return self._model.kind

    @property
    def engine_label(self) -> str:
        """For people: library, version and device."""
        return self._model.label

    def propose_regions(self, radiograph: Radiograph) -> list[HipRegion]:
        """One region, or two where both hips are replaced, image-left first; the whole image when none is found."""
        card = self.bundle.card.locator
        if self._locator is None or card is None:
            return [regions.full_region(radiograph)]
        outputs = self._locator.run(regions.locator_batch(card, radiograph.pixels, radiograph.padding))
        return regions.propose(radiograph, outputs["centers"][0], outputs["sizes"][0], card)

    def predict(self, radiograph: Radiograph, region: HipRegion) -> Prediction:
        """One forward pass over one hip."""
        return self.predict_many([(radiograph, region)])[0]

    def assess(self, radiograph: Radiograph, region: HipRegion | None = None) -> list[Prediction]:
        """Every hip of the radiograph, or the one in `region`.

        A picture without tags that the network refuses is tried inverted and turned, a file that contradicts itself about
        black and white inverted; `notice` then says so.
        """
        predictions = self._assess_as_is(radiograph, region)
        ways = upright.other_ways(radiograph)
        if any(map(_recognised, predictions)) or not ways:
            return predictions
        if suitability.judge_file(radiograph, region or regions.full_region(radiograph)) is not None:
            return predictions  # blank, or too small, whichever way up; a region that a person set stays what it is
        found: list[list[Prediction]] = []
        for way in ways:
            place = region and upright.changed_region(region, radiograph.shape, way)
            seen = self._assess_as_is(upright.changed(radiograph, way), place)
            if any(map(_answered, seen)):
                found.append([upright.as_given(prediction, radiograph.shape, way) for prediction in seen])
        return max(found, key=_plainest, default=predictions)

    def _assess_as_is(self, radiograph: Radiograph, region: HipRegion | None) -> list[Prediction]:
        chosen = [region] if region else self.propose_regions(radiograph)
        return self.predict_many([(radiograph, hip) for hip in chosen])

    def predict_many(self, hips: Sequence[tuple[Radiograph, HipRegion]]) -> list[Prediction]:
        """One forward pass over a batch of hips; `elapsed_s` of each is its share of the time."""
        start_s = time.perf_counter()
        refused = [suitability.judge_file(radiograph, region) for radiograph, region in hips]
        asked = [index for index, refusal in enumerate(refused) if refusal is None]
        outputs: dict[str, FloatArray] = {}
        maps: FloatArray | None = None
        if asked:
            batch = np.stack(
                [
                    network_input(radiograph.pixels, region, self.bundle.card.input_spec, radiograph.padding)
                    for radiograph, region in (hips[index] for index in asked)
                ]
            )
            outputs = self._model.run(batch)
            maps = saliency.saliency_maps(outputs)
        predictions = []
        for index, (radiograph, region) in enumerate(hips):
            refusal = refused[index]
            if refusal is not None or maps is None:
                predictions.append(self._refused(radiograph, region, refusal or Suitability(False)))
            else:
                position = asked.index(index)
                own = {name: value[position] for name, value in outputs.items()}
                predictions.append(self._judged(radiograph, region, own, maps[position]))
        elapsed_s = (time.perf_counter() - start_s) / max(1, len(hips))
        return [replace(prediction, elapsed_s=elapsed_s) for prediction in predictions]

    def _refused(self, radiograph: Radiograph, region: HipRegion, verdict: Suitability) -> Prediction:
        region, contradiction = with_side(region, radiograph, {})
        return Prediction(
            region=region,
            decision=Decision.NOT_ASSESSABLE,
            reason=verdict.reason,
            probability=None,
            stem_probability=None,
            cup_probability=None,
            saliency=None,
            suitability=verdict,
            zone_shares={},
            model_id=self.bundle.card.id,
            model_version=self.bundle.card.version,
            model_sha256=self.bundle.sha256,
            engine=self.engine,
            elapsed_s=0.0,
            notice=contradiction,
            seen_in_training=self.bundle.seen_in_training(radiograph.sha256),
        )

    def _judged(
        self, radiograph: Radiograph, region: HipRegion, outputs: Mapping[str, FloatArray], values: FloatArray
    ) -> Prediction:
        """One hip from the network's outputs for it, `values` (h, w) being its map."""
        card = self.bundle.card
        probabilities = calibrated(card, outputs["logits"])
        if not np.isfinite(list(probabilities.values())).all():
            return self._refused(radiograph, region, Suitability(False, "The network gave no valid answer here."))
        verdict = suitability.judge_outputs(card, {name: probabilities[name] for name in card.suitability})
        if not verdict.assessable:
            return self._refused(radiograph, region, verdict)
        placed = {}
        if "landmarks" in outputs:
            points = refined(outputs["landmarks"], card.landmarks, card.stem_axis).tolist()
            placed = {name: (x, y, sure) for name, (x, y, sure) in zip(card.landmarks, points, strict=True)}
        landmarks = {
            name: (*to_image(x, y, region, card.input.size), confidence) for name, (x, y, confidence) in placed.items()
        }
        sided, contradiction = with_side(region, radiograph, landmarks)
        found = parts.judge_parts(card, probabilities, landmarks, radiograph.shape, region.squared().width)
        fixation, fixation_probability = parts.fixation_of(card, probabilities)
        probability: float | None
        if found:
            decision, reason, probability = parts.hip_decision(found)
            stem, cup = (found[name].probability if name in found else None for name in ("stem", "cup"))
        else:
            decision, reason = decide(card, probabilities["loose"])
            probability, stem, cup = probabilities["loose"], probabilities.get("stem"), probabilities.get("cup")
        if probability is None:
            refused = self._refused(radiograph, sided, Suitability(False, reason, verdict.scores))
            return replace(
                refused,
                parts=found,
                fixation=fixation,
                fixation_probability=fixation_probability,
                notice=contradiction,
            )
        saliency = SaliencyMap(values, region.squared(), card.saliency.levels, card.saliency.method)
        unlike = suitability.UNLIKE if suitability.unlike_training(card, _pooled(outputs)) else ""
        return replace(
            self._refused(radiograph, region, verdict),
            region=sided,
            decision=decision,
            reason=reason,
            probability=probability,
            stem_probability=stem,
            cup_probability=cup,
            parts=found,
            fixation=fixation,
            fixation_probability=fixation_probability,
            saliency=saliency,
            # Where nothing of the map is shown, a share of it would say that the CNN had seen something there.
            zone_shares={} if saliency.is_empty else zone_shares(values, placed, card.input.size),
            notice=f"{contradiction} {unlike}".strip(),
            landmarks=landmarks,
        )


def with_side(
    region: HipRegion, radiograph: Radiograph, landmarks: Mapping[str, tuple[float, float, float]]
) -> tuple[HipRegion, str]:
    """The region with the side that header and landmarks (x, y, confidence) settle, and what contradicts it or ""."""
    settled = orientation.settled(region.side, region.side_source, radiograph, lateral_edge(sure_points(landmarks)))
    return replace(region, side=settled.side, side_source=settled.source), settled.contradiction


def _pooled(outputs: Mapping[str, FloatArray]) -> FloatArray | None:
    """(C,) of one hip: lucency-net gives its features pooled, the published networks give them as maps (C, h, w)."""
    features = outputs.get("features")
    return features if features is None or features.ndim == 1 else features.mean(axis=(1, 2))


def _recognised(prediction: Prediction) -> bool:
    """It is a replaced hip, the right way up; how much of it the film shows is another question."""
    return _answered(prediction) or bool(prediction.parts)


def _answered(prediction: Prediction) -> bool:
    return prediction.decision is not Decision.NOT_ASSESSABLE


def _plainest(predictions: Sequence[Prediction]) -> float:
    """How plainly the network saw what it should: the least of its scores, of the hip seen best."""
    return max(min(one.suitability.scores.values(), default=0.0) for one in predictions if _answered(one))


def calibrated(card: ModelCard, logits: FloatArray) -> dict[str, float]:
    """Output name -> probability: sigmoid(logit / temperature + bias).

    A network with the outputs `not_loose` and `loose` was trained with a softmax: its logit is their difference.
    """
    raw = dict(zip(card.outputs, logits.astype(np.float64), strict=True))
    if "not_loose" in raw:
        raw["loose"] -= raw.pop("not_loose")
    return {
        name: _sigmoid(logit / card.temperature.get(name, 1.0) + card.bias.get(name, 0.0))
        for name, logit in raw.items()
    }


def _sigmoid(logit: float) -> float:
    # Never overflows, whatever the sign; NaN stays NaN.
    return 0.5 * (1.0 + math.tanh(0.5 * logit))


def decide(card: ModelCard, probability: float) -> tuple[Decision, str]:
    """The decision at the bundle's operating point, and a sentence where it is indeterminate."""
    band = card.indeterminate
    if band is not None and band.high > band.low and band.low <= probability <= band.high:
        return Decision.INDETERMINATE, "The network cannot tell: its answer lies between loose and not loose."
    return (Decision.LOOSE if probability >= card.operating_point.threshold else Decision.NOT_LOOSE), ""


def zone_shares(values: FloatArray, landmarks: Mapping[str, tuple[float, float, float]], size: int) -> dict[str, float]:
    """Zone -> share of the map's mass (rows, cols) that lies in it; empty without landmarks or without a map.

    `landmarks` are x, y in pixels of the input square of `size`, and a confidence. Zones do not overlap by design of
    one component, but the cup's may touch Gruen 1 and 7: a cell counts once, for the cup.
    """
    total = float(values.sum(dtype=np.float64))
    sure = sure_points(landmarks)
    polygons = zone_polygons(sure)
    if not polygons or not total > 0 or not np.isfinite(total):
        return {}
    repeat = max(1, _ZONE_GRID // max(values.shape))
    rows, cols = values.shape[0] * repeat, values.shape[1] * repeat
    zone_of = Image.new("L", (cols, rows), 0)
    draw = ImageDraw.Draw(zone_of)
    for index, polygon in enumerate(polygons.values(), start=1):
        corners = polygon * (cols / size, rows / size)
        draw.polygon([(float(x), float(y)) for x, y in corners], fill=index)
    labels = np.asarray(zone_of)
    fine = np.repeat(np.repeat(values, repeat, axis=0), repeat, axis=1)
    mass = np.bincount(labels.ravel(), weights=fine.ravel(), minlength=len(polygons) + 1)
    return {name: float(share / (total * repeat * repeat)) for name, share in zip(polygons, mass[1:], strict=True)}
