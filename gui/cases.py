"""What the window knows about the cases that are open: plain data, changed only by the ReadingController."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gui.draft import Answer
from gui.viewing import ViewingClock
from imaging.geometry import HipRegion
from imaging.orientation import Edge, edge_of
from imaging.radiograph import Orientation, SideSource

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
    seen_lateral: Edge | None = (
        None  # the edge of the picture that its lateral side faces, as its landmarks had it last
    )
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
        if recorded is None:
            return not self.answer.is_empty or self.region.side_source is SideSource.READER
        return self.answer != Answer.of(recorded) or self.region.side.value != recorded.case.side

    def learn_side(self) -> None:
        """Take the side that the CNN's landmarks settle, unless a person has said it or a reading holds it."""
        known = self.prediction
        if known is None:
            return
        self.seen_lateral = known.lateral
        if self.recorded is None and self.region.side_source is not SideSource.READER:
            self.region = replace(self.region, side=known.region.side, side_source=known.region.side_source)

    def lateral(self, orientation: Orientation) -> Edge | None:
        """Where its lateral side is in the picture: as its landmarks have it, else as its side and the header do."""
        return self.seen_lateral or edge_of(orientation, self.region.side)
