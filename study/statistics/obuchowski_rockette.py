"""Obuchowski-Rockette analysis of a fully crossed reader study, with Hillis' degrees of freedom.

Obuchowski and Rockette, Commun Stat Simul 1995;24:285-308; Hillis, Stat Med 2007;26:596-619; Hillis, Stat Med
2014;33:330-360. With jackknife covariances it gives the same F as DBM (Dorfman-Berbaum-Metz with Hillis' denominators).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy import stats

from study.statistics.roc import NotEstimableError, logit_interval

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Components:
    """Error covariances and mean squares. cov1: same reader, other mode; cov2: other reader, same mode; cov3: both other."""

    var: float
    cov1: float
    cov2: float
    cov3: float
    ms_mode: float
    ms_reader: float
    ms_interaction: float
    var_reader: float
    var_interaction: float


@dataclass(frozen=True)
class ModeMean:
    """The mean figure of merit of one mode over readers."""

    mode: str
    mean: float
    se: float
    df: float
    ci: tuple[float, float]
    ci_logit: tuple[float, float] | None = None  # within 0 and 1; None where it is not determined


@dataclass(frozen=True)
class Difference:
    """First minus second mode."""

    first: str
    second: str
    difference: float
    se: float
    df: float  # inf: normal
    t: float | None
    p: float | None
    ci: tuple[float, float]


@dataclass(frozen=True)
class Inference:
    """One test that all modes are equal. `generalises_to` says for whom; p is None where the data do not determine it."""

    generalises_to: str
    method: str
    statistic: float | None
    statistic_name: str
    numerator_df: float
    denominator_df: float
    p: float | None
    differences: tuple[Difference, ...]
    means: tuple[ModeMean, ...]
    caution: str = ""


@dataclass(frozen=True)
class CrossedAnalysis:
    components: Components
    random_readers_random_cases: Inference
    fixed_readers_random_cases: Inference
    random_readers_fixed_cases: Inference
    reader_differences: tuple[tuple[str, Difference], ...]  # (reader, difference), readers fixed, cases random


def components(values: FloatArray, covariance: FloatArray) -> Components:
    """values (modes, readers); covariance (modes, readers, modes, readers)."""
    modes, readers = values.shape
    mode_mean, reader_mean, grand = values.mean(axis=1), values.mean(axis=0), values.mean()
    interaction = values - mode_mean[:, None] - reader_mean[None] + grand
    ms_mode = readers * float(((mode_mean - grand) ** 2).sum()) / max(modes - 1, 1)
    ms_reader = modes * float(((reader_mean - grand) ** 2).sum()) / max(readers - 1, 1)
    ms_interaction = float((interaction**2).sum()) / max((modes - 1) * (readers - 1), 1)
    same_mode = np.eye(modes, dtype=bool)[:, None, :, None] & np.ones((1, readers, 1, readers), dtype=bool)
    same_reader = np.eye(readers, dtype=bool)[None, :, None, :] & np.ones((modes, 1, modes, 1), dtype=bool)

    def mean(where: npt.NDArray[np.bool_]) -> float:
        return float(covariance[where].mean()) if where.any() else 0.0

    var, cov1 = mean(same_mode & same_reader), mean(~same_mode & same_reader)
    cov2, cov3 = mean(same_mode & ~same_reader), mean(~same_mode & ~same_reader)
    return Components(
        var,
        cov1,
        cov2,
        cov3,
        ms_mode,
        ms_reader,
        ms_interaction,
        (ms_reader - ms_interaction) / modes - cov1 + cov3,
        ms_interaction - var + cov1 + max(cov2 - cov3, 0.0),
    )


def _difference(first: str, second: str, value: float, variance: float, df: float, level: float) -> Difference:
    se = float(np.sqrt(max(variance, 0.0)))
    quantile = float(stats.norm.ppf((1 + level) / 2) if np.isinf(df) else stats.t.ppf((1 + level) / 2, df))
    if se < 1e-15:
        return Difference(first, second, value, 0.0, df, None, None, (value, value))
    t = value / se
    p = 2 * float(stats.norm.sf(abs(t)) if np.isinf(df) else stats.t.sf(abs(t), df))
    interval = (max(-1.0, value - quantile * se), min(1.0, value + quantile * se))
    return Difference(first, second, value, se, df, t, p, interval)


ZERO_VARIANCE = (
    "The readers agree so completely that the variance of the difference is zero: no test is possible, and the equality of "
    "these numbers is no proof of equality."
)


def analyse_crossed(
    values: npt.ArrayLike,
    covariance: npt.ArrayLike,
    modes: list[str],
    readers: list[str],
    covariance_method: str,
    level: float = 0.95,
) -> CrossedAnalysis:
    """Every reader read every case in every mode.

    values (modes, readers); covariance (modes, readers, modes, readers). Raises NotEstimableError with fewer than two
    readers: one reader supports no claim about readers in general.
    """
    theta, sigma = np.asarray(values, dtype=np.float64), np.asarray(covariance, dtype=np.float64)
    i, j = theta.shape
    if j < 2:
        raise NotEstimableError("One reader supports no claim about readers in general; at least two are needed.")
    parts = components(theta, sigma)
    mean_by_mode = theta.mean(axis=1)
    pairs = list(combinations(range(i), 2))
    label = f"Obuchowski-Rockette, {covariance_method} covariance"

    def differences(variance: float, df: float) -> tuple[Difference, ...]:
        return tuple(
            _difference(modes[a], modes[b], float(mean_by_mode[a] - mean_by_mode[b]), variance, df, level)
            for a, b in pairs
        )

    # Random readers, random cases.
    denominator = parts.ms_interaction + max(j * (parts.cov2 - parts.cov3), 0.0)
    df2 = denominator**2 * (i - 1) * (j - 1) / parts.ms_interaction**2 if parts.ms_interaction > 0 else float("inf")
    testable = i > 1 and denominator > 1e-30
    f = parts.ms_mode / denominator if testable else None
    random_both = Inference(
        "readers and cases like these",
        f"{label}, Hillis degrees of freedom",
        f,
        "F",
        i - 1,
        df2,
        float(stats.f.sf(f, i - 1, df2) if np.isfinite(df2) else stats.chi2.sf(f * (i - 1), i - 1))
        if f is not None
        else None,
        differences(2 * denominator / j, df2),
        tuple(mean_of_mode(theta, sigma, index, modes[index], level) for index in range(i)),
        "" if testable or i == 1 else ZERO_VARIANCE,
    )

    # Fixed readers, random cases.
    error = parts.var - parts.cov1 + (j - 1) * max(parts.cov2 - parts.cov3, 0.0)
    testable = i > 1 and error > 1e-30
    chi2 = (i - 1) * parts.ms_mode / error if testable else None
    fixed_readers = Inference(
        "cases like these, read by these very readers",
        label,
        chi2,
        "chi-square",
        i - 1,
        float("inf"),
        float(stats.chi2.sf(chi2, i - 1)) if chi2 is not None else None,
        differences(2 * error / j, float("inf")),
        tuple(_fixed_reader_mean(theta, sigma, index, modes[index], level) for index in range(i)),
        "" if testable or i == 1 else ZERO_VARIANCE,
    )

    # Random readers, fixed cases.
    df3 = float((i - 1) * (j - 1))
    testable = i > 1 and parts.ms_interaction > 1e-30
    f3 = parts.ms_mode / parts.ms_interaction if testable else None
    fixed_cases = Inference(
        "readers like these, on these very cases",
        "two-way analysis of variance, modes by readers",
        f3,
        "F",
        i - 1,
        df3,
        float(stats.f.sf(f3, i - 1, df3)) if f3 is not None else None,
        differences(2 * parts.ms_interaction / j, df3) if df3 else (),
        tuple(_fixed_case_mean(theta, index, modes[index], level) for index in range(i)),
        "" if testable or i == 1 else ZERO_VARIANCE,
    )

    by_reader = tuple(
        (
            readers[r],
            _difference(
                modes[a],
                modes[b],
                float(theta[a, r] - theta[b, r]),
                float(sigma[a, r, a, r] + sigma[b, r, b, r] - 2 * sigma[a, r, b, r]),
                float("inf"),
                level,
            ),
        )
        for r in range(j)
        for a, b in pairs
    )
    return CrossedAnalysis(parts, random_both, fixed_readers, fixed_cases, by_reader)


def mean_of_mode(theta: FloatArray, sigma: FloatArray, index: int, mode: str, level: float) -> ModeMean:
    """Mean of one mode over random readers and cases, from that mode's own variances (Hillis 2007, single test)."""
    j = theta.shape[1]
    ms = float(theta[index].var(ddof=1))
    block = sigma[index, :, index, :]
    cov2 = float((block.sum() - np.trace(block)) / (j * (j - 1)))
    total = ms + max(j * cov2, 0.0)
    df = total**2 * (j - 1) / ms**2 if ms > 0 else float("inf")
    return _mean(theta, index, mode, total / j, df, level)


