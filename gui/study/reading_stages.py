"""Where a reader stands: which page is on screen, and what there is to do with the case."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """Which page is on screen."""

    INTRO = "intro"
    BETWEEN = "between"  # practice is over, or the next part begins
    READING = "reading"
    WAIT = "wait"  # washout
    SIGN = "sign"
    FINISHED = "finished"


class Phase(StrEnum):
    """What there is to do with the case on screen."""

    OPENING = "opening"
    FIRST = "first"  # an answer without the CNN
    LOCKED = "locked"  # the first answer is locked; the CNN's may be asked for
    AIDED = "aided"  # an answer with the CNN on screen
    LOOKING = "looking"  # at a case that is done
    CORRECTING = "correcting"


ANSWERING = (Phase.FIRST, Phase.AIDED, Phase.CORRECTING)
