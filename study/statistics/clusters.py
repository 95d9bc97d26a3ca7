"""Several cases of one patient: the one place that decides whether cases count as independent, and how a method is then named.

Two hips of a patient are alike, so they tell less than two hips of two patients. Where a patient has several cases, variances
are computed from sums per patient. Where no patient has, every function here and all that use it give the plain result.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

_BY_PATIENT = {
    "DeLong": "Obuchowski by patient",
    "logit": "logit, Obuchowski by patient",
    "Wilson": "Wilson, Rao-Scott by patient",
    "Clopper-Pearson": "Clopper-Pearson, Rao-Scott by patient",
    "Tango": "Tango, Rao-Scott by patient",
    "Newcombe 10": "Newcombe 10, Rao-Scott by patient",
    "McNemar exact": "McNemar exact by patient",
    "McNemar mid-p": "McNemar mid-p by patient",
    "McNemar chi-square": "McNemar chi-square by patient (Yang)",
    "Cohen kappa": "Cohen kappa by patient",
    "Fleiss kappa (jackknife interval)": "Fleiss kappa (jackknife by patient)",
}


def named(method: str, *, clustered: bool) -> str:
    """The method's name, and that of what takes its place where patients have several cases."""
    return _BY_PATIENT[method] if clustered else method


def patients_of(cluster: npt.ArrayLike | None) -> IntArray | None:
    """(n,) names -> (n,) numbers of the patients from 0; None where no patient has several cases."""
    if cluster is None:
        return None
    names, numbers = np.unique(np.asarray(cluster), return_inverse=True)
    return None if names.size == numbers.size else np.asarray(numbers, dtype=np.intp)


def summed(values: npt.NDArray[np.generic], patient: IntArray, patients: int | None = None) -> FloatArray:
    """(..., n) -> (..., patients): sums per patient; `patients`: how many there are, if more than these cases show."""
    table = np.asarray(values, dtype=np.float64)
    out = np.zeros((*table.shape[:-1], int(patient.max(initial=-1)) + 1 if patients is None else patients))
    np.add.at(out.T, patient, table.T)
    return out


def quantile(level: float, patients: int | None = None) -> float:
    """Of the normal distribution, both tails; of t with one degree of freedom less than `patients`, where these are counted."""
    tail = (1 + level) / 2
    return float(stats.norm.ppf(tail) if patients is None else stats.t.ppf(tail, max(patients - 1, 1)))


def mean_covariance(values: FloatArray, patient: IntArray | None) -> FloatArray:
    """(k, n) -> (k, k) covariance of the k means, at least two patients; a mean of cases is a ratio of totals per patient.

    Rao and Scott, Biometrics 1992;48:577-585.
    """
    n = values.shape[1]
    if patient is None:
        return np.asarray(np.atleast_2d(np.cov(values)) / n)
    totals = summed(values - values.mean(axis=1, keepdims=True), patient)
    totals = totals[:, np.unique(patient)]
    return np.asarray(totals @ totals.T * totals.shape[1] / ((totals.shape[1] - 1) * n**2))


def design_effect(values: npt.ArrayLike, cluster: npt.ArrayLike | None) -> float:
    """How many times larger the variance of the mean of values (n,) is than that of independent cases; at least 1.

    Where the values do not vary, the mean number of cases per patient: as if the cases of a patient were one.
    """
    patient = patients_of(cluster)
    if patient is None:
        return 1.0
    held = np.asarray(values, dtype=np.float64)[None]
    count = np.unique(patient).size
    plain = float(mean_covariance(held, None)[0, 0])
    if count < 2 or plain <= 0:
        return float(held.shape[1] / count)
    return max(1.0, float(mean_covariance(held, patient)[0, 0]) / plain)


def interval_effect(values: npt.ArrayLike, cluster: npt.ArrayLike | None, level: float = 0.95) -> float:
    """The design effect that an interval's counts are divided by: enlarged, as few patients estimate it poorly.

    Korn and Graubard, Surv Methodol 1998;24:193-201.
    """
    patient = patients_of(cluster)
    if patient is None:
        return 1.0
    return design_effect(values, cluster) * (quantile(level, np.unique(patient).size) / quantile(level)) ** 2
