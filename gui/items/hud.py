"""What the canvas says in its corners: window, zoom, spacing, side markers, scale bar, cursor value, legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPen, QTransform

from gui.items.colour_map import SALIENCY_COLOURS
from gui.items.style import HALO, CanvasColours, draw_line, draw_text, text_size
from gui.measure import Measure
from gui.overlay import MapState
from gui.viewport import Viewport
from imaging.radiograph import Radiograph, Side, SpacingSource, View, Window

MARGIN = 12.0


@dataclass(frozen=True)
class SideMarker:
    """A letter and the image point that it labels."""

    letter: str
    x: float
    y: float


def side_markers(radiograph: Radiograph) -> tuple[SideMarker, ...]:
    """ "R" and "L" where the radiograph says so; nothing where it does not.

    A single hip's letter stands on its lateral edge as on an AP radiograph: right hip on the left of the image. With
    both sides the letters also say which half is which, and that is known for AP views only.
    """
    rows, cols = radiograph.shape
    right = SideMarker("R", 0.0, rows * 0.1)
    left = SideMarker("L", float(cols), rows * 0.1)
    if radiograph.side is Side.RIGHT:
        return (right,)
    if radiograph.side is Side.LEFT:
        return (left,)
    if radiograph.side is Side.BOTH and radiograph.view is View.AP:
        return right, left
    return ()


def orientation_text(viewport: Viewport) -> str:
    """ "" for the file's own orientation."""
    parts = []
    if viewport.mirrored:
        parts.append("FLIPPED")
    if viewport.quarter_turns:
        parts.append(f"turned {viewport.quarter_turns * 90}°")
    return " · ".join(parts)


def paint_side_markers(
    painter: QPainter, markers: Sequence[SideMarker], viewport: Viewport, font: QFont, colours: CanvasColours
) -> None:
    """Letters stay upright and stay at their edge of the image, or at that edge of the view when it is zoomed in."""
    big = QFont(font)
    big.setPointSizeF(font.pointSizeF() * 1.9)
    big.setBold(True)
    metrics = QFontMetricsF(big)
    half_w, half_h = metrics.horizontalAdvance("R") / 2 + 6, metrics.height() / 2 + 3
    to_view = viewport.to_view
    for marker in markers:
        at = to_view.map(QPointF(marker.x, marker.y))
        # Half a letter towards the middle of the image, so that it lies on the image and not beside it.
        inwards = to_view.map(QPointF(viewport.image_width / 2, marker.y)) - at
        length = math.hypot(inwards.x(), inwards.y()) or 1.0
        at += inwards * ((half_w + MARGIN) / length)
        x = min(max(at.x(), half_w + MARGIN), viewport.view_width - half_w - MARGIN)
        y = min(max(at.y(), half_h + MARGIN), viewport.view_height - half_h - MARGIN)
        box = QRectF(x - half_w, y - half_h, 2 * half_w, 2 * half_h)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(colours.text, 1.4))
        painter.setBrush(QColor(0, 0, 0, 150))
        painter.drawRoundedRect(box, 4, 4)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        draw_text(painter, box, Qt.AlignmentFlag.AlignCenter, marker.letter, big, colours.text)


def paint_orientation(painter: QPainter, viewport: Viewport, font: QFont, colours: CanvasColours) -> None:
    """A badge, only when the picture is not as the file has it; its F turns and mirrors with the picture."""
    text = orientation_text(viewport)
    if not text:
        return
    bold = QFont(font)
    bold.setBold(True)
    size = text_size(bold, text)
    glyph = size.height()
    box = QRectF(0, 0, size.width() + glyph + 30, size.height() + 8)
    box.moveCenter(QPointF(viewport.view_width / 2, 0))
    box.moveTop(MARGIN)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(colours.warning, 1.2))
    painter.setBrush(QColor(0, 0, 0, 180))
    painter.drawRoundedRect(box, 4, 4)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.save()
    painter.translate(box.left() + 12 + glyph / 2, box.center().y())
    m11, m12, m21, m22 = viewport.orientation
    painter.setTransform(QTransform(m11, m12, m21, m22, 0, 0), True)
    painter.setPen(QPen(colours.warning, 2.0, Qt.PenStyle.SolidLine, Qt.PenCapStyle.SquareCap))
    h = glyph * 0.36
    painter.drawLines(
        [QLineF(-h * 0.6, -h, -h * 0.6, h), QLineF(-h * 0.6, -h, h * 0.7, -h), QLineF(-h * 0.6, 0, h * 0.4, 0)]
    )
    painter.restore()
    words = box.adjusted(glyph + 20, 0, -8, 0)
    draw_text(painter, words, Qt.AlignmentFlag.AlignCenter, text, bold, colours.warning)


def corner_lines(
    window: Window, inverted: bool, viewport: Viewport, measure: Measure, radiograph: Radiograph
) -> list[tuple[str, bool]]:
    """(line, is a warning), bottom left."""
    spread = abs(window.width)
    digits = 0 if spread >= 20 else 1 if spread >= 2 else 3
    name = f" · {window.name}" if window.name else ""
    lines = [
        (f"C {window.center:.{digits}f}  W {window.width:.{digits}f}{name}{' · inverted' if inverted else ''}", False)
    ]
    lines.append((f"{viewport.zoom * 100:.0f} %", False))
    if measure.has_mm and measure.spacing_mm is not None:
        source = {
            SpacingSource.HEAD: "from the head",
            SpacingSource.CALIBRATED: "calibrated",
            SpacingSource.DETECTOR: "at the detector: lengths are magnified",
        }[measure.source]
        rows_mm, cols_mm = measure.spacing_mm
        spacing = f"{rows_mm:.3f}" if math.isclose(rows_mm, cols_mm, rel_tol=1e-3) else f"{rows_mm:.3f} × {cols_mm:.3f}"
        lines.append((f"{spacing} mm/px, {source}", measure.source is SpacingSource.DETECTOR))
    else:
        lines.append(("no pixel spacing: lengths in px", True))
    if radiograph.frame_count > 1:
        lines.append((f"frame {radiograph.frame + 1} of {radiograph.frame_count}", False))
    return lines


