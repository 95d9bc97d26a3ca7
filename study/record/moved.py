"""Images that were moved: found again by their hash."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from study.store import StoreError, StudyStore


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of the file's bytes: the identity of an image. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def relink(store: StudyStore, image_sha256: str, path: Path) -> None:
    """Note where an image lies now, after checking that it is that image. Waits for the disk. Raises StoreError."""
    try:
        found = file_sha256(path)
    except OSError as error:
        raise StoreError(f"{path.name} cannot be read.", str(error)) from error
    if found != image_sha256:
        raise StoreError(f"{path.name} is another image than the one that was read. Choose the original file.")
    store.note_location(image_sha256, path).result()


def find_moved(
    where: Path | Iterable[Path], wanted: Iterable[str], keep_going: Callable[[int], bool] = lambda _: True
) -> dict[str, Path]:
    """Look for images by their hash: in a folder and below it, or among these files. What cannot be read is passed over.

    keep_going is called with the number of files looked at, and ends the search by returning False.
    """
    missing = set(wanted)
    found: dict[str, Path] = {}
    files = (path for path in sorted(where.rglob("*")) if path.is_file()) if isinstance(where, Path) else where
    for looked_at, path in enumerate(files):
        if not missing or not keep_going(looked_at):
            break
        try:
            digest = file_sha256(path)
        except OSError:
            continue
        if digest in missing:
            missing.remove(digest)
            found[digest] = path
    return found
