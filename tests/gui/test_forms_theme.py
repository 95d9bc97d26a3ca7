"""The theme: readable by computation, apart for every colour vision, one look all over."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication, QProgressBar, QPushButton, QWidget

from gui import icons, theme
from gui.preferences import Preferences, ThemeName
from gui.views.score_bar import Scale, ScoreBar
from inference.prediction import Decision
from study import plots
from study.model import Call

BOTH = pytest.mark.parametrize("named", [theme.DARK, theme.LIGHT], ids=["dark", "light"])
OUTCOMES = ("loose", "not_loose", "indeterminate", "not_assessable")

# Machado, Oliveira and Fernandes 2009 (IEEE TVCG 15:1291), severity 1.0, on linear RGB.
COLOR_VISIONS = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


@pytest.fixture
def themed(qapp, tmp_path):
    preferences = Preferences(tmp_path)

    def apply(name: ThemeName, percent: int = 100) -> QApplication:
        preferences.theme = name
        preferences.font_scale_percent = percent
        theme.apply_theme(qapp, preferences)
        return qapp

    yield apply
    qapp.setStyleSheet("")


def linear(color: str) -> np.ndarray:
    value = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, relative luminance."""
    light, dark = sorted((float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ np.clip(rgb, 0, 1)
    f = np.cbrt(xyz / [0.9505, 1.0, 1.089])
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@BOTH
def test_every_text_reaches_four_and_a_half_to_one(named):
    words = ("text", "muted", "warning", "accent", *OUTCOMES)
    for word, ground in itertools.product(words, ("background", "surface", "raised")):
        assert contrast(getattr(named, word), getattr(named, ground)) >= 4.5, (word, ground)
    assert contrast(named.on_accent, named.accent) >= 4.5
    for word in ("text", "muted"):
        assert contrast(getattr(named, word), named.hover) >= 4.5
    soft = theme.blend(named.accent, named.surface, 0.22).name()  # a selected row
    assert contrast(named.text, soft) >= 4.5


@BOTH
def test_edges_and_the_focus_ring_reach_three_to_one(named):
    for edge, ground in itertools.product(("outline", "focus"), ("background", "surface", "raised")):
        assert contrast(getattr(named, edge), getattr(named, ground)) >= 3, (edge, ground)
    assert contrast(named.metal, named.bone) >= 3
    assert contrast(named.bone_edge, named.surface) >= 3


@BOTH
def test_the_empty_track_of_a_progress_bar_is_seen(named, themed):
    app = themed(ThemeName.LIGHT if named is theme.LIGHT else ThemeName.DARK)
    for ground in (named.surface, named.raised):
        page = QWidget()
        page.setStyleSheet(f"QWidget#page {{ background: {ground}; }}")
        page.setObjectName("page")
        page.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        bar = QProgressBar(page, textVisible=False)
        bar.setGeometry(10, 10, 100, 20)
        bar.setValue(40)
        page.resize(120, 40)
        app.processEvents()
        picture = page.grab().toImage()
        around, done, track = (picture.pixelColor(x, 20).name() for x in (3, 30, 90))
        assert around == ground
        assert contrast(track, ground) >= 1.4
        assert contrast(done, track) >= 3


@BOTH
@pytest.mark.parametrize("vision", COLOR_VISIONS)
def test_outcomes_stay_apart_for_every_colour_vision(named, vision):
    seen = [lab(np.array(COLOR_VISIONS[vision]) @ linear(getattr(named, name))) for name in OUTCOMES]
    for one, other in itertools.combinations(range(4), 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 12, (OUTCOMES[one], OUTCOMES[other])


def test_reader_marks_show_on_any_grey_up_to_the_middle():
    for color in theme.DARK.readers:
        assert contrast(color, "#000000") >= 7
        assert contrast(color, "#606060") >= 2.5
    assert theme.reader_color(0) == theme.reader_color(len(theme.DARK.readers))


@BOTH
def test_readers_beside_text_are_told_apart_from_the_ground(named):
    for color, ground in itertools.product(named.readers, ("surface", "raised")):
        assert contrast(color, getattr(named, ground)) >= 3, (color, ground)


@BOTH
def test_the_score_bar_shows_the_reader_in_the_colour_for_this_ground(named, themed, qtbot):
    themed(ThemeName.LIGHT if named is theme.LIGHT else ThemeName.DARK)
    bar = ScoreBar()
    qtbot.addWidget(bar)
    bar.show_scores(Scale(50.0), None, "", 25.0)
    picture = bar.grab().toImage()
    shown = {picture.pixelColor(x, y).name() for x in range(picture.width()) for y in range(picture.height())}
    assert named.readers[0] in shown


def test_windows_and_plots_show_a_reader_in_one_colour():
    assert theme.LIGHT.readers == plots.LIGHT.readers
    assert theme.DARK.readers == plots.DARK.readers


def test_outcomes_have_words_and_different_icons():
    shown = [theme.outcome(value) for value in (*Decision, *Call, None)]
    assert {outcome.word for outcome in shown} == {
        "Loose",
        "Not loose",
        "Indeterminate",
        "Cannot tell",
        "Not assessable",
    }
    assert len({theme.outcome(value).icon for value in Decision}) == 4
    assert theme.outcome(Decision.LOOSE) == theme.outcome(Call.LOOSE)


@pytest.mark.parametrize("name", [ThemeName.DARK, ThemeName.LIGHT])
def test_palette_and_sheet_agree(themed, name):
    app = themed(name)
    named = theme.colors()
    assert named is (theme.DARK if name is ThemeName.DARK else theme.LIGHT)
    assert app.palette().color(QPalette.ColorRole.Window) == QColor(named.surface)
    assert named.accent in app.styleSheet()
    assert "$" not in app.styleSheet()


def test_font_scale_is_in_points_and_does_not_add_up(themed):
    app = themed(ThemeName.DARK, 100)
    base_pt = app.font().pointSizeF()
    for percent in (200, 150, 200, 100):
        themed(ThemeName.DARK, percent)
        assert app.font().pointSizeF() == pytest.approx(base_pt * percent / 100)
        assert app.font().pixelSize() == -1


def test_a_bigger_font_makes_bigger_buttons(themed, qtbot):
    button = QPushButton("Record")
    qtbot.addWidget(button)
    themed(ThemeName.DARK, 100)
    small = button.sizeHint()
    themed(ThemeName.DARK, 200)
    assert button.sizeHint().height() > 1.7 * small.height()


def test_keyboard_focus_can_be_seen(themed, qtbot):
    themed(ThemeName.DARK)
    button = QPushButton("Record")
    qtbot.addWidget(button)
    button.resize(120, 40)
    with qtbot.waitActive(button):
        button.show()
    button.clearFocus()
    plain = button.grab().toImage()
    button.setFocus()
    focused = button.grab().toImage()
    assert button.hasFocus()
    assert plain != focused
    assert focused.pixelColor(60, 0).name() == theme.DARK.focus


@pytest.mark.parametrize("name", icons.names())
def test_every_icon_draws_in_the_colour_asked_for(qapp, name):
    ET.parse(icons.ICONS_FOLDER / f"{name}.svg")
    image = icons.pixmap(name, 24, "#ff0000").toImage()
    drawn = [image.pixelColor(x, y) for x in range(24) for y in range(24) if image.pixelColor(x, y).alpha() > 200]
    assert len(drawn) >= 12
    assert all(color.green() < 20 and color.red() > 230 for color in drawn)


def test_an_attached_icon_follows_the_theme(themed, qtbot):
    themed(ThemeName.DARK)
    button = QPushButton()
    qtbot.addWidget(button)
    icons.attach(button, "open")

    def strongest() -> QColor:
        image = button.icon().pixmap(24, 24).toImage()
        return max((image.pixelColor(x, y) for x in range(24) for y in range(24)), key=lambda color: color.alpha())

    dark = strongest()
    themed(ThemeName.LIGHT)
    assert dark.lightness() > 180
    assert strongest().lightness() < 80
