"""Two canvases side by side."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QHBoxLayout, QWidget

from gui.annotations import AnnotationModel, new_annotation
from gui.views.radiograph_view import RadiographView
from imaging.radiograph import Window
from study.model import AnnotationKind
from tests.gui.canvas_points import wheel

RIGHT, MIDDLE = Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton


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
