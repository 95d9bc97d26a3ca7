"""The empirical ROC curve and its area, with DeLong's covariances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from study.statistics.clusters import IntArray, named, patients_of, quantile, summed

FloatArray = npt.NDArray[np.float64]


class NotEstimableError(ValueError):
    """The data do not determine this number. `str(error)` says why, in a sentence."""


def _split(truth: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Scores (k, n) of k readers -> those of positive and of negative cases."""
    positive = np.asarray(truth, dtype=bool)
    matrix = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    if matrix.shape[1] != positive.size:
        raise ValueError("Truth and scores differ in length.")
    if not np.isfinite(matrix).all():
        raise NotEstimableError("Some scores are missing; decide how missing readings count before computing an AUC.")
    if positive.all() or not positive.any():
        kind = "not loose" if positive.all() else "loose"
        raise NotEstimableError(f"No case is {kind}, so an ROC curve cannot be drawn.")
    return matrix[:, positive], matrix[:, ~positive]


def check_classes(truth: npt.ArrayLike, scores: npt.ArrayLike) -> None:
    """Raises NotEstimableError where a score is missing or a class has no case, ValueError where the lengths differ."""
    _split(truth, scores)


@dataclass(frozen=True)
class Placements:
    """How each case stands against all cases of the other class: the building blocks of AUC and its variance.

    `positive` (k, m): share of negatives that each positive beats (ties count half); `negative` (k, n): share of
    positives that beat each negative. DeLong, DeLong, Clarke-Pearson, Biometrics 1988;44:837-845, computed from
    midranks in O(n log n) (Sun and Xu, IEEE Signal Process Lett 2014;21:1389).
    """

    positive: FloatArray
    negative: FloatArray

    @property
    def auc(self) -> FloatArray:
        """(k,)"""
        return np.asarray(self.positive.mean(axis=1))

    @property
    def covariance(self) -> FloatArray:
        """(k, k) DeLong covariance of the AUCs; raises NotEstimableError with fewer than two cases of a class."""
        m, n = self.positive.shape[1], self.negative.shape[1]
        if m < 2 or n < 2:
            raise NotEstimableError("At least two loose and two not loose cases are needed for the variance of an AUC.")
        return np.asarray(np.atleast_2d(np.cov(self.positive)) / m + np.atleast_2d(np.cov(self.negative)) / n)

    def covariance_by_patient(self, truth: npt.NDArray[np.bool_], patient: IntArray) -> FloatArray:
        """(k, k), placements summed within a patient before their covariance is taken; DeLong's where each has one case.

        Obuchowski, Biometrics 1997;53:567-578. Raises NotEstimableError with fewer than two patients of a class.
        """
        with_loose, with_other = (np.unique(patient[of]).size for of in (truth, ~truth))
        if with_loose < 2 or with_other < 2:
            raise NotEstimableError(
                "At least two patients with a loose and two with a not loose hip are needed for the variance of an AUC."
            )
        m, n, count = self.positive.shape[1], self.negative.shape[1], np.unique(patient).size
        deviations = np.empty((self.positive.shape[0], truth.size))
        deviations[:, truth] = self.positive - self.auc[:, None]
        deviations[:, ~truth] = self.negative - self.auc[:, None]
        pos, neg = summed(deviations * truth, patient), summed(deviations * ~truth, patient)
        s10 = pos @ pos.T * with_loose / ((with_loose - 1) * m)
        s01 = neg @ neg.T * with_other / ((with_other - 1) * n)
        s11 = pos @ neg.T * count / (count - 1)
        return np.asarray(s10 / m + s01 / n + (s11 + s11.T) / (m * n))


def placements(truth: npt.ArrayLike, scores: npt.ArrayLike) -> Placements:
    """truth (n,), scores (n,) or (k, n)."""
    positive, negative = _split(truth, scores)
    m, n = positive.shape[1], negative.shape[1]
    joint = stats.rankdata(np.hstack([positive, negative]), axis=1)
    within_positive, within_negative = stats.rankdata(positive, axis=1), stats.rankdata(negative, axis=1)
    return Placements((joint[:, :m] - within_positive) / n, 1 - (joint[:, m:] - within_negative) / m)


