"""A table of scores as arrays: modes by readers by cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from study.analysis.results import Design
from study.scores import ScoreTable

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Grid:
    """Scores, calls and seconds are (modes, readers, cases), NaN where there are none; truth and patients (cases,).

    `read` is true where the table has a row, even one without score and call.
    """

    modes: list[str]
    readers: list[str]
    cases: list[str]
    truth: npt.NDArray[np.bool_]
    patients: npt.NDArray[np.str_]
    scores: FloatArray
    calls: FloatArray | None
    read: npt.NDArray[np.bool_]
    seconds: FloatArray | None

    @property
    def clustered(self) -> bool:
        """Whether some patient has several cases."""
        return len(set(self.patients.tolist())) < len(self.cases)

    @property
    def design(self) -> Design:
        scored: npt.NDArray[np.bool_] = np.asarray(np.isfinite(self.scores))
        if scored.all():
            return Design.ONE_MODE if len(self.modes) <= 1 else Design.CROSSED
        return Design.OTHER_CASES if (scored == scored[:, :1]).all() else Design.INCOMPLETE

    def of(self, readers: Sequence[int]) -> Grid:
        """These readers, the modes in which one of them read, and the cases that one of them read.

        An algorithm may have a mode of its own, and cases that no person was counted on.
        """
        modes = np.flatnonzero(self.read[:, readers].any(axis=(1, 2)))
        cases = np.flatnonzero(self.read[:, readers].any(axis=(0, 1)))
        return self._at(modes, np.array(readers, dtype=np.intp), cases)

    def only(self, cases: npt.NDArray[np.bool_]) -> Grid:
        """The cases that are marked, (cases,)."""
        return self._at(np.arange(len(self.modes)), np.arange(len(self.readers)), np.flatnonzero(cases))

    def _at(self, modes: IntArray, readers: IntArray, cases: IntArray) -> Grid:
        place = np.ix_(modes, readers, cases)
        return Grid(
            [self.modes[mode] for mode in modes],
            [self.readers[reader] for reader in readers],
            [self.cases[case] for case in cases],
            self.truth[cases],
            self.patients[cases],
            self.scores[place],
            None if self.calls is None else self.calls[place],
            self.read[place],
            None if self.seconds is None else self.seconds[place],
        )


def make_grid(table: ScoreTable) -> Grid:
    modes, readers, cases = table.modes, table.readers, table.cases
    position = [{name: index for index, name in enumerate(names)} for names in (modes, readers, cases)]
    where = tuple(
        np.array([lookup[name] for name in column], dtype=np.intp)
        for lookup, column in zip(position, (table.mode, table.reader, table.case), strict=True)
    )
    shape = (len(modes), len(readers), len(cases))

    def spread(column: FloatArray) -> FloatArray:
        out = np.full(shape, np.nan)
        out[where] = column
        return out

    read = np.zeros(shape, dtype=bool)
    read[where] = True
    truth_of, patient_of = table.case_truth, table.case_patient
    calls = None if table.call is None else np.where(table.call < 0, np.nan, table.call.astype(np.float64))
    return Grid(
        modes,
        readers,
        cases,
        np.array([truth_of[case] == 1 for case in cases], dtype=bool),
        np.array([patient_of[case] for case in cases]),
        spread(table.score),
        None if calls is None else spread(calls),
        read,
        None if table.seconds is None else spread(table.seconds),
    )
