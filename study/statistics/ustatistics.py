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

from study.statistics.comparisons import compare
from study.statistics.roc import NotEstimableError

FloatArray = npt.NDArray[np.float64]

# Which of the eight moments share the positive case, the negative case, the reader.
_SHARES_POSITIVE = np.array([1, 1, 0, 0, 1, 1, 0, 0], dtype=bool)
_SHARES_NEGATIVE = np.array([1, 0, 1, 0, 1, 0, 1, 0], dtype=bool)
_SHARES_READER = np.array([1, 1, 1, 1, 0, 0, 0, 0], dtype=bool)


@dataclass(frozen=True)
class _Moments:
    """Between two modes (or one and itself). Components of variance are the biased ones that the df rule asks for."""

    covariance: float
    covariance_mle: float
    component_positive: float
    component_negative: float
    component_reader: float
    df_positive: float
    df_negative: float
    df_reader: float


@dataclass(frozen=True)
class ModeAuc:
    """AUC of one mode: every comparison of a positive with a negative case by one reader counts alike."""

    mode: str
    auc: float
    variance: float  # unbiased, hence possibly negative
    se: float | None


@dataclass(frozen=True)
class UDifference:
    """First minus second mode. Where the unbiased variance is not positive, se, intervals and p are None and `caution` says so."""

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


@dataclass(frozen=True)
class UAnalysis:
    modes: tuple[ModeAuc, ...]
    differences: tuple[UDifference, ...]
    method: str = "U-statistics, unbiased variance, t with BDG degrees of freedom"
    generalises_to: str = "readers and cases like these"


def analyse_any_design(truth: npt.ArrayLike, scores: npt.ArrayLike, modes: list[str], level: float = 0.95) -> UAnalysis:
    """truth (cases,) boolean; scores (modes, readers, cases), NaN where a reader did not read a case in a mode.

    Raises NotEstimableError when a mode has no comparison or only one reader.
    """
    positive = np.asarray(truth, dtype=bool)
    table = np.asarray(scores, dtype=np.float64)
    if positive.all() or not positive.any():
        raise NotEstimableError("Both loose and not loose cases are needed for an AUC.")
    shape = table.shape[:2]
    compared = compare(positive, table.reshape(shape[0] * shape[1], -1))
    # (modes, readers, ...) of everything that the moments are made of.
    parts = _Parts(
        compared.products.reshape(shape + shape),
        compared.by_positive.reshape(*shape, -1),
        compared.by_negative.reshape(*shape, -1),
        compared.read_positive.reshape(*shape, -1),
        compared.read_negative.reshape(*shape, -1),
    )
    won, count = compared.total.reshape(shape).sum(axis=1), compared.count.reshape(shape).sum(axis=1)
    aucs, own = [], []
    for index, mode in enumerate(modes):
        if count[index] == 0:
            raise NotEstimableError(f"No reader read both a loose and a not loose case in mode {mode}.")
        moments = _moments(parts, index, index)
        own.append(moments)
        variance = moments.covariance
        se = float(np.sqrt(variance)) if variance > 0 else None
        aucs.append(ModeAuc(mode, float(won[index] / count[index]), variance, se))
    differences = []
    for a in range(len(modes)):
        for b in range(a + 1, len(modes)):
            differences.append(_difference(aucs[a], aucs[b], own[a], own[b], _moments(parts, a, b), level))
    return UAnalysis(tuple(aucs), tuple(differences))


def analyse_calls(correct: npt.ArrayLike, modes: list[str], level: float = 0.95) -> UAnalysis:
    """Sensitivity or specificity for any design: correct (modes, readers, cases) is 1, 0, or NaN where not read.

    A share of right calls is the AUC of the calls against cases that everybody rates one half, and these add nothing to
    its variance: what remains are the moments of Gallas, Pennello, Myers, J Opt Soc Am A 2007;24:B70-B80.
    Raises NotEstimableError when a mode has no call or only one reader.
    """
    calls = np.asarray(correct, dtype=np.float64)
    if calls.shape[2] < 2:
        raise NotEstimableError("At least two cases are needed for the variance of a share of right calls.")
    truth = np.repeat([True, False], calls.shape[2])
    return analyse_any_design(truth, np.concatenate([calls, np.full_like(calls, 0.5)], axis=2), modes, level)


