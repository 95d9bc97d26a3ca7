from __future__ import annotations

import csv
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from study.statistics.roc import (
    NotEstimableError,
    auc_contrast_test,
    auc_delong,
    auc_difference_delong,
    auc_difference_unpaired,
    placements,
    roc_curve,
)
from tests.unit.study.statistics.expected import check

TRUTH = [1, 1, 1, 0, 0, 0, 0]
SCORES = [3, 2, 2, 2, 1, 1, 0]


def test_by_hand():
    """12 pairs: 10 won, 2 tied -> 11/12; placements by counting."""
    placed = placements(TRUTH, SCORES)
    assert placed.auc[0] == pytest.approx(11 / 12)
    assert placed.positive[0] == pytest.approx([1, 7 / 8, 7 / 8])
    assert placed.negative[0] == pytest.approx([2 / 3, 1, 1, 1])
    # variances: var([1, .875, .875]) / 3 + var([2/3, 1, 1, 1]) / 4
    assert auc_delong(TRUTH, SCORES).se ** 2 == pytest.approx(0.0052083 / 3 + 0.0277778 / 4, rel=1e-4)


@given(hnp.arrays(np.int8, 12, elements=st.integers(0, 1)), hnp.arrays(np.int64, 12, elements=st.integers(0, 6)))
def test_auc_counts_pairs_and_survives_monotone_rescaling(truth, scores):
    assume(0 < truth.sum() < truth.size)
    pairs = [(p > n) + 0.5 * (p == n) for p, n in product(scores[truth == 1], scores[truth == 0])]
    auc = placements(truth, scores).auc[0]
    assert auc == pytest.approx(np.mean(pairs))
    assert placements(truth, np.exp(scores / 3)).auc[0] == pytest.approx(auc)
    assert placements(truth, -scores).auc[0] == pytest.approx(1 - auc)
    curve = roc_curve(truth, scores)
    assert np.trapezoid(curve.true_positive_rate, curve.false_positive_rate) == pytest.approx(auc)


def test_degenerate_data_get_sentences():
    with pytest.raises(NotEstimableError, match="No case is loose"):
        auc_delong([0, 0], [1, 2])
    with pytest.raises(NotEstimableError, match="missing"):
        auc_delong([0, 1], [1, float("nan")])
    assert "two loose" in auc_delong([0, 0, 1], [1, 2, 3]).caution
    assert "separated completely" in auc_delong([0, 0, 1, 1], [1, 2, 3, 4]).caution
    assert "tied" in auc_delong([0, 0, 1, 1], [5, 5, 5, 5]).caution
    same = auc_difference_delong(TRUTH, SCORES, SCORES)
    assert same.p is None
    assert same.caution


def test_swapping_flips_the_sign():
    other = [1, 3, 2, 0, 1, 2, 0]
    one, two = auc_difference_delong(TRUTH, SCORES, other), auc_difference_delong(TRUTH, other, SCORES)
    assert one.difference == pytest.approx(-two.difference)
    assert one.p == pytest.approx(two.p)
    assert one.ci == pytest.approx((-two.ci[1], -two.ci[0]))


def test_published_subarachnoid_haemorrhage(stats_cases):
    with (stats_cases / "asah.csv").open() as file:
        rows = list(csv.DictReader(file))
    truth = np.array([row["outcome"] == "Poor" for row in rows])
    markers = {name: np.array([float(row[name]) for row in rows]) for name in ("s100b", "wfns", "ndka")}
    computed = {}
    for name, scores in markers.items():
        estimate = auc_delong(truth, scores)
        computed |= {
            f"{name}.auc": estimate.auc,
            f"{name}.delong_ci_low": estimate.ci[0],
            f"{name}.delong_ci_high": estimate.ci[1],
        }
    for one, two in (("s100b", "wfns"), ("s100b", "ndka"), ("wfns", "ndka")):
        paired = auc_difference_delong(truth, markers[one], markers[two])
        computed |= {f"{one}-{two}.paired.z": paired.z, f"{one}-{two}.paired.p": paired.p}
        computed |= {f"{one}-{two}.paired.ci_low": paired.ci[0], f"{one}-{two}.paired.ci_high": paired.ci[1]}
        unpaired = auc_difference_unpaired(truth, markers[one], truth, markers[two])
        computed |= {
            f"{one}-{two}.unpaired.{name}": value
            for name, value in (("D", unpaired.d), ("df", unpaired.df), ("p", unpaired.p))
        }
    check(stats_cases, "asah_delong", computed)


def test_published_ovarian_cancer(stats_cases):
    with (stats_cases / "ovarian_delong1988.csv").open() as file:
        rows = list(csv.DictReader(file))
    truth = np.array([int(row["popind"]) for row in rows])
    scores = {name: np.array([float(row[name]) for row in rows]) for name in ("alb", "tp", "kg")}
    computed = {}
    for name, values in scores.items():
        estimate = auc_delong(truth, values)
        computed |= {f"{name}.auc": estimate.auc, f"{name}.se": estimate.se}
    matrix = np.vstack([scores[name] for name in ("alb", "tp", "kg")])
    chi2, df, p = auc_contrast_test(truth, matrix, [[1, 0, -1], [0, 1, -1]])
    computed |= {"contrast_vs_kg.chi2": chi2, "contrast_vs_kg.df": df, "contrast_vs_kg.p": p}
    difference = auc_difference_delong(truth, scores["alb"], scores["kg"])
    computed |= {"alb-kg.diff": difference.difference, "alb-kg.se": difference.se, "alb-kg.p": difference.p}
    check(stats_cases, "ovarian_delong1988", computed)
