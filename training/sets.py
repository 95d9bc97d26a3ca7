"""The frozen cohorts by name, as scoring draws them (training/simulation/evaluation_sets.py holds what they are)."""

from __future__ import annotations

from training.scoring import CohortSpec
from training.simulation.evaluation_sets import EVALUATION_SETS

CALIBRATION = "calibration"
EVALUATION = tuple(name for name in EVALUATION_SETS if name != CALIBRATION)


def cohort(name: str, limit: int | None = None) -> CohortSpec:
    """The cohort of that name, or its first `limit` radiographs."""
    frozen = EVALUATION_SETS[name]
    count = frozen.count if limit is None else min(limit, frozen.count)
    return CohortSpec(name, frozen.seed, count, frozen.options)
