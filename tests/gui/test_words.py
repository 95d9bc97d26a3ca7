"""A rounded score never claims certainty."""

from __future__ import annotations

import pytest

from gui.words import score_words


@pytest.mark.parametrize(
    ("score", "words"),
    [(0.0, "0"), (0.2, "<1"), (0.7, "1"), (49.6, "50"), (99.4, "99"), (99.5, ">99"), (99.98, ">99"), (100.0, "100")],
)
def test_score_words(score: float, words: str) -> None:
    assert score_words(score) == words
