"""Words that several views say alike."""

from __future__ import annotations

from study.model import ReadingMode

MODE_WORDS = {
    ReadingMode.ASSIST: "with the CNN in view",
    ReadingMode.ANSWER_FIRST: "before the CNN was shown",
    ReadingMode.REVISED: "revised, the CNN in view",
    ReadingMode.ALGORITHM: "the CNN's own",
}


def score_words(score: float) -> str:
    """A score of 0-100 as whole points. What is rounded never claims the certainty of 0 or 100."""
    if 0 < score < 0.5:
        return "<1"
    if 99.5 <= score < 100:
        return ">99"
    return f"{score:.0f}"
