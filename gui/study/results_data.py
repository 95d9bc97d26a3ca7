"""What the results view shows. Importing this imports neither Qt nor the statistics' libraries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from imaging.sources import Source
from study.aids import Aid
from study.model import Annotation
from study.result_parts import Plot, Table


@dataclass(frozen=True)
class ResultsRequest:
    """Whose results, and what the one who asks knows already. Lives in memory only: a passphrase never reaches a disk."""

    place: Path | str  # a file, or a postgresql:// URL
    study: str = ""  # its id; needed where a server holds several
    passphrase: str = field(default="", repr=False)
    images: Mapping[str, Source] = field(default_factory=dict)  # where they lie, by SHA-256


@dataclass(frozen=True)
class Door:
    """What stands before the results."""

    sealed: bool = False  # the truth opens with the coordinator's passphrase
    studies: Mapping[str, str] = field(default_factory=dict)  # titles by id, where one of several must be chosen


@dataclass(frozen=True)
class Answer:
    """One reader's answer on one case in one mode; `reader` is the algorithm's name for its own."""

    reader: str
    mode: str
    call: int | None  # 1 loose, 0 not loose, None: neither
    score: float | None
    comment: str = ""
    marks: tuple[Annotation, ...] = ()


@dataclass(frozen=True)
class CaseResult:
    """One case with everybody's answers."""

    id: str
    truth: int
    side: str
    answers: tuple[Answer, ...]  # people, mode by mode
    algorithm: Answer | None
    sham: bool = False  # its CNN output was shown flipped
    shown: Aid | None = None  # the CNN's own answer, with its map
    images: tuple[tuple[str, int], ...] = ()  # SHA-256 and frame under which its image may be found
    source: Source | None = None
    frame: int = 0


@dataclass(frozen=True)
class Results:
    title: str
    notice: str  # in big letters
    conclusion: str
    cautions: tuple[str, ...]
    plots: dict[str, tuple[Plot, ...]]  # by theme: "light", "dark"
    tables: tuple[Table, ...]
    html: str
    json: str
    people: tuple[str, ...]  # in the order of their numbers and colours
    algorithm: str
    modes: tuple[str, ...]
    cases: tuple[CaseResult, ...]
    has_images: bool  # whether these data can have images at all
    hashes: tuple[str, ...]  # for the footer of every page
