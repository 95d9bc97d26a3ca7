"""A table of scores as arrays: modes by readers by cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from study.analysis.results import Design
from study.scores import ScoreTable
from study.statistics.covariance import Covariance, Merit

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
    def cluster(self) -> npt.NDArray[np.str_] | None:
        """(cases,): the patients where some have several cases, which every variance then allows for; else None."""
        return self.patients if self.clustered else None

    @property
    def merits(self) -> tuple[Merit, ...]:
        """What these readings allow to measure: AUC of scores, sensitivity and specificity of calls."""
        of_scores = (Merit.AUC,) if np.isfinite(self.scores).any() else ()
        of_calls = (Merit.SENSITIVITY, Merit.SPECIFICITY) if self.calls is not None else ()
        return (*of_scores, *of_calls)

    @property
    def design(self) -> Design:
        """Of the scores; of the calls where there are no scores."""
        return self.design_of(self.merits[0] if self.merits else Merit.AUC)

    def values(self, merit: Merit) -> FloatArray:
        """(modes, readers, cases): what the figure of merit is computed from."""
        if merit is Merit.AUC:
            return self.scores
        return np.full(self.scores.shape, np.nan) if self.calls is None else self.calls

    def design_of(self, merit: Merit) -> Design:
        """Of the readings that this figure of merit uses: a sensitivity needs no score, and no case that is not loose."""
        used = {Merit.AUC: np.ones_like(self.truth), Merit.SENSITIVITY: self.truth, Merit.SPECIFICITY: ~self.truth}
        given: npt.NDArray[np.bool_] = np.asarray(np.isfinite(self.values(merit)[:, :, used[merit]]))
        if given.all():
            return Design.ONE_MODE if len(self.modes) <= 1 else Design.CROSSED
        return Design.OTHER_CASES if (given == given[:, :1]).all() else Design.INCOMPLETE

    def covariance(self, merit: Merit) -> Covariance:
        """The one that fits these readings. That patients have several cases follows from the list of cases, not from what
        was read: it decides between by patient and plain; where readings are missing, the covariance is the unbiased one."""
        whole = self.design_of(merit) in (Design.CROSSED, Design.ONE_MODE)
        if self.clustered:
            return Covariance.CLUSTERED if whole else Covariance.UNBIASED_BY_PATIENT
        return Covariance.JACKKNIFE if whole else Covariance.UNBIASED

    def of(self, readers: Sequence[int]) -> Grid:
        """These readers, the modes in which one of them read, and the cases that one of them read.

        An algorithm may have a mode of its own, and cases that no person was counted on.
        """
        modes = np.flatnonzero(self.read[:, readers].any(axis=(1, 2)))
        cases = np.flatnonzero(self.read[:, readers].any(axis=(0, 1)))
        return self._at(modes, np.array(readers, dtype=np.intp), cases)

    def in_modes(self, modes: Sequence[str]) -> Grid:
        """These modes, in this order."""
        wanted = np.array([self.modes.index(mode) for mode in modes], dtype=np.intp)
        return self._at(wanted, np.arange(len(self.readers)), np.arange(len(self.cases)))

    def only(self, cases: npt.NDArray[np.bool_]) -> Grid:
        """The cases that are marked, (cases,)."""
        return self._at(np.arange(len(self.modes)), np.arange(len(self.readers)), np.flatnonzero(cases))

    def at_cases(self, cases: IntArray, patients: npt.NDArray[np.str_]) -> Grid:
        """These cases, which may occur several times, as those of these patients."""
        held = self._at(np.arange(len(self.modes)), np.arange(len(self.readers)), cases)
        return replace(held, patients=patients)

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
