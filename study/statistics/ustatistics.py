"""Multi-reader multi-case AUC by U-statistics, for any design: crossed, split-plot, unpaired cases or readers.

The variance of a reader-averaged AUC is a weighted sum of eight moments: the mean product of two comparisons ("does this
positive case beat this negative one?") that share the positive case or not, the negative case or not, the reader or not.
Gallas, Bandos, Samuelson, Wagner, Commun Stat Theory Methods 2009;38:2586-2603. Degrees of freedom: Obuchowski, Gallas,
Hillis, Acad Radiol 2012;19:1508-1517, bounded from below after Gaylor and Hopper, Technometrics 1969;11:691.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from study.statistics.clusters import patients_of
from study.statistics.comparisons import compare
from study.statistics.covariance import as_auc
from study.statistics.roc import NotEstimableError, logit_interval

FloatArray = npt.NDArray[np.float64]

# Which of the eight moments share the positive case, the negative case, the reader.
_SHARES_POSITIVE = np.array([1, 1, 0, 0, 1, 1, 0, 0], dtype=bool)
_SHARES_NEGATIVE = np.array([1, 0, 1, 0, 1, 0, 1, 0], dtype=bool)
_SHARES_READER = np.array([1, 1, 1, 1, 0, 0, 0, 0], dtype=bool)


@dataclass(frozen=True)
class _Moments:
    """Between two modes (or one and itself). parts: what varies (cases of a class or patients, readers), each a biased
    component of variance and its degrees of freedom, as the df rule asks for them."""

    covariance: float
    covariance_mle: float
    parts: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class ModeAuc:
    """AUC of one mode: every comparison of a positive with a negative case by one reader counts alike.

    ci: on the logit scale, t with BDG degrees of freedom; None where the variance is not positive.
    """

    mode: str
    auc: float
    variance: float  # unbiased, hence possibly negative
    se: float | None
    df: float | None = None
    ci: tuple[float, float] | None = None


@dataclass(frozen=True)
class UDifference:
    """First minus second mode. Where no variance is to be used, se, intervals and p are None and `caution` says so.

    used: "unbiased", or "MLE" where that took its place.
    """

    first: str
    second: str
    difference: float
    variance: float
    variance_mle: float
    se: float | None
    df: float | None
    p_normal: float | None
    p_t: float | None
    ci: tuple[float, float] | None
    caution: str = ""
    used: str = "unbiased"


@dataclass(frozen=True)
class UAnalysis:
    modes: tuple[ModeAuc, ...]
    differences: tuple[UDifference, ...]
    method: str = "U-statistics, unbiased variance, t with BDG degrees of freedom"
    generalises_to: str = "readers and cases like these"


def analyse_any_design(
    truth: npt.ArrayLike,
    scores: npt.ArrayLike,
    modes: list[str],
    level: float = 0.95,
    cluster: npt.ArrayLike | None = None,
    mle_where_negative: bool = False,
) -> UAnalysis:
    """truth (cases,) boolean; scores (modes, readers, cases), NaN where a reader did not read a case in a mode.

    cluster (cases,): the patient of each case; where one has several, the variance is that of readers and patients.
    mle_where_negative: a difference whose unbiased variance is not positive gets the one of the biased moments, which iMRMC
    prints beside it; else it gets no test.
    Raises NotEstimableError when a mode has no comparison or only one reader.
    """
    return _analysed(
        np.asarray(truth, dtype=bool),
        np.asarray(scores, dtype=np.float64),
        modes,
        level,
        cluster,
        0,
        mle_where_negative,
    )


def analyse_calls(
    correct: npt.ArrayLike,
    modes: list[str],
    level: float = 0.95,
    cluster: npt.ArrayLike | None = None,
    mle_where_negative: bool = False,
) -> UAnalysis:
    """Sensitivity or specificity for any design: correct (modes, readers, cases) is 1, 0, or NaN where not read.

    `study.statistics.covariance.as_auc` says why this is an AUC. Raises NotEstimableError when a mode has no call or only
    one reader.
    """
    calls = np.asarray(correct, dtype=np.float64)
    if calls.shape[2] < 2:
        raise NotEstimableError("At least two cases are needed for the variance of a share of right calls.")
    truth, scores, clusters = as_auc(calls, cluster)
    return _analysed(truth, scores, modes, level, clusters, calls.shape[2], mle_where_negative)


def _analysed(
    positive: npt.NDArray[np.bool_],
    table: FloatArray,
    modes: list[str],
    level: float,
    cluster: npt.ArrayLike | None,
    added: int,
    mle_where_negative: bool,
) -> UAnalysis:
    """added: how many of the patients do not exist (`as_auc`)."""
    if positive.all() or not positive.any():
        raise NotEstimableError("Both loose and not loose cases are needed for an AUC.")
    shape = table.shape[:2]
    patient = patients_of(cluster)
    compared = compare(positive, table.reshape(shape[0] * shape[1], -1), cluster)
    # (modes, readers, ...) of everything that the moments are made of.
    parts = _Parts(
        compared.products.reshape(shape + shape),
        compared.by_positive.reshape(*shape, -1),
        compared.by_negative.reshape(*shape, -1),
        compared.read_positive.reshape(*shape, -1),
        compared.read_negative.reshape(*shape, -1),
        compared.unshared.reshape(shape + shape),
        compared.unshared_count.reshape(shape + shape),
        0 if patient is None else int(patient.max()) + 1 - added,
    )
    won, count = compared.total.reshape(shape).sum(axis=1), compared.count.reshape(shape).sum(axis=1)
    aucs, own = [], []
    for index, mode in enumerate(modes):
        if count[index] == 0:
            raise NotEstimableError(f"No reader read both a loose and a not loose case in mode {mode}.")
        moments = _moments(parts, index, index)
        own.append(moments)
        aucs.append(_mode(mode, float(won[index] / count[index]), moments, level))
    differences = []
    for a in range(len(modes)):
        for b in range(a + 1, len(modes)):
            between = _moments(parts, a, b)
            differences.append(_difference(aucs[a], aucs[b], own[a], own[b], between, level, mle_where_negative))
    method = "U-statistics, unbiased variance, t with BDG degrees of freedom"
    return UAnalysis(tuple(aucs), tuple(differences), method if patient is None else f"{method}, by patient")


@dataclass(frozen=True)
class _Parts:
    """study.statistics.comparisons.Comparisons by mode and reader. patients: 0 where no patient has several cases."""

    products: FloatArray  # (modes, readers, modes, readers)
    by_positive: FloatArray  # (modes, readers, m)
    by_negative: FloatArray  # (modes, readers, n)
    read_positive: FloatArray
    read_negative: FloatArray
    unshared: FloatArray  # (modes, readers, modes, readers)
    unshared_count: FloatArray
    patients: int


def _product_sums(parts: _Parts, a: int, b: int) -> FloatArray:
    """(8,): sums of products of two comparisons, of one reader (first four) or of any two, that share the positive and the
    negative case, the positive, the negative, anything."""
    pos_a, pos_b, neg_a, neg_b = parts.by_positive[a], parts.by_positive[b], parts.by_negative[a], parts.by_negative[b]
    products = parts.products[a, :, b, :]
    return np.array(
        [
            np.trace(products),
            (pos_a * pos_b).sum(),
            (neg_a * neg_b).sum(),
            pos_a.sum(axis=1) @ pos_b.sum(axis=1),
            products.sum(),
            pos_a.sum(axis=0) @ pos_b.sum(axis=0),
            neg_a.sum(axis=0) @ neg_b.sum(axis=0),
            pos_a.sum() * pos_b.sum(),
        ]
    )


def _pair_counts(parts: _Parts, a: int, b: int) -> FloatArray:
    """(8,): over how many pairs of comparisons the sums of `_product_sums` go."""
    pos_a, pos_b = parts.read_positive[a], parts.read_positive[b]
    neg_a, neg_b = parts.read_negative[a], parts.read_negative[b]
    all_pos, all_neg = (np.outer(x.sum(axis=1), y.sum(axis=1)) for x, y in ((pos_a, pos_b), (neg_a, neg_b)))
    same_pos, same_neg = pos_a @ pos_b.T, neg_a @ neg_b.T  # (readers, readers)
    tables = (same_pos * same_neg, same_pos * all_neg, all_pos * same_neg, all_pos * all_neg)
    return np.array([*(np.trace(table) for table in tables), *(table.sum() for table in tables)])


def _exclusive(inclusive: FloatArray) -> FloatArray:
    """Sums that include pairs sharing more than they must -> sums over pairs that share exactly that. (8,) -> (8,)"""
    same, every = inclusive[:4], inclusive[4:]

    def cases(sums: FloatArray) -> FloatArray:
        both, pos, neg, any_ = sums
        return np.array([both, pos - both, neg - both, any_ - pos - neg + both])

    return np.concatenate([cases(same), cases(every - same)])


_TOO_FEW = "The variance cannot be estimated: at least two readers, two loose and two not loose cases are needed."


def _moments(parts: _Parts, a: int, b: int) -> _Moments:
    if parts.patients:
        return _moments_by_patient(parts, a, b)
    products, counts = _product_sums(parts, a, b), _pair_counts(parts, a, b)
    exact_products, exact_counts = _exclusive(products), _exclusive(counts)
    if exact_counts[7] <= 0:
        raise NotEstimableError(_TOO_FEW)
    with np.errstate(divide="ignore", invalid="ignore"):
        unbiased = np.where(exact_counts > 0, exact_products / exact_counts, 0.0)
        biased = np.where(counts > 0, products / counts, 0.0)
    weights = exact_counts / counts[7]
    varying = (
        (5, float(weights[_SHARES_POSITIVE].sum())),
        (6, float(weights[_SHARES_NEGATIVE].sum())),
        (3, float(weights[_SHARES_READER].sum())),
    )
    weights[7] -= 1
    return _Moments(
        float(weights @ unbiased),
        float(weights @ biased),
        tuple((float(biased[index] - biased[7]) if counts[index] > 0 else 0.0, _df(share)) for index, share in varying),
    )


def _df(share: float) -> float:
    """From the share of pairs of comparisons that have the same case or reader: with n of these, 1 / n."""
    return round(1 / share - 1) if share > 0 else float("inf")


def _moments_by_patient(parts: _Parts, a: int, b: int) -> _Moments:
    """Four moments instead of eight: pairs of comparisons that share reader and patient, reader, patient, nothing."""
    won_a, won_b = parts.by_positive[a].sum(axis=1), parts.by_positive[b].sum(axis=1)
    read_a, read_b = (parts.read_positive[mode].sum(axis=1) * parts.read_negative[mode].sum(axis=1) for mode in (a, b))
    every, pairs = np.outer(won_a, won_b), np.outer(read_a, read_b)
    apart, pairs_apart = parts.unshared[a, :, b, :], parts.unshared_count[a, :, b, :]

    def inclusive(all_: FloatArray, unshared: FloatArray) -> FloatArray:
        """(4,): sums over readers, (readers, readers) each."""
        return np.array([np.trace(all_ - unshared), np.trace(all_), (all_ - unshared).sum(), all_.sum()])

    products, counts = inclusive(every, apart), inclusive(pairs, pairs_apart)
    others = pairs_apart.sum() - np.trace(pairs_apart)
    if others <= 0:
        raise NotEstimableError(
            "The variance cannot be estimated: at least two readers, and two patients with each kind of case, are needed."
        )
    both, same_reader, same_patient, total = counts
    weights = np.array([both, same_reader - both, same_patient - both, total - same_reader - same_patient + both])
    weights = weights / total
    weights[3] -= 1
    with np.errstate(divide="ignore", invalid="ignore"):
        biased = np.where(counts > 0, products / counts, 0.0)
    patients = float(parts.patients - 1)
    # Scaled so that component / df is its part of the variance, as it is where the share is 1 / (df + 1).
    by_patient = float(same_patient / total * (biased[2] - biased[3])) * patients
    return _Moments(
        float(products[3] / total - (apart.sum() - np.trace(apart)) / others),
        float(weights @ biased),
        ((by_patient, patients), (float(biased[1] - biased[3]), _df(float(same_reader / total)))),
    )


def _degrees(variance: float, parts: list[tuple[float, float]]) -> float | None:
    """BDG: None where so little was read in common that there are none."""
    floor = min(df for _, df in parts)
    if floor < 1:
        return None
    denominator = sum(component**2 / df**3 for component, df in parts)
    return float(max(variance**2 / denominator, floor)) if denominator > 0 else float("inf")


def _mode(mode: str, auc: float, own: _Moments, level: float) -> ModeAuc:
    variance = own.covariance
    if variance <= 1e-15:
        return ModeAuc(mode, auc, variance, None)
    se, df = float(np.sqrt(variance)), _degrees(variance, list(own.parts))
    bounds = logit_interval(auc, se, float(stats.t.ppf((1 + level) / 2, df))) if df is not None else None
    return ModeAuc(mode, auc, variance, se, df, bounds)


def _difference(
    first: ModeAuc,
    second: ModeAuc,
    one: _Moments,
    two: _Moments,
    between: _Moments,
    level: float,
    mle_where_negative: bool,
) -> UDifference:
    difference = first.auc - second.auc
    unbiased = one.covariance + two.covariance - 2 * between.covariance
    mle = one.covariance_mle + two.covariance_mle - 2 * between.covariance_mle
    variance, used, caution = unbiased, "unbiased", ""
    if variance <= 1e-15:
        caution = "The unbiased variance of the difference is not positive, so "
        if mle_where_negative and mle > 1e-15:
            variance, used = mle, "MLE"
            caution += "the MLE variance takes its place."
        else:
            caution += "this method gives no test and no interval."
            return UDifference(
                first.mode, second.mode, difference, unbiased, mle, None, None, None, None, None, caution
            )
    se = float(np.sqrt(variance))
    df = _degrees(
        variance,
        [
            (c1 + c2 - 2 * c12, min(df1, df2))
            for (c1, df1), (c2, df2), (c12, _) in zip(one.parts, two.parts, between.parts, strict=True)
        ],
    )
    if df is None:
        caution = "So little was read in common that the degrees of freedom are zero: no test, no interval."
        return UDifference(first.mode, second.mode, difference, unbiased, mle, se, None, None, None, None, caution)
    quantile = float(stats.t.ppf((1 + level) / 2, df))
    z = abs(difference) / se
    return UDifference(
        first.mode,
        second.mode,
        difference,
        unbiased,
        mle,
        se,
        df,
        2 * float(stats.norm.sf(z)),
        2 * float(stats.t.sf(z, df)),
        (max(-1.0, difference - quantile * se), min(1.0, difference + quantile * se)),
        caution,
        used,
    )
