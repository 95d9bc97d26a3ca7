"""What a protocol fixed before the first reading, carried out as it says and in no other way.

The primary endpoint first, then the secondary ones that can be computed, with the registered correction for several tests.
Where the data do not fit the registered analysis there is a sentence instead of a number; nothing else takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import stats
from statsmodels.stats.multitest import multipletests

from study.analysis.grid import Grid, make_grid
from study.analysis.results import ONE_READER, Design
from study.analysis.several import crossed_result, one_against_many, registered_covariance
from study.protocol import AnalysisPlan, Endpoint, Hypothesis, Indeterminate, Method, Missing, Multiplicity
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
    """A difference, new minus reference, by the registered method; se, interval and p are None where not determined."""

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


def carry_out(table: ScoreTable, plan: AnalysisPlan, algorithm: str | None = None) -> tuple[PlannedTest, ...]:
    """The registered analysis of a table of scores, primary endpoint first. Never raises for what the data lack."""
    computed: list[PlannedTest] = []
    for endpoint, hypothesis in _endpoints(plan):
        computed.append(_tested(table, plan, algorithm, endpoint, hypothesis, primary=not computed))
    decided = _adjusted(computed, plan)
    return (*decided, *(_in_words(name, plan) for name in plan.secondary if _endpoint(name) is None))


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


def _tested(
    table: ScoreTable,
    plan: AnalysisPlan,
    algorithm: str | None,
    endpoint: Endpoint,
    hypothesis: Hypothesis,
    *,
    primary: bool,
) -> PlannedTest:
    margin = plan.margin if hypothesis is Hypothesis.NON_INFERIORITY else 0.0
    found: Estimate | None = None
    p: float | None = None
    verdict = ""
    try:
        found = _estimated(as_registered(table, plan), plan, algorithm, MERITS[endpoint])
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
    if leave_out and plan.missing is Missing.LEAVE_OUT:
        keep &= ~(no_call & no_score)
    known = known.where(keep)
    return replace(known, score=_worst_where_missing(known), call=_calls(known, plan))


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


def _estimated(table: ScoreTable, plan: AnalysisPlan, algorithm: str | None, merit: Merit) -> Estimate:
    """Raises NotEstimableError with the sentence that stands in place of a number."""
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
        return _algorithm_against_readers(grid, algorithm, people, merit, level)
    read = grid.of(people)
    if len(read.modes) != 2:
        raise NotEstimableError(f"It compares two modes, and these data hold {len(read.modes)}.")
    if plan.method is Method.OBUCHOWSKI_ROCKETTE:
        return _crossed(read, merit, level)
    return _any_design(read, merit, level)


def _complete(grid: Grid, rows: npt.NDArray[np.bool_]) -> tuple[Grid, tuple[str, ...]]:
    """The cases of which no reading is lacking, and how many others there were. rows (readings, cases)."""
    whole = np.asarray(rows.all(axis=0))
    left_out = int((~whole).sum())
    if not whole.any():
        raise NotEstimableError("no case was read by every reader in every mode, which this method needs.")
    said = f"{left_out} case(s) are left out for all readers, because a reading of them is left out."
    return grid.only(whole), (said,) if left_out else ()


def _crossed(people: Grid, merit: Merit, level: float) -> Estimate:
    grid, said = _complete(people, people.read.reshape(-1, len(people.cases)))
    if grid.design is not Design.CROSSED:
        raise NotEstimableError("it needs readings of every case by every reader in both modes.")
    covariance = registered_covariance(people)
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
        len(grid.cases),
        str(covariance),
        "Hillis",
        inference.generalises_to,
        (*said, *([inference.caution] if inference.caution else [])),
    )


def _any_design(people: Grid, merit: Merit, level: float) -> Estimate:
    if people.clustered:
        raise NotEstimableError("patients have several cases, which the U-statistics do not allow for.")
    modes = people.modes[::-1]  # the later minus the earlier: aided minus unaided
    if merit is Merit.AUC:
        analysis = analyse_any_design(people.truth, people.scores[::-1], modes, level)
    else:
        assert people.calls is not None
        relevant = people.truth if merit is Merit.SENSITIVITY else ~people.truth
        right = people.calls if merit is Merit.SENSITIVITY else 1 - people.calls
        analysis = analyse_calls(right[::-1, :, relevant], modes, level)
    (new, reference), difference = analysis.modes, analysis.differences[0]
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
        len(people.cases),
        "unbiased",
        "Obuchowski-Gallas-Hillis (BDG)",
        analysis.generalises_to,
        (difference.caution,) if difference.caution else (),
    )


def _algorithm_against_readers(
    grid: Grid, algorithm: str | None, people: list[int], merit: Merit, level: float
) -> Estimate:
    if algorithm is None:
        raise NotEstimableError("it compares a CNN with readers, and no reader is named as the CNN.")
    theirs = next(mode for mode in range(len(grid.modes)) if grid.read[mode, people].any())
    own = np.logical_or.reduce(grid.read[:, grid.readers.index(algorithm)])
    rows = np.stack([own, *(grid.read[theirs, person] for person in people if grid.read[theirs, person].any())])
    asked: npt.NDArray[np.bool_] = np.logical_or.reduce(rows[1:])  # the cases that a person read
    both, said = _complete(grid.only(asked), rows[:, asked])
    result = one_against_many(both, algorithm, people, merit, level)
    clustered = both.clustered
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
        len(both.cases),
        str(Covariance.CLUSTERED if clustered else Covariance.JACKKNIFE),
        "Hillis",
        result.generalises_to,
        (*said, *([result.caution] if result.caution else [])),
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
