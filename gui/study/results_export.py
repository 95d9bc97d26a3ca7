"""Plots and tables out of the window: SVG, PNG, PDF pages. Runs in the background thread; nothing here is a widget."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

from study.files import replace_file
from study.result_parts import Plot, Table, as_csv

PNG_SCALE = 3  # of the SVG's own pixels: 2,280 wide, enough for a column of print


def picture(svg: str, scale: float = PNG_SCALE, paper: str = "#ffffff") -> QImage:
    renderer = QSvgRenderer(QByteArray(svg.encode("utf-8")))
    size = QSize(round(renderer.defaultSize().width() * scale), round(renderer.defaultSize().height() * scale))
    image = QImage(size, QImage.Format.Format_ARGB32)
    image.fill(QColor(paper))
    painter = QPainter(image)
    renderer.setAspectRatioMode(Qt.AspectRatioMode.KeepAspectRatio)
    renderer.render(painter, QRectF(0, 0, size.width(), size.height()))
    painter.end()
    return image


def save_plot(plot: Plot, path: Path) -> None:
    """As PNG where the name ends so, else as SVG. Raises OSError."""
    if path.suffix.lower() != ".png":
        replace_file(path, plot.svg.encode("utf-8"))
        return
    if not picture(plot.svg).save(str(path)):
        raise OSError(f"{path.name} could not be written.")


def save_table(table: Table, path: Path) -> None:
    """Raises OSError."""
    replace_file(path, as_csv(table).encode("utf-8"))
