"""Agreement between readers, beyond chance and beyond one number.

Categories are any hashable labels; weights need numbers. Where a coefficient is not defined (one category used by all, no
pair of ratings) NotEstimableError says so; the raw agreement is always given beside a coefficient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats
from statsmodels.stats.inter_rater import cohens_kappa as _statsmodels_kappa

from study.statistics.clusters import patients_of, quantile, summed
from study.statistics.roc import NotEstimableError

FloatArray = npt.NDArray[np.float64]
Weights = Literal["unweighted", "linear", "quadratic"]


@dataclass(frozen=True)
class Kappa:
    """`se` is for intervals, `se0` (under no agreement beyond chance) for the test alone.

    ci: None where the standard error is zero: a width of zero is no certainty. se0: None where patients have several cases.
    """

    kappa: float
    se: float
    se0: float | None
    ci: tuple[float, float] | None
    raw_agreement: float


def cohen_kappa(table: npt.ArrayLike, weights: Weights = "unweighted", level: float = 0.95) -> Kappa:
    """Two readers, (c, c) counts. Cohen 1960, 1968; standard errors of Fleiss, Cohen and Everitt 1969."""
    counts = np.asarray(table, dtype=np.float64)
    if counts.sum() == 0:
        raise NotEstimableError("No case was read by both, so agreement cannot be computed.")
    expected = counts.sum(axis=0) @ counts.sum(axis=1) / counts.sum() ** 2
    if expected >= 1 - 1e-12:
        raise NotEstimableError("Both used one category only, so agreement beyond chance is not defined.")
    if min((counts.sum(axis=0) > 0).sum(), (counts.sum(axis=1) > 0).sum()) < 2:
        raise NotEstimableError("One of the two used one category only, so agreement beyond chance cannot be judged.")
    result = _statsmodels_kappa(counts, wt=None if weights == "unweighted" else weights)
    kappa, se = float(result.kappa), float(np.sqrt(max(result.var_kappa, 0.0)))
    raw = float(np.trace(counts) / counts.sum())
    return Kappa(kappa, se, float(np.sqrt(result.var_kappa0)), _around(kappa, se, quantile(level)), raw)


def cohen_kappa_of(
    first: npt.ArrayLike, second: npt.ArrayLike, cluster: npt.ArrayLike | None = None, level: float = 0.95
) -> Kappa:
    """Two readers' categories (n,), unweighted; by patient where a patient of `cluster` (n,) has several cases.

    The standard error is that of Fleiss, Cohen and Everitt with each case's part summed per patient: Yang and Zhou, Stat
    Med 2014;33:2612-2633.
    """
    one, two = np.asarray(first), np.asarray(second)
    names, codes = np.unique(np.concatenate([one, two]), return_inverse=True)
    a, b = codes[: one.size], codes[one.size :]
    counts = np.zeros((max(names.size, 1),) * 2)
    np.add.at(counts, (a, b), 1.0)
    plain = cohen_kappa(counts, level=level)
    patient = patients_of(cluster)
    if patient is None:
        return plain
    share = counts / counts.sum()
    expected = float(share.sum(axis=0) @ share.sum(axis=1))
    by_chance = share.sum(axis=0)[a] + share.sum(axis=1)[b]
    part = (a == b) * (1 - expected) - by_chance * (1 - plain.raw_agreement)
    totals = summed(part - part.mean(), patient)
    se = float(np.sqrt((totals**2).sum())) / (one.size * (1 - expected) ** 2)
    return Kappa(plain.kappa, se, None, _around(plain.kappa, se, quantile(level, totals.size)), plain.raw_agreement)


def _around(kappa: float, se: float, quantile: float) -> tuple[float, float] | None:
    half = quantile * se
    return (max(-1.0, kappa - half), min(1.0, kappa + half)) if se > 1e-12 else None


def counts_by_category(ratings: npt.ArrayLike) -> tuple[FloatArray, list[object]]:
    """(subjects, raters) with NaN or None for missing -> (subjects, categories) counts and the category labels.

    Raises NotEstimableError where there is no rating at all.
    """
    table = np.asarray(ratings, dtype=object)
    missing = np.vectorize(lambda value: value is None or value != value, otypes=[bool])(table)
    categories = sorted(
        {value for value, gone in zip(table.ravel(), missing.ravel(), strict=True) if not gone}, key=_order
    )
    if not categories:
        raise NotEstimableError("No rating was given, so agreement cannot be computed.")
    counts = np.stack([((table == category) & ~missing).sum(axis=1) for category in categories], axis=1)
    return counts.astype(np.float64), list(categories)


def _order(value: object) -> tuple[int, float, str]:
    return (0, float(value), "") if isinstance(value, int | float) else (1, 0.0, str(value))


@dataclass(frozen=True)
class FleissKappa:
    kappa: float
    se0: float  # under no agreement beyond chance: for z, never for an interval
    z: float
    p: float
    se: float  # jackknife over subjects, or over patients where these have several
    ci: tuple[float, float] | None  # None where the standard error is zero
    raw_agreement: float
    expected_agreement: float
    per_category: tuple[float, ...]


def fleiss_kappa(counts: npt.ArrayLike, level: float = 0.95, cluster: npt.ArrayLike | None = None) -> FleissKappa:
    """(subjects, categories), the same number of ratings for each subject.

    Fleiss 1971; null standard error of Fleiss, Nee and Landis 1979; the interval from a jackknife over subjects, or over
    the patients of `cluster` (subjects,) where one has several; the test is then not to be used.
    """
    table = np.asarray(counts, dtype=np.float64)
    ratings = table.sum(axis=1)
    if not np.all(ratings == ratings[0]):
        raise NotEstimableError(
            "Fleiss' kappa needs the same number of ratings for each case; use Gwet's AC1 or Krippendorff's alpha."
        )
    raters, subjects = float(ratings[0]), table.shape[0]
    if raters < 2 or subjects < 2:
        raise NotEstimableError("At least two cases with two ratings each are needed.")
    if (table.sum(axis=0) > 0).sum() < 2:
        raise NotEstimableError("Only one category was used, so agreement beyond chance is not defined.")

    # Agreement within each case, and how often each category was used; leaving a case out changes their sums alone.
    within = ((table**2).sum(axis=1) - raters) / (raters * (raters - 1))
    used = table.sum(axis=0)

    def coefficient(agreement: FloatArray, share: FloatArray) -> FloatArray:
        expected = (share**2).sum(axis=-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(expected < 1, (agreement - expected) / (1 - expected), np.nan))

    observed, expected = float(within.mean()), float(((used / used.sum()) ** 2).sum())
    kappa = float(coefficient(np.asarray(observed), used / used.sum()))
    share = table.sum(axis=0) / table.sum()
    spread = share * (1 - share)
    total = float(spread.sum())
    se0 = float(np.sqrt(2 * (total**2 - (spread * (1 - 2 * share)).sum()) / (subjects * raters * (raters - 1)))) / total
    with np.errstate(divide="ignore", invalid="ignore"):
        by_category = 1 - (table * (raters - table)).sum(axis=0) / (subjects * raters * (raters - 1) * spread)
    patient = patients_of(cluster)
    unit = np.arange(subjects) if patient is None else patient
    size, units = summed(np.ones(subjects), unit), int(unit.max()) + 1
    if units < 2:
        raise NotEstimableError("All cases are one patient's, so the interval of Fleiss' kappa cannot be computed.")
    rest = subjects - size
    left_out = coefficient(
        (within.sum() - summed(within, unit)) / rest, (used - summed(table.T, unit).T) / (rest * raters)[:, None]
    )
    left_out = left_out[np.isfinite(left_out)]
    se = float(np.sqrt((units - 1) ** 2 / units * left_out.var(ddof=1))) if left_out.size > 1 else float("nan")
    if not np.isfinite(se):
        raise NotEstimableError("The interval of Fleiss' kappa cannot be computed from so few cases.")
    half = float(stats.t.ppf((1 + level) / 2, units - 1)) * se
    z = kappa / se0
    return FleissKappa(
        kappa,
        se0,
        z,
        2 * float(stats.norm.sf(abs(z))),
        se,
        (max(-1.0, kappa - half), min(1.0, kappa + half)) if se > 1e-12 else None,
        observed,
        expected,
        tuple(float(value) for value in by_category),
    )


@dataclass(frozen=True)
class ChanceCorrected:
    """Coefficients that allow missing ratings: each pair of ratings of a case counts."""

    raw_agreement: float
    gwet_ac1: float
    fleiss: float
    brennan_prediger: float
    conger: float


def chance_corrected(ratings: npt.ArrayLike) -> ChanceCorrected:
    """(subjects, raters), NaN or None for missing. Gwet, Br J Math Stat Psychol 2008;61:29; Conger 1980.

    AC1 and Brennan-Prediger (PABAK for two categories) do not collapse when nearly all cases are of one kind, as kappa does.
    """
    table = np.asarray(ratings, dtype=object)
    counts, categories = counts_by_category(table)
    q, number = len(categories), counts.sum(axis=1)
    paired = number >= 2
    if not paired.any():
        raise NotEstimableError("No case has two ratings, so agreement cannot be computed.")
    if q < 2:
        raise NotEstimableError("Only one category was used, so agreement beyond chance is not defined.")
    observed = float(((counts * (counts - 1)).sum(axis=1)[paired] / (number[paired] * (number[paired] - 1))).mean())
    rated = number > 0
    share = (counts[rated] / number[rated, None]).mean(axis=0)
    gwet = float((share * (1 - share)).sum()) / (q - 1)
    by_rater = []
    for rater in range(table.shape[1]):
        own, found = counts_by_category(table[:, rater : rater + 1]) if _any(table[:, rater]) else (None, [])
        if own is None:
            continue
        row = np.zeros(q)
        for label, count in zip(found, own.sum(axis=0), strict=True):
            row[categories.index(label)] = count
        by_rater.append(row / row.sum())
    profiles = np.array(by_rater)
    r = profiles.shape[0]
    conger = (
        float((profiles.mean(axis=0) ** 2).sum() - (profiles.var(axis=0, ddof=1) / r).sum()) if r > 1 else float("nan")
    )

    def beyond(chance: float) -> float:
        return (observed - chance) / (1 - chance)

    return ChanceCorrected(observed, beyond(gwet), beyond(float((share**2).sum())), beyond(1 / q), beyond(conger))


def _any(column: npt.NDArray[np.object_]) -> bool:
    return any(value is not None and value == value for value in column)


Level = Literal["nominal", "ordinal", "interval", "ratio"]


def krippendorff_alpha(ratings: npt.ArrayLike, level: Level = "nominal") -> float:
    """(subjects, raters), NaN or None for missing. Krippendorff 2011, Computing Krippendorff's alpha-reliability."""
    counts, categories = counts_by_category(ratings)
    counts = counts[counts.sum(axis=1) >= 2]
    if counts.size == 0:
        raise NotEstimableError("No case has two ratings, so agreement cannot be computed.")
    number = counts.sum(axis=1, keepdims=True)
    coincidence = sum(
        (np.outer(row, row) - np.diag(row)) / (n - 1) for row, n in zip(counts, number[:, 0], strict=True)
    )
    totals = np.asarray(coincidence).sum(axis=0)
    distance = _distance(level, categories, totals)
    expected = float((np.outer(totals, totals) * distance).sum() / (totals.sum() - 1))
    if expected == 0:
        raise NotEstimableError("Only one category was used, so agreement beyond chance is not defined.")
    return 1.0 - float((np.asarray(coincidence) * distance).sum()) / expected


