"""The lines of the record's table: made from the record, filtered by tests of what is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from study.model import ReadingMode
from study.record import (
    Agreement,
    AgreementSummary,
    Opinion,
    Record,
    RecordedReading,
    case_ids,
    opinions,
    summarise,
)

PEOPLE, EVERYONE, CNN = "people", "everyone", "cnn"
NOT_ASSESSABLE = "not_assessable"


@dataclass(frozen=True)
class Filter:
    """What of the record is shown. `since` and `until` are inclusive days of the local clock."""

    who: str = PEOPLE  # PEOPLE, EVERYONE, CNN, or "reader:" and a reader's id
    mode: ReadingMode | None = None
    call: str | None = None  # a Call's value, NOT_ASSESSABLE, or None for all
    since: date | None = None
    until: date | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table, ready to be filtered and sorted."""

    item: RecordedReading
    opinion: Opinion | None
    case: str
    haystack: str  # what a search looks in
    agreement: Agreement
    by_cnn: bool
    cnn_score: float  # of the CNN on the same hip; -1 where there is none

    @property
    def at(self) -> datetime:
        """Local time of recording."""
        return datetime.fromisoformat(self.item.utc).astimezone()


def make_rows(record: Record) -> list[Row]:
    """Newest first."""
    names = case_ids(record.readings)
    of_reading: dict[str, Opinion] = {}
    for opinion in opinions(record.readings):
        of_reading[opinion.answer.reading.id] = opinion
        if opinion.revised is not None:
            of_reading[opinion.revised.reading.id] = opinion
    rows = []
    for item in reversed(record.readings):
        reading = item.reading
        case = names[reading.case]
        words = (case, reading.case.image_sha256, reading.reader.id, reading.comment, reading.not_assessable_reason)
        found = of_reading.get(reading.id)
        agreement, cnn_score = Agreement.NOT_COMPARABLE, -1.0
        if found is not None and found.cnn is not None:
            agreement = found.final_agreement if item is found.revised else found.agreement
            cnn_score = -1.0 if found.cnn.reading.score is None else found.cnn.reading.score
        rows.append(Row(item, found, case, " ".join(words).casefold(), agreement, item.is_algorithm, cnn_score))
    return rows


def predicates(wanted: Filter) -> list[Callable[[Row], bool]]:
    """What a row must fulfil: one test for each thing that is asked, none for what is not."""
    tests: list[Callable[[Row], bool]] = []
    if wanted.who == PEOPLE:
        tests.append(lambda row: not row.by_cnn)
    elif wanted.who == CNN:
        tests.append(lambda row: row.by_cnn)
    elif wanted.who != EVERYONE:
        name = wanted.who.removeprefix("reader:")
        tests.append(lambda row: row.item.reading.reader.id == name)
    if wanted.mode is not None:
        tests.append(lambda row: row.item.reading.mode is wanted.mode)
    if wanted.call == NOT_ASSESSABLE:
        tests.append(lambda row: row.item.reading.call is None)
    elif wanted.call is not None:
        tests.append(lambda row: row.item.reading.call == wanted.call)
    # UTC in the record is ISO text of one form: it compares as text, which spares 100,000 conversions.
    if wanted.since is not None:
        first = _utc_of_midnight(wanted.since)
        tests.append(lambda row: row.item.utc >= first)
    if wanted.until is not None:
        end = _utc_of_midnight(wanted.until + timedelta(days=1))
        tests.append(lambda row: row.item.utc < end)
    words = wanted.text.casefold().split()
    if words:
        tests.append(lambda row: all(word in row.haystack for word in words))
    return tests


def summary_words(summary: AgreementSummary) -> str:
    """The agreement in words and counts; no percentages of a handful, no p-values."""
    if summary.comparable == 0:
        return summary.sentence
    parts = [summary.sentence]
    parts.append(
        f"Both loose: {summary.both_loose}. Both not loose: {summary.both_not_loose}. "
        f"Only the reader says loose: {summary.only_person_loose}. Only the CNN says loose: {summary.only_cnn_loose}."
    )
    left = summary.opinions - summary.comparable
    if left:
        parts.append(f"{left} cannot be compared.")
    if summary.revised:
        parts.append(
            f"Of {summary.revised} revised answers, {summary.changed_to_cnn} moved to the CNN's "
            f"and {summary.changed_from_cnn} away from it."
        )
    return " ".join(parts)


def summary_of(rows: list[Row]) -> AgreementSummary:
    """Of the opinions whose answer or revision is among the rows; each counts once."""
    held = {id(row.opinion): row.opinion for row in rows if row.opinion is not None}
    return summarise(held.values())


def _utc_of_midnight(day: date) -> str:
    """The start of a local day, as the record writes UTC but for the fraction."""
    local = datetime(day.year, day.month, day.day).astimezone()
    return local.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
