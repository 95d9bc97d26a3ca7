"""The agreement matrix: Cohen's kappa of every two readers and of each with the algorithm, with its n."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from study.analysis.agreement import NO_WIDTH
from study.plots.cast import Cast, counted
from study.plots.drawing import PAD, WIDTH, Drawing, blend, contrasting, fitted, number
from study.result_parts import Plot
from study.scores import ScoreTable
from study.statistics.agreement import cohen_kappa_of
from study.statistics.roc import NotEstimableError

NAME, TITLE = "agreement", "Agreement between readers"
_SIZE = 470.0  # of the matrix, at most
_LABELS = 150.0


@dataclass(frozen=True)
class PairAgreement:
    """Two readers' calls in one mode. `kappa` is None where it is not defined; `sentence` then says why."""

    mode: str
    first: str
    second: str
    cases: int
    same: int
    kappa: float | None
    interval: tuple[float, float] | None
    sentence: str = ""


def pair_agreements(table: ScoreTable, who: Cast) -> tuple[PairAgreement, ...]:
    """Every two people in each mode, and each of them with the algorithm; only pairs that called a case in common."""
    if table.call is None:
        return ()
    patients = np.array(list(table.case_patient.values()))
    cases = {case: n for n, case in enumerate(table.cases)}
    calls: dict[tuple[str, str], npt.NDArray[np.float64]] = {}
    for reader, mode, case, call in zip(table.reader, table.mode, table.case, table.call.tolist(), strict=True):
        if call >= 0:
            calls.setdefault((reader, mode), np.full(len(cases), np.nan))[cases[case]] = call
    own = next((calls[key] for key in calls if key[0] == who.algorithm), None)
    out = []
    for mode in who.modes:
        present = [(reader, calls[reader, mode]) for reader in who.people if (reader, mode) in calls]
        if own is not None and who.algorithm is not None:
            present.append((who.algorithm, own))
        out += [
            _pair(mode, first, second, one, two, patients)
            for (first, one), (second, two) in combinations(present, 2)
            if np.isfinite(one + two).any()
        ]
    return tuple(out)


def _pair(
    mode: str,
    first: str,
    second: str,
    one: npt.NDArray[np.float64],
    two: npt.NDArray[np.float64],
    patients: npt.NDArray[np.str_],
) -> PairAgreement:
    both = np.isfinite(one) & np.isfinite(two)
    a, b = one[both] == 1, two[both] == 1
    same = int((a == b).sum())
    try:
        kappa = cohen_kappa_of(a, b, patients[both])
    except NotEstimableError as error:
        return PairAgreement(mode, first, second, int(both.sum()), same, None, None, str(error))
    return PairAgreement(
        mode, first, second, int(both.sum()), same, kappa.kappa, kappa.ci, "" if kappa.ci else NO_WIDTH
    )


def agreement_plot(table: ScoreTable, who: Cast) -> Plot:
    """The first mode below the diagonal, the second above it."""
    shown = who.modes[:2]
    pairs = [pair for pair in pair_agreements(table, who) if pair.mode in shown]
    if not pairs:
        if table.call is None:
            why = "The data hold scores but no binary calls."
        elif len(who.people) + (who.algorithm is not None) < 2:
            why = "It takes two readers, or a reader and an algorithm."
        else:
            why = f"No two of them called the same case in {' or '.join(shown)}."
        return Plot(NAME, TITLE, "", f"Agreement cannot be shown. {why}")
    everybody = [*who.people, *([who.algorithm] if who.algorithm else [])]
    side = min(56.0, _SIZE / len(everybody))
    left, top = PAD + _LABELS, 42.0
    drawing = Drawing(who.look, top + side * len(everybody) + 12)
    low, high = shown[0], shown[1] if len(shown) > 1 else ""
    place = {name: n for n, name in enumerate(everybody)}
    for n, name in enumerate(everybody):
        middle = top + (n + 0.5) * side
        chip_x = left - 14
        for x, y in ((chip_x, middle), (left + (n + 0.5) * side, top - 14)):
            if name in who.people:
                drawing.chip(x, y, 1, who.colour(name), who.number(name), 7.5)
            else:
                drawing.star(x, y, 8)
        drawing.text(chip_x - 14, middle + 4, fitted(name, _LABELS - 30), "end")
        drawing.box(left + n * side, top + n * side, side, side, who.look.line)
    for pair in pairs:
        one, two = sorted((place[pair.first], place[pair.second]))
        row, column = (two, one) if pair.mode == low else (one, two)
        _cell(drawing, left + column * side, top + row * side, side, pair)
    _key(drawing, left + side * len(everybody) + 34, top, low, high)
    caption = (
        f"Cohen's kappa of binary calls, n = {counted([pair.cases for pair in pairs])} cases called by both"
        + (" (small numbers: n)." if side > 34 else ".")
        + f" Below the diagonal {low}"
        + (f", above it {high}." if high else ".")
        + (f" {who.algorithm}'s calls are its own in every mode." if who.algorithm and high else "")
    )
    undefined = list(dict.fromkeys(pair.sentence for pair in pairs if pair.kappa is None))
    if undefined:
        caption += f" “–”: {' '.join(undefined)}"
    if len(who.modes) > 2:
        caption += " Only the first two modes are shown."
    text = "; ".join(
        f"{pair.mode}: {pair.first} and {pair.second} {_value(pair)}, n {pair.cases}" for pair in pairs[:80]
    )
    title = f"{TITLE}: kappa"
    return Plot(NAME, title, drawing.svg(title, f"Cohen's kappa. {text}.", caption), caption)


def _value(pair: PairAgreement) -> str:
    return "–" if pair.kappa is None else number(pair.kappa, 2)


def _cell(drawing: Drawing, x: float, y: float, side: float, pair: PairAgreement) -> None:
    look = drawing.look
    # Agreement below chance is as pale as none: its minus says it.
    fill = look.paper if pair.kappa is None else blend(*look.ramp, max(0.0, min(pair.kappa, 1.0)))
    drawing.box(x, y, side, side, fill, look.line)
    ink = contrasting(fill, look)
    size = min(14.0, side * 0.34)
    if side > 34:
        drawing.text(x + side / 2, y + side * 0.48, _value(pair), "middle", colour=ink, size=size, weight=600)
        drawing.text(x + side / 2, y + side * 0.78, f"{pair.cases}", "middle", colour=ink, size=size * 0.75)
    else:
        drawing.text(x + side / 2, y + side * 0.5 + size * 0.36, _value(pair), "middle", colour=ink, size=size)


def _key(drawing: Drawing, x: float, y: float, low: str, high: str) -> None:
    """What the shades mean."""
    look = drawing.look
    room = WIDTH - PAD - x
    if room < 60:
        return
    drawing.text(x, y + 8, "kappa", size=11, colour=look.muted)
    for n, share in enumerate((1.0, 0.8, 0.6, 0.4, 0.2, 0.0)):
        top = y + 18 + n * 20
        drawing.box(x, top, 20, 20, blend(*look.ramp, share), look.line)
        drawing.text(x + 28, top + 14, f"{share:.1f}" if share else "0 or less", size=11)
    drawing.text(x, y + 164, fitted(f"◣ {low}", room))
    if high:
        drawing.text(x, y + 184, fitted(f"◥ {high}", room))
