"""The unit square with two axes, and a legend at its right that names every reader once."""

from __future__ import annotations

from collections.abc import Sequence

from study.plots.cast import Cast
from study.plots.drawing import DASHES, PAD, WIDTH, Drawing, apart, fitted, text_width

SIDE, LEFT, TOP = 400, 62, 20
LEGEND = LEFT + SIDE + 34
LEGEND_WIDTH = WIDTH - PAD - LEGEND
ROW = 19.0
MOST_ROWS = 17
COLUMN = 52.0  # of numbers in the legend


class Plane:
    """Marks are collected and drawn last, so that none hides another."""

    def __init__(self, cast: Cast, x_label: str, y_label: str) -> None:
        self.cast = cast
        self.drawing = Drawing(cast.look, TOP + SIDE + 50)
        self._marks: list[tuple[float, float, int, str]] = []
        self._legend_y = TOP + 12.0
        drawing, look = self.drawing, cast.look
        bottom, right = TOP + SIDE, LEFT + SIDE
        drawing.box(LEFT, TOP, SIDE, SIDE, "none", look.ink)
        for tick in (0, 0.2, 0.4, 0.6, 0.8, 1.0):
            x, y = self.at(tick, tick)
            if 0 < tick < 1:
                drawing.line(x, TOP, x, bottom, look.line, 0.7)
                drawing.line(LEFT, y, right, y, look.line, 0.7)
            drawing.text(x, bottom + 17, f"{tick:.1f}", "middle", size=11)
            drawing.text(LEFT - 8, y + 4, f"{tick:.1f}", "end", size=11)
        drawing.text((LEFT + right) / 2, bottom + 38, x_label, "middle", size=13)
        middle = TOP + SIDE / 2
        drawing.add(f"<g transform='rotate(-90 18 {middle:.0f})'>")
        drawing.text(18, middle + 4, y_label, "middle", size=13)
        drawing.add("</g>")

    def at(self, x: float, y: float) -> tuple[float, float]:
        return LEFT + x * SIDE, TOP + (1 - y) * SIDE

    def curve(
        self, points: Sequence[tuple[float, float]], colour: str, width: float, dash: str = "", opacity: float = 1
    ) -> None:
        self.drawing.path([self.at(*point) for point in points], colour, width, dash, opacity)

    def double_line(self, places: Sequence[tuple[float, float]]) -> None:
        """The algorithm's curve, in pixels: an outline keeps it apart from the readers' mean, which is as dark."""
        self.drawing.path(places, self.cast.look.algorithm, 3.6)
        self.drawing.path(places, self.cast.look.paper, 1.6)

    def mark(self, x: float, y: float, reader: str, mode: int) -> None:
        self._marks.append((x, y, mode, reader))

    def finish(self) -> list[tuple[float, float]]:
        """Draw the marks; where each was drawn, in the order they were given."""
        places = [self.at(x, y) for x, y, _, _ in self._marks]
        shown = apart(places)
        for (x, y), (shown_x, shown_y) in zip(places, shown, strict=True):
            if (x, y) != (shown_x, shown_y):
                self.drawing.line(x, y, shown_x, shown_y, self.cast.look.muted, 0.8)
                self.drawing.add(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='1.8' fill='{self.cast.look.ink}'/>")
        for (x, y), (_, _, mode, reader) in zip(shown, self._marks, strict=True):
            if reader in self.cast.people:
                self.drawing.chip(x, y, mode, self.cast.colour(reader), self.cast.number(reader))
            else:
                self.drawing.star(x, y)
        return shown

    # --- the legend

    def head(self, title: str, columns: Sequence[str], width: float = COLUMN) -> None:
        """What the numbers are, and the titles of their columns at the right."""
        self.drawing.text(LEGEND, self._legend_y, title, size=11, colour=self.cast.look.muted)
        for n, title in enumerate(reversed(columns)):
            x = LEGEND + LEGEND_WIDTH - n * width
            self.drawing.text(
                x, self._legend_y, fitted(title, width - 4, 11), "end", size=11, colour=self.cast.look.muted
            )
        self._legend_y += ROW

    def row(
        self,
        reader: str,
        values: Sequence[str] = (),
        label: str = "",
        colour: str = "",
        width: float = COLUMN,
        *,
        line: bool = False,
        own: str = "",
    ) -> None:
        """A reader's chip and name; with `label` and `colour`, a line that is nobody's. own: a value of no mode, the CNN's."""
        y, drawing = self._legend_y, self.drawing
        if label:
            drawing.line(LEGEND, y - 4, LEGEND + 18, y - 4, colour, 3)
        elif reader in self.cast.people:
            drawing.chip(LEGEND + 9, y - 4, 1, self.cast.colour(reader), self.cast.number(reader), 7.5)
        else:
            if line:
                self.double_line([(LEGEND - 4, y - 4), (LEGEND + 22, y - 4)])
            drawing.star(LEGEND + 9, y - 4, 8)
        room = LEGEND_WIDTH - 26 - width * len(values)
        weight = 600 if label else 400
        if own:
            room -= text_width(f"  {own}", 12)
        name = fitted(label or reader, room, weight=weight)
        drawing.text(LEGEND + 26, y, f"{name}  {own}" if own else name, weight=weight)
        for n, value in enumerate(reversed(values)):
            drawing.text(LEGEND + LEGEND_WIDTH - n * width, y, value, "end", size=11 if width > COLUMN else 12)
        self._legend_y += ROW

    def note(self, text: str) -> None:
        self.drawing.text(LEGEND, self._legend_y, fitted(text, LEGEND_WIDTH, 11), size=11, colour=self.cast.look.muted)
        self._legend_y += ROW

    def modes(self, *, lines: bool) -> None:
        """What the shapes of the marks, and the dashes of the lines, stand for."""
        self._legend_y += 6
        for n, mode in enumerate(self.cast.modes):
            y = self._legend_y
            if lines:
                self.drawing.line(LEGEND, y - 4, LEGEND + 30, y - 4, width=1.6, dash=DASHES[n % len(DASHES)])
            x = LEGEND + (44 if lines else 9)
            self.drawing.chip(x, y - 4, n, self.cast.look.ink, "", 6.5)
            self.drawing.text(x + 16, y, fitted(mode, LEGEND_WIDTH - (x - LEGEND) - 16))
            self._legend_y += ROW
