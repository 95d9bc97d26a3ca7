"""What a protocol fixed before the first reading, carried out as it says and in no other way.

The primary endpoint first, then the secondary ones that can be computed, with the registered correction for several tests.
Where the data do not fit the registered analysis there is a sentence instead of a number; nothing else takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec
import numpy as np
import numpy.typing as npt
from scipy import stats
from statsmodels.stats.multitest import multipletests

from study.analysis.grid import Grid, make_grid
from study.analysis.results import ONE_READER, Design
from study.analysis.several import crossed_result, lost_cells, one_against_many
from study.protocol import (
    AIDED,
    UNAIDED,
    AnalysisPlan,
    Endpoint,
    Hypothesis,
    Indeterminate,
    Method,
    Missing,
    Multiplicity,
    NegativeVariance,
)
from study.scores import ScoreTable
from study.statistics.covariance import Covariance, Merit
from study.statistics.roc import NotEstimableError
from study.statistics.ustatistics import analyse_any_design, analyse_calls

MERITS = {
    Endpoint.AUC: Merit.AUC,
    Endpoint.SENSITIVITY: Merit.SENSITIVITY,
    Endpoint.SPECIFICITY: Merit.SPECIFICITY,
}
MEAN_OF_READERS = "mean of readers"


@dataclass(frozen=True)
class Estimate:
    """A difference, new minus reference, by the registered method; se, interval and p are None where not determined.

    new_ci, reference_ci: of the mean of each, at the level of the plan, within 0 and 1. cases: that the endpoint uses.
    """

    new: str
    reference: str
    new_value: float
    reference_value: float
    difference: float
    se: float | None
    df: float | None
    ci: tuple[float, float] | None
    p_two_sided: float | None
    readers: int
    cases: int
    covariance: str
    df_rule: str
    generalises_to: str
    sentences: tuple[str, ...] = ()
    new_ci: tuple[float, float] | None = None
    reference_ci: tuple[float, float] | None = None


@dataclass(frozen=True)
class PlannedTest:
    """One endpoint that the protocol names.

    p: of the registered hypothesis; one-sided for non-inferiority, which is shown where it lies below alpha / 2.
    adjusted_p: two-sided, after the registered correction; None where the protocol corrects for nothing.
    confirmatory: whether the protocol lets this test decide something. estimate: None where `verdict` says why.
    """

    primary: bool
    endpoint: str
    hypothesis: Hypothesis
    margin: float
    alpha: float
    method: Method
    estimate: Estimate | None
    p: float | None
    adjusted_p: float | None
    confirmatory: bool
    verdict: str


def carry_out(
    table: ScoreTable, plan: AnalysisPlan, algorithm: str | None = None, *, absent_are_missing: bool = True
) -> tuple[PlannedTest, ...]:
    """The registered analysis of a table of scores, primary endpoint first. Never raises for what the data lack.

    absent_are_missing: a reading that the design asks for and the table has no row for was never given. A study's own table
    has a row for each of those.
    """
    computed: list[PlannedTest] = []
    whole = table.where(table.truth >= 0)
    if absent_are_missing and plan.missing is Missing.COUNT_AS_ERROR:
        whole = _with_absent(whole, plan, algorithm)
    filled = len(whole) - int((table.truth >= 0).sum())
    readings = _Registered(as_registered(whole, plan), filled, plan, algorithm)
    for endpoint, hypothesis in _endpoints(plan):
        computed.append(_tested(readings, endpoint, hypothesis, primary=not computed))
    decided = _adjusted(computed, plan)
    return (*decided, *(_in_words(name, plan) for name in plan.secondary if _endpoint(name) is None))


@dataclass(frozen=True)
class _Registered:
    """The readings under the plan's rules, how many were filled in for absent ones, and the plan."""

    table: ScoreTable
    filled: int
    plan: AnalysisPlan
    algorithm: str | None

    @property
    def said(self) -> tuple[str, ...]:
        if not self.filled:
            return ()
        are = "reading is" if self.filled == 1 else "readings are"
        return (f"{self.filled} {are} not in these data and count as errors, as the plan says.",)


