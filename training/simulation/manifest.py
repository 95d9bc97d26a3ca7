"""One row per simulated hip: what was drawn, readable as a training cohort (`path, patient, side, label, region`)."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from training.simulation.truth import ComponentTruth, HipTruth, SimulatedRadiograph

COHORT_COLUMNS = ("path", "patient", "side", "label", "region")
COMPONENT_COLUMNS = (
    "label",
    "fixation",
    "family",
    "widest_mm",
    "coverage",
    "contrast_to_noise",
    "visible_share",
    "signs",
)
COLUMNS = (
    *COHORT_COLUMNS, "seed", "index", "kind", "suitability", "replaced", "hard",
    *(f"stem_{name}" for name in COMPONENT_COLUMNS), *(f"cup_{name}" for name in COMPONENT_COLUMNS), "notes",
)  # fmt: skip


def rows_of(image: SimulatedRadiograph, path: str, seed: int, index: int) -> Iterator[dict[str, Any]]:
    """A dictionary per hip, or one for an image without any; nuisances under `nuisance_…`."""
    truth = image.truth
    for hip in truth.hips or (None,):
        row: dict[str, Any] = dict.fromkeys(COLUMNS, "")
        row |= {
            "path": path,
            "patient": f"sim-{seed}-{index}",
            "seed": seed,
            "index": index,
            "kind": truth.kind,
            "suitability": str(truth.suitability),
            "notes": "; ".join(truth.notes),
        }
        if hip is not None:
            row |= _hip_row(hip)
        row |= {f"nuisance_{name}": round(float(value), 6) for name, value in truth.nuisance.items()}
        yield row


def _hip_row(hip: HipTruth) -> dict[str, Any]:
    row: dict[str, Any] = {
        "side": hip.side.value,
        "label": "" if hip.label is None else str(hip.label),
        "region": ",".join(f"{value:.1f}" for value in hip.region.box),
        "replaced": int(hip.replaced),
        "hard": int(hip.hard),
    }
    for name, part in (("stem", hip.stem), ("cup", hip.cup)):
        if part is not None:
            row |= {f"{name}_{key}": value for key, value in _component_row(part).items()}
    return row


def _component_row(part: ComponentTruth) -> dict[str, Any]:
    return {
        "label": str(part.label),
        "fixation": str(part.fixation),
        "family": part.family,
        "widest_mm": part.widest_mm,
        "coverage": part.coverage,
        "contrast_to_noise": "" if part.line_contrast_to_noise is None else part.line_contrast_to_noise,
        "visible_share": "" if part.line_visible_share is None else part.line_visible_share,
        "signs": "|".join(part.signs),
    }


def truth_record(image: SimulatedRadiograph) -> dict[str, Any]:
    """The truth as plain JSON, without masks: what goes beside a sample."""
    hips = []
    for hip in image.truth.hips:
        record: dict[str, Any] = {
            "side": hip.side.value,
            "region": [round(value, 1) for value in hip.region.box],
            "replaced": hip.replaced,
            "label": None if hip.label is None else str(hip.label),
            "landmarks_px": {
                name: [round(v, 1) for v in value] if isinstance(value, tuple) else round(value, 1)
                for name, value in hip.landmarks_px.items()
            },
        }
        for name, part in (("stem", hip.stem), ("cup", hip.cup)):
            if part is not None:
                record[name] = _component_row(part) | {
                    "signs": list(part.signs),
                    "zone_widths_mm": dict(part.zone_widths_mm),
                    "zone_continuity": dict(part.zone_continuity),
                }
        hips.append(record)
    label = image.truth.label
    return {
        "simulated": True,
        "kind": image.truth.kind,
        "suitability": str(image.truth.suitability),
        "label": None if label is None else str(label),
        "spacing_mm": [round(value, 5) for value in image.spacing_mm],
        "hips": hips,
    }


def write_manifest(rows: Iterable[dict[str, Any]], path: Path) -> int:
    """CSV with the union of the rows' columns, the cohort's first; returns the number of rows."""
    rows = list(rows)
    extra = sorted({key for row in rows for key in row} - set(COLUMNS))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*COLUMNS, *extra], restval="")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def write_truth(image: SimulatedRadiograph, path: Path, extra: dict[str, Any] | None = None) -> None:
    path.write_text(json.dumps(truth_record(image) | (extra or {}), indent=1) + "\n", encoding="utf-8")
