"""What a reader sends back: their chain, as one file."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from study.chain import Event, Head, check_chains
from study.files import replace_file

FORMAT = "lucency-readings-returned"
VERSION = 1
SUFFIX = ".lucency-return"
_MAX_BYTES = 1024 * 1024**2


class ReturnError(ValueError):
    """A returned file cannot be written or used. `str(error)` is a sentence."""


class Returned(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    version: int
    study_id: str
    reader_id: str
    events: tuple[Event, ...]  # one chain, in order
    head: Head


class _Told(msgspec.Struct):
    format: str
    version: int


def write_return(path: Path, study_id: str, reader_id: str, events: Sequence[Event], device: str) -> Returned:
    """Export this machine's chain of one study, finished or not. Raises ReturnError."""
    own = tuple(event for event in events if (event.device, event.study) == (device, study_id))
    if not own:
        raise ReturnError("There is nothing to return yet.")
    last = own[-1]
    returned = Returned(FORMAT, VERSION, study_id, reader_id, own, Head(device, study_id, last.seq, last.hash))
    try:
        replace_file(path, msgspec.json.encode(returned))
    except OSError as error:
        raise ReturnError(f"{path.name} could not be written: {error.strerror}.") from error
    return returned


def read_return(path: Path) -> Returned:
    """Read a returned file and check its chain. Raises ReturnError."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ReturnError(f"{path.name} is too large to be a reader's answers.")
        data = path.read_bytes()
    except OSError as error:
        raise ReturnError(f"{path.name} cannot be read.") from error
    with contextlib.suppress(msgspec.DecodeError):
        told = msgspec.json.decode(data, type=_Told)
        if told.format == FORMAT and told.version > VERSION:
            raise ReturnError(
                f"{path.name} was written by a newer version of the program. Install that one to read it."
            )
        returned = msgspec.json.decode(data, type=Returned)
        if returned.format == FORMAT:
            _check(path, returned)
            return returned
    raise ReturnError(f"{path.name} holds no reader's answers, or is damaged.")


def _check(path: Path, returned: Returned) -> None:
    if any((e.device, e.study) != (returned.head.device, returned.study_id) for e in returned.events):
        raise ReturnError(f"{path.name} holds entries that do not belong to its chain.")
    sound, problems = check_chains(returned.events, [returned.head])
    if problems or len(sound) != len(returned.events):
        what = problems[0].sentence if problems else "An event is there twice."
        raise ReturnError(f"{path.name} was damaged or changed after it was exported. {what}")