def _endpoints(plan: AnalysisPlan) -> list[tuple[Endpoint, Hypothesis]]:
    """The primary one, and each secondary one that names a number this program tests; the margin is the primary one's."""
    secondary = [found for name in plan.secondary if (found := _endpoint(name)) not in (None, plan.endpoint)]
    return [
        (plan.endpoint, plan.hypothesis),
        *((endpoint, Hypothesis.SUPERIORITY) for endpoint in dict.fromkeys(secondary) if endpoint is not None),
    ]


def _endpoint(name: str) -> Endpoint | None:
    said = name.strip().lower()
    return next((endpoint for endpoint in Endpoint if endpoint.value == said), None)


def _in_words(name: str, plan: AnalysisPlan) -> PlannedTest:
    verdict = "Registered in words: see the tables of this report; no test of it is confirmatory."
    return PlannedTest(
        False, name, Hypothesis.SUPERIORITY, 0.0, plan.alpha, plan.method, None, None, None, False, verdict
    )


def _tested(readings: _Registered, endpoint: Endpoint, hypothesis: Hypothesis, *, primary: bool) -> PlannedTest:
    plan = readings.plan
    margin = plan.margin if hypothesis is Hypothesis.NON_INFERIORITY else 0.0
    found: Estimate | None = None
    p: float | None = None
    verdict = ""
    try:
        found = _estimated(readings, MERITS[endpoint], hypothesis)
        found = replace(found, sentences=(*readings.said, *found.sentences))
        p = found.p_two_sided if hypothesis is Hypothesis.SUPERIORITY else _p_non_inferior(found, margin)
        if p is None:
            verdict = " ".join(found.sentences) or "The data determine no test of this difference."
    except NotEstimableError as error:
        verdict = f"The registered analysis could not be carried out: {error}"
    return PlannedTest(
        primary, MERITS[endpoint].value, hypothesis, margin, plan.alpha, plan.method, found, p, None, primary, verdict
    )


def _p_non_inferior(found: Estimate, margin: float) -> float | None:
    """One-sided p of H0: new - reference <= -margin. Chen et al., Stat Med 2012;31:1543."""
    if not found.se or found.df is None:
        return None
    t = (found.difference + margin) / found.se
    return float(stats.norm.sf(t) if np.isinf(found.df) else stats.t.sf(t, found.df))


# --- the readings that count, and how


def as_registered(table: ScoreTable, plan: AnalysisPlan) -> ScoreTable:
    """The table under the plan's rules for what is missing or indeterminate.

    An error is the wrong call, and for the AUC the worst score of all: below every other where the hip is loose, above
    every other where it is not. A row without score and call is left out only if both rules say so, for a table does not
    tell a reading that was never given from one that was "not assessable".
    """
    known = table.where(table.truth >= 0)
    no_score = ~np.isfinite(known.score)
    no_call = np.ones(len(known), dtype=bool) if known.call is None else known.call < 0
    leave_out = plan.indeterminate is Indeterminate.LEAVE_OUT
    keep = np.ones(len(known), dtype=bool)
    if leave_out and known.call is not None:
        keep &= ~(no_call & ~no_score)
    if leave_out and plan.missing is not Missing.COUNT_AS_ERROR:
        keep &= ~(no_call & no_score)
    known = known.where(keep)
    return replace(known, score=_worst_where_missing(known), call=_calls(known, plan))


