"""What a database or the system has said, as one sentence that a reader understands."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from pathlib import Path

# By SQLSTATE, or its class of two characters. A server that refuses a connection gives no code: see _SAID.
_SERVER = {
    "42501": "This account on the server may not do that here: it lacks a right. Nothing was saved; "
    "ask whoever runs the server for it.",
    "28": "The database server does not let this account in. Check the name and the password in the address.",
    "3D000": "There is no database of this name on the server. Check the address.",
    "53100": "The server's disk is full. Nothing was saved; ask whoever runs the server to make room.",
    "53300": "The database server has no place for one more workstation now. Try again in a moment.",
    "25006": "The database server takes no entries at present: it is set to reading only. Nothing was saved.",
}
_SAID = {
    "28": ("authentication failed", "no pg_hba.conf entry", "no password supplied", 'role "'),
    "42501": ("permission denied",),
    "3D000": ('database "',),
    "53300": ("too many clients", "too many connections"),
}


class StoreError(Exception):
    """The record could not be read or written. `str(error)` is one sentence that a reader understands."""

    def __init__(self, sentence: str, details: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.details = details  # technical, for "details" to copy

    def __reduce__(self) -> tuple[type[StoreError], tuple[str, str]]:
        return type(self), (self.sentence, self.details)


def as_store_error(error: Exception, path: Path | None, local: Path | None = None) -> StoreError:
    """path: of the file; None for a server, beside which this machine's drafts lie in `local`."""
    if isinstance(error, StoreError):
        return error
    cause = getattr(error, "orig", None) or error
    if path is None and isinstance(cause, (sqlite3.Error, OSError)):
        path = local
    sentence = _of_server(cause) if path is None else _of_file(cause, path)
    return StoreError(sentence, f"{type(cause).__name__}: {cause}")


def gone(path: Path) -> StoreError:
    return StoreError(
        f"The record {path.name} is no longer where it was: its drive may be disconnected, or the file was moved. "
        "Nothing was saved; bring it back and save again.",
        str(path),
    )


def sqlite_code(error: BaseException) -> int:
    """The primary result code, 0 where there is none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _of_server(cause: BaseException) -> str:
    code = str(getattr(cause, "sqlstate", None) or "")
    if not code:
        said = str(cause)
        code = next((key for key, words in _SAID.items() if any(word in said for word in words)), "")
    # A connection that is lost at commit leaves open whether the commit came through; readings carry ids.
    return (
        _SERVER.get(code)
        or _SERVER.get(code[:2])
        or "The database server did not answer. Try again once it can be reached; no reading is recorded twice."
    )


def _of_file(cause: BaseException, path: Path) -> str:
    name, code = path.name, sqlite_code(cause)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"The record {name} is open in another program or in another window of Lucency. Close that one first."
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return f"The record {name} is damaged and cannot be read. Nothing was changed in it; use its latest backup."
    if isinstance(cause, (FileExistsError, NotADirectoryError)):
        return (
            f"The folder {path.parent} cannot be made: a file is in its place. Nothing is saved; choose another folder."
        )
    if not path.parent.exists() and not isinstance(cause, PermissionError):
        return gone(path).sentence
    if code == sqlite3.SQLITE_FULL or _says_full(cause) or _is_full(path):
        return "The disk is full. Nothing was saved; make room and save again."
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM) or isinstance(
        cause, PermissionError
    ):
        return (
            f"The record {name} cannot be written: its folder is read-only or not accessible. "
            "Choose another folder, or ask for permission to write there."
        )
    if isinstance(cause, (sqlite3.Error, OSError)):
        return f"The disk did not take the record {name}. Nothing was saved; check the drive and save again."
    return f"The record {name} could not be used."


def _says_full(cause: BaseException) -> bool:
    return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < 64 * 1024
    except OSError:
        return False
