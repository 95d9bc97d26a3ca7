"""Two sets of readings of the same cases: comparisons of two, and what changed between two modes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np

from study.analysis.grid import Grid, make_grid
from study.analysis.results import PairResult, SwitchResult
from study.scores import ScoreTable
from study.statistics.accuracy import McNemar, mcnemar, mcnemar_of
from study.statistics.roc import NotEstimableError, auc_difference_delong


def all_pairs(grid: Grid, algorithm: str | None, tell: Callable[[str], None]) -> tuple[PairResult, ...]:
    """Each reader's modes against each other, each mode's readers against each other, and the algorithm against everybody.

    One reader's modes first, then the algorithm: they are what a study asks.
    """
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
    wanted.sort(key=lambda pair: (pair[0][1] != pair[1][1], own not in (pair[0][1], pair[1][1])))
    # The later mode minus the earlier: aided minus unaided. The algorithm minus a reader.
    turned = [(two, one) if one[1] == two[1] or two[1] == own else (one, two) for one, two in wanted]
    alone = own if own >= 0 and int(grid.read[:, own].any(axis=1).sum()) == 1 else -1
    found = []
    for number, (one, two) in enumerate(turned, start=1):
        tell(f"comparisons of two, {number} of {len(turned)}")
        found.append(_pair(grid, one, two, alone))
    return tuple(found)


def _pair(grid: Grid, one: tuple[int, int], two: tuple[int, int], alone: int) -> PairResult:
    """alone: the reader that had no mode, the CNN; -1: nobody."""
    sentences: list[str] = []
    both = np.isfinite(grid.scores[one]) & np.isfinite(grid.scores[two])
    difference, cluster = None, grid.cluster
    try:
        if both.any():
            difference = auc_difference_delong(
                grid.truth[both],
                grid.scores[one][both],
                grid.scores[two][both],
                cluster=None if cluster is None else cluster[both],
            )
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
                tables[loose] = mcnemar_of(
                    right[0][cases], right[1][cases], None if cluster is None else cluster[cases]
                )
    return PairResult(
        _label(grid, one, alone),
        _label(grid, two, alone),
        int((grid.read[one] & grid.read[two]).sum()) if difference is None else int(both.sum()),
        difference,
        tables[True],
        tables[False],
        tuple(sentences),
    )


def switches(table: ScoreTable) -> tuple[SwitchResult, ...]:
    """Who changed to and from the truth between the modes of a table, each reader by themselves."""
    return switches_of(make_grid(table.where(table.truth >= 0)))


def switches_of(grid: Grid) -> tuple[SwitchResult, ...]:
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


def _label(grid: Grid, slot: tuple[int, int], alone: int) -> str:
    with_mode = len(grid.modes) > 1 and slot[1] != alone
    return f"{grid.readers[slot[1]]}, {grid.modes[slot[0]]}" if with_mode else grid.readers[slot[1]]


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
