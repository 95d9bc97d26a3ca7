"""Who is who in the plots: every reader has one number and one colour wherever they appear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from study.analysis import Analysis, ReaderResult
from study.plots.drawing import LIGHT, Look


@dataclass(frozen=True)
class Cast:
    """People in order of appearance, the algorithm apart, and the modes."""

    people: tuple[str, ...]
    algorithm: str | None
    modes: tuple[str, ...]  # the people's; the algorithm's own only where it has no other
    look: Look = LIGHT

    def colour(self, reader: str) -> str:
        if reader not in self.people:
            return self.look.algorithm
        return self.look.readers[self.people.index(reader) % len(self.look.readers)]

    def number(self, reader: str) -> str:
        return str(self.people.index(reader) + 1) if reader in self.people else ""

    def mode(self, name: str) -> int:
        return self.modes.index(name) if name in self.modes else len(self.modes)


def cast(analysis: Analysis, look: Look = LIGHT) -> Cast:
    results = analysis.reader_results
    people = tuple(dict.fromkeys(r.reader for r in results if r.reader != analysis.algorithm))
    modes = tuple(dict.fromkeys(r.mode for r in results if r.reader != analysis.algorithm))
    return Cast(people, analysis.algorithm, modes, look)


def of_people(analysis: Analysis) -> list[ReaderResult]:
    return [result for result in analysis.reader_results if result.reader != analysis.algorithm]


def of_algorithm(analysis: Analysis) -> ReaderResult | None:
    """The algorithm's own readings; in one mode, as nobody helps it."""
    return next((result for result in analysis.reader_results if result.reader == analysis.algorithm), None)


def counted(values: Sequence[int]) -> str:
    """ "40", or "38 to 40" where they differ."""
    low, high = min(values), max(values)
    return f"{low}" if low == high else f"{low} to {high}"


def case_counts(analysis: Analysis) -> str:
    """n in words, as every caption begins. People may have fewer cases than the CNN: shams count for it alone."""
    results = of_people(analysis)
    people = len({result.reader for result in results})
    readers = f"{people} reader" + ("" if people == 1 else "s")
    if results and any(result.cases != analysis.cases for result in results):
        readers += f" ({counted([result.cases for result in results])} cases each)"
    cnn = f" and {analysis.algorithm}" if analysis.algorithm else ""
    return f"n = {analysis.cases} cases ({analysis.loose} loose, {analysis.not_loose} not loose), {readers}{cnn}."