def paint_corner_lines(
    painter: QPainter, lines: Sequence[tuple[str, bool]], viewport: Viewport, font: QFont, colours: CanvasColours
) -> None:
    height = QFontMetricsF(font).lineSpacing()
    top = viewport.view_height - MARGIN - height * len(lines)
    for index, (line, warning) in enumerate(lines):
        box = QRectF(MARGIN, top + index * height, viewport.view_width, height)
        draw_text(painter, box, Qt.AlignmentFlag.AlignLeft, line, font, colours.warning if warning else colours.text)


def paint_cursor_value(painter: QPainter, text: str, viewport: Viewport, font: QFont, colours: CanvasColours) -> None:
    height = QFontMetricsF(font).lineSpacing()
    box = QRectF(MARGIN, viewport.view_height - MARGIN - height, viewport.view_width - 2 * MARGIN, height)
    draw_text(painter, box, Qt.AlignmentFlag.AlignRight, text, font, colours.text)


def scale_bar(viewport: Viewport, measure: Measure) -> tuple[float, str]:
    """(length in logical pixels, text) of the longest round length that fits in a quarter of the view."""
    step_x, step_y = measure.steps
    units_per_view_px = (step_y if viewport.is_turned else step_x) / viewport.scale
    most = viewport.view_width / 4 * units_per_view_px
    power = 10 ** math.floor(math.log10(most))
    length = max(step * power for step in (1, 2, 5) if step * power <= most)
    text = f"{length:g} {measure.unit}"
    return length / units_per_view_px, text


def paint_scale_bar(
    painter: QPainter, viewport: Viewport, measure: Measure, font: QFont, colours: CanvasColours
) -> None:
    length, text = scale_bar(viewport, measure)
    height = QFontMetricsF(font).lineSpacing()
    y = viewport.view_height - MARGIN - 4
    x0 = (viewport.view_width - length) / 2
    colour = colours.text
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for line in (
        QLineF(x0, y, x0 + length, y),
        QLineF(x0, y - 4, x0, y + 4),
        QLineF(x0 + length, y - 4, x0 + length, y + 4),
    ):
        draw_line(painter, line, colour, 1.6)
    box = QRectF(0, y - height - 5, viewport.view_width, height)
    draw_text(painter, box, Qt.AlignmentFlag.AlignHCenter, text, font, colour)


@dataclass(frozen=True)
class Legend:
    """What stands beside the map."""

    method: str
    levels: tuple[float, float]
    threshold: float  # share of the display range
    opacity: float
    state: MapState


def level_text(value: float, levels: tuple[float, float]) -> str:
    """As many digits as tell the two levels apart."""
    spread = abs(levels[1] - levels[0]) or 1.0
    return f"{value:.{max(0, min(6, 2 - math.floor(math.log10(spread))))}f}"


def paint_legend(painter: QPainter, legend: Legend, viewport: Viewport, font: QFont, colours: CanvasColours) -> None:
    """A colour bar with numbers at the fixed levels, right of the image. "No map" is said, not left out."""
    title = f"Model attention\n{legend.method}" if legend.method else "Model attention"
    line = QFontMetricsF(font).lineSpacing()
    right = viewport.view_width - MARGIN
    if legend.state is MapState.EMPTY:
        title += "\nno map"
    size = text_size(font, title)
    bar_h = 0.0 if legend.state is MapState.EMPTY else min(180.0, viewport.view_height * 0.3)
    top = max(MARGIN + 44, (viewport.view_height - bar_h - size.height()) / 2)
    words = QRectF(right - size.width() - 2, top, size.width() + 2, size.height() + 2)
    flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop
    draw_text(painter, words, flags, title, font, colours.warning if not bar_h else colours.text)
    if not bar_h:
        return
    bar = QRectF(right - 16, words.bottom() + 8, 14, bar_h)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.fillRect(bar.adjusted(-1, -1, 1, 1), HALO)
    painter.drawImage(bar, _bar_image())
    low, high = legend.levels
    ticks = [(0.0, low), (0.5, (low + high) / 2), (1.0, high)]
    for share, value in ticks:
        y = bar.bottom() - share * bar.height()
        draw_line(painter, QLineF(bar.left() - 5, y, bar.left() - 1, y), colours.text, 1.2)
        label = ("≥ " if share == 1.0 else "") + level_text(value, legend.levels)
        box = QRectF(bar.left() - 128, y - line / 2, 120, line)
        draw_text(painter, box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, label, font, colours.text)
    if legend.threshold > 0:
        y = bar.bottom() - legend.threshold * bar.height()
        painter.fillRect(QRectF(bar.left(), y, bar.width(), bar.bottom() - y), QColor(0, 0, 0, 170))
        draw_line(painter, QLineF(bar.left() - 2, y, bar.right() + 2, y), colours.warning, 1.6)
    below = QRectF(right - 200, bar.bottom() + 8, 200, line)
    draw_text(painter, below, Qt.AlignmentFlag.AlignRight, f"opacity {legend.opacity * 100:.0f} %", font, colours.faint)


def _bar_image() -> QImage:
    """One pixel wide, the high level on top."""
    image = QImage(1, 256, QImage.Format.Format_RGB32)
    for row, (red, green, blue) in enumerate(SALIENCY_COLOURS[::-1].tolist()):
        image.setPixelColor(0, row, QColor(red, green, blue))
    return image
