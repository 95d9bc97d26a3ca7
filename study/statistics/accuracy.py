"""Binary accuracy: the 2x2 table, its proportions with intervals, and paired comparisons of two sets of calls."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats
from statsmodels.stats.proportion import proportion_confint

from study.statistics.clusters import design_effect, interval_effect, patients_of, summed


@dataclass(frozen=True)
class Proportion:
    """k of n, with 95 % (or `level`) intervals; `value` is None when n = 0 and the intervals are then 0 to 1.

    design_effect: how many times larger its variance is than that of independent cases; 1 where no patient has several.
    """

    k: int
    n: int
    value: float | None
    wilson: tuple[float, float]
    clopper_pearson: tuple[float, float]
    design_effect: float = 1.0


def proportion(k: int, n: int, level: float = 0.95, design_effect: float = 1.0) -> Proportion:
    """Wilson (1927) score and Clopper-Pearson (1934) exact intervals. Raises ValueError unless 0 <= k <= n.

    design_effect: of cases that share patients (`study.statistics.clusters.interval_effect`); the intervals are then those
    of k and n divided by it (Rao and Scott, Biometrics 1992;48:577-585).
    """
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is no proportion.")
    if n == 0:
        return Proportion(0, 0, None, (0.0, 1.0), (0.0, 1.0))
    low, high = proportion_confint(k / design_effect, n / design_effect, 1 - level, method="beta")
    exact = (0.0 if k == 0 else float(low), 1.0 if k == n else float(high))
    wilson = wilson_interval(k / design_effect, n / design_effect, level)
    return Proportion(k, n, k / n, wilson, exact, design_effect)


def proportion_of(hits: npt.ArrayLike, cluster: npt.ArrayLike | None = None, level: float = 0.95) -> Proportion:
    """Of a boolean vector (n,); by patient where a patient of `cluster` (n,) has several cases."""
    held = np.asarray(hits, dtype=bool)
    effect = interval_effect(held, cluster, level) if held.size else 1.0
    return proportion(int(held.sum()), held.size, level, effect)


def wilson_interval(k: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Wilson, J Am Stat Assoc 1927;22:209-212; 0 to 1 where n = 0."""
    if n == 0:
        return 0.0, 1.0
    low, high = proportion_confint(k, n, 1 - level, method="wilson")
    return float(low), float(high)


@dataclass(frozen=True)
class AccuracyTable:
    """The 2x2 table of calls against truth; "positive" is loose.

    design_effects: of sensitivity, specificity, positive and negative predictive value, where patients have several cases.
    """

    true_positive: int
    false_negative: int
    true_negative: int
    false_positive: int
    design_effects: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)

    @classmethod
    def from_calls(
        cls, truth: npt.ArrayLike, called_positive: npt.ArrayLike, cluster: npt.ArrayLike | None = None
    ) -> AccuracyTable:
        """Two boolean vectors of the same length, (n,); `cluster` (n,) names the patient of each case."""
        true, called = np.asarray(truth, dtype=bool), np.asarray(called_positive, dtype=bool)
        if true.shape != called.shape:
            raise ValueError("Truth and calls differ in length.")
        names = None if cluster is None else np.asarray(cluster)

        def effect(right: npt.NDArray[np.bool_], of: npt.NDArray[np.bool_]) -> float:
            return interval_effect(right[of], None if names is None else names[of]) if of.any() else 1.0

        return cls(
            int((true & called).sum()),
            int((true & ~called).sum()),
            int((~true & ~called).sum()),
            int((~true & called).sum()),
            (effect(called, true), effect(~called, ~true), effect(true, called), effect(~true, ~called)),
        )

    @property
    def sensitivity(self) -> Proportion:
        return self._share(self.true_positive, self.false_negative, 0)

    @property
    def specificity(self) -> Proportion:
        return self._share(self.true_negative, self.false_positive, 1)

    @property
    def positive_predictive_value(self) -> Proportion:
        """At the prevalence of these cases."""
        return self._share(self.true_positive, self.false_positive, 2)

    @property
    def negative_predictive_value(self) -> Proportion:
        """At the prevalence of these cases."""
        return self._share(self.true_negative, self.false_negative, 3)

    def _share(self, right: int, wrong: int, which: int) -> Proportion:
        return proportion(right, right + wrong, design_effect=self.design_effects[which])


