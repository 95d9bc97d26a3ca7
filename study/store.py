"""The record of readings: an append-only, hash-chained table, written from a thread of its own.

"Acknowledged" means that the database has returned: a Future from `append` is done only then, and what it
acknowledged survives a killed program and a power cut. No method that the window calls while somebody reads waits for
the disk; failures arrive through the Futures as a StoreError, whose text is a sentence for the reader.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from study.chain import Damage, Event, Head, Problem, canonical_json, check_chains, head_of, make_event
from study.files import replace_file, sync_folder
from study.local import DRAFTS, LOCATIONS, LocalState, device_id

if TYPE_CHECKING:
    import sqlalchemy as sa

log = logging.getLogger(__name__)
T = TypeVar("T")

SCHEMA = 1
# What brings a file from the version that is the key to the next one. Runs on a copy (SQLite) or in one transaction.
MIGRATIONS: dict[int, Callable[[sa.Connection], None]] = {}

_BATCH = 256  # events that one transaction may hold
_HEAD_EVERY_S = 2.0  # between rewrites of the head file while events come in; close() always writes it


class StoreError(Exception):
    """The record could not be read or written. `str(error)` is one sentence that a reader understands."""

    def __init__(self, sentence: str, details: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.details = details  # technical, for "details" to copy

    def __reduce__(self) -> tuple[type[StoreError], tuple[str, str]]:
        return type(self), (self.sentence, self.details)


class Location(msgspec.Struct, frozen=True):
    """Where an image was last seen: a file, or a member of a ZIP."""

    path: str
    member: str = ""


@dataclass(frozen=True)
class History:
    """What the record holds: sound events (chain by chain, in order), and what is wrong with the rest."""

    events: list[Event]
    problems: list[Problem]


@dataclass
class _Waiting:
    """An event that is not in its chain yet."""

    study: str
    utc: str
    actor: str
    kind: str
    payload: str
    future: Future[Event]


class StudyStore:
    """The record at a path (SQLite) or URL (postgresql://…).

    The constructor touches no disk and imports no database library: the writer thread opens the record at the first
    use, or when `open` is called. Close it, or use it as a context manager.

    Callbacks of its Futures run in the writer thread: they must not wait for the store.
    """

    def __init__(
        self,
        where: Path | str,
        app_version: str,
        *,
        study: str = "",
        local_folder: Path | None = None,
        keep_backups: int = 5,
    ) -> None:
        """`local_folder` holds what belongs to this machine (drafts, device id); a file's own folder by default."""
        text = str(where)
        self.path: Path | None = None if "://" in text else Path(text).absolute()
        self.url = text if self.path is None else ""
        if self.path is None and local_folder is None:
            raise ValueError("A record on a server needs a local folder for drafts.")
        self.app_version = app_version
        self.study = study
        self.local_folder = local_folder or (self.path.parent if self.path else Path())
        self.warnings: list[str] = []  # sentences about what was repaired or refused while opening and closing
        self._stem = self.path.stem if self.path else "shared"
        self._keep_backups = keep_backups
        # The writer: one thread, which alone touches the databases.
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="study-store")
        self._lock = threading.Lock()  # guards what callers and the writer share, below
        self._waiting: deque[_Waiting] = deque()
        self._changes: dict[tuple[str, str], tuple[bytes | None, list[Future[None]]]] = {}
        self._state: dict[tuple[str, str], bytes] = {}  # drafts and locations as of the last call
        self._state_loaded = False
        self._pending = 0
        self._closed = False
        self._opening: Future[None] | None = None
        # The writer's own:
        self._device = ""
        self._local: LocalState | None = None
        self._engine: sa.Engine | None = None
        self._connection: sa.Connection | None = None
        self._identity: tuple[int, int] | None = None  # device and inode of the open file
        self._heads: dict[str, Head] = {}
        self._heads_written_at = 0.0
        self._heads_changed = False
        self._backup_due = False

    def __enter__(self) -> StudyStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- what the window calls: nothing here waits for the disk unless its docstring says so

    def open(self) -> Future[None]:
        """Open the record in the background. The Future fails with a StoreError when that cannot be done."""
        with self._lock:
            if self._opening is None or (self._opening.done() and self._opening.exception() is not None):
                self._opening = self._submit(self._ready)
            return self._opening

    def append(self, kind: str, actor: str, payload: msgspec.Struct | Mapping[str, Any]) -> Future[Event]:
        """Add an event; the Future is done once it is on disk.

        After a failure the caller still has the payload and may append it again.
        """
        future: Future[Event] = Future()
        future.set_running_or_notify_cancel()  # what is under way is not cancelled
        try:
            text = canonical_json(payload)
            canonical_json([str(kind), actor])
            if "\0" in kind + actor:
                raise ValueError("A name must not hold a zero character.")
        except ValueError as error:
            future.set_exception(StoreError("This entry cannot be written into the record.", str(error)))
            return future
        with self._lock:
            if self._closed:
                future.set_exception(StoreError("The record is closed already; nothing more can be saved to it."))
                return future
            self._waiting.append(_Waiting(self.study, _utc_now(), actor, str(kind), text, future))
            self._pending += 1
            self._submit(self._flush_events)
        return future

    @property
    def pending(self) -> int:
        """How many events, drafts and locations were handed over and are not acknowledged yet."""
        with self._lock:
            return self._pending

    def save_draft(self, key: str, data: bytes) -> Future[None]:
        """Keep a draft outside the chain. Of several in quick succession only the last is written; all are answered."""
        return self._change(DRAFTS, key, data)

    def discard_draft(self, key: str) -> Future[None]:
        return self._change(DRAFTS, key, None)

    def draft(self, key: str) -> bytes | None:
        """The latest draft, acknowledged or not. Waits for the record to be opened, once."""
        return self._value(DRAFTS, key)

    def drafts(self) -> dict[str, bytes]:
        """All drafts by key. Waits for the record to be opened, once."""
        self._load_state()
        with self._lock:
            return {key: value for (space, key), value in self._state.items() if space == DRAFTS}

    def note_location(self, image_sha256: str, path: Path | str, member: str = "") -> Future[None]:
        """Remember where an image lies. Local to this machine, never part of the record or of an export."""
        return self._change(LOCATIONS, image_sha256, msgspec.json.encode(Location(os.fsdecode(path), member)))

    def location(self, image_sha256: str) -> Location | None:
        """Where the image was last seen. Waits for the record to be opened, once."""
        data = self._value(LOCATIONS, image_sha256)
        return None if data is None else msgspec.json.decode(data, type=Location)

    def read(self) -> Future[History]:
        """Everything in the record, each event checked against its hash, for a caller that must not wait."""
        return self._submit(self._read)

    def merge(self, events: list[Event]) -> Future[list[Event]]:
        """Add other machines' chains as they are; the Future gives the events that were new.

        Merging the same again adds nothing. A chain that contradicts the one held here, does not continue it, or is
        not sound fails the Future with a StoreError, and then nothing at all is added.
        """
        return self._submit(lambda: self._merge(events))

    # --- what scripts and other threads call: these wait

    def history(self) -> History:
        """Like `read`, waiting. Raises StoreError."""
        return self.read().result()

    def events(self) -> list[Event]:
        """The sound events, chain by chain, in order. Waits. Raises StoreError."""
        return self.history().events

    def verify(self, heads: list[Head] | None = None) -> list[Problem]:
        """What was changed, removed, inserted, moved or cut off; empty for a record that is whole. Waits.

        heads: as exported earlier (`read_heads`); those in the file beside the record by default.
        """
        return self._submit(lambda: self._read(heads)).result().problems

    def head(self) -> Head:
        """The end of this machine's chain. Waits."""
        from study import tables

        self.open().result()
        return self._submit(
            lambda: self._query(lambda connection: tables.chain_head(connection, self._device, self.study))
        ).result()

    def heads(self) -> list[Head]:
        """The end of every chain in the record, to be kept elsewhere. Waits."""
        from study import tables

        return self._submit(lambda: self._query(tables.all_heads)).result()

    def export_heads(self) -> None:
        """Note the ends of all chains beside the record now, on the disk, as `close` does. Waits; see `warnings`."""
        self._submit(lambda: self._write_heads(durable=True)).result()

    def device(self) -> str:
        """The random id of this machine in the record. Waits."""
        self.open().result()
        return self._device

    @property
    def head_file(self) -> Path:
        """Where the heads are written at every close."""
        return self.local_folder / f"{self._stem}.head.json"

    @property
    def backup_folder(self) -> Path:
        return self.local_folder / f"{self._stem}-backups"

    def close(self) -> None:
        """Write what waits, export the heads, back up, let go. Waits; never raises: see `warnings`."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            last = self._writer.submit(self._shut)
        last.result()
        self._writer.shutdown(wait=True)

    # --- between the caller and the writer

    def _submit(self, job: Callable[[], T]) -> Future[T]:
        try:
            return self._writer.submit(job)
        except RuntimeError:  # the executor is shut down
            future: Future[T] = Future()
            future.set_exception(StoreError("The record is closed already."))
            return future

    def _change(self, space: str, key: str, value: bytes | None) -> Future[None]:
        future: Future[None] = Future()
        future.set_running_or_notify_cancel()
        with self._lock:
            if self._closed:
                future.set_exception(StoreError("The record is closed already; nothing more can be saved to it."))
                return future
            if value is None:
                self._state.pop((space, key), None)
            else:
                self._state[space, key] = value
            _, futures = self._changes.get((space, key), (None, []))
            futures.append(future)
            self._changes[space, key] = (value, futures)
            self._pending += 1
            if len(self._changes) == 1 and len(futures) == 1:  # otherwise a flush is on its way already
                self._submit(self._flush_changes)
        return future

    def _value(self, space: str, key: str) -> bytes | None:
        self._load_state()
        with self._lock:
            return self._state.get((space, key))

    def _load_state(self) -> None:
        if not self._state_loaded:
            self.open().result()

    # --- what the writer thread does

    def _warn(self, sentence: str) -> None:
        if sentence not in self.warnings:
            self.warnings.append(sentence)

    def _flush_events(self) -> None:
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
        if not batch:
            return  # an earlier flush took them all
        try:
            events = self._write_events(batch)
        except Exception as error:
            failure = self._failed(error)
            for waiting in batch:
                self._answer(waiting.future, failure)
            return
        for waiting, event in zip(batch, events, strict=True):
            with self._lock:
                self._pending -= 1
            waiting.future.set_result(event)
        if time.monotonic() - self._heads_written_at > _HEAD_EVERY_S:
            self._write_heads(durable=False)

    def _write_events(self, batch: list[_Waiting]) -> list[Event]:
        from study import tables

        self._ready()
        assert self._connection is not None
        heads = dict(self._heads)
        events = []
        with self._connection.begin():
            self._check_still_there()
            for waiting in batch:
                head = heads.get(waiting.study) or tables.chain_head(self._connection, self._device, waiting.study)
                event = make_event(head, waiting.utc, waiting.actor, waiting.kind, waiting.payload)
                heads[waiting.study] = head_of(event)
                events.append(event)
            tables.insert(self._connection, events)
        self._heads = heads
        self._heads_changed = self._backup_due = True
        return events

    def _merge(self, events: list[Event]) -> list[Event]:
        from study import tables

        while self._waiting:  # what was handed over before comes first
            self._flush_events()
        sound, problems = check_chains(events)
        if problems or len(sound) != len(events):
            what = problems[0].sentence if problems else "An event is there twice."
            raise StoreError(f"What came back is not what was written, and was not taken in. {what}")
        try:
            self._ready()
            assert self._connection is not None
            with self._connection.begin():
                self._check_still_there()
                new = []
                for event in sound:
                    held = tables.hash_at(self._connection, head_of(event))
                    if held is None:
                        new.append(event)
                    elif held != event.hash:
                        raise StoreError(
                            f"Event {event.seq} differs from the one that was taken in before: "
                            "there are two versions of this chain. Nothing was taken in."
                        )
                for device, study in dict.fromkeys((event.device, event.study) for event in new):
                    first = next(event for event in new if (event.device, event.study) == (device, study))
                    head = tables.chain_head(self._connection, device, study)
                    if first.seq != head.seq + 1 or first.previous != head.hash:
                        raise StoreError("What came back does not continue what is here. Nothing was taken in.")
                    if device == self._device:
                        raise StoreError(
                            "What came back claims to be from this machine, and goes beyond what is recorded here. "
                            "Nothing was taken in."
                        )
                if new:
                    tables.insert(self._connection, new)
        except Exception as error:
            raise self._failed(error) from error
        if new:
            self._heads_changed = self._backup_due = True
        return new

    def _flush_changes(self) -> None:
        failure: StoreError | None = None
        try:
            self._ready()  # before the changes are taken: loading the state must see them
        except StoreError as error:
            failure = error
        with self._lock:
            changes, self._changes = self._changes, {}
        if failure is None and changes:
            try:
                assert self._local is not None
                self._local.write((space, key, value) for (space, key), (value, _) in changes.items())
            except Exception as error:
                failure = self._failed(error)
        for _, futures in changes.values():
            for future in futures:
                if failure is not None:
                    self._answer(future, failure)
                else:
                    with self._lock:
                        self._pending -= 1
                    future.set_result(None)

    def _answer(self, future: Future[Any], failure: StoreError) -> None:
        with self._lock:
            self._pending -= 1
        future.set_exception(failure)

    def _failed(self, error: Exception) -> StoreError:
        """Let go of the databases, so that the next use opens them anew, and say what happened."""
        self._let_go()
        failure = _as_store_error(error, self.path)
        log.warning("the record was not used: %s (%s)", type(error).__name__, _sqlite_code(error))
        return failure

    def _ready(self) -> None:
        """Open what is not open. Raises StoreError."""
        if self.path is None and self._connection is not None:
            from study import tables

            if not tables.answers(self._connection):  # the server was restarted since
                self._let_go()
        if self._connection is not None and self._local is not None:
            return
        try:
            if self._identity is None:
                self.local_folder.mkdir(parents=True, exist_ok=True)
                if self.path is not None:
                    self.path.parent.mkdir(parents=True, exist_ok=True)
            elif self.path is not None and not self.path.exists():
                raise _gone(self.path)  # never start a new record where a drive was disconnected
            self._open_local()
            self._open_record()
        except Exception as error:
            self._let_go()
            raise _as_store_error(error, self.path) from error

    def _open_local(self) -> None:
        if self._local is None:
            path = self.local_folder / f"{self._stem}.local.sqlite"
            try:
                self._local = LocalState(path)
                values, damaged = self._local.load()
            except sqlite3.DatabaseError as error:
                if _sqlite_code(error) not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                    raise
                if self._local is not None:
                    self._local.close()
                aside = path.with_name(f"{path.name}.damaged-{_file_time()}")
                path.replace(aside)
                self._warn(
                    f"The file of drafts was damaged. It was put aside as {aside.name}; drafts in it are not shown. "
                    "Submitted readings are not affected."
                )
                self._local = LocalState(path)
                values, damaged = {}, 0
            if damaged:
                self._warn("A draft was damaged on disk and is not shown. Submitted readings are not affected.")
            with self._lock:
                if not self._state_loaded:
                    # What was saved or discarded in the meantime is newer than what the disk has.
                    newer = {place: self._state.get(place) for place in self._changes}
                    self._state = values
                    for place, value in newer.items():
                        if value is None:
                            self._state.pop(place, None)
                        else:
                            self._state[place] = value
                    self._state_loaded = True
        self._device = self._device or device_id(self.local_folder)

    def _open_record(self) -> None:
        from study import tables

        if self._connection is not None:
            return
        if self.path is None:
            self._engine = tables.server_engine(self.url)
        else:
            if _is_network_share(self.path):
                self._warn(
                    "The record lies on a network share, where a file can be damaged by a lost connection. "
                    "Move it to a local disk, or share it through PostgreSQL."
                )
            self._engine = tables.sqlite_engine(self.path)
        self._connection = self._engine.connect()
        with self._connection.begin():
            tables.lock_schema(self._connection)
            if tables.is_empty(self._connection):
                tables.create(self._connection, SCHEMA)
            version = tables.schema_version(self._connection)
        _check_version(version)
        if version is not None and version < SCHEMA:
            self._migrate(version)
        if self.path is not None:
            self._identity = _identity(self.path)
        self._check_heads()

    def _migrate(self, version: int) -> None:
        from study import tables

        assert self._engine is not None
        assert self._connection is not None
        if self.path is None:
            with self._connection.begin():
                _run_migrations(self._connection, version)
            return
        copy = self.path.with_name(f"{self.path.name}.migrating")
        copy.unlink(missing_ok=True)
        self._backup_to(copy)
        self._connection.close()
        self._engine.dispose()
        engine = tables.sqlite_engine(copy)
        with engine.connect() as connection, connection.begin():
            before, problems_before = check_chains(_rows(connection))
            _run_migrations(connection, version)
            after, problems = check_chains(_rows(connection))
        engine.dispose()
        if before != after or len(problems) > len(problems_before):
            raise StoreError(
                f"The record is of version {version} and could not be brought to version {SCHEMA}. It was left as it is."
            )
        kept = self.path.with_name(f"{self.path.stem}.version-{version}{self.path.suffix}")
        shutil.copy2(self.path, kept)  # a copy, so that there is a whole record at `path` at every instant
        copy.replace(self.path)
        sync_folder(self.path.parent)
        self._warn(f"The record was brought to a new version. The old file is kept as {kept.name}.")
        self._engine = tables.sqlite_engine(self.path)
        self._connection = self._engine.connect()

    def _check_still_there(self) -> None:
        """SQLite would go on writing to a file that somebody has moved or replaced, and it would be lost."""
        if self.path is not None and _identity(self.path) != self._identity:
            raise _gone(self.path)

    def _check_heads(self) -> None:
        from study import tables

        assert self._connection is not None
        with self._connection.begin():
            lost = [head for head in self._known_heads() if tables.hash_at(self._connection, head) != head.hash]
        if lost:
            self._warn(
                "The record does not reach the end that was noted when it was last closed: entries were removed or "
                f"changed. Run the check of the record, and look at the copies in {self.backup_folder.name}."
            )

    def _read(self, heads: list[Head] | None = None) -> History:
        return self._query(lambda connection: _history(connection, self._known_heads() if heads is None else heads))

    def _query(self, ask: Callable[[sa.Connection], T]) -> T:
        try:
            self._ready()
            assert self._connection is not None
            if self.path is not None:
                self._check_still_there()
            with self._connection.begin():
                return ask(self._connection)
        except Exception as error:
            raise self._failed(error) from error

    def _known_heads(self) -> list[Head]:
        try:
            return read_heads(self.head_file)
        except FileNotFoundError:
            return []
        except (OSError, StoreError) as error:
            sentence = (
                f"The noted end of the record ({self.head_file.name}) cannot be read: a cut-off end would not show."
            )
            self._warn(sentence)
            log.warning("head file unreadable: %s", type(error).__name__)
            return []

    def _write_heads(self, *, durable: bool) -> None:
        """Note the ends of all chains beside the record.

        A noted end that the record no longer contains is kept: writing over it would hide that something was cut off.
        """
        from study import tables

        self._heads_written_at = time.monotonic()
        if self._connection is None or not self._heads_changed:
            return
        try:
            self._check_still_there()
            with self._connection.begin():
                heads = {(head.device, head.study): head for head in tables.all_heads(self._connection)}
                for head in self._known_heads():
                    if tables.hash_at(self._connection, head) != head.hash:
                        heads[head.device, head.study] = head
            write_heads(self.head_file, list(heads.values()), durable=durable)
            self._heads_changed = not durable
        except Exception as error:
            self._warn("The end of the record could not be noted beside it; a cut-off end would not show.")
            log.warning("head file not written: %s", type(error).__name__)
            self._let_go()  # the connection may be the cause

    def _shut(self) -> None:
        while self._waiting:
            self._flush_events()
        if self._changes:
            self._flush_changes()
        self._write_heads(durable=True)
        self._backup()
        self._let_go()

    def _backup(self) -> None:
        """Copy the record after a session that added to it; keep the last few."""
        if self.path is None or self._connection is None or not self._backup_due or self._keep_backups < 1:
            return
        try:
            self.backup_folder.mkdir(exist_ok=True)
            target = self.backup_folder / f"{self.path.stem}-{_file_time()}{self.path.suffix}"
            unfinished = target.with_suffix(".unfinished")
            unfinished.unlink(missing_ok=True)
            self._backup_to(unfinished)
            unfinished.replace(target)
            copies = sorted(self.backup_folder.glob(f"{self.path.stem}-*{self.path.suffix}"))
            for old in copies[: -self._keep_backups]:
                old.unlink()
        except Exception as error:
            self._warn("The record was saved, but no backup of it could be written.")
            log.warning("backup failed: %s", type(error).__name__)

    def _backup_to(self, target: Path) -> None:
        assert self._connection is not None
        source = self._connection.connection.driver_connection
        assert isinstance(source, sqlite3.Connection)
        with contextlib.closing(sqlite3.connect(target)) as copy:
            source.backup(copy)

    def _let_go(self) -> None:
        self._heads = {}
        for held in (self._connection, self._local):
            if held is not None:
                # What cannot even be closed (a vanished drive) is left to the system.
                with contextlib.suppress(Exception):
                    held.close()
        if self._engine is not None:
            with contextlib.suppress(Exception):
                self._engine.dispose()
        self._connection = self._engine = self._local = None


def read_record(where: Path | str, heads: list[Head] | None = None) -> History:
    """Read a record without changing anything beside or in it: to verify or analyse a file that somebody sent.

    heads: to hold the record against; those in the head file beside it by default. Raises StoreError.
    """
    from study import tables

    text = str(where)
    path = None if "://" in text else Path(text)
    if path is not None and not path.is_file():
        raise StoreError(f"There is no record named {path.name}.")
    try:
        if heads is None:
            beside = path.with_name(f"{path.stem}.head.json") if path is not None else None
            heads = read_heads(beside) if beside is not None and beside.exists() else []
        engine = tables.server_engine(text) if path is None else tables.sqlite_engine(path, read_only=True)
        try:
            with engine.connect() as connection:
                _check_version(tables.schema_version(connection))
                return _history(connection, heads)
        finally:
            engine.dispose()
    except Exception as error:
        raise _as_store_error(error, path) from error


def read_heads(path: Path) -> list[Head]:
    """Heads as exported. Raises OSError, or StoreError when the file holds something else."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Head])
    except msgspec.DecodeError as error:
        raise StoreError(f"{path.name} does not hold the noted end of a record.", str(error)) from error