def _with_absent(table: ScoreTable, plan: AnalysisPlan, algorithm: str | None) -> ScoreTable:
    """With a row, without score and call, for each reading that the design asks for and nobody gave.

    Crossed: every reader, every case, every mode; where half of these or more are absent, the study is not crossed and
    nothing is filled in. One against many: every reader and the CNN, every case that a person
    read. U-statistics take any design, and what it asked for is not known but for this: who read a case in one mode was
    to read it in the others.
    """
    given = set(zip(table.reader, table.mode, table.case, strict=True))
    people = [reader for reader in table.readers if reader != algorithm]
    modes = list(dict.fromkeys(m for r, m in zip(table.reader, table.mode, strict=True) if r != algorithm))
    cases = list(dict.fromkeys(c for r, c in zip(table.reader, table.case, strict=True) if r != algorithm))
    if plan.method is Method.U_STATISTICS:
        read = dict.fromkeys((r, c) for r, c in zip(table.reader, table.case, strict=True) if r != algorithm)
        asked = [(reader, mode, case) for mode in modes for reader, case in read]
    else:
        shown = modes[:1] if plan.method is Method.ONE_AGAINST_MANY else modes
        asked = [(reader, mode, case) for mode in shown for reader in people for case in cases]
        its_mode = next((m for r, m in zip(table.reader, table.mode, strict=True) if r == algorithm), None)
        if plan.method is Method.ONE_AGAINST_MANY and algorithm is not None and its_mode is not None:
            asked += [(algorithm, its_mode, case) for case in cases]
    absent = [key for key in asked if key not in given]
    return table.with_empty_rows(absent) if 0 < 2 * len(absent) < len(asked) else table


def _worst_where_missing(table: ScoreTable) -> npt.NDArray[np.float64]:
    given = np.isfinite(table.score)
    if not given.any():
        return table.score.copy()
    low, high = table.score[given].min() - 1, table.score[given].max() + 1
    return np.where(given, table.score, np.where(table.truth == 1, low, high))


def _calls(table: ScoreTable, plan: AnalysisPlan) -> npt.NDArray[np.int8] | None:
    if table.call is None:
        return None
    call = table.call.copy()
    if plan.indeterminate is Indeterminate.BY_SCORE:
        decided = (call < 0) & np.isfinite(table.score) & (table.score != 50)
        call[decided] = table.score[decided] > 50
    missing = call < 0
    call[missing] = 1 - table.truth[missing]
    return call


# --- the estimate


def _estimated(readings: _Registered, merit: Merit, hypothesis: Hypothesis) -> Estimate:
    """Raises NotEstimableError with the sentence that stands in place of a number."""
    table, plan, algorithm = readings.table, readings.plan, readings.algorithm
    if not len(table):
        raise NotEstimableError("There is no reading of a case with a known truth.")
    if merit is Merit.AUC and not np.isfinite(table.score).any():
        raise NotEstimableError("These data hold no scores.")
    if merit is not Merit.AUC and table.call is None:
        raise NotEstimableError("These data hold no calls.")
    grid = make_grid(table)
    people = [index for index, reader in enumerate(grid.readers) if reader != algorithm]
    if len(people) < 2:
        raise NotEstimableError(ONE_READER if people else "No person read anything.")
    level = 1 - plan.alpha
    if plan.method is Method.ONE_AGAINST_MANY:
        return _algorithm_against_readers(grid, algorithm, people, merit, plan)
    read = grid.of(people)
    read = read.in_modes(_reference_and_new(read.modes, plan, hypothesis))
    if plan.method is Method.OBUCHOWSKI_ROCKETTE:
        return _crossed(read, merit, plan, level)
    return _any_design(read, merit, plan, level)


def _reference_and_new(modes: list[str], plan: AnalysisPlan, hypothesis: Hypothesis) -> list[str]:
    """As the plan names them. A study's arms name themselves; the order of the rows decides nothing."""
    if plan.new_mode is not msgspec.UNSET and plan.reference_mode is not msgspec.UNSET:
        named = [plan.reference_mode, plan.new_mode]
        if len(set(named)) < 2:
            raise NotEstimableError("The plan names one mode as new and as the reference.")
        absent = [mode for mode in named if mode not in modes]
        if absent:
            raise NotEstimableError(
                f"The plan compares {named[1]} (new) with {named[0]} (reference), and these data hold no mode {absent[0]}."
            )
        return named
    if len(modes) != 2:
        raise NotEstimableError(f"It compares two modes, and these data hold {len(modes)}.")
    if set(modes) == {UNAIDED, AIDED}:
        return [UNAIDED, AIDED]
    if hypothesis is Hypothesis.NON_INFERIORITY:
        raise NotEstimableError(
            "The plan does not name which mode is new and which is the reference (new_mode, reference_mode), and "
            "non-inferiority has no meaning without that."
        )
    return sorted(modes)