def predictive_values(sensitivity: float, specificity: float, prevalence: float) -> tuple[float | None, float | None]:
    """(PPV, NPV) at a stated prevalence by Bayes' rule; None where nobody would be called so."""
    positive = sensitivity * prevalence + (1 - specificity) * (1 - prevalence)
    negative = (1 - sensitivity) * prevalence + specificity * (1 - prevalence)
    return (
        sensitivity * prevalence / positive if positive > 0 else None,
        specificity * (1 - prevalence) / negative if negative > 0 else None,
    )


@dataclass(frozen=True)
class McNemar:
    """Two raters on the same n cases: only the first right, only the second.

    `difference` is the first's proportion minus the second's, with Tango's score interval and Newcombe's method 10.
    The chi-square p-values are None when no pair is discordant, and the corrected one where patients have several cases;
    the exact ones are then 1. design_effect: of the difference.
    """

    n: int
    first_only: int
    second_only: int
    exact_p: float
    mid_p: float
    chi2: float | None
    chi2_p: float | None
    chi2_corrected: float | None
    chi2_corrected_p: float | None
    difference: float
    tango: tuple[float, float]
    newcombe: tuple[float, float]
    design_effect: float = 1.0


def mcnemar(both: int, first_only: int, second_only: int, neither: int, level: float = 0.95) -> McNemar:
    """McNemar (1947) of counts: exact, mid-p (Fagerland 2013), chi-square with and without continuity correction."""
    if both + first_only + second_only + neither == 0 or min(both, first_only, second_only, neither) < 0:
        raise ValueError("A paired table needs at least one case and no negative counts.")
    cells = np.array([both, first_only, second_only, neither])
    return mcnemar_of(np.repeat([1, 1, 0, 0], cells), np.repeat([1, 0, 1, 0], cells), None, level)


def mcnemar_of(
    first: npt.ArrayLike, second: npt.ArrayLike, cluster: npt.ArrayLike | None = None, level: float = 0.95
) -> McNemar:
    """McNemar's tests of two boolean vectors (n,); by patient where a patient of `cluster` (n,) has several cases.

    Exact: each patient's difference (only the first right, minus only the second) keeps its size, and its sign is as
    likely + as -; with one case a patient this is McNemar's binomial test. Chi-square: Yang, Sun, Hardin, Biom J
    2010;52:638-652. Intervals: of the counts divided by the design effect of the difference (Rao and Scott 1992).
    """
    one, two = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    n = one.size
    patient = patients_of(cluster)
    step = one.astype(np.int64) - two
    own = step if patient is None else np.rint(summed(step, patient)).astype(np.int64)
    beyond, at = _sign_flips(own)
    total, squares = int(own.sum()), int((own**2).sum())
    chi2 = total**2 / squares if squares else None
    corrected = max(abs(total) - 1, 0) ** 2 / squares if squares and patient is None else None
    effect = design_effect(step, cluster)
    both, only_first, only_second, neither = (
        float(np.sum(cell)) / effect for cell in (one & two, one & ~two, ~one & two, ~one & ~two)
    )
    return McNemar(
        n,
        int((one & ~two).sum()),
        int((~one & two).sum()),
        min(1.0, beyond + at),
        min(1.0, beyond + at / 2),
        chi2,
        float(stats.chi2.sf(chi2, 1)) if chi2 is not None else None,
        corrected,
        float(stats.chi2.sf(corrected, 1)) if corrected is not None else None,
        total / n,
        tango_interval(only_first, only_second, n / effect, level),
        newcombe_paired_interval(both, only_first, only_second, neither, level),
        effect,
    )


