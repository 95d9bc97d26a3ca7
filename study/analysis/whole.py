"""Everything that a table supports, put together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from study.analysis.agreement import between_readers
from study.analysis.grid import Grid, make_grid
from study.analysis.pairs import all_pairs, switches_of
from study.analysis.results import MOST_PAIRS, ONE_READER, Analysis, Design
from study.analysis.several import against_algorithm, lost_cells, multi_reader
from study.analysis.single import reader_result
from study.scores import ScoreTable
from study.statistics.roc import NotEstimableError

Told = Callable[[str], None]  # what is being computed now


def _nobody(_what: str) -> None:
    pass


def analyse(table: ScoreTable, algorithm: str | None = None, tell: Told = _nobody) -> Analysis:
    """All that the table supports. `algorithm` names the reader that is a CNN, if there is one; else a reader who stands
    alone in a mode of its own, beside a mode with several others, is compared with these as an algorithm would be.

    tell: told what comes next, for whoever waits. Raises NotEstimableError when no case has a known truth.
    """
    tell("each reader")
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
    tell("several readers")
    crossed, u_statistics = multi_reader(read_by_people, sentences)
    against = against_algorithm(grid, algorithm, people, sentences)
    if len(people) > 1 and read_by_people.merits and read_by_people.design is Design.INCOMPLETE:
        sentences.append(lost_cells(read_by_people, read_by_people.merits[0]))
    pairs = all_pairs(grid, algorithm, tell)
    tell("agreement")
    if len(pairs) > MOST_PAIRS:
        more = len(pairs) - MOST_PAIRS
        sentences.append(
            f"{more} more comparisons of two are not listed in the tables; the JSON file (--json) has them."
        )
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
        grid.clustered,
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
            "Some patients have several cases. All variances, intervals and tests are computed by patient; what has no such "
            "version is left out."
        )
    missing = int((grid.read & ~np.isfinite(grid.scores)).sum())
    if not np.isfinite(grid.scores).any():
        out.append("These data hold calls and no scores, so there is no AUC.")
    elif missing:
        counted, them = ("1 reading has", "it") if missing == 1 else (f"{missing} readings have", "them")
        out.append(
            f"{counted} no score: outside a registered analysis AUCs leave {them} out, and a missing call counts as an error."
        )
    if grid.truth.all() or not grid.truth.any():
        out.append("All cases are of one kind, so sensitivity or specificity, and every AUC, cannot be computed.")
    return out
