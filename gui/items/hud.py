"""What the canvas says in its corners: window, zoom, spacing, side markers, scale bar, cursor value, legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontInfo, QFontMetricsF, QImage, QPainter, QPen, QTransform

from gui.items.colour_map import SALIENCY_COLOURS
from gui.items.style import HALO, CanvasColours, draw_line, draw_plate, draw_text, text_size
from gui.overlay import MapState
from gui.viewport import Viewport
from imaging.measure import SOURCE_NAMES, Measure
from imaging.orientation import Edge, edge_of, usual
from imaging.radiograph import Radiograph, Side, SideSource, SpacingSource, Window

MARGIN = 12.0


@dataclass(frozen=True)
class SideMarker:
    """A letter and the image point that it labels."""

    letter: str
    x: float
    y: float


def side_markers(radiograph: Radiograph) -> tuple[SideMarker, ...]:
    """ "R" and "L" where the radiograph says so; nothing where it does not.

    A single hip's letter names it, on its own side of the patient, or where an AP view usually has that. With
    both sides, or none named, the letters say which half is which; "R?" and "L?" where that is only assumed.
    """
    cols = float(radiograph.shape[1])
    at = {Edge.LEFT: 0.0, Edge.RIGHT: cols}
    if radiograph.side in (Side.RIGHT, Side.LEFT):
        edge = edge_of(radiograph.orientation, radiograph.side) or edge_of(usual(), radiograph.side)
        return (SideMarker(radiograph.side.value, at[edge or Edge.LEFT], 0.0),)
    assumed = radiograph.orientation.source is SideSource.ASSUMED
    if assumed and radiograph.side is not Side.BOTH:
        return ()
    return tuple(
        SideMarker(f"{side.value}?" if assumed else side.value, at[edge], 0.0)
        for side in (Side.RIGHT, Side.LEFT)
        if (edge := edge_of(radiograph.orientation, side)) is not None
    )


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
    big.setPixelSize(round(QFontInfo(font).pixelSize() * 1.9))
    big.setBold(True)
    metrics = QFontMetricsF(big)
    half_w, half_h = (
        metrics.horizontalAdvance(max((m.letter for m in markers), key=len, default="R")) / 2 + 6,
        metrics.height() / 2 + 3,
    )
    to_view = viewport.to_view
    text_rows = 3 * QFontMetricsF(font).lineSpacing() + MARGIN  # left free for the corner texts
    for marker in markers:
        at = to_view.map(QPointF(marker.x, marker.y))
        # Half a letter towards the middle of the image, so that it lies on the image and not beside it.
        inwards = to_view.map(QPointF(viewport.image_width / 2, marker.y)) - at
        length = math.hypot(inwards.x(), inwards.y()) or 1.0
        at += inwards * ((half_w + MARGIN) / length)
        x = min(max(at.x(), half_w + MARGIN), viewport.view_width - half_w - MARGIN)
        y = min(max(at.y(), half_h + MARGIN), viewport.view_height - half_h - MARGIN - text_rows)
        box = QRectF(x - half_w, y - half_h, 2 * half_w, 2 * half_h)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(colours.text, 1.4))
        painter.setBrush(QColor(0, 0, 0, 170))
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
    box.moveTop(MARGIN + size.height() + 8)  # below the hint
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
        rows_mm, cols_mm = measure.spacing_mm
        spacing = f"{rows_mm:.3f}" if math.isclose(rows_mm, cols_mm, rel_tol=1e-3) else f"{rows_mm:.3f} × {cols_mm:.3f}"
        magnified = measure.source is SpacingSource.DETECTOR
        source = SOURCE_NAMES[measure.source] + (", magnified" if magnified else "")
        lines.append((f"{spacing} mm/px ({source})", magnified))
    else:
        lines.append(("no pixel spacing: lengths in px", True))
    if radiograph.frame_count > 1:
        lines.append((f"frame {radiograph.frame + 1} of {radiograph.frame_count}", False))
    return lines


def paint_corner_lines(
    painter: QPainter,
    lines: Sequence[tuple[str, bool]],
    viewport: Viewport,
    measure: Measure,
    font: QFont,
    colours: CanvasColours,
) -> None:
    """Bottom left; in a view that is too narrow for both, above the scale bar."""
    metrics = QFontMetricsF(font)
    most = viewport.view_width - 2 * MARGIN
    shown = [(metrics.elidedText(line, Qt.TextElideMode.ElideRight, most), warning) for line, warning in lines]
    size = text_size(font, "\n".join(line for line, _ in shown))
    bar = _scale_block(viewport, measure, font)
    beside = size.width() + 3 * MARGIN <= bar.left()
    bottom = viewport.view_height - MARGIN if beside else bar.top() - MARGIN / 2
    block = size.translated(MARGIN, bottom - size.height())
    draw_plate(painter, block)
    height = size.height() / len(shown)
    for index, (line, warning) in enumerate(shown):
        box = QRectF(block.left(), block.top() + index * height, block.width(), height)
        draw_text(painter, box, Qt.AlignmentFlag.AlignLeft, line, font, colours.warning if warning else colours.text)


def paint_cursor_value(painter: QPainter, text: str, viewport: Viewport, font: QFont, colours: CanvasColours) -> None:
    """Bottom right."""
    box = text_size(font, text)
    box.moveBottomRight(QPointF(viewport.view_width - MARGIN, viewport.view_height - MARGIN))
    draw_plate(painter, box)
    draw_text(painter, box, Qt.AlignmentFlag.AlignRight, text, font, colours.text)


def paint_hint(painter: QPainter, text: str, viewport: Viewport, font: QFont, colours: CanvasColours) -> None:
    """Top middle: what the tool in hand wants."""
    box = text_size(font, text)
    box.moveCenter(QPointF(viewport.view_width / 2, 0))
    box.moveTop(MARGIN)
    draw_plate(painter, box)
    draw_text(painter, box, Qt.AlignmentFlag.AlignLeft, text, font, colours.text)


def scale_bar(viewport: Viewport, measure: Measure, font: QFont) -> tuple[float, str]:
    """(length in logical pixels, text) of the longest round length that fits in a quarter of the view.

    Where the view is too narrow for all of the text, it is the number and its unit.
    """
    step_x, step_y = measure.steps
    units_per_view_px = (step_y if viewport.is_turned else step_x) / viewport.scale
    most = viewport.view_width / 4 * units_per_view_px
    power = 10 ** math.floor(math.log10(most))
    length = max(step * power for step in (1, 2, 5) if step * power <= most)
    text = f"{length:g} {measure.unit}"
    if text_size(font, text).width() > viewport.view_width - 2 * MARGIN:
        text = text.partition(" (")[0]
    return length / units_per_view_px, text


def _scale_block(viewport: Viewport, measure: Measure, font: QFont) -> QRectF:
    """Bar and text, with room for the cursor value below."""
    length, text = scale_bar(viewport, measure, font)
    words = text_size(font, text)
    width, height = max(length, words.width()), words.height() + 9
    bottom = viewport.view_height - MARGIN - QFontMetricsF(font).lineSpacing() - 8
    return QRectF(viewport.view_width - MARGIN - width, bottom - height, width, height)


def paint_scale_bar(
    painter: QPainter, viewport: Viewport, measure: Measure, font: QFont, colours: CanvasColours
) -> None:
    """Bottom right, above the cursor value."""
    length, text = scale_bar(viewport, measure, font)
    block = _scale_block(viewport, measure, font)
    draw_plate(painter, block)
    draw_text(painter, block, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop, text, font, colours.text)
    right = block.right()
    y, x0 = block.bottom() - 4, right - length
    for line in (
        QLineF(x0, y, right, y),
        QLineF(x0, y - 4, x0, y + 3),
        QLineF(right, y - 4, right, y + 3),
    ):
        draw_line(painter, line, colours.text, 1.4)


@dataclass(frozen=True)
class Legend:
    """What stands beside the map."""

    method: str
    levels: tuple[float, float]
    threshold: float  # share of the display range
    opacity: float
    state: MapState


NARROW_LINES = 34  # a pane narrower than so many lines of type gets the short legend


def level_text(value: float, levels: tuple[float, float]) -> str:
    """As many digits as tell the two levels apart."""
    spread = abs(levels[1] - levels[0]) or 1.0
    return f"{value:.{max(0, min(6, 2 - math.floor(math.log10(spread))))}f}"


def paint_legend(
    painter: QPainter,
    legend: Legend,
    viewport: Viewport,
    font: QFont,
    colours: CanvasColours,
    maps: Sequence[QRectF],
) -> None:
    """A colour bar with numbers at the fixed levels. "No map" is said, not left out.

    On the right edge, or on the left one where it hides less of the `maps` (rectangles of the view).
    """
    empty = legend.state is MapState.EMPTY
    line = QFontMetricsF(font).lineSpacing()
    # In a narrow pane the numbers alone stay: the bar below the image names the map, and the bone must stay in sight.
    narrow = viewport.view_width < NARROW_LINES * line
    words = () if narrow and not empty else ("Model attention", legend.method, "no map" if empty else "")
    title = "\n".join(part for part in words if part)
    below = "" if empty or narrow else f"opacity {legend.opacity * 100:.0f} %"
    head, foot = text_size(font, title), text_size(font, below)
    bar_height = 0.0 if empty else min(180.0, viewport.view_height * 0.28)
    height = head.height() if empty else head.height() + bar_height + foot.height() + 24
    numbers = max(text_size(font, "≥ " + level_text(level, legend.levels)).width() for level in legend.levels)
    width = max(head.width(), foot.width(), numbers + 26)
    top = max(MARGIN + 44, (viewport.view_height - height) / 2)
    on_right = QRectF(viewport.view_width - MARGIN - width, top, width, height)
    block = min((on_right, on_right.translated(MARGIN - on_right.left(), 0)), key=lambda place: _hidden(place, maps))
    draw_plate(painter, block)
    right_top = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop
    draw_text(painter, block, right_top, title, font, colours.warning if empty else colours.text)
    if empty:
        return
    right_bottom = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom
    draw_text(painter, block, right_bottom, below, font, colours.faint)
    bar = QRectF(block.right() - 15, block.top() + head.height() + 12, 14, bar_height)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.fillRect(bar.adjusted(-1, -1, 1, 1), HALO)
    painter.drawImage(bar, _bar_image())
    low, high = legend.levels
    for share, value in ((0.0, low), (0.5, (low + high) / 2), (1.0, high)):
        y = bar.bottom() - share * bar.height()
        draw_line(painter, QLineF(bar.left() - 5, y, bar.left() - 2, y), colours.text, 1.2)
        label = ("≥ " if share == 1.0 else "") + level_text(value, legend.levels)
        box = QRectF(bar.left() - 88, y - line / 2, 80, line)
        draw_text(painter, box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, label, font, colours.text)
    if legend.threshold > 0:
        y = bar.bottom() - legend.threshold * bar.height()
        painter.fillRect(QRectF(bar.left(), y, bar.width(), bar.bottom() - y), QColor(0, 0, 0, 190))
        draw_line(painter, QLineF(bar.left() - 3, y, bar.right() + 2, y), colours.warning, 1.6)


def _hidden(place: QRectF, maps: Sequence[QRectF]) -> int:
    """Area of the maps below `place`, in whole pixels: less is no reason to change sides."""
    return round(sum((place & each).width() * (place & each).height() for each in maps))


@cache
def _bar_image() -> QImage:
    """One pixel wide, the high level on top."""
    image = QImage(1, 256, QImage.Format.Format_RGB32)
    for row, (red, green, blue) in enumerate(SALIENCY_COLOURS[::-1].tolist()):
        image.setPixelColor(0, row, QColor(red, green, blue))
    return image
