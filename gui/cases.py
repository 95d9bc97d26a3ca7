"""What the window knows about the cases that are open: plain data, changed only by the ReadingController."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gui.draft import Answer
from gui.viewing import ViewingClock
from imaging.geometry import HipRegion

if TYPE_CHECKING:
    from gui.jobs import Job
    from imaging.sources import Source
    from inference.prediction import Prediction, SaliencyMap
    from study.model import Reading


class CaseState(StrEnum):
    UNREAD = "unread"
    DRAFT = "draft"
    READ = "read"
    ERROR = "error"


class DiagnosisState(StrEnum):
    """What may be said about the CNN's answer for the hip on screen."""

    NO_CASE = "no_case"
    NO_CNN = "no_cnn"  # no usable model bundle
    WAITING = "waiting"
    HIDDEN = "hidden"  # answer first: nothing is said, not even whether it is there
    SHOWN = "shown"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(eq=False)
class CaseItem:
    """One row of the case list: a radiograph."""

    source: Source
    name: str = ""
    state: CaseState = CaseState.UNREAD
    error: str = ""  # a sentence, when the state is ERROR
    sha256: str = ""  # of the file, once it was looked at
    hips: int = 0  # how many it shows; 0: it was not open yet
    thumbnail: npt.NDArray[np.uint8] | None = None
    thumbnail_failed: bool = False
    late_glances: int = 0  # how often looking at the file took too long

    @property
    def label(self) -> str:
        return self.name or self.source.label

    @property
    def is_unseen(self) -> bool:
        """It took too long to look at: nothing is known of it yet."""
        return self.late_glances > 0 and not self.sha256


@dataclass(eq=False)
class Hip:
    """One hip of the radiograph on screen: what the reader and the CNN say about it so far."""

    region: HipRegion
    answer: Answer = field(default_factory=Answer)
    viewing: ViewingClock = field(default_factory=ViewingClock)
    cnn_seen: bool = False
    prediction: Prediction | None = None
    other_map: SaliencyMap | None = None  # of an advanced method that was asked for
    job: Job | None = None  # the CNN at work on this region
    failure: tuple[str, str] | None = None  # sentence, details
    cancelled: bool = False
    reading: Reading | None = None  # the first answer, recorded
    final: Reading | None = None  # the latest correction or revision of it
    saving: bool = False  # the store has not acknowledged it yet
    recorded_at: datetime | None = None  # local time
    editing: bool = False  # a recorded answer is being revised or corrected

    @property
    def recorded(self) -> Reading | None:
        return self.final or self.reading

    @property
    def is_changed(self) -> bool:
        """The form says something that no reading says yet."""
        recorded = self.recorded
        return not self.answer.is_empty if recorded is None else self.answer != Answer.of(recorded)
