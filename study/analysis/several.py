"""Several readers at once: what generalises beyond those who read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from study.analysis.grid import FloatArray, Grid
from study.analysis.results import CrossedResult
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
    found: list[CrossedResult] = []
    for merit in people.merits:
        fitting = people.covariance(merit)
        # Without clusters the three usual ones stand side by side for the AUC; of a share of right calls they are one.
        plain = merit is Merit.AUC and fitting is Covariance.JACKKNIFE
        methods = (Covariance.JACKKNIFE, Covariance.DELONG, Covariance.UNBIASED) if plain else (fitting,)
        for method in methods:
            try:
                found.append(crossed_result(people, merit, method))
            except NotEstimableError as error:
                sentences.append(f"Readers together, {merit}: {error}")
                break
    return tuple(found)


def lost_cells(people: Grid, merit: Merit) -> str:
    """How many readings of a crossed design are not there, as a sentence; "" where all are."""
    given = np.isfinite(people.values(merit))
    lost = int(given.size - given.sum())
    if not lost:
        return ""
    what = "score" if merit is Merit.AUC else "call"
    return f"{lost} of {given.size} readings (each reader, mode and case) have no {what} and are left out."


def crossed_result(people: Grid, merit: Merit, method: Covariance, level: float = 0.95) -> CrossedResult:
    """Obuchowski-Rockette of scores (AUC) or calls. Differences are the later mode minus the earlier: aided minus unaided.

    Raises NotEstimableError.
    """
    if merit not in people.merits:
        raise NotEstimableError(f"These data hold no {'scores' if merit is Merit.AUC else 'calls'}.")
    values = people.values(merit)[::-1]
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
    if Merit.AUC not in people.merits:
        return None
    try:
        return analyse_any_design(people.truth, people.scores[::-1], people.modes[::-1], cluster=people.cluster)
    except NotEstimableError as error:
        sentences.append(f"U-statistics: {error}")
        return None


def against_algorithm(
    grid: Grid, algorithm: str | None, people: list[int], sentences: list[str]
) -> OneAgainstMany | None:
    """The algorithm's AUC against the readers' in their first mode (unaided, in a study)."""
    if algorithm is None or not people or Merit.AUC not in grid.merits:
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
    if merit not in grid.merits:
        raise NotEstimableError(f"These data hold no {'scores' if merit is Merit.AUC else 'calls'}.")
    values = grid.values(merit)
    own = values[:, grid.readers.index(algorithm)]
    its_mode = int(np.isfinite(own).sum(axis=1).argmax())
    theirs = next((mode for mode in range(len(grid.modes)) if grid.read[mode, people].any()), None)
    if theirs is None:
        raise NotEstimableError("No person read a case, so there is nobody to compare the algorithm with.")
    there = [person for person in people if grid.read[theirs, person].any()]
    cases = np.flatnonzero(grid.read[theirs, there].any(axis=0))
    readers: FloatArray = values[theirs, there][:, cases]
    # The CNN and the readers as one mode, so that one rule chooses the covariance.
    together = replace(
        grid,
        modes=[grid.modes[theirs]],
        readers=[algorithm, *(grid.readers[person] for person in there)],
        scores=np.vstack([own[its_mode, cases], readers])[None],
        calls=np.vstack([own[its_mode, cases], readers])[None],
        truth=grid.truth[cases],
    )
    return compare_one_against_many(
        grid.truth[cases],
        own[its_mode, cases],
        readers,
        merit,
        together.covariance(merit),
        grid.patients[cases],
        level,
    )
