"""The plane of sensitivity and specificity: where each reader stands, and where the second mode takes them."""

from __future__ import annotations

import numpy as np

from study.analysis import Analysis, ReaderResult
from study.plots.cast import case_counts, cast, of_algorithm
from study.plots.drawing import LIGHT, Look, number
from study.plots.plane import MOST_ROWS, Plane
from study.result_parts import Plot

NAME, TITLE = "sensitivity-specificity", "Sensitivity and specificity"
_FEW = 3  # marks that leave room for their intervals
_MOST_COLUMNS = 2
_COLUMN = 72.0


def sensitivity_specificity_plot(analysis: Analysis, look: Look = LIGHT) -> Plot:
    who = cast(analysis, look)
    called = [result for result in analysis.reader_results if _place(result) is not None]
    if not called:
        any_call = any(result.calls is not None for result in analysis.reader_results)
        why = (
            "All cases are of one kind, so only one of the two can be computed."
            if any_call
            else "The data hold scores but no binary calls."
        )
        return Plot(NAME, TITLE, "", f"Sensitivity and specificity cannot be plotted. {why}")
    plane = Plane(who, "specificity", "sensitivity")
    if len(called) <= _FEW:
        for result in called:
            _cross(plane, result)
    for result in called:
        x, y = _place(result) or (0.0, 0.0)
        plane.mark(x, y, result.reader, who.mode(result.mode))
    columns = list(who.modes[:_MOST_COLUMNS])
    plane.head("sens. / spec.", columns, _COLUMN)
    shown = [reader for reader in who.people if any(r.reader == reader for r in called)]
    by_mode = {(r.reader, r.mode): r for r in called}
    for reader in shown[: MOST_ROWS - 6]:
        plane.row(reader, [_numbers(by_mode.get((reader, mode))) for mode in columns], width=_COLUMN)
    if len(shown) > MOST_ROWS - 6:
        plane.note(f"and {len(shown) - (MOST_ROWS - 6)} more readers")
    algorithm = of_algorithm(analysis)
    if algorithm is not None and algorithm in called:
        plane.row(algorithm.reader, own=_numbers(algorithm), width=_COLUMN)
    if len(who.modes) > 1:
        plane.modes(lines=False)
    places = plane.finish()
    where = {(r.reader, r.mode): place for r, place in zip(called, places, strict=True)}
    if len(who.modes) > 1:
        for reader in shown:
            ends = [where[reader, mode] for mode in who.modes if (reader, mode) in where]
            if len(ends) > 1:
                _arrow(plane, ends[0], ends[1], who.colour(reader))
    caption = (
        f"{case_counts(analysis)} Binary calls; a missing or indeterminate call counts as the protocol says, "
        "else as an error."
    )
    if len(called) <= _FEW:
        caption += f" Crosses: 95 % intervals ({analysis.method('Wilson')})."
    else:
        caption += " Their intervals are in the tables."
    if len(who.modes) > 1:
        caption += f" Arrows: from {who.modes[0]} to {who.modes[1]}."
    text = "; ".join(f"{analysis.named(r)}: {_numbers(r)}" for r in called)
    description = f"Sensitivity and specificity of each reader: {text}."
    return Plot(NAME, TITLE, plane.drawing.svg(TITLE, description, caption), caption)


def _place(result: ReaderResult) -> tuple[float, float] | None:
    """(specificity, sensitivity), or None where one of the two is not defined."""
    if not result.specificity or not result.sensitivity:
        return None
    x, y = result.specificity.value, result.sensitivity.value
    return None if x is None or y is None else (x, y)


def _numbers(result: ReaderResult | None) -> str:
    place = _place(result) if result is not None else None
    return "–" if place is None else f"{number(place[1], 2)} / {number(place[0], 2)}"


def _cross(plane: Plane, result: ReaderResult) -> None:
    place = _place(result)
    if place is None or result.sensitivity is None or result.specificity is None:
        return
    x, y = place
    (left, right), (low, high) = result.specificity.wilson, result.sensitivity.wilson
    colour = plane.cast.colour(result.reader)
    plane.curve([(left, y), (right, y)], colour, 1.4)
    plane.curve([(x, low), (x, high)], colour, 1.4)


def _arrow(plane: Plane, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    """Between two marks, from edge to edge."""
    (x1, y1), (x2, y2) = start, end
    length = float(np.hypot(x2 - x1, y2 - y1))
    if length < 26:
        return
    dx, dy = (x2 - x1) / length, (y2 - y1) / length
    x1, y1, tip_x, tip_y = x1 + 10 * dx, y1 + 10 * dy, x2 - 11 * dx, y2 - 11 * dy
    plane.drawing.line(x1, y1, tip_x, tip_y, colour, 1.2)
    wings = [(tip_x - 7 * dx + side * 3.5 * dy, tip_y - 7 * dy - side * 3.5 * dx) for side in (1, -1)]
    plane.drawing.polygon([(tip_x, tip_y), *wings], colour)
