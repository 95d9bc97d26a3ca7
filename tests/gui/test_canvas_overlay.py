"""The map: fixed levels, "no map", opacity that is kept, contours where the threshold lies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from gui.items.colour_map import SALIENCY_COLOURS
from gui.items.region_item import region_rect
from gui.items.saliency_item import SaliencyItem, contour_pieces
from gui.overlay import MapState, OverlayMode, OverlayState
from imaging.geometry import HipRegion
from inference.prediction import SaliencyMap

REGION = HipRegion(50, 100, 200, 200)


def test_off_at_open(qapp) -> None:
    overlay = OverlayState()
    assert not overlay.visible
    assert not overlay.shown


@given(st.floats(0, 1), st.lists(st.sampled_from(["toggle", "peek", "unpeek", "mode", "threshold"]), max_size=20))
def test_opacity_is_restored_exactly(opacity: float, steps: list[str]) -> None:
    overlay = OverlayState()
    overlay.set_opacity(opacity)
    for step in steps:
        if step == "toggle":
            overlay.toggle()
        elif step == "mode":
            overlay.set_mode(OverlayMode.CONTOUR)
        elif step == "threshold":
            overlay.set_threshold(0.3)
        else:
            overlay.set_peek(step == "peek")
    assert overlay.opacity == opacity


def test_opacity_steps_up_and_down_again_are_exact(qapp) -> None:
    overlay = OverlayState()
    before = overlay.opacity
    for _ in range(5):
        overlay.step_opacity(1)
    for _ in range(5):
        overlay.step_opacity(-1)
    assert overlay.opacity == before
    for _ in range(50):
        overlay.step_opacity(1)
    assert overlay.opacity == 1.0


def test_peeking_shows_the_other_view_and_comes_back(qapp, qtbot) -> None:
    overlay = OverlayState()
    for visible in (False, True):
        overlay.set_visible(visible)
        with qtbot.waitSignal(overlay.shown_changed):
            overlay.set_peek(True)
        assert overlay.shown is not visible
        overlay.set_peek(False)
        assert overlay.shown is visible


def test_fifty_thousand_emits(qapp) -> None:
    """A binding that lost a reference at every emit would have ended the process by now."""
    overlay = OverlayState()
    seen = []
    overlay.shown_changed.connect(seen.append)
    for _ in range(50_000):
        overlay.toggle()
    assert len(seen) == 50_000
    assert not overlay.shown


def test_the_canvas_survives_fifty_thousand_emits(canvas) -> None:
    for number in range(50_000):
        canvas.view.cursor_moved.emit(number, number, 1.0)
        canvas.view.zoom_changed.emit(1.0)
    assert canvas.view.overlay.opacity


def test_space_held_peeks(canvas, saliency) -> None:
    canvas.view.set_saliency([saliency])
    clean = canvas.grab()
    QTest.keyPress(canvas.view, Qt.Key.Key_Space)
    assert canvas.view.overlay.shown
    assert (canvas.grab() != clean).any()
    QTest.keyRelease(canvas.view, Qt.Key.Key_Space)
    assert not canvas.view.overlay.shown
    assert (canvas.grab() == clean).all()


def test_losing_the_focus_ends_a_peek(canvas, saliency, qtbot) -> None:
    from PySide6.QtGui import QFocusEvent
    from PySide6.QtWidgets import QApplication

    canvas.view.set_saliency([saliency])
    QTest.keyPress(canvas.view, Qt.Key.Key_Space)
    QApplication.sendEvent(canvas.view, QFocusEvent(QFocusEvent.Type.FocusOut))
    assert not canvas.view.overlay.shown


def test_the_map_lies_on_its_region(canvas, saliency) -> None:
    clean = canvas.grab().astype(int)
    canvas.view.set_saliency([saliency])
    canvas.view.set_show_texts(False)
    canvas.view.overlay.set_visible(True)
    shown = canvas.grab().astype(int)
    middle, beside = canvas.at((150, 200)), canvas.at((70, 120))
    colour = shown[middle.y(), middle.x()]
    assert colour.max() - colour.min() > 40  # coloured, not grey
    assert (shown[beside.y(), beside.x()] == clean[beside.y(), beside.x()]).all()  # below the low level: nothing


@pytest.mark.parametrize("turn", ["flip", "rotate"])
def test_the_map_turns_with_the_image(canvas, saliency, turn: str) -> None:
    """A bright cell off the middle is found where its image point went."""
    values = np.zeros((7, 7), np.float32)
    values[1, 5] = 1.0
    canvas.view.set_saliency([SaliencyMap(values, REGION, (0.1, 0.8), "Grad-CAM")])
    canvas.view.overlay.set_visible(True)
    canvas.view.set_show_texts(False)
    canvas.view.flip_horizontal() if turn == "flip" else canvas.view.rotate_by(90)
    shown = canvas.grab().astype(int)
    bright = canvas.at((50 + 200 * 5.5 / 7, 100 + 200 * 1.5 / 7))
    dark = canvas.at((50 + 200 * 1.5 / 7, 100 + 200 * 1.5 / 7))
    assert np.ptp(shown[bright.y(), bright.x()]) > 40
    assert np.ptp(shown[dark.y(), dark.x()]) == 0


@pytest.mark.parametrize("values", [np.full((7, 7), np.nan), np.zeros((7, 7)), np.full((7, 7), 1e-6)])
def test_no_map_draws_nothing_and_says_so(canvas, values) -> None:
    canvas.view.set_show_texts(False)
    canvas.view.overlay.set_visible(True)
    clean = canvas.grab()
    assert canvas.view.map_state is MapState.ABSENT
    canvas.view.set_saliency([SaliencyMap(values.astype(np.float32), REGION, (0.1, 0.8), "Grad-CAM")])
    assert canvas.view.map_state is MapState.EMPTY
    shown = canvas.grab()
    inside = canvas.at((150, 200))
    box = slice(inside.y() - 60, inside.y() + 60), slice(inside.x() - 60, inside.x() + 60)
    assert (shown[box] == clean[box]).all()
    assert (shown != clean).any()  # the legend's "no map"


def test_a_faint_map_stays_faint(canvas) -> None:
    """Fixed levels: a map that barely passes the low level is not stretched to the full scale."""
    values = np.zeros((7, 7), np.float32)
    values[3, 3] = 0.15
    faint = SaliencyItem(SaliencyMap(values, REGION, (0.1, 0.8), "Grad-CAM"))
    strong = SaliencyItem(SaliencyMap(values * 10, REGION, (0.1, 0.8), "Grad-CAM"))
    assert faint._coloured(0.0).pixelColor(192, 192).alpha() < 200
    assert strong._coloured(0.0).pixelColor(192, 192).alpha() == 255


def test_interpolation_stays_between_its_neighbours() -> None:
    rng = np.random.default_rng(3)
    values = rng.random((9, 5)).astype(np.float32)
    fine = SaliencyItem(SaliencyMap(values, REGION, (0.0, 1.0), "Grad-CAM"))._interpolated()
    assert fine.min() >= values.min()
    assert fine.max() <= values.max()


def test_the_loudest_cell_keeps_its_value_and_place() -> None:
    values = np.zeros((7, 7), np.float32)
    values[2, 4] = 0.7
    item = SaliencyItem(SaliencyMap(values, REGION, (0.0, 1.0), "Grad-CAM"))
    fine = item._interpolated()
    row, col = np.unravel_index(fine.argmax(), fine.shape)
    assert (row / fine.shape[0] * 7, col / fine.shape[1] * 7) == pytest.approx((2.5, 4.5), abs=0.2)
    assert fine.max() == pytest.approx(0.7, abs=0.02)
    assert item.value_at(50 + 200 * 4.5 / 7, 100 + 200 * 2.5 / 7) == pytest.approx(0.7)
    assert item.value_at(0, 0) is None


@pytest.mark.parametrize("mode", list(OverlayMode))
def test_every_mode_draws(canvas, saliency, mode: OverlayMode) -> None:
    canvas.view.set_saliency([saliency])
    canvas.view.set_show_texts(False)
    off = canvas.grab()
    canvas.view.overlay.set_mode(mode)
    canvas.view.overlay.set_visible(True)
    canvas.view.overlay.set_threshold(0.5)
    on = canvas.grab()
    middle = canvas.at((150, 200))
    coloured = bool((on[middle.y(), middle.x()] != off[middle.y(), middle.x()]).any())
    assert coloured is (mode is not OverlayMode.CONTOUR)
    assert (on != off).any()


@pytest.mark.parametrize("radius", [3.0, 7.5, 12.0])
def test_contours_lie_on_the_level(radius: float) -> None:
    y, x = np.mgrid[0:40, 0:40].astype(np.float32)
    pieces = contour_pieces(-np.hypot(x - 20, y - 19).astype(np.float32), -radius)
    distance = np.hypot(pieces[..., 0] - 20, pieces[..., 1] - 19)
    assert np.allclose(distance, radius, atol=0.1)
    length = np.linalg.norm(pieces[:, 0] - pieces[:, 1], axis=1).sum()
    assert length == pytest.approx(2 * np.pi * radius, rel=0.03)


@given(st.integers(0, 2**32 - 1))
def test_contours_close(seed: int) -> None:
    """Around any field padded with low values every end of a piece is met by exactly one other end."""
    values = np.pad(np.random.default_rng(seed).random((6, 6)).astype(np.float32), 1, constant_values=-1)
    ends = np.round(contour_pieces(values, 0.5).reshape(-1, 2), 4)
    _, counts = np.unique(ends, axis=0, return_counts=True)
    assert (counts % 2 == 0).all()


def test_colours_grow_lighter_evenly() -> None:
    """Perceptual uniformity, roughly: lightness rises all the way, without a jump."""
    linear = (SALIENCY_COLOURS / 255.0) ** 2.2
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    lightness = 116 * np.cbrt(luminance) - 16
    steps = np.diff(lightness)
    assert (steps > -0.4).all()
    assert lightness[-1] - lightness[0] > 60
    assert steps.max() < 1.2


def test_colours_are_premultiplied(saliency) -> None:
    """A colour brighter than its alpha would glow around the edge."""
    image = SaliencyItem(saliency)._coloured(0.0)
    raw = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)
    assert (raw[..., :3].max(-1) <= raw[..., 3]).all()
    assert 0 < (raw[..., 3] > 0).mean() < 0.5


def test_nothing_is_coloured_below_the_threshold(saliency) -> None:
    item = SaliencyItem(saliency)
    shares = item._interpolated()
    for threshold in (0.0, 0.3, 0.8):
        image = item._coloured(threshold)
        alpha = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)[..., 3]
        assert (alpha[shares <= threshold] == 0).all()
        assert (alpha[shares > threshold + 0.2] == 255).all()


def test_the_contour_surrounds_its_peak(saliency) -> None:
    """In samples of the fine grid, sample centres at +0.5: the middle cell's outline is centred on the middle."""
    item = SaliencyItem(saliency)
    lines = item._contour(0.5)
    side = item._interpolated().shape[0]
    xs = [x for line in lines for x in (line.x1(), line.x2())]
    ys = [y for line in lines for y in (line.y1(), line.y2())]
    assert (min(xs) + max(xs)) / 2 == pytest.approx(side / 2, abs=0.05)
    assert (min(ys) + max(ys)) / 2 == pytest.approx(side / 2, abs=0.05)


