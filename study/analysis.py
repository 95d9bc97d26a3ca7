"""From a table of scores to what may be said about it: every number with its method and the population that it speaks for.

What the data do not determine becomes a sentence, never NaN, infinity or a false certainty.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from itertools import combinations

import numpy as np
import numpy.typing as npt

from study.scores import ScoreTable
from study.statistics.accuracy import AccuracyTable, McNemar, Proportion, mcnemar
from study.statistics.agreement import (
    chance_corrected,
    cohen_kappa,
    counts_by_category,
    fleiss_kappa,
    intraclass_correlations,
    krippendorff_alpha,
)
from study.statistics.covariance import Covariance, Merit, estimate
from study.statistics.obuchowski_rockette import CrossedAnalysis, analyse_crossed
from study.statistics.one_against_many import OneAgainstMany, compare_one_against_many
from study.statistics.roc import (
    AucDifference,
    AucEstimate,
    NotEstimableError,
    RocCurve,
    auc_delong,
    auc_difference_delong,
    roc_curve,
)
from study.statistics.ustatistics import UAnalysis, analyse_any_design

MOST_PAIRS = 45  # pairwise comparisons listed: ten readers; beyond that a list helps nobody

ONE_READER = "One surgeon supports no claim about surgeons in general; these numbers speak of this reader alone."


class Design(StrEnum):
    CROSSED = "fully crossed: every reader read every case in every mode"
    ONE_MODE = "one mode: every reader read every case once"
    OTHER_CASES = "every reader read every case of each mode, but the modes have different cases"
    INCOMPLETE = "not crossed: some reader did not read some case in some mode"


@dataclass(frozen=True)
class ReaderResult:
    """One reader in one mode. What could not be estimated is None, with the reason in `sentences`."""

    reader: str
    mode: str
    cases: int
    missing: int  # readings without a score
    auc_delong: AucEstimate | None
    roc: RocCurve | None
    calls: AccuracyTable | None
    sensitivity: Proportion | None
    specificity: Proportion | None
    positive_predictive_value: Proportion | None
    negative_predictive_value: Proportion | None
    calls_missing: int  # counted as errors
    median_s: float | None
    quartiles_s: tuple[float, float] | None
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True)
class PairResult:
    """Two sets of readings of the same cases, two people or two modes. All of it speaks of these two alone."""

    first: str
    second: str
    cases: int
    auc_delong: AucDifference | None
    sensitivity_mcnemar: McNemar | None
    specificity_mcnemar: McNemar | None
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True)
class CrossedResult:
    merit: Merit
    covariance: Covariance
    analysis: CrossedAnalysis


@dataclass(frozen=True)
class SwitchResult:
    """What one reader's calls did between two modes, on cases called in both: how many came to and left the truth."""

    reader: str
    first: str
    second: str
    cases: int
    to_truth: int
    from_truth: int
    stayed_right: int
    stayed_wrong: int


@dataclass(frozen=True)
class AgreementResult:
    """Between the readers of one mode. `coefficients` maps the coefficient's name to (value, low, high); bounds may be None."""

    mode: str
    of: str  # "calls" or "scores"
    readers: int
    cases: int
    coefficients: dict[str, tuple[float, float | None, float | None]]
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True)
class Analysis:
    title: str
    readers: int
    modes: int
    cases: int
    loose: int
    not_loose: int
    truth_unknown: int
    patients: int
    design: Design
    reader_results: tuple[ReaderResult, ...]
    crossed: tuple[CrossedResult, ...]
    u_statistics: UAnalysis | None
    algorithm_against_readers: OneAgainstMany | None
    pairs: tuple[PairResult, ...]
    agreement: tuple[AgreementResult, ...]
    switches: tuple[SwitchResult, ...] = ()
    algorithm: str | None = None  # the reader that was taken as the algorithm
    pairs_left_out: int = 0  # comparisons of two that are not listed because there are too many
    sentences: tuple[str, ...] = field(default=())  # cautions about the whole


@dataclass(frozen=True)
class _Grid:
    """Scores and calls as (modes, readers, cases), NaN where not read; truth (cases,)."""

    modes: list[str]
    readers: list[str]
    cases: list[str]
    truth: npt.NDArray[np.bool_]
    patients: npt.NDArray[np.str_]
    scores: npt.NDArray[np.float64]
    calls: npt.NDArray[np.float64] | None
    read: npt.NDArray[np.bool_]
    seconds: npt.NDArray[np.float64] | None