def _distance(level: Level, categories: list[object], totals: FloatArray) -> FloatArray:
    if level == "nominal":
        return 1 - np.eye(len(categories))
    values = np.array(categories, dtype=np.float64)
    if level == "ordinal":
        cumulative = np.cumsum(totals)
        middle = cumulative - totals / 2
        return np.asarray((middle[:, None] - middle[None]) ** 2)
    difference = (values[:, None] - values[None]) ** 2
    if level == "interval":
        return np.asarray(difference)
    total = (values[:, None] + values[None]) ** 2
    return np.asarray(np.divide(difference, total, out=np.zeros_like(difference), where=total > 0))


@dataclass(frozen=True)
class IntraclassCorrelation:
    form: str  # Shrout and Fleiss: "ICC(2,1)" ...
    value: float
    ci: tuple[float, float]


def intraclass_correlations(ratings: npt.ArrayLike, level: float = 0.95) -> tuple[IntraclassCorrelation, ...]:
    """(subjects, judges), complete. The six forms of Shrout and Fleiss, Psychol Bull 1979;86:420-428.

    A form of the mean rating is left out where it is not defined. Raises NotEstimableError.
    """
    table = np.asarray(ratings, dtype=np.float64)
    n, k = table.shape
    if n < 2 or k < 2:
        raise NotEstimableError("At least two cases and two readers are needed.")
    if not np.isfinite(table).all():
        raise NotEstimableError("Some ratings are missing; the intraclass correlation needs a complete table.")
    grand = table.mean()
    between = k * ((table.mean(axis=1) - grand) ** 2).sum() / (n - 1)
    judges = n * ((table.mean(axis=0) - grand) ** 2).sum() / (k - 1)
    within = ((table - table.mean(axis=1, keepdims=True)) ** 2).sum() / (n * (k - 1))
    residual = (within * n * (k - 1) - judges * (k - 1)) / ((n - 1) * (k - 1))
    if between == 0 and within == 0:
        raise NotEstimableError("All ratings are equal, so the intraclass correlation is not defined.")
    if between <= 0:
        raise NotEstimableError(
            "All cases have the same mean rating, so the intraclass correlation tells nothing about the readers."
        )
    if within <= 0 or residual <= 0:
        raise NotEstimableError(
            "The readers agree exactly on every case, so the interval of the correlation has no width."
        )
    high = (1 + level) / 2

    def spearman_brown(single: float) -> float:
        return float(k * single / (1 + (k - 1) * single))

    def from_f(f: float, df2: float) -> tuple[float, float]:
        """Bounds of a single-rating correlation whose F has n - 1 and df2 degrees of freedom."""
        low, top = f / stats.f.ppf(high, n - 1, df2), f * stats.f.ppf(high, df2, n - 1)
        return float((low - 1) / (low + k - 1)), float((top - 1) / (top + k - 1))

    one = (between - within) / (between + (k - 1) * within)
    one_ci = from_f(between / within, n * (k - 1))
    two = (between - residual) / (between + (k - 1) * residual + k * (judges - residual) / n)
    a = k * two / (n * (1 - two))
    b = 1 + k * two * (n - 1) / (n * (1 - two))
    df = (a * judges + b * residual) ** 2 / ((a * judges) ** 2 / (k - 1) + (b * residual) ** 2 / ((n - 1) * (k - 1)))
    f_low, f_high = stats.f.ppf(high, n - 1, df), stats.f.ppf(high, df, n - 1)
    noise = k * judges + (k * n - k - n) * residual
    two_ci = (
        float(n * (between - f_low * residual) / (f_low * noise + n * between)),
        float(n * (f_high * between - residual) / (noise + n * f_high * between)),
    )
    three = (between - residual) / (between + (k - 1) * residual)
    three_ci = from_f(between / residual, (n - 1) * (k - 1))
    forms: list[IntraclassCorrelation] = []
    for name, value, ci in (("1", one, one_ci), ("2", two, two_ci), ("3", three, three_ci)):
        forms.append(IntraclassCorrelation(f"ICC({name},1)", float(value), ci))
        # The mean of k ratings has a correlation only where that of one lies above -1 / (k - 1).
        if min(value, *ci) * (k - 1) > -1 + 1e-9:
            averaged = tuple(spearman_brown(float(single)) for single in (value, *ci))
            forms.append(IntraclassCorrelation(f"ICC({name},k)", averaged[0], (averaged[1], averaged[2])))
    return tuple(forms)
