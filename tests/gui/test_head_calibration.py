# ruff: noqa: F811 - tests take the fixture `desk` by its name
"""The scale from the implanted head belongs to its image: to its draft, to undo, to what is recorded."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF

from gui.cases import CaseState
from gui.window.head_calibration import nearest_diameter
from imaging.radiograph import SpacingSource
from study.model import Call
from tests.gui.controller_desk import LOOSE, make_desk, recorded, show
from tests.gui.shell_fakes import prediction, radiograph
from tests.gui.test_shell_window import desk  # noqa: F401 - a fixture

CALIBRATED = {"spacing_mm": (0.2, 0.2), "spacing_source": SpacingSource.CALIBRATED}


def open_case(desk, name, **fields):
    from tests.gui.shell_fakes import source

    desk.library.add([source(name)])
    image = radiograph(name, **fields)
    desk.jobs.waiting("decode").finish(image)
    desk.jobs.waiting("assess").finish([prediction()])
    return image


def calibrate(desk, text="28", radius_px=70.0):
    desk.window.calibration.calibrate(QPointF(50, 50), radius_px, text)


def test_it_is_kept_per_image(desk):
    open_case(desk, "a.png", **CALIBRATED)
    calibrate(desk)
    assert desk.controller.spacing == ((pytest.approx(0.2), pytest.approx(0.2)), SpacingSource.HEAD)
    open_case(desk, "b.png", **CALIBRATED)
    assert desk.controller.spacing[1] is SpacingSource.CALIBRATED
    assert desk.window.panes.main.measure.source is SpacingSource.CALIBRATED
    desk.library.open(0)
    assert desk.controller.spacing[1] is SpacingSource.HEAD
    assert desk.window.panes.main.measure.source is SpacingSource.HEAD


def test_undo_takes_it_back_and_an_action_removes_it(desk):
    open_case(desk, "a.png", **CALIBRATED)
    remove, main = desk.window.actions_["remove_calibration"], desk.window.panes.main
    assert not remove.isEnabled()
    calibrate(desk)
    assert remove.isEnabled()
    desk.undo.undo()
    assert main.measure.source is SpacingSource.CALIBRATED
    desk.undo.redo()
    assert main.measure.source is SpacingSource.HEAD
    remove.trigger()
    assert main.measure.source is SpacingSource.CALIBRATED
    assert desk.controller.spacing[0] == (0.2, 0.2)
    assert not remove.isEnabled()
    desk.undo.undo()
    assert main.measure.source is SpacingSource.HEAD


def test_a_draft_keeps_it(qtbot):
    first = make_desk()
    show(first, qtbot, predictions=[prediction()])
    first.controller.set_head_spacing((0.18, 0.18))
    assert first.controller.shown.state is CaseState.DRAFT
    first.controller.flush()
    again = make_desk(first.store)
    show(again, qtbot, predictions=[prediction()])
    assert again.controller.spacing == ((0.18, 0.18), SpacingSource.HEAD)
    again.controller.set_head_spacing(None)
    assert again.controller.spacing[1] is SpacingSource.NONE
    again.controller.flush()
    third = make_desk(first.store)
    show(third, qtbot, predictions=[prediction()])
    assert third.controller.spacing[1] is SpacingSource.NONE


def test_the_record_keeps_it(qtbot):
    first = make_desk()
    show(first, qtbot, predictions=[prediction()])
    first.controller.set_head_spacing((0.18, 0.18))
    first.controller.set_answer(LOOSE)
    reading = first.controller.submit()
    qtbot.waitUntil(lambda: first.controller.pending == 0 and not first.store.saved)
    assert (reading.spacing_mm, reading.spacing_source) == ((0.18, 0.18), "head")
    assert reading.call is Call.LOOSE
    again = make_desk(first.store)
    again.controller.learn_history(recorded(first))
    show(again, qtbot, predictions=[prediction()])
    assert again.controller.spacing == ((0.18, 0.18), SpacingSource.HEAD)


@pytest.mark.parametrize(
    ("spacing_mm", "radius_px", "nearest"),
    [(0.2, 70, "28"), (0.2, 81, "32"), (0.1, 178, "36"), (0.2, 55.2, "22"), (0.2, 300, "44"), (None, 70, "28")],
)
def test_the_nearest_listed_diameter_is_offered(spacing_mm, radius_px, nearest):
    known = {} if spacing_mm is None else CALIBRATED | {"spacing_mm": (spacing_mm, spacing_mm)}
    assert nearest_diameter(radiograph(**known), radius_px) == nearest


@pytest.mark.parametrize(
    ("source", "diameter", "warned"),
    [
        (SpacingSource.CALIBRATED, "28", ""),
        (SpacingSource.CALIBRATED, "36", "29 % more"),
        (SpacingSource.CALIBRATED, "22", "21 % less"),
        (SpacingSource.DETECTOR, "28", ""),
        (SpacingSource.DETECTOR, "24", ""),  # magnified, as what stands before a detector is
        (SpacingSource.DETECTOR, "36", "29 % more"),
        (SpacingSource.DETECTOR, "20", "29 % less"),
    ],
)
def test_what_contradicts_the_file_is_said(desk, source, diameter, warned):
    open_case(desk, "a.png", spacing_mm=(0.2, 0.2), spacing_source=source)
    calibrate(desk, diameter)
    message = desk.window.notice.message
    if warned:
        assert warned in message
        assert "check the circle and the diameter" in message
    else:
        assert message.startswith("Calibrated on the head")


def test_without_a_scale_in_the_file_there_is_nothing_to_contradict(desk):
    open_case(desk, "a.png")
    calibrate(desk, "36")
    assert desk.window.notice.message.startswith("Calibrated on the head")
