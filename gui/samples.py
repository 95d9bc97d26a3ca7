"""The simulated radiographs that come with the program."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import msgspec

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sample:
    """A simulated radiograph that comes with the program."""

    path: Path
    name: str  # says nothing about the answer: shown wherever a reader may still have to give one
    title: str
    description: str = ""


class _Entry(msgspec.Struct):
    file: str
    title: str
    description: str = ""


class _Index(msgspec.Struct):
    samples: list[_Entry]


def find_samples(folder: Path) -> list[Sample]:
    """The samples in `folder`, in the order of its index.json; none where it is missing or damaged."""
    try:
        entries = msgspec.json.decode((folder / "index.json").read_bytes(), type=_Index).samples
    except (OSError, msgspec.DecodeError) as error:
        log.warning("The samples cannot be listed: %s", type(error).__name__)
        return []
    present = [entry for entry in entries if (folder / entry.file).is_file()]
    return [
        Sample(folder / entry.file, f"Sample {number}", entry.title, entry.description)
        for number, entry in enumerate(present, start=1)
    ]
