"""Differences with their intervals: between modes, and between the readers and the algorithm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from study.analysis import Analysis, CrossedResult
from study.plots.cast import Cast, case_counts, cast, of_algorithm
from study.plots.drawing import LIGHT, PAD, WIDTH, Drawing, Look, fitted, number, text_width, ticks
from study.result_parts import Plot
from study.statistics.covariance import Covariance, Merit

NAME, TITLE = "differences", "Differences between modes"
AGAINST_NAME, AGAINST_TITLE = "against-algorithm", "Readers and algorithm"
_MOST_BLOCKS = 3
_LEFT, _AXIS, _STEP = 200.0, 350.0, 24.0


@dataclass(frozen=True)
class Row:
    """One line of a forest plot; `interval` is None where the data do not determine it."""

    label: str
    value: float
    interval: tuple[float, float] | None
    summary: bool = False


@dataclass(frozen=True)
class Block:
    """Rows that share a meaning: first minus second."""

    first: str
    second: str
    rows: tuple[Row, ...]


def main_result(analysis: Analysis) -> CrossedResult | None:
    """The multi-reader result that plots show: AUC with jackknife covariances, or whatever there is of AUC."""
    order = (Covariance.JACKKNIFE, Covariance.CLUSTERED, Covariance.UNBIASED, Covariance.DELONG)
    of_auc = [result for result in analysis.crossed if result.merit is Merit.AUC]
    return min(of_auc, key=lambda result: order.index(result.covariance), default=None)


def forest_plot(analysis: Analysis, look: Look = LIGHT) -> Plot:
    """Each reader's difference in AUC between two modes, and the readers' mean with its interval."""
    who = cast(analysis, look)
    if len(who.modes) < 2:
        return Plot(NAME, TITLE, "", "The readers read in one mode only, so there is no difference to plot.")
    chosen = main_result(analysis)
    if chosen is None or not chosen.analysis.reader_differences:
        return _pairs_forest(analysis, who)
    inference = chosen.analysis.random_readers_random_cases
    blocks = []
    for mean in inference.differences[:_MOST_BLOCKS]:
        rows = [
            Row(reader, d.difference, d.ci if d.se > 0 else None)
            for reader, d in chosen.analysis.reader_differences
            if (d.first, d.second) == (mean.first, mean.second)
        ]
        summary = Row(f"mean of {len(rows)} readers", mean.difference, mean.ci if mean.se > 0 else None, summary=True)
        blocks.append(Block(mean.first, mean.second, (*rows, summary)))
    caption = (
        f"{case_counts(analysis)} Obuchowski-Rockette, {chosen.covariance} covariance. Bars: 95 % interval of each "
        f"reader, for cases like these. Diamond: mean, for {inference.generalises_to}"
    )
    df = inference.differences[0].df
    caption += f", {number(df, 1)} degrees of freedom (Hillis)." if df < 1e6 else " (Hillis)."
    if inference.caution:
        caption += f" {inference.caution}"
    if len(inference.differences) > len(blocks):
        caption += f" {len(inference.differences) - len(blocks)} more pairs of modes are in the tables."
    title = f"{TITLE}: {chosen.merit}"
    return _plot(NAME, title, blocks, str(chosen.merit), who, caption)


def _pairs_forest(analysis: Analysis, who: Cast) -> Plot:
    """Without an analysis over several readers: each reader's own DeLong differences, and no mean."""
    first, second = who.modes[:2]
    rows = [
        Row(reader, pair.auc_delong.difference, pair.auc_delong.ci)
        for reader in who.people
        for pair in analysis.pairs
        if (pair.first, pair.second) == (f"{reader}, {first}", f"{reader}, {second}") and pair.auc_delong is not None
    ]
    if not rows:
        why = analysis.sentences[0] if analysis.sentences else "No reader's AUC can be compared between two modes."
        return Plot(NAME, TITLE, "", f"No differences can be plotted. {why}")
    caption = (
        f"{case_counts(analysis)} Paired {analysis.method('DeLong')}, 95 % intervals; each speaks for this reader and cases like these. "
        "No mean is given, as these data allow no analysis over readers."
    )
    return _plot(NAME, f"{TITLE}: AUC", [Block(first, second, tuple(rows))], "AUC", who, caption)


