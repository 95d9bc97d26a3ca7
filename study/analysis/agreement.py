"""Agreement: between the readers of one mode, and of one reader with themselves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from study.analysis.grid import Grid
from study.analysis.results import AgreementResult, IntraReaderResult
from study.scores import ScoreTable
from study.statistics.accuracy import proportion
from study.statistics.agreement import (
    chance_corrected,
    cohen_kappa,
    counts_by_category,
    fleiss_kappa,
    intraclass_correlations,
    krippendorff_alpha,
)
from study.statistics.roc import NotEstimableError

NO_WIDTH = "Kappa has no interval where all agree; that is no proof of perfect agreement."


def between_readers(grid: Grid, mode: int, people: list[int]) -> list[AgreementResult]:
    readers = [index for index in people if grid.read[mode, index].any()]
    if len(readers) < 2:
        return []
    out = []
    if grid.calls is not None:
        calls = grid.calls[mode, readers].T
        out.append(_call_agreement(grid.modes[mode], calls[np.isfinite(calls).sum(axis=1) > 0]))
    scores = grid.scores[mode, readers].T
    complete = np.isfinite(scores).all(axis=1)
    coefficients: dict[str, tuple[float, float | None, float | None]] = {}
    sentences: list[str] = []
    try:
        for form in intraclass_correlations(scores[complete]):
            if form.form in ("ICC(2,1)", "ICC(3,1)"):
                coefficients[f"{form.form} (Shrout-Fleiss)"] = (form.value, *form.ci)
    except NotEstimableError as error:
        sentences.append(str(error))
    out.append(
        AgreementResult(grid.modes[mode], "scores", len(readers), int(complete.sum()), coefficients, tuple(sentences))
    )
    return out


def _call_agreement(mode: str, calls: npt.NDArray[np.float64]) -> AgreementResult:
    coefficients: dict[str, tuple[float, float | None, float | None]] = {}
    sentences: list[str] = []
    complete = calls[np.isfinite(calls).all(axis=1)]
    try:
        chance = chance_corrected(calls)
        coefficients["raw agreement"] = (chance.raw_agreement, None, None)
        coefficients["Gwet AC1"] = (chance.gwet_ac1, None, None)
        coefficients["Krippendorff alpha (nominal)"] = (krippendorff_alpha(calls), None, None)
        if calls.shape[1] == 2:
            kappa = cohen_kappa(_cross_table(complete[:, 0], complete[:, 1]))
            coefficients["Cohen kappa"] = (kappa.kappa, *(kappa.ci if kappa.se > 0 else (None, None)))
            sentences += [] if kappa.se > 0 else [NO_WIDTH]
        else:
            fleiss = fleiss_kappa(counts_by_category(complete)[0])
            coefficients["Fleiss kappa (jackknife interval)"] = (
                fleiss.kappa,
                *(fleiss.ci if fleiss.se > 0 else (None, None)),
            )
            sentences += [] if fleiss.se > 0 else [NO_WIDTH]
    except NotEstimableError as error:
        sentences.append(str(error))
    return AgreementResult(mode, "calls", calls.shape[1], calls.shape[0], coefficients, tuple(sentences))


def _cross_table(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """(2, 2) counts of two vectors of calls, 0 or 1."""
    return np.array([[((first == a) & (second == b)).sum() for b in (0, 1)] for a in (0, 1)])


def intra_reader(first: ScoreTable, second: ScoreTable) -> tuple[IntraReaderResult, ...]:
    """Each reader's first and second readings of the same cases in the same mode."""
    earlier = {key: row for row, key in enumerate(zip(first.reader, first.mode, first.case, strict=True))}
    pairs = [
        (earlier[key], row)
        for row, key in enumerate(zip(second.reader, second.mode, second.case, strict=True))
        if key in earlier
    ]
    groups = dict.fromkeys((second.reader[row], second.mode[row]) for _, row in pairs)
    return tuple(
        _intra(
            reader,
            mode,
            first,
            second,
            [p for p in pairs if (second.reader[p[1]], second.mode[p[1]]) == (reader, mode)],
        )
        for reader, mode in groups
    )


def _intra(
    reader: str, mode: str, first: ScoreTable, second: ScoreTable, pairs: list[tuple[int, int]]
) -> IntraReaderResult:
    one, two = (np.array(rows, dtype=np.intp) for rows in zip(*pairs, strict=True))
    sentences: list[str] = []
    same = kappa = None
    if first.call is not None and second.call is not None:
        before, after = first.call[one].astype(np.float64), second.call[two].astype(np.float64)
        called = (before >= 0) & (after >= 0)
        before, after = before[called], after[called]
        same = proportion(int((before == after).sum()), int(called.sum()))
        try:
            kappa = cohen_kappa(_cross_table(before, after))
            sentences += [] if kappa.se > 0 else [NO_WIDTH]
        except NotEstimableError as error:
            sentences.append(str(error))
    change = second.score[two] - first.score[one]
    change = change[np.isfinite(change)]
    return IntraReaderResult(
        reader,
        mode,
        len(pairs),
        same,
        kappa,
        float(change.mean()) if change.size else None,
        float(np.sqrt((change**2).mean() / 2)) if change.size else None,
        tuple(sentences),
    )
