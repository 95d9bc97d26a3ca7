"""One algorithm against several readers on the same cases, in one condition.

Hillis, Stat Med 2014 / RJafroc's single-treatment analysis: the readers' differences from the algorithm are analysed as one mode with
random readers and random cases. A one-sample t-test of the readers' values against the algorithm's, as if the latter were known,
ignores that both rest on the same sample of cases; it is given for comparison and never as the answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from study.statistics.covariance import Covariance, Merit, estimate
from study.statistics.obuchowski_rockette import mean_of_mode
from study.statistics.roc import NotEstimableError, logit_interval


@dataclass(frozen=True)
class OneAgainstMany:
    """Mean of the readers minus the algorithm. p_fixed_cases holds for these very cases alone.

    algorithm_ci: cases random; reader_mean_ci: readers and cases random; both on the logit scale, None at 0 and 1.
    """

    algorithm: float
    readers: tuple[float, ...]
    reader_mean: float
    difference: float
    se: float
    df: float
    t: float | None
    p: float | None
    ci: tuple[float, float]
    cov2_of_differences: float
    t_fixed_cases: float | None
    p_fixed_cases: float | None
    method: str
    generalises_to: str = "readers and cases like these"
    caution: str = ""
    algorithm_ci: tuple[float, float] | None = None
    reader_mean_ci: tuple[float, float] | None = None
    covariance: str = ""


def compare_one_against_many(
    truth: npt.ArrayLike,
    algorithm: npt.ArrayLike,
    readers: npt.ArrayLike,
    merit: Merit = Merit.AUC,
    method: Covariance = Covariance.JACKKNIFE,
    cluster: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> OneAgainstMany:
    """truth (n,), algorithm (n,), readers (j, n). Raises NotEstimableError with fewer than two readers."""
    matrix = np.atleast_2d(np.asarray(readers, dtype=np.float64))
    j = matrix.shape[0]
    if j < 2:
        raise NotEstimableError("One reader supports no claim about readers in general; at least two are needed.")
    estimates = estimate(truth, np.vstack([np.asarray(algorithm, dtype=np.float64), matrix]), merit, method, cluster)
    own = float(np.sqrt(max(estimates.covariance[0, 0], 0.0)))
    block = estimates.covariance[1:, 1:].reshape(1, j, 1, j)
    of_readers = mean_of_mode(estimates.values[1:].reshape(1, j), block, 0, "readers", level)
    contrast = np.hstack([-np.ones((j, 1)), np.eye(j)])
    differences = contrast @ estimates.values
    covariance = contrast @ estimates.covariance @ contrast.T
    cov2 = float((covariance.sum() - np.trace(covariance)) / (j * (j - 1)))
    spread = float(differences.var(ddof=1))
    total = spread + max(j * cov2, 0.0)
    se = float(np.sqrt(total / j))
    mean = float(differences.mean())
    df = total**2 * (j - 1) / spread**2 if spread > 0 else float("inf")
    quantile = float(stats.t.ppf((1 + level) / 2, df)) if np.isfinite(df) else float(stats.norm.ppf((1 + level) / 2))
    t = mean / se if se > 1e-15 else None
    t_fixed = mean / float(np.sqrt(spread / j)) if spread > 0 else None
    return OneAgainstMany(
        float(estimates.values[0]),
        tuple(float(value) for value in estimates.values[1:]),
        float(estimates.values[1:].mean()),
        mean,
        se,
        df,
        t,
        2 * float(stats.t.sf(abs(t), df) if np.isfinite(df) else stats.norm.sf(abs(t))) if t is not None else None,
        (max(-1.0, mean - quantile * se), min(1.0, mean + quantile * se)),
        cov2,
        t_fixed,
        2 * float(stats.t.sf(abs(t_fixed), j - 1)) if t_fixed is not None else None,
        f"Obuchowski-Rockette for one mode, {method} covariance, Hillis degrees of freedom",
        caution="" if t is not None else "Algorithm and readers agree completely, so no test is possible.",
        algorithm_ci=logit_interval(float(estimates.values[0]), own, float(stats.norm.ppf((1 + level) / 2))),
        reader_mean_ci=of_readers.ci_logit,
        covariance=str(method),
    )
