"""Covariances between figures of merit that several readers reached on the same cases.

A *figure of merit* is a number per reader and mode: AUC, sensitivity or specificity. The k of them (readers times modes)
are estimated on the same n cases, hence correlated; Obuchowski-Rockette analysis needs their (k, k) covariance.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from study.statistics.comparisons import compare
from study.statistics.roc import NotEstimableError, placements

FloatArray = npt.NDArray[np.float64]


class Covariance(StrEnum):
    JACKKNIFE = "jackknife"
    DELONG = "DeLong"
    UNBIASED = "unbiased"
    CLUSTERED = "Obuchowski clustered"


class Merit(StrEnum):
    AUC = "AUC"
    SENSITIVITY = "sensitivity"
    SPECIFICITY = "specificity"


@dataclass(frozen=True)
class MeritEstimates:
    """values (k,), covariance (k, k)."""

    values: FloatArray
    covariance: FloatArray
    merit: Merit
    method: Covariance


def estimate(
    truth: npt.ArrayLike,
    scores: npt.ArrayLike,
    merit: Merit = Merit.AUC,
    method: Covariance = Covariance.JACKKNIFE,
    cluster: npt.ArrayLike | None = None,
) -> MeritEstimates:
    """Figures of merit and their covariance.

    truth (n,) boolean; scores (k, n), for sensitivity and specificity the calls as 0/1; cluster (n,) names the patient of each
    case and is needed for `Covariance.CLUSTERED` alone. NaN (a case that was not read) is allowed for
    `Covariance.UNBIASED` alone. Raises NotEstimableError with a sentence.
    """
    positive = np.asarray(truth, dtype=bool)
    matrix = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    if merit is Merit.AUC:
        if method is Covariance.CLUSTERED:
            if cluster is None:
                raise ValueError("The clustered covariance needs the cluster of each case.")
            return MeritEstimates(*_clustered_auc(positive, matrix, np.asarray(cluster)), merit, method)
        if method is Covariance.UNBIASED:
            if positive.all() or not positive.any():
                raise NotEstimableError("Both loose and not loose cases are needed for an AUC.")
            return MeritEstimates(*_unbiased_auc(positive, matrix), merit, method)
        placed = placements(positive, matrix)
        covariance = placed.covariance if method is Covariance.DELONG else _jackknife(placed.positive, placed.negative)
        return MeritEstimates(placed.auc, covariance, merit, method)
    if not np.isfinite(matrix).all():
        raise NotEstimableError(f"Some calls are missing; decide how they count before computing a {merit}.")
    relevant = positive if merit is Merit.SENSITIVITY else ~positive
    if relevant.sum() < 2:
        raise NotEstimableError(f"At least two cases are needed for the variance of a {merit}.")
    correct = matrix[:, relevant] if merit is Merit.SENSITIVITY else 1 - matrix[:, relevant]
    if method is Covariance.CLUSTERED:
        if cluster is None:
            raise ValueError("The clustered covariance needs the cluster of each case.")
        return MeritEstimates(*_clustered_mean(correct, np.asarray(cluster)[relevant]), merit, method)
    # A mean over cases: jackknife, DeLong and unbiased covariances are all the usual one of a mean.
    return MeritEstimates(
        np.asarray(correct.mean(axis=1)), np.atleast_2d(np.cov(correct)) / correct.shape[1], merit, method
    )


def _jackknife(positive: FloatArray, negative: FloatArray) -> FloatArray:
    """Leaving one case out changes the AUC by its placement alone: (k, m), (k, n) -> (k, k)."""
    m, n = positive.shape[1], negative.shape[1]
    if m < 2 or n < 2:
        raise NotEstimableError("At least two loose and two not loose cases are needed for the variance of an AUC.")
    auc = positive.mean(axis=1, keepdims=True)
    left_out = np.hstack([(m * auc - positive) / (m - 1), (n * auc - negative) / (n - 1)])
    cases = m + n
    # np.cov divides by cases - 1; the jackknife wants (cases - 1) / cases times the sum of squares.
    return np.asarray(np.atleast_2d(np.cov(left_out)) * (cases - 1) ** 2 / cases)


def _unbiased_auc(truth: npt.NDArray[np.bool_], scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Unbiased covariance of two-sample U-statistics from their four product moments.

    Gallas, Acad Radiol 2006;13:353-362 (one-shot), for readers as fixed: E[A_a A_b] - E[A_a] E[A_b], each estimated
    from pairs of comparisons that share a positive, a negative, both or neither. Where two read different cases, fewer
    pairs share something; where they have no case in common, the covariance is zero.
    """
    compared = compare(truth, scores)
    if (compared.read_positive.sum(axis=1) < 2).any() or (compared.read_negative.sum(axis=1) < 2).any():
        raise NotEstimableError("At least two loose and two not loose cases are needed for the variance of an AUC.")

    def exclusive(both: FloatArray, positive: FloatArray, negative: FloatArray, every: FloatArray) -> FloatArray:
        """(4, k, k): of pairs that share both cases, the positive alone, the negative alone, neither."""
        return np.stack([both, positive - both, negative - both, every - positive - negative + both])

    pos, neg, total = compared.by_positive, compared.by_negative, compared.total
    sums = exclusive(compared.products, pos @ pos.T, neg @ neg.T, np.outer(total, total))
    read_pos, read_neg = compared.read_positive, compared.read_negative
    same_pos, same_neg = read_pos @ read_pos.T, read_neg @ read_neg.T
    all_pos, all_neg = (np.outer(read.sum(axis=1), read.sum(axis=1)) for read in (read_pos, read_neg))
    pairs = exclusive(same_pos * same_neg, same_pos * all_neg, all_pos * same_neg, all_pos * all_neg)
    covariance = sums.sum(axis=0) / pairs.sum(axis=0) - sums[3] / pairs[3]
    return total / compared.count, np.where(same_pos + same_neg > 0, covariance, 0.0)