def against_algorithm_plot(analysis: Analysis, look: Look = LIGHT) -> Plot:
    """The algorithm's AUC minus each reader's (in their first mode), and minus their mean, with intervals."""
    algorithm = of_algorithm(analysis)
    if algorithm is None:
        return Plot(AGAINST_NAME, AGAINST_TITLE, "", "No reader of these data is an algorithm.")
    who = cast(analysis, look)
    mode = next((mode for mode in who.modes), "")
    several = analysis.modes > 1
    own = {f"{algorithm.reader}, {r.mode}" for r in analysis.reader_results} | {algorithm.reader}
    rows = []
    for reader in who.people:
        label = f"{reader}, {mode}" if several else reader
        for pair in analysis.pairs:
            if pair.auc_delong is None or not {pair.first, pair.second} & own or label not in (pair.first, pair.second):
                continue
            rows.append(Row(reader, pair.auc_delong.difference, pair.auc_delong.ci))
            break
    one = analysis.algorithm_against_readers
    caption = f"{case_counts(analysis)} Readers: {mode}. Bars: 95 % interval by paired {analysis.method('DeLong')}, for this reader and cases like these."
    if one is not None:
        bounds = (-one.ci[1], -one.ci[0]) if one.se > 0 else None
        rows.append(Row(f"mean of {len(one.readers)} readers", -one.difference, bounds, summary=True))
        df = f"; df {number(one.df, 1)}" if one.df < 1e6 else ""
        caption += f" Diamond: mean, for {one.generalises_to} ({one.method}{df}). {one.caution}"
    if not rows:
        why = next((s for s in (*algorithm.sentences, *analysis.sentences) if s), "No case was read by both.")
        return Plot(AGAINST_NAME, AGAINST_TITLE, "", f"Readers and algorithm cannot be compared. {why}")
    title = f"{AGAINST_TITLE}: AUC"
    return _plot(AGAINST_NAME, title, [Block(algorithm.reader, "readers", tuple(rows))], "AUC", who, caption.strip())


def _plot(name: str, title: str, blocks: Sequence[Block], merit: str, who: Cast, caption: str) -> Plot:
    rows = [row for block in blocks for row in block.rows]
    ends = [end for row in rows for end in (row.interval or (row.value, row.value))] + [0.0]
    low, high = min(ends), max(ends)
    pad = max((high - low) * 0.06, 0.005)
    low, high = low - pad, high + pad
    height = sum(len(block.rows) * _STEP + 34 for block in blocks) + 60
    drawing = Drawing(who.look, height)
    look = who.look

    def at(value: float) -> float:
        return _LEFT + (value - low) / (high - low) * _AXIS

    bottom = height - 54
    drawing.line(at(0), 22, at(0), bottom, look.muted, 1.2, "4 3")
    y = 22.0
    for block in blocks:
        heading = fitted(f"{block.first} − {block.second}", _LEFT - 30, weight=600)
        drawing.text(PAD, y, heading, weight=600)
        left = fitted(f"← {block.second} higher", at(0) - 12 - PAD - text_width(heading, weight=600), 11)
        drawing.text(at(0) - 8, y, left, "end", size=11, colour=look.muted)
        room = WIDTH - PAD - at(0) - 8
        drawing.text(at(0) + 8, y, fitted(f"{block.first} higher →", room, 11), size=11, colour=look.muted)
        y += 22
        for row in block.rows:
            _draw(drawing, row, y, at, who)
            y += _STEP
        y += 12
    drawing.line(_LEFT, bottom, _LEFT + _AXIS, bottom)
    for tick in ticks(low, high):
        drawing.line(at(tick), bottom, at(tick), bottom + 5)
        drawing.text(at(tick), bottom + 18, f"{tick:g}".replace("-", "−"), "middle", size=11)
    drawing.text(_LEFT + _AXIS / 2, bottom + 40, f"difference in {merit}", "middle", size=13)
    said = "; ".join(f"{row.label} {_numbers(row)}" for row in rows)
    return Plot(name, title, drawing.svg(title, f"Difference in {merit} with 95 % interval. {said}.", caption), caption)


def _draw(drawing: Drawing, row: Row, y: float, at: object, who: Cast) -> None:
    assert callable(at)
    look = who.look
    weight = 600 if row.summary else 400
    x = at(row.value)
    if row.interval is not None and row.summary:
        drawing.diamond(at(row.interval[0]), x, at(row.interval[1]), y, look.ink)
    else:
        colour = look.ink if row.summary else who.colour(row.label)
        if row.interval is not None:
            drawing.line(at(row.interval[0]), y, at(row.interval[1]), y, colour, 2)
            for end in row.interval:
                drawing.line(at(end), y - 4, at(end), y + 4, colour, 2)
        drawing.box(x - 4.5, y - 4.5, 9, 9, colour)
    label_x = PAD
    if row.label in who.people:
        drawing.chip(PAD + 9, y, 1, who.colour(row.label), who.number(row.label), 7.5)
        label_x += 26
    drawing.text(label_x, y + 4, fitted(row.label, _LEFT - label_x - 12, weight=weight), weight=weight)
    drawing.text(_LEFT + _AXIS + 16, y + 4, _numbers(row), weight=weight)


def _numbers(row: Row) -> str:
    if row.interval is None:
        return f"{number(row.value, 3)} (no interval)"
    return f"{number(row.value, 3)} ({number(row.interval[0], 3)} to {number(row.interval[1], 3)})"
