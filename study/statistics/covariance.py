"""Covariances between figures of merit that several readers reached on the same cases.

A *figure of merit* is a number per reader and mode: AUC, sensitivity or specificity. The k of them (readers times modes)
are estimated on the same n cases, hence correlated; Obuchowski-Rockette analysis needs their (k, k) covariance.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from study.statistics.clusters import IntArray, mean_covariance, patients_of
from study.statistics.comparisons import compare
from study.statistics.roc import NotEstimableError, placements

FloatArray = npt.NDArray[np.float64]


class Covariance(StrEnum):
    JACKKNIFE = "jackknife"
    DELONG = "DeLong"
    UNBIASED = "unbiased"
    CLUSTERED = "Obuchowski clustered"
    UNBIASED_BY_PATIENT = "unbiased by patient"


_UNBIASED = (Covariance.UNBIASED, Covariance.UNBIASED_BY_PATIENT)


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
    case: needed for the two covariances by patient. NaN (a case that was not read) is allowed for the two unbiased ones alone. Raises NotEstimableError with a sentence.
    """
    positive = np.asarray(truth, dtype=bool)
    matrix = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    if merit is Merit.AUC:
        if method is Covariance.CLUSTERED:
            placed = placements(positive, matrix)
            return MeritEstimates(placed.auc, placed.covariance_by_patient(positive, _numbered(cluster)), merit, method)
        if method in _UNBIASED:
            names = _numbered(cluster) if method is Covariance.UNBIASED_BY_PATIENT else None
            return MeritEstimates(*_unbiased_auc(positive, matrix, names), merit, method)
        placed = placements(positive, matrix)
        covariance = placed.covariance if method is Covariance.DELONG else _jackknife(placed.positive, placed.negative)
        return MeritEstimates(placed.auc, covariance, merit, method)
    relevant = positive if merit is Merit.SENSITIVITY else ~positive
    if relevant.sum() < 2:
        raise NotEstimableError(f"At least two cases are needed for the variance of a {merit}.")
    correct = matrix[:, relevant] if merit is Merit.SENSITIVITY else 1 - matrix[:, relevant]
    if method in _UNBIASED:
        names = _numbered(cluster)[relevant] if method is Covariance.UNBIASED_BY_PATIENT else None
        return MeritEstimates(*_unbiased_auc(*as_auc(correct, names)), merit, method)
    if not np.isfinite(matrix).all():
        raise NotEstimableError(f"Some calls are missing; decide how they count before computing a {merit}.")
    patient = None
    if method is Covariance.CLUSTERED:
        patient = _numbered(cluster)[relevant]
        if np.unique(patient).size < 2:
            raise NotEstimableError("At least two patients are needed for the variance of a proportion.")
    # A mean over cases: jackknife, DeLong and unbiased covariances are all the usual one of a mean.
    return MeritEstimates(np.asarray(correct.mean(axis=1)), mean_covariance(correct, patient), merit, method)


def as_auc(
    correct: FloatArray, cluster: npt.ArrayLike | None
) -> tuple[npt.NDArray[np.bool_], FloatArray, npt.NDArray[np.intp] | None]:
    """Right calls (..., n) as (truth, scores, cluster) of 2 n cases whose AUC is the share of right calls.

    A share of right calls is the AUC of the calls against cases that everybody rates one half, and these add nothing to
    its variance: what remains are the moments of Gallas, Pennello, Myers, J Opt Soc Am A 2007;24:B70-B80.
    """
    n = correct.shape[-1]
    patient = patients_of(cluster)
    clusters = None if patient is None else np.concatenate([patient, patient.max() + 1 + np.arange(n)])
    return np.repeat([True, False], n), np.concatenate([correct, np.full_like(correct, 0.5)], axis=-1), clusters


def _numbered(cluster: npt.ArrayLike | None) -> IntArray:
    """(n,) names -> (n,) numbers; also where each patient has one case."""
    if cluster is None:
        raise ValueError("The clustered covariance needs the cluster of each case.")
    return np.asarray(np.unique(np.asarray(cluster), return_inverse=True)[1], dtype=np.intp)


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


def _unbiased_auc(
    truth: npt.NDArray[np.bool_], scores: FloatArray, cluster: npt.ArrayLike | None
) -> tuple[FloatArray, FloatArray]:
    """Unbiased covariance of two-sample U-statistics: E[A_a A_b] - E[A_a] E[A_b].

    Gallas, Acad Radiol 2006;13:353-362 (one-shot), for readers as fixed. The product of the two means estimates the
    first; the mean product of comparisons that share no case (no patient, where patients have several) the second. Where
    two read no case in common, the covariance is zero.
    """
    if truth.all() or not truth.any():
        raise NotEstimableError("Both loose and not loose cases are needed for an AUC.")
    compared = compare(truth, scores, cluster)
    if (np.diag(compared.unshared_count) <= 0).any() or (compared.count == 0).any():
        patients = "patients with" if patients_of(cluster) is not None else ""
        raise NotEstimableError(
            f"At least two {patients} loose and two {patients} not loose cases are needed for the variance of an AUC.".replace(
                "  ", " "
            )
        )
    value = compared.total / compared.count
    pairs = np.where(compared.unshared_count > 0, compared.unshared_count, np.nan)
    covariance = np.outer(value, value) - compared.unshared / pairs
    common = compared.unshared_count < np.outer(compared.count, compared.count)
    return value, np.where(common & np.isfinite(covariance), covariance, 0.0)
