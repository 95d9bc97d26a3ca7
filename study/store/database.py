"""The database of a record, opened for writing: a file of SQLite, or a PostgreSQL server."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from study.chain import check_chains
from study.files import sync_folder
from study.store import versions
from study.store.errors import StoreError, gone
from study.store.reading import stored_events

if TYPE_CHECKING:
    import sqlalchemy as sa


class Database:
    """One open connection. To be used from one thread. Errors of database and system leave it as they are."""

    def __init__(self, path: Path | None, url: str, warn: Callable[[str], None]) -> None:
        """A file that does not exist yet is made, with its tables. warn: takes a sentence about what is not as it should be."""
        from study import tables

        self._path = path
        self._warn = warn
        self._engine = tables.server_engine(url) if path is None else tables.sqlite_engine(path)
        self.connection: sa.Connection | None = None
        try:
            if path is not None and _is_network_share(path):
                warn(
                    "The record lies on a network share, where a file can be damaged by a lost connection. "
                    "Move it to a local disk, or share it through PostgreSQL."
                )
            self._connect()
            self.identity = None if path is None else _identity(path)
        except BaseException:
            self.close()
            raise

    def still_there(self) -> None:
        """Raise StoreError where the file is gone: SQLite would go on writing to one that was moved or replaced."""
        if self._path is not None and _identity(self._path) != self.identity:
            raise gone(self._path)

    def answers(self) -> bool:
        """Whether a server is still at the other end; a file always is."""
        from study import tables

        return self._path is not None or tables.answers(self.opened)

    @property
    def opened(self) -> sa.Connection:
        assert self.connection is not None
        return self.connection

    def copy_to(self, target: Path) -> None:
        """A copy of a file, whole even while it is in use."""
        source = self.opened.connection.driver_connection
        assert isinstance(source, sqlite3.Connection)
        with contextlib.closing(sqlite3.connect(target)) as copy:
            source.backup(copy)

    def close(self) -> None:
        # What cannot even be closed (a vanished drive) is left to the system.
        if self.connection is not None:
            with contextlib.suppress(Exception):
                self.connection.close()
        with contextlib.suppress(Exception):
            self._engine.dispose()

    def _connect(self) -> None:
        from study import tables

        self.connection = self._engine.connect()
        with self.connection.begin():
            tables.lock_schema(self.connection)
            if tables.is_empty(self.connection):
                tables.create(self.connection, versions.SCHEMA)
            version = tables.schema_version(self.connection)
        versions.check_version(version)
        if version is not None and version < versions.SCHEMA:
            self._migrate(version)

    def _migrate(self, version: int) -> None:
        from study import tables

        if self._path is None:
            with self.opened.begin():
                versions.run_migrations(self.opened, version)
            return
        copy = self._path.with_name(f"{self._path.name}.migrating")
        copy.unlink(missing_ok=True)
        self.copy_to(copy)
        self.close()
        engine = tables.sqlite_engine(copy)
        with engine.connect() as connection, connection.begin():
            before, problems_before = check_chains(stored_events(connection))
            versions.run_migrations(connection, version)
            after, problems = check_chains(stored_events(connection))
        engine.dispose()
        if before != after or len(problems) > len(problems_before):
            raise StoreError(
                f"The record is of version {version} and could not be brought to version {versions.SCHEMA}. "
                "It was left as it is."
            )
        kept = self._path.with_name(f"{self._path.stem}.version-{version}{self._path.suffix}")
        shutil.copy2(self._path, kept)  # a copy, so that there is a whole record at `path` at every instant
        copy.replace(self._path)
        sync_folder(self._path.parent)
        self._warn(f"The record was brought to a new version. The old file is kept as {kept.name}.")
        self._engine = tables.sqlite_engine(self._path)
        self.connection = self._engine.connect()


def _identity(path: Path) -> tuple[int, int]:
    """Device and inode. Raises StoreError where there is no file."""
    try:
        found = path.stat()
    except FileNotFoundError:
        raise gone(path) from None
    return found.st_dev, found.st_ino


def _is_network_share(path: Path) -> bool:
    """Whether the file lies on a file system that is known to be a network's."""
    if str(path).startswith("\\\\"):
        return True
    import psutil

    names = ("nfs", "cifs", "smb", "afpfs", "webdav", "sshfs", "9p")
    mounts = [m for m in psutil.disk_partitions(all=True) if path.is_relative_to(m.mountpoint)]
    return bool(mounts) and max(mounts, key=lambda m: len(m.mountpoint)).fstype.removeprefix("fuse.").startswith(names)
