"""A radiograph in; score, decision, map, zones and reason out, from one forward pass."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.geometry import HipRegion
from imaging.orientation import usual
from imaging.radiograph import Side
from imaging.worker import SupervisedWorker
from inference import suitability, worker
from inference.classifier import Classifier, calibrated, decide, zone_shares
from inference.model_bundle import BundleError, FeatureStatistics, IndeterminateBand, OperatingPoint, StemAxisFit
from inference.prediction import Decision, Engine, Prediction
from inference.saliency import class_activation, grad_cam
from tests.unit.inference import bundles

WHOLE = HipRegion(0, 0, 64, 64, Side.RIGHT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundles.make_bundle(tmp_path_factory.mktemp("models") / "tiny", locator=True).folder


@pytest.fixture(scope="module")
def classifier(folder: Path) -> Classifier:
    from inference.model_bundle import load_bundle

    return Classifier(load_bundle(folder), "cpu")


def predict(classifier: Classifier, pixels: np.ndarray, region: HipRegion = WHOLE) -> Prediction:
    return classifier.predict(bundles.radiograph(pixels), region)


def test_a_loose_hip(classifier: Classifier) -> None:
    prediction = predict(classifier, bundles.hip())
    assert prediction.decision is Decision.LOOSE
    assert prediction.probability == pytest.approx(1 / (1 + math.exp(-10 / 2)), abs=1e-5)  # temperature 2
    assert prediction.score == pytest.approx(100 * prediction.probability)
    assert prediction.stem_probability == pytest.approx(1 / (1 + math.exp(-10)), abs=1e-5)  # no temperature: 1
    assert prediction.cup_probability < 0.1
    assert prediction.region == WHOLE
    assert prediction.reason == ""
    assert prediction.engine is Engine.CPU
    assert prediction.elapsed_s > 0
    assert (prediction.model_id, prediction.model_version) == ("tiny", "0.1.0")
    assert prediction.model_sha256 == classifier.bundle.sha256
    assert not prediction.seen_in_training


def test_the_map_is_the_evidence_at_the_card_s_levels(classifier: Classifier) -> None:
    saliency = predict(classifier, bundles.hip((16, 40))).saliency
    assert saliency is not None
    assert saliency.values.shape == (8, 8)
    assert np.unravel_index(saliency.values.argmax(), (8, 8)) == (2, 5)
    assert saliency.values.max() == pytest.approx(1 / (1 + math.exp(-10)), abs=1e-5)  # raw, not stretched
    assert saliency.levels == (0.1, 0.9)
    assert saliency.method == "class-activation map"
    assert not saliency.is_empty
    assert predict(classifier, bundles.hip(None)).saliency.is_empty  # "no map"


def test_indeterminate_says_so(classifier: Classifier) -> None:
    prediction = predict(classifier, bundles.hip(grey=0.5))
    assert prediction.decision is Decision.INDETERMINATE
    assert prediction.reason
    assert prediction.probability == pytest.approx(0.5, abs=0.05)


def test_not_assessable_has_a_reason_and_no_score(classifier: Classifier) -> None:
    bare = bundles.hip()
    bare[:, 26:29] = 0
    lateral = bundles.hip()
    lateral[:, :4] = 1.0
    for pixels, reason in ((bare, bundles.SENTENCES["implant"]), (lateral, bundles.SENTENCES["ap_view"])):
        prediction = predict(classifier, pixels)
        assert prediction.decision is Decision.NOT_ASSESSABLE
        assert prediction.reason == prediction.suitability.reason == reason
        assert prediction.probability is prediction.saliency is prediction.score is None
        assert set(prediction.suitability.scores) == set(bundles.SUITABILITY)


@pytest.mark.parametrize(("limit", "noted"), [(5.0, False), (0.03, True)])
def test_what_looks_unlike_the_training_set_is_noted_and_decided_all_the_same(
    classifier: Classifier, tmp_path: Path, limit: float, noted: bool
) -> None:
    """The features are the mean brightness, twice; the distance is from black."""
    statistics = FeatureStatistics(mean=bytes(8), projection=np.eye(2, dtype="<f4").tobytes(), limit=limit)
    second = Classifier(bundles.make_bundle(tmp_path / "tiny", feature_statistics=statistics), "cpu")
    for pixels in (bundles.hip(), bundles.hip(None), bundles.hip(grey=0.55)):
        alone, told = predict(classifier, pixels), predict(second, pixels)
        assert told.notice == (suitability.UNLIKE if noted else "")
        assert alone.notice == ""
        assert (told.decision, told.probability, told.reason) == (alone.decision, alone.probability, alone.reason)
        assert told.suitability == alone.suitability
    lateral = bundles.hip()
    lateral[:, :4] = 1.0
    refused = predict(second, lateral)
    assert refused.decision is Decision.NOT_ASSESSABLE
    assert refused.notice == ""  # it has a reason of its own


def test_top_of_the_stem_s_axis_is_placed_by_its_anchors(classifier: Classifier, tmp_path: Path) -> None:
    """Landmarks and zones alike follow the bundle's coefficients; here: half-way between head and shoulder."""
    fit = StemAxisFit(real=(0.5, 0, 0, 0.5, 0), imaginary=(0, 0, 0, 0, 0.5), confidence=0.5)
    second = Classifier(bundles.make_bundle(tmp_path / "tiny", stem_axis=fit), "cpu")
    own, placed = (predict(one, bundles.hip((32, 16))) for one in (classifier, second))
    assert own.landmarks["stem_axis_top"] == pytest.approx((24.0, 20.0, 0.9))
    assert placed.landmarks["stem_axis_top"] == pytest.approx((29.0, 18.0, 0.9), abs=1e-4)
    assert placed.landmarks["stem_tip"] == own.landmarks["stem_tip"]
    assert placed.zone_shares != own.zone_shares
    assert placed.probability == own.probability