def write_heads(path: Path, heads: list[Head], *, durable: bool = True) -> None:
    """Write heads so that the file is either the old or the new one. Raises OSError."""
    replace_file(path, msgspec.json.format(msgspec.json.encode(heads), indent=1) + b"\n", durable=durable)


def _rows(connection: sa.Connection) -> Iterator[Event]:
    import sqlalchemy

    from study import tables

    # No ORDER BY: a full scan reads the table itself, where a damaged index could hide rows.
    everything = sqlalchemy.select(*tables.EVENT_COLUMNS).execution_options(stream_results=True)
    for row in connection.execute(everything):
        yield Event(*row)


def _history(connection: sa.Connection, heads: list[Head]) -> History:
    import sqlalchemy

    from study import tables

    stored: list[Event] = []
    unreadable: list[Problem] = []
    try:
        for event in _rows(connection):
            stored.append(event)
    except sqlalchemy.exc.DatabaseError as error:
        if not isinstance(error.orig, sqlite3.DatabaseError) or _sqlite_code(error.orig) != sqlite3.SQLITE_CORRUPT:
            raise
        sentence = "The file is damaged; some events cannot be read. A backup may hold them."
        unreadable.append(Problem(Damage.UNREADABLE, "", "", 0, sentence))
    events, problems = check_chains(stored, heads)
    if not tables.has_triggers(connection):
        sentence = "The table of events is not protected against changes any more."
        problems.append(Problem(Damage.UNPROTECTED, "", "", 0, sentence))
    return History(events, unreadable + problems)


