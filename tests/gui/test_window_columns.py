"""The window's three columns: whose room shrinks first, and what is kept of it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QWidget

from gui import theme
from gui.views.elided_label import ElidedLabel
from gui.views.side_by_side import PaneHeader
from gui.window.columns import ANSWERS_EM, CASES_EM, IMAGE_EM, THUMBNAILS_EM, ReadingColumns
from study.model import Call

NEEDED_EM = 18  # what the answers cannot do without


@pytest.fixture
def make(qtbot):
    def build(width_em: float, widths: tuple[int, ...] = ()) -> ReadingColumns:
        answers = QWidget()
        columns = ReadingColumns(QWidget(), QWidget(), answers)
        qtbot.addWidget(columns)
        answers.setMinimumWidth(NEEDED_EM * columns.fontMetrics().height())
        columns.restore(widths)
        columns.show()
        widen(columns, width_em)
        return columns

    return build


def widen(columns: ReadingColumns, width_em: float) -> None:
    columns.resize(round(width_em * columns.fontMetrics().height()), 400)


def in_em(columns: ReadingColumns) -> list[float]:
    return [size / columns.fontMetrics().height() for size in columns.sizes()]


def test_a_wide_window_gives_the_rest_to_the_image(make):
    cases, image, answers = in_em(make(100))
    assert (cases, answers) == (pytest.approx(CASES_EM), pytest.approx(ANSWERS_EM))
    assert image == pytest.approx(100 - CASES_EM - ANSWERS_EM, abs=1)


def test_the_list_gives_way_before_the_answers_and_both_before_the_image(make):
    columns = make(CASES_EM + ANSWERS_EM + IMAGE_EM - 4)
    cases, image, answers = in_em(columns)
    assert THUMBNAILS_EM < cases < CASES_EM - 3
    assert image == pytest.approx(IMAGE_EM, abs=0.2)
    assert answers == pytest.approx(ANSWERS_EM)
    widen(columns, THUMBNAILS_EM + NEEDED_EM + IMAGE_EM + 3)
    cases, image, answers = in_em(columns)
    assert cases == pytest.approx(THUMBNAILS_EM)
    assert image == pytest.approx(IMAGE_EM, abs=0.2)
    assert NEEDED_EM < answers < ANSWERS_EM
    widen(columns, THUMBNAILS_EM + NEEDED_EM + 10)
    cases, image, answers = in_em(columns)
    assert (cases, answers) == (pytest.approx(THUMBNAILS_EM), pytest.approx(NEEDED_EM))
    widen(columns, 100)
    assert in_em(columns)[::2] == [pytest.approx(CASES_EM), pytest.approx(ANSWERS_EM)]


def test_without_the_list_the_image_has_its_room(make):
    columns = make(ANSWERS_EM + IMAGE_EM + 1)
    columns.widget(0).hide()
    columns.fit()
    assert in_em(columns) == [0, pytest.approx(IMAGE_EM + 1, abs=1), pytest.approx(ANSWERS_EM, abs=0.5)]


def test_what_the_reader_chose_is_kept_whatever_the_window_was_when_it_closed(make):
    columns = make(100)
    handle = columns.handle(2)
    QTest.mousePress(handle, Qt.MouseButton.LeftButton, pos=QPoint(1, 100))
    QTest.mouseMove(handle, QPoint(1 - 6 * columns.fontMetrics().height(), 100))
    QTest.mouseRelease(handle, Qt.MouseButton.LeftButton, pos=QPoint(1, 100))
    chosen = in_em(columns)
    assert chosen[2] == pytest.approx(ANSWERS_EM + 6, abs=0.5)
    assert chosen[0] == pytest.approx(CASES_EM)
    widen(columns, 55)
    assert in_em(columns)[2] < chosen[2] - 4
    again = make(100, columns.wanted)
    widen(columns, 100)
    assert again.sizes() == columns.sizes()
    assert in_em(columns) == [pytest.approx(size, abs=0.3) for size in chosen]
    assert make(100, (7,)).wanted != (7,)


def test_a_line_that_is_cut_ends_in_an_ellipsis(qtbot):
    label = ElidedLabel()
    qtbot.addWidget(label)
    label.setText("Click a mark to select it, drag to move it")
    label.resize(label.sizeHint().width() + 10, 30)
    assert label.shown == label.text()
    label.resize(label.sizeHint().width() // 2, 30)
    assert label.shown.endswith("…")
    assert label.text().startswith(label.shown[:-1])
    assert not label.grab().isNull()


def test_a_pane_s_header_keeps_the_answer_longer_than_whose_it_is(qtbot):
    header = PaneHeader("CNN", "cnn")
    qtbot.addWidget(header)
    header.show_outcome(theme.outcome(Call.LOOSE), 99.7)
    header.resize(400, 30)
    header.show()
    texts = {label.text(): label for label in header.findChildren(QLabel) if label.text()}
    assert all(label.isVisible() for label in texts.values())
    whole = next(text for text in texts if text != "CNN")
    header.resize(header.sizeHint().width() - texts["CNN"].width(), 30)
    QApplication.processEvents()
    assert not texts["CNN"].isVisible()
    assert texts[whole].shown == whole
    header.resize(header.width() - 2 * header.fontMetrics().height(), 30)
    QApplication.processEvents()
    assert not texts["CNN"].isVisible()
    assert texts[whole].shown.endswith("…")
    assert whole in header.accessibleName()
    header.resize(400, 30)
    QApplication.processEvents()
    assert texts["CNN"].isVisible()
    assert texts[whole].shown == whole
