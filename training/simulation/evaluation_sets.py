"""The evaluation sets, frozen before training: what every published figure is measured on.

A set is a seed, a count and options; its images are drawn anew where they are needed. `FINGERPRINTS` pins what those
draws give (labels, lines, implants, patients, exposure, processing), so that a change of any parameter range is
noticed: such a change is a new version of the set with its own results, beside the old ones.

Difficulty of version 1, measured when it was frozen: see docs/simulation.md.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

import numpy as np

from imaging.radiograph import Side
from training.simulation import anatomy, implants, processing, radiograph
from training.simulation.options import SimulationOptions

VERSION = 1


@dataclass(frozen=True)
class EvaluationSet:
    name: str
    seed: int
    count: int  # radiographs
    options: SimulationOptions
    purpose: str
    version: int = VERSION


EVALUATION_SETS: dict[str, EvaluationSet] = {
    each.name: each
    for each in (
        EvaluationSet("calibration", 9001, 1500, SimulationOptions(unsuitable_share=0.2), "temperature and thresholds"),
        EvaluationSet("fresh", 9002, 2000, SimulationOptions(), "headline figures: new seeds, the trained ranges"),
        EvaluationSet("shifted", 9003, 1000, SimulationOptions(shifted=True), "other stems, spectra, tone, positions"),
        EvaluationSet(
            "coarse", 9004, 500, SimulationOptions(size_px=(160, 340), pelvis_share=0.0), "above 0.7 mm per pixel"
        ),
        EvaluationSet("gate", 9005, 1500, SimulationOptions(unsuitable_share=0.75), "what must be refused"),
    )
}
RESERVED_SEEDS = frozenset(each.seed for each in EVALUATION_SETS.values())  # never train on these


def _plain(value: Any) -> Any:
    """JSON-ready, floats rounded so that the last bits of a platform's arithmetic do not matter."""
    if is_dataclass(value) and not isinstance(value, type):
        return {key: _plain(getattr(value, key)) for key in sorted(value.__dataclass_fields__)}
    if isinstance(value, np.ndarray):
        return [_plain(v) for v in value.ravel()[::16].tolist()]
    if isinstance(value, dict):
        return {str(key): _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return f"{value:.3g}"
    return value if isinstance(value, int | str | bool) or value is None else str(value)


def draws(seed: int, index: int, options: SimulationOptions) -> dict[str, Any]:
    """What is drawn for one suitable image before anything is rendered."""
    stream = radiograph.streams(seed, index)
    patient = anatomy.draw_patient(stream("patient"), options.shifted)
    design = radiograph.draw_design(stream, options, patient, Side.LEFT, True, "main")
    plans = radiograph.draw_plans(stream, options, design, "main", 0)
    return {
        "patient": patient,
        "stem": design.stem,
        "cup": design.cup,
        "plans": plans,
        "exposure": radiograph.draw_exposure(stream("exposure"), options),
        "look": processing.draw_look(stream("look"), options.clean, options.shifted),
        "overlays": processing.draw_overlays(stream("overlays")),
        "longer_px": radiograph.draw_size(stream("size"), options),
    }


def fingerprint(each: EvaluationSet, images: int = 40) -> str:
    """SHA-256 over the set's definition, the implant families, the visibility rule and the first images' draws."""
    content = {
        "seed": each.seed,
        "count": each.count,
        "options": asdict(each.options),
        "families": implants.FAMILIES,
        "rule": [radiograph.VISIBLE_CNR, radiograph.VISIBLE_CONTRAST, radiograph.MIN_VISIBLE_SHARE],
        "draws": [draws(each.seed, index, each.options) for index in range(images)],
    }
    return hashlib.sha256(json.dumps(_plain(content), sort_keys=True).encode()).hexdigest()


FINGERPRINTS: dict[str, str] = {
    "calibration": "74ded5159527b615218444712e1ae065642bcff01d03063f1e5ab14bc7d29993",
    "fresh": "32750990286c68230df19c2b9a0099a67d7c19f6d3443a0b3cda9453a4f45bb3",
    "shifted": "18cfb915eb82b92be2fbacfda761e4b796c8ad3ec849cf222d3423058821a58d",
    "coarse": "d8d27cab58d10a61dab611b036b93ed2e95513e10b1f66e034d131027da8a48d",
    "gate": "2aaecbe265fef2eee104dbf8feb49a168e31e8553994c83472144d20b9db684c",
}
