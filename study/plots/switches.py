"""Who changed their call to the truth, and who away from it, once the CNN was seen; sham outputs apart."""

from __future__ import annotations

from collections.abc import Sequence

from study.analysis import Analysis, SwitchResult
from study.plots.cast import Cast, cast, counted
from study.plots.drawing import LIGHT, PAD, WIDTH, Drawing, Look, fitted, text_width
from study.result_parts import Plot

NAME, TITLE = "switches", "Changed calls"
_STEP = 26.0
_MIDDLE = 440.0
_HALF = 205.0


def switch_plot(analysis: Analysis, look: Look = LIGHT, sham: Analysis | None = None) -> Plot:
    """`sham`: the analysis of the readings whose CNN output was flipped on purpose."""
    who = cast(analysis, look)
    rows = _of_people(analysis, who)
    if not rows:
        why = (
            "The readers read in one mode only."
            if len(who.modes) < 2
            else "No reader called the same case in two modes."
        )
        return Plot(NAME, TITLE, "", f"No changes of a call can be shown. {why}")
    first, second = rows[0].first, rows[0].second
    shams = _of_people(sham, who) if sham is not None else []
    blocks: list[tuple[str, Sequence[SwitchResult]]] = [("", rows)]
    if shams:
        blocks = [("the CNN's own outputs", rows), ("outputs flipped on purpose (sham)", shams)]
    most = max(max(row.to_truth, row.from_truth) for _, block in blocks for row in block) or 1
    drawing = Drawing(look, 34 + sum(len(block) * _STEP + (40 if title else 14) for title, block in blocks))
    drawing.text(_MIDDLE - 10, 22, "← away from the truth", "end", colour=look.from_truth, weight=600)
    drawing.text(_MIDDLE + 10, 22, "to the truth →", colour=look.to_truth, weight=600)
    y = 34.0
    for title, block in blocks:
        if title:
            drawing.text(PAD, y + 18, title, weight=600)
            y += 28
        drawing.line(_MIDDLE, y, _MIDDLE, y + len(block) * _STEP, look.ink, 1)
        for row in block:
            _bar(drawing, row, y, most, who)
            y += _STEP
        y += 12
    caption = (
        f"n = {counted([row.cases for row in rows])} cases called in both modes per reader; from {first} to {second}. "
        "Beside each bar: calls changed, of those that were wrong (to the truth) or right (away) at first."
    )
    if shams:
        caption += (
            f" Sham: {counted([row.cases for row in shams])} cases per reader whose CNN output was flipped on purpose; "
            "they count in no other figure."
        )
    text = "; ".join(f"{row.reader}: {row.to_truth} to the truth, {row.from_truth} away from it" for row in rows)
    title = f"{TITLE} from {first} to {second}"
    return Plot(NAME, title, drawing.svg(title, f"{text}.", caption), caption)


def _of_people(analysis: Analysis, who: Cast) -> list[SwitchResult]:
    """Between the first two modes that anybody has in common."""
    rows = [row for row in analysis.switches if row.reader in who.people]
    return [row for row in rows if (row.first, row.second) == (rows[0].first, rows[0].second)]


def _bar(drawing: Drawing, row: SwitchResult, y: float, most: int, who: Cast) -> None:
    look = drawing.look
    toward, away = (
        f"{row.to_truth} of {row.to_truth + row.stayed_wrong}",
        f"{row.from_truth} of {row.from_truth + row.stayed_right}",
    )
    scale = (_HALF - text_width("000 of 000")) / most
    drawing.chip(PAD + 9, y + 12, 1, who.colour(row.reader), who.number(row.reader), 7.5)
    drawing.text(PAD + 26, y + 16, fitted(row.reader, _MIDDLE - _HALF - PAD - 40))
    drawing.box(_MIDDLE - scale * row.from_truth, y + 4, scale * row.from_truth, 16, look.from_truth)
    drawing.box(_MIDDLE, y + 4, scale * row.to_truth, 16, look.to_truth)
    drawing.text(_MIDDLE - scale * row.from_truth - 6, y + 16, away, "end")
    drawing.text(_MIDDLE + scale * row.to_truth + 6, y + 16, toward)
    room = WIDTH - PAD - (_MIDDLE + _HALF)
    net = row.to_truth - row.from_truth
    drawing.text(
        WIDTH - PAD,
        y + 16,
        fitted(f"net {net:+d}".replace("-", "−") if net else "net 0", room + PAD),
        "end",
        colour=look.muted,
        size=11,
    )
