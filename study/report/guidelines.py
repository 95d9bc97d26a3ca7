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
    """In the order of STARD 2015. A section is named only where this report has it and it says what the item asks for."""
    analysis, study, plan = report.analysis, report.study, report.plan
    protocol = study.dossier.protocol if study is not None else None
    calls = any(result.calls is not None for result in analysis.reader_results)
    several = bool(report.exploratory)
    switched = bool(analysis.switches)
    timed = any(result.median_s is not None for result in analysis.reader_results)
    flow = study.scores.flow if study is not None else None

    def where(*sections: tuple[str, bool]) -> str:
        return "; ".join(name for name, held in sections if held) or AUTHORS

    aided = [
        words
        for words, held in (
            ("who changed to and from the truth", switched),
            ("flipped outputs", study is not None and study.sham is not None),
            ("time per case", timed),
        )
        if held
    ]
    return [
        Item("1-3", "Title, abstract, background, intended use and role of the CNN", AUTHORS),
        Item(
            "4",
            "Study question and hypotheses",
            where(("The study", protocol is not None), ("Pre-registered analysis", plan is not None)),
        ),
        Item("5-9", "Setting, dates, eligibility, how the cases were found and chosen", AUTHORS),
        Item(
            "10a",
            "Index test: the CNN with its version and hash; readers and reading conditions",
            where(("The study", protocol is not None)),
        ),
        Item("10b, 11", "Reference standard and where it comes from", where(("The study", protocol is not None))),
        Item("12", "Operating point of the CNN, and how it was chosen", AUTHORS),
        Item("13", "What readers knew: blinding, order, washout", where(("The study", protocol is not None))),
        Item(
            "14",
            "Statistical methods, each named with covariance, degrees of freedom and whom it speaks for",
            where(
                ("Pre-registered analysis", bool(report.planned)), ("Several readers", several), ("Each reader", True)
            ),
        ),
        Item(
            "15, 16",
            "How indeterminate and missing results were handled",
            where(("Pre-registered analysis", plan is not None), ("Case flow", study is None)),
        ),
        Item(
            "17",
            "Variability: between readers, of one reader, variance components",
            where(
                ("Agreement between readers", bool(analysis.agreement)),
                ("Agreement of readers with themselves", study is not None and bool(study.intra_reader)),
                ("Variance components", bool(analysis.crossed)),
            ),
        ),
        Item(
            "18",
            "Intended sample size and how it was reached",
            where(("Pre-registered analysis", plan is not None and plan.effect is not None and plan.power is not None)),
        ),
        Item("19", "Flow of cases and readings, with those left out and why", where(("Case flow", True))),
        Item(
            "20-22", "Patients' characteristics, severity, interval between radiograph and reference standard", AUTHORS
        ),
        Item("23", "Cross tabulation of calls against the reference standard", where(("Each reader", calls))),
        Item(
            "24",
            "Estimates of accuracy with 95 % intervals",
            where(
                ("Each reader", any(result.calls or result.auc_delong for result in analysis.reader_results)),
                ("Several readers", several),
            ),
        ),
        Item(
            "25",
            "Adverse events",
            AUTHORS,
        ),
        Item(
            "AI",
            "Failures: cases that the CNN did not decide, readings against the protocol",
            where(("Case flow", flow is not None), ("Deviations", study is not None)),
        ),
        Item("26, 27", "Limitations and implications", AUTHORS),
        Item(
            "28, 29",
            "Registration and protocol: hash, time and full text; deviations",
            where(("Record and protocol; Deviations", study is not None)),
        ),
        Item("30", "Funding and interests", AUTHORS),
        Item("AI", "Training data, architecture, failure analysis of the CNN", f"the CNN's model card; else {AUTHORS}"),
        Item(
            "AI",
            f"Aided reading: {', '.join(aided)}" if aided else "Aided reading: changed calls, time per case",
            where(("Changed calls", switched), ("Time per case", timed)),
        ),
        Item(
            "AI",
            "Versions and hashes of software, data and record",
            where(("Record and protocol", study is not None), ("Where the numbers come from", study is None)),
        ),
    ]
