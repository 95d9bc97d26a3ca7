"""What can be wrong with a file of scores, and where."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

TRUTH_READERS = ("truth", "-1")  # who "reads" the truth in files of iMRMC
_SHOWN = 20  # problems that an error spells out


@dataclass(frozen=True)
class RowProblem:
    """What is wrong with a file, where, and what to do. `row` counts lines from 1; 0 is the file as a whole."""

    row: int
    what: str
    cure: str

    def __str__(self) -> str:
        return f"row {self.row}: {self.what} {self.cure}" if self.row else f"{self.what} {self.cure}"


class ExchangeError(ValueError):
    """A file of scores cannot be used. `str(error)` names the first row that is wrong and its cure."""

    def __init__(self, name: str, problems: list[RowProblem]) -> None:
        more = len(problems) - 1
        tail = f" ({more} more {'problem' if more == 1 else 'problems'} in this file.)" if more else ""
        super().__init__(f"{name}{',' if problems[0].row else ':'} {problems[0]}{tail}")
        self.name = name
        self.problems = problems

    @property
    def sentence(self) -> str:
        return str(self)

    @property
    def details(self) -> str:
        lines = [str(problem) for problem in self.problems[:_SHOWN]]
        if len(self.problems) > _SHOWN:
            lines.append(f"and {len(self.problems) - _SHOWN} more")
        return "\n".join(lines)


def as_number(text: str) -> float | None:
    """A finite number, or None. Python's own extras (1_000, nan, ١) are not numbers of a score file."""
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text, re.ASCII):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def told_apart(**ids: Iterable[str]) -> tuple[str, ...]:
    """A sentence where ids differ only in leading zeros or in upper and lower case; nothing where none do.

    ids: the distinct ones of each kind, e.g. `case=table.cases`.
    """
    found = []
    for kind, names in ids.items():
        alike: dict[str, list[str]] = {}
        for name in dict.fromkeys(names):
            alike.setdefault(re.sub(r"(?<!\d)0+(?=\d)", "", name.casefold()), []).append(name)
        pairs = [group for group in alike.values() if len(group) > 1]
        if pairs:
            more = f" (and {len(pairs) - 1} more)" if len(pairs) > 1 else ""
            found.append(f"{kind} {' and '.join(map(shown, pairs[0]))}{more}")
    if not found:
        return ()
    return (
        f"Ids that differ only in leading zeros or in upper and lower case count as different: {'; '.join(found)}.",
    )


def shown(text: str) -> str:
    """An id or value as it stands in a sentence."""
    return f"“{text if len(text) <= 40 else text[:39] + '…'}”"
