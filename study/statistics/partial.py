"""The part of an ROC curve that matters where few false alarms are allowed: partial AUC, and sensitivity at a specificity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from study.statistics.bootstrap import (
    REPLICATES,
    SEED,
    Bootstrapped,
    FloatArray,
    Ratings,
    bootstrapped,
    ratings,
    resampled,
)
from study.statistics.clusters import patients_of
from study.statistics.roc import check_classes

LEAST_SPECIFICITY = 0.8
AT_SPECIFICITY = 0.9


@dataclass(frozen=True)
class HighSpecificity:
    """Of one set of scores, with bootstrap intervals by patient; `caution` says why a number has no interval.

    partial_auc: area below the curve from `least_specificity` to 1, at most 1 - least_specificity. standardised: the same
    on the scale of an AUC, ½ for chance and 1 for no error (McClish, Med Decis Making 1989;9:190-195). sensitivity: at
    `at_specificity`, between two points of the curve on the line that joins them.
    """

    least_specificity: float
    partial_auc: Bootstrapped
    standardised: Bootstrapped
    at_specificity: float
    sensitivity: Bootstrapped
    caution: str = ""


def high_specificity(
    truth: npt.ArrayLike,
    scores: npt.ArrayLike,
    cluster: npt.ArrayLike | None = None,
    *,
    least: float = LEAST_SPECIFICITY,
    at: float = AT_SPECIFICITY,
    level: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = SEED,
) -> HighSpecificity:
    """truth, scores, cluster (n,). Raises NotEstimableError without both classes, ValueError for a specificity outside (0, 1)."""
    if not (0 < least < 1 and 0 < at < 1):
        raise ValueError("A specificity is between 0 and 1.")
    check_classes(truth, scores)
    held = np.asarray(truth, dtype=bool)
    drawn = resampled(held, cluster, replicates, seed)
    # The first column is the data themselves.
    curves = _curves(ratings(held, scores, np.hstack([np.ones((held.size, 1)), drawn])))
    area, sensitivity = _areas(*curves, 1 - least), _heights(*curves, 1 - at)
    by_chance, most = (1 - least) ** 2 / 2, 1 - least
    standardised = (1 + (area - by_chance) / (most - by_chance)) / 2
    patient = patients_of(cluster)
    numbers = np.arange(held.size) if patient is None else patient
    few = min(np.unique(numbers[of]).size for of in (held, ~held)) < 2
    found = [
        Bootstrapped(float(row[0]), None) if few else bootstrapped(float(row[0]), row[1:], level)
        for row in (area, standardised, sensitivity)
    ]
    caution = ""
    if few:
        caution = "At least two patients with a loose and two with a not loose hip are needed for a bootstrap interval."
    elif any(each.ci is None for each in found):
        caution = (
            "All bootstrap samples give the same number, so its interval has no width; it is no proof of certainty."
        )
    return HighSpecificity(least, found[0], found[1], at, found[2], caution)


def _curves(counts: Ratings) -> tuple[FloatArray, FloatArray]:
    """(r + 1, replicates) each: false and true positive rates, from 0 to 1."""
    out = []
    for part in (counts.other, counts.loose):
        above = np.cumsum(part[::-1], axis=0)
        out.append(np.vstack([np.zeros((1, part.shape[1])), above / above[-1]]))
    return out[0], out[1]


def _areas(x: FloatArray, y: FloatArray, until: float) -> FloatArray:
    """(replicates,): below the curve from a false positive rate of 0 until this one."""
    run, step = np.diff(x, axis=0), np.diff(np.minimum(x, until), axis=0)
    rise = np.diff(y, axis=0) * np.divide(step, run, out=np.zeros_like(run), where=run > 0)
    return np.asarray((step * (y[:-1] + rise / 2)).sum(axis=0))


def _heights(x: FloatArray, y: FloatArray, at: float) -> FloatArray:
    """(replicates,): the curve's greatest height at this false positive rate, below 1."""
    each = np.arange(x.shape[1])
    left = (x <= at + 1e-9).sum(axis=0) - 1
    run, rise = x[left + 1, each] - x[left, each], y[left + 1, each] - y[left, each]
    return np.asarray(y[left, each] + rise * np.maximum(at - x[left, each], 0) / run)
