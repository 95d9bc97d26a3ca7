"""The registered analysis: exactly what the plan says, or a sentence."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from study.analysis import ONE_READER, analyse
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


# ------------------------------------------------------------------------- what is compared, and with which readings


def renamed(table, names):
    return ScoreTable(
        table.reader, [names[mode] for mode in table.mode], table.case, table.truth, table.score, call=table.call
    )


def turned_rows(table):
    return (
        table.where(np.arange(len(table)) >= 0)
        if not len(table)
        else ScoreTable(
            table.reader[::-1],
            table.mode[::-1],
            table.case[::-1],
            table.truth[::-1].copy(),
            table.score[::-1].copy(),
            patient=None if table.patient is None else table.patient[::-1],
            call=None if table.call is None else table.call[::-1].copy(),
        )
    )


@pytest.mark.parametrize("method", [Method.OBUCHOWSKI_ROCKETTE, Method.U_STATISTICS])
@pytest.mark.parametrize("hypothesis", list(Hypothesis))
def test_the_order_of_the_rows_decides_nothing(method, hypothesis):
    truth, scores = evidence(seed=8)
    margin = 0.05 if hypothesis is Hypothesis.NON_INFERIORITY else 0.0
    plan = AnalysisPlan(method=method, hypothesis=hypothesis, margin=margin)
    named = msgspec.structs.replace(plan, new_mode="B", reference_mode="A")
    other = renamed(table_of(truth, scores), {"unaided": "A", "aided": "B"})
    for held, how in ((table_of(truth, scores), plan), (other, named)):
        (here,), (turned,) = carry_out(held, how), carry_out(turned_rows(held), how)
        assert here.p == pytest.approx(turned.p)
        assert here.estimate.difference == pytest.approx(turned.estimate.difference)
        assert (here.estimate.new, here.estimate.reference) == (turned.estimate.new, turned.estimate.reference)
    (refused,) = carry_out(other, plan)
    assert ("does not name which mode is new" in refused.verdict) == (hypothesis is Hypothesis.NON_INFERIORITY)
    (absent,) = carry_out(other, msgspec.structs.replace(plan, new_mode="C", reference_mode="A"))
    assert "hold no mode C" in absent.verdict


@pytest.mark.parametrize("endpoint", [Endpoint.SENSITIVITY, Endpoint.SPECIFICITY])
@pytest.mark.parametrize("method", list(Method))
def test_calls_without_scores_are_enough_for_sensitivity_and_specificity(endpoint, method):
    truth, scores = evidence(seed=6)
    cnn = scores[1].mean(axis=0)
    against = method is Method.ONE_AGAINST_MANY
    table = table_of(truth, scores[:1] if against else scores, cnn=cnn if against else None)
    bare = ScoreTable(table.reader, table.mode, table.case, table.truth, np.full(len(table), np.nan), call=table.call)
    plan = AnalysisPlan(endpoint=endpoint, method=method)
    (full,), (found,) = carry_out(table, plan, "CNN"), carry_out(bare, plan, "CNN")
    assert found == full
    assert found.estimate is not None
    assert found.estimate.cases == (truth if endpoint is Endpoint.SENSITIVITY else ~truth).sum()
    assert not any("No case is" in sentence for sentence in analyse(bare).sentences)


@pytest.mark.parametrize("method", list(Method))
def test_a_reading_without_a_row_is_a_missing_one(method):
    """Files say "not read" by leaving the row out; .imrmc has no other way."""
    truth, scores = evidence(seed=9)
    against = method is Method.ONE_AGAINST_MANY
    cnn = scores[1].mean(axis=0) if against else None
    values = scores[:1] if against else scores
    gone = {(0, 1, 3), (0, 2, 7)}
    absent = table_of(truth, values, cnn=cnn, drop=gone)
    empty = table_of(truth, values, cnn=cnn)
    place = [
        (r, m, c) in {(f"R{r}", MODES[m], f"c{c:02}") for m, r, c in gone}
        for r, m, c in zip(empty.reader, empty.mode, empty.case, strict=True)
    ]
    empty = ScoreTable(
        empty.reader, empty.mode, empty.case, empty.truth, np.where(place, np.nan, empty.score),
        call=np.where(place, -1, empty.call).astype(np.int8),
    )  # fmt: skip
    for endpoint in Endpoint:
        plan = AnalysisPlan(method=method, endpoint=endpoint)
        (here,), (there,) = carry_out(absent, plan, "CNN"), carry_out(empty, plan, "CNN")
        assert here.p == pytest.approx(there.p)
        assert "2 readings are not in these data and count as errors" in " ".join(here.estimate.sentences)
    rules = AnalysisPlan(method=method, missing=Missing.AVAILABLE)
    (alone,) = carry_out(absent, rules, "CNN")
    assert alone.estimate.cases == truth.size
    assert "2 " in " ".join(alone.estimate.sentences)
    assert "left out" in " ".join(alone.estimate.sentences)
    if method is Method.OBUCHOWSKI_ROCKETTE:
        assert alone.estimate.covariance == "unbiased"


def test_each_mode_has_a_mean_with_an_interval_within_0_and_1():
    truth, scores = evidence(seed=1, gain=3.0)
    cnn = scores[1].mean(axis=0)
    for method in Method:
        against = method is Method.ONE_AGAINST_MANY
        (test,) = carry_out(
            table_of(truth, scores[:1] if against else scores, cnn=cnn), AnalysisPlan(method=method), "CNN"
        )
        found = test.estimate
        for value, bounds in ((found.new_value, found.new_ci), (found.reference_value, found.reference_ci)):
            assert bounds is None or 0 < bounds[0] < value < bounds[1] < 1
        assert found.reference_ci is not None


@pytest.mark.parametrize("endpoint", [Endpoint.SENSITIVITY, Endpoint.SPECIFICITY])
def test_a_cnn_against_readers_by_calls_and_a_split_plot_can_be_registered(endpoint):
    truth, scores = evidence(seed=4)
    cnn = scores[1].mean(axis=0)
    (test,) = carry_out(
        table_of(truth, scores[:1], cnn=cnn), AnalysisPlan(endpoint=endpoint, method=Method.ONE_AGAINST_MANY), "CNN"
    )
    direct = compare_one_against_many(truth, cnn > 50, scores[0] > 50, Merit(endpoint.value))
    assert test.p == pytest.approx(direct.p)
    assert test.estimate.difference == pytest.approx(-direct.difference)


def test_a_split_plot_with_both_hips_is_analysed_by_patient():
    truth, scores = evidence(seed=3)
    truth = np.repeat(truth[::2], 2)
    patients = np.repeat(np.arange(truth.size // 2), 2)
    drop = {(m, r, c) for m in range(2) for r in range(4) for c in range(truth.size) if patients[c] % 2 != r % 2}
    (test,) = carry_out(
        table_of(truth, scores, [str(p) for p in patients], drop=drop), AnalysisPlan(method=Method.U_STATISTICS)
    )
    held = scores.copy()
    for place in drop:
        held[place] = np.nan
    direct = analyse_any_design(truth, held, list(MODES), cluster=patients).differences[0]
    assert test.p == pytest.approx(direct.p_t)
    assert test.estimate.covariance == "unbiased by patient"


def test_holm_is_done_as_its_hashed_text_says():
    truth, scores = evidence()
    plan = AnalysisPlan(secondary=("sensitivity",), multiplicity=Multiplicity.HOLM)
    both = carry_out(table_of(truth, scores), plan)
    assert "secondary endpoints that are tested" in msgspec.json.encode(plan).decode()
    assert all(test.adjusted_p is not None for test in both)
    earlier = carry_out(
        table_of(truth, scores), msgspec.structs.replace(plan, multiplicity=Multiplicity.HOLM_OVER_PRIMARY)
    )
    assert [test.confirmatory for test in earlier] == [True, False]
    assert earlier[0].adjusted_p is None
