"""A free-response study in words and as JSON. All of it is exploratory: no protocol of this program registers it."""

from __future__ import annotations

import json
from typing import Any

from study.free_response import FreeResponseStudy
from study.report.provenance import Provenance
from study.report.words import interval, number, said_p, slug
from study.statistics.froc import FreeResponseMerit, estimate_free_response
from study.statistics.obuchowski_rockette import Inference, analyse_crossed
from study.statistics.roc import NotEstimableError

METHOD = ("Obuchowski-Rockette", "jackknife", "Hillis")


def free_response_report(study: FreeResponseStudy, provenance: Provenance) -> tuple[str, str]:
    """(text for the terminal, JSON). Every figure of merit by mode and reader, and the difference between modes."""
    lines = [
        f"{len(study.readers)} readers, {len(study.modes)} modes, {study.cases} cases with {study.lesions} lesions",
        "Exploratory: Obuchowski-Rockette, jackknife covariance, Hillis degrees of freedom",
    ]
    found: list[dict[str, Any]] = []
    for merit in FreeResponseMerit:
        entry: dict[str, Any] = {"endpoint": merit.value, "status": "exploratory", "values": [], "sentences": []}
        found.append(entry)
        lines += ["", str(merit)]
        try:
            values, covariance = estimate_free_response(study.data, merit)
            shape = (len(study.modes), len(study.readers))
            table = values.reshape(shape)
            for mode, row in zip(study.modes, table.tolist(), strict=True):
                lines.append(
                    f"  {mode}: " + "; ".join(f"{r} {number(v)}" for r, v in zip(study.readers, row, strict=True))
                )
                entry["values"] += [
                    {"mode": mode, "reader": r, "value": v} for r, v in zip(study.readers, row, strict=True)
                ]
            # The later mode minus the earlier, as everywhere.
            turned = covariance.reshape(shape + shape)[::-1, :, ::-1, :]
            analysis = analyse_crossed(table[::-1], turned, study.modes[::-1], study.readers, "jackknife")
            entry["differences"] = _differences(analysis.random_readers_random_cases, lines)
        except NotEstimableError as error:
            lines.append(f"  {error}")
            entry["sentences"].append(str(error))
    document = {
        "format": "lucency-free-response",
        "version": 1,
        "input": {"file": provenance.file, "sha256": provenance.sha256},
        "created_utc": provenance.created_utc,
        "versions": provenance.versions,
        "case_flow": {"cases": study.cases, "lesions": study.lesions},
        "figures_of_merit": found,
    }
    return "\n".join(lines) + "\n", json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _differences(inference: Inference, lines: list[str]) -> list[dict[str, Any]]:
    out = []
    for d in inference.differences:
        bounds = d.ci if d.se > 0 else None
        lines.append(f"  {d.first} minus {d.second}: {number(d.difference)} ({interval(bounds)}), {said_p(d.p)}")
        out.append(
            {
                "first": d.first,
                "second": d.second,
                "difference": d.difference,
                "ci95": list(bounds) if bounds else None,
                "generalises_to": inference.generalises_to,
                slug("p", *METHOD, inference.generalises_to): d.p,
            }
        )
    lines += [f"  {inference.caution}"] if inference.caution else []
    return out
