"""What a reader's session consists of: the steps, what happened to each slot, the answers that count, how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from study.design import Slot
from study.model import Reading, ReadingMode
from study.protocol import Arm


class SessionError(ValueError):
    """The protocol does not allow this now. `str(error)` is a sentence for the reader."""


class Step(StrEnum):
    """What comes next."""

    START = "start"
    ANSWER = "answer"  # without the CNN
    REVEAL = "reveal"
    ANSWER_AIDED = "answer_aided"  # with the CNN on screen
    WAIT = "wait"  # for the end of the washout
    SIGN = "sign"  # everything is read
    FINISHED = "finished"


MODES = {  # the reading mode of an answer, by arm and step
    (Arm.SEQUENTIAL, Step.ANSWER): ReadingMode.ANSWER_FIRST,
    (Arm.SEQUENTIAL, Step.ANSWER_AIDED): ReadingMode.REVISED,
    (Arm.UNAIDED, Step.ANSWER): ReadingMode.ANSWER_FIRST,
    (Arm.AIDED, Step.ANSWER_AIDED): ReadingMode.ASSIST,
}


@dataclass
class SlotState:
    """What has happened to one slot."""

    slot: Slot
    unaided: Reading | None = None
    aided: Reading | None = None
    unaided_utc: str = ""
    aided_utc: str = ""
    revealed_utc: str = ""
    corrections: int = 0

    @property
    def done(self) -> bool:
        return (self.unaided if self.slot.arm is Arm.UNAIDED else self.aided) is not None

    @property
    def step(self) -> Step:
        """What this slot waits for; meaningless once it is done."""
        if self.slot.arm is Arm.UNAIDED or (self.slot.arm is Arm.SEQUENTIAL and self.unaided is None):
            return Step.ANSWER
        return Step.ANSWER_AIDED if self.revealed_utc else Step.REVEAL


@dataclass(frozen=True)
class Given:
    """An answer that counts as given: as last corrected."""

    slot: Slot
    mode: str  # UNAIDED or AIDED
    reading: Reading
    utc: str
    corrected: bool


@dataclass(frozen=True)
class Progress:
    """What the worklist shows: how far, never how well."""

    step: Step
    slot: Slot | None  # the current one
    done: int  # counted slots
    total: int
    practice_done: int
    practice_total: int
    paused: bool
    opens_on: date | None  # when the washout ends, while it lasts
    active_s: float  # of all answers, pauses apart
    break_s: float


@dataclass(frozen=True)
class Violation:
    """An event in a chain that the protocol does not allow; it is not counted."""

    seq: int
    sentence: str
    slot: int | None = None
