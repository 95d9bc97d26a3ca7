"""The registered analysis: exactly what the plan says, or a sentence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from study.analysis import ONE_READER
from study.analysis.planned import as_registered, carry_out
from study.protocol import AnalysisPlan, Endpoint, Hypothesis, Indeterminate, Method, Missing, Multiplicity
from study.scores import ScoreTable
from study.statistics.covariance import Covariance, Merit, estimate
from study.statistics.obuchowski_rockette import analyse_crossed
from study.statistics.one_against_many import compare_one_against_many
from study.statistics.ustatistics import analyse_any_design, analyse_calls

MODES = ("unaided", "aided")


def evidence(readers=4, cases=40, seed=0, gain=0.8):
    """Truth (cases,) and scores (modes, readers, cases) on 0-100."""
    rng = np.random.default_rng(seed)
    truth = np.arange(cases) % 5 < 2
    common = rng.normal(size=cases) + 0.6 * truth
    own = common + rng.normal(size=(2, readers, cases)) + gain * np.arange(2)[:, None, None] * truth
    return truth, np.clip(np.round(50 + 15 * (own - 0.4)), 0, 100)


def table_of(truth, scores, patient=None, cnn=None, drop=()):
    rows = [
        {
            "reader": f"R{r}",
            "mode": mode,
            "case": f"c{c:02}",
            "truth": int(truth[c]),
            "score": float(scores[m, r, c]),
            "call": int(scores[m, r, c] > 50),
            "patient": patient[c] if patient is not None else None,
        }
        for m, mode in enumerate(MODES[: scores.shape[0]])
        for r in range(scores.shape[1])
        for c in range(truth.size)
        if (m, r, c) not in drop
    ]
    for c, score in enumerate(() if cnn is None else cnn):
        common = {"reader": "CNN", "mode": "unaided", "case": f"c{c:02}", "truth": int(truth[c])}
        rows.append(common | {"score": float(score), "call": int(score > 50), "patient": None})
    return ScoreTable.from_rows(rows)


def crossed_directly(truth, values, merit, covariance=Covariance.JACKKNIFE, cluster=None):
    shape = values.shape[:2]
    found = estimate(truth, values.reshape(-1, truth.size), merit, covariance, cluster)
    result = analyse_crossed(
        found.values.reshape(shape), found.covariance.reshape(shape + shape), list(MODES), ["r"] * shape[1], ""
    )
    return result.random_readers_random_cases.differences[0]


def test_crossed_superiority_is_obuchowski_rockette_with_readers_and_cases_random():
    truth, scores = evidence()
    cnn = scores.mean(axis=(0, 1))
    (test,) = carry_out(table_of(truth, scores, cnn=cnn), AnalysisPlan(), "CNN")
    direct = crossed_directly(truth, scores, Merit.AUC)
    assert test.primary
    assert test.confirmatory
    assert test.estimate.difference == pytest.approx(-direct.difference)
    assert test.estimate.ci == pytest.approx((-direct.ci[1], -direct.ci[0]))
    assert test.p == pytest.approx(direct.p)
    assert (test.estimate.new, test.estimate.reference) == ("aided", "unaided")
    assert test.estimate.readers == 4
    assert ("is higher" in test.verdict) == (direct.p < 0.05)


@pytest.mark.parametrize("endpoint", [Endpoint.SENSITIVITY, Endpoint.SPECIFICITY])
def test_calls_of_patients_with_two_hips_are_compared_by_patient(endpoint):
    truth, scores = evidence(seed=2)
    truth = np.repeat(truth[::2], 2)
    patients = np.repeat(np.arange(truth.size // 2), 2)
    (test,) = carry_out(table_of(truth, scores, [str(p) for p in patients]), AnalysisPlan(endpoint=endpoint))
    direct = crossed_directly(
        truth, (scores > 50).astype(float), Merit(endpoint.value), Covariance.CLUSTERED, np.asarray(patients)
    )
    assert test.estimate.covariance == "Obuchowski clustered"
    assert test.p == pytest.approx(direct.p)


def test_non_inferiority_is_one_sided_at_half_of_alpha():
    truth, scores = evidence(seed=5, gain=0.3)
    plan = AnalysisPlan(hypothesis=Hypothesis.NON_INFERIORITY, margin=0.05)
    (test,) = carry_out(table_of(truth, scores), plan)
    direct = crossed_directly(truth, scores, Merit.AUC)
    assert test.p == pytest.approx(stats.t.sf((-direct.difference + 0.05) / direct.se, direct.df))
    # The same verdict as the lower end of the two-sided interval gives.
    assert (test.estimate.ci[0] > -0.05) == (test.p < 0.025) == ("is shown" in test.verdict)


def test_a_split_plot_goes_through_u_statistics():
    truth, scores = evidence(seed=3)
    drop = {(m, r, c) for m in range(2) for r in range(4) for c in range(truth.size) if c % 2 != r % 2}
    plan = AnalysisPlan(
        method=Method.U_STATISTICS, secondary=("sensitivity", "Time per case"), multiplicity=Multiplicity.HOLM
    )
    primary, secondary, words = carry_out(table_of(truth, scores, drop=drop), plan)
    held = scores.copy()
    for place in drop:
        held[place] = np.nan
    auc = analyse_any_design(truth, held, list(MODES)).differences[0]
    calls = np.where(np.isnan(held), np.nan, held > 50)
    right = analyse_calls(calls[:, :, truth], list(MODES)).differences[0]
    assert primary.p == pytest.approx(auc.p_t)
    assert secondary.estimate.difference == pytest.approx(-right.difference)
    assert secondary.p == pytest.approx(right.p_t)
    assert secondary.adjusted_p == pytest.approx(max(sorted([auc.p_t, right.p_t])[0] * 2, right.p_t))
    assert words.endpoint == "Time per case"
    assert "in words" in words.verdict
    (said,) = carry_out(table_of(truth, scores, drop=drop), AnalysisPlan())
    assert said.estimate is None
    assert "could not be carried out" in said.verdict


def test_share_of_right_calls_by_u_statistics_by_hand():
    """One mode, two readers, three cases, all read: the variance of a two-way mean, from its unbiased moments.

    Right calls 1 1 0 and 1 0 0: mean 1/2. Second moments of pairs that share reader and case 3/6; the reader alone
    (1*1 + 0 + 0 twice) 2/12; the case alone (1*1 + 1*0 + 0) twice: 2/6; nothing in common: 2 * (1*0 + 1*0 + 1*1 + 1*0
    + 0 + 0) / 12 = 2/12. Weights 1/6, 2/6, 1/6, 2/6.
    """
    mode = analyse_calls([[[1, 1, 0], [1, 0, 0]]], ["m"]).modes[0]
    assert mode.auc == pytest.approx(0.5)
    assert mode.variance == pytest.approx(3 / 36 + 2 / 6 * 2 / 12 + 1 / 6 * 2 / 6 + (2 / 6 - 1) * 2 / 12)


def test_a_cnn_against_readers():
    truth, scores = evidence(seed=4)
    cnn = scores[1].mean(axis=0)
    plan = AnalysisPlan(method=Method.ONE_AGAINST_MANY)
    (test,) = carry_out(table_of(truth, scores[:1], cnn=cnn), plan, "CNN")
    direct = compare_one_against_many(truth, cnn, scores[0])
    assert test.estimate.difference == pytest.approx(-direct.difference)
    assert test.p == pytest.approx(direct.p)
    assert (test.estimate.new, test.estimate.reference) == ("CNN", "mean of readers")
    (said,) = carry_out(table_of(truth, scores[:1]), plan)
    assert "no reader is named as the CNN" in said.verdict


def test_one_reader_gets_a_sentence_and_no_number():
    truth, scores = evidence(readers=1)
    (test,) = carry_out(table_of(truth, scores), AnalysisPlan())
    assert (test.estimate, test.p) == (None, None)
    assert ONE_READER in test.verdict


def test_missing_and_indeterminate_readings_count_as_the_plan_says():
    truth, scores = evidence()
    rows = table_of(truth, scores)
    lost = (np.array(rows.reader) == "R1") & (np.array(rows.mode) == "aided") & np.isin(rows.case, ["c00", "c02"])
    unsure = (np.array(rows.reader) == "R2") & np.isin(rows.case, ["c01"])
    held = ScoreTable(
        rows.reader,
        rows.mode,
        rows.case,
        rows.truth,
        np.where(lost, np.nan, rows.score),
        call=np.where(lost | unsure, -1, rows.call).astype(np.int8),
    )
    as_error = as_registered(held, AnalysisPlan())
    assert len(as_error) == len(rows)
    assert (as_error.call[lost | unsure] != as_error.truth[lost | unsure]).all()
    worst = as_error.score[lost]
    assert worst.tolist() == [rows.score.min() - 1 if loose else rows.score.max() + 1 for loose in as_error.truth[lost]]
    assert np.array_equal(as_error.score[unsure], rows.score[unsure])  # "cannot tell" still ranks the case
    by_score = as_registered(held, AnalysisPlan(indeterminate=Indeterminate.BY_SCORE))
    assert np.array_equal(by_score.call[unsure], rows.score[unsure] > 50)
    out = AnalysisPlan(indeterminate=Indeterminate.LEAVE_OUT, missing=Missing.LEAVE_OUT)
    assert len(as_registered(held, out)) == len(rows) - 4
    (test,) = carry_out(held, out)
    whole = np.array([c not in (0, 1, 2) for c in range(truth.size)])
    assert test.p == pytest.approx(crossed_directly(truth[whole], scores[:, :, whole], Merit.AUC).p)
    assert "3 case(s) are left out" in test.verdict


def test_holm_and_fixed_sequence():
    truth, scores = evidence(cases=60)
    secondary = ("specificity", "Sensitivity")
    plain = carry_out(table_of(truth, scores), AnalysisPlan(secondary=secondary))
    p = [test.p for test in plain]
    assert [test.endpoint for test in plain] == ["AUC", "specificity", "sensitivity"]
    assert [test.confirmatory for test in plain] == [True, False, False]
    assert "descriptive" in plain[1].verdict
    fixed = carry_out(
        table_of(truth, scores), AnalysisPlan(secondary=secondary, multiplicity=Multiplicity.FIXED_SEQUENCE)
    )
    assert [test.adjusted_p for test in fixed] == pytest.approx(np.maximum.accumulate(p))
    holm = carry_out(table_of(truth, scores), AnalysisPlan(secondary=secondary, multiplicity=Multiplicity.HOLM))
    order = np.argsort(p)
    wanted = np.minimum(np.maximum.accumulate(np.array(p)[order] * [3, 2, 1]), 1)
    assert np.array([test.adjusted_p for test in holm])[order] == pytest.approx(wanted)
    assert all(test.confirmatory for test in holm)


def test_an_endpoint_without_a_test_stops_the_sequence():
    truth, scores = evidence()
    rows = table_of(truth, scores)
    no_calls = ScoreTable(rows.reader, rows.mode, rows.case, rows.truth, rows.score)
    plan = AnalysisPlan(endpoint=Endpoint.SENSITIVITY, secondary=("auc",), multiplicity=Multiplicity.FIXED_SEQUENCE)
    first, second = carry_out(no_calls, plan)
    assert "no calls" in first.verdict
    assert second.adjusted_p == 1.0


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.sampled_from([Method.OBUCHOWSKI_ROCKETTE, Method.U_STATISTICS]))
def test_names_do_not_matter_arms_turn_the_sign_and_ranks_are_all_that_an_auc_sees(seed, method):
    plan = AnalysisPlan(method=method)
    truth, scores = evidence(readers=3, cases=20, seed=seed)
    (test,) = carry_out(table_of(truth, scores), plan)
    order = np.random.default_rng(seed).permutation(truth.size)
    (relabelled,) = carry_out(table_of(truth[order], scores[:, ::-1][:, :, order]), plan)
    (swapped,) = carry_out(table_of(truth, scores[::-1]), plan)
    (rescaled,) = carry_out(table_of(truth, np.exp(scores / 30)), plan)
    for other, sign in ((relabelled, 1), (swapped, -1), (rescaled, 1)):
        assert other.estimate.difference == pytest.approx(sign * test.estimate.difference, abs=1e-12)
        assert other.p == (None if test.p is None else pytest.approx(test.p, rel=1e-6))
