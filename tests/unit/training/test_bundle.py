"""From simulated radiographs to a bundle that the program loads: small, but the whole way."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

import training.bundle
import training.evaluate
from inference.classifier import Classifier
from inference.lucency_net import LANDMARKS
from inference.model_bundle import StemAxisFit, load_bundle
from inference.suitability import unlike_training
from tests.unit.inference import bundles
from training.__main__ import main
from training.dataset import load_shards
from training.fit import FitOptions, fit
from training.measure import area, average, gate, share
from training.prepare import prepare
from training.scoring import CohortSpec, as_radiograph, dilated, landmark_mm, outcome, overlap, score_cases
from training.simulation.options import SimulationOptions

SMALL = SimulationOptions(size_px=(220, 260), work_spacing_mm=0.9, pelvis_share=0.1, unsuitable_share=0.2)
TINY = FitOptions(steps=3, batch=4, patch_batch=4, patch_size=64, input_size=128, processes=1, reduced_precision=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of networks trained for three steps on 24 simulated radiographs."""
    root = tmp_path_factory.mktemp("bundle")
    prepare(root / "data", count=24, seed=77, options=SMALL, workers=1, images=12)
    hips = load_shards(root / "data")
    for network in ("lucency-net", "locator"):
        fit(root / network, hips, None, replace(TINY, network=network))

    def tiny(name: str, limit: object = None) -> CohortSpec:
        return CohortSpec(name, 78 if name == "calibration" else 79, 24, SMALL)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.bundle, "cohort", tiny)
        patch.setattr(training.evaluate, "cohort", tiny)
        patch.setattr(training.bundle, "default_corpus", lambda: None)
        training.bundle.make_bundle(
            Namespace(
                network=root / "lucency-net" / "checkpoint.pt", locator=root / "locator" / "checkpoint.pt",
                data=[root / "data"], out=root / "tiny", version="0.0.1", title="Tiny", work=root / "work",
                sets=["fresh"], limit=[], workers=1, earlier=[], note="", films=None, figures=[],
            )
        )  # fmt: skip
    return root


def test_bundle_loads_and_predicts(made: Path) -> None:
    bundle = load_bundle(made / "tiny")
    assert bundle.card.training_data == "simulated"
    assert bundle.card.cohort.n == len(load_shards(made / "data"))
    assert sum(path.stat().st_size for path in bundle.folder.iterdir()) < 60e6  # what all bundled weights may weigh
    classifier = Classifier(bundle, "cpu")  # replays the reference
    pixels = np.random.default_rng(0).random((300, 260), dtype=np.float32)
    predictions = classifier.assess(as_radiograph(pixels))
    assert predictions
    assert all(prediction.model_id == "tiny" for prediction in predictions)


