"""Everything that a table supports, put together."""

from __future__ import annotations

import numpy as np

from study.analysis.agreement import between_readers
from study.analysis.grid import Grid, make_grid
from study.analysis.pairs import all_pairs, switches_of
from study.analysis.results import ONE_READER, Analysis
from study.analysis.several import against_algorithm, multi_reader
from study.analysis.single import reader_result
from study.scores import ScoreTable
from study.statistics.roc import NotEstimableError


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
    grid = make_grid(known)
    said: list[str] = []
    if algorithm is None and (lone := _lone_reader(grid)) is not None:
        algorithm, mode = lone
        said.append(
            f"{algorithm} alone read in mode {mode}, so it is compared as one against the many of the other mode."
        )
    people = [index for index, reader in enumerate(grid.readers) if reader != algorithm]
    sentences = [*table.notes, *said, *_cautions(grid, people, unknown)]
    results = tuple(
        reader_result(grid, mode, reader)
        for mode in range(len(grid.modes))
        for reader in range(len(grid.readers))
        if grid.read[mode, reader].any()
    )
    read_by_people = grid.of(people)
    crossed, u_statistics = multi_reader(read_by_people, sentences)
    against = against_algorithm(grid, algorithm, people, sentences)
    pairs, left_out = all_pairs(grid, algorithm)
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
        read_by_people.design,
        results,
        crossed,
        u_statistics,
        against,
        pairs,
        tuple(result for mode in range(len(grid.modes)) for result in between_readers(grid, mode, people)),
        switches_of(grid),
        algorithm,
        left_out,
        tuple(dict.fromkeys(sentences)),
    )


def _lone_reader(grid: Grid) -> tuple[str, str] | None:
    """(reader, mode) where one reader stands alone in a mode of its own and at least two others in the only other one."""
    if len(grid.modes) != 2:
        return None
    here = np.asarray(grid.read.any(axis=2))  # (modes, readers)
    for mode, other in ((0, 1), (1, 0)):
        alone = np.flatnonzero(here[mode])
        if alone.size == 1 and not here[other, alone[0]] and here[other].sum() >= 2:
            return grid.readers[alone[0]], grid.modes[mode]
    return None


def _cautions(grid: Grid, people: list[int], unknown: int) -> list[str]:
    out = []
    if unknown:
        out.append(f"{unknown} case(s) without a known truth are left out of accuracy.")
    if len(people) == 1:
        out.append(ONE_READER)
    if grid.clustered:
        out.append(
            "Some patients have several cases; covariances between readers are computed by patient (Obuchowski 1997)."
        )
    missing = int((grid.read & ~np.isfinite(grid.scores)).sum())
    if missing:
        counted, them = ("1 reading has", "it") if missing == 1 else (f"{missing} readings have", "them")
        out.append(
            f"{counted} no score: outside a registered analysis AUCs leave {them} out, and a missing call counts as an error."
        )
    if grid.truth.all() or not grid.truth.any():
        out.append("All cases are of one kind, so sensitivity or specificity, and every AUC, cannot be computed.")
    return out
