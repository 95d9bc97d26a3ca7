"""The frozen cohorts by name, as scoring draws them (training/simulation/evaluation_sets.py holds what they are)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from training.scoring import CohortSpec
from training.simulation.evaluation_sets import EVALUATION_SETS

CALIBRATION = "calibration"
EVALUATION = tuple(name for name in EVALUATION_SETS if name != CALIBRATION)


def limits(words: Sequence[str]) -> dict[str, int]:
    """`["500", "gate=300"]` -> {"": 500, "gate": 300}: radiographs per set, "" for those not named. ValueError else."""
    found = {}
    for word in words:
        name, _, number = word.rpartition("=")
        if name and name not in EVALUATION_SETS:
            raise ValueError(f"There is no set “{name}”: choose from {', '.join(EVALUATION_SETS)}.")
        found[name] = int(number)
    return found


def cohort(name: str, limit: Mapping[str, int] | None = None) -> CohortSpec:
    """The cohort of that name, or its first radiographs as `limits` says."""
    frozen = EVALUATION_SETS[name]
    allowed = limit or {}
    limit_here = allowed.get(name, allowed.get("", frozen.count))
    return CohortSpec(name, frozen.seed, min(limit_here, frozen.count), frozen.options)
