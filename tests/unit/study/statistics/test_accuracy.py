from __future__ import annotations

import csv

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from study.statistics.accuracy import AccuracyTable, mcnemar, predictive_values, proportion
from tests.unit.study.statistics.expected import check


def test_seed_study_sensitivities():
    """16 of 17 and 9 of 17, with exact intervals worked out from the beta distribution."""
    assert proportion(16, 17).clopper_pearson == pytest.approx((0.7131, 0.9985), abs=1e-4)
    assert proportion(9, 17).clopper_pearson == pytest.approx((0.2781, 0.7702), abs=1e-4)


def test_nothing_observed_is_no_certainty():
    none = proportion(0, 0)
    assert none.value is None
    assert none.wilson == (0.0, 1.0)


@given(st.integers(0, 200), st.integers(0, 200))
def test_intervals_hold_the_estimate_and_mirror(k, extra):
    n = k + extra
    if n == 0:
        return
    here, mirrored = proportion(k, n), proportion(n - k, n)
    for low, high in (here.wilson, here.clopper_pearson):
        assert 0 <= low <= here.value + 1e-12
        assert here.value - 1e-12 <= high <= 1
    assert here.clopper_pearson[0] == pytest.approx(1 - mirrored.clopper_pearson[1], abs=1e-9)


def test_table_from_calls():
    table = AccuracyTable.from_calls([1, 1, 1, 0, 0], [1, 1, 0, 0, 1])
    assert (table.true_positive, table.false_negative, table.true_negative, table.false_positive) == (2, 1, 1, 1)
    assert table.sensitivity.value == pytest.approx(2 / 3)
    assert table.positive_predictive_value.value == pytest.approx(2 / 3)


def test_predictive_values_follow_bayes():
    ppv, npv = predictive_values(0.9, 0.95, 0.1)
    assert ppv == pytest.approx(0.09 / (0.09 + 0.045))
    assert npv == pytest.approx(0.855 / (0.855 + 0.01))
    assert predictive_values(0.0, 1.0, 0.5)[0] is None


@example(0, 0, 48, 0)
@given(*[st.integers(0, 60)] * 4)
def test_swapping_the_raters_flips_the_difference(both, first, second, neither):
    if both + first + second + neither == 0:
        return
    one, other = mcnemar(both, first, second, neither), mcnemar(both, second, first, neither)
    assert one.exact_p == other.exact_p
    assert one.mid_p == pytest.approx(other.mid_p)
    assert 0 <= one.mid_p <= one.exact_p <= 1
    for name in ("tango", "newcombe"):
        low, high = getattr(one, name)
        assert -1 <= low <= one.difference + 1e-9
        assert one.difference - 1e-9 <= high <= 1 + 1e-9
        assert (low, high) == pytest.approx(tuple(-bound for bound in reversed(getattr(other, name))), abs=1e-6)


def test_published_proportions(stats_cases):
    computed = {}
    with (stats_cases / "proportion_ci.csv").open() as file:
        for row in csv.DictReader(file):
            result = proportion(int(row["k"]), int(row["n"]))
            name = f"{row['k']}/{row['n']}"
            computed |= {f"{name}.wilson_low": result.wilson[0], f"{name}.wilson_high": result.wilson[1]}
            computed |= {f"{name}.cp_low": result.clopper_pearson[0], f"{name}.cp_high": result.clopper_pearson[1]}
    check(stats_cases, "proportion_ci", computed)


def test_published_paired_tables(stats_cases):
    computed = {}
    with (stats_cases / "mcnemar_tables.csv").open() as file:
        for row in csv.DictReader(file):
            result = mcnemar(*(int(row[name]) for name in ("both_yes", "first_only", "second_only", "neither")))
            values = {
                "exact_p": result.exact_p,
                "midp": result.mid_p,
                "chi2_uncorrected": result.chi2,
                "p_uncorrected": result.chi2_p,
                "chi2_corrected": result.chi2_corrected,
                "p_corrected": result.chi2_corrected_p,
                "diff": result.difference,
                "tango_low": result.tango[0],
                "tango_high": result.tango[1],
                "newcombe10_low": result.newcombe[0],
                "newcombe10_high": result.newcombe[1],
            }
            computed |= {f"{row['table']}.{name}": value for name, value in values.items()}
    check(stats_cases, "mcnemar_tables", computed)
