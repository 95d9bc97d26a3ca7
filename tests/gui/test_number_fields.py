"""Numbers are what was typed: "." and "," begin decimals under every locale, and digits are never joined."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QLocale, Qt
from PySide6.QtTest import QTest

from gui.actions import specs
from gui.preferences import Preferences
from gui.views.number_fields import DecimalField, WholeField, read_number
from gui.views.score_part import ScoreSpin
from gui.views.settings_dialog import SettingsDialog
from gui.views.zone_part import WidthSpin
from tests.conftest import ROOT

LOCALES = ["de_DE", "fr_FR", "en_US", "de_CH", "ar_EG", "hi_IN"]


@pytest.fixture(params=LOCALES)
def _locale(request):
    before = QLocale()
    QLocale.setDefault(QLocale(request.param))
    yield
    QLocale.setDefault(before)


def typed(field, text: str) -> float:
    """What it holds after somebody has put `text` in the place of all that was there."""
    field.show()
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, text)
    QTest.keyClick(field, Qt.Key.Key_Return)
    return field.value()


def pasted(field, text: str) -> float:
    field.selectAll()
    field.lineEdit().insert(text)
    QTest.keyClick(field, Qt.Key.Key_Return)
    return field.value()


DECIMALS = [
    ("1.5", 1.5),
    ("1,5", 1.5),
    (".5", 0.5),
    (",5", 0.5),
    ("2", 2.0),
    ("2.", 2.0),
    ("0,05", 0.05),
    (".05", 0.05),
]


@pytest.mark.usefixtures("_locale")
@pytest.mark.parametrize(("text", "value"), DECIMALS)
def test_a_point_and_a_comma_begin_the_decimals(qtbot, text, value):
    field = DecimalField(0.0, 20.0, decimals=2, suffix=" mm")
    qtbot.addWidget(field)
    assert typed(field, text) == value
    field.setValue(7)
    assert pasted(field, text) == value
    assert field.text() == f"{value:.2f} mm", "written as everything else in the program"


@pytest.mark.usefixtures("_locale")
def test_the_programs_own_fields(qtbot, tmp_path):
    width, score = WidthSpin(), ScoreSpin()
    dialog = SettingsDialog(Preferences(tmp_path), list(specs()))
    for widget in (width, score, dialog):
        qtbot.addWidget(widget)
    dialog.show()
    for text in ("1.5", "1,5"):
        assert typed(width, text) == 1.5
        width.setValue(9)
        assert typed(dialog.reading.cutoff_spin, text) == 1.5
        dialog.reading.cutoff_spin.setValue(9)
    assert width.text() == "9.0 mm"
    width.setValue(0)
    assert width.text() == "not measured"
    assert typed(score, "72") == 72
    assert typed(score, "7.5") == 7, "what follows the point is refused, not joined"
    assert typed(score, "50") == score.BLANK, "not the 5 on the way to it"


@pytest.mark.usefixtures("_locale")
def test_a_large_number_is_written_without_groups(qtbot):
    field = WholeField(1, 20000)
    qtbot.addWidget(field)
    assert typed(field, "12345") == 12345
    assert field.text() == "12345"


@given(st.text("0123456789.,  -+e’'", max_size=9))
def test_never_another_number(qapp, text):
    """What a field takes is what a person reads in the text, or what it held before."""
    plain = text.strip().replace(",", ".")
    try:
        meant = float(plain) if not set(plain) & set("-+e’' ") else None
    except ValueError:
        meant = None
    for field in (DecimalField(0.0, 1000.0, decimals=2), WholeField(0, 1000)):
        field.setValue(7)
        field.selectAll()
        field.lineEdit().insert(text)
        field.interpretText()
        assert field.value() in (7, meant)
    number = read_number(text)
    assert number is None or number == meant


@pytest.mark.parametrize(("text", "number"), [("28 mm", 28.0), ("22,2", 22.2), ("1.2.3", None), ("28 cm", None), ("nan", None), ("", None), (".", None)])  # fmt: skip
def test_a_number_with_its_unit(text, number):
    assert read_number(text, "mm") == number


@pytest.mark.parametrize(
    "path", sorted((ROOT / "gui").rglob("*.py")), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_every_number_field_of_the_window_is_one_of_these(path):
    if path.name == "number_fields.py":
        return
    names = {node.id for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Name)}
    assert not names & {"QSpinBox", "QDoubleSpinBox"}
