"""ROC curves: each reader and mode, the readers' mean, the algorithm, and where each of them calls a hip loose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from study.analysis import Analysis, ReaderResult
from study.plots.cast import Cast, case_counts, cast, of_algorithm, of_people
from study.plots.drawing import DASHES, LIGHT, Look, number
from study.plots.plane import MOST_ROWS, Plane
from study.result_parts import Plot

FloatArray = npt.NDArray[np.float64]
NAME, TITLE = "roc", "ROC curves"
_MOST_COLUMNS = 3  # of AUCs in the legend


def roc_plot(analysis: Analysis, look: Look = LIGHT) -> Plot:
    who = cast(analysis, look)
    people = [result for result in of_people(analysis) if result.roc is not None]
    algorithm = of_algorithm(analysis)
    if not people and (algorithm is None or algorithm.roc is None):
        said = next((s for r in analysis.reader_results for s in r.sentences), "No scores were given.")
        return Plot(NAME, TITLE, "", f"No ROC curve can be drawn. {said}")
    plane = Plane(who, "1 − specificity", "sensitivity")
    plane.curve([(0, 0), (1, 1)], look.muted, 1, "4 4")
    several = len(who.people) > 1
    for result in people:
        dash = DASHES[who.mode(result.mode) % len(DASHES)] if len(who.modes) > 1 else ""
        plane.curve(_points(result), who.colour(result.reader), 1.1 if several else 2, dash, 0.75 if several else 1)
    for n, mode in enumerate(who.modes):
        of_mode = [result for result in people if result.mode == mode]
        if len(of_mode) > 1:
            dash = "9 5" if n == 0 and len(who.modes) > 1 else ""
            plane.curve(_mean(of_mode), look.ink if n < 2 else look.muted, 3.2, dash)
    if algorithm is not None and algorithm.roc is not None:
        plane.double_line([plane.at(*point) for point in _points(algorithm)])
    for result in [*people, *([algorithm] if algorithm is not None else [])]:
        if result.calls is not None and result.sensitivity and result.specificity:
            x, y = result.specificity.value, result.sensitivity.value
            if x is not None and y is not None:
                plane.mark(1 - x, y, result.reader, who.mode(result.mode))
    _legend(plane, who, people, algorithm)
    plane.finish()
    caption = f"{case_counts(analysis)} Empirical ROC curves; AUC by the trapezoidal rule."
    if any(result.calls for result in analysis.reader_results):
        caption += " Marks: where each reader calls a hip loose."
    if any(len([r for r in people if r.mode == mode]) > 1 for mode in who.modes):
        caption += " Thick lines: mean sensitivity of the readers at each specificity."
    if any(r.auc_delong is not None and r.auc_delong.auc < 0.5 for r in analysis.reader_results):
        caption += " An AUC below .5 is shown as it is, below the diagonal."
    aucs = "; ".join(
        f"{analysis.named(r)}: {r.auc_delong.auc:.3f}" for r in analysis.reader_results[:40] if r.auc_delong
    )
    description = f"Sensitivity against 1 − specificity, one curve for each reader and mode. AUC: {aucs}."
    return Plot(NAME, TITLE, plane.drawing.svg(TITLE, description, caption), caption)


def _legend(plane: Plane, who: Cast, people: list[ReaderResult], algorithm: ReaderResult | None) -> None:
    columns = list(who.modes[:_MOST_COLUMNS])
    auc = {(r.reader, r.mode): r.auc_delong.auc for r in people if r.auc_delong is not None}
    plane.head("AUC", columns)
    shown = who.people if len(who.people) <= MOST_ROWS - 5 else who.people[: MOST_ROWS - 6]
    for reader in shown:
        plane.row(reader, [_auc(auc.get((reader, mode))) for mode in columns])
    if len(shown) < len(who.people):
        plane.note(f"and {len(who.people) - len(shown)} more readers")
    means = [[auc[reader, mode] for reader in who.people if (reader, mode) in auc] for mode in columns]
    if any(len(values) > 1 for values in means):
        values = [_auc(float(np.mean(of_mode)) if of_mode else None) for of_mode in means]
        plane.row("", values, f"mean of {len(who.people)}", who.look.ink)
    if algorithm is not None:
        value = _auc(algorithm.auc_delong.auc if algorithm.auc_delong else None)
        plane.row(algorithm.reader, own=value, line=True)
    if len(who.modes) > 1:
        plane.modes(lines=True)


def _auc(value: float | None) -> str:
    return "–" if value is None else number(value, 3)


def _points(result: ReaderResult) -> list[tuple[float, float]]:
    if result.roc is None:
        return []
    return list(zip(result.roc.false_positive_rate.tolist(), result.roc.true_positive_rate.tolist(), strict=True))


def _mean(results: Sequence[ReaderResult]) -> list[tuple[float, float]]:
    """Vertical average: mean sensitivity at each false positive rate, whose area is the mean of the areas.

    At a vertical step both ends are kept, so that the mean starts where the curves do.
    """
    grid = np.unique(np.concatenate([r.roc.false_positive_rate for r in results if r.roc is not None]))
    low = np.mean([_at(r, grid, upper=False) for r in results], axis=0)
    high = np.mean([_at(r, grid, upper=True) for r in results], axis=0)
    return [
        point for x, a, b in zip(grid, low, high, strict=True) for point in ((float(x), float(a)), (float(x), float(b)))
    ]


def _at(result: ReaderResult, grid: FloatArray, *, upper: bool) -> FloatArray:
    """Sensitivity at false positive rates; of a vertical step the lower or the upper end."""
    assert result.roc is not None
    x, y = result.roc.false_positive_rate, result.roc.true_positive_rate
    ends = {float(a): (float(y[x == a].min()), float(y[x == a].max())) for a in np.unique(x)}
    places = np.array(sorted(ends))
    starts, stops = (np.array([ends[a][n] for a in places.tolist()]) for n in (0, 1))
    right = np.minimum(np.searchsorted(places, grid, side="left"), places.size - 1)
    hit = np.isclose(places[right], grid, atol=1e-12)
    left = np.maximum(right - 1, 0)
    span = np.where(hit, 1.0, places[right] - places[left])
    share = np.where(hit, 0.0, (grid - places[left]) / span)
    between = stops[left] + share * (starts[right] - stops[left])
    return np.asarray(np.where(hit, (stops if upper else starts)[right], between), dtype=np.float64)
