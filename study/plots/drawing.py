"""SVG by hand: text that is measured before it is placed, marks with the reader's number in them, captions that wrap.

The elements are those of SVG Tiny, so that every viewer draws them alike, Qt's included.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import count

import numpy as np

FONT = "font-family='system-ui, Segoe UI, Helvetica, Arial, sans-serif'"
WIDTH = 760  # of every plot, so that they line up in a report
PAD = 16

_ids = count(1)  # titles need ids that are unique within a page of several plots


@dataclass(frozen=True)
class Look:
    """Colours of one theme. `readers` start anew after the last: the number in a mark tells readers apart, too."""

    paper: str
    ink: str
    muted: str
    line: str
    readers: tuple[str, ...]
    algorithm: str
    to_truth: str
    from_truth: str
    ramp: tuple[str, str]  # of the agreement matrix: none, complete


# The readers' six colours keep a CIELAB distance of 20 under every common colour-vision deficiency (tests compute it)
# and stand in the same order of hues as those of the window's themes.
LIGHT = Look(
    paper="#ffffff",
    ink="#1a1a1a",
    muted="#595959",
    line="#d9d9d9",
    readers=("#1e85e0", "#7c3b08", "#938f02", "#115b3e", "#d83a87", "#3f2598"),
    algorithm="#1a1a1a",
    to_truth="#0b62b0",
    from_truth="#ad4200",
    ramp=("#f4f8fc", "#0b4f8f"),
)
DARK = Look(
    paper="#171b20",
    ink="#e9edf1",
    muted="#a7b2be",
    line="#3a444f",
    readers=("#56e0ff", "#ffb000", "#f0e442", "#3ddc97", "#ff8ad1", "#b7a6ff"),
    algorithm="#ffffff",
    to_truth="#6fb1ff",
    from_truth="#ff9f52",
    ramp=("#222a33", "#7cc4ff"),
)

SHAPES = ("circle", "square", "triangle", "diamond")  # one for each mode; the first is drawn hollow
DASHES = ("5 3", "", "2 2", "8 3 2 3")
CHIP = 8.0  # half the size of a mark with a number

# Widths in em of a wide sans serif: a text that fits by these fits in any font that a viewer may choose.
_NARROW, _WIDE = frozenset("iljtfrI.,:;'|!()[] /-"), frozenset("mwMW@%—…")


def text_width(text: str, size: float = 12, weight: int = 400) -> float:
    """An upper estimate, in pixels."""
    ems = sum(0.4 if char in _NARROW else 0.98 if char in _WIDE else 0.72 if char.isupper() else 0.635 for char in text)
    return ems * size * (1.08 if weight > 500 else 1.0)


def fitted(text: str, width: float, size: float = 12, weight: int = 400) -> str:
    """The text, cut with an ellipsis where it is wider."""
    if text_width(text, size, weight) <= width:
        return text
    kept = text
    while kept and text_width(kept + "…", size, weight) > width:
        kept = kept[:-1]
    return kept.rstrip() + "…"


def wrapped(text: str, width: float, size: float = 12) -> list[str]:
    """Lines no wider than `width`; a single word that is wider is cut."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and text_width(longer, size) > width:
            lines.append(line)
            line = word
        else:
            line = longer
    return [fitted(part, width, size) for part in [*lines, line] if part]


def number(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text.replace("-", "−") if float(text) != 0 else text.lstrip("-")


def blend(low: str, high: str, share: float) -> str:
    """`share` (0-1) of the way from one hex colour to the other."""
    ends = [[int(colour[n : n + 2], 16) for n in (1, 3, 5)] for colour in (low, high)]
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(*ends, strict=True))


