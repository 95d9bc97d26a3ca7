"""What a half-filled study consists of, and the file that it survives in. The passphrase is never part of it.

The truth is, unsealed until registration (docs/adr/0011-draft-of-a-study.md): only this user can read the file, and it
is gone once the study is registered.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from gui.study.background import Background
from imaging.radiograph import Side
from imaging.sources import Source
from study.cases import Box, Candidate
from study.coordinator import new_study_id
from study.files import replace_file
from study.protocol import Protocol, ReaderGroup

SCHEMA = 1
DRAFT_FILE = "study-draft.json"
KEY = "study"  # there is one draft; the file is its place


class CaseRow(msgspec.Struct, frozen=True):
    """A candidate, and what was found when its image was looked at."""

    path: str
    image_sha256: str
    member: str = ""
    frame: int = 0
    side: str = Side.UNKNOWN.value
    box: Box | None = None
    truth: int | None = None  # 1 = loose
    patient: str = ""
    practice: bool = False
    looked_at: bool = False
    fault: str = ""  # why the image cannot be used, a sentence

    @property
    def source(self) -> Source:
        return Source(Path(self.path), self.member)

    @property
    def place(self) -> tuple[str, int]:
        """Which frame of which image."""
        return self.image_sha256, self.frame

    def candidate(self, row: int) -> Candidate:
        return Candidate(
            row,
            self.source,
            self.image_sha256,
            self.frame,
            Side(self.side),
            self.box,
            self.truth,
            self.patient,
            self.practice,
        )

    @classmethod
    def of(cls, candidate: Candidate) -> CaseRow:
        return cls(
            str(candidate.source.path),
            candidate.image_sha256,
            candidate.source.member,
            candidate.frame,
            candidate.side.value,
            candidate.box,
            candidate.truth,
            candidate.patient,
            candidate.practice,
        )


class Variances(msgspec.Struct, frozen=True):
    """Variance components as typed or estimated; see study.statistics.sizing.Pilot."""

    var_interaction: float = 0.0
    var: float = 0.0
    cov1: float = 0.0
    cov2: float = 0.0
    cov3: float = 0.0
    cases: int = 0  # of the pilot; 0: nothing is known yet


class StudyDraft(msgspec.Struct, frozen=True):
    protocol: Protocol
    rows: tuple[CaseRow, ...] = ()
    left_out: tuple[str, ...] = ()  # what of the lists could not be taken in, sentences not yet acknowledged
    variances: Variances = Variances()
    step: int = 0
    saved_utc: str = ""
    schema: int = SCHEMA

    def to_bytes(self) -> bytes:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return msgspec.json.encode(msgspec.structs.replace(self, saved_utc=now))

    @classmethod
    def from_bytes(cls, data: bytes) -> StudyDraft | None:
        """None where the bytes are of another version of the program or damaged."""
        try:
            draft = msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, ValueError):
            return None
        return draft if draft.schema == SCHEMA else None


def empty_draft() -> StudyDraft:
    readers = (ReaderGroup("consultant", 3), ReaderGroup("trainee", 2))
    return StudyDraft(Protocol(new_study_id(), "", "", "", "", readers, 0))


class DraftFile:
    """A DraftStore for gui.autosave: one file, written in the background, at every instant old or new."""

    def __init__(self, folder: Path, background: Background) -> None:
        self.path = folder / DRAFT_FILE
        self._previous = self.path.with_name(f"{self.path.stem}.previous.json")
        self._unreadable = self.path.with_name(f"{self.path.stem}.unreadable.json")
        self._background = background

    def save_draft(self, key: str, data: bytes) -> object:
        return self._background.run("Saving the draft", lambda _steps: self._write(data), keep=True)

    def discard_draft(self, key: str) -> object:
        """With all that was put aside, which may hold the same truth."""
        return self._background.run("Removing the draft", lambda _steps: self._remove(), keep=True)

    def read(self) -> StudyDraft | None:
        """Waits for the disk. None where there is none that can be used; a damaged one is put aside, not lost."""
        try:
            data = self.path.read_bytes()
        except OSError:
            return None
        draft = StudyDraft.from_bytes(data)
        if draft is None:
            with contextlib.suppress(OSError):
                self.path.replace(self._unreadable)
        return draft

    def put_aside(self) -> None:
        """Waits for the disk."""
        with contextlib.suppress(FileNotFoundError):
            self.path.replace(self._previous)

    def read_previous(self) -> StudyDraft | None:
        """What was put aside last. Waits for the disk."""
        try:
            return StudyDraft.from_bytes(self._previous.read_bytes())
        except OSError:
            return None

    def _write(self, data: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(self.path, data, private=True)

    def _remove(self) -> None:
        for path in (self.path, self._previous, self._unreadable):
            path.unlink(missing_ok=True)
