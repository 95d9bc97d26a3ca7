"""The canvas under real mouse and key events."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QKeyEvent, QKeySequence, QShortcut, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QHBoxLayout, QWidget

from gui.annotations import AnnotationModel, new_annotation
from gui.items import hud
from gui.tools import Tool
from gui.views.radiograph_view import RadiographView
from imaging.geometry import HipRegion
from imaging.radiograph import Radiograph, Side, SpacingSource, Window
from imaging.windowing import apply_window
from study.model import AnnotationKind

RIGHT, MIDDLE = Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton
SHIFT, CONTROL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


def near(point, expected, tolerance: float = 1.0) -> bool:
    return math.dist(tuple(point), expected) <= tolerance


def points_near(points, expected, tolerance: float = 1.0) -> bool:
    return len(points) == len(expected) and all(near(p, e, tolerance) for p, e in zip(points, expected, strict=True))


# What is painted


def test_the_window_is_exactly_that_of_the_core(canvas) -> None:
    """One to one, pixel for pixel, the screen shows `imaging.windowing.apply_window`."""
    canvas.view.set_show_texts(False)
    canvas.view.one_to_one()
    for window, inverted in ((Window(350, 700), False), (Window(300, 120), True)):
        canvas.view.set_window(window.center, window.width)
        canvas.view.set_inverted(inverted)
        shown = canvas.grab()[..., 0]
        expected = apply_window(canvas.view.radiograph.pixels, window, inverted)
        left, top = canvas.at((0, 0)).x(), canvas.at((0, 0)).y()
        part = shown[top : top + 400, left : left + 300]
        # The side marker covers a corner of the image.
        assert (part[120:] == expected[120:]).all()


HIDPI = """
import sys
import numpy as np
from pathlib import Path
from PySide6.QtWidgets import QApplication
from gui.views.radiograph_view import RadiographView
from imaging.radiograph import Radiograph, Window
from imaging.windowing import apply_window
app = QApplication([])
pixels = np.random.default_rng(0).integers(0, 255, (300, 400)).astype(np.float32)
view = RadiographView()
view.resize(600, 500)
view.set_radiograph(Radiograph(pixels, (Window(128, 256),), "0" * 64, Path("noise")))
view.set_show_texts(False)
view.one_to_one()
image = view.grab().toImage()
assert (image.width(), image.height()) == (900, 750), image.size()
raw = np.frombuffer(image.constBits(), np.uint8).reshape(750, -1)[:, : 900 * 4].reshape(750, 900, 4)[..., 0]
expected = apply_window(pixels, Window(128, 256))
top, left = (750 - 300) // 2, (900 - 400) // 2
assert (raw[top : top + 300, left : left + 400] == expected).all()
print("exact")
"""


def test_one_to_one_is_exact_on_a_display_scaled_to_150_percent() -> None:
    environment = {**os.environ, "QT_SCALE_FACTOR": "1.5", "QT_QPA_PLATFORM": "offscreen"}
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", HIDPI], cwd=root, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "exact", done.stderr


def test_painting_is_deterministic(canvas) -> None:
    canvas.view.one_to_one()
    assert (canvas.grab() == canvas.grab()).all()


@pytest.mark.parametrize("zoom", [0.3, 0.5, 0.8, 1.0, 3.0])
@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("flipped", [False, True])
def test_the_image_lies_where_the_coordinates_say(canvas, make_radiograph, zoom, turns, flipped) -> None:
    """A bright spot is on screen where its image point maps to, at every zoom and orientation."""
    view = canvas.view
    pixels = np.zeros((401, 303), np.float32)
    pixels[90:110, 190:210] = 1000
    view.set_radiograph(Radiograph(pixels, (Window(500, 1000),), "0" * 64, make_radiograph().path))
    view.set_show_texts(False)
    view.rotate_by(90 * turns)
    if flipped:
        view.flip_horizontal()
    view.show_point(200, 100, zoom)
    shown = canvas.grab()[..., 0] > 128
    shown[:60] = False  # the orientation badge
    rows, cols = np.nonzero(shown)
    expected = view.view_point(200, 100)
    assert (cols.mean() + 0.5, rows.mean() + 0.5) == pytest.approx((expected.x(), expected.y()), abs=1.0)
    assert shown.sum() == pytest.approx((20 * zoom) ** 2, rel=0.2)


def test_downscaling_averages(canvas, make_radiograph) -> None:
    """A one-pixel checkerboard is grey when zoomed out, not moiré."""
    y, x = np.mgrid[0:1200, 0:1600]
    checker = (((x + y) % 2) * 1000).astype(np.float32)
    canvas.view.set_radiograph(Radiograph(checker, (Window(500, 1000),), "0" * 64, make_radiograph().path))
    canvas.view.set_show_texts(False)
    shown = canvas.grab()[100:500, 200:600, 0].astype(int)
    assert abs(shown.mean() - 127) < 4
    assert shown.std() < 12


@pytest.mark.parametrize("dtype_scale", [1.0, 0.001, 1e5])
def test_any_grey_scale_is_shown(canvas, make_radiograph, dtype_scale: float) -> None:
    ramp = np.tile(np.linspace(-1, 1, 300, dtype=np.float32) * dtype_scale, (400, 1)).astype(np.float32)
    canvas.view.set_radiograph(Radiograph(ramp, (Window(0, 2 * dtype_scale),), "0" * 64, make_radiograph().path))
    canvas.view.set_show_texts(False)
    canvas.view.one_to_one()
    left = canvas.at((0, 0))
    shown = canvas.grab()[left.y() + 200, left.x() : left.x() + 300, 0].astype(int)
    expected = apply_window(ramp[200:201], Window(0, 2 * dtype_scale))[0].astype(int)
    assert np.abs(shown - expected).max() <= 1


def test_a_constant_and_an_unfinite_image_are_painted(canvas, make_radiograph) -> None:
    for value in (0.0, 5.0, np.nan):
        pixels = np.full((50, 40), value, np.float32)
        canvas.view.set_radiograph(Radiograph(pixels, (Window(0, 1),), "0" * 64, make_radiograph().path))
        assert canvas.grab().shape == (600, 800, 3)


def test_no_radiograph(canvas) -> None:
    canvas.view.set_radiograph(None)
    shown = canvas.grab()
    assert (shown == shown[0, 0]).all()
    canvas.click((10, 10))
    canvas.key(Qt.Key.Key_Space)
    canvas.view.reset_view()


# Moving about


def wheel(view: RadiographView, at: QPoint, notches: int) -> None:
    position = QPointF(at)
    event = QWheelEvent(
        position,
        QPointF(view.mapToGlobal(at)),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, event)


def test_the_wheel_zooms_at_the_cursor(canvas, qtbot) -> None:
    at = QPoint(420, 310)
    before = canvas.view.image_point(QPointF(at))
    zoom = canvas.view.zoom
    with qtbot.waitSignal(canvas.view.zoom_changed):
        wheel(canvas.view, at, 3)
    after = canvas.view.image_point(QPointF(at))
    assert canvas.view.zoom == pytest.approx(zoom * 1.2**3)
    assert (after.x(), after.y()) == pytest.approx((before.x(), before.y()))


def test_middle_drag_pans_and_double_click_fits(canvas) -> None:
    view = canvas.view
    fitted = view.zoom
    view.zoom_by(3)
    before = view.view_point(150, 200)
    canvas.drag([(150, 200), (170, 210)], MIDDLE)
    after = view.view_point(150, 200)
    assert after.x() - before.x() == pytest.approx(20 * view.viewport.scale, abs=1)
    canvas.double_click((150, 200))
    assert view.zoom == fitted
    assert view.viewport.fitted


def test_select_tool_drags_the_image_where_nothing_is(canvas) -> None:
    canvas.view.zoom_by(3)
    before = canvas.view.view_point(150, 200)
    canvas.drag([(150, 200), (160, 205)])
    assert canvas.view.view_point(150, 200).x() > before.x() + 10


def test_right_drag_changes_the_window_and_right_click_asks_for_a_menu(canvas, qtbot) -> None:
    view = canvas.view
    width, center = view.grey_window.width, view.grey_window.center
    with qtbot.waitSignal(view.window_changed), qtbot.assertNotEmitted(view.context_menu_requested):
        canvas.drag([(100, 200), (180, 150)], RIGHT)
    assert view.grey_window.width > width
    assert view.grey_window.center < center  # up is brighter
    with qtbot.waitSignal(view.context_menu_requested):
        canvas.click((100, 200), RIGHT)


def test_window_and_zoom_tools(canvas) -> None:
    view = canvas.view
    view.set_tool(Tool.WINDOW)
    width = view.grey_window.width
    canvas.drag([(100, 200), (160, 200)])
    assert view.grey_window.width > width
    view.set_tool(Tool.ZOOM)
    zoom = view.zoom
    canvas.drag([(100, 200), (100, 150)])
    assert view.zoom > zoom


def test_reset_restores_what_was_at_open(canvas) -> None:
    view = canvas.view
    first = canvas.grab()
    view.rotate_by(90)
    view.flip_horizontal()
    view.invert()
    view.set_window(10, 20)
    view.zoom_by(4)
    view.reset_view()
    QTest.mouseMove(view, QPoint(1, 1))
    assert (canvas.grab() == first).all()


def test_quarter_turns_only(canvas) -> None:
    with pytest.raises(ValueError, match="90"):
        canvas.view.rotate_by(45)


def test_the_cursor_tells_place_and_value(canvas, qtbot) -> None:
    with qtbot.waitSignal(canvas.view.cursor_moved) as moved:
        QTest.mouseMove(canvas.view, canvas.at((120, 80)))
    x, y, value = moved.args
    assert near((x, y), (120, 80))
    assert value == int(x) + int(y)
    with qtbot.waitSignal(canvas.view.cursor_moved) as moved:
        QTest.mouseMove(canvas.view, QPoint(2, 300))
    assert all(math.isnan(part) for part in moved.args)


@pytest.mark.parametrize("side", [Side.RIGHT, Side.LEFT])
@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("flipped", [False, True])
def test_side_letters_stay_at_their_edge(canvas, make_radiograph, monkeypatch, side, turns, flipped) -> None:
    """Wherever the lateral edge goes, its letter goes with it."""
    view = canvas.view
    view.set_radiograph(make_radiograph(side=side))
    view.rotate_by(90 * turns)
    if flipped:
        view.flip_horizontal()
    drawn = []
    original = hud.draw_text
    monkeypatch.setattr(hud, "draw_text", lambda p, box, f, text, *rest: drawn.append((text, box.center())))
    view.grab()
    monkeypatch.setattr(hud, "draw_text", original)
    letters = [(text, center) for text, center in drawn if text in ("R", "L")]
    assert [text for text, _ in letters] == [side.value]
    image = view.image_point(letters[0][1])
    lateral = 0 if side is Side.RIGHT else 300
    assert abs(image.x() - lateral) < abs(image.x() - (300 - lateral))
    assert any("FLIPPED" in text for text, _ in drawn) is flipped


# Drawing


def test_ruler_by_drag_and_by_clicks(canvas) -> None:
    canvas.view.set_tool(Tool.RULER)
    canvas.drag([(50, 300), (150, 300)])
    canvas.click((60, 350))
    canvas.click((160, 350))
    one, two = canvas.model.annotations
    assert one.kind is AnnotationKind.RULER
    assert points_near(one.points, [(50, 300), (150, 300)])
    assert points_near(two.points, [(60, 350), (160, 350)])
    canvas.model.undo_stack.undo()
    assert canvas.model.annotations == (one,)


def test_shift_keeps_a_ruler_straight(canvas) -> None:
    canvas.view.set_tool(Tool.RULER)
    canvas.click((50, 300))
    canvas.click((150, 304), modifiers=SHIFT)
    (_, y0), (_, y1) = canvas.model.annotations[0].points
    assert y0 == pytest.approx(y1)


def test_angle_by_two_drags_and_by_four_clicks(canvas) -> None:
    canvas.view.set_tool(Tool.ANGLE)
    canvas.drag([(50, 300), (150, 300)])
    assert canvas.model.annotations == ()
    canvas.drag([(50, 200), (150, 100)])
    canvas.view.set_tool(Tool.SELECT)
    canvas.model.clear_selection()
    canvas.view.set_tool(Tool.ANGLE)
    for point in [(60, 300), (160, 300), (60, 210), (160, 110)]:
        canvas.click(point)
    assert [mark.kind for mark in canvas.model.annotations] == [AnnotationKind.ANGLE] * 2
    for mark in canvas.model.annotations:
        assert canvas.view.measure.angle_deg(mark.points) == pytest.approx(45, abs=2)


@pytest.mark.parametrize("ending", ["enter", "double click"])
def test_lucent_line(canvas, ending: str) -> None:
    canvas.view.set_line_width(6)
    canvas.view.set_tool(Tool.LUCENT_LINE)
    canvas.click((50, 100))
    canvas.click((60, 150))
    if ending == "enter":
        canvas.click((65, 200))
        canvas.key(Qt.Key.Key_Return)
    else:
        canvas.double_click((65, 200))
    (mark,) = canvas.model.annotations
    assert mark.kind is AnnotationKind.LUCENT_LINE
    assert mark.width_px == 6
    assert points_near(mark.points, [(50, 100), (60, 150), (65, 200)])


def test_a_lucent_line_is_two_millimetres_wide_unless_set(canvas) -> None:
    assert canvas.view.line_width_px == pytest.approx(10)  # at 0.2 mm
    canvas.view.set_spacing((0.1, 0.1), SpacingSource.HEAD)
    assert canvas.view.line_width_px == pytest.approx(20)
    canvas.view.set_line_width(7)
    assert canvas.view.line_width_px == 7


def test_backspace_takes_back_a_point_and_escape_the_line(canvas) -> None:
    canvas.view.set_tool(Tool.LUCENT_LINE)
    for y in (100, 150, 200):
        canvas.click((50, y))
    canvas.key(Qt.Key.Key_Backspace)
    canvas.click((80, 220))
    canvas.key(Qt.Key.Key_Return)
    assert points_near(canvas.model.annotations[0].points, [(50, 100), (50, 150), (80, 220)])
    canvas.click((200, 100))
    canvas.click((200, 200))
    canvas.key(Qt.Key.Key_Escape)
    canvas.key(Qt.Key.Key_Return)
    assert len(canvas.model.annotations) == 1


def test_polygon_closes_on_its_first_point(canvas) -> None:
    canvas.view.set_tool(Tool.POLYGON)
    for point in [(50, 100), (150, 100), (150, 200), (50, 100)]:
        canvas.click(point)
    (mark,) = canvas.model.annotations
    assert points_near(mark.points, [(50, 100), (150, 100), (150, 200)])


def test_ellipse_and_point(canvas) -> None:
    canvas.view.set_tool(Tool.ELLIPSE)
    canvas.drag([(50, 100), (150, 180)])
    canvas.view.set_tool(Tool.POINT)
    canvas.click((200, 300))
    ellipse, point = canvas.model.annotations
    assert points_near(ellipse.points, [(50, 100), (150, 180)])
    assert points_near(point.points, [(200, 300)])


def test_text_is_written_on_the_canvas(canvas) -> None:
    canvas.view.set_tool(Tool.TEXT)
    canvas.click((100, 100))
    editor = QApplication.focusWidget() or canvas.view._editor
    QTest.keyClicks(editor, "osteolysis")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    (mark,) = canvas.model.annotations
    assert (mark.kind, mark.text) == (AnnotationKind.TEXT, "osteolysis")
    canvas.click((150, 300))
    QTest.keyClicks(canvas.view._editor, "no")
    QTest.keyClick(canvas.view._editor, Qt.Key.Key_Escape)
    assert len(canvas.model.annotations) == 1


def test_changing_the_tool_drops_what_is_half_drawn(canvas) -> None:
    canvas.view.set_tool(Tool.RULER)
    canvas.click((50, 100))
    canvas.view.set_tool(Tool.SELECT)
    canvas.view.set_tool(Tool.RULER)
    canvas.click((80, 100))
    assert canvas.model.annotations == ()


def test_marks_stay_on_the_image(canvas) -> None:
    canvas.view.set_tool(Tool.RULER)
    canvas.drag([(100, 100), (-60, 100)])
    assert near(canvas.model.annotations[0].points[1], (0, 100))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 3),
    st.booleans(),
    st.floats(0.4, 6),
    st.tuples(st.floats(20, 280), st.floats(20, 380)),
)
def test_a_click_lands_on_the_same_image_point_in_every_orientation(canvas, turns, flipped, zoom, point) -> None:
    view = canvas.view
    view.reset_view()
    canvas.model.load([])
    view.rotate_by(90 * turns)
    if flipped:
        view.flip_horizontal()
    view.show_point(*point, zoom)
    view.set_tool(Tool.POINT)
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, canvas.at(point))
    (mark,) = canvas.model.annotations
    assert near(mark.points[0], point, 1 / zoom + 1e-6)


# Selecting and editing


@pytest.fixture
def line(canvas):
    mark = new_annotation(AnnotationKind.LUCENT_LINE, [(100, 100), (100, 200), (100, 300)], width_px=4)
    canvas.model.load([mark])
    return mark


def test_click_selects_and_click_beside_lets_go(canvas, line) -> None:
    canvas.click((100, 150))
    assert canvas.model.selection == {line.id}
    canvas.click((200, 150))
    assert canvas.model.selection == frozenset()
    assert canvas.model.undo_stack.count() == 0


def test_a_mark_is_dragged_in_one_step(canvas, line) -> None:
    canvas.drag([(100, 150), (150, 160)])
    assert points_near(canvas.model.annotations[0].points, [(150, 110), (150, 210), (150, 310)])
    canvas.model.undo_stack.undo()
    assert canvas.model.annotations == (line,)


def test_a_point_is_dragged_inserted_and_deleted(canvas, line) -> None:
    canvas.click((100, 150))
    canvas.drag([(100, 200), (140, 210)])
    assert points_near(canvas.model.annotations[0].points, [(100, 100), (140, 210), (100, 300)])
    canvas.key(Qt.Key.Key_Delete)  # the point that was dragged last
    assert points_near(canvas.model.annotations[0].points, [(100, 100), (100, 300)])
    canvas.double_click((100, 150))
    assert points_near(canvas.model.annotations[0].points, [(100, 100), (100, 150), (100, 300)])
    canvas.click((100, 250))
    canvas.key(Qt.Key.Key_Delete)
    assert canvas.model.annotations == ()
    while canvas.model.undo_stack.canUndo():
        canvas.model.undo_stack.undo()
    assert canvas.model.annotations == (line,)


def test_the_width_handle(canvas, line) -> None:
    canvas.click((100, 150))
    outside = 2 + 10 / canvas.view.viewport.scale
    handle = (100 - outside, 150)
    if canvas.view.viewport.scale:
        canvas.drag([handle, (80, 150)])
    assert canvas.model.annotations[0].width_px == pytest.approx(40, abs=3)


def test_escape_during_a_drag_puts_the_mark_back(canvas, line) -> None:
    canvas.drag([(100, 150), (180, 160)], release=False)
    assert canvas.model.annotations != (line,)
    canvas.key(Qt.Key.Key_Escape)
    assert canvas.model.annotations == (line,)
    assert not canvas.model.undo_stack.canUndo()


def test_arrows_nudge_on_screen(canvas, line) -> None:
    canvas.click((100, 150))
    canvas.key(Qt.Key.Key_Right)
    canvas.key(Qt.Key.Key_Right, SHIFT)
    assert canvas.model.annotations[0].points[0] == (111, 100)
    canvas.view.flip_horizontal()
    canvas.key(Qt.Key.Key_Right)
    assert canvas.model.annotations[0].points[0] == (110, 100)
    canvas.view.flip_horizontal()
    canvas.view.rotate_by(90)
    canvas.key(Qt.Key.Key_Right)  # image up lies to the right now
    assert canvas.model.annotations[0].points[0] == (110, 99)


def test_a_held_arrow_is_one_step(canvas, line) -> None:
    canvas.click((100, 150))
    for repeat in (False, True, True, True):
        event = QKeyEvent(QKeyEvent.Type.KeyPress, Qt.Key.Key_Down, Qt.KeyboardModifier.NoModifier, "", repeat)
        QApplication.sendEvent(canvas.view, event)
    assert canvas.model.annotations[0].points[0] == (100, 104)
    canvas.model.undo_stack.undo()
    assert canvas.model.annotations == (line,)


def test_shift_click_adds_to_the_selection(canvas, line) -> None:
    other = new_annotation(AnnotationKind.POINT, [(200, 200)])
    canvas.model.load([line, other])
    canvas.click((100, 150))
    canvas.click((200, 200), modifiers=SHIFT)
    assert canvas.model.selection == {line.id, other.id}
    canvas.drag([(200, 200), (210, 200)])
    assert near(canvas.model.annotations[0].points[0], (110, 100))
    assert near(canvas.model.annotations[1].points[0], (210, 200))


@pytest.mark.parametrize("kind", [AnnotationKind.POINT, AnnotationKind.ELLIPSE, AnnotationKind.POLYGON])
@pytest.mark.parametrize("zoom", [0.3, 1.0, 4.0])
def test_a_small_mark_is_hit_in_its_middle(canvas, kind: AnnotationKind, zoom: float) -> None:
    around = {
        AnnotationKind.POINT: [(150, 200)],
        AnnotationKind.ELLIPSE: [(149, 199), (151, 201)],
        AnnotationKind.POLYGON: [(149, 199), (151, 199), (150, 202)],
    }
    mark = new_annotation(kind, around[kind])
    canvas.model.load([mark])
    canvas.view.show_point(150, 200, zoom)
    canvas.click((150, 200))
    assert canvas.model.selection == {mark.id}


def test_marks_turn_with_the_image_and_keep_their_coordinates(canvas, line) -> None:
    canvas.view.rotate_by(90)
    canvas.view.flip_horizontal()
    assert canvas.model.annotations == (line,)
    canvas.click((100, 150))
    assert canvas.model.selection == {line.id}


def test_a_drawing_tool_edits_the_selected_mark_by_its_handles(canvas, line) -> None:
    canvas.model.select([line.id])
    canvas.view.set_tool(Tool.RULER)
    canvas.drag([(100, 300), (120, 320)])
    assert len(canvas.model.annotations) == 1
    assert near(canvas.model.annotations[0].points[2], (120, 320))


def test_hidden_marks_are_not_hit(canvas, line) -> None:
    canvas.view.set_show_marks(False)
    canvas.click((100, 150))
    assert canvas.model.selection == frozenset()


def test_nothing_is_drawn_where_marks_are_hidden(canvas) -> None:
    canvas.view.set_show_marks(False)
    canvas.view.set_tool(Tool.RULER)
    canvas.drag([(50, 300), (150, 300)])
    assert canvas.model.annotations == ()


def test_reader_colour(canvas, line) -> None:
    canvas.view.set_reader_color(QColor(255, 0, 0))
    shown = canvas.grab().astype(int)
    assert ((shown[..., 0] > 200) & (shown[..., 1] < 90) & (shown[..., 2] < 90)).any()


def test_marks_of_others_are_seen_but_not_edited(canvas, line) -> None:
    canvas.model.load([])
    plain = canvas.grab()
    canvas.view.set_other_marks([(QColor(255, 0, 255), [line])])
    assert (canvas.grab() != plain).any()
    canvas.click((100, 150))
    assert canvas.model.selection == frozenset()


def test_shortcuts_of_the_window_wait_while_a_mark_is_selected(canvas, line, qtbot) -> None:
    """Arrows turn pages in the window; with a mark selected they nudge it."""
    turned = []
    shortcut = QShortcut(QKeySequence(Qt.Key.Key_Right), canvas.view)
    shortcut.activated.connect(lambda: turned.append(1))
    canvas.view.activateWindow()
    canvas.key(Qt.Key.Key_Right)
    assert turned == [1]
    canvas.click((100, 150))
    canvas.key(Qt.Key.Key_Right)
    assert turned == [1]
    assert canvas.model.annotations[0].points[0] == (101, 100)


# Regions and head circle


@pytest.fixture
def regions(canvas):
    both = [HipRegion(20, 100, 100, 100, Side.RIGHT, True), HipRegion(170, 100, 100, 100, Side.LEFT, True)]
    canvas.view.set_regions(both, 0)
    return both


def test_a_region_is_dragged_by_its_border(canvas, regions, qtbot) -> None:
    with qtbot.waitSignal(canvas.view.region_edited) as edited:
        canvas.drag([(70, 100), (90, 130)])
    index, region = edited.args
    assert index == 0
    assert near((region.x, region.y), (40, 130))
    assert (region.width, region.height) == (100, 100)
    assert region.side is Side.RIGHT
    assert not region.proposed


def test_a_region_is_resized_by_a_corner_and_stays_square(canvas, regions, qtbot) -> None:
    with qtbot.waitSignal(canvas.view.region_edited) as edited:
        canvas.drag([(120, 200), (150, 230)])
    region = edited.args[1]
    assert near((region.x, region.y), (20, 100))
    assert region.width == region.height == pytest.approx(130, abs=1.5)


def test_region_edited_is_emitted_on_release_only(canvas, regions, qtbot) -> None:
    with qtbot.assertNotEmitted(canvas.view.region_edited):
        canvas.drag([(70, 100), (90, 130)], release=False)
    with qtbot.waitSignal(canvas.view.region_edited):
        QTest.mouseRelease(canvas.view, Qt.MouseButton.LeftButton, pos=canvas.at((90, 130)))


def test_a_click_on_the_border_moves_nothing(canvas, regions, qtbot) -> None:
    with qtbot.assertNotEmitted(canvas.view.region_edited):
        canvas.click((70, 100))
    assert canvas.view.regions == tuple(regions)


def test_a_click_into_the_other_hip_selects_it(canvas, regions, qtbot) -> None:
    with qtbot.waitSignal(canvas.view.region_selected) as selected:
        canvas.click((220, 150))
    assert selected.args == [1]
    assert canvas.view.current_region == 1


def test_a_region_can_be_moved_and_grown_without_a_mouse(canvas, regions, qtbot) -> None:
    canvas.view.flip_horizontal()
    with qtbot.waitSignal(canvas.view.region_edited) as edited:
        canvas.view.adjust_region(dx=10, dy=5)  # to the right on screen is to the left in the image
    assert edited.args[1].box == (10, 105, 100, 100)
    assert not edited.args[1].proposed
    with qtbot.waitSignal(canvas.view.region_edited) as edited:
        canvas.view.adjust_region(grow=20)
    assert edited.args[1].box == (0, 95, 120, 120)
    canvas.view.adjust_region(grow=-500)
    assert canvas.view.regions[0].width == 32


def test_hidden_regions_cannot_be_dragged(canvas, regions, qtbot) -> None:
    canvas.view.set_show_regions(False)
    with qtbot.assertNotEmitted(canvas.view.region_edited):
        canvas.drag([(70, 100), (90, 130)])


def test_a_region_can_be_drawn_where_none_was_found(canvas, qtbot) -> None:
    canvas.view.set_tool(Tool.REGION)
    with qtbot.waitSignal(canvas.view.region_drawn) as drawn:
        canvas.drag([(50, 100), (200, 220)])
    region = drawn.args[0]
    assert near((region.x, region.y), (50, 100))
    assert region.width == region.height == pytest.approx(150, abs=1.5)
    assert region.side is Side.RIGHT


def test_head_circle_by_drag(canvas, qtbot) -> None:
    canvas.view.set_tool(Tool.HEAD_CIRCLE)
    with qtbot.waitSignal(canvas.view.head_circle_drawn) as drawn:
        canvas.drag([(150, 150), (190, 150)])
    center, radius = drawn.args
    assert near((center.x(), center.y()), (150, 150))
    assert radius == pytest.approx(40, abs=1)


def test_head_circle_by_three_clicks_and_fine_tuning(canvas, qtbot) -> None:
    view = canvas.view
    view.set_tool(Tool.HEAD_CIRCLE)
    with qtbot.waitSignal(view.head_circle_drawn) as drawn:
        for point in [(190, 150), (150, 110), (110, 150)]:
            canvas.click(point)
    center, radius = drawn.args
    assert near((center.x(), center.y()), (150, 150))
    assert radius == pytest.approx(40, abs=1)
    with qtbot.waitSignal(view.head_circle_drawn):  # its rim can be dragged
        canvas.drag([(150, 190), (150, 200)])
    assert view.head_circle.radius_px == pytest.approx(50, abs=1)
    before = view.head_circle
    canvas.key(Qt.Key.Key_Right)
    canvas.key(Qt.Key.Key_Up, CONTROL)
    assert view.head_circle.center[0] == before.center[0] + 0.5
    assert view.head_circle.radius_px == before.radius_px + 0.5


def test_three_clicks_almost_on_a_line_are_no_head(canvas, qtbot) -> None:
    canvas.view.set_tool(Tool.HEAD_CIRCLE)
    for point in [(20, 150), (150, 151), (280, 150)]:
        canvas.click(point)
    assert canvas.view.head_circle is None
    canvas.key(Qt.Key.Key_Escape)
    assert canvas.view.head_circle is None


def test_calibration_changes_what_lengths_say(canvas, line) -> None:
    assert canvas.view.measure.unit == "mm (detector)"
    canvas.view.set_spacing((0.175, 0.175), SpacingSource.HEAD)
    assert canvas.view.measure.unit == "mm (head)"
    canvas.view.set_spacing(None, SpacingSource.NONE)
    assert canvas.view.measure.unit == "px"


def test_the_loupe_magnifies_while_the_button_is_held(canvas) -> None:
    canvas.view.set_tool(Tool.MAGNIFIER)
    plain = canvas.grab()
    canvas.drag([(150, 150), (160, 160)], release=False)
    assert (canvas.grab() != plain).mean() > 0.02
    QTest.mouseRelease(canvas.view, Qt.MouseButton.LeftButton, pos=canvas.at((160, 160)))
    assert canvas.view.scene.loupe_at is None


# Linked panes


@pytest.fixture
def panes(qtbot, make_radiograph):
    window = QWidget()
    layout = QHBoxLayout(window)
    left, right = RadiographView(), RadiographView()
    layout.addWidget(left)
    layout.addWidget(right)
    qtbot.addWidget(window)
    window.resize(900, 500)
    radiograph = make_radiograph()
    left.set_radiograph(radiograph)
    right.set_radiograph(radiograph)
    window.show()
    left.set_window(200, 300, "bone")
    left.link(right)
    yield left, right
    window.close()


def same_place(one: RadiographView, two: RadiographView) -> bool:
    a, b = one.viewport, two.viewport
    return (a.zoom, a.center_x, a.center_y, a.orientation) == (b.zoom, b.center_x, b.center_y, b.orientation)


def test_linking_takes_over_what_the_first_pane_shows(panes) -> None:
    left, right = panes
    assert same_place(left, right)
    assert right.grey_window == left.grey_window == Window(200, 300, "bone")


def test_linked_panes_move_together_both_ways(panes) -> None:
    left, right = panes
    wheel(left, QPoint(100, 100), 2)
    assert same_place(left, right)
    right.rotate_by(90)
    right.flip_horizontal()
    right.pan(13, 7)
    assert same_place(left, right)
    assert left.viewport.is_turned
    right.set_window(50, 60)
    assert (left.grey_window.center, left.grey_window.width) == (50, 60)
    left.invert()
    assert right.inverted
    left.fit()
    assert right.viewport.fitted


def test_the_pointer_of_one_pane_is_drawn_in_the_other(panes, qtbot) -> None:
    left, right = panes
    before = right.grab().toImage()
    QTest.mouseMove(left, left.view_point(150, 200).toPoint())
    assert right.grab().toImage() != before
    right.unlink()
    assert right.grab().toImage() == before


def test_unlinked_panes_part(panes) -> None:
    left, right = panes
    left.unlink()
    left.zoom_by(2)
    assert not same_place(left, right)
    before = left.viewport
    right.zoom_by(3)
    right.set_window(1, 2)
    assert left.viewport == before
    assert left.grey_window.width != 2


def test_panes_may_share_marks(panes) -> None:
    left, right = panes
    model = AnnotationModel()
    left.set_annotations(model)
    right.set_annotations(model)
    before = right.grab().toImage()
    model.add(new_annotation(AnnotationKind.RULER, [(50, 50), (200, 200)]))
    assert right.grab().toImage() != before


# Another image


def test_another_image_brings_its_own_spacing_and_takes_the_map_away(
    canvas, saliency, make_radiograph, regions
) -> None:
    view = canvas.view
    view.set_saliency([saliency])
    view.overlay.set_visible(True)
    view.overlay.set_opacity(0.35)
    view.invert()
    view.flip_horizontal()
    view.set_radiograph(make_radiograph(spacing_mm=None, source=SpacingSource.NONE))
    assert view.map_state.value == "absent"
    assert view.regions == ()
    assert not view.inverted
    assert not view.viewport.mirrored
    assert view.measure.unit == "px"
    assert view.overlay.opacity == 0.35
    assert view.overlay.visible
