"""The plots of a reader study as SVG: accessible (title and description), without scripts, colour-blind safe.

Colours are Okabe and Ito's; shape, dash and words tell apart what colour tells apart, too. The same text goes into the
report, into a file, and into the window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import count
from pathlib import Path

import numpy as np
import numpy.typing as npt

from study.analysis import Analysis, CrossedResult, ReaderResult
from study.files import replace_file
from study.statistics.covariance import Covariance, Merit

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe and Ito, but black and yellow
INK, GREY, PALE = "#1a1a1a", "#595959", "#d9d9d9"
MARKERS = ("circle", "square", "triangle", "diamond")
DASHES = ("", "6 3", "2 2", "8 3 2 3")
FONT = "font-family='system-ui, Segoe UI, Helvetica, Arial, sans-serif'"
FEW = 8  # lines that a legend can name one by one

FloatArray = npt.NDArray[np.float64]

_ids = count(1)  # titles need ids that are unique within a page of several plots


@dataclass(frozen=True)
class Plot:
    """`name` is a file name without its ending; `svg` a whole document."""

    name: str
    title: str
    svg: str


def plots(analysis: Analysis) -> list[Plot]:
    """All plots that the analysis has data for."""
    makers: tuple[Callable[[Analysis], Plot | None], ...] = (
        roc_plot,
        forest_plot,
        sensitivity_specificity_plot,
        switch_plot,
        time_plot,
    )
    return [plot for plot in (make(analysis) for make in makers) if plot is not None]


def export_plots(analysis: Analysis, folder: Path) -> list[Path]:
    """Write each plot as an SVG file into the folder, which is made if it is not there. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for plot in plots(analysis):
        paths.append(folder / f"{plot.name}.svg")
        replace_file(paths[-1], plot.svg.encode("utf-8"), durable=False)
    return paths


# --- the plots


def roc_plot(analysis: Analysis) -> Plot | None:
    """Each reader's empirical ROC curve, the readers' mean by mode, and the point where each calls a hip loose."""
    curves = [result for result in analysis.reader_results if result.roc is not None]
    if not curves:
        return None
    drawing = _Plane("1 − specificity", "sensitivity")
    drawing.line([(0, 0), (1, 1)], PALE, 1, "4 4")
    modes = _modes(analysis)
    people = [result for result in curves if result.reader != analysis.algorithm]
    named = len(curves) <= FEW
    for n, result in enumerate(curves):
        colour = _colour(analysis, result, modes)
        strong = named or result.reader == analysis.algorithm
        points = list(zip(*_roc_points(result), strict=True))
        dash = "" if result.reader == analysis.algorithm else DASHES[n % len(DASHES)] if named else ""
        drawing.line(points, colour, 1.6 if strong else 0.8, dash, 1.0 if strong else 0.45)
        if named:
            auc = f" (AUC {result.auc_delong.auc:.3f})" if result.auc_delong else ""
            drawing.legend(f"{_name(result, modes)}{auc}", colour, dash)
    if not named:
        grid = np.linspace(0, 1, 101)
        for mode in modes:
            of_mode = [_roc_points(result) for result in people if result.mode == mode]
            if len(of_mode) > 1:
                mean = np.mean([_interpolate(grid, *points) for points in of_mode], axis=0)
                drawing.line(list(zip(grid, mean, strict=True)), COLOURS[modes.index(mode) % 6], 3)
                drawing.legend(f"{mode}: mean of {len(of_mode)} readers", COLOURS[modes.index(mode) % 6], "")
        for result in curves:
            if result.reader == analysis.algorithm:
                auc = f" (AUC {result.auc_delong.auc:.3f})" if result.auc_delong else ""
                drawing.legend(f"{result.reader}{auc}", INK, "")
    for result in curves:
        if result.calls is not None and result.sensitivity and result.specificity:
            x, y = result.specificity.value, result.sensitivity.value
            if x is not None and y is not None:
                marker = _marker(analysis, result, modes)
                drawing.mark(1 - x, y, marker, _colour(analysis, result, modes), _name(result, modes))
    points_said = " Marks show where each calls a hip loose." if any(result.calls for result in curves) else ""
    means = [f"{_name(r, modes)} {r.auc_delong.auc:.3f}" for r in curves if r.auc_delong]
    description = (
        f"Sensitivity against 1 − specificity, one curve for each reader and mode. AUC: {'; '.join(means[:40])}."
    )
    return Plot("roc", "ROC curves", drawing.svg("ROC curves", description + points_said))


