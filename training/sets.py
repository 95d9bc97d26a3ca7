"""The cohorts by name: which seeds are for training, which for calibration, which for the figures."""

from __future__ import annotations

from dataclasses import replace

from training.scoring import CohortSpec
from training.simulation.options import SimulationOptions

CALIBRATION = "calibration"
EVALUATION = ("fresh", "shifted", "coarse", "gate")

_SETS = {
    CALIBRATION: CohortSpec(CALIBRATION, 9001, 1000, SimulationOptions(unsuitable_share=0.3)),
    "fresh": CohortSpec("fresh", 9002, 2000, SimulationOptions()),
    "shifted": CohortSpec("shifted", 9003, 1000, SimulationOptions(shifted=True)),
    "coarse": CohortSpec("coarse", 9004, 400, SimulationOptions(size_px=(160, 340), pelvis_share=0.0)),
    "gate": CohortSpec("gate", 9005, 800, SimulationOptions(unsuitable_share=0.75)),
}


def cohort(name: str, limit: int | None = None) -> CohortSpec:
    """The cohort of that name, or its first `limit` radiographs."""
    spec = _SETS[name]
    return spec if limit is None else replace(spec, count=min(limit, spec.count))
