"""Free-response figures of merit: what marks with ratings say where several lesions, or none, are in a case.

AFROC, weighted AFROC and inferred ROC: Chakraborty, Observer Performance Methods for Diagnostic Imaging, CRC 2017. What was
not marked has the rating minus infinity. Covariances by jackknife over cases, for Obuchowski-Rockette analysis.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from study.statistics.roc import NotEstimableError

FloatArray = npt.NDArray[np.float64]


class FreeResponseMerit(StrEnum):
    WAFROC = "wAFROC"  # every case with lesions counts alike, its lesions by their weights
    AFROC = "AFROC"  # every lesion counts alike
    INFERRED_ROC = "HrAuc"  # the highest mark of a case is its rating


@dataclass(frozen=True)
class FreeResponse:
    """Of k readings (readers times modes).

    normal (k, m): the highest rating of any mark on each case without a lesion. lesions (k, n): the rating of each lesion.
    highest (k, d): the highest rating of any mark on each case with lesions. owner (n,): which of these d cases a lesion
    belongs to. weight (n,): of the lesion within its case, one in all. Minus infinity where nothing was marked.
    """

    normal: FloatArray
    lesions: FloatArray
    highest: FloatArray
    owner: npt.NDArray[np.intp]
    weight: FloatArray


def estimate_free_response(data: FreeResponse, merit: FreeResponseMerit) -> tuple[FloatArray, FloatArray]:
    """(k,) values and their (k, k) jackknife covariance. Raises NotEstimableError."""
    m, d = data.normal.shape[1], data.highest.shape[1]
    if m < 2 or d < 2:
        raise NotEstimableError("At least two cases with and two without a lesion are needed.")
    if merit is FreeResponseMerit.INFERRED_ROC:
        rated, owner, weight = data.highest, np.arange(d), np.ones(d)
    else:
        rated, owner = data.lesions, data.owner
        weight = data.weight if merit is FreeResponseMerit.WAFROC else np.ones(owner.size)
    count = np.bincount(owner, weights=weight, minlength=d)  # of each case; one, where weights add up to it
    if (count <= 0).any():
        raise NotEstimableError("A case with lesions has no lesion, or only such without weight.")
    values, left_out = [], []
    for normal, lesion in zip(data.normal, rated, strict=True):
        beats = (lesion[None] > normal[:, None]) + 0.5 * (lesion[None] == normal[:, None])  # (m, lesions)
        total = float(count.sum())
        of_case = np.bincount(owner, weights=weight * beats.mean(axis=0), minlength=d)
        of_normal = beats @ weight / total
        value = float(of_case.sum() / total)
        values.append(value)
        left_out.append(
            np.concatenate([(value * total - of_case) / (total - count), (m * value - of_normal) / (m - 1)])
        )
    cases = m + d
    covariance = np.atleast_2d(np.cov(np.array(left_out))) * (cases - 1) ** 2 / cases
    return np.array(values), np.asarray(covariance)