def logit_interval(value: float, se: float, spread: float) -> tuple[float, float] | None:
    """Symmetric on the logit scale, `spread` standard errors each way, so within 0 and 1; None at these ends and where se is 0.

    Pepe, The Statistical Evaluation of Medical Tests, 2003, section 5.2.
    """
    if not 0 < value < 1 or se <= 0:
        return None
    middle, half = np.log(value / (1 - value)), spread * se / (value * (1 - value))
    low, high = 1 / (1 + np.exp(-(middle - half))), 1 / (1 + np.exp(-(middle + half)))
    return float(low), float(high)


@dataclass(frozen=True)
class AucEstimate:
    """An empirical AUC; se and intervals are None where the data do not determine them, and `caution` says why.

    method: of the variance. ci_logit: on the logit scale, which covers well near 1 too. ci: normal, cut at 0 and 1; with
    several cases a patient it covers too little, so there it is the one on the logit scale.
    """

    auc: float
    se: float | None
    ci: tuple[float, float] | None
    positives: int
    negatives: int
    caution: str = ""
    ci_logit: tuple[float, float] | None = None
    method: str = "DeLong"


def _auc_covariance(
    truth: npt.ArrayLike, placed: Placements, cluster: npt.ArrayLike | None
) -> tuple[FloatArray | None, str]:
    """(covariance, ""), or (None, why there is none): an AUC needs one case of each class, its variance two."""
    patient = patients_of(cluster)
    try:
        if patient is None:
            return placed.covariance, ""
        return placed.covariance_by_patient(np.asarray(truth, dtype=bool), patient), ""
    except NotEstimableError as error:
        return None, str(error)


def auc_delong(
    truth: npt.ArrayLike, scores: npt.ArrayLike, level: float = 0.95, cluster: npt.ArrayLike | None = None
) -> AucEstimate:
    """AUC of one set of scores (n,) with DeLong's variance; with Obuchowski's where a patient of `cluster` (n,) has several."""
    placed = placements(truth, scores)
    patient, auc = patients_of(cluster), float(placed.auc[0])
    m, n = placed.positive.shape[1], placed.negative.shape[1]
    method = named("DeLong", clustered=patient is not None)
    covariance, why_not = _auc_covariance(truth, placed, cluster)
    if covariance is None:
        return AucEstimate(auc, None, None, m, n, why_not, method=method)
    se = float(np.sqrt(max(covariance[0, 0], 0.0)))
    if se < 1e-15:
        caution = (
            "The variance is zero: all scores are tied, so the reader told no case from another."
            if np.ptp(np.asarray(scores, dtype=np.float64)) == 0
            else "The two groups are separated completely, so the interval has no width; it is no proof of certainty."
        )
        return AucEstimate(auc, 0.0, None, m, n, caution, method=method)
    if patient is not None:
        held = np.asarray(truth, dtype=bool)
        fewest = min(np.unique(patient[of]).size for of in (held, ~held))
        bounded = logit_interval(auc, se, quantile(level, fewest))
        return AucEstimate(auc, se, bounded, m, n, "", bounded, method)
    z = quantile(level)
    interval = (max(0.0, auc - z * se), min(1.0, auc + z * se))
    return AucEstimate(auc, se, interval, m, n, "", logit_interval(auc, se, z), method)


@dataclass(frozen=True)
class AucDifference:
    """First minus second on the same cases; what the data do not determine is None, and `caution` says why."""

    difference: float
    se: float | None
    ci: tuple[float, float] | None
    z: float | None
    p: float | None
    caution: str = ""
    method: str = "DeLong"


