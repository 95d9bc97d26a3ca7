"""A person's answer beside the CNN's: pairs on the same hip, and how often the two agree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from study.model import Call, CaseKey, ReadingMode
from study.record.folding import RecordedReading

BINARY = (Call.LOOSE, Call.NOT_LOOSE)


class Agreement(StrEnum):
    AGREE = "agree"
    DISAGREE = "disagree"
    NOT_COMPARABLE = "not_comparable"  # one of the two gave no binary answer, or there is no CNN answer


@dataclass(frozen=True)
class Opinion:
    """One person's answer on one hip, their revision if they gave one, and the CNN's answer."""

    answer: RecordedReading  # answer-first, or given in assist mode
    revised: RecordedReading | None
    cnn: RecordedReading | None

    @property
    def final(self) -> RecordedReading:
        return self.revised or self.answer

    @property
    def agreement(self) -> Agreement:
        """Of the answer as first given."""
        return compare(self.answer.reading.call, self.cnn.reading.call if self.cnn else None)

    @property
    def final_agreement(self) -> Agreement:
        return compare(self.final.reading.call, self.cnn.reading.call if self.cnn else None)

    @property
    def changed(self) -> bool:
        """Whether the call was changed after the CNN was revealed."""
        return self.revised is not None and self.revised.reading.call is not self.answer.reading.call


def compare(person: Call | None, cnn: Call | None) -> Agreement:
    """Only loose and not loose can agree or disagree."""
    if person not in BINARY or cnn not in BINARY:
        return Agreement.NOT_COMPARABLE
    return Agreement.AGREE if person is cnn else Agreement.DISAGREE


def opinions(items: Iterable[RecordedReading]) -> list[Opinion]:
    """Each answer of a person with its revision and the CNN's answer on the same hip, by time.

    The CNN's answer is that of the very model that the reading names, at the very region; else the latest of that
    model on the same hip; else, where the reading names no model, the latest on the same hip.
    """
    held = list(items)
    revisions: dict[str, RecordedReading] = {}
    predictions: dict[tuple[str, int], list[RecordedReading]] = defaultdict(list)
    for item in held:
        reading = item.reading
        if item.is_algorithm:
            predictions[reading.case.image_sha256, reading.case.frame].append(item)
        elif reading.mode is ReadingMode.REVISED and reading.revises:
            revisions[reading.revises] = item  # the latest, since items come by time
    answers = [item for item in held if not item.is_algorithm]
    known_ids = {item.reading.id for item in answers}
    result = []
    for item in answers:
        reading = item.reading
        if reading.mode is ReadingMode.REVISED and reading.revises in known_ids:
            continue
        revised = revisions.get(reading.id)
        named = (revised or item).reading.model_sha256
        candidates = predictions[reading.case.image_sha256, reading.case.frame]
        result.append(Opinion(item, revised, _cnn_answer(reading.case, named, candidates)))
    return result


def _cnn_answer(case: CaseKey, model_sha256: str, candidates: list[RecordedReading]) -> RecordedReading | None:
    fitting = [
        c
        for c in candidates
        if same_hip(c.reading.case, case) and (not model_sha256 or c.reading.model_sha256 == model_sha256)
    ]
    at_region = [c for c in fitting if c.reading.case == case]
    return next(reversed(at_region or fitting), None)


def same_hip(one: CaseKey, other: CaseKey) -> bool:
    """Whether two regions of one image mean the same hip: sides that do not differ, and boxes that overlap by half."""
    if (one.image_sha256, one.frame) != (other.image_sha256, other.frame):
        return False
    if one == other:
        return True
    known_sides = {one.side, other.side} <= {"R", "L"}
    if known_sides:
        return one.side == other.side
    (x1, y1, w1, h1), (x2, y2, w2, h2) = one.box, other.box
    shared = max(0.0, min(x1 + w1, x2 + w2) - max(x1, x2)) * max(0.0, min(y1 + h1, y2 + h2) - max(y1, y2))
    return shared >= 0.5 * min(w1 * h1, w2 * h2) > 0


@dataclass(frozen=True)
class AgreementSummary:
    """Counts of pairs; no rate without its count."""

    opinions: int
    comparable: int
    agree: int
    both_loose: int
    only_person_loose: int
    only_cnn_loose: int
    both_not_loose: int
    revised: int  # opinions with a revision
    changed_to_cnn: int  # disagreed, and agreed after the CNN was revealed
    changed_from_cnn: int

    @property
    def sentence(self) -> str:
        if self.comparable == 0:
            return "No reading can be compared with the CNN yet."
        noun = "reading" if self.comparable == 1 else "readings"
        return f"Reader and CNN agree in {self.agree} of {self.comparable} {noun} that can be compared."


def summarise(items: Iterable[Opinion]) -> AgreementSummary:
    """Agreement of people's answers, as first given, with the CNN's."""
    held = list(items)
    table: dict[tuple[Call | None, Call | None], int] = defaultdict(int)
    for opinion in held:
        if opinion.agreement is not Agreement.NOT_COMPARABLE and opinion.cnn is not None:
            table[opinion.answer.reading.call, opinion.cnn.reading.call] += 1
    loose, not_loose = BINARY
    moves = [(o.agreement, o.final_agreement) for o in held if o.revised is not None]
    return AgreementSummary(
        opinions=len(held),
        comparable=sum(table.values()),
        agree=table[loose, loose] + table[not_loose, not_loose],
        both_loose=table[loose, loose],
        only_person_loose=table[loose, not_loose],
        only_cnn_loose=table[not_loose, loose],
        both_not_loose=table[not_loose, not_loose],
        revised=len(moves),
        changed_to_cnn=moves.count((Agreement.DISAGREE, Agreement.AGREE)),
        changed_from_cnn=moves.count((Agreement.AGREE, Agreement.DISAGREE)),
    )
