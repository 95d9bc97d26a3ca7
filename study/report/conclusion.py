"""What the data support, in one or two sentences that claim no more than the analysis."""

from __future__ import annotations

from study.analysis import ONE_READER
from study.report.contents import Report
from study.report.multi_reader import READERS_AND_CASES
from study.report.words import interval, number, said_p

MODELS = "The readers are a model: nothing follows for people."


def conclusion(report: Report) -> str:
    """What the data support, and for whom."""
    return f"{_supported(report)} {MODELS}" if report.notice else _supported(report)


def _supported(report: Report) -> str:
    analysis = report.analysis
    primary = next((test for test in report.planned if test.primary), None)
    if primary is not None:
        found = primary.estimate
        if found is None:
            return f"Pre-registered, {primary.endpoint}: {primary.verdict} Nothing else here replaces it."
        bounds = f", {100 * (1 - primary.alpha):g} % interval {interval(found.ci)}" if found.ci else ""
        return (
            f"Pre-registered, {primary.endpoint}: {found.new} {number(found.new_value)}, {found.reference} "
            f"{number(found.reference_value)}; difference {number(found.difference)}{bounds}. {primary.verdict} "
            f"From {found.readers} readers and {found.cases} cases, it speaks for {found.generalises_to}."
        )
    if ONE_READER in analysis.sentences:
        return f"Exploratory. {ONE_READER}"
    for test in report.exploratory:
        if test.generalises_to == READERS_AND_CASES and test.comparisons:
            c = test.comparisons[0]
            bounds = f" (95 % interval {interval(c.ci)}; {said_p(c.p)})" if c.ci else ""
            return (
                f"Exploratory, {test.endpoint}: {c.first} minus {c.second} is {number(c.difference)}{bounds}. No protocol "
                f"came with these data, so this suggests and decides nothing; it would speak for {test.generalises_to}."
            )
    return "Exploratory. These data allow no statement about readers in general; each number speaks of its own reader."
