"""Is the file itself sound, beyond the hashes of its events: the database, its definitions, every byte of it?"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy

from study import tables
from study.chain import Damage, Problem
from study.store import versions
from study.store.heads import NotedEnd

if TYPE_CHECKING:
    import sqlalchemy as sa

_DEFINITIONS = sqlalchemy.text("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master")


def file_sha256(path: Path) -> str:
    """Of all bytes. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_problems(connection: sa.Connection, path: Path, end: NotedEnd) -> list[Problem]:
    """What is wrong with a record's file (SQLite) though its events may be sound. Raises sqlalchemy's and OSError.

    A file that was closed, and to which nothing was added since, must be byte for byte the one whose hash was noted.
    """
    out = [*_database(connection), *_definitions(connection), *_values(connection)]
    if end.file_sha256 and _reaches_exactly(connection, end) and file_sha256(path) != end.file_sha256:
        sentence = (
            "The file is not byte for byte the one that was closed, though no event was added since: it was changed "
            "by something else than this program, or its disk begins to fail."
        )
        out.append(_problem(Damage.CHANGED, sentence))
    return out


def _database(connection: sa.Connection) -> list[Problem]:
    """SQLite's own check: pages, indices against tables, types."""
    try:
        said = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(20)")]
    except sqlalchemy.exc.DatabaseError as error:
        if not isinstance(error.orig, sqlite3.DatabaseError):
            raise
        said = [str(error.orig)]
    if said == ["ok"]:
        return []
    return [_problem(Damage.UNREADABLE, f"SQLite's own check of the file fails ({len(said)} in all): {said[0]}.")]


def _definitions(connection: sa.Connection) -> list[Problem]:
    """Tables, index and triggers word for word; one that does not belong there could change what is written."""
    empty = sqlalchemy.create_engine("sqlite://")
    try:
        with empty.begin() as fresh:
            tables.create(fresh, versions.SCHEMA)
            expected = _defined(fresh)
    finally:
        empty.dispose()
    try:
        found = _defined(connection)
    except sqlalchemy.exc.DatabaseError:
        return []  # said by SQLite's own check
    differing = sorted({name for _, name, *_ in expected ^ found})
    if not differing:
        return []
    sentence = f"The file's own definitions are not those of a record: {', '.join(differing)}."
    return [_problem(Damage.CHANGED, sentence)]


def _defined(connection: sa.Connection) -> set[tuple[str, ...]]:
    """As SQLite understands them: without regard to case, spaces and quotes, which differ between library versions."""
    return {
        tuple(re.sub(r"[\s\"]+", "", str(part)).lower() for part in row) for row in connection.execute(_DEFINITIONS)
    }


def _values(connection: sa.Connection) -> list[Problem]:
    rows = connection.execute(sqlalchemy.select(tables.meta_table.c.key, tables.meta_table.c.value)).all()
    if [tuple(row) for row in rows] == [("schema", str(versions.SCHEMA))]:
        return []
    return [_problem(Damage.CHANGED, "What the file says of its own version was changed.")]


def _reaches_exactly(connection: sa.Connection, end: NotedEnd) -> bool:
    return set(tables.all_heads(connection)) == set(end.heads)


def _problem(damage: Damage, sentence: str) -> Problem:
    return Problem(damage, "", "", 0, sentence)