def _check_version(version: int | None) -> None:
    if version is None:
        raise StoreError("This file is not a record of readings.")
    if version > SCHEMA:
        raise StoreError(
            f"This record was written by a newer Lucency (record version {version}; this program knows {SCHEMA}). "
            "Update the program to open it."
        )


def _run_migrations(connection: sa.Connection, version: int) -> None:
    from study import tables

    for step in range(version, SCHEMA):
        if step not in MIGRATIONS:
            raise StoreError(f"This record is of version {step}, which this program cannot bring up to date.")
        MIGRATIONS[step](connection)
    connection.execute(tables.meta_table.update().where(tables.meta_table.c.key == "schema").values(value=str(SCHEMA)))


def _identity(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        raise _gone(path) from None
    return found.st_dev, found.st_ino


def _gone(path: Path) -> StoreError:
    return StoreError(
        f"The record {path.name} is no longer where it was: its drive may be disconnected, or the file was moved. "
        "Nothing was saved; bring it back and save again.",
        str(path),
    )


def _sqlite_code(error: BaseException) -> int:
    """The primary result code, 0 where there is none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _as_store_error(error: Exception, path: Path | None) -> StoreError:
    """The sentence for what a database or the system has said."""
    if isinstance(error, StoreError):
        return error
    cause = getattr(error, "orig", None) or error
    details = f"{type(cause).__name__}: {cause}"
    name = path.name if path is not None else "on the server"
    folder_gone = path is not None and not path.parent.exists()
    disk_full = (
        _sqlite_code(cause) == sqlite3.SQLITE_FULL
        or (isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
        or _is_full(path)
    )
    if isinstance(cause, sqlite3.Error):
        code = _sqlite_code(cause)
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return StoreError(
                f"The record {name} is open in another program or in another window of Lucency. Close that one first.",
                details,
            )
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return StoreError(
                f"The record {name} is damaged and cannot be read. Nothing was changed in it; use its latest backup.",
                details,
            )
    if path is not None and folder_gone:
        return StoreError(_gone(path).sentence, details)
    if disk_full:
        return StoreError("The disk is full. Nothing was saved; make room and save again.", details)
    if isinstance(cause, (sqlite3.Error, OSError)):
        if _sqlite_code(cause) in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM) or isinstance(
            cause, PermissionError
        ):
            return StoreError(
                f"The record {name} cannot be written: its folder is read-only or not accessible. "
                "Choose another folder, or ask for permission to write there.",
                details,
            )
        return StoreError(
            f"The disk did not take the record {name}. Nothing was saved; check the drive and save again.", details
        )
    if path is None:
        # A connection that is lost at commit leaves open whether the commit came through; readings carry ids.
        return StoreError(
            "The database server did not answer. Save again once it can be reached; no reading is recorded twice.",
            details,
        )
    return StoreError(f"The record {name} could not be used.", details)


def _is_full(path: Path | None) -> bool:
    if path is None:
        return False
    try:
        return shutil.disk_usage(path.parent).free < 64 * 1024
    except OSError:
        return False


def _is_network_share(path: Path) -> bool:
    """Whether the file lies on a file system that is known to be a network's."""
    if str(path).startswith("\\\\"):
        return True
    import psutil

    names = ("nfs", "cifs", "smb", "afpfs", "webdav", "sshfs", "9p")
    mounts = [m for m in psutil.disk_partitions(all=True) if path.is_relative_to(m.mountpoint)]
    return bool(mounts) and max(mounts, key=lambda m: len(m.mountpoint)).fstype.removeprefix("fuse.").startswith(names)


def _utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _file_time() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
