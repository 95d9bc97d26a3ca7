"""Several readers at once: what generalises beyond those who read."""

from __future__ import annotations

import numpy as np

from study.analysis.grid import FloatArray, Grid
from study.analysis.results import CrossedResult, Design
from study.statistics.covariance import Covariance, Merit, estimate
from study.statistics.obuchowski_rockette import analyse_crossed
from study.statistics.one_against_many import OneAgainstMany, compare_one_against_many
from study.statistics.roc import NotEstimableError
from study.statistics.ustatistics import UAnalysis, analyse_any_design


def multi_reader(people: Grid, sentences: list[str]) -> tuple[tuple[CrossedResult, ...], UAnalysis | None]:
    """All that the design allows: Obuchowski-Rockette where readings are crossed, U-statistics in any design.

    people: the grid of the readers alone. What cannot be computed is added to the sentences.
    """
    if len(people.readers) < 2:
        return (), None
    return _all_crossed(people, sentences), _u_statistics(people, sentences)


def _all_crossed(people: Grid, sentences: list[str]) -> tuple[CrossedResult, ...]:
    if people.design is Design.INCOMPLETE:
        return ()
    found: list[CrossedResult] = []
    for merit, method in _merits(people, sentences):
        try:
            found.append(crossed_result(people, merit, method))
        except NotEstimableError as error:
            sentences.append(str(error))
    return tuple(found)


def _merits(people: Grid, sentences: list[str]) -> list[tuple[Merit, Covariance]]:
    other_cases = people.design is Design.OTHER_CASES
    if people.clustered:
        methods = [] if other_cases else [Covariance.CLUSTERED]
    else:
        methods = [Covariance.UNBIASED] if other_cases else list(Covariance)[:3]
    out = [(Merit.AUC, method) for method in methods]
    if people.calls is None:
        return out
    if not np.isfinite(people.calls).all():
        sentences.append("Sensitivity and specificity are not compared over several readers: some calls are missing.")
        return out
    return [*out, *((merit, registered_covariance(people)) for merit in (Merit.SENSITIVITY, Merit.SPECIFICITY))]


def registered_covariance(grid: Grid) -> Covariance:
    """The jackknife; where patients have several cases, Obuchowski's by patient. The case list decides, not the readings."""
    return Covariance.CLUSTERED if grid.clustered else Covariance.JACKKNIFE


def crossed_result(people: Grid, merit: Merit, method: Covariance, level: float = 0.95) -> CrossedResult:
    """Obuchowski-Rockette of scores (AUC) or calls. Differences are the later mode minus the earlier: aided minus unaided.

    Raises NotEstimableError.
    """
    held = people.scores if merit is Merit.AUC else people.calls
    if held is None:
        raise NotEstimableError("These data hold no calls.")
    values = held[::-1]
    shape = values.shape[:2]
    estimates = estimate(people.truth, values.reshape(-1, people.truth.size), merit, method, people.patients)
    analysis = analyse_crossed(
        estimates.values.reshape(shape),
        estimates.covariance.reshape(shape + shape),
        people.modes[::-1],
        people.readers,
        f"{method}",
        level,
    )
    return CrossedResult(merit, method, analysis)


def _u_statistics(people: Grid, sentences: list[str]) -> UAnalysis | None:
    if people.clustered:
        if people.design in (Design.INCOMPLETE, Design.OTHER_CASES):
            sentences.append(
                "No method here allows for several cases of a patient and for missing readings at once, "
                "so the readers' mean is not tested."
            )
        return None
    try:
        return analyse_any_design(people.truth, people.scores[::-1], people.modes[::-1])
    except NotEstimableError as error:
        sentences.append(str(error))
        return None


def against_algorithm(
    grid: Grid, algorithm: str | None, people: list[int], sentences: list[str]
) -> OneAgainstMany | None:
    """The algorithm's AUC against the readers' in their first mode (unaided, in a study)."""
    if algorithm is None or not people:
        return None
    scored = np.logical_or.reduce(np.isfinite(grid.scores[:, grid.readers.index(algorithm)]))
    without = int((np.logical_or.reduce(grid.read[:, people], axis=(0, 1)) & ~scored).sum())
    if without:
        sentences.append(
            f"{without} case(s) without a score by {algorithm} are left out of its comparison with readers."
        )
    try:
        return one_against_many(grid.only(scored), algorithm, people)
    except NotEstimableError as error:
        sentences.append(str(error))
        return None


def one_against_many(
    grid: Grid, algorithm: str, people: list[int], merit: Merit = Merit.AUC, level: float = 0.95
) -> OneAgainstMany:
    """On the cases that the readers of the first mode with people read. Raises NotEstimableError."""
    values = grid.scores if merit is Merit.AUC else grid.calls
    if values is None:
        raise NotEstimableError("These data hold no calls.")
    own = values[:, grid.readers.index(algorithm)]
    its_mode = int(np.isfinite(own).sum(axis=1).argmax())
    theirs = next((mode for mode in range(len(grid.modes)) if grid.read[mode, people].any()), None)
    if theirs is None:
        raise NotEstimableError("No person read a case, so there is nobody to compare the algorithm with.")
    there = [person for person in people if grid.read[theirs, person].any()]
    cases = np.flatnonzero(grid.read[theirs, there].any(axis=0))
    readers: FloatArray = values[theirs, there][:, cases]
    patients = grid.patients[cases]
    clustered = np.unique(patients).size < cases.size
    return compare_one_against_many(
        grid.truth[cases],
        own[its_mode, cases],
        readers,
        merit,
        Covariance.CLUSTERED if clustered else Covariance.JACKKNIFE,
        patients,
        level,
    )