def analyse(table: ScoreTable, algorithm: str | None = None) -> Analysis:
    """All that the table supports. `algorithm` names the reader that is a CNN, if there is one; else a reader who stands
    alone in a mode of its own, beside a mode with several others, is compared with these as an algorithm would be.

    Raises NotEstimableError when no case has a known truth.
    """
    known = table.where(table.truth >= 0)
    unknown = len(set(table.cases)) - len(set(known.cases))
    if not known.cases:
        raise NotEstimableError("No case has a known truth, so accuracy cannot be computed.")
    if algorithm is not None and algorithm not in known.readers:
        raise NotEstimableError(f"No reader is called {algorithm!r}; the readers are {', '.join(known.readers)}.")
    grid = _grid(known)
    said: list[str] = []
    if algorithm is None and (lone := _lone_reader(grid)) is not None:
        algorithm, mode = lone
        said.append(
            f"{algorithm} alone read in mode {mode}, so it is compared as one against the many of the other mode."
        )
    people = [index for index, reader in enumerate(grid.readers) if reader != algorithm]
    sentences = [*table.notes, *said, *_cautions(grid, people, unknown)]
    results = tuple(
        _reader_result(grid, mode, reader)
        for mode in range(len(grid.modes))
        for reader in range(len(grid.readers))
        if grid.read[mode, reader].any()
    )
    crossed, u_statistics = _multi_reader(grid, people, sentences)
    against = _against_algorithm(grid, algorithm, people, sentences)
    pairs, left_out = _pairs(grid, algorithm)
    if left_out:
        sentences.append(f"{left_out} more comparisons of two are not listed; name two readers in a file of their own.")
    return Analysis(
        table.title,
        len(grid.readers),
        len(grid.modes),
        len(grid.cases),
        int(grid.truth.sum()),
        int((~grid.truth).sum()),
        unknown,
        len(set(grid.patients.tolist())),
        _design(grid, people),
        results,
        crossed,
        u_statistics,
        against,
        pairs,
        tuple(result for mode in range(len(grid.modes)) for result in _agreement(grid, mode, people)),
        _switches(grid),
        algorithm,
        left_out,
        tuple(dict.fromkeys(sentences)),
    )


def _grid(table: ScoreTable) -> _Grid:
    modes, readers, cases = table.modes, table.readers, table.cases
    position = [{name: index for index, name in enumerate(names)} for names in (modes, readers, cases)]
    where = tuple(
        np.array([lookup[name] for name in column])
        for lookup, column in zip(position, (table.mode, table.reader, table.case), strict=True)
    )
    shape = (len(modes), len(readers), len(cases))

    def spread(column: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        out = np.full(shape, np.nan)
        out[where] = column
        return out

    read = np.zeros(shape, dtype=bool)
    read[where] = True
    truth_of, patient_of = table.case_truth, table.case_patient
    calls = None if table.call is None else np.where(table.call < 0, np.nan, table.call.astype(np.float64))
    return _Grid(
        modes,
        readers,
        cases,
        np.array([truth_of[case] == 1 for case in cases]),
        np.array([patient_of[case] for case in cases]),
        spread(table.score),
        None if calls is None else spread(calls),
        read,
        None if table.seconds is None else spread(table.seconds),
    )


def _peoples_modes(grid: _Grid, people: list[int]) -> list[int]:
    """Modes in which a person read; an algorithm may have one of its own."""
    return [mode for mode in range(len(grid.modes)) if grid.read[mode, people].any()]


def _design(grid: _Grid, people: list[int]) -> Design:
    scored: npt.NDArray[np.bool_] = np.asarray(np.isfinite(grid.scores[np.ix_(_peoples_modes(grid, people), people)]))
    if scored.all():
        return Design.ONE_MODE if scored.shape[0] <= 1 else Design.CROSSED
    return Design.OTHER_CASES if (scored == scored[:, :1]).all() else Design.INCOMPLETE


def _lone_reader(grid: _Grid) -> tuple[str, str] | None:
    """(reader, mode) where one reader stands alone in a mode of its own and at least two others in the only other one."""
    if len(grid.modes) != 2:
        return None
    here = np.asarray(grid.read.any(axis=2))  # (modes, readers)
    for mode, other in ((0, 1), (1, 0)):
        alone = np.flatnonzero(here[mode])
        if alone.size == 1 and not here[other, alone[0]] and here[other].sum() >= 2:
            return grid.readers[alone[0]], grid.modes[mode]
    return None


def _cautions(grid: _Grid, people: list[int], unknown: int) -> list[str]:
    out = []
    if unknown:
        out.append(f"{unknown} case(s) without a known truth are left out of accuracy.")
    if len(people) == 1:
        out.append(ONE_READER)
    if len(set(grid.patients.tolist())) < len(grid.cases):
        out.append(
            "Some patients have several cases; covariances between readers are computed by patient (Obuchowski 1997)."
        )
    missing = int((grid.read & ~np.isfinite(grid.scores)).sum())
    if missing:
        out.append(f"{missing} reading(s) have no score: AUCs leave them out, and a missing call counts as an error.")
    if grid.truth.all() or not grid.truth.any():
        out.append("All cases are of one kind, so sensitivity or specificity, and every AUC, cannot be computed.")
    return out


def _reader_result(grid: _Grid, mode: int, reader: int) -> ReaderResult:
    read = grid.read[mode, reader]
    scores, truth = grid.scores[mode, reader], grid.truth
    scored = np.isfinite(scores)
    sentences: list[str] = []
    auc = curve = None
    try:
        auc = auc_delong(truth[scored], scores[scored])
        curve = roc_curve(truth[scored], scores[scored])
        sentences += [auc.caution] if auc.caution else []
    except NotEstimableError as error:
        sentences.append(str(error))
    if auc is not None and auc.auc < 0.5:
        sentences.append(
            "The AUC lies below 0.5: this reader ranked not loose hips above loose ones more often than not."
        )
    table, calls_missing = None, 0
    if grid.calls is not None and np.isfinite(grid.calls[mode, reader]).any():
        calls = grid.calls[mode, reader]
        calls_missing = int((read & ~np.isfinite(calls)).sum())
        # A missing or indeterminate call is wrong whichever way the truth lies.
        called = np.where(np.isfinite(calls), calls == 1, ~truth)
        table = AccuracyTable.from_calls(truth[read], called[read])
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
    )


