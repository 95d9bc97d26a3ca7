"""Calibration and the figures: on scores whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.calibrate import choose_threshold, conformal_band, fit_temperature, gate_threshold


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
    threshold = gate_threshold(np.full(100, 0.99), np.full(100, 0.01))
    assert threshold == pytest.approx(0.5)
    overlapping = gate_threshold(np.linspace(0.2, 0.99, 1000), np.linspace(0.0, 0.6, 100))
    assert (np.linspace(0.2, 0.99, 1000) >= overlapping).mean() >= 0.99
