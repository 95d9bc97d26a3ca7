"""Words that several views say alike."""

from __future__ import annotations

from study.model import ReadingMode

MODE_WORDS = {
    ReadingMode.ASSIST: "with the CNN in view",
    ReadingMode.ANSWER_FIRST: "before the CNN was shown",
    ReadingMode.REVISED: "revised, the CNN in view",
    ReadingMode.ALGORITHM: "the CNN's own",
}
