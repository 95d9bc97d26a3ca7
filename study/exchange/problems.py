"""What can be wrong with a file of scores, and where."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

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


def shown(text: str) -> str:
    """An id or value as it stands in a sentence."""
    return f"“{text if len(text) <= 40 else text[:39] + '…'}”"
