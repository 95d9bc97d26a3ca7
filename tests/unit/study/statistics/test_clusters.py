"""Several cases of a patient: by hand, against slow definitions, and equal to the plain result where each has one case."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.statistics.accuracy import AccuracyTable, mcnemar, mcnemar_of, proportion, proportion_of
from study.statistics.agreement import cohen_kappa_of, counts_by_category, fleiss_kappa
from study.statistics.clusters import design_effect, interval_effect
from study.statistics.comparisons import compare
from study.statistics.covariance import Covariance, Merit, estimate
from study.statistics.roc import NotEstimableError, auc_delong, auc_difference_delong
from study.statistics.ustatistics import analyse_any_design, analyse_calls


def hips(seed: int, patients: int = 20, each: int = 2):
    """(truth, two readers' scores, patient) of patients with several hips that are alike."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), each)
    truth = rng.random(patient.size) < 0.4
    truth[:4] = [True, False, True, False]
    shared = rng.normal(size=patients)[patient]
    return truth, np.round(shared + truth + rng.normal(size=(2, patient.size)), 1), patient


@given(st.integers(0, 10_000))
def test_with_one_hip_a_patient_every_clustered_result_is_the_plain_one(seed):
    truth, (one, two), _ = hips(seed)
    alone = np.random.default_rng(seed).permutation(truth.size)  # names in any order
    called, other = one > 0.5, two > 0.5
    pairs = [
        (auc_delong(truth, one), auc_delong(truth, one, cluster=alone)),
        (auc_difference_delong(truth, one, two), auc_difference_delong(truth, one, two, cluster=alone)),
        (proportion_of(called), proportion_of(called, alone)),
        (mcnemar_of(called, other), mcnemar_of(called, other, alone)),
        (AccuracyTable.from_calls(truth, called), AccuracyTable.from_calls(truth, called, alone)),
    ]
    table = np.stack([one, two]).reshape(2, 1, -1).repeat(3, axis=1) + np.arange(3)[:, None] * (one > 0)
    pairs.append(
        (analyse_any_design(truth, table, ["a", "b"]), analyse_any_design(truth, table, ["a", "b"], cluster=alone))
    )
    for plain, clustered in pairs:
        assert plain == clustered
    for merit, values in ((Merit.AUC, table), (Merit.SENSITIVITY, (table > 0.5).astype(float))):
        for by_patient, plain in (
            (Covariance.CLUSTERED, Covariance.DELONG),
            (Covariance.UNBIASED_BY_PATIENT, Covariance.UNBIASED),
        ):
            flat = values.reshape(6, -1)
            found = estimate(truth, flat, merit, by_patient, alone).covariance
            assert found == pytest.approx(estimate(truth, flat, merit, plain).covariance, abs=1e-12)


def test_auc_by_patient_by_hand():
    """Patients A (loose 3, not loose 1), B (loose 2), C (not loose 2), D (not loose 0): Obuchowski's sums written out.

    Placements: loose A beats all, 1; loose B beats 1 and 0 and ties with 2, 5/6. Not loose A (1): both beat it, 1; C (2): 3/4;
    D: 1. AUC 11/12. Sums of deviations: A 1/12 and 1/12; B -1/12; C -1/6; D 1/12.
    """
    found = auc_delong([1, 0, 1, 0, 0], [3, 1, 2, 2, 0], cluster=["A", "A", "B", "C", "D"])
    s10 = (1 / 144 + 1 / 144) * 2 / (1 * 2)
    s01 = (1 / 144 + 1 / 36 + 1 / 144) * 3 / (2 * 3)
    s11 = (1 / 144) * 4 / 3
    assert found.auc == pytest.approx(11 / 12)
    assert found.se**2 == pytest.approx(s10 / 2 + s01 / 3 + 2 * s11 / 6)
    assert found.method == "Obuchowski by patient"
    assert found.ci == found.ci_logit


def test_one_case_of_a_class_gives_an_auc_without_a_variance():
    for cluster in (None, ["p", "p", "q", "q"]):
        found = auc_delong([1, 0, 0, 0], [3, 1, 2, 4], cluster=cluster)
        assert found.auc == pytest.approx(2 / 3)
        assert (found.se, found.ci, found.ci_logit) == (None, None, None)
        assert "At least two" in found.caution
        paired = auc_difference_delong([1, 0, 0, 0], [3, 1, 2, 4], [1, 2, 3, 4], cluster=cluster)
        assert (paired.difference, paired.p, paired.ci) == (pytest.approx(2 / 3), None, None)


def test_logit_interval_by_hand():
    """AUC 11/12 with variance v: logit(11/12) = ln 11; half-width 1.96 se / (11/12 * 1/12)."""
    found = auc_delong([1, 1, 1, 0, 0, 0, 0], [3, 2, 2, 2, 1, 1, 0])
    half = 1.959964 * found.se / (11 / 144)
    assert found.ci_logit == pytest.approx(
        [1 / (1 + np.exp(-(np.log(11) + sign * half))) for sign in (-1, 1)], rel=1e-6
    )


def test_design_effect_by_hand():
    """Two right, two right, two wrong: the totals deviate by 2/3, 2/3 and -4/3, so the variance is (24/9) * 3 / (2 * 36) =
    1/9; of six single cases (2/9) * 6 / 5 / 6 = 2/45. Ratio 5/2."""
    assert design_effect([1, 1, 1, 1, 0, 0], [1, 1, 2, 2, 3, 3]) == pytest.approx(2.5)
    assert design_effect([1, 0, 1, 0, 1, 0], [1, 1, 2, 2, 3, 3]) == 1  # unlike hips: never narrower than plain
    assert design_effect([1, 1, 1, 1, 1, 1], [1, 1, 2, 2, 3, 3]) == 2  # nothing varies: as many as patients
    effect = interval_effect([1, 1, 1, 1, 0, 0], [1, 1, 2, 2, 3, 3])
    assert effect == pytest.approx(2.5 * (4.302653 / 1.959964) ** 2, rel=1e-6)  # t with two degrees of freedom
    wide, plain = proportion_of([1, 1, 1, 1, 0, 0], [1, 1, 2, 2, 3, 3]), proportion(4, 6)
    for one, other in ((wide.wilson, plain.wilson), (wide.clopper_pearson, plain.clopper_pearson)):
        assert one[0] < other[0] < plain.value < other[1] < one[1]
    assert (proportion_of([0] * 6, [1, 1, 2, 2, 3, 3]).clopper_pearson[0]) == 0


def test_mcnemar_by_patient_by_hand():
    """Differences of the patients +2, +1, -1, 0. Sums over the eight signs: 4, 2, 2, 0, 0, -2, -2, -4. Observed 2: six of
    eight reach it, two of these beyond it. Chi-square 2**2 / (4 + 1 + 1)."""
    first = [1, 1, 1, 0, 0, 1]
    second = [0, 0, 0, 0, 1, 1]
    found = mcnemar_of(first, second, ["A", "A", "B", "B", "C", "D"])
    assert found.exact_p == pytest.approx(6 / 8)
    assert found.mid_p == pytest.approx((2 + 4 / 2) / 8)
    assert found.chi2 == pytest.approx(4 / 6)
    assert found.chi2_corrected is None
    assert found.difference == pytest.approx(2 / 6)


@given(*[st.integers(0, 25)] * 4)
def test_counts_and_vectors_give_one_mcnemar(both, first, second, neither):
    if both + first + second + neither == 0:
        return
    cells = [both, first, second, neither]
    one, two = np.repeat([1, 1, 0, 0], cells), np.repeat([1, 0, 1, 0], cells)
    assert mcnemar(*cells) == mcnemar_of(one, two)


def slow_kappa_se(one, two, patient):
    """Infinitesimal jackknife by numbers: how kappa moves with the weight of each patient."""

    def kappa(weight):
        w = weight[patient]
        p = np.array([[(w * (one == a) * (two == b)).sum() for b in (0, 1)] for a in (0, 1)]) / w.sum()
        chance = p.sum(axis=0) @ p.sum(axis=1)
        return (np.trace(p) - chance) / (1 - chance)

    base, step = np.ones(patient.max() + 1), 1e-6
    slopes = [
        (kappa(base + step * unit) - kappa(base - step * unit)) / (2 * step) for unit in np.eye(patient.max() + 1)
    ]
    return np.sqrt(np.sum(np.square(slopes)))


@given(st.integers(0, 10_000))
@settings(max_examples=25)
def test_kappa_by_patient_is_the_infinitesimal_jackknife(seed):
    _, (one, two), patient = hips(seed)
    a, b = (one > 0.3).astype(int), (two > 0.3).astype(int)
    try:
        found = cohen_kappa_of(a, b, patient)
    except NotEstimableError:
        return
    assert found.se == pytest.approx(slow_kappa_se(a, b, patient), rel=1e-4, abs=1e-7)
    assert (found.ci is None) == (found.se < 1e-12)


def test_fleiss_jackknife_leaves_whole_patients_out():
    truth, scores, patient = hips(4)
    ratings = np.vstack([scores > 0.2, scores[:1] > 0.6]).T.astype(float)
    counts = counts_by_category(ratings)[0]
    found = fleiss_kappa(counts, cluster=patient)
    left_out = [fleiss_kappa(counts[patient != p]).kappa for p in range(20)]
    assert found.se == pytest.approx(np.sqrt(19**2 / 20 * np.var(left_out, ddof=1)))
    assert fleiss_kappa(counts, cluster=np.arange(truth.size)) == fleiss_kappa(counts)


@given(st.integers(0, 10_000))
@settings(max_examples=25)
def test_comparisons_that_share_no_patient_by_enumeration(seed):
    rng = np.random.default_rng(seed)
    n, patient = 11, rng.integers(0, 6, 11)
    truth, scores = rng.random(n) < 0.5, rng.integers(0, 4, (3, n)).astype(float)
    scores[rng.random((3, n)) < 0.15] = np.nan
    if truth.all() or not truth.any():
        return
    found = compare(truth, scores, patient)
    sums, counts = np.zeros((3, 3)), np.zeros((3, 3))
    loose, other = np.flatnonzero(truth), np.flatnonzero(~truth)
    for i, j, k, m in product(loose, other, loose, other):
        if {patient[i], patient[j]} & {patient[k], patient[m]}:
            continue
        here, there = (
            (scores[:, a] > scores[:, b]) + 0.5 * (scores[:, a] == scores[:, b]) for a, b in ((i, j), (k, m))
        )
        read = [np.isfinite(scores[:, a] + scores[:, b]) for a, b in ((i, j), (k, m))]
        sums += np.outer(here, there)
        counts += np.outer(*read)
    assert found.unshared == pytest.approx(sums)
    assert found.unshared_count == pytest.approx(counts)


def test_copies_of_a_hip_add_nothing():
    """Hips that are copies of each other tell no more than one of them, by U-statistics as by Obuchowski-Rockette."""
    rng = np.random.default_rng(5)
    truth = np.arange(30) < 12
    scores = np.round(rng.normal(size=(2, 4, 30)) + rng.normal(size=30) + 1.2 * truth, 1)
    plain = analyse_any_design(truth, scores, ["a", "b"]).differences[0]
    twice = analyse_any_design(
        np.tile(truth, 2), np.tile(scores, 2), ["a", "b"], cluster=np.tile(np.arange(30), 2)
    ).differences[0]
    assert twice.difference == pytest.approx(plain.difference)
    assert twice.variance == pytest.approx(plain.variance)
    flat = scores.reshape(8, -1)
    assert estimate(
        np.tile(truth, 2), np.tile(flat, 2), Merit.AUC, Covariance.UNBIASED_BY_PATIENT, np.tile(np.arange(30), 2)
    ).covariance == pytest.approx(estimate(truth, flat, Merit.AUC, Covariance.UNBIASED).covariance)
    calls = (scores > 0.5)[:, :, truth].astype(float)
    once, copied = (
        analyse_calls(calls, ["a", "b"]),
        analyse_calls(np.tile(calls, 2), ["a", "b"], cluster=np.tile(np.arange(12), 2)),
    )
    assert copied.differences[0].variance == pytest.approx(once.differences[0].variance)
    assert "by patient" in copied.method


def test_a_negative_variance_gets_no_test_or_the_mle_one():
    rng = np.random.default_rng(0)
    for _ in range(200):
        truth, scores = np.arange(12) < 5, rng.integers(0, 5, (2, 2, 12)).astype(float)
        refused = analyse_any_design(truth, scores, ["a", "b"]).differences[0]
        if refused.variance < -1e-12 < 0 < refused.variance_mle:
            break
    assert refused.p_t is None
    used = analyse_any_design(truth, scores, ["a", "b"], mle_where_negative=True).differences[0]
    assert used.se == pytest.approx(np.sqrt(refused.variance_mle))
    assert used.used == "MLE"
    assert "MLE variance takes its place" in used.caution
    assert replace(used, se=None, df=None, p_normal=None, p_t=None, ci=None, caution="", used="") == replace(
        refused, caution="", used=""
    )


def test_against_proc_in_r(stats_cases):
    """AUC, DeLong's variance and the paired test, by pROC."""
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed")
    program = """
    suppressMessages(library(pROC)); library(stats)
    d <- read.csv(file.path(commandArgs(TRUE)[1], "asah.csv"))
    a <- roc(d$outcome, d$s100b, levels=c("Good","Poor"), direction="<", quiet=TRUE)
    b <- roc(d$outcome, d$ndka, levels=c("Good","Poor"), direction="<", quiet=TRUE)
    t <- roc.test(a, b, paired=TRUE, method="delong")
    ok <- mcnemar.test(matrix(c(20, 3, 11, 9), 2), correct=FALSE)
    cat(sprintf("[%.10f, %.10f, %.10f, %.10f]", as.numeric(a$auc), sqrt(var(a)), t$p.value, ok$p.value))
    """
    done = subprocess.run(["Rscript", "-e", program, str(stats_cases)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("R has no pROC")
    with (stats_cases / "asah.csv").open() as file:
        rows = list(csv.DictReader(file))
    truth = [row["outcome"] == "Poor" for row in rows]
    one, two = ([float(row[name]) for row in rows] for name in ("s100b", "ndka"))
    found = auc_delong(truth, one)
    mine = [found.auc, found.se, auc_difference_delong(truth, one, two).p, mcnemar(20, 3, 11, 9).chi2_p]
    assert mine == pytest.approx(json.loads(done.stdout), rel=1e-6)