def _fixed_reader_mean(theta: FloatArray, sigma: FloatArray, index: int, mode: str, level: float) -> ModeMean:
    return _mean(theta, index, mode, float(sigma[index, :, index, :].mean()), float("inf"), level)


def _fixed_case_mean(theta: FloatArray, index: int, mode: str, level: float) -> ModeMean:
    j = theta.shape[1]
    return _mean(theta, index, mode, float(theta[index].var(ddof=1)) / j, j - 1.0, level)


def _mean(theta: FloatArray, index: int, mode: str, variance: float, df: float, level: float) -> ModeMean:
    se = float(np.sqrt(max(variance, 0.0)))
    quantile = float(stats.norm.ppf((1 + level) / 2) if np.isinf(df) else stats.t.ppf((1 + level) / 2, df))
    mean = float(theta[index].mean())
    interval = (mean - quantile * se, mean + quantile * se)
    return ModeMean(mode, mean, se, df, interval, logit_interval(mean, se, quantile))


def non_inferiority(difference: Difference, margin: float) -> float | None:
    """One-sided p of H0: first - second <= -margin (larger is better). Chen et al., Stat Med 2012;31:1543.

    None where the difference has no variance.
    """
    if margin < 0:
        raise ValueError("A non-inferiority margin is not negative.")
    if difference.se == 0:
        return None
    t = (difference.difference + margin) / difference.se
    return float(stats.norm.sf(t) if np.isinf(difference.df) else stats.t.sf(t, difference.df))
