"""The main results in a few lines of plain text, for a terminal."""

from __future__ import annotations

from study.analysis import Analysis
from study.analysis.planned import PlannedTest
from study.report.contents import Report
from study.report.multi_reader import METHODS, READERS_AND_CASES, MultiReaderTest
from study.report.words import auc_intervals, counted, interval, number, said_p, share, who_read
from study.statistics.accuracy import Proportion

_MOST_READERS = 40
_MOST_PROBLEMS = 5
_MOST_PAIRS = 3


def summary(report: Report) -> str:
    analysis = report.analysis
    lines = [report.notice] if report.notice else []
    lines += [analysis.title or "Reader study", _counts(analysis), f"Design: {analysis.design}"]
    for test in report.planned:
        lines += ["", *_planned_lines(test)]
    if report.study is not None:
        noted = [f"{deviation.what} {deviation.reason}" for _, deviation in report.study.dossier.deviations]
        lines += [f"Deviation: {sentence}" for sentence in (*noted, *report.study.departures)]
        problems = report.study.dossier.problems
        if problems:
            lines += ["", f"The record does not hold together: {counted(len(problems), 'problem')}; see verify."]
            lines += problems[:_MOST_PROBLEMS]
    lines += ["", *_reader_lines(analysis)]
    for exploratory in report.exploratory:
        if exploratory.generalises_to == READERS_AND_CASES:
            lines += ["", *_exploratory_lines(exploratory)]
    lines += _pair_lines(analysis)
    for row in report.non_inferiority[:2]:  # of the first method; both ways
        lines.append(
            f"Exploratory: non-inferiority of {row.new} to {row.reference} in {row.endpoint}, margin {row.margin:g} "
            f"({row.method}): one-sided {said_p(row.p_one_sided)}"
        )
    if analysis.sentences:
        lines += ["", *analysis.sentences]
    return "\n".join(lines) + "\n"


def _planned_lines(test: PlannedTest) -> list[str]:
    kind = "Pre-registered, primary" if test.primary else "Registered, secondary"
    found = test.estimate
    if found is None:
        return [f"{kind}: {test.endpoint}", f"  {test.verdict}"]
    corrected = f", corrected {said_p(test.adjusted_p)}" if test.adjusted_p is not None else ""
    methods = f"{METHODS[test.method]}, {found.covariance} covariance, {found.df_rule} degrees of freedom"
    difference = f"{found.new} minus {found.reference}: {number(found.difference)} ({_interval(found.ci)})"
    means = "; ".join(
        _mean(*each)
        for each in (
            (found.new, found.new_value, found.new_ci),
            (found.reference, found.reference_value, found.reference_ci),
        )
    )
    return [
        f"{kind}: {test.endpoint}, {methods}; speaks for {found.generalises_to}",
        f"  {means}",
        f"  {difference}, {said_p(test.p)}{corrected}",
        f"  {test.verdict}",
    ]


def _mean(name: str, value: float, bounds: tuple[float, float] | None) -> str:
    return f"{name} {number(value)}" + (f" ({interval(bounds)})" if bounds else "")


def _reader_lines(analysis: Analysis) -> list[str]:
    lines = []
    for result in analysis.reader_results[:_MOST_READERS]:
        auc = result.auc_delong
        held = "; ".join(f"{interval(ci)}, {name}" for name, ci in auc_intervals(auc)) if auc else ""
        bounds = f" ({held})" if held else ""
        parts = [f"AUC {number(auc.auc)}{bounds}"] if auc else []
        if result.calls:
            named = (("sensitivity", result.sensitivity), ("specificity", result.specificity))
            exact = analysis.method("Clopper-Pearson")
            parts += [f"{name} {share(value)}{_exact(value, exact)}" for name, value in named]
        lines.append(f"{analysis.named(result)}: {'; '.join(parts) or 'no number'}")
        lines += [f"  {sentence}" for sentence in result.sentences]
    if len(analysis.reader_results) > _MOST_READERS:
        lines.append(f"and {len(analysis.reader_results) - _MOST_READERS} more; see --json or --html")
    return lines


def _interval(bounds: tuple[float, float] | None) -> str:
    return "no interval" if bounds is None else interval(bounds)


def _exact(value: Proportion | None, method: str) -> str:
    return f" ({interval(value.clopper_pearson)}, {method})" if value is not None and value.n else ""


def _pair_lines(analysis: Analysis) -> list[str]:
    """Two against each other, where there are so few that a terminal can hold them."""
    lines = []
    for pair in analysis.pairs if len(analysis.pairs) <= _MOST_PAIRS else ():
        title = f"Exploratory: {pair.first} minus {pair.second}, {pair.cases} cases; speaks for cases like these, read by these two"
        lines += ["", title]
        if pair.auc_delong:
            bounds = f" ({interval(pair.auc_delong.ci)})" if pair.auc_delong.ci else ""
            lines.append(
                f"  AUC: {number(pair.auc_delong.difference)}{bounds}, {pair.auc_delong.method} {said_p(pair.auc_delong.p)}"
            )
        for of, table in (("sensitivity", pair.sensitivity_mcnemar), ("specificity", pair.specificity_mcnemar)):
            if table is not None:
                lines.append(
                    f"  {of}: {number(table.difference)} ({analysis.method('Tango')} {interval(table.tango)}; "
                    f"{analysis.method('Newcombe 10').replace(' 10', '')} {interval(table.newcombe)}), {analysis.method('McNemar exact')} "
                    f"{said_p(table.exact_p)}, {analysis.method('McNemar mid-p').removeprefix('McNemar ')} "
                    f"{said_p(table.mid_p).removeprefix('p ').removeprefix('= ')}"
                )
        lines += [f"  {sentence}" for sentence in pair.sentences]
    return lines


def _exploratory_lines(test: MultiReaderTest) -> list[str]:
    covariance = f", {test.covariance} covariance" if test.covariance != "none" else ""
    methods = f"{test.method}{covariance}, {test.df_rule} degrees of freedom"
    lines = [f"Exploratory: {test.endpoint}, {methods}; speaks for {test.generalises_to}"]
    if test.p is not None and len(test.comparisons) > 1:
        lines.append(f"  all modes equal: {said_p(test.p)}")
    lines += [
        f"  {c.first} minus {c.second}: {number(c.difference)} ({_interval(c.ci)}), {said_p(c.p)}"
        for c in test.comparisons
    ]
    return [*lines, *(f"  {sentence}" for sentence in test.sentences)]


def _counts(analysis: Analysis) -> str:
    kinds = (who_read(analysis), counted(analysis.modes, "mode"), counted(analysis.cases, "case"))
    return f"{', '.join(kinds)}: {analysis.loose} loose, {analysis.not_loose} not loose"
