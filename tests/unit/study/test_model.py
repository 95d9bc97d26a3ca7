from __future__ import annotations

import msgspec
import pytest

from study.model import Call, CaseKey, Reader, Reading, ReadingError, ReadingMode, check_reading

CASE = CaseKey("ab" * 32, 0, (0, 0, 10, 10), "R")


def reading(call: Call | None, score: float | None, **more: object) -> Reading:
    return Reading("1", CASE, Reader("anna"), ReadingMode.ASSIST, call, score, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("call", "score"), [(Call.LOOSE, 50.5), (Call.NOT_LOOSE, 0), (Call.CANNOT_TELL, 60)])
def test_agreeing_readings_pass(call, score):
    check_reading(reading(call, score))


@pytest.mark.parametrize(
    ("call", "score", "word"),
    [
        (Call.LOOSE, 50, "50"),
        (Call.LOOSE, 20, "above"),
        (Call.NOT_LOOSE, 70, "below"),
        (Call.LOOSE, None, "score"),
        (None, None, "why"),
    ],
)
def test_contradictions_get_a_sentence(call, score, word):
    with pytest.raises(ReadingError, match=word):
        check_reading(reading(call, score))


def test_loose_stem_makes_the_hip_loose():
    with pytest.raises(ReadingError):
        check_reading(reading(Call.NOT_LOOSE, 10, stem_call=Call.LOOSE))


def test_round_trip_through_json():
    first = reading(Call.LOOSE, 88, comment="tip")
    assert msgspec.json.decode(msgspec.json.encode(first), type=Reading) == first