def _used(grid: Grid, merit: Merit) -> npt.NDArray[np.bool_]:
    """(cases,): those that the endpoint is computed from."""
    return {Merit.AUC: np.ones_like(grid.truth), Merit.SENSITIVITY: grid.truth, Merit.SPECIFICITY: ~grid.truth}[merit]


def _complete(grid: Grid, given: npt.NDArray[np.bool_], merit: Merit) -> tuple[Grid, tuple[str, ...]]:
    """The cases of which no reading is lacking that the endpoint uses, and how many others there were.

    given (readings, cases).
    """
    whole = np.asarray(given.all(axis=0)) | ~_used(grid, merit)
    left_out = int((~whole).sum())
    if not (whole & _used(grid, merit)).any():
        raise NotEstimableError("no case was read by every reader in every mode, which this method needs.")
    said = f"{left_out} case(s) are left out for all readers, because a reading of them is left out."
    return grid.only(whole), (said,) if left_out else ()


def _crossed(people: Grid, merit: Merit, plan: AnalysisPlan, level: float) -> Estimate:
    if plan.missing is Missing.AVAILABLE:
        grid, covariance = people, people.covariance(merit)
        lost = lost_cells(people, merit)
        said: tuple[str, ...] = (lost,) if lost else ()
    else:
        given = np.isfinite(people.values(merit)).reshape(-1, len(people.cases))
        grid, said = _complete(people, given, merit)
        if grid.design_of(merit) is not Design.CROSSED:
            raise NotEstimableError("it needs readings of every case by every reader in both modes.")
        covariance = Covariance.CLUSTERED if people.clustered else Covariance.JACKKNIFE
    inference = crossed_result(grid, merit, covariance, level).analysis.random_readers_random_cases
    difference, (new, reference) = inference.differences[0], inference.means
    return Estimate(
        new.mode,
        reference.mode,
        new.mean,
        reference.mean,
        difference.difference,
        difference.se or None,
        difference.df,
        difference.ci if difference.se > 0 else None,
        difference.p,
        len(grid.readers),
        int(_used(grid, merit).sum()),
        str(covariance),
        "Hillis",
        inference.generalises_to,
        (*said, *([inference.caution] if inference.caution else [])),
        new.ci_logit,
        reference.ci_logit,
    )


def _any_design(people: Grid, merit: Merit, plan: AnalysisPlan, level: float) -> Estimate:
    modes, mle = people.modes[::-1], plan.negative_variance is NegativeVariance.MLE
    if merit is Merit.AUC:
        analysis = analyse_any_design(people.truth, people.scores[::-1], modes, level, people.cluster, mle)
    else:
        used = _used(people, merit)
        right = people.values(merit) if merit is Merit.SENSITIVITY else 1 - people.values(merit)
        cluster = None if people.cluster is None else people.cluster[used]
        analysis = analyse_calls(right[::-1, :, used], modes, level, cluster, mle)
    (new, reference), difference = analysis.modes, analysis.differences[0]
    lost = lost_cells(people.only(_used(people, merit)), merit)
    return Estimate(
        new.mode,
        reference.mode,
        new.auc,
        reference.auc,
        difference.difference,
        difference.se,
        difference.df,
        difference.ci,
        difference.p_t,
        len(people.readers),
        int(_used(people, merit).sum()),
        difference.used + (" by patient" if people.clustered else ""),
        "Obuchowski-Gallas-Hillis (BDG)",
        analysis.generalises_to,
        tuple(sentence for sentence in (lost, difference.caution) if sentence),
        new.ci,
        reference.ci,
    )