def test_one_forward_pass_gives_everything(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    run = classifier._model.run
    monkeypatch.setattr(classifier._model, "run", lambda batch: (calls.append(len(batch)), run(batch))[1])
    predict(classifier, bundles.hip())
    assert calls == [1]


def test_a_batch_says_what_each_alone_says(classifier: Classifier) -> None:
    images = [bundles.hip(), np.zeros((64, 64)), bundles.hip(None), bundles.hip((16, 8))]
    hips = [(bundles.radiograph(pixels), WHOLE) for pixels in images]
    for alone, together in zip([classifier.predict(*hip) for hip in hips], classifier.predict_many(hips), strict=True):
        assert alone.probability == pytest.approx(together.probability, abs=1e-6) if alone.probability else True
        assert (alone.decision, alone.reason) == (together.decision, together.reason)


def test_landmarks_and_zones_are_in_place(classifier: Classifier) -> None:
    """A spot in a zone lights that zone; landmarks come back in image pixels."""
    pixels = np.zeros((128, 128), np.float32)
    pixels[40:104, 20:84] = bundles.hip((32, 16))  # lateral of the stem, in its middle third
    prediction = predict(classifier, pixels, HipRegion(20, 40, 64, 64))
    assert prediction.landmarks["stem_tip"] == pytest.approx((20 + 24, 40 + 56, 0.9))
    shares = prediction.zone_shares
    assert max(shares, key=shares.get) == "2"
    assert shares["2"] > 0.3
    assert 0 < sum(shares.values()) <= 1 + 1e-9


@pytest.mark.parametrize("strength", [0.0, 0.05, 0.2, 0.5, 1.0])
def test_where_there_is_no_map_no_zone_has_a_share(classifier: Classifier, strength: float) -> None:
    with_spot, without = bundles.hip(), bundles.hip(None)
    prediction = predict(classifier, without + strength * (with_spot - without))
    assert prediction.saliency is not None
    assert bool(prediction.zone_shares) is not prediction.saliency.is_empty
    if strength in (0.0, 1.0):
        assert prediction.saliency.is_empty is (strength == 0.0)


@given(st.lists(st.floats(0, 1, width=32), min_size=16, max_size=16), st.floats(0.31, 1))
def test_zone_shares_are_shares(values: list[float], confidence: float) -> None:
    landmarks = {name: (*point, confidence) for name, point in bundles.LANDMARK_POINTS.items()}
    shares = zone_shares(np.array(values, np.float32).reshape(4, 4), landmarks, bundles.SIZE)
    assert all(0 <= share <= 1 for share in shares.values())
    assert sum(shares.values()) <= 1 + 1e-6


def test_no_zone_without_sure_landmarks_or_map() -> None:
    values = np.ones((4, 4), np.float32)
    unsure = {name: (*point, 0.1) for name, point in bundles.LANDMARK_POINTS.items()}
    sure = {name: (*point, 0.9) for name, point in bundles.LANDMARK_POINTS.items()}
    assert zone_shares(values, unsure, bundles.SIZE) == {}
    assert zone_shares(np.zeros((4, 4), np.float32), sure, bundles.SIZE) == {}
    assert zone_shares(values, {}, bundles.SIZE) == {}
    assert zone_shares(values, sure, bundles.SIZE)


def test_regions_are_proposed_by_the_locator(classifier: Classifier) -> None:
    pixels = np.zeros((200, 200), np.float32)
    pixels[90:120, 30:50] = 1.0
    pixels[90:120, 150:170] = 1.0
    picture = bundles.radiograph(pixels, orientation=usual())
    regions = classifier.propose_regions(picture)
    assert [region.side for region in regions] == [Side.RIGHT, Side.LEFT]
    assert regions[0].center == pytest.approx((40, 105), abs=12)
    predictions = classifier.assess(picture)
    assert [prediction.region for prediction in predictions] == regions


@given(st.floats(0, 1))
def test_decision_is_by_the_operating_point_and_the_band(probability: float) -> None:
    card = bundles.card(
        operating_point=OperatingPoint(threshold=0.3, chosen_on=""), indeterminate=IndeterminateBand(low=0.2, high=0.45)
    )
    decision, reason = decide(card, probability)
    if 0.2 <= probability <= 0.45:
        assert decision is Decision.INDETERMINATE
        assert reason
    else:
        assert decision is (Decision.LOOSE if probability >= 0.3 else Decision.NOT_LOOSE)
        assert not reason
    without = bundles.card(operating_point=OperatingPoint(threshold=0.3, chosen_on=""), indeterminate=None)
    assert decide(without, probability)[0] is (Decision.LOOSE if probability >= 0.3 else Decision.NOT_LOOSE)


@given(st.lists(st.floats(-1e6, 1e6), min_size=5, max_size=5), st.floats(0.1, 10), st.floats(-5, 5))
def test_calibration_is_a_sigmoid_that_never_overflows(logits: list[float], temperature: float, bias: float) -> None:
    card = bundles.card(temperature={"loose": temperature}, bias={"loose": bias})
    probabilities = calibrated(card, np.array(logits, np.float32))
    assert all(0 <= value <= 1 for value in probabilities.values())
    z = float(np.float32(logits[0])) / temperature + bias
    if abs(z) < 30:
        assert probabilities["loose"] == pytest.approx(1 / (1 + math.exp(-z)), rel=1e-6, abs=1e-12)


def test_two_classes_are_a_softmax() -> None:
    card = bundles.card(outputs=("not_loose", "loose"), suitability={}, temperature={})
    probability = calibrated(card, np.array([0.3, 1.5], np.float32))["loose"]
    assert probability == pytest.approx(math.exp(1.5) / (math.exp(0.3) + math.exp(1.5)), rel=1e-6)


def test_invalid_numbers_are_never_a_score(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    run = classifier._model.run
    monkeypatch.setattr(
        classifier._model, "run", lambda batch: {k: v * np.float32("nan") for k, v in run(batch).items()}
    )
    prediction = predict(classifier, bundles.hip())
    assert prediction.decision is Decision.NOT_ASSESSABLE
    assert prediction.probability is None
    assert prediction.reason


def test_maps_from_arrays() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
    weights = rng.normal(size=(2, 3)).astype(np.float32)
    expected = np.maximum(np.einsum("nchw,nc->nhw", features, weights), 0)
    np.testing.assert_allclose(grad_cam(features, weights), expected, rtol=1e-5, atol=1e-6)
    evidence = np.array([[[[0.2, -1.0]], [[0.1, -2.0]]]], np.float32)
    np.testing.assert_array_equal(class_activation(evidence), np.array([[[0.2, 0.0]]], np.float32))


def test_through_a_real_worker_process(folder: Path) -> None:
    with SupervisedWorker("inference", initializer=worker.start, initargs=(folder, "cpu")) as process:
        image = bundles.radiograph(bundles.hip())
        (prediction,) = process.submit(worker.assess, image, WHOLE).result(60)
        assert prediction.decision is Decision.LOOSE
        assert process.submit(worker.assess, image).result(60)
        description = process.submit(worker.describe).result(60)
        assert description.model_id == "tiny"
        assert description.engine is Engine.CPU
        assert description.training_data == "simulated"
        assert process.starts == 1


def test_a_bad_bundle_is_told_by_every_job_without_a_new_process(tmp_path: Path) -> None:
    with SupervisedWorker("inference", initializer=worker.start, initargs=(tmp_path / "absent", "cpu")) as process:
        for _ in range(2):
            with pytest.raises(BundleError, match="no model folder"):
                process.submit(worker.assess, bundles.radiograph(bundles.hip()), WHOLE).result(60)
        assert process.starts == 1
