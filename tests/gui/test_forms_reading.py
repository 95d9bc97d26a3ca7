"""The reading form and its schematic, through keys and mouse."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QAction, QUndoStack, QWheelEvent
from PySide6.QtWidgets import QAbstractItemView, QApplication, QHBoxLayout, QMainWindow, QWidget

from gui import theme
from gui.answer_rules import answer_problem, step_score
from gui.draft import Answer
from gui.preferences import Preferences
from gui.views.reading_form import FormState, ReadingForm
from gui.views.zone_drawing import anatomy
from gui.views.zone_schematic import ZONE_NAMES, ZoneSchematic
from imaging.radiograph import Side
from imaging.zones import CUP_ZONES, ZONES
from study.model import Call, ReadingMode, ZoneFinding

# The offscreen platform says so for every window that has a smallest size.
pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)
LEFT = Qt.MouseButton.LeftButton
RECORDED_AT = datetime(2026, 3, 4, 14, 3, 12, tzinfo=UTC)


@pytest.fixture
def form(qtbot, tmp_path):
    theme.apply_theme(QApplication.instance(), Preferences(tmp_path))
    form = ReadingForm()
    qtbot.addWidget(form)
    stack = QUndoStack(form)
    form.set_undo_stack(stack)
    form.stack = stack
    form.set_side(Side.RIGHT)
    form.set_reader("A. Reader")
    form.resize(400, 1100)
    with qtbot.waitActive(form):
        form.show()
    return form


def point(schematic: ZoneSchematic, zone: str) -> QPoint:
    return schematic.zone_position(zone).toPoint()


# Nothing leads the reader


def test_an_empty_form_suggests_nothing(form):
    assert form.answer() == Answer()
    assert not any(button.isChecked() for button in form.call_chooser.buttons.values())
    assert form.score_spin.text() == "–"
    image = form.score_slider.grab().toImage()
    width, height = image.width(), image.height()
    colored = {image.pixelColor(x, y).name() for x in range(width) for y in range(height)} & {
        theme.DARK.loose,
        theme.DARK.not_loose,
    }
    assert not colored
    row = int(0.85 * form.fontMetrics().height())
    light = [image.pixelColor(x, row).lightness() for x in range(width)]
    assert sum(light[: width // 2]) == pytest.approx(sum(light[-(width // 2) :]), rel=0.01)


def test_starting_puts_the_keyboard_on_no_answer(form):
    form.start()
    assert QApplication.focusWidget() is form


def test_the_first_key_on_the_score_leans_one_way_or_the_other(form, qtbot):
    for key, score in ((Qt.Key.Key_Right, 51), (Qt.Key.Key_Left, 49), (Qt.Key.Key_Up, 51), (Qt.Key.Key_PageDown, 40)):
        form.clear()
        form.score_slider.setFocus()
        qtbot.keyClick(form.score_slider, key)
        assert form.answer().score == score


@given(start=st.none() | st.integers(0, 100).filter(lambda n: n != 50), steps=st.integers(-120, 120).filter(bool))
def test_no_step_lands_on_fifty_or_outside(start, steps):
    stepped = step_score(start, steps)
    assert 0 <= stepped <= 100
    assert stepped != 50
    if start is not None:
        assert (stepped >= start) == (steps > 0) or stepped == start


# Call, score, reader


def test_calls_by_key_and_by_click(form, qtbot):
    form.start()
    qtbot.keyClick(form, Qt.Key.Key_1)
    assert form.answer().call is Call.LOOSE
    qtbot.keyClick(form, Qt.Key.Key_2)
    assert form.answer().call is Call.NOT_LOOSE
    qtbot.mouseClick(form.call_chooser.buttons[Call.CANNOT_TELL], LEFT)
    assert form.answer().call is Call.CANNOT_TELL
    qtbot.mouseClick(form.call_chooser.buttons[Call.CANNOT_TELL], LEFT)
    assert form.answer().call is None
    qtbot.mouseClick(form.stem_chooser.buttons[Call.LOOSE], LEFT)
    qtbot.mouseClick(form.cup_chooser.buttons[Call.NOT_LOOSE], LEFT)
    assert (form.answer().stem_call, form.answer().cup_call) == (Call.LOOSE, Call.NOT_LOOSE)


def test_the_score_typed_dragged_and_stepped_stays_one_number(form, qtbot):
    form.score_spin.setFocus()
    qtbot.keyClicks(form.score_spin, "72")
    assert form.answer().score == 72
    qtbot.keyClick(form.score_slider, Qt.Key.Key_Right)
    assert form.answer().score == 73
    assert form.score_spin.value() == 73
    slider = form.score_slider
    qtbot.mouseClick(slider, LEFT, pos=QPoint(round(slider.x_of(20)), 12))
    assert form.answer().score == 20
    assert form.score_spin.value() == 20
    qtbot.keyClick(slider, Qt.Key.Key_Delete)
    assert form.answer().score is None
    assert form.score_spin.text() == "–"


def test_dragging_over_the_middle_skips_fifty(form, qtbot):
    slider = form.score_slider
    given_scores = []
    slider.moved.connect(given_scores.append)
    qtbot.mousePress(slider, LEFT, pos=QPoint(round(slider.x_of(45)), 12))
    for x in range(round(slider.x_of(45)), round(slider.x_of(55))):
        qtbot.mouseMove(slider, QPoint(x, 12))
    qtbot.mouseRelease(slider, LEFT)
    assert 50 not in given_scores
    qtbot.mouseClick(slider, LEFT, pos=QPoint(round(slider.x_of(50)), 12))
    assert form.answer().score in (49, 51)


def test_typing_fifty_is_answered_with_a_sentence_and_not_taken(form, qtbot):
    form.edit("call", call=Call.LOOSE)
    form.score_spin.setFocus()
    qtbot.keyClicks(form.score_spin, "50")
    assert form.answer().score != 50
    assert "50 is not allowed" in form.problem_label.text()
    with qtbot.assertNotEmitted(form.submit_requested):
        form.submit()
    form.comment_edit.setFocus()
    assert form.score_spin.typed() != "50"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Answer(), "Choose loose, not loose or cannot tell."),
        (Answer(call=Call.LOOSE), "Give a score from 0 to 100."),
        (Answer(call=Call.LOOSE, score=20), "A hip called loose needs a score above 50."),
        (Answer(call=Call.NOT_LOOSE, score=80), "A hip called not loose needs a score below 50."),
        (Answer(call=Call.NOT_LOOSE, score=8, cup_call=Call.LOOSE), "A hip with a loose stem or cup is loose."),
        (Answer(call=Call.CANNOT_TELL, score=51), ""),
        (Answer(not_assessable_reason="lateral view"), ""),
    ],
)
def test_what_is_missing_is_said_as_the_reader_goes(form, answer, sentence):
    form.load(answer)
    assert answer_problem(answer) == form.problem() == sentence
    assert form.problem_label.text() == sentence
    assert form.problem_label.isVisible() == bool(sentence)


def test_a_contradiction_is_loud_at_once_an_empty_form_is_not(form):
    assert form.problem_label.property("role") == "muted"
    form.load(Answer(call=Call.LOOSE, score=20))
    assert form.problem_label.property("role") == "warning"


def test_only_a_complete_answer_is_submitted(form, qtbot):
    with qtbot.assertNotEmitted(form.submit_requested):
        qtbot.mouseClick(form.submit_button, LEFT)
    form.load(Answer(call=Call.LOOSE, score=90))
    form.set_reader("")
    with qtbot.assertNotEmitted(form.submit_requested):
        qtbot.mouseClick(form.submit_button, LEFT)
    assert "your name or initials" in form.problem_label.text()
    assert QApplication.focusWidget() is form.reader_line
    qtbot.keyClicks(form.reader_line, "  Dr  B ")
    with qtbot.waitSignal(form.submit_requested):
        qtbot.keyClick(form.reader_line, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert form.reader() == "Dr B"


def test_not_assessable_asks_for_its_reason_and_undo_brings_the_call_back(form, qtbot):
    form.edit("call", call=Call.LOOSE, score=80)
    before = form.answer()
    qtbot.mouseClick(form.not_assessable_box, LEFT, pos=QPoint(8, form.not_assessable_box.height() // 2))
    assert form.answer() == Answer()
    assert form.problem() == "Say why this radiograph cannot be assessed."
    assert not form.score_part.isEnabled()
    qtbot.keyClicks(form.reason_box.lineEdit(), "Lateral view")
    assert form.answer() == Answer(not_assessable_reason="Lateral view")
    assert form.problem() == ""
    while form.stack.canUndo() and form.answer() != before:
        form.stack.undo()
    assert form.answer() == before
    assert not form.not_assessable_box.isChecked()
    assert form.score_part.isEnabled()


def test_choosing_a_call_takes_not_assessable_back(form, qtbot):
    form.load(Answer(not_assessable_reason="lateral view"))
    assert form.not_assessable_box.isChecked()
    qtbot.mouseClick(form.call_chooser.buttons[Call.LOOSE], LEFT)
    assert form.answer() == Answer(call=Call.LOOSE)
    assert not form.not_assessable_box.isChecked()


# Zones


@pytest.mark.parametrize("side", [Side.RIGHT, Side.LEFT, Side.UNKNOWN])
def test_every_zone_can_be_clicked_on_its_place_and_its_number(form, qtbot, side):
    form.set_side(side)
    schematic = form.schematic
    for zone in ZONES:
        schematic.select("")
        qtbot.mouseClick(schematic, LEFT, pos=point(schematic, zone))
        assert schematic.selected == zone
        assert form.zones.zone_label.text() == ZONE_NAMES[zone]
        schematic.select("")
        qtbot.mouseClick(schematic, LEFT, pos=schematic._name_box(zone).center().toPoint())
        assert schematic.selected == zone


def test_zones_follow_anatomy_on_either_side(form):
    schematic = form.schematic
    right = {zone: schematic.zone_position(zone) for zone in ZONES}
    form.set_side(Side.LEFT)
    left = {zone: schematic.zone_position(zone) for zone in ZONES}
    for zone in ("1", "2", "3", "I"):  # lateral of their opposite: in the picture left on a right hip
        assert right[zone].x() < schematic.width() / 2 < left[zone].x() or zone == "I"
    assert right["1"].x() < right["7"].x()
    assert left["1"].x() > left["7"].x()
    assert right["I"].x() < right["II"].x()
    assert left["I"].x() > left["II"].x()
    assert all(right[zone].y() == left[zone].y() for zone in ZONES)
    assert right["1"].y() < right["2"].y() < right["3"].y() < right["4"].y()
    assert right["7"].y() < right["6"].y() < right["5"].y() < right["4"].y()
    assert right["I"].y() < right["III"].y()


def test_no_two_zones_overlap_and_the_implant_is_none(form):
    schematic = form.schematic
    hits = {}
    for x, y in itertools.product(range(0, schematic.width(), 9), range(0, schematic.height(), 9)):
        zone = schematic.zone_at(QPointF(x, y))
        hits[zone] = hits.get(zone, 0) + 1
    assert set(ZONES) <= set(hits)
    for one, other in itertools.combinations(ZONES, 2):
        shared = anatomy().zones[one].intersected(anatomy().zones[other]).boundingRect()
        assert shared.width() * shared.height() < 1.0, (one, other)
    stem_middle = schematic._to_widget().map(QPointF(88, 160))
    assert schematic.zone_at(stem_middle) == ""


def test_findings_by_mouse_and_keyboard(form, qtbot):
    schematic = form.schematic
    qtbot.mouseDClick(schematic, LEFT, pos=point(schematic, "3"))
    assert form.answer().findings == (ZoneFinding("3", lucency=True),)
    form.zones.width_spin.setFocus()
    qtbot.keyClicks(form.zones.width_spin, "2.5")
    qtbot.keyClick(form.zones.width_spin, Qt.Key.Key_Return)
    assert form.finding("3") == ZoneFinding("3", lucency=True, width_mm=2.5)
    assert form.zones.cutoff_label.isVisible()
    schematic.setFocus()
    qtbot.keyClick(schematic, Qt.Key.Key_7)
    assert schematic.selected == "7"
    assert form.answer().call is None  # the digit meant the zone, not the call of the same key
    qtbot.keyClick(schematic, Qt.Key.Key_O)
    qtbot.keyClick(schematic, Qt.Key.Key_Space)
    assert form.finding("7") == ZoneFinding("7", lucency=True, osteolysis=True)
    qtbot.keyClick(schematic, Qt.Key.Key_X)
    assert form.finding("7") == ZoneFinding("7", not_assessable=True)
    qtbot.keyClick(schematic, Qt.Key.Key_Delete)
    assert [finding.zone for finding in form.answer().findings] == ["3"]
    qtbot.mouseClick(schematic, LEFT, pos=point(schematic, "I"))
    qtbot.mouseClick(form.zones.osteolysis_box, LEFT, pos=QPoint(8, form.zones.osteolysis_box.height() // 2))
    assert form.answer().findings[-1] == ZoneFinding("I", osteolysis=True)


def test_taking_the_line_back_takes_its_width(form, qtbot):
    form.load(Answer(findings=(ZoneFinding("2", lucency=True, width_mm=1.5),)))
    form.schematic.select("2")
    qtbot.mouseClick(form.zones.lucency_box, LEFT, pos=QPoint(8, form.zones.lucency_box.height() // 2))
    assert form.answer().findings == ()
    assert form.zones.width_spin.value() == 0


@pytest.mark.parametrize("side", [Side.RIGHT, Side.LEFT])
def test_arrows_reach_every_zone(form, qtbot, side):
    form.set_side(side)
    schematic = form.schematic
    schematic.setFocus(Qt.FocusReason.TabFocusReason)
    assert schematic.selected == "1"
    reached, frontier = {"1"}, ["1"]
    while frontier:
        zone = frontier.pop()
        for key in (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Right):
            schematic.select(zone)
            before = schematic.zone_position(zone)
            qtbot.keyClick(schematic, key)
            after = schematic.zone_position(schematic.selected)
            if schematic.selected not in reached:
                reached.add(schematic.selected)
                frontier.append(schematic.selected)
            if key == Qt.Key.Key_Left and schematic.selected not in (zone, *CUP_ZONES, "4"):
                assert after.x() < before.x()
    assert reached == set(ZONES)


def test_shares_of_the_cnn_show_only_when_revealed(form):
    hidden = form.schematic.grab().toImage()
    form.set_zone_shares({"1": 0.34, "7": 0.28})
    assert form.schematic.grab().toImage() != hidden
    assert "CNN attention 34%" in form.schematic.describe("1")
    assert form.zones.shares_label.isVisible()
    form.set_zone_shares(None)
    assert form.schematic.grab().toImage() == hidden
    assert "CNN" not in form.schematic.describe("1")


# Undo, drafts, states


@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_undo_walks_back_through_every_answer(form, data):
    form.clear()
    form.stack.clear()
    seen = [form.answer()]
    calls = st.sampled_from([None, *Call])
    for _ in range(data.draw(st.integers(1, 8))):
        match data.draw(st.sampled_from(["call", "stem", "zone", "reason"])):
            case "call":
                form._set_call(data.draw(calls))
            case "stem":
                form.edit("stem", stem_call=data.draw(calls))
            case "zone":
                form.schematic.edit_requested.emit(
                    data.draw(st.sampled_from(ZONES)), data.draw(st.sampled_from(ZoneSchematic.EDITS))
                )
            case "reason":
                form._toggle_not_assessable(data.draw(st.booleans()))
        if form.answer() != seen[-1]:
            seen.append(form.answer())
    assert form.stack.count() == len(seen) - 1
    for answer in reversed(seen[:-1]):
        form.stack.undo()
        assert form.answer() == answer
    for answer in seen[1:]:
        form.stack.redo()
        assert form.answer() == answer


def test_typing_a_comment_is_one_step_and_ctrl_z_in_it_takes_it_back(form, qtbot):
    form.edit("call", call=Call.LOOSE)
    form.comment_edit.setFocus()
    qtbot.keyClicks(form.comment_edit, "wide line")
    assert form.answer().comment == "wide line"
    assert form.stack.count() == 2
    qtbot.keyClick(form.comment_edit, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert form.answer() == Answer(call=Call.LOOSE)
    assert form.comment_edit.toPlainText() == ""
    qtbot.keyClick(form.comment_edit, Qt.Key.Key_Y, Qt.KeyboardModifier.ControlModifier)
    assert form.comment_edit.toPlainText() == form.answer().comment == "wide line"


def test_typing_in_the_comment_presses_no_shortcut(form, qtbot):
    form.comment_edit.setFocus()
    qtbot.keyClicks(form.comment_edit, "1 2 3")
    assert form.answer() == Answer(comment="1 2 3")


def test_loading_is_no_edit(form, qtbot):
    answer = Answer(call=Call.LOOSE, score=82.0, comment="a", findings=(ZoneFinding("1", lucency=True, width_mm=2.5),))
    with qtbot.assertNotEmitted(form.changed):
        form.load(answer)
        form.schematic.select("1")
    assert form.stack.count() == 0
    assert form.answer() == answer
    assert form.zones.width_spin.value() == 2.5
    form.clear()
    assert form.answer() == Answer()


def test_the_wheel_changes_no_answer(form, qtbot):
    form.load(Answer(call=Call.LOOSE, score=82))
    form.schematic.select("1")
    for widget in (form.score_spin, form.zones.width_spin, form.score_slider, form.reason_box):
        center = QPointF(widget.rect().center())
        wheel = QWheelEvent(
            center,
            widget.mapToGlobal(center),
            QPoint(0, 0),
            QPoint(0, 120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(widget, wheel)
    assert form.answer() == Answer(call=Call.LOOSE, score=82)


def test_a_recorded_reading_is_locked(form, qtbot):
    answer = Answer(call=Call.LOOSE, score=82, comment="x")
    form.load(answer)
    form.set_state(FormState.SAVING)
    assert "being saved" in form.head.state_label.text()
    form.set_state(FormState.LOCKED, RECORDED_AT, ReadingMode.ANSWER_FIRST)
    assert form.head.state_label.text() == "recorded 14:03:12"
    assert form.head.mode_label.text() == "before the CNN was shown"
    assert form.minimumSizeHint().width() <= 400
    form.start()
    for key in (Qt.Key.Key_1, Qt.Key.Key_2, Qt.Key.Key_Delete):
        qtbot.keyClick(form, key)
    qtbot.mouseDClick(form.schematic, LEFT, pos=point(form.schematic, "3"))
    qtbot.keyClicks(form.comment_edit, "y")
    assert form.answer() == answer
    assert not form.submit_button.isVisible()
    with qtbot.waitSignal(form.revise_requested):
        qtbot.mouseClick(form.revise_button, LEFT)
    form.set_state(FormState.REVISION)
    qtbot.mouseClick(form.call_chooser.buttons[Call.NOT_LOOSE], LEFT)
    assert form.answer().call is Call.NOT_LOOSE
    assert "revised" in form.submit_button.text()


def test_an_assisted_reading_offers_no_revision(form):
    form.set_state(FormState.LOCKED, RECORDED_AT, ReadingMode.ASSIST)
    assert not form.revise_button.isVisible()


# Keyboard alone, and access


def test_a_whole_reading_by_keyboard_alone(form, qtbot):
    def press(key, modifier=Qt.KeyboardModifier.NoModifier):
        qtbot.keyClick(QApplication.focusWidget(), key, modifier)

    form.start()
    press(Qt.Key.Key_1)
    press(Qt.Key.Key_4)
    for _ in range(3):
        press(Qt.Key.Key_PageUp)
    press(Qt.Key.Key_Tab)
    while QApplication.focusWidget() is not form.schematic:
        press(Qt.Key.Key_Tab)
    press(Qt.Key.Key_Down)
    press(Qt.Key.Key_Space)
    while QApplication.focusWidget() is not form.comment_edit:
        press(Qt.Key.Key_Tab)
    qtbot.keyClicks(form.comment_edit, "progressive")
    with qtbot.waitSignal(form.submit_requested):
        press(Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert form.answer() == Answer(
        call=Call.LOOSE, score=80, findings=(ZoneFinding("2", lucency=True),), comment="progressive"
    )


def test_tab_goes_down_the_form(form, qtbot):
    form.schematic.select("1")
    form.start()
    tops = []
    order = []
    for _ in range(30):
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        widget = QApplication.focusWidget()
        if widget in order:
            break
        order.append(widget)
        tops.append(widget.mapTo(form, QPoint(0, 0)).y())
    assert form.call_chooser.buttons[Call.LOOSE] in order
    assert order.index(form.schematic) < order.index(form.comment_edit) < order.index(form.submit_button)
    assert all(later >= earlier - 40 for earlier, later in itertools.pairwise(tops))


def test_every_control_has_a_name_for_a_screen_reader(form):
    controls = [
        widget
        for widget in form.findChildren(QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and not isinstance(widget, QAbstractItemView)  # a combo box's list
    ]
    assert len(controls) > 12
    unnamed = [w for w in controls if not (w.accessibleName() or getattr(w, "text", lambda: "")())]
    assert unnamed == []


def test_mnemonics_are_not_used_twice(form):
    texts = [getattr(widget, "text", lambda: "")() for widget in form.findChildren(QWidget)]
    keys = [match.group(1).lower() for text in texts if (match := re.search(r"&(\w)", str(text)))]
    menus = set("fevtcsh")  # File, Edit, View, Tools, Case and CNN, Study, Help
    assert len(keys) == len(set(keys)) >= 10
    assert not menus & set(keys)


def test_a_digit_is_an_answer_in_the_form_and_the_windows_own_elsewhere(form, qtbot):
    window = QMainWindow()
    qtbot.addWidget(window)
    canvas = QWidget(focusPolicy=Qt.FocusPolicy.StrongFocus)
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.addWidget(canvas)
    row.addWidget(form)
    window.setCentralWidget(holder)
    zoomed = []
    action = QAction("One to one", window, shortcut="1")
    action.triggered.connect(lambda: zoomed.append(1))
    window.addAction(action)
    with qtbot.waitActive(window):
        window.show()
    canvas.setFocus()
    qtbot.keyClick(canvas, Qt.Key.Key_1)
    assert (zoomed, form.answer().call) == ([1], None)
    form.not_assessable_box.setFocus()
    qtbot.keyClick(form.not_assessable_box, Qt.Key.Key_1)
    assert (zoomed, form.answer().call) == ([1], Call.LOOSE)
    window.takeCentralWidget()


@pytest.mark.parametrize("percent", [100, 150, 200])
def test_nothing_is_cut_off_at_any_font_scale(qtbot, tmp_path, percent):
    preferences = Preferences(tmp_path)
    preferences.font_scale_percent = percent
    theme.apply_theme(QApplication.instance(), preferences)
    form = ReadingForm()
    qtbot.addWidget(form)
    form.schematic.select("1")
    form.set_zone_shares({"1": 0.5})
    form.resize(form.minimumSizeHint().width(), 700)
    form.show()
    viewport = form.scroll_area.viewport()
    assert form.body.width() <= viewport.width() + 1
    for button in (*form.call_chooser.buttons.values(), *form.stem_chooser.buttons.values()):
        assert button.width() >= button.minimumSizeHint().width()
        right = button.mapTo(form.body, QPoint(button.width(), 0)).x()
        assert right <= viewport.width() + 1
