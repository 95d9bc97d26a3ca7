"""Expected numbers of `stats-cases`: a value passes within the tolerance of the main or of any accepted value."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any


def load(folder: Path, case: str) -> dict[str, dict[str, Any]]:
    entries = json.loads((folder / f"{case}.expected.json").read_text())["expected"]
    return {entry["id"]: entry for entry in entries}


def matches(entry: dict[str, Any], value: float | None) -> bool:
    if value is None or not math.isfinite(value):
        return False
    tolerance = entry["tol"]
    return any(
        abs(value - target) <= max(tolerance.get("abs", 0.0), tolerance.get("rel", 0.0) * abs(target))
        for target in [entry["value"], *(entry.get("accept_any_of") or [])]
    )


def check(folder: Path, case: str, computed: dict[str, float | None]) -> None:
    """Every expected number of the case is computed and right; the message lists each that is not."""
    wrong = [
        f"{name}: got {computed.get(name)}, want {entry['value']}"
        for name, entry in load(folder, case).items()
        if not matches(entry, computed.get(name))
    ]
    assert not wrong, "\n".join(wrong)