def _clustered_auc(
    truth: npt.NDArray[np.bool_], scores: FloatArray, cluster: npt.NDArray[np.generic]
) -> tuple[FloatArray, FloatArray]:
    """Obuchowski, Biometrics 1997;53:567-578: placements summed within a patient before their covariance is taken."""
    placed = placements(truth, scores)
    m, n = int(truth.sum()), int((~truth).sum())
    names, index = np.unique(cluster, return_inverse=True)
    count = names.size
    positive_clusters, negative_clusters = np.unique(index[truth]).size, np.unique(index[~truth]).size
    if positive_clusters < 2 or negative_clusters < 2:
        raise NotEstimableError("At least two patients with and two without the condition are needed.")

    def summed(values: FloatArray, of: npt.NDArray[np.bool_]) -> FloatArray:
        """Deviations from the AUC, summed per cluster, (k, clusters)."""
        out = np.zeros((scores.shape[0], count))
        np.add.at(out.T, index[of], (values - placed.auc[:, None]).T)
        return out

    pos, neg = summed(placed.positive, truth), summed(placed.negative, ~truth)
    s10 = pos @ pos.T * positive_clusters / ((positive_clusters - 1) * m)
    s01 = neg @ neg.T * negative_clusters / ((negative_clusters - 1) * n)
    s11 = (pos @ neg.T) * count / (count - 1)
    return placed.auc, s10 / m + s01 / n + (s11 + s11.T) / (m * n)


def _clustered_mean(correct: FloatArray, cluster: npt.NDArray[np.generic]) -> tuple[FloatArray, FloatArray]:
    """A proportion as a ratio of totals per patient: Rao and Scott, Biometrics 1992;48:577-585. correct (k, m)."""
    names, index = np.unique(cluster, return_inverse=True)
    if names.size < 2:
        raise NotEstimableError("At least two patients are needed for the variance of a proportion.")
    share = np.asarray(correct.mean(axis=1))
    summed = np.zeros((correct.shape[0], names.size))
    np.add.at(summed.T, index, (correct - share[:, None]).T)
    return share, summed @ summed.T * names.size / ((names.size - 1) * correct.shape[1] ** 2)