def auc_difference_delong(
    truth: npt.ArrayLike,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    level: float = 0.95,
    cluster: npt.ArrayLike | None = None,
) -> AucDifference:
    """Paired DeLong test; by patient where a patient of `cluster` (n,) has several cases, as `auc_delong`.

    It generalises to cases like these, read by these two readers.
    """
    placed = placements(truth, np.vstack([np.asarray(first, float), np.asarray(second, float)]))
    difference = float(placed.auc[0] - placed.auc[1])
    method = named("DeLong", clustered=patients_of(cluster) is not None)
    covariance, why_not = _auc_covariance(truth, placed, cluster)
    if covariance is None:
        return AucDifference(difference, None, None, None, None, why_not, method)
    se = float(np.sqrt(max(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1], 0.0)))
    if se < 1e-12:
        caution = (
            "The two rank all cases alike or without error, so the variance of their difference is zero and no test is "
            "possible."
        )
        return AucDifference(difference, 0.0, None, None, None, caution, method)
    half = quantile(level) * se
    interval = (max(-1.0, difference - half), min(1.0, difference + half))
    z = difference / se
    return AucDifference(difference, se, interval, z, 2 * float(stats.norm.sf(abs(z))), "", method)


@dataclass(frozen=True)
class RocCurve:
    """Operating points from (0, 0) to (1, 1); a case is called positive when its score >= threshold. All (p,)."""

    false_positive_rate: FloatArray
    true_positive_rate: FloatArray
    thresholds: FloatArray


def roc_curve(truth: npt.ArrayLike, scores: npt.ArrayLike) -> RocCurve:
    """Every distinct score is a threshold; the first point's is +inf."""
    positive, negative = (np.sort(part[0]) for part in _split(truth, scores))
    thresholds = np.unique(np.concatenate([positive, negative]))[::-1]
    true_rate = 1 - np.searchsorted(positive, thresholds, side="left") / positive.size
    false_rate = 1 - np.searchsorted(negative, thresholds, side="left") / negative.size
    return RocCurve(
        np.concatenate([[0.0], false_rate]), np.concatenate([[0.0], true_rate]), np.concatenate([[np.inf], thresholds])
    )


@dataclass(frozen=True)
class UnpairedAucDifference:
    """First minus second on different cases: Welch-type t with Satterthwaite degrees of freedom, as in pROC."""

    difference: float
    se: float
    d: float
    df: float
    p: float


def auc_difference_unpaired(
    first_truth: npt.ArrayLike, first: npt.ArrayLike, second_truth: npt.ArrayLike, second: npt.ArrayLike
) -> UnpairedAucDifference:
    """DeLong variances of two independent samples. Raises NotEstimableError when both are zero."""
    one, two = auc_delong(first_truth, first), auc_delong(second_truth, second)
    if one.se is None or two.se is None:
        raise NotEstimableError(one.caution or two.caution)
    v1, v2 = one.se**2, two.se**2
    if v1 + v2 == 0:
        raise NotEstimableError("Both AUCs have zero variance, so no test of their difference is possible.")
    n1, n2 = one.positives + one.negatives, two.positives + two.negatives
    d = (one.auc - two.auc) / np.sqrt(v1 + v2)
    df = (v1 + v2) ** 2 / (v1**2 / (n1 - 1) + v2**2 / (n2 - 1))
    return UnpairedAucDifference(
        one.auc - two.auc, float(np.sqrt(v1 + v2)), float(d), float(df), 2 * float(stats.t.sf(abs(d), df))
    )


def auc_contrast_test(truth: npt.ArrayLike, scores: npt.ArrayLike, contrast: npt.ArrayLike) -> tuple[float, int, float]:
    """(chi2, df, p) of DeLong's general contrast. scores (k, n), contrast (r, k). Raises NotEstimableError when singular."""
    placed = placements(truth, scores)
    rows = np.atleast_2d(np.asarray(contrast, dtype=np.float64))
    effect, covariance = rows @ placed.auc, rows @ placed.covariance @ rows.T
    df = int(np.linalg.matrix_rank(covariance))
    if df < rows.shape[0]:
        raise NotEstimableError("The compared AUCs have no variance of their own, so this contrast cannot be tested.")
    chi2 = float(effect @ np.linalg.solve(covariance, effect))
    return chi2, df, float(stats.chi2.sf(chi2, df))
