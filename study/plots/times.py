"""Time per case: median and quartiles of the active seconds, by reader and mode."""

from __future__ import annotations

from study.analysis import Analysis
from study.plots.cast import cast, counted, of_people
from study.plots.drawing import LIGHT, PAD, WIDTH, Drawing, Look, fitted, number, text_width, ticks
from study.result_parts import Plot

NAME, TITLE = "time", "Time per case"
_LEFT, _AXIS, _STEP = 200.0, 350.0, 21.0


def time_plot(analysis: Analysis, look: Look = LIGHT) -> Plot:
    who = cast(analysis, look)
    timed = [r for r in of_people(analysis) if r.median_s is not None and r.quartiles_s is not None]
    if not timed:
        return Plot(NAME, TITLE, "", "No reading time was recorded in these data.")
    by_reader = {reader: [r for r in timed if r.reader == reader] for reader in who.people}
    high = max(max(r.quartiles_s or (0, 0)) for r in timed) * 1.06 or 1.0
    height = 22 + sum(len(rows) * _STEP + 8 for rows in by_reader.values() if rows) + 56
    drawing = Drawing(look, height)
    bottom = height - 50

    def at(seconds: float) -> float:
        return _LEFT + seconds / high * _AXIS

    for tick in ticks(0, high):
        drawing.line(at(tick), 16, at(tick), bottom, look.line, 0.7)
        drawing.line(at(tick), bottom, at(tick), bottom + 5)
        drawing.text(at(tick), bottom + 18, f"{tick:g}", "middle", size=11)
    drawing.line(_LEFT, bottom, _LEFT + _AXIS, bottom)
    drawing.text(_LEFT + _AXIS / 2, bottom + 40, "active seconds per case", "middle", size=13)
    y = 26.0
    for reader, rows in by_reader.items():
        if not rows:
            continue
        drawing.text(PAD, y + 4, fitted(reader, _LEFT - PAD - 14))
        for row in rows:
            low_s, high_s = row.quartiles_s or (0.0, 0.0)
            colour = who.colour(reader)
            drawing.line(at(low_s), y, at(high_s), y, colour, 5)
            drawing.chip(at(row.median_s or 0), y, who.mode(row.mode), colour, who.number(reader), 7.5)
            words = f"{number(row.median_s or 0, 1)} s ({number(low_s, 1)} to {number(high_s, 1)})"
            drawing.text(_LEFT + _AXIS + 16, y + 4, words, size=11)
            y += _STEP
        y += 8
    _key(drawing, who.modes)
    n = counted([r.cases for r in timed])
    caption = (
        f"n = {n} readings per reader{' and mode' if len(who.modes) > 1 else ''}. Median and quartiles of active "
        "seconds; breaks do not count. A description, not a test."
    )
    text = "; ".join(f"{r.reader}, {r.mode}: median {r.median_s:.1f} s" for r in timed)
    return Plot(NAME, TITLE, drawing.svg(TITLE, f"{text}.", caption), caption)


def _key(drawing: Drawing, modes: tuple[str, ...]) -> None:
    if len(modes) < 2:
        return
    x = float(WIDTH - PAD)
    for n, mode in reversed(list(enumerate(modes[:4]))):
        label = fitted(mode, 90, 11)
        drawing.text(x, drawing.height - 10, label, "end", size=11)
        x -= text_width(label, 11) + 12
        drawing.chip(x, drawing.height - 14, n, drawing.look.ink, "", 6)
        x -= 20