@dataclass(frozen=True)
class _Parts:
    """study.statistics.comparisons.Comparisons by mode and reader."""

    products: FloatArray  # (modes, readers, modes, readers)
    by_positive: FloatArray  # (modes, readers, m)
    by_negative: FloatArray  # (modes, readers, n)
    read_positive: FloatArray
    read_negative: FloatArray


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


def _moments(parts: _Parts, a: int, b: int) -> _Moments:
    products, counts = _product_sums(parts, a, b), _pair_counts(parts, a, b)
    exact_products, exact_counts = _exclusive(products), _exclusive(counts)
    if exact_counts[7] <= 0:
        raise NotEstimableError(
            "The variance cannot be estimated: at least two readers, two loose and two not loose cases are needed."
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        unbiased = np.where(exact_counts > 0, exact_products / exact_counts, 0.0)
        biased = np.where(counts > 0, products / counts, 0.0)
    weights = exact_counts / counts[7]
    share = {
        name: float(weights[mask].sum())
        for name, mask in (("p", _SHARES_POSITIVE), ("n", _SHARES_NEGATIVE), ("r", _SHARES_READER))
    }
    weights[7] -= 1

    def df(name: str) -> float:
        return round(1 / share[name] - 1) if share[name] > 0 else float("inf")

    return _Moments(
        float(weights @ unbiased),
        float(weights @ biased),
        float(biased[5] - biased[7]) if counts[5] > 0 else 0.0,
        float(biased[6] - biased[7]) if counts[6] > 0 else 0.0,
        float(biased[3] - biased[7]) if counts[3] > 0 else 0.0,
        df("p"),
        df("n"),
        df("r"),
    )


def _difference(
    first: ModeAuc, second: ModeAuc, one: _Moments, two: _Moments, between: _Moments, level: float
) -> UDifference:
    difference = first.auc - second.auc
    variance = one.covariance + two.covariance - 2 * between.covariance
    mle = one.covariance_mle + two.covariance_mle - 2 * between.covariance_mle

    def untested(se: float | None, caution: str) -> UDifference:
        return UDifference(first.mode, second.mode, difference, variance, mle, se, None, None, None, None, caution)

    if variance <= 1e-15:
        return untested(
            None,
            "The unbiased variance of the difference is not positive, so this method gives no test and no interval.",
        )
    se = float(np.sqrt(variance))
    parts = [
        (
            one.component_positive + two.component_positive - 2 * between.component_positive,
            one.df_positive,
            two.df_positive,
        ),
        (
            one.component_negative + two.component_negative - 2 * between.component_negative,
            one.df_negative,
            two.df_negative,
        ),
        (one.component_reader + two.component_reader - 2 * between.component_reader, one.df_reader, two.df_reader),
    ]
    if min(min(a, b) for _, a, b in parts) < 1:
        return untested(se, "So little was read in common that the degrees of freedom are zero: no test, no interval.")
    denominator = sum(component**2 / min(a, b) ** 3 for component, a, b in parts)
    floor = min(min(a, b) for _, a, b in parts)
    df = max(variance**2 / denominator, floor) if denominator > 0 else float("inf")
    quantile = float(stats.t.ppf((1 + level) / 2, df))
    z = abs(difference) / se
    return UDifference(
        first.mode,
        second.mode,
        difference,
        variance,
        mle,
        se,
        df,
        2 * float(stats.norm.sf(z)),
        2 * float(stats.t.sf(z, df)),
        (difference - quantile * se, difference + quantile * se),
    )
