"""Calibration and the figures: on scores whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from inference.lucency_net import LANDMARKS, OUTPUTS, SUITABILITY
from inference.stem_axis import refined
from inference.suitability import unlike_training
from tests.unit.inference import bundles
from training.calibrate import (
    TARGET_SPECIFICITY,
    calibrate,
    choose_threshold,
    conformal_band,
    fit_feature_statistics,
    fit_stem_axis,
    fit_temperature,
    gate_threshold,
    gate_thresholds,
)


def test_temperature_recovers_what_made_the_labels() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 6, 20000)
    truth = rng.random(20000) < 1 / (1 + np.exp(-(logits / 3 + 0.5)))
    temperature, bias = fit_temperature(truth.astype(int), logits)
    assert temperature == pytest.approx(3, rel=0.06)
    assert bias == pytest.approx(0.5, abs=0.08)


def test_temperature_needs_both_classes() -> None:
    with pytest.raises(ValueError, match="loose and fixed"):
        fit_temperature([1, 1], [0.2, 3.0])


@settings(max_examples=60)
@given(st.integers(0, 2**31), st.sampled_from([0.8, 0.9, 0.95, 1.0]))
def test_threshold_keeps_the_specificity_and_no_more(seed: int, specificity: float) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, 200)
    truth[:2] = (0, 1)
    p = (0.98 * rng.random(200)).round(2)  # with ties
    threshold = choose_threshold(truth, p, specificity)
    assert (p[truth == 0] < threshold).mean() >= specificity
    lower = p[(truth == 0) & (p < threshold)].max()
    assert (p[truth == 0] < lower).mean() < specificity


def test_conformal_band_covers_new_cases() -> None:
    """Beyond the band on the wrong side lie about alpha of each class, on cases that did not set it."""
    rng = np.random.default_rng(1)
    beyond = []
    for _ in range(200):
        truth = np.repeat([0, 1], 100)
        p = 1 / (1 + np.exp(-rng.normal(np.where(truth, 0.8, -0.8), 1.0)))
        band = conformal_band(truth, p, 0.1, 0.5)
        new_loose = 1 / (1 + np.exp(-rng.normal(0.8, 1.0, 500)))
        new_fixed = 1 / (1 + np.exp(-rng.normal(-0.8, 1.0, 500)))
        beyond.append([(new_loose < band.low).mean(), (new_fixed > band.high).mean()])
    assert np.mean(beyond, axis=0) == pytest.approx([0.1, 0.1], abs=0.015)


def test_band_reaches_to_the_threshold() -> None:
    truth = np.repeat([0, 1], 100)
    p = np.concatenate([np.linspace(0.0, 0.6, 100), np.linspace(0.4, 1.0, 100)])
    below, above = conformal_band(truth, p, 0.1, 0.2), conformal_band(truth, p, 0.1, 0.9)
    assert below.low == 0.2 < below.high < 0.6
    assert 0.4 < above.low < above.high == 0.9


def test_band_shrinks_to_the_threshold_when_the_classes_are_apart() -> None:
    truth = np.repeat([0, 1], 50)
    band = conformal_band(truth, np.where(truth, 0.9, 0.1), 0.05, 0.4)
    assert (band.low, band.high) == (0.4, 0.4)


def test_gate_lies_between_the_groups() -> None:
    threshold = gate_threshold(np.full(100, 0.99), np.full(100, 0.01), 0.99)
    assert threshold == pytest.approx(0.5)
    overlapping = gate_threshold(np.linspace(0.2, 0.99, 1000), np.linspace(0.0, 0.6, 100), 0.99)
    assert (np.linspace(0.2, 0.99, 1000) >= overlapping).mean() >= 0.99


def stems(count: int, own_error: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks of hips of either side as a network would place them, and the truth. The axis ends 15 mm below the
    shoulder's height, on the line to the tip; the network sees that point to `own_error`, tip, head and shoulder to .5."""
    rng = np.random.default_rng(seed)
    side = rng.choice([-1.0, 1.0], count)
    length = rng.normal(150, 15, count)
    at = {
        "stem_tip": np.stack([np.zeros(count), length], axis=1),
        "head_center": np.stack([side * rng.normal(40, 4, count), rng.normal(-20, 5, count)], axis=1),
        "shoulder": np.stack([-4 * side, np.zeros(count)], axis=1),
        "stem_axis_top": np.stack([np.zeros(count), np.full(count, 15.0)], axis=1),
    }
    truth = np.full((count, len(LANDMARKS), 2), np.nan)
    placed = rng.normal(0, 30, (count, len(LANDMARKS), 3))
    placed[..., 2] = 0.9
    for name, points in at.items():
        index = LANDMARKS.index(name)
        truth[:, index] = points
        placed[:, index, :2] = points + rng.normal(0, own_error if name == "stem_axis_top" else 0.5, (count, 2))
    return placed.astype(np.float32), truth


