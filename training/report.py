"""The report of a cross-validation: figures with intervals, ROC and score plots, one HTML page that needs no network."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from study.statistics.accuracy import AccuracyTable
from study.statistics.roc import NotEstimableError, auc_delong, roc_curve
from training.strata import auc_within, strata_rows

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Cross-validation: {title}</title>
<style>body{{font:15px system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}
td,th{{padding:.2rem .8rem;text-align:left;border-bottom:1px solid #ddd}}img{{max-width:100%}}</style>
<h1>Cross-validation: {title}</h1><p>{summary}</p><table>{rows}</table>{figure}
<h2>Within strata</h2><table><tr><th>column<th>stratum<th>n<th>loose<th>AUC (95 % interval)</tr>{strata}</table>
<p>Hips are compared only with hips of the same kind. An AUC that falls here was a short cut.</p>
<h2>Options</h2><pre>{options}</pre>
<p>Out-of-fold predictions: predictions.csv. Pooled over the folds: the scores come from as many
networks as there are folds. No threshold was tuned: loose means a score of 50 or more. Intervals:
Wilson for shares, DeLong for AUC, both as if hips were independent; hips of one patient are not.</p></html>"""


def figures_of(rows: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Sensitivity, specificity and AUC of out-of-fold predictions, each with n and a 95 % interval."""
    truth = np.array([int(row["truth"]) for row in rows])
    scores = np.array([float(row["score"]) for row in rows])
    calls = np.array([int(row["call"]) for row in rows])
    table = AccuracyTable.from_calls(truth == 1, calls == 1)
    found: dict[str, Any] = {
        "n": len(rows),
        "patients": len({row["patient"] for row in rows}),
        "loose": int(truth.sum()),
    }
    for name, share in (("sensitivity", table.sensitivity), ("specificity", table.specificity)):
        found[name] = {"value": share.value, "wilson": list(share.wilson), "n": share.n}
    try:
        area = auc_delong(truth, scores)
        found["auc"] = {"value": area.auc, "delong": list(area.ci) if area.ci else None, "n": len(rows)}
    except NotEstimableError as error:
        found["auc"] = {"value": None, "reason": str(error)}
    per_fold: list[dict[str, Any]] = []
    for fold in sorted({row["fold"] for row in rows}):
        own = np.array([row["fold"] == fold for row in rows])
        try:
            per_fold.append({"fold": int(fold), "n": int(own.sum()), "auc": auc_delong(truth[own], scores[own]).auc})
        except NotEstimableError:
            per_fold.append({"fold": int(fold), "n": int(own.sum()), "auc": None})
    return found | {"folds": per_fold}


def plots(rows: Sequence[Mapping[str, str]]) -> bytes:
    """PNG: the ROC curve, and the scores by truth."""
    truth = np.array([int(row["truth"]) for row in rows])
    scores = np.array([float(row["score"]) for row in rows])
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    if 0 < truth.sum() < len(truth):
        curve = roc_curve(truth, scores)
        left.plot(curve.false_positive_rate, curve.true_positive_rate, drawstyle="steps-post")
    left.plot([0, 1], [0, 1], linestyle=":", color="grey")
    left.set(xlabel="1 - specificity", ylabel="sensitivity", title="ROC, out of fold", aspect="equal")
    edges = np.linspace(0, 100, 21)
    right.hist([scores[truth == 0], scores[truth == 1]], bins=edges.tolist(), label=["well fixed", "loose"])
    right.set(xlabel="score", ylabel="hips", title="Scores")
    right.legend()
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    return stream.getvalue()


def write_report(
    folder: Path,
    rows: Sequence[Mapping[str, str]],
    options: Mapping[str, Any],
    strata: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """report.html and figures.json; returns the figures. `strata` has a value for each of `rows`, by column."""
    found = figures_of(rows)
    truth = np.array([row["truth"] == "1" for row in rows])
    scores = np.array([float(row["score"]) for row in rows])
    found["strata"] = auc_within(truth, scores, [row["patient"] for row in rows], strata)
    (folder / "figures.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    lines = []
    for name in ("sensitivity", "specificity", "auc"):
        figure = found[name]
        interval = figure.get("wilson") or figure.get("delong")
        value = "not estimable" if figure["value"] is None else f"{figure['value']:.3f}"
        text = f"{interval[0]:.3f} – {interval[1]:.3f}" if interval else ""
        lines.append(f"<tr><th>{name}<td>{value}<td>{text}<td>n = {figure.get('n', found['n'])}</tr>")
    image = base64.b64encode(plots(rows)).decode("ascii")
    page = PAGE.format(
        title=html.escape(f"{options['architecture']}, weights {Path(str(options['weights'])).name}"),
        summary=f"{found['n']} hips of {found['patients']} patients, {found['loose']} loose.",
        rows="".join(lines),
        strata="".join(
            "<tr>" + "".join(f"<td>{html.escape(str(value))}" for value in row) + "</tr>"
            for row in strata_rows(found["strata"])
        ),
        figure=f'<img alt="ROC curve and scores" src="data:image/png;base64,{image}">',
        options=html.escape(json.dumps(options, indent=1)),
    )
    (folder / "report.html").write_text(page, encoding="utf-8")
    return found