def _algorithm_against_readers(
    grid: Grid, algorithm: str | None, people: list[int], merit: Merit, plan: AnalysisPlan
) -> Estimate:
    if algorithm is None:
        raise NotEstimableError("it compares a CNN with readers, and no reader is named as the CNN.")
    if algorithm not in grid.readers:
        raise NotEstimableError(f"it compares a CNN with readers, and these data hold nothing by {algorithm}.")
    given = np.isfinite(grid.values(merit))
    theirs = next(mode for mode in range(len(grid.modes)) if grid.read[mode, people].any())
    own = np.logical_or.reduce(given[:, grid.readers.index(algorithm)])
    rows = np.stack([own, *(given[theirs, person] for person in people if grid.read[theirs, person].any())])
    asked: npt.NDArray[np.bool_] = np.asarray(grid.read[theirs, people].any(axis=0))  # the cases that a person read
    if plan.missing is Missing.AVAILABLE:
        said: tuple[str, ...]
        both, lost = grid.only(asked), int((~rows[:, asked & _used(grid, merit)]).sum())
        said = (f"{lost} reading(s) are missing and left out.",) if lost else ()
    else:
        both, said = _complete(grid.only(asked), rows[:, asked], merit)
    result = one_against_many(both, algorithm, people, merit, 1 - plan.alpha)
    return Estimate(
        algorithm,
        MEAN_OF_READERS,
        result.algorithm,
        result.reader_mean,
        -result.difference,
        result.se if result.t is not None else None,
        result.df,
        (-result.ci[1], -result.ci[0]) if result.t is not None else None,
        result.p,
        len(result.readers),
        int(_used(both, merit).sum()),
        result.covariance,
        "Hillis",
        result.generalises_to,
        (*said, *([result.caution] if result.caution else [])),
        result.algorithm_ci,
        result.reader_mean_ci,
    )


# --- several tests


def _adjusted(tests: list[PlannedTest], plan: AnalysisPlan) -> list[PlannedTest]:
    """Under the registered correction. An endpoint without a p-value counts as one that was not significant."""
    raw = np.array([_two_sided(test) for test in tests])
    if plan.multiplicity is Multiplicity.HOLM and len(tests) > 1:
        adjusted: npt.NDArray[np.float64] = multipletests(raw, alpha=plan.alpha, method="holm")[1]
    elif plan.multiplicity is Multiplicity.FIXED_SEQUENCE and len(tests) > 1:
        adjusted = np.maximum.accumulate(raw)
    else:
        return [_decided(test, None) if test.primary else replace(test, verdict=_exploratory(test)) for test in tests]
    return [
        _decided(replace(test, adjusted_p=float(p) if test.p is not None else None, confirmatory=True), float(p))
        for test, p in zip(tests, adjusted, strict=True)
    ]


def _two_sided(test: PlannedTest) -> float:
    if test.p is None:
        return 1.0
    return test.p if test.hypothesis is Hypothesis.SUPERIORITY else min(1.0, 2 * test.p)


def _exploratory(test: PlannedTest) -> str:
    return test.verdict or "Secondary, and no correction was registered: descriptive, it decides nothing."


def _decided(test: PlannedTest, adjusted: float | None) -> PlannedTest:
    if test.estimate is None or test.p is None:
        return test
    p = _two_sided(test) if adjusted is None else adjusted
    new, reference = test.estimate.new, test.estimate.reference
    at = f"at the registered level of {test.alpha:g}" + (" after correction" if adjusted is not None else "")
    if test.hypothesis is Hypothesis.NON_INFERIORITY:
        shown = p < test.alpha
        verdict = (
            f"{new} is worse than {reference} by less than {test.margin:g}, if at all: non-inferiority is shown {at}."
            if shown
            else f"It is not shown {at} that {new} is worse than {reference} by less than {test.margin:g}."
        )
    elif p < test.alpha:
        better = "higher" if test.estimate.difference > 0 else "lower"
        verdict = f"The {test.endpoint} of {new} is {better} than that of {reference}, {at}."
    else:
        verdict = f"No difference is shown {at}. This is no proof that there is none."
    return replace(test, verdict=" ".join((verdict, *test.estimate.sentences)))