def forest_plot(analysis: Analysis) -> Plot | None:
    """Each reader's difference in AUC between the first two modes, and the mean of all with its interval."""
    chosen = main_result(analysis)
    if chosen is None or not chosen.analysis.reader_differences:
        return None
    inference = chosen.analysis.random_readers_random_cases
    first, second = inference.differences[0].first, inference.differences[0].second
    rows = [
        (reader, difference.difference, difference.ci, False)
        for reader, difference in chosen.analysis.reader_differences
        if (difference.first, difference.second) == (first, second)
    ]
    mean = inference.differences[0]
    rows.append((f"mean of {len(rows)} readers", mean.difference, mean.ci, True))
    title = f"Difference in {chosen.merit}, {first} minus {second}"
    return Plot("differences", title, _forest(rows, title, f"{chosen.merit}, {first} minus {second}"))


def sensitivity_specificity_plot(analysis: Analysis) -> Plot | None:
    """Where each reader stands, with an arrow from the first mode to the second."""
    called = [
        result
        for result in analysis.reader_results
        if result.sensitivity
        and result.specificity
        and None not in (result.sensitivity.value, result.specificity.value)
    ]
    if not called:
        return None
    drawing = _Plane("specificity", "sensitivity")
    modes = _modes(analysis)
    place = {(r.reader, r.mode): (_value(r.specificity), _value(r.sensitivity)) for r in called}
    if len(modes) > 1:
        for reader in dict.fromkeys(result.reader for result in called):
            ends = [place[reader, mode] for mode in modes if (reader, mode) in place]
            if len(ends) > 1:
                drawing.arrow(*ends[:2])
    for result in called:
        marker, colour = _marker(analysis, result, modes), _colour(analysis, result, modes)
        x, y = place[result.reader, result.mode]
        drawing.mark(x, y, marker, colour, _name(result, modes))
    for mode in modes:
        of_mode = [result for result in called if result.mode == mode]
        people = [result for result in of_mode if result.reader != analysis.algorithm]
        if people:
            label = f"{mode} ({len(people)} {'reader' if len(people) == 1 else 'readers'})"
            colour = _colour(analysis, people[0], modes)
            drawing.legend(label, colour, marker=_marker(analysis, people[0], modes))
    for result in called:
        if result.reader == analysis.algorithm:
            drawing.legend(_name(result, modes), INK, marker="star")
            break
    text = "; ".join(f"{_name(r, modes)}: {_value(r.sensitivity):.2f} and {_value(r.specificity):.2f}" for r in called)
    description = f"Sensitivity and specificity of each reader: {text}."
    return Plot(
        "sensitivity-specificity",
        "Sensitivity and specificity",
        drawing.svg("Sensitivity and specificity", description),
    )


