"""A record as it is read: every event checked against its hash, nothing changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from study.chain import Damage, Event, Head, Problem, check_chains
from study.store.errors import StoreError, as_store_error, sqlite_code
from study.store.heads import NOTHING_NOTED, NotedEnd, end_beside, read_end
from study.store.versions import check_version

if TYPE_CHECKING:
    import sqlalchemy as sa


@dataclass(frozen=True)
class History:
    """What the record holds: sound events (chain by chain, in order), and what is wrong with the rest."""

    events: list[Event]
    problems: list[Problem]
    end: NotedEnd = NOTHING_NOTED  # what it was held against


def read_record(where: Path | str, heads: Iterable[Head] | None = None) -> History:
    """Read a record without changing anything beside or in it: to analyse a file that somebody sent.

    heads: to hold the record against; those in the head file beside it by default. Raises StoreError.
    """
    return _read(where, None if heads is None else NotedEnd(tuple(heads)), thorough=False)


def verify_record(where: Path | str, end: NotedEnd | None = None) -> History:
    """Like `read_record`, and looks at all else in the file too: the database, its definitions, its bytes."""
    return _read(where, end, thorough=True)


def _read(where: Path | str, end: NotedEnd | None, *, thorough: bool) -> History:
    from study import tables
    from study.store.soundness import file_problems

    text = str(where)
    path = None if "://" in text else Path(text)
    if path is not None and not path.is_file():
        raise StoreError(f"There is no record named {path.name}.")
    try:
        if end is None:
            beside = end_beside(path) if path is not None else None
            end = read_end(beside) if beside is not None and beside.exists() else NOTHING_NOTED
        engine = tables.server_engine(text) if path is None else tables.sqlite_engine(path, read_only=True)
        try:
            with engine.connect() as connection:
                check_version(tables.schema_version(connection))
                history = history_of(connection, end)
                if thorough and path is not None:
                    history.problems.extend(file_problems(connection, path, end))
                return history
        finally:
            engine.dispose()
    except Exception as error:
        raise as_store_error(error, path) from error


def stored_events(connection: sa.Connection) -> Iterator[Event]:
    """The events as they are stored, sound or not, in no order."""
    import sqlalchemy

    from study import tables

    # No ORDER BY: a full scan reads the table itself, where a damaged index could hide rows.
    everything = sqlalchemy.select(*tables.EVENT_COLUMNS).execution_options(stream_results=True)
    for row in connection.execute(everything):
        yield Event(*row)


def history_of(connection: sa.Connection, end: NotedEnd) -> History:
    import sqlalchemy

    from study import tables

    stored: list[Event] = []
    unreadable: list[Problem] = []
    try:
        for event in stored_events(connection):
            stored.append(event)
    except sqlalchemy.exc.DatabaseError as error:
        if not isinstance(error.orig, sqlite3.DatabaseError) or sqlite_code(error.orig) != sqlite3.SQLITE_CORRUPT:
            raise
        sentence = "The file is damaged; some events cannot be read. A backup may hold them."
        unreadable.append(Problem(Damage.UNREADABLE, "", "", 0, sentence))
    events, problems = check_chains(stored, end.heads)
    if not tables.has_triggers(connection):
        sentence = "The table of events is not protected against changes any more."
        problems.append(Problem(Damage.UNPROTECTED, "", "", 0, sentence))
    return History(events, unreadable + problems, end)
