"""The noted end of a record: what a later, shorter or altered one is held against. Beside the record, and to keep elsewhere."""

from __future__ import annotations

from pathlib import Path

import msgspec

from study.chain import Head
from study.files import replace_file
from study.store.errors import StoreError


class NotedEnd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last event of every chain and, noted when a file was closed, the file byte for byte."""

    heads: tuple[Head, ...]
    file_sha256: str = ""  # "" where the record lay on a server, or was still in use


NOTHING_NOTED = NotedEnd(())


def read_end(path: Path) -> NotedEnd:
    """Raises OSError, or StoreError when the file holds something else."""
    try:
        # A bare list of heads is what earlier versions wrote.
        noted = msgspec.json.decode(path.read_bytes(), type=NotedEnd | list[Head])
    except msgspec.DecodeError as error:
        raise StoreError(f"{path.name} does not hold the noted end of a record.", str(error)) from error
    return noted if isinstance(noted, NotedEnd) else NotedEnd(tuple(noted))


def read_heads(path: Path) -> list[Head]:
    """Heads as exported. Raises like `read_end`."""
    return list(read_end(path).heads)


def write_heads(path: Path, heads: list[Head], *, file_sha256: str = "", durable: bool = True) -> None:
    """Write the end so that the file is either the old or the new one. Raises OSError."""
    data = msgspec.json.encode(NotedEnd(tuple(heads), file_sha256))
    replace_file(path, msgspec.json.format(data, indent=1) + b"\n", durable=durable)


def end_beside(path: Path) -> Path:
    """Where the end of a record in a file is noted, if its drafts lie beside it."""
    return path.with_name(f"{path.stem}.head.json")
