"""Fixtures for tests of the window: decoders, and a shown canvas that is driven with real mouse and key events."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from gui.annotations import AnnotationModel, new_annotation
from gui.jobs import Jobs
from gui.views.radiograph_view import RadiographView
from imaging.geometry import HipRegion
from imaging.radiograph import Orientation, Radiograph, Side, SideSource, SpacingSource, View, Window
from inference.prediction import SaliencyMap
from study.model import Annotation, AnnotationKind
from tests.gui.decode_jobs import decode_jobs

Point = tuple[float, float]
ROWS, COLS = 400, 300
AS_USUAL = Orientation("L", "F", SideSource.ORIENTATION)


def _radiograph(
    side: Side = Side.RIGHT,
    view: View = View.AP,
    spacing_mm: tuple[float, float] | None = (0.2, 0.2),
    source: SpacingSource = SpacingSource.DETECTOR,
    rows: int = ROWS,
    cols: int = COLS,
    orientation: Orientation = AS_USUAL,
) -> Radiograph:
    """A ramp: the grey value at column x, row y is x + y."""
    y, x = np.mgrid[0:rows, 0:cols]
    pixels = (x + y).astype(np.float32)
    return Radiograph(
        pixels,
        (Window(350, 700, "first"), Window(100, 200, "second")),
        sha256="0" * 64,
        path=Path("ramp"),
        bits=12,
        spacing_mm=spacing_mm,
        spacing_source=source,
        side=side,
        view=view,
        orientation=orientation,
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The offscreen platform complains about every window with a smallest size; all else stays an error."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.qt_log_ignore("does not support propagateSizeHints", extend=True))


class Canvas:
    """A view, and hands: everything is given in image pixels and reaches the widget as Qt events."""

    def __init__(self) -> None:
        self.view = RadiographView()

    @property
    def model(self) -> AnnotationModel:
        return self.view.annotations

    def at(self, point: Point) -> QPoint:
        return self.view.view_point(*point).toPoint()

    def click(
        self,
        point: Point,
        button: Qt.MouseButton = Qt.MouseButton.LeftButton,
        modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
    ) -> None:
        QTest.mouseMove(self.view, self.at(point))
        QTest.mouseClick(self.view, button, modifiers, self.at(point))

    def double_click(self, point: Point) -> None:
        """As a hand does it: a click, then the double click."""
        self.click(point)
        QTest.mouseDClick(self.view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, self.at(point))

    def drag(
        self,
        points: Sequence[Point],
        button: Qt.MouseButton = Qt.MouseButton.LeftButton,
        modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
        *,
        release: bool = True,
    ) -> None:
        # View positions are taken at the start: panning moves the image under the pointer.
        path = [self.at(point) for point in points]
        QTest.mousePress(self.view, button, modifiers, path[0])
        for start, end in itertools.pairwise(path):
            for step in range(1, 6):
                QTest.mouseMove(self.view, start + (end - start) * step / 5)
        if release:
            QTest.mouseRelease(self.view, button, modifiers, path[-1])

    def key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        QTest.keyClick(self.view, key, modifiers)

    def grab(self) -> np.ndarray:
        """What is on screen, (rows, cols, 3) RGB."""
        image = self.view.grab().toImage()
        raw = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
        return raw[:, : image.width() * 4].reshape(image.height(), image.width(), 4)[..., 2::-1].copy()


@pytest.fixture(scope="module")
def jobs(qapp) -> Iterator[Jobs]:
    """One pair of decoders for all tests of a module."""
    with decode_jobs() as made:
        yield made


@pytest.fixture
def make_radiograph() -> Callable[..., Radiograph]:
    return _radiograph


@pytest.fixture
def canvas(qtbot, qapp: QApplication) -> Canvas:
    """800 x 600 on a synthetic right hip of 400 rows x 300 columns at 0.2 mm, fitted."""
    canvas = Canvas()
    qtbot.addWidget(canvas.view)
    canvas.view.resize(800, 600)
    canvas.view.set_radiograph(_radiograph())
    canvas.view.show()
    canvas.view.setFocus()
    return canvas


@pytest.fixture
def saliency() -> SaliencyMap:
    """A single bright cell in the middle of a 200 px square."""
    values = np.zeros((7, 7), np.float32)
    values[3, 3] = 1.0
    return SaliencyMap(values, HipRegion(50, 100, 200, 200, Side.RIGHT, True), (0.1, 0.8), "Grad-CAM")


@pytest.fixture
def line(canvas: Canvas) -> Annotation:
    """A lucent line on the canvas, 4 px wide, straight down."""
    mark = new_annotation(AnnotationKind.LUCENT_LINE, [(100, 100), (100, 200), (100, 300)], width_px=4)
    canvas.model.load([mark])
    return mark


@pytest.fixture
def regions(canvas: Canvas) -> list[HipRegion]:
    """Two hips side by side, the right one chosen."""
    both = [HipRegion(20, 100, 100, 100, Side.RIGHT, True), HipRegion(170, 100, 100, 100, Side.LEFT, True)]
    canvas.view.set_regions(both, 0)
    return both