def _sign_flips(differences: npt.NDArray[np.int64]) -> tuple[float, float]:
    """(P(|S| > |observed|), P(|S| = |observed|)) of the sum S of differences whose signs are all equally likely."""
    observed = abs(int(differences.sum()))
    sizes, counts = np.unique(np.abs(differences[differences != 0]), return_counts=True)
    if not sizes.size:
        return 0.0, 2.0  # nothing differs: both p-values are 1
    chance = np.ones(1)  # of S from -reach to reach
    for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        own = np.zeros(2 * size * count + 1)
        own[:: 2 * size] = stats.binom.pmf(np.arange(count + 1), count, 0.5)
        chance = np.convolve(chance, own)
    reach = (chance.size - 1) // 2
    distance = np.abs(np.arange(-reach, reach + 1))
    return float(chance[distance > observed].sum()), float(chance[distance == observed].sum())


def tango_interval(first_only: float, second_only: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Score interval for a difference of paired proportions. Tango, Stat Med 1998;17:891-908."""
    z = float(stats.norm.ppf((1 + level) / 2))
    b, c = first_only, second_only

    def score(delta: float) -> float:
        # Constrained maximum-likelihood estimate of the second discordant probability, given the difference.
        linear = -b - c + (2 * n - b + c) * delta
        constant = -c * delta * (1 - delta)
        p21 = (math.sqrt(max(linear * linear - 8 * n * constant, 0.0)) - linear) / (4 * n)
        variance = n * (2 * p21 + delta * (1 - delta))
        numerator = b - c - n * delta
        if variance <= 0:
            return math.copysign(math.inf, numerator) if numerator else 0.0
        return numerator / math.sqrt(variance)

    estimate = (b - c) / n

    def bound(target: float, edge: float) -> float:
        """`score` falls from +z to -z around the estimate; at the edge of the parameter space it may never reach it."""
        inner, outer = estimate, math.copysign(1 - 1e-12, edge)
        if (score(outer) - target) * (score(inner) - target) > 0:
            return math.copysign(1.0, edge)
        return float(
            optimize.brentq(lambda delta: score(delta) - target, min(inner, outer), max(inner, outer), xtol=1e-12)
        )

    low = -1.0 if estimate <= -1 else bound(z, -1.0)
    high = 1.0 if estimate >= 1 else bound(-z, 1.0)
    return low, high


def newcombe_paired_interval(
    both: float, first_only: float, second_only: float, neither: float, level: float = 0.95
) -> tuple[float, float]:
    """Square-and-add interval for paired proportions, method 10. Newcombe, Stat Med 1998;17:2635-2650."""
    n = both + first_only + second_only + neither
    yes_first, yes_second = both + first_only, both + second_only
    p1, p2 = yes_first / n, yes_second / n
    low1, high1 = wilson_interval(yes_first, n, level)
    low2, high2 = wilson_interval(yes_second, n, level)
    margins = yes_first * (n - yes_first) * yes_second * (n - yes_second)
    product = both * neither - first_only * second_only
    if margins == 0:
        phi = 0.0
    elif product > 0:
        # Newcombe's continuity correction of the phi coefficient.
        phi = max(product - n / 2, 0) / math.sqrt(margins)
    else:
        phi = product / math.sqrt(margins)
    d1_low, d1_high, d2_low, d2_high = p1 - low1, high1 - p1, p2 - low2, high2 - p2
    below = math.sqrt(max(d1_low**2 - 2 * phi * d1_low * d2_high + d2_high**2, 0))
    above = math.sqrt(max(d1_high**2 - 2 * phi * d1_high * d2_low + d2_low**2, 0))
    return max(-1.0, p1 - p2 - below), min(1.0, p1 - p2 + above)  # rounding may step over the edge
