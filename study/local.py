"""What belongs to this machine and never to the record: drafts, where images lie, the machine's own id.

A small SQLite file beside the record. It is held exclusively while the program runs: that is also how a second program
on the same record is noticed. File paths may hold names of patients, so this file is never exported or merged.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from study.files import replace_file

DRAFTS = "draft"
LOCATIONS = "location"


def default_data_folder() -> Path:
    """The platform's folder for this user's data; LUCENCY_DATA overrides it."""
    import platformdirs

    chosen = os.environ.get("LUCENCY_DATA")
    return Path(chosen) if chosen else Path(platformdirs.user_data_dir("Lucency", appauthor=False))


class LocalState:
    """Values by (space, key), each with its checksum. To be used from one thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            # EXCLUSIVE keeps the lock between transactions; the system drops it when the process dies.
            self._connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._connection.execute("PRAGMA journal_mode=DELETE")
            self._connection.execute("PRAGMA synchronous=EXTRA")
            self._connection.execute("BEGIN EXCLUSIVE")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS state (space TEXT, key TEXT, value BLOB NOT NULL, sha256 TEXT NOT NULL, "
                "PRIMARY KEY (space, key)) WITHOUT ROWID"
            )
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.close()
            raise

    def load(self) -> tuple[dict[tuple[str, str], bytes], int]:
        """All values whose checksum fits, and how many did not."""
        values: dict[tuple[str, str], bytes] = {}
        damaged = 0
        self._connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
        for space, key, value, checksum in self._connection.execute("SELECT space, key, value, sha256 FROM state"):
            if isinstance(value, bytes) and checksum == _checksum(space, key, value):
                values[space, key] = value
            else:
                damaged += 1
        return values, damaged

    def write(self, changes: Iterable[tuple[str, str, bytes | None]]) -> None:
        """Store (space, key, value) in one transaction; None removes."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for space, key, value in changes:
                if value is None:
                    self._connection.execute("DELETE FROM state WHERE space = ? AND key = ?", (space, key))
                else:
                    self._connection.execute(
                        "INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?)",
                        (space, key, value, _checksum(space, key, value)),
                    )
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        self._connection.close()


def _checksum(space: str, key: str, value: bytes) -> str:
    prefix = f"{space}\0{key}\0".encode("utf-8", "surrogateescape")
    return hashlib.sha256(prefix + value).hexdigest()


def device_id(folder: Path) -> str:
    """The random id of this machine's copy of the program, made on first use. It says nothing about the machine."""
    path = folder / "device-id"
    try:
        known = path.read_text("utf-8").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        known = ""
    if len(known) == 16 and set(known) <= set("0123456789abcdef"):
        return known
    # A damaged id is not repaired by guessing: a new one starts a new chain, and the old chain stays as it is.
    made = secrets.token_hex(8)
    replace_file(path, f"{made}\n".encode("ascii"))
    return made
