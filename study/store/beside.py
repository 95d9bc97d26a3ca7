"""What is kept beside a record: the noted end of its chains, copies of it, and this machine's drafts."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from study.chain import Head
from study.local import LocalState
from study.store.database import Database
from study.store.errors import StoreError, sqlite_code
from study.store.heads import NOTHING_NOTED, NotedEnd, read_end, write_heads

log = logging.getLogger(__name__)
Warn = Callable[[str], None]


def noted_end(head_file: Path, warn: Warn) -> NotedEnd:
    """The end as noted; an empty one where there is none or it cannot be read."""
    try:
        return read_end(head_file)
    except FileNotFoundError:
        return NOTHING_NOTED
    except (OSError, StoreError) as error:
        warn(f"The noted end of the record ({head_file.name}) cannot be read: a cut-off end would not show.")
        log.warning("head file unreadable: %s", type(error).__name__)
        return NOTHING_NOTED


def lost_heads(database: Database, noted: NotedEnd) -> list[Head]:
    """Noted ends that the record does not contain. To be called within a transaction."""
    from study import tables

    return [head for head in noted.heads if tables.hash_at(database.opened, head) != head.hash]


def note_end(database: Database, head_file: Path, path: Path | None, warn: Warn, *, durable: bool) -> None:
    """Note the ends of all chains; with `durable` also the file's own hash, which takes as long as reading it.

    A noted end that the record no longer contains is kept: writing over it would hide that something was cut off.
    Raises what the database and the system raise.
    """
    from study import tables

    database.still_there()
    with database.opened.begin():
        heads = {(head.device, head.study): head for head in tables.all_heads(database.opened)}
        for head in lost_heads(database, noted_end(head_file, warn)):
            heads[head.device, head.study] = head
    digest = ""
    if durable and path is not None:
        from study.store.soundness import file_sha256

        # Between transactions: closing a file drops the locks that this process holds on it (POSIX).
        digest = file_sha256(path)
    write_heads(head_file, list(heads.values()), file_sha256=digest, durable=durable)


def back_up(database: Database, path: Path, folder: Path, keep: int, warn: Warn) -> None:
    """Copy the record; keep the last few. A failure becomes a warning."""
    try:
        folder.mkdir(exist_ok=True)
        target = folder / f"{path.stem}-{_file_time()}{path.suffix}"
        unfinished = target.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        database.copy_to(unfinished)
        unfinished.replace(target)
        copies = sorted(folder.glob(f"{path.stem}-*{path.suffix}"))
        for old in copies[:-keep]:
            old.unlink()
    except Exception as error:
        warn("The record was saved, but no backup of it could be written.")
        log.warning("backup failed: %s", type(error).__name__)


def open_local(path: Path, warn: Warn) -> tuple[LocalState, dict[tuple[str, str], bytes]]:
    """This machine's drafts and locations, and what they hold; a damaged file is put aside."""
    local: LocalState | None = None
    try:
        local = LocalState(path)
        values, damaged = local.load()
    except sqlite3.DatabaseError as error:
        if local is not None:
            local.close()
        if sqlite_code(error) not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
        aside = path.with_name(f"{path.name}.damaged-{_file_time()}")
        path.replace(aside)
        warn(
            f"The file of drafts was damaged. It was put aside as {aside.name}; drafts in it are not shown. "
            "Submitted readings are not affected."
        )
        return LocalState(path), {}
    if damaged:
        warn("A draft was damaged on disk and is not shown. Submitted readings are not affected.")
    return local, values


def _file_time() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
