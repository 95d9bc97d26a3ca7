"""Files that are at every instant either the old or the new one."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def replace_file(path: Path, data: bytes, *, durable: bool = True, private: bool = False) -> None:
    """Write beside, then rename. Raises OSError, and leaves nothing behind then.

    durable: return only when a power cut could not undo it. private: nobody but this user may read it, from the first
    byte on (where the system knows such permissions; on Windows the folder's hold).
    """
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        if private:
            unfinished.unlink(missing_ok=True)  # what a kill left keeps the permissions that it was made with
        with open(unfinished, "wb", opener=_only_mine if private else None) as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def _only_mine(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def sync_folder(folder: Path) -> None:
    """Make a rename durable, where the system lets a folder be opened."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
