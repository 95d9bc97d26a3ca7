"""Which hip it is: shown with its source, set by the reader, kept, and recorded."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt

from gui.cases import CaseState
from gui.draft import Answer, HipDraft
from gui.items.region_item import region_name
from gui.views.reading_form import ReadingForm
from imaging.geometry import HipRegion
from imaging.orientation import Edge
from imaging.radiograph import Orientation, Side, SideSource
from study.model import Call
from tests.gui.controller_desk import LOOSE, make_desk, recorded, show
from tests.gui.shell_fakes import prediction, radiograph

LEFT_BUTTON = Qt.MouseButton.LeftButton
# A stem in the fake picture whose head is on the right of its axis: its lateral side faces left.
FACING_LEFT = {"stem_tip": (40, 90, 0.9), "stem_axis_top": (40, 40, 0.9), "head_center": (70, 20, 0.9)}


def sided(side: Side, source: SideSource, **fields: object):
    found = prediction(**fields)
    return replace(found, region=replace(found.region, side=side, side_source=source))


@pytest.fixture
def desk(qtbot):
    return make_desk()


def picture(**fields: object):
    return radiograph("p.png", side=Side.UNKNOWN, modality="", **fields)


@pytest.mark.parametrize("side", [Side.RIGHT, Side.LEFT, Side.UNKNOWN])
def test_the_reader_says_which_hip_it_is_and_that_is_recorded(desk, qtbot, side):
    show(desk, qtbot, "p.png", [sided(Side.UNKNOWN, SideSource.NONE)], picture())
    prediction_before = desk.controller.hip.prediction
    desk.controller.set_side(side)
    assert desk.controller.hip.prediction is prediction_before  # nothing is read again for that
    desk.controller.set_answer(LOOSE)
    reading = desk.controller.submit()
    assert (reading.case.side, reading.side_source) == (side.value, "reader")
    (own,) = [r for r in recorded(desk) if r.id == reading.id]
    assert own.side_source == "reader"


def test_a_proposed_side_is_recorded_with_its_source(desk, qtbot):
    show(desk, qtbot, "a.png", [sided(Side.LEFT, SideSource.LANDMARKS)])
    desk.controller.set_answer(LOOSE)
    reading = desk.controller.submit()
    assert (reading.case.side, reading.side_source) == ("L", "landmarks")


def test_the_side_that_a_reader_set_survives_a_restart_and_the_cnn(desk, qtbot):
    show(desk, qtbot, "p.png", [sided(Side.UNKNOWN, SideSource.NONE)], picture())
    desk.controller.set_side(Side.LEFT)
    assert desk.library.cases[0].state is CaseState.DRAFT
    desk.controller.flush()
    again = make_desk(desk.store)
    show(again, qtbot, "p.png", [sided(Side.RIGHT, SideSource.LANDMARKS)], picture())
    region = again.controller.hip.region
    assert (region.side, region.side_source) == (Side.LEFT, SideSource.READER)


def test_a_recorded_side_is_not_changed_but_corrected(desk, qtbot):
    show(desk, qtbot, "p.png", [sided(Side.UNKNOWN, SideSource.NONE)], picture())
    controller = desk.controller
    controller.set_answer(LOOSE)
    first = controller.submit()
    qtbot.waitUntil(lambda: controller.pending == 0)
    controller.set_side(Side.RIGHT)
    assert controller.hip.region.side is Side.UNKNOWN
    controller.begin_revision()
    controller.set_side(Side.RIGHT)
    assert controller.hip.is_changed
    corrected = controller.submit("It is the right hip.")
    assert (corrected.id, corrected.case.side, corrected.side_source) == (first.id, "R", "reader")
    qtbot.waitUntil(lambda: controller.pending == 0)
    again = make_desk(desk.store)
    again.controller.learn_history([corrected])
    show(again, qtbot, "p.png", [sided(Side.UNKNOWN, SideSource.NONE)], picture())
    assert again.controller.hip.region.side is Side.RIGHT
    assert not again.controller.hip.is_changed


def test_a_moved_region_learns_its_side_from_the_cnn_unless_the_reader_set_it(desk, qtbot):
    show(desk, qtbot, "a.png", [sided(Side.UNKNOWN, SideSource.NONE)])
    controller = desk.controller
    for said, expected in ((None, Side.LEFT), (Side.RIGHT, Side.RIGHT)):
        if said is not None:
            controller.set_side(said)
        region = controller.hip.region
        controller.set_region(0, replace(region, x=region.x + 1))
        qtbot.waitUntil(lambda: controller.hip.job is not None)
        with qtbot.waitSignal(controller.hips_changed):
            desk.jobs.waiting("assess").finish([sided(Side.LEFT, SideSource.LANDMARKS)])
        assert controller.hip.region.side is expected


def test_an_old_draft_has_no_source():
    kept = HipDraft((0.0, 0.0, 9.0, 9.0), "R", True, Answer(call=Call.LOOSE, score=80))
    assert kept.region == HipRegion(0.0, 0.0, 9.0, 9.0, Side.RIGHT, proposed=True)


def test_lateral_is_where_the_landmarks_have_it_then_where_the_header_has_the_side(desk, qtbot):
    mirrored = Orientation("R", "F", SideSource.ORIENTATION)
    show(desk, qtbot, "p.png", [sided(Side.UNKNOWN, SideSource.NONE, landmarks=FACING_LEFT)], picture())
    hip = desk.controller.hip
    assert hip.lateral(Orientation()) is Edge.LEFT
    hip.seen_lateral = None
    assert hip.lateral(mirrored) is None
    desk.controller.set_side(Side.RIGHT)
    assert hip.lateral(mirrored) is Edge.RIGHT


@pytest.fixture
def form(qtbot):
    made = ReadingForm()
    qtbot.addWidget(made)
    made.resize(420, 900)
    made.show()
    return made


def test_the_form_shows_the_side_and_where_it_comes_from(form, qtbot):
    form.set_side(Side.LEFT, SideSource.ASSUMED)
    assert form.side_part.buttons[Side.LEFT].isChecked()
    assert "assumed" in form.side_part.source_label.text()
    for side, button in form.side_part.buttons.items():
        with qtbot.waitSignal(form.side_chosen) as chosen:
            qtbot.mouseClick(button, LEFT_BUTTON)
        assert chosen.args == [side]


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("lateral", [Edge.LEFT, Edge.RIGHT, None])
def test_zones_are_drawn_as_the_picture_is(form, side, lateral):
    form.set_side(side, SideSource.NONE, lateral)
    schematic = form.schematic
    lateral_on_left = schematic.zone_position("1").x() < schematic.zone_position("7").x()
    assert lateral_on_left == (lateral is Edge.LEFT if lateral else side is not Side.LEFT)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("flipped", [False, True])
def test_an_edge_goes_where_the_picture_on_screen_has_it(canvas, make_radiograph, turns, flipped):
    view = canvas.view
    view.set_radiograph(make_radiograph())
    said = []
    view.turned.connect(lambda: said.append(view.viewport.edge_on_screen(Edge.LEFT)))
    view.rotate_by(90 * turns)
    if flipped:
        view.flip_horizontal()
    assert len(said) == bool(turns) + flipped
    if turns % 2 == 0:
        on_left = view.view_point(0, 100).x() < view.view_point(200, 100).x()
        assert view.viewport.edge_on_screen(Edge.LEFT) is (Edge.LEFT if on_left else Edge.RIGHT)


def test_a_region_says_that_its_side_is_assumed():
    region = HipRegion(0, 0, 9, 9, Side.RIGHT, side_source=SideSource.ASSUMED)
    assert region_name(region, 0, 2) == "Right hip 1/2, assumed"
    assert region_name(replace(region, side_source=SideSource.ORIENTATION), 0, 1) == "Right hip"
