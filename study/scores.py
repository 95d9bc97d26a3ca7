"""The table that statistics are computed from: one row is one reader's answer on one case in one mode.

Long format, so that any design fits: fully crossed, split-plot, one network against many readers, missing readings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

NO_TRUTH = -1  # the reference standard of this case is not known


@dataclass(frozen=True)
class ScoreTable:
    """All lists and arrays have one entry per row; ids are strings as they were written, never numbers.

    truth: int8, 1 = loose (positive), 0 = not loose, -1 = not known (`NO_TRUTH`); one value per case.
    score: float64, larger = more certainly positive; NaN where the reader gave none (a missing or not assessable
        reading). Statistics must handle these rows openly, never drop them in silence.
    patient: the cluster that a case belongs to; None when every case is its own patient.
    call: the binary answer, int8, 1 / 0, -1 where none was given ("cannot tell", not assessable); None when the data
        hold scores only.
    seconds: active reading time, float64, NaN where not recorded.
    A (reader, mode, case) occurs at most once.
    """

    reader: list[str]
    mode: list[str]
    case: list[str]
    truth: npt.NDArray[np.int8]
    score: npt.NDArray[np.float64]
    patient: list[str] | None = None
    side: list[str] | None = None
    call: npt.NDArray[np.int8] | None = None
    seconds: npt.NDArray[np.float64] | None = None
    title: str = ""
    # Things that a person should know about how the file was read; shown, never hidden.
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        rows = len(self.reader)
        for name in ("mode", "case", "truth", "score", "patient", "side", "call", "seconds"):
            column = getattr(self, name)
            if column is not None and len(column) != rows:
                raise ValueError(f"Column {name} has {len(column)} rows, reader has {rows}.")
        for name in ("truth", "score", "call", "seconds"):
            column = getattr(self, name)
            if column is not None:
                column.setflags(write=False)

    def __len__(self) -> int:
        return len(self.reader)

    @property
    def readers(self) -> list[str]:
        """Each reader once, in order of first appearance."""
        return list(dict.fromkeys(self.reader))

    @property
    def modes(self) -> list[str]:
        return list(dict.fromkeys(self.mode))

    @property
    def cases(self) -> list[str]:
        return list(dict.fromkeys(self.case))

    @property
    def case_truth(self) -> dict[str, int]:
        """Truth by case id."""
        return dict(zip(self.case, self.truth.tolist(), strict=True))

    @property
    def case_patient(self) -> dict[str, str]:
        """Patient by case id; the case itself where no patient is known."""
        return dict(zip(self.case, self.patient or self.case, strict=True))

    def where(self, keep: npt.NDArray[np.bool_] | Sequence[bool]) -> ScoreTable:
        """The rows where `keep` is true, in the same order."""
        index = np.flatnonzero(np.asarray(keep, dtype=bool))

        def pick(column: Any) -> Any:
            if isinstance(column, np.ndarray):
                return column[index]
            if isinstance(column, list):
                return [column[i] for i in index]
            return column

        return ScoreTable(**{f.name: pick(getattr(self, f.name)) for f in fields(self)})

    def with_empty_rows(self, keys: Sequence[tuple[str, str, str]]) -> ScoreTable:
        """With a row without score and call for each (reader, mode, case); the cases must be known."""
        truth, patient = self.case_truth, self.case_patient
        side = None if self.side is None else dict(zip(self.case, self.side, strict=True))
        readers, modes, cases = (list(column) for column in zip(*keys, strict=True)) if keys else ([], [], [])
        nothing = np.full(len(keys), np.nan)
        return ScoreTable(
            [*self.reader, *readers],
            [*self.mode, *modes],
            [*self.case, *cases],
            np.concatenate([self.truth, np.array([truth[case] for case in cases], dtype=np.int8)]),
            np.concatenate([self.score, nothing]),
            None if self.patient is None else [*self.patient, *(patient[case] for case in cases)],
            None if self.side is None or side is None else [*self.side, *(side[case] for case in cases)],
            None if self.call is None else np.concatenate([self.call, np.full(len(keys), NO_TRUTH, dtype=np.int8)]),
            None if self.seconds is None else np.concatenate([self.seconds, nothing]),
            self.title,
            self.notes,
        )

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]], title: str = "", notes: tuple[str, ...] = ()) -> ScoreTable:
        """Build from mappings with reader, mode, case, truth, score and optional patient, side, call, seconds.

        None stands for "not given" in truth, score, call and seconds. An optional column that no row has stays None.
        """
        held = list(rows)

        def text(name: str) -> list[str]:
            return [str(row[name]) for row in held]

        def optional_text(name: str) -> list[str] | None:
            values = [row.get(name) for row in held]
            return ["" if v is None else str(v) for v in values] if any(v not in (None, "") for v in values) else None

        def binary(name: str) -> npt.NDArray[np.int8]:
            return np.array([NO_TRUTH if row.get(name) is None else int(row[name]) for row in held], dtype=np.int8)

        def number(name: str) -> npt.NDArray[np.float64]:
            return np.array([np.nan if row.get(name) is None else float(row[name]) for row in held], dtype=np.float64)

        def given(name: str) -> bool:
            return any(row.get(name) is not None for row in held)

        cases = text("case")
        patients = optional_text("patient")
        if patients is not None:  # a case without a patient is its own cluster
            patients = [p or c for p, c in zip(patients, cases, strict=True)]
        return cls(
            reader=text("reader"),
            mode=text("mode"),
            case=cases,
            truth=binary("truth"),
            score=number("score"),
            patient=patients,
            side=optional_text("side"),
            call=binary("call") if given("call") else None,
            seconds=number("seconds") if given("seconds") else None,
            title=title,
            notes=notes,
        )
