"""The CNN's answer as a reading: stem and cup one by one, as a person's."""

from __future__ import annotations

from gui.recorder import algorithm_reading
from imaging.radiograph import SideSource
from inference.prediction import Decision, PartFinding
from study.model import Call, CaseKey
from tests.gui.shell_fakes import prediction

CASE = CaseKey("ab" * 32, 0, (0, 0, 10, 10), "R")


def test_the_record_knows_the_parts():
    parts = {
        "stem": PartFinding("stem", Decision.NOT_ASSESSABLE, "The film ends above the tip of the stem.", None),
        "cup": PartFinding("cup", Decision.LOOSE, "", 0.87),
    }
    reading = algorithm_reading(
        prediction(parts=parts, fixation="cemented", stem_probability=None), CASE, SideSource.ORIENTATION, "1"
    )
    assert (reading.call, reading.stem_call, reading.cup_call) == (Call.LOOSE, None, Call.LOOSE)
    assert reading.comment == "The film ends above the tip of the stem; cup 87.0; cemented stem"


def test_bundles_without_parts_record_as_before():
    reading = algorithm_reading(prediction(), CASE, SideSource.ORIENTATION, "1")
    assert (reading.stem_call, reading.cup_call) == (None, None)
    assert reading.comment == "stem 87.0, cup 43.5"