def test_bundle_carries_its_second_voice(made: Path) -> None:
    """Statistics of its own network's features, on the hips it was calibrated on; torch and ONNX Runtime agree."""
    from inference.engine import OnnxEngine, TorchEngine
    from inference.networks import load_network
    from inference.prediction import Engine
    from inference.replay import replay

    bundle = load_bundle(made / "tiny")
    statistics = bundle.card.feature_statistics
    assert statistics is not None
    rows = score_cases(
        next((made / "work").glob("*/calibration-78")), OnnxEngine(bundle.folder / "model.onnx", threads=1), images=24
    )
    suitable = [row for row in rows if row["found"] and row["hip_suitability"] == "suitable"]
    assert statistics.n == len(suitable)
    assert sum(unlike_training(bundle.card, row["features"]) for row in suitable) <= 1
    assert "never refused for it" in (bundle.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert any(metric.name == "unlike what it learnt from: suitable" for metric in bundle.card.metrics)
    replay(
        bundle, TorchEngine(load_network(bundle), Engine.CPU), TorchEngine(load_network(bundle, "locator"), Engine.CPU)
    )


def test_landmarks_are_measured_where_the_classifier_places_them() -> None:
    card = bundles.card(landmarks=LANDMARKS)
    placed = np.zeros((len(LANDMARKS), 3), np.float32)
    placed[:, 2] = 0.9
    for name, point in (("head_center", (40, 0)), ("stem_tip", (0, 160)), ("shoulder", (-4, 20))):
        placed[LANDMARKS.index(name), :2] = point
    truth = placed[:, :2].copy()
    truth[LANDMARKS.index("stem_axis_top")] = (18, 10)
    truth[LANDMARKS.index("teardrop")] = np.nan
    row = {"logits": [0.0], "landmarks": placed, "landmark_truth": truth, "px_mm": 0.5}
    own = landmark_mm(row, card)
    assert own["stem_axis_top"] == pytest.approx(0.5 * np.hypot(18, 10))
    assert own["stem_tip"] == 0
    assert "teardrop" not in own
    fit = StemAxisFit(real=(0.5, 0, 0, 0.5, 0), imaginary=(0, 0, 0, 0, 0.5), confidence=0.5)
    assert landmark_mm(row, msgspec.structs.replace(card, stem_axis=fit))["stem_axis_top"] == pytest.approx(0, abs=1e-4)
    assert landmark_mm({"logits": None}, card) == {}


def test_a_version_must_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bundle", "--network", "a", "--locator", "b", "--data", "c"])
    assert "--version" in capsys.readouterr().err


def test_card_names_sets_and_says_simulated(made: Path) -> None:
    bundle = load_bundle(made / "tiny")
    sets = {metric.set for metric in bundle.card.metrics}
    assert {"calibration", "fresh", "weight randomisation"} <= sets
    text = (bundle.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "only ever seen simulated radiographs" in text
    assert "--network …/lucency-net/checkpoint.pt" in text
    assert str(made) not in text  # nor any other folder of the machine that made it
    for metric in bundle.card.metrics:
        assert metric.n > 0
        assert metric.name in text


def test_scoring_decides_as_the_classifier_does(made: Path) -> None:
    """The figures are measured by training/scoring.py; the program decides in inference: the same rows, the same end."""
    from training.prepare import dense_pixels
    from training.simulation import simulate

    bundle = load_bundle(made / "tiny")
    folder = next((made / "work").glob("*/fresh-79"))
    from inference.engine import OnnxEngine

    rows = score_cases(folder, OnnxEngine(bundle.folder / "model.onnx", threads=1), images=24)
    classifier = Classifier(bundle, "cpu")
    compared = 0
    for row in rows[:8]:
        if not row["found"]:
            continue
        radiograph = as_radiograph(dense_pixels(simulate(79, row["record"]["index"], SMALL)))
        regions = classifier.propose_regions(radiograph)
        region = min(regions, key=lambda region: abs(region.squared().x - row["region"][0]))
        prediction = classifier.predict(radiograph, region)
        decision, probability = outcome(row, bundle.card)
        # The file-based rules (blank, too few pixels) come before the network.
        if prediction.suitability.scores:
            assert str(prediction.decision) == decision
            if probability is not None and prediction.probability is not None:
                assert prediction.probability == pytest.approx(probability, abs=5e-3)
            compared += 1
    assert compared >= 3


def test_rows_can_be_written_as_json(made: Path) -> None:
    for path in (made / "work").glob("*/*/cases-*.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert json.loads(line)["hip_suitability"]


def test_shares_and_areas_come_with_intervals() -> None:
    found = share("x", [True] * 9 + [False], "set")
    assert found is not None
    assert found.value == 0.9
    assert found.ci == pytest.approx((0.5958, 0.9821), abs=1e-3)  # Wilson
    assert share("x", [], "set") is None
    assert area("x", [0, 0], [0.1, 0.2], "set") is None
    curve = area("x", [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], "set")
    assert curve is not None
    assert curve.value == 0.75
    middle = average("x", [1.0, None, 3.0, float("nan")], "set")
    assert middle is not None
    assert (middle.value, middle.n) == (2.0, 2)


def test_an_image_is_refused_only_when_all_its_proposals_are(made: Path) -> None:
    card = load_bundle(made / "tiny").card

    def row(logit: float) -> dict[str, object]:
        logits = [0.0 if name in ("loose", "stem", "cup") else logit for name in card.outputs]
        return {"hip_suitability": "native", "record": {"seed": 1, "index": 1}, "logits": logits, "truth": {}}

    def share(name: str, *rows: dict[str, object]) -> float:
        return {metric.name: metric.value for metric in gate(rows, card, "gate")}[name]

    assert share("refused: native", row(-30.0), row(-30.0)) == 1.0
    assert share("refused: native", row(-30.0), row(30.0)) == 0.0
    # Of a native hip the missing implant is the reason; of a lateral view it is not.
    assert share("refused for a fitting reason: native", row(-30.0), row(30.0)) == 1.0
    assert share("refused for a fitting reason: lateral", row(-30.0) | {"hip_suitability": "lateral"}) == 0.0


def test_a_cropped_image_is_judged_by_its_parts(made: Path) -> None:
    card = load_bundle(made / "tiny").card

    def row(stem: float, cup: float, targets: dict[str, float]) -> dict[str, object]:
        said = dict.fromkeys(card.outputs, 30.0) | {"stem_complete": stem, "cup_complete": cup}
        logits = [said[name] for name in card.outputs]
        known = {"hip_suitability": "cropped", "record": {"seed": 1, "index": 1}, "truth": {}}
        return known | {"logits": logits, "suitability_targets": targets}

    cut_stem = {"stem_complete": 0.0, "cup_complete": 1.0}
    rows = [row(-30.0, 30.0, cut_stem), row(30.0, 30.0, cut_stem)]
    found = {metric.name: metric.value for metric in gate(rows, card, "gate")}
    assert found["cropped: complete part assessed"] == 1.0
    assert found["cropped: cut part not assessed"] == 0.5


def test_overlap_and_dilation() -> None:
    from imaging.geometry import HipRegion

    a = HipRegion(0, 0, 10, 10)
    assert overlap(a, a) == 1
    assert overlap(a, HipRegion(5, 0, 10, 10)) == pytest.approx(50 / 150)
    assert overlap(a, HipRegion(20, 0, 10, 10)) == 0
    mask = np.zeros((5, 5), bool)
    mask[0, 0] = True
    assert dilated(mask).sum() == 4
