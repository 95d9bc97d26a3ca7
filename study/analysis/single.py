"""One reader in one mode."""

from __future__ import annotations

import numpy as np

from study.analysis.grid import Grid
from study.analysis.results import ReaderResult
from study.statistics.accuracy import AccuracyTable
from study.statistics.partial import high_specificity
from study.statistics.roc import NotEstimableError, auc_delong, roc_curve


def reader_result(grid: Grid, mode: int, reader: int) -> ReaderResult:
    """A missing or indeterminate call counts as an error; a reading without a score is left out of the AUC."""
    read = grid.read[mode, reader]
    scores, truth = grid.scores[mode, reader], grid.truth
    scored = np.isfinite(scores)
    sentences: list[str] = []
    auc = curve = high = None
    cluster = grid.cluster
    try:
        if scored.any():
            patients = None if cluster is None else cluster[scored]
            auc = auc_delong(truth[scored], scores[scored], cluster=patients)
            high = high_specificity(truth[scored], scores[scored], patients)
            curve = roc_curve(truth[scored], scores[scored])
            sentences += [auc.caution] if auc.caution else []
    except NotEstimableError as error:
        sentences.append(str(error))
    if auc is not None and auc.auc < 0.5:
        sentences.append(
            "The AUC is below 0.5: this reader ranked not loose hips above loose ones more often than not."
        )
    table, calls_missing = None, 0
    if grid.calls is not None and np.isfinite(grid.calls[mode, reader]).any():
        calls = grid.calls[mode, reader]
        calls_missing = int((read & ~np.isfinite(calls)).sum())
        # A missing or indeterminate call is wrong whichever way the truth lies.
        called = np.where(np.isfinite(calls), calls == 1, ~truth)
        table = AccuracyTable.from_calls(truth[read], called[read], None if cluster is None else cluster[read])
    seconds = grid.seconds[mode, reader] if grid.seconds is not None else np.full(truth.size, np.nan)
    timed = seconds[np.isfinite(seconds)]
    return ReaderResult(
        grid.readers[reader],
        grid.modes[mode],
        int(read.sum()),
        int((read & ~scored).sum()),
        auc,
        curve,
        table,
        table.sensitivity if table else None,
        table.specificity if table else None,
        table.positive_predictive_value if table else None,
        table.negative_predictive_value if table else None,
        calls_missing,
        float(np.median(timed)) if timed.size else None,
        (float(np.percentile(timed, 25)), float(np.percentile(timed, 75))) if timed.size else None,
        tuple(sentences),
        high,
    )