def _multi_reader(
    grid: _Grid, people: list[int], sentences: list[str]
) -> tuple[tuple[CrossedResult, ...], UAnalysis | None]:
    crossed: list[CrossedResult] = []
    modes = _peoples_modes(grid, people)
    scores = grid.scores[np.ix_(modes, people)]
    design = _design(grid, people)
    clustered = len(set(grid.patients.tolist())) < len(grid.cases)
    if len(people) > 1 and design is not Design.INCOMPLETE:
        methods = [Covariance.JACKKNIFE, Covariance.DELONG, Covariance.UNBIASED]
        if design is Design.OTHER_CASES:
            methods = [Covariance.UNBIASED]
        if clustered:
            methods = [Covariance.CLUSTERED] if design is not Design.OTHER_CASES else []
        tasks = [(Merit.AUC, method, scores) for method in methods]
        calls = None if grid.calls is None else grid.calls[np.ix_(modes, people)]
        if calls is not None and np.isfinite(calls).all() and not clustered:
            tasks += [(merit, Covariance.JACKKNIFE, calls) for merit in (Merit.SENSITIVITY, Merit.SPECIFICITY)]
        elif calls is not None:
            why = "patients have several cases" if clustered else "some calls are missing"
            sentences.append(f"Sensitivity and specificity are not compared over several readers, because {why}.")
        for merit, method, values in tasks:
            try:
                crossed.append(_crossed(grid, modes, people, merit, method, values))
            except NotEstimableError as error:
                sentences.append(str(error))
    u_statistics = None
    if len(people) > 1 and clustered and design in (Design.INCOMPLETE, Design.OTHER_CASES):
        sentences.append(
            "No method here allows for several cases of a patient and for missing readings at once, so the readers' mean is not tested."
        )
    if len(people) > 1 and not clustered:
        try:
            u_statistics = analyse_any_design(grid.truth, scores, [grid.modes[mode] for mode in modes])
        except NotEstimableError as error:
            sentences.append(str(error))
    return tuple(crossed), u_statistics


def _crossed(
    grid: _Grid,
    modes: list[int],
    people: list[int],
    merit: Merit,
    method: Covariance,
    values: npt.NDArray[np.float64],
) -> CrossedResult:
    shape = (len(modes), len(people))
    estimates = estimate(grid.truth, values.reshape(-1, grid.truth.size), merit, method, grid.patients)
    analysis = analyse_crossed(
        estimates.values.reshape(shape),
        estimates.covariance.reshape(shape + shape),
        [grid.modes[mode] for mode in modes],
        [grid.readers[index] for index in people],
        f"{method}",
    )
    return CrossedResult(merit, method, analysis)


def _against_algorithm(
    grid: _Grid, algorithm: str | None, people: list[int], sentences: list[str]
) -> OneAgainstMany | None:
    """The algorithm against the readers' first mode (unaided, in a study)."""
    if algorithm is None:
        return None
    own = grid.scores[:, grid.readers.index(algorithm)]
    its_mode = int(np.isfinite(own).sum(axis=1).argmax())
    theirs = next((mode for mode in range(len(grid.modes)) if np.isfinite(grid.scores[mode, people]).any()), None)
    if theirs is None:
        return None
    there = [person for person in people if grid.read[theirs, person].any()]
    values = grid.scores[theirs, there]
    clustered = len(set(grid.patients.tolist())) < len(grid.cases)
    method = Covariance.CLUSTERED if clustered else Covariance.JACKKNIFE
    try:
        return compare_one_against_many(grid.truth, own[its_mode], values, method=method, cluster=grid.patients)
    except NotEstimableError as error:
        sentences.append(str(error))
        return None


