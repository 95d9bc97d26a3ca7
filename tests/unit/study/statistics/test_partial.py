from __future__ import annotations

import csv
import json
import shutil
import subprocess

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from study.statistics.bootstrap import resampled
from study.statistics.partial import high_specificity
from study.statistics.roc import NotEstimableError, auc_delong

TRUTH = [1, 1, 1, 0, 0, 0, 0]
SCORES = [3, 2, 2, 2, 1, 1, 0]


def test_by_hand():
    """The curve runs (0, 0), (0, 1/3), (1/4, 1): at a specificity of .8 it is 1/3 + .2 * 8/3 high."""
    found = high_specificity(TRUTH, SCORES, at=0.8)
    assert found.sensitivity.value == pytest.approx(1 / 3 + 0.2 * 8 / 3)
    area = 0.2 * (1 / 3 + 0.2 * 8 / 3 / 2)
    assert found.partial_auc.value == pytest.approx(area)
    assert found.standardised.value == pytest.approx((1 + (area - 0.02) / 0.18) / 2)


def test_at_a_specificity_that_was_reached_the_higher_point_counts():
    truth, scores = [1, 1, *[0] * 10], [9, 5, 8, *[1] * 9]
    assert high_specificity(truth, scores, at=0.9).sensitivity.value == pytest.approx(1.0)


def _cases(n=300, seed=3):
    generator = np.random.default_rng(seed)
    truth = generator.random(n) < 0.4
    return truth, np.round(generator.normal(truth * 1.2, 1), 1)


@pytest.mark.parametrize("least", [0.5, 0.8, 0.9, 0.95])
def test_standardised_as_scikit_learn(least):
    truth, scores = _cases()
    found = high_specificity(truth, scores, least=least)
    assert found.standardised.value == pytest.approx(roc_auc_score(truth, scores, max_fpr=1 - least))


def test_nearly_the_whole_area_has_nearly_delongs_interval():
    truth, scores = _cases()
    whole, found = auc_delong(truth, scores), high_specificity(truth, scores, least=1e-9)
    assert found.partial_auc.value == pytest.approx(whole.auc)
    assert found.partial_auc.ci == pytest.approx(whole.ci, abs=0.008)


def test_patients_are_drawn_whole():
    truth, patient = np.array([1, 1, 0, 0, 1, 0, 0, 1]), np.array(list("aabbccdd"))
    drawn = resampled(truth, patient, 200)
    assert (drawn[::2] == drawn[1::2]).all()
    assert (drawn.sum(axis=0) == 8).all()
    assert (truth @ drawn > 0).all()
    assert drawn[0].tolist() == [1] * 200  # the only patient with loose hips alone
    assert set(drawn[4]) == {0, 1, 2}  # two patients with both


def test_doubled_hips_widen_nothing():
    """The second hip that equals the first adds nothing: the interval is that of one hip a patient."""
    truth, scores = _cases(80)
    twice = np.repeat(np.arange(80), 2)
    one, two = high_specificity(truth, scores, np.arange(80)), high_specificity(truth[twice], scores[twice], twice)
    assert two.standardised.ci == pytest.approx(one.standardised.ci)
    assert two.sensitivity.ci == pytest.approx(one.sensitivity.ci)


def test_what_has_no_interval_says_so():
    apart = high_specificity([0, 0, 1, 1], [1, 2, 3, 4])
    assert apart.sensitivity.value == 1
    assert apart.sensitivity.ci is None
    assert "no proof of certainty" in apart.caution
    few = high_specificity([0, 0, 1, 1], [1, 3, 2, 4], ["a", "b", "c", "c"])
    assert few.partial_auc.ci is None
    assert "two patients" in few.caution
    with pytest.raises(NotEstimableError, match="No case is loose"):
        high_specificity([0, 0], [1, 2])


def test_against_proc_in_r(stats_cases):
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed")
    program = """
    suppressMessages(library(pROC)); set.seed(1)
    d <- read.csv(file.path(commandArgs(TRUE)[1], "asah.csv"))
    a <- roc(d$outcome, d$s100b, levels=c("Good","Poor"), direction="<", quiet=TRUE, partial.auc=c(1, .8))
    s <- roc(d$outcome, d$s100b, levels=c("Good","Poor"), direction="<", quiet=TRUE, partial.auc=c(1, .8),
             partial.auc.correct=TRUE)
    k <- coords(a, .9, input="specificity", ret="sensitivity", transpose=TRUE)
    i <- ci.auc(a, method="bootstrap", boot.n=4000, progress="none")
    e <- ci.se(a, specificities=.9, boot.n=4000, progress="none")
    cat(sprintf("[%.10f, %.10f, %.10f, %.10f, %.10f, %.10f, %.10f]", as.numeric(a$auc), as.numeric(s$auc), k,
                i[1], i[3], e[1, 1], e[1, 3]))
    """
    done = subprocess.run(["Rscript", "-e", program, str(stats_cases)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("R has no pROC")
    with (stats_cases / "asah.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = high_specificity([r["outcome"] == "Poor" for r in rows], [float(r["s100b"]) for r in rows], replicates=4000)
    theirs = json.loads(done.stdout)
    mine = [found.partial_auc.value, found.standardised.value, found.sensitivity.value]
    assert mine == pytest.approx(theirs[:3], abs=1e-8)
    assert found.partial_auc.ci == pytest.approx(theirs[3:5], abs=0.006)
    assert found.sensitivity.ci == pytest.approx(theirs[5:], abs=0.03)
