"""The record of readings: an append-only, hash-chained table, written from a thread of its own.

"Acknowledged" means that the database has returned: a Future from `append` is done only then, and what it
acknowledged survives a killed program and a power cut. No method that the window calls while somebody reads waits for
the disk; failures arrive through the Futures as a StoreError, whose text is a sentence for the reader.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec

from study.chain import Event, Head, Problem, canonical_json, head_of, make_event
from study.local import DRAFTS, LOCATIONS, LocalState, device_id
from study.store.beside import back_up, lost_heads, note_end, noted_end, open_local
from study.store.database import Database
from study.store.errors import StoreError, as_store_error, gone, sqlite_code
from study.store.heads import NotedEnd
from study.store.merging import sound_events, take_in
from study.store.reading import History, history_of

if TYPE_CHECKING:
    import sqlalchemy as sa

log = logging.getLogger(__name__)
T = TypeVar("T")

_BATCH = 256  # events that one transaction may hold
_HEAD_EVERY_S = 2.0  # between rewrites of the head file while events come in; close() always writes it


class Location(msgspec.Struct, frozen=True):
    """Where an image was last seen: a file, or a member of a ZIP."""

    path: str
    member: str = ""


def _spelt(path: Path | str) -> str:
    """The path as JSON can hold it; one whose bytes are no UTF-8 becomes a file URI, which holds any byte."""
    text = os.fsdecode(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        return Path(text).absolute().as_uri()
    return text


def _path_of(spelt: str) -> str:
    is_uri = spelt.startswith("file:///")
    return os.fsdecode(unquote_to_bytes(spelt.removeprefix("file://"))) if is_uri else spelt


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
        self._database: Database | None = None
        self._was_open = False
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
                self._opening = self._submit(self._open)
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
        return self._change(LOCATIONS, image_sha256, msgspec.json.encode(Location(_spelt(path), member)))

    def location(self, image_sha256: str) -> Location | None:
        """Where the image was last seen. Waits for the record to be opened, once."""
        data = self._value(LOCATIONS, image_sha256)
        if data is None:
            return None
        noted = msgspec.json.decode(data, type=Location)
        return Location(_path_of(noted.path), noted.member)

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
        """What was changed, removed, inserted, moved or cut off, in the chains and in the file itself. Waits.

        Empty for a record that is whole.

        heads: as exported earlier (`read_heads`); those in the file beside the record by default.
        """
        return self._submit(lambda: self._verify(heads)).result().problems

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
    def _local_path(self) -> Path:
        return self.local_folder / f"{self._stem}.local.sqlite"

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

        database = self._ready()
        heads = dict(self._heads)
        events = []
        with database.opened.begin():
            database.still_there()
            for waiting in batch:
                head = heads.get(waiting.study) or tables.chain_head(database.opened, self._device, waiting.study)
                event = make_event(head, waiting.utc, waiting.actor, waiting.kind, waiting.payload)
                heads[waiting.study] = head_of(event)
                events.append(event)
            tables.insert(database.opened, events)
        self._heads = heads
        self._heads_changed = self._backup_due = True
        return events

    def _merge(self, events: list[Event]) -> list[Event]:
        while self._waiting:  # what was handed over before comes first
            self._flush_events()
        sound = sound_events(events)
        try:
            database = self._ready()
            with database.opened.begin():
                database.still_there()
                new = take_in(database.opened, sound, self._device)
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
        failure = as_store_error(error, self.path, self._local_path)
        log.warning("the record was not used: %s (%s)", type(error).__name__, sqlite_code(error))
        return failure

    def _open(self) -> None:
        self._ready()

    def _ready(self) -> Database:
        """The database, opened if it is not open. Raises StoreError."""
        if self._database is not None and not self._database.answers():  # the server was restarted since
            self._let_go()
        if self._database is not None and self._local is not None:
            return self._database
        try:
            if not self._was_open:
                self.local_folder.mkdir(parents=True, exist_ok=True)
                if self.path is not None:
                    self.path.parent.mkdir(parents=True, exist_ok=True)
            elif self.path is not None and not self.path.exists():
                raise gone(self.path)  # never start a new record where a drive was disconnected
            if self._local is None:
                self._open_local()
            if self._database is None:
                self._database = Database(self.path, self.url, self._warn)
                self._was_open = True
                self._check_heads(self._database)
            return self._database
        except Exception as error:
            self._let_go()
            raise as_store_error(error, self.path, self._local_path) from error

    def _open_local(self) -> None:
        self._local, values = open_local(self._local_path, self._warn)
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

    def _check_heads(self, database: Database) -> None:
        from study import tables

        noted = self._noted_end()
        with database.opened.begin():
            lost = lost_heads(database, noted)
            is_empty = not tables.all_heads(database.opened)
        if is_empty and not noted.heads and any(self.backup_folder.glob(f"{self._stem}-*")):
            self._warn(
                f"The record is empty, but there are copies of an earlier one in {self.backup_folder.name}: it was "
                "removed or replaced. Nothing that is read now is lost; look at the copies."
            )
        if lost:
            self._warn(
                "The record does not reach the end that was noted when it was last closed: entries were removed or "
                f"changed. Run the check of the record, and look at the copies in {self.backup_folder.name}."
            )

    def _read(self) -> History:
        return self._query(lambda connection: history_of(connection, self._noted_end()))

    def _verify(self, heads: list[Head] | None) -> History:
        end = self._noted_end() if heads is None else NotedEnd(tuple(heads))

        def look(connection: sa.Connection) -> History:
            history = history_of(connection, end)
            if self.path is not None:
                from study.store.soundness import file_problems

                history.problems.extend(file_problems(connection, self.path, end))
            return history

        return self._query(look)

    def _query(self, ask: Callable[[sa.Connection], T]) -> T:
        try:
            database = self._ready()
            database.still_there()
            with database.opened.begin():
                return ask(database.opened)
        except Exception as error:
            raise self._failed(error) from error

    def _noted_end(self) -> NotedEnd:
        return noted_end(self.head_file, self._warn)

    def _write_heads(self, *, durable: bool) -> None:
        self._heads_written_at = time.monotonic()
        if self._database is None or not self._heads_changed:
            return
        try:
            note_end(self._database, self.head_file, self.path, self._warn, durable=durable)
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
        if self.path is not None and self._database is not None and self._backup_due and self._keep_backups > 0:
            back_up(self._database, self.path, self.backup_folder, self._keep_backups, self._warn)
        self._let_go()

    def _let_go(self) -> None:
        self._heads = {}
        if self._database is not None:
            self._database.close()
        if self._local is not None:
            # What cannot even be closed (a vanished drive) is left to the system.
            with contextlib.suppress(Exception):
                self._local.close()
        self._database = self._local = None


def _utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