def switch_plot(analysis: Analysis) -> Plot | None:
    """How many calls each reader changed to the truth and from it between two modes."""
    rows = [row for row in analysis.switches if row.reader != analysis.algorithm]
    if not rows:
        return None
    rows = [row for row in rows if (row.first, row.second) == (rows[0].first, rows[0].second)]
    most = max(max(row.to_truth, row.from_truth) for row in rows) or 1
    left, top, half, step = 130, 46, 200, 24
    middle, height = left + half, top + step * len(rows) + 24
    parts = [
        _text(middle - 8, 24, "away from the truth", "end", COLOURS[1], weight=600),
        _text(middle + 8, 24, "to the truth", "start", COLOURS[0], weight=600),
        _line_element(middle, top - 8, middle, height - 20, INK, 1),
    ]
    for n, row in enumerate(rows):
        y = top + n * step
        away, toward = (half - 30) * row.from_truth / most, (half - 30) * row.to_truth / most
        parts += [
            _text(left - 34, y + 12, row.reader, "end"),
            f"<rect x='{middle - away:.1f}' y='{y}' width='{away:.1f}' height='16' fill='{COLOURS[1]}'/>",
            f"<rect x='{middle}' y='{y}' width='{toward:.1f}' height='16' fill='{COLOURS[0]}'/>",
            _text(middle - away - 5, y + 12, str(row.from_truth), "end"),
            _text(middle + toward + 5, y + 12, str(row.to_truth), "start"),
        ]
    title = f"Calls changed from {rows[0].first} to {rows[0].second}"
    text = "; ".join(f"{row.reader}: {row.to_truth} to the truth, {row.from_truth} from it" for row in rows)
    return Plot("switches", title, _document(2 * half + left + 20, height, parts, title, text + "."))


def time_plot(analysis: Analysis) -> Plot | None:
    """Median and quartiles of active seconds by reader and mode."""
    timed = [r for r in analysis.reader_results if r.median_s is not None and r.quartiles_s is not None]
    if not timed:
        return None
    modes = _modes(analysis)
    rows = [(_name(r, modes), r.median_s or 0.0, r.quartiles_s or (0.0, 0.0), False) for r in timed]
    title = "Time per case: median and quartiles"
    return Plot("time", title, _forest(rows, title, "active seconds", zero=False))


def main_result(analysis: Analysis) -> CrossedResult | None:
    """The multi-reader result that plots show: AUC with jackknife covariances, or whatever there is of AUC."""
    order = (Covariance.JACKKNIFE, Covariance.CLUSTERED, Covariance.UNBIASED, Covariance.DELONG)
    of_auc = [result for result in analysis.crossed if result.merit is Merit.AUC]
    return min(of_auc, key=lambda result: order.index(result.covariance), default=None)


# --- parts


def _modes(analysis: Analysis) -> list[str]:
    return list(dict.fromkeys(result.mode for result in analysis.reader_results))


def _name(result: ReaderResult, modes: Sequence[str]) -> str:
    return f"{result.reader}, {result.mode}" if len(modes) > 1 else result.reader


def _colour(analysis: Analysis, result: ReaderResult, modes: Sequence[str]) -> str:
    if result.reader == analysis.algorithm:
        return INK
    if len(modes) > 1:
        return COLOURS[modes.index(result.mode) % len(COLOURS)]
    readers = list(dict.fromkeys(r.reader for r in analysis.reader_results))
    return COLOURS[readers.index(result.reader) % len(COLOURS)]


def _marker(analysis: Analysis, result: ReaderResult, modes: Sequence[str]) -> str:
    return "star" if result.reader == analysis.algorithm else MARKERS[modes.index(result.mode) % len(MARKERS)]


def _value(proportion: object) -> float:
    value = getattr(proportion, "value", None)
    return float(value) if value is not None else 0.0


def _roc_points(result: ReaderResult) -> tuple[list[float], list[float]]:
    if result.roc is None:
        return [], []
    return result.roc.false_positive_rate.tolist(), result.roc.true_positive_rate.tolist()


def _interpolate(grid: FloatArray, x: Sequence[float], y: Sequence[float]) -> FloatArray:
    """Of a vertical step the upper end counts."""
    rising = np.asarray(x) + np.arange(len(x)) * 1e-12  # np.interp wants no two alike
    return np.asarray(np.interp(grid + 1e-9, rising, y), dtype=np.float64)


def _text(
    x: float, y: float, text: str, anchor: str = "middle", colour: str = INK, size: int = 12, weight: int = 400
) -> str:
    shown = text if len(text) <= 48 else text[:47] + "…"
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' fill='{colour}' font-size='{size}' font-weight='{weight}'>"
        f"{escape(shown)}</text>"
    )