def contrasting(colour: str, look: Look) -> str:
    """Ink or paper, whichever is easier to read on the colour."""

    def luminance(hexes: str) -> float:
        parts = [int(hexes[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def ratio(other: str) -> float:
        high, low = sorted((luminance(colour), luminance(other)), reverse=True)
        return (high + 0.05) / (low + 0.05)

    return max((look.ink, look.paper), key=ratio)


class Drawing:
    """Parts of one plot; `svg` adds the caption below them, and the words for those who do not see it."""

    def __init__(self, look: Look, height: float = 0) -> None:
        self.look = look
        self.height = height
        self._parts: list[str] = []

    def add(self, element: str) -> None:
        self._parts.append(element)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        anchor: str = "start",
        *,
        colour: str = "",
        size: float = 12,
        weight: int = 400,
    ) -> None:
        if not text:
            return
        self.add(
            f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' fill='{colour or self.look.ink}' "
            f"font-size='{size:g}' font-weight='{weight}'>{escape(text)}</text>"
        )

    def line(
        self, x1: float, y1: float, x2: float, y2: float, colour: str = "", width: float = 1, dash: str = ""
    ) -> None:
        dashed = f" stroke-dasharray='{dash}'" if dash else ""
        self.add(
            f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{colour or self.look.ink}' "
            f"stroke-width='{width:g}'{dashed}/>"
        )

    def path(
        self, points: Iterable[tuple[float, float]], colour: str, width: float, dash: str = "", opacity: float = 1
    ) -> None:
        dashed = f" stroke-dasharray='{dash}'" if dash else ""
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.add(
            f"<polyline points='{places}' fill='none' stroke='{colour}' stroke-width='{width:g}' "
            f"stroke-linejoin='round' opacity='{opacity:g}'{dashed}/>"
        )

    def polygon(self, points: Iterable[tuple[float, float]], fill: str, stroke: str = "none", width: float = 1) -> None:
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.add(f"<polygon points='{places}' fill='{fill}' stroke='{stroke}' stroke-width='{width:g}'/>")

    def box(
        self, x: float, y: float, width: float, height: float, fill: str, stroke: str = "none", opacity: float = 1
    ) -> None:
        self.add(
            f"<rect x='{x:.1f}' y='{y:.1f}' width='{max(width, 0):.1f}' height='{max(height, 0):.1f}' fill='{fill}' "
            f"stroke='{stroke}' opacity='{opacity:g}'/>"
        )

    def chip(self, x: float, y: float, mode: int, colour: str, label: str, size: float = CHIP) -> None:
        """A mark: the shape says the mode, colour and number the reader. The first mode is hollow, on paper too."""
        shape, hollow = SHAPES[mode % len(SHAPES)], mode == 0
        fill, stroke = (self.look.paper, colour) if hollow else (colour, self.look.paper)
        if shape == "circle":
            self.add(
                f"<circle cx='{x:.1f}' cy='{y:.1f}' r='{size:g}' fill='{fill}' stroke='{stroke}' stroke-width='1.6'/>"
            )
        else:
            reach = {"square": 0.9, "triangle": 1.25, "diamond": 1.25}[shape] * size
            corners = {
                "square": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
                "triangle": ((0, -1), (1, 0.75), (-1, 0.75)),
                "diamond": ((0, -1), (1, 0), (0, 1), (-1, 0)),
            }[shape]
            self.polygon([(x + dx * reach, y + dy * reach) for dx, dy in corners], fill, stroke, 1.6 if hollow else 1)
        if label:
            ink = self.look.ink if hollow else contrasting(colour, self.look)
            letters = size * (1.25 if len(label) < 2 else 1.05)
            self.text(x, y + letters * 0.36, label, "middle", colour=ink, size=letters, weight=700)

    def star(self, x: float, y: float, size: float = 9) -> None:
        """The CNN's mark."""
        turns = np.arange(10) * np.pi / 5 - np.pi / 2
        radii = np.where(np.arange(10) % 2 == 0, size, size * 0.42)
        points = [(x + float(r * np.cos(a)), y + float(r * np.sin(a))) for a, r in zip(turns, radii, strict=True)]
        self.polygon(points, self.look.algorithm, self.look.paper, 1)

    def diamond(self, low: float, middle: float, high: float, y: float, colour: str) -> None:
        """A summary in a forest plot: as wide as its interval."""
        self.polygon(((low, y), (middle, y - 7), (high, y), (middle, y + 7)), colour)

    def svg(self, title: str, description: str, caption: str) -> str:
        y = self.height + 14
        for line in wrapped(caption, WIDTH - 2 * PAD, 11):
            self.text(PAD, y, line, size=11, colour=self.look.muted)
            y += 15
        plot, height = next(_ids), round(y + 2)
        return (
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' "
            f"height='{height}' role='img' aria-labelledby='plot{plot}-title plot{plot}-text' {FONT}>\n"
            f"<title id='plot{plot}-title'>{escape(title)}</title>\n"
            f"<desc id='plot{plot}-text'>{escape(description)}</desc>\n"
            f"<rect width='{WIDTH}' height='{height}' fill='{self.look.paper}'/>\n"
            + "\n".join(self._parts)
            + "\n</svg>\n"
        )


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers between the two, some five of them."""
    raw = (high - low) / about
    power = 10 ** np.floor(np.log10(raw))
    step = float(next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999))
    first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
    return [round(n * step, 10) + 0.0 for n in range(first, last + 1)]


def apart(places: Sequence[tuple[float, float]], reach: float = 2 * CHIP + 1) -> list[tuple[float, float]]:
    """Where to draw marks so that none hides another: each as near to its place as the earlier ones leave room."""
    taken: list[tuple[float, float]] = []
    angles = [np.pi * n / 6 for n in (0, 11, 1, 10, 2, 9, 3, 8, 4, 7, 5, 6)]  # to the right first
    for x, y in places:
        tries = [(x, y)] + [
            (x + reach * ring * float(np.cos(a)), y + reach * ring * float(np.sin(a)))
            for ring in (1.0, 1.5, 2.0, 2.5, 3.0)
            for a in angles
        ]
        free = (place for place in tries if all(np.hypot(place[0] - a, place[1] - b) >= reach * 0.99 for a, b in taken))
        taken.append(next(free, (x, y)))
    return taken
