"""Covariances of proportions where patients have several cases."""

from __future__ import annotations

import numpy as np
import pytest

from study.statistics.covariance import Covariance, Merit, estimate
from study.statistics.roc import NotEstimableError

TRUTH = np.array([1] * 8 + [0] * 8, dtype=bool)
CALLS = np.array([[1, 1, 0, 1, 0, 1, 1, 1] * 2, [1, 0, 0, 1, 1, 1, 0, 1] * 2], dtype=float)


def test_one_case_per_patient_gives_the_usual_covariance():
    plain = estimate(TRUTH, CALLS, Merit.SENSITIVITY)
    clustered = estimate(TRUTH, CALLS, Merit.SENSITIVITY, Covariance.CLUSTERED, np.arange(16))
    assert clustered.values == pytest.approx([6 / 8, 5 / 8])
    assert clustered.covariance == pytest.approx(plain.covariance)


def test_two_hips_of_a_patient_by_hand():
    """Four patients with two loose hips: of reader 1 right 2, 1, 1, 2; deviations from 2 * .75 are .5, -.5, -.5, .5.

    Variance: 4 / 3 * (4 * .25) / 64. Reader 2: right 1, 1, 2, 1; deviations from 1.25: -.25, -.25, .75, -.25.
    Covariance: 4 / 3 * (-.125 + .125 - .375 - .125) / 64.
    """
    patients = np.repeat(np.arange(8), 2)
    found = estimate(TRUTH, CALLS, Merit.SENSITIVITY, Covariance.CLUSTERED, patients).covariance
    assert found[0, 0] == pytest.approx(4 / 3 * 1.0 / 64)
    assert found[0, 1] == pytest.approx(4 / 3 * -0.5 / 64)
    both_hips_alike = np.repeat([[1.0, 0.0, 1.0, 1.0] * 2], 2, axis=1)
    wide = estimate(TRUTH, both_hips_alike, Merit.SENSITIVITY, Covariance.CLUSTERED, patients).covariance
    assert wide[0, 0] > 2 * estimate(TRUTH, both_hips_alike, Merit.SENSITIVITY).covariance[0, 0]


def test_one_patient_determines_no_variance():
    with pytest.raises(NotEstimableError, match="two patients"):
        estimate(TRUTH, CALLS, Merit.SPECIFICITY, Covariance.CLUSTERED, np.zeros(16))