def _line_element(x1: float, y1: float, x2: float, y2: float, colour: str, width: float, dash: str = "") -> str:
    dashed = f" stroke-dasharray='{dash}'" if dash else ""
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{colour}' stroke-width='{width}'{dashed}/>"


def _document(width: float, height: float, parts: Iterable[str], title: str, description: str) -> str:
    number = next(_ids)
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:.0f} {height:.0f}' width='{width:.0f}' "
        f"height='{height:.0f}' role='img' aria-labelledby='plot{number}-title plot{number}-text' {FONT}>\n"
        f"<title id='plot{number}-title'>{escape(title)}</title>\n<desc id='plot{number}-text'>{escape(description)}</desc>\n"
        f"<rect width='100%' height='100%' fill='#ffffff'/>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _marker_shape(x: float, y: float, marker: str, colour: str, label: str = "") -> str:
    tip = f"<title>{escape(label)}</title>" if label else ""
    style = f"fill='{colour}' stroke='#ffffff' stroke-width='1'"
    if marker == "circle":
        return f"<circle cx='{x:.1f}' cy='{y:.1f}' r='5' {style}>{tip}</circle>"
    shapes: dict[str, list[tuple[float, float]]] = {
        "square": [(-4.5, -4.5), (4.5, -4.5), (4.5, 4.5), (-4.5, 4.5)],
        "triangle": [(0, -6), (5.5, 4), (-5.5, 4)],
        "diamond": [(0, -6.5), (5.5, 0), (0, 6.5), (-5.5, 0)],
        "star": [(0, -8), (2, -2.5), (8, -2.5), (3, 1.2), (5, 7), (0, 3.4), (-5, 7), (-3, 1.2), (-8, -2.5), (-2, -2.5)],
    }
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in shapes[marker])
    return f"<polygon points='{points}' {style}>{tip}</polygon>"


