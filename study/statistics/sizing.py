"""How many readers and cases a study needs, from pilot or typed variance components.

Hillis, Obuchowski, Berbaum, Acad Radiol 2011;18:129-142: error covariances shrink with the number of cases, the
reader-by-mode variance does not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a window that offers published variances does not wait for scipy
    from study.statistics.obuchowski_rockette import Components


@dataclass(frozen=True)
class Pilot:
    """Variance components of a figure of merit, estimated on `cases` cases with the planned share of loose ones."""

    var_interaction: float
    var: float
    cov1: float
    cov2: float
    cov3: float
    cases: int

    @classmethod
    def from_components(cls, parts: Components, cases: int) -> Pilot:
        """A negative reader-by-mode variance counts as zero."""
        return cls(max(parts.var_interaction, 0.0), parts.var, parts.cov1, parts.cov2, parts.cov3, cases)


@dataclass(frozen=True)
class Power:
    readers: int
    cases: int
    effect: float
    power: float
    noncentrality: float
    denominator_df: float


def power(pilot: Pilot, readers: int, cases: int, effect: float, alpha: float = 0.05) -> Power:
    """Power of the two-sided test of two modes, random readers and random cases. Raises ValueError for impossible plans."""
    from scipy import stats

    if readers < 2 or cases < 2:
        raise ValueError("A study needs at least two readers and two cases.")
    if not 0 < alpha < 1:
        raise ValueError("The significance level must lie between 0 and 1.")
    if not math.isfinite(effect):
        raise ValueError("The difference must be a number.")
    parts = (pilot.var_interaction, pilot.var, pilot.cov1, pilot.cov2, pilot.cov3)
    if pilot.cases < 2 or not all(map(math.isfinite, parts)) or pilot.var_interaction < 0 or pilot.var <= 0:
        raise ValueError("Give the variance components of a pilot, and the number of its cases.")
    shrink = pilot.cases / cases
    spread = max(pilot.cov2 - pilot.cov3, 0.0)
    own = pilot.var - pilot.cov1
    interaction = pilot.var_interaction + shrink * (own - spread)
    denominator = pilot.var_interaction + shrink * (own + (readers - 1) * spread)
    if denominator <= 0 or interaction <= 0:
        raise ValueError("These variance components leave no error variance, so power cannot be computed.")
    df = denominator**2 * (readers - 1) / interaction**2
    noncentrality = readers * effect**2 / 2 / denominator
    critical = stats.f.ppf(1 - alpha, 1, df)
    return Power(readers, cases, effect, float(stats.ncf.sf(critical, 1, df, noncentrality)), noncentrality, float(df))


def cases_for_power(
    pilot: Pilot, readers: int, effect: float, target: float = 0.8, alpha: float = 0.05, most: int = 100_000
) -> int | None:
    """The fewest cases that reach the target power; None when no number up to `most` does (more readers are needed)."""
    if effect == 0:
        raise ValueError("A difference of zero cannot be detected.")
    if not 0 < target < 1:
        raise ValueError("The power must lie between 0 and 1.")
    if power(pilot, readers, most, effect, alpha).power < target:
        return None
    low, high = 2, most
    while low < high:
        middle = (low + high) // 2
        if power(pilot, readers, middle, effect, alpha).power >= target:
            high = middle
        else:
            low = middle + 1
    return low


@dataclass(frozen=True)
class Alternative:
    """One way to reach the target power; `cases` is None where no number of cases does with so few readers."""

    readers: int
    cases: int | None
    planned: float | None  # power with the planned number of cases; None where none are planned


def alternatives(
    pilot: Pilot,
    readers: Sequence[int],
    effect: float,
    target: float = 0.8,
    alpha: float = 0.05,
    planned_cases: int = 0,
) -> list[Alternative]:
    """The fewest cases for each number of readers. Raises ValueError for impossible plans."""
    return [
        Alternative(
            count,
            cases_for_power(pilot, count, effect, target, alpha),
            power(pilot, count, planned_cases, effect, alpha).power if planned_cases >= 2 else None,
        )
        for count in readers
    ]


@dataclass(frozen=True)
class Typical:
    """Components of the AUC of a published study, for a plan without a pilot; its source and its cases."""

    source: str
    pilot: Pilot


# With jackknife covariances; a negative reader-by-mode variance counts as zero.
TYPICAL = (
    Typical(
        "Van Dyke et al. 1993: cine and spin-echo MRI of aortic dissection, 5 readers, 114 cases (Hillis, Stat Med 2007;26:596)",
        Pilot(0.00020040, 0.00080229, 0.00034661, 0.00034407, 0.00023903, 114),
    ),
    Typical(
        "Franken et al., Invest Radiol 1992;27:732: radiographs of newborns on film and workstation, 4 readers, 100 cases",
        Pilot(0.0, 0.00152578, 0.00079168, 0.00048364, 0.00051251, 100),
    ),
)


@dataclass(frozen=True)
class CasesRange:
    """How many cases a plan needs if the pilot had come out otherwise; None: out of reach. share: of the draws in reach."""

    low: int | None
    high: int | None
    share: float


def cases_range(
    draws: Sequence[Pilot], readers: int, effect: float, target: float = 0.8, alpha: float = 0.05, level: float = 0.8
) -> CasesRange | None:
    """The middle `level` of the cases that the draws of a pilot (`study.design.pilot_draws`) need; None without draws."""
    needed: list[float] = []
    for pilot in draws:
        try:
            found = cases_for_power(pilot, readers, effect, target, alpha)
        except ValueError:  # variances that leave no error
            continue
        needed.append(math.inf if found is None else found)
    if not needed:
        return None
    needed.sort()
    low, high = (needed[min(round(q * (len(needed) - 1)), len(needed) - 1)] for q in ((1 - level) / 2, (1 + level) / 2))
    reached = sum(map(math.isfinite, needed)) / len(needed)
    return CasesRange(int(low) if low < math.inf else None, int(high) if high < math.inf else None, reached)
