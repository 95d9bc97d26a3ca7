"""Which items of the reporting guidelines a report supports, and what its authors still have to write themselves.

In words, with the numbers of STARD 2015 (Bossuyt et al., BMJ 2015;351:h5527), which STARD-AI extends; CLAIM (Tejani et al.,
Radiol Artif Intell 2024;6:e240300) asks for the same in its own order. A report supports; only a paper can comply.
"""

from __future__ import annotations

from dataclasses import dataclass

from study.report.contents import Report

AUTHORS = "for the authors to add"


@dataclass(frozen=True)
class Item:
    """`where`: the section of this report that supports it, or AUTHORS."""

    number: str
    words: str
    where: str


def items_of(report: Report) -> list[Item]:
    has_times = any(result.median_s is not None for result in report.analysis.reader_results)
    return supported_items(is_study=report.study is not None, has_plan=report.plan is not None, has_times=has_times)


def supported_items(*, is_study: bool, has_plan: bool, has_times: bool) -> list[Item]:
    """In the order of STARD 2015."""

    def study(section: str) -> str:
        return section if is_study else AUTHORS

    return [
        Item("1-3", "Title, abstract, background, intended use and role of the CNN", AUTHORS),
        Item("4", "Study question and hypotheses", study("The study; Pre-registered analysis")),
        Item("5-9", "Setting, dates, eligibility, how the cases were found and chosen", AUTHORS),
        Item(
            "10a", "Index test: the CNN with its version and hash; readers and reading conditions", study("The study")
        ),
        Item("10b, 11", "Reference standard and where it comes from", study("The study")),
        Item(
            "12", "Operating point: CNN's, fixed beforehand; readers' calls on the same 0-100 scale", study("The study")
        ),
        Item("13", "What readers knew: blinding, order, washout", study("The study")),
        Item(
            "14",
            "Statistical methods, each named with covariance, degrees of freedom and whom it speaks for",
            "all tables",
        ),
        Item(
            "15, 16", "How indeterminate and missing results were handled", "Case flow" if has_plan else "Each reader"
        ),
        Item("17", "Variability: between readers, of one reader, variance components", "Agreement; Several readers"),
        Item("18", "Intended sample size and how it was reached", study("Pre-registered analysis")),
        Item("19", "Flow of cases and readings, with those left out and why", "Case flow"),
        Item(
            "20-22", "Patients' characteristics, severity, interval between radiograph and reference standard", AUTHORS
        ),
        Item("23", "Cross tabulation of calls against the reference standard", "Each reader"),
        Item("24", "Estimates of accuracy with 95 % intervals", "Each reader; Several readers"),
        Item(
            "25",
            "Failures: cases that the CNN did not decide, readings against the protocol",
            study("Case flow; Deviations"),
        ),
        Item("26, 27", "Limitations and implications", AUTHORS),
        Item("28, 29", "Registration and protocol: hash, time and full text; deviations", study("Record and protocol")),
        Item("30", "Funding and interests", AUTHORS),
        Item("AI", "Training data, architecture, failure analysis of the CNN", f"the CNN's model card; else {AUTHORS}"),
        Item(
            "AI",
            "Aided reading: who changed to and from the truth, flipped outputs, time per case"
            if has_times
            else "Aided reading: who changed to and from the truth",
            "Changed calls",
        ),
        Item(
            "AI",
            "Versions and hashes of software, data and record",
            "Record and protocol" if is_study else "Where the numbers come from",
        ),
    ]