class _Plane:
    """The unit square with axes, and a legend at its right."""

    SIDE, LEFT, TOP = 380, 62, 16

    def __init__(self, x_label: str, y_label: str) -> None:
        self._parts: list[str] = []
        self._legend: list[str] = []
        bottom, right = self.TOP + self.SIDE, self.LEFT + self.SIDE
        for tick in (0, 0.2, 0.4, 0.6, 0.8, 1.0):
            x, y = self._at(tick, tick)
            self._parts += [
                _line_element(x, bottom, x, bottom + 5, INK, 1),
                _line_element(self.LEFT - 5, y, self.LEFT, y, INK, 1),
                _text(x, bottom + 19, f"{tick:.1f}", size=11),
                _text(self.LEFT - 9, y + 4, f"{tick:.1f}", "end", size=11),
            ]
        self._parts += [
            f"<rect x='{self.LEFT}' y='{self.TOP}' width='{self.SIDE}' height='{self.SIDE}' fill='none' stroke='{INK}'/>",
            _text((self.LEFT + right) / 2, bottom + 40, x_label, size=13),
            f"<g transform='rotate(-90 18 {self.TOP + self.SIDE / 2:.0f})'>"
            + _text(18, self.TOP + self.SIDE / 2, y_label, size=13)
            + "</g>",
        ]

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return self.LEFT + x * self.SIDE, self.TOP + (1 - y) * self.SIDE

    def line(
        self, points: Sequence[tuple[float, float]], colour: str, width: float, dash: str = "", opacity: float = 1.0
    ) -> None:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (self._at(*point) for point in points))
        dashed = f" stroke-dasharray='{dash}'" if dash else ""
        self._parts.append(
            f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='{width}' opacity='{opacity}'{dashed}/>"
        )

    def mark(self, x: float, y: float, marker: str, colour: str, label: str) -> None:
        self._parts.append(_marker_shape(*self._at(x, y), marker, colour, label))

    def arrow(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        (x1, y1), (x2, y2) = self._at(*start), self._at(*end)
        length = float(np.hypot(x2 - x1, y2 - y1))
        if length < 14:
            return
        dx, dy = (x2 - x1) / length, (y2 - y1) / length
        tip_x, tip_y = x2 - 7 * dx, y2 - 7 * dy
        wings = [(tip_x - 7 * dx + side * 3.5 * dy, tip_y - 7 * dy - side * 3.5 * dx) for side in (1, -1)]
        head = " ".join(f"{x:.1f},{y:.1f}" for x, y in ((tip_x, tip_y), *wings))
        self._parts += [
            _line_element(x1, y1, tip_x, tip_y, GREY, 1),
            f"<polygon points='{head}' fill='{GREY}'/>",
        ]

    def legend(self, label: str, colour: str, dash: str = "", marker: str = "") -> None:
        x, y = self.LEFT + self.SIDE + 24, self.TOP + 14 + 20 * len(self._legend)
        sign = (
            _marker_shape(x + 12, y - 4, marker, colour)
            if marker
            else _line_element(x, y - 4, x + 24, y - 4, colour, 2.5, dash)
        )
        self._legend.append(sign + _text(x + 32, y, label, "start"))

    def svg(self, title: str, description: str) -> str:
        height = max(self.TOP + self.SIDE + 52, self.TOP + 24 + 20 * len(self._legend))
        return _document(self.LEFT + self.SIDE + 330, height, [*self._parts, *self._legend], title, description)


def _forest(
    rows: Sequence[tuple[str, float, tuple[float, float], bool]], title: str, axis: str, *, zero: bool = True
) -> str:
    """(label, value, interval, whether it is the summary) by row."""
    ends = [end for _, _, interval, _ in rows for end in interval] + [0.0]
    low, high = min(ends), max(ends)
    pad = (high - low or 1.0) * 0.06
    low, high = (low - pad if low < 0 else 0.0), high + pad
    left, width, top, step = 210.0, 360.0, 20.0, 24.0
    bottom = top + step * len(rows)

    def at(value: float) -> float:
        return left + (value - low) / (high - low) * width

    parts = [_line_element(left, bottom, left + width, bottom, INK, 1)]
    for tick in _ticks(low, high):
        parts += [
            _line_element(at(tick), bottom, at(tick), bottom + 5, INK, 1),
            _text(at(tick), bottom + 19, f"{tick:g}", size=11),
        ]
    if zero:
        parts.append(_line_element(at(0), top - 10, at(0), bottom, GREY, 1, "4 3"))
    digits = 3 if zero else 1
    for n, (label, value, (start, end), summary) in enumerate(rows):
        y = top + (n + 0.5) * step
        colour = COLOURS[1] if summary else COLOURS[0]
        if summary:
            diamond = ((at(start), y), (at(value), y - 7), (at(end), y), (at(value), y + 7))
            parts.append(f"<polygon points='{' '.join(f'{px:.1f},{py:.1f}' for px, py in diamond)}' fill='{colour}'/>")
        else:
            parts += [
                _line_element(at(start), y, at(end), y, colour, 1.6),
                f"<rect x='{at(value) - 4:.1f}' y='{y - 4:.1f}' width='8' height='8' fill='{colour}'/>",
            ]
        weight = 600 if summary else 400
        numbers = f"{value:.{digits}f} ({start:.{digits}f} to {end:.{digits}f})".replace("-", "−")
        parts += [
            _text(left - 12, y + 4, label if len(label) <= 30 else label[:29] + "…", "end", weight=weight),
            _text(left + width + 12, y + 4, numbers, "start", weight=weight),
        ]
    parts.append(_text(left + width / 2, bottom + 40, axis, size=13))
    text = "; ".join(
        f"{label} {value:.{digits}f} ({low_:.{digits}f} to {high_:.{digits}f})"
        for label, value, (low_, high_), _ in rows
    )
    return _document(left + width + 190, bottom + 52, parts, title, f"{axis}. {text}.")


def _ticks(low: float, high: float) -> list[float]:
    """Five or so round numbers."""
    raw = (high - low) / 5
    power = 10 ** np.floor(np.log10(raw))
    step = float(next(m * power for m in (1, 2, 5, 10) if m * power >= raw))
    return [round(n * step, 10) + 0.0 for n in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]