def test_the_legend_says_no_map(canvas, monkeypatch) -> None:
    from gui.items import hud

    texts = []
    monkeypatch.setattr(hud, "draw_text", lambda p, box, flags, text, *rest: texts.append(text))
    canvas.view.overlay.set_visible(True)
    canvas.view.set_saliency([SaliencyMap(np.zeros((7, 7), np.float32), REGION, (0.1, 0.8), "Grad-CAM")])
    canvas.view.grab()
    assert any("no map" in text for text in texts)
    values = np.full((7, 7), 0.5, np.float32)
    texts.clear()
    canvas.view.set_saliency([SaliencyMap(values, REGION, (0.1, 0.8), "Grad-CAM")])
    canvas.view.grab()
    assert not any("no map" in text for text in texts)
    assert {"0.100", "0.450", "≥ 0.800"} <= set(texts)


@pytest.mark.parametrize(
    ("region", "on_right"), [(HipRegion(0, 100, 140, 140), True), (HipRegion(160, 100, 140, 140), False)]
)
def test_the_legend_does_not_hide_the_map(canvas, monkeypatch, region: HipRegion, on_right: bool) -> None:
    """A pelvis shows the left hip where the legend would stand."""
    from gui.items import hud

    plates = []
    monkeypatch.setattr(hud, "draw_plate", lambda p, box: plates.append(box))
    canvas.view.resize(360, 480)
    canvas.view.fit()
    canvas.view.set_show_texts(False)
    canvas.view.overlay.set_visible(True)
    canvas.view.set_saliency([SaliencyMap(np.full((7, 7), 0.5, np.float32), region, (0.1, 0.8), "Grad-CAM")])
    canvas.view.grab()
    legend = max(plates, key=lambda box: box.height())
    shown = canvas.view.to_view.mapRect(region_rect(region))
    assert (legend.center().x() > canvas.view.width() / 2) is on_right
    assert not legend.intersects(shown)
