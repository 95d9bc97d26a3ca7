"""Binary accuracy: the 2x2 table, its proportions with intervals, and paired comparisons of two sets of calls."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats
from statsmodels.stats.proportion import proportion_confint


@dataclass(frozen=True)
class Proportion:
    """k of n, with 95 % (or `level`) intervals; `value` is None when n = 0 and the intervals are then 0 to 1."""

    k: int
    n: int
    value: float | None
    wilson: tuple[float, float]
    clopper_pearson: tuple[float, float]


def proportion(k: int, n: int, level: float = 0.95) -> Proportion:
    """Wilson (1927) score and Clopper-Pearson (1934) exact intervals. Raises ValueError unless 0 <= k <= n."""
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is no proportion.")
    if n == 0:
        return Proportion(0, 0, None, (0.0, 1.0), (0.0, 1.0))
    low, high = proportion_confint(k, n, 1 - level, method="beta")
    return Proportion(k, n, k / n, wilson_interval(k, n, level), (float(low), float(high)))


def wilson_interval(k: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson, J Am Stat Assoc 1927;22:209-212; 0 to 1 where n = 0."""
    if n == 0:
        return 0.0, 1.0
    low, high = proportion_confint(k, n, 1 - level, method="wilson")
    return float(low), float(high)


@dataclass(frozen=True)
class AccuracyTable:
    """The 2x2 table of calls against truth; "positive" is loose."""

    true_positive: int
    false_negative: int
    true_negative: int
    false_positive: int

    @classmethod
    def from_calls(cls, truth: npt.ArrayLike, called_positive: npt.ArrayLike) -> AccuracyTable:
        """Two boolean vectors of the same length, (n,)."""
        true, called = np.asarray(truth, dtype=bool), np.asarray(called_positive, dtype=bool)
        if true.shape != called.shape:
            raise ValueError("Truth and calls differ in length.")
        return cls(
            int((true & called).sum()),
            int((true & ~called).sum()),
            int((~true & ~called).sum()),
            int((~true & called).sum()),
        )

    @property
    def sensitivity(self) -> Proportion:
        return proportion(self.true_positive, self.true_positive + self.false_negative)

    @property
    def specificity(self) -> Proportion:
        return proportion(self.true_negative, self.true_negative + self.false_positive)

    @property
    def positive_predictive_value(self) -> Proportion:
        """At the prevalence of these cases."""
        return proportion(self.true_positive, self.true_positive + self.false_positive)

    @property
    def negative_predictive_value(self) -> Proportion:
        """At the prevalence of these cases."""
        return proportion(self.true_negative, self.true_negative + self.false_negative)


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
    """Two raters on the same n cases: both yes, only the first, only the second, neither.

    `difference` is the first's proportion minus the second's, with Tango's score interval and Newcombe's method 10.
    The two chi-square p-values are None when no pair is discordant; the exact ones are then 1.
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


def mcnemar(both: int, first_only: int, second_only: int, neither: int, level: float = 0.95) -> McNemar:
    """McNemar (1947): exact, mid-p (Fagerland 2013), chi-square with and without continuity correction."""
    n, discordant = both + first_only + second_only + neither, first_only + second_only
    if n == 0 or min(both, first_only, second_only, neither) < 0:
        raise ValueError("A paired table needs at least one case and no negative counts.")
    fewer = min(first_only, second_only)
    exact_p = min(1.0, 2 * float(stats.binom.cdf(fewer, discordant, 0.5))) if discordant else 1.0
    # With equal counts the mid-p of the two-sided test is 1 minus half the middle term (Fagerland 2013, eq. 3).
    middle = float(stats.binom.pmf(fewer, discordant, 0.5)) if discordant else 0.0
    if not discordant:
        mid_p = 1.0
    elif first_only == second_only:
        mid_p = 1 - 0.5 * middle
    else:
        mid_p = 2 * float(stats.binom.cdf(fewer, discordant, 0.5)) - middle
    chi2 = (first_only - second_only) ** 2 / discordant if discordant else None
    corrected = max(abs(first_only - second_only) - 1, 0) ** 2 / discordant if discordant else None
    return McNemar(
        n,
        first_only,
        second_only,
        exact_p,
        mid_p,
        chi2,
        float(stats.chi2.sf(chi2, 1)) if chi2 is not None else None,
        corrected,
        float(stats.chi2.sf(corrected, 1)) if corrected is not None else None,
        (first_only - second_only) / n,
        tango_interval(first_only, second_only, n, level),
        newcombe_paired_interval(both, first_only, second_only, neither, level),
    )


def tango_interval(first_only: int, second_only: int, n: int, level: float = 0.95) -> tuple[float, float]:
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
    both: int, first_only: int, second_only: int, neither: int, level: float = 0.95
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
