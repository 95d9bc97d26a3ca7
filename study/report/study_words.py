"""A study and its plan as rows of (what, how), for a table that people read."""

from __future__ import annotations

import msgspec

from study.dossier import Dossier
from study.protocol import (
    AnalysisPlan,
    Arms,
    Endpoint,
    Hypothesis,
    Indeterminate,
    Method,
    Missing,
    Multiplicity,
    NegativeVariance,
    Protocol,
    Scale,
    StudyDesign,
)
from study.report.words import counted, when

_DESIGNS = {
    StudyDesign.CROSSED: "fully crossed: every reader reads every case in every arm",
    StudyDesign.SPLIT_PLOT: "paired split-plot: readers and cases in blocks; a reader reads one block in every arm",
    StudyDesign.CNN_AGAINST_READERS: "CNN against readers, who read without it",
}
_ENDPOINTS = {
    Endpoint.AUC: "area under the empirical ROC curve (AUC)",
    Endpoint.SENSITIVITY: "sensitivity",
    Endpoint.SPECIFICITY: "specificity",
}
_METHODS = {
    Method.OBUCHOWSKI_ROCKETTE: (
        "Obuchowski-Rockette, readers and cases random, Hillis degrees of freedom; jackknife covariance, or by patient "
        "(Obuchowski 1997) where patients have several cases"
    ),
    Method.U_STATISTICS: (
        "U-statistics (Gallas 2009), unbiased variance, by patient where patients have several cases, BDG degrees of freedom"
    ),
    Method.ONE_AGAINST_MANY: (
        "one algorithm against readers (Hillis), readers and cases random; jackknife covariance, or by patient where "
        "patients have several cases"
    ),
}
_INDETERMINATE = {
    Indeterminate.COUNT_AS_ERROR: "count as a wrong call; without a score, as the worst score",
    Indeterminate.LEAVE_OUT: "are left out",
    Indeterminate.BY_SCORE: "are called by their score (the CNN's by its operating point); without one they count as an error",
}
_MULTIPLICITY = {
    Multiplicity.NONE: "no correction: the primary endpoint alone decides, everything else is exploratory",
    Multiplicity.FIXED_SEQUENCE: (
        "fixed sequence, primary endpoint first: each endpoint decides only if the one before it was significant"
    ),
    Multiplicity.HOLM: "Holm's step-down correction over the primary endpoint and the secondary endpoints that are tested",
    Multiplicity.HOLM_OVER_PRIMARY: (
        "Holm's step-down correction over the primary endpoints: there is one, so nothing is corrected, and the secondary "
        "ones describe"
    ),
}
NEGATIVE_VARIANCE = {
    NegativeVariance.NO_TEST: "no test and no interval",
    NegativeVariance.MLE: "the MLE variance takes its place, as iMRMC prints it",
}
_MISSING = {
    Missing.COUNT_AS_ERROR: "count as a wrong call and the worst score",
    Missing.LEAVE_OUT: "are left out, and with them the case for all readers where the method needs complete cases",
    Missing.AVAILABLE: "are left out alone; Obuchowski-Rockette then takes unbiased covariances",
}


def about_the_plan(plan: AnalysisPlan) -> list[tuple[str, str]]:
    """Everything of the analysis that was fixed beforehand."""
    if plan.hypothesis is Hypothesis.NON_INFERIORITY:
        hypothesis = f"non-inferiority with a margin of {plan.margin:g}, one-sided at {plan.alpha / 2:g}"
    else:
        hypothesis = f"a difference, two-sided at {plan.alpha:g}"
    rows = [
        ("Primary endpoint", _ENDPOINTS[plan.endpoint]),
        ("Hypothesis", hypothesis),
        ("Method", _METHODS[plan.method]),
        *_compared(plan),
        ("Missing readings", _MISSING[plan.missing]),
        ("Indeterminate readings", _INDETERMINATE[plan.indeterminate]),
        ("Secondary endpoints", "; ".join(plan.secondary) or "none"),
        ("Several tests", _MULTIPLICITY[plan.multiplicity]),
    ]
    if plan.effect is not None and plan.power is not None:
        rows.append(("Planned to find", f"a difference of {plan.effect:g} with a power of {plan.power:g}"))
    return rows


def _compared(plan: AnalysisPlan) -> list[tuple[str, str]]:
    """What only some plans name."""
    rows = []
    if plan.new_mode is not msgspec.UNSET and plan.reference_mode is not msgspec.UNSET:
        rows.append(("Compared", f"{plan.new_mode} (new) minus {plan.reference_mode} (reference)"))
    if plan.negative_variance is not msgspec.UNSET:
        rows.append(("Where the unbiased variance is not positive", NEGATIVE_VARIANCE[plan.negative_variance]))
    return rows


def about_the_study(dossier: Dossier) -> list[tuple[str, str]]:
    protocol = dossier.protocol
    return [
        ("Question", protocol.question),
        ("Reference standard", protocol.reference_standard),
        ("Where it comes from", protocol.reference_source),
        ("Design", _DESIGNS[protocol.design]),
        ("Arms", _arms(protocol)),
        ("Readers planned", "; ".join(f"{group.count} × {group.experience}" for group in protocol.readers)),
        ("Cases planned", f"{protocol.planned_cases}, and {protocol.practice_cases} for practice, which never count"),
        ("Rating", _rating(protocol)),
        ("Blinding", _blinding(protocol)),
        (
            "Read twice",
            f"{counted(protocol.repeats, 'case')} by each reader in each arm" if protocol.repeats else "none",
        ),
        ("Flipped CNN outputs", f"{protocol.sham_share:.0%} of the cases" if protocol.sham_share else "none"),
        ("CNN", f"{protocol.bundle_id}, SHA-256 {protocol.bundle_sha256}"),
        ("Registered", when(dossier.registered_utc)),
        ("Reading phase closed", when(dossier.closed_utc)),
        ("Truth opened", when(dossier.unsealed_utc)),
    ]


def _arms(protocol: Protocol) -> str:
    if protocol.arms is Arms.SEQUENTIAL:
        return "unaided, locked; then with the CNN on the same case"
    if protocol.arms is Arms.UNAIDED:
        return "unaided"
    return f"crossover: one arm unaided, one aided from the start, {protocol.washout_days} days of washout between them"


def _rating(protocol: Protocol) -> str:
    scale = (
        "0-100 for loosening, 50 not allowed" if protocol.scale is Scale.SCORE else "five points, written as 0 to 100"
    )
    asked = [name for name, is_asked in (("zones", protocol.zones_asked), ("marks", protocol.marks_asked)) if is_asked]
    may = [
        name
        for name, allowed in (
            ("not assessable", protocol.not_assessable_allowed),
            ("cannot tell", protocol.cannot_tell_allowed),
        )
        if allowed
    ]
    parts = [f"call (loose, not loose) and score ({scale})"]
    parts += [f"asked for {' and '.join(asked)}"] if asked else []
    parts += [f"“{' and '.join(may)}” allowed"] if may else ["an answer on every case"]
    return "; ".join(parts)


def _blinding(protocol: Protocol) -> str:
    going_back = "answers may be corrected, with a reason" if protocol.going_back_allowed else "no going back"
    overlay = "with" if protocol.overlay_allowed else "without"
    shown = f"the CNN's answer {overlay} its attention map, once it may be known; " if protocol.shows_cnn else ""
    return (
        "truth sealed until the reading phase was closed; no names, dates, other readers or running score; "
        f"{shown}a random order for each reader; {going_back}"
    )