def _pairs(grid: _Grid, algorithm: str | None) -> tuple[tuple[PairResult, ...], int]:
    """(comparisons, how many more there are): each reader's modes against each other, each mode's readers against each
    other, and the algorithm against everybody."""
    slots = [(mode, reader) for mode in range(len(grid.modes)) for reader in range(len(grid.readers))]
    own = grid.readers.index(algorithm) if algorithm is not None else -1
    wanted = [
        (one, two)
        for one, two in combinations(slots, 2)
        if (one[0] == two[0] or one[1] == two[1] or own in (one[1], two[1])) and (grid.read[one] & grid.read[two]).any()
    ]
    # Readers of different modes are compared only where each read in one mode: a CNN against a surgeon.
    if not wanted:
        wanted = [(one, two) for one, two in combinations(slots, 2) if (grid.read[one] & grid.read[two]).any()]
    # One reader's modes first, then the algorithm: they are what a study asks.
    wanted.sort(key=lambda pair: (pair[0][1] != pair[1][1], own not in (pair[0][1], pair[1][1])))
    return tuple(_pair(grid, one, two) for one, two in wanted[:MOST_PAIRS]), max(len(wanted) - MOST_PAIRS, 0)


def _pair(grid: _Grid, one: tuple[int, int], two: tuple[int, int]) -> PairResult:
    sentences: list[str] = []
    both = np.isfinite(grid.scores[one]) & np.isfinite(grid.scores[two])
    difference = None
    try:
        difference = auc_difference_delong(grid.truth[both], grid.scores[one][both], grid.scores[two][both])
        sentences += [difference.caution] if difference.caution else []
    except NotEstimableError as error:
        sentences.append(str(error))
    tables: dict[bool, McNemar | None] = {True: None, False: None}
    if grid.calls is not None:
        common = grid.read[one] & grid.read[two]
        right = [
            np.where(np.isfinite(calls), calls == grid.truth, False) for calls in (grid.calls[one], grid.calls[two])
        ]
        for loose in (True, False):
            cases = common & (grid.truth == loose)
            if cases.any():
                a, b = right[0][cases], right[1][cases]
                tables[loose] = mcnemar(
                    int((a & b).sum()), int((a & ~b).sum()), int((~a & b).sum()), int((~a & ~b).sum())
                )
    return PairResult(
        _label(grid, one), _label(grid, two), int(both.sum()), difference, tables[True], tables[False], tuple(sentences)
    )


def _switches(grid: _Grid) -> tuple[SwitchResult, ...]:
    """Between the first two modes that a reader called the same cases in."""
    out: list[SwitchResult] = []
    if grid.calls is None:
        return ()
    for reader in range(len(grid.readers)):
        for first, second in combinations(range(len(grid.modes)), 2):
            both = np.isfinite(grid.calls[first, reader]) & np.isfinite(grid.calls[second, reader])
            if both.any():
                before, after = (grid.calls[mode, reader, both] == grid.truth[both] for mode in (first, second))
                counts = ((~before & after), (before & ~after), (before & after), (~before & ~after))
                out.append(
                    SwitchResult(
                        grid.readers[reader],
                        grid.modes[first],
                        grid.modes[second],
                        int(both.sum()),
                        *(int(count.sum()) for count in counts),
                    )
                )
    return tuple(out)


def _label(grid: _Grid, slot: tuple[int, int]) -> str:
    return f"{grid.readers[slot[1]]}, {grid.modes[slot[0]]}" if len(grid.modes) > 1 else grid.readers[slot[1]]


def _agreement(grid: _Grid, mode: int, people: list[int]) -> list[AgreementResult]:
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
            counts = np.array([[((complete == pair).all(axis=1)).sum() for pair in ((i, 0), (i, 1))] for i in (0, 1)])
            kappa = cohen_kappa(counts)
            coefficients["Cohen kappa"] = (kappa.kappa, *kappa.ci)
        else:
            fleiss = fleiss_kappa(counts_by_category(complete)[0])
            coefficients["Fleiss kappa (jackknife interval)"] = (fleiss.kappa, *fleiss.ci)
    except NotEstimableError as error:
        sentences.append(str(error))
    return AgreementResult(mode, "calls", calls.shape[1], calls.shape[0], coefficients, tuple(sentences))


def possible_pairings(first_right: int, second_right: int, n: int) -> list[McNemar]:
    """All McNemar tables that two published proportions of the same n cases allow, most to least overlap.

    A paper that prints k1 of n and k2 of n without the cross-table leaves the pairing open; the p-value depends on it.
    """
    most = min(first_right, second_right)
    least = max(0, first_right + second_right - n)
    return [
        mcnemar(both, first_right - both, second_right - both, n - first_right - second_right + both)
        for both in range(most, least - 1, -1)
    ]
