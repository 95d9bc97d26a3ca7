"""The AUC within strata: what is left of a result when hips are compared only with hips of the same kind.

A score that knows the fixation, or the hospital, but nothing of loosening, has an AUC near .5 within each kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from study.statistics.covariance import Covariance, estimate
from study.statistics.roc import NotEstimableError, placements
from training.cohort import CohortCase

MAX_STRATA = 12
FEW = 5  # hips of each class that a stratum needs for an interval worth reading


def strata_columns(cases: Sequence[CohortCase]) -> dict[str, list[str]]:
    """The columns that divide the cohort into a few strata, with the value of each case: the side, and the CSV's own."""
    columns = {"side": [str(case.side) for case in cases]}
    for name in dict.fromkeys(name for case in cases for name in case.columns):
        columns[name] = [case.columns.get(name, "") or "not given" for case in cases]
    return {name: values for name, values in columns.items() if 2 <= len(set(values)) <= MAX_STRATA}


def auc_within(
    truth: npt.NDArray[np.bool_],
    scores: npt.NDArray[np.float64],
    patients: Sequence[str],
    columns: Mapping[str, Sequence[str]],
) -> dict[str, dict[str, Any]]:
    """Per column: each stratum's n, loose and AUC, and `within`, the AUC over all pairs from the same stratum.

    Intervals take the hips of a patient together (Obuchowski 1997; for `within` a jackknife over patients). A stratum
    with fewer than FEW hips of a class has a `reason` instead of an AUC.
    """
    names = np.asarray(patients)
    return {
        column: {
            "strata": {
                value: _stratum(truth[own], scores[own], names[own])
                for value in sorted(set(values))
                for own in [np.asarray(values) == value]
            },
            "within": _within(truth, scores, names, np.asarray(values)),
        }
        for column, values in columns.items()
    }


def _stratum(
    truth: npt.NDArray[np.bool_], scores: npt.NDArray[np.float64], patients: npt.NDArray[np.str_]
) -> dict[str, Any]:
    counts: dict[str, Any] = {"n": len(truth), "loose": int(truth.sum())}
    if min(counts["loose"], counts["n"] - counts["loose"]) < FEW:
        return counts | {"auc": None, "reason": f"fewer than {FEW} hips of a class"}
    try:
        found = estimate(truth, scores, method=Covariance.CLUSTERED, cluster=patients)
    except NotEstimableError as error:
        return counts | {"auc": None, "reason": str(error)}
    auc = float(found.values[0])
    return counts | {"auc": auc, "ci": _interval(auc, float(np.sqrt(max(0.0, found.covariance[0, 0]))))}


def _within(
    truth: npt.NDArray[np.bool_],
    scores: npt.NDArray[np.float64],
    patients: npt.NDArray[np.str_],
    values: npt.NDArray[np.str_],
) -> dict[str, Any]:
    def pooled(kept: npt.NDArray[np.bool_]) -> tuple[float, int]:
        total, pairs = 0.0, 0
        for value in set(values.tolist()):
            own = kept & (values == value)
            m, n = int(truth[own].sum()), int((~truth[own]).sum())
            if m and n:
                total += m * n * float(placements(truth[own], scores[own]).auc[0])
                pairs += m * n
        return (total / pairs if pairs else float("nan")), pairs

    auc, pairs = pooled(np.full(len(truth), True))
    if not pairs:
        return {"auc": None, "pairs": 0, "reason": "no stratum has hips of both classes"}
    left_out = np.array([pooled(patients != patient)[0] for patient in np.unique(patients)])
    if len(left_out) < 3 or not np.isfinite(left_out).all():
        return {"auc": auc, "pairs": pairs, "ci": None}
    se = float(np.sqrt((len(left_out) - 1) / len(left_out) * ((left_out - left_out.mean()) ** 2).sum()))
    return {"auc": auc, "pairs": pairs, "ci": _interval(auc, se)}


def _interval(auc: float, se: float) -> list[float]:
    return [max(0.0, auc - 1.959964 * se), min(1.0, auc + 1.959964 * se)]


def strata_rows(found: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, int, int | str, str]]:
    """(column, stratum, n, loose, AUC with its interval or the reason) for tables."""
    rows: list[tuple[str, str, int, int | str, str]] = []
    for column, each in found.items():
        rows += [(column, value, own["n"], own["loose"], _written(own)) for value, own in each["strata"].items()]
        n = sum(own["n"] for own in each["strata"].values())
        rows.append((column, "within all of them", n, "", _written(each["within"])))
    return rows


def _written(own: Mapping[str, Any]) -> str:
    if own["auc"] is None:
        return str(own["reason"])
    return f"{own['auc']:.2f}" + (f" ({own['ci'][0]:.2f}–{own['ci'][1]:.2f})" if own["ci"] else "")
