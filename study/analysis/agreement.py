"""Agreement: between the readers of one mode, and of one reader with themselves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from study.analysis.grid import Grid
from study.analysis.results import AgreementResult, IntraReaderResult
from study.scores import ScoreTable
from study.statistics.accuracy import proportion_of
from study.statistics.agreement import (
    chance_corrected,
    cohen_kappa_of,
    counts_by_category,
    fleiss_kappa,
    intraclass_correlations,
    krippendorff_alpha,
)
from study.statistics.clusters import named
from study.statistics.roc import NotEstimableError

NO_CLUSTERED_ICC = "The interval of an intraclass correlation takes cases for independent; where patients have several, none is offered."
NO_WIDTH = "Kappa has no interval where all agree; that is no proof of perfect agreement."


def between_readers(grid: Grid, mode: int, people: list[int]) -> list[AgreementResult]:
    readers = [index for index in people if grid.read[mode, index].any()]
    if len(readers) < 2:
        return []
    out = []
    if grid.calls is not None:
        calls = grid.calls[mode, readers].T
        called = np.isfinite(calls).sum(axis=1) > 0
        if called.any():
            cluster = None if grid.cluster is None else grid.cluster[called]
            out.append(_call_agreement(grid.modes[mode], calls[called], cluster))
    scores = grid.scores[mode, readers].T
    complete = np.isfinite(scores).all(axis=1)
    if not np.isfinite(scores).any():
        return out
    coefficients: dict[str, tuple[float, float | None, float | None]] = {}
    sentences: list[str] = []
    try:
        for form in intraclass_correlations(scores[complete]):
            if form.form in ("ICC(2,1)", "ICC(3,1)"):
                coefficients[f"{form.form} (Shrout-Fleiss)"] = (
                    form.value,
                    *((None, None) if grid.clustered else form.ci),
                )
        sentences += [NO_CLUSTERED_ICC] if grid.clustered and coefficients else []
    except NotEstimableError as error:
        sentences.append(str(error))
    out.append(
        AgreementResult(grid.modes[mode], "scores", len(readers), int(complete.sum()), coefficients, tuple(sentences))
    )
    return out


def _call_agreement(mode: str, calls: npt.NDArray[np.float64], cluster: npt.NDArray[np.str_] | None) -> AgreementResult:
    coefficients: dict[str, tuple[float, float | None, float | None]] = {}
    sentences: list[str] = []
    whole = np.isfinite(calls).all(axis=1)
    complete, patients = calls[whole], None if cluster is None else cluster[whole]
    clustered = cluster is not None
    try:
        chance = chance_corrected(calls)
        coefficients["raw agreement"] = (chance.raw_agreement, None, None)
        coefficients["Gwet AC1"] = (chance.gwet_ac1, None, None)
        coefficients["Krippendorff alpha (nominal)"] = (krippendorff_alpha(calls), None, None)
        if calls.shape[1] == 2:
            kappa = cohen_kappa_of(complete[:, 0], complete[:, 1], patients)
            coefficients[named("Cohen kappa", clustered=clustered)] = (kappa.kappa, *(kappa.ci or (None, None)))
            sentences += [] if kappa.ci else [NO_WIDTH]
        else:
            fleiss = fleiss_kappa(counts_by_category(complete)[0], cluster=patients)
            coefficients[named("Fleiss kappa (jackknife interval)", clustered=clustered)] = (
                fleiss.kappa,
                *(fleiss.ci or (None, None)),
            )
            sentences += [] if fleiss.ci else [NO_WIDTH]
    except NotEstimableError as error:
        sentences.append(str(error))
    return AgreementResult(mode, "calls", calls.shape[1], calls.shape[0], coefficients, tuple(sentences))


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
        patients = None if second.patient is None else np.array(second.patient)[two][called]
        same = proportion_of(before == after, patients)
        try:
            kappa = cohen_kappa_of(before, after, patients)
            sentences += [] if kappa.ci else [NO_WIDTH]
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
