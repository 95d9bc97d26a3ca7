"""Bootstrap by patient, for numbers that have no formula of their variance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from study.statistics.clusters import summed

FloatArray = npt.NDArray[np.float64]

REPLICATES = 1000
SEED = 20260401  # the same data give the same interval


@dataclass(frozen=True)
class Bootstrapped:
    """A value with its percentile interval; ci is None where the samples do not vary, or some of them have no value."""

    value: float
    ci: tuple[float, float] | None


def resampled(
    truth: npt.ArrayLike, cluster: npt.ArrayLike | None = None, replicates: int = REPLICATES, seed: int = SEED
) -> FloatArray:
    """(n, replicates): how often each case is in each sample.

    Patients are drawn with all their cases, apart for those with loose cases, with others and with both, so that a sample has
    both classes. Where no patient of `cluster` (n,) has several cases, cases are drawn within each class.
    """
    loose = np.asarray(truth, dtype=bool)
    names = np.arange(loose.size) if cluster is None else np.unique(np.asarray(cluster), return_inverse=True)[1]
    kind = (summed(loose, names) > 0) + 2 * (summed(~loose, names) > 0)
    generator = np.random.default_rng(seed)
    drawn = np.zeros((kind.size, replicates))
    for each in np.unique(kind):
        members = np.flatnonzero(kind == each)
        picks = generator.integers(0, members.size, (members.size, replicates))
        cells = picks * replicates + np.arange(replicates)
        drawn[members] = np.bincount(cells.ravel(), minlength=replicates * members.size).reshape(-1, replicates)
    return np.asarray(drawn[names])


def bootstrapped(value: float, samples: FloatArray, level: float = 0.95) -> Bootstrapped:
    """samples (replicates,): the value in each sample. Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13."""
    if not np.isfinite(samples).all() or np.ptp(samples) < 1e-12:
        return Bootstrapped(value, None)
    low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2])
    return Bootstrapped(value, (float(low), float(high)))


@dataclass(frozen=True)
class Ratings:
    """Samples of cases as counts per distinct score: scores (r,) ascending; loose, other (r, replicates)."""

    scores: FloatArray
    loose: FloatArray
    other: FloatArray


def ratings(truth: npt.ArrayLike, scores: npt.ArrayLike, weights: FloatArray) -> Ratings:
    """truth (n,), scores (n,), weights (n, replicates): how often each case is in each sample."""
    held, values = np.asarray(truth, dtype=bool), np.asarray(scores, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    distinct, first = np.unique(values[order], return_index=True)
    rating = np.repeat(np.arange(distinct.size), np.diff(np.append(first, order.size)))
    parts = []
    for of in (held, ~held):
        counts, own = np.zeros((distinct.size, weights.shape[1])), of[order]
        present, start = np.unique(rating[own], return_index=True)
        if present.size:
            counts[present] = np.add.reduceat(weights[order[own]], start, axis=0)
        parts.append(counts)
    return Ratings(distinct, parts[0], parts[1])
