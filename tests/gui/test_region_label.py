"""The name of a hip region stays readable wherever its frame lies."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QTransform

from gui.items import region_item
from imaging.geometry import HipRegion

SEEN = QRectF(0, 0, 200, 200)


@pytest.mark.parametrize(("x", "y"), [(-70, 40), (40, -60), (40, 40), (150, 150)])
def test_the_name_is_written_inside_what_is_seen(qapp, monkeypatch, x: float, y: float) -> None:
    written: list[QRectF] = []

    def kept(_painter: QPainter, at: QPointF, _text: str, _font: QFont, _colour: QColor, bounds: QRectF) -> None:
        assert bounds.adjusted(-10, -10, 10, 10).contains(at)
        written.append(bounds)

    monkeypatch.setattr(region_item, "draw_label", kept)
    picture = QImage(200, 200, QImage.Format.Format_RGB32)
    painter = QPainter(picture)
    try:
        region_item.paint_region(
            painter, HipRegion(x, y, 120, 120), "Right hip", QTransform(), QColor("white"), QFont(), SEEN, current=True
        )
    finally:
        painter.end()
    (bounds,) = written
    assert SEEN.contains(bounds)
    assert QRectF(x, y, 120, 120).contains(bounds)


def test_no_name_is_written_for_a_region_out_of_sight(qapp, monkeypatch) -> None:
    monkeypatch.setattr(region_item, "draw_label", lambda *_given: pytest.fail("nothing of it is seen"))
    picture = QImage(200, 200, QImage.Format.Format_RGB32)
    painter = QPainter(picture)
    try:
        region_item.paint_region(
            painter, HipRegion(300, 0, 100, 100), "", QTransform(), QColor("white"), QFont(), SEEN, current=False
        )
    finally:
        painter.end()