def test_stem_axis_is_placed_by_its_anchors() -> None:
    fit = fit_stem_axis(*stems(400, 3.0, 0))
    assert fit is not None
    assert fit.n == 400
    placed, truth = stems(200, 3.0, 1)  # stems that it was not fitted on
    top = LANDMARKS.index("stem_axis_top")

    def error(points: np.ndarray) -> float:
        return float(np.median(np.linalg.norm(points[:, top, :2] - truth[:, top], axis=1)))

    better = np.stack([refined(points, LANDMARKS, fit) for points in placed])
    assert error(placed) > 3.0
    assert error(better) < 1.0


def test_stem_axis_fit_is_not_led_by_outliers() -> None:
    placed, truth = stems(400, 3.0, 0)
    clean = fit_stem_axis(placed, truth)
    shoulder = LANDMARKS.index("shoulder")
    placed[::20, shoulder, :2] += 400.0  # one shoulder in twenty was found somewhere else
    spoiled = fit_stem_axis(placed, truth)
    assert clean is not None
    assert spoiled is not None
    assert spoiled.real + spoiled.imaginary == pytest.approx(clean.real + clean.imaginary, abs=0.08)


def test_stem_axis_is_left_to_a_network_that_needs_no_help() -> None:
    exact = fit_stem_axis(*stems(400, 0.05, 0))
    assert exact is None or exact.real[1] > 0.9  # its own point counts most
    placed, truth = stems(400, 3.0, 0)
    assert fit_stem_axis(placed[:20], truth[:20]) is None  # too few
    placed[:, LANDMARKS.index("shoulder"), 2] = 0.1
    assert fit_stem_axis(placed, truth) is None  # never sure


def test_feature_distance_tells_what_lies_elsewhere() -> None:
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(5, 40))

    def hips(count: int, shift: float = 0.0) -> np.ndarray:
        features = np.maximum(rng.normal(shift, 1, (count, 5)) @ mixing + rng.normal(0, 0.1, (count, 40)), 0)
        features[:, 7] = 0.0  # a dead feature
        return features.astype(np.float32)

    statistics = fit_feature_statistics(hips(1000))
    assert statistics is not None
    assert statistics.n == 1000
    told = bundles.card(feature_statistics=statistics)
    ordinary = [unlike_training(told, features) for features in hips(1000)]
    elsewhere = [unlike_training(told, features) for features in hips(200, shift=4.0)]
    assert np.mean(ordinary) == pytest.approx(0.01, abs=0.012)
    assert np.mean(elsewhere) > 0.9


def test_few_hips_give_few_axes_and_no_features_no_statistics() -> None:
    few = fit_feature_statistics(np.random.default_rng(0).normal(size=(12, 40)))
    assert few is not None
    assert len(few.projection) == len(few.mean) == 40 * 4
    assert fit_feature_statistics([]) is None


def test_the_gate_is_as_strict_as_the_share_of_all_outputs_together_allows() -> None:
    rng = np.random.default_rng(3)
    accepted = {name: special.expit(rng.normal(3, 1.5, 4000)) for name in ("complete", "covered_design")}
    refused = {name: special.expit(rng.normal(0, 1.5, 400)) for name in accepted}
    found = gate_thresholds(accepted, refused, together=0.97)
    share = np.all([accepted[name] >= found[name] for name in accepted], axis=0).mean()
    assert 0.97 <= share < 0.9725
    alone = {name: gate_threshold(accepted[name], refused[name], 0.97) for name in accepted}
    assert np.all([accepted[name] >= alone[name] for name in accepted], axis=0).mean() < 0.95, (
        "each alone is too strict"
    )
    easy = gate_thresholds({"complete": np.full(100, 0.99)}, {"complete": np.full(100, 0.01)})
    assert 0.4 < easy["complete"] < 0.6, "between groups that lie apart, not at the edge of the suitable ones"


def test_the_operating_point_counts_refused_hips_as_errors() -> None:
    rng = np.random.default_rng(5)
    rows = []
    for index in range(2000):
        loose = index % 2
        passes = rng.random() > 0.015
        logits = dict.fromkeys(OUTPUTS, 4.0) | {"loose": rng.normal(4 * loose - 2, 1.2)}
        logits |= {"stem": logits["loose"], "cup": logits["loose"]}
        logits["has_cup"] = rng.normal(4, 0.3) if passes else rng.normal(-4, 0.3)
        rows.append(
            {
                "logits": [logits[name] for name in OUTPUTS],
                "truth": {"loose": loose, "stem": loose, "cup": loose},
                "hip_suitability": "suitable",
                "suitability_targets": dict.fromkeys(SUITABILITY, 1),
                "map_peak": 0.5,
                "landmarks": np.zeros((len(LANDMARKS), 3)),
                "landmark_truth": np.full((len(LANDMARKS), 2), np.nan),
            }
        )
    found = calibrate(rows, "made up")
    complete = special.expit([row["logits"][OUTPUTS.index("has_cup")] for row in rows])
    probability = found.probability("stem", [row["logits"][1] for row in rows])
    right = (complete >= found.suitability["has_cup"]) & (probability < found.operating_point.threshold)
    specificity = right[[row["truth"]["loose"] == 0 for row in rows]].mean()
    assert specificity == pytest.approx(TARGET_SPECIFICITY, abs=0.0021)
    assert specificity >= TARGET_SPECIFICITY - 1e-9
    assert found.operating_point.specificity == pytest.approx(specificity, abs=1e-4)
