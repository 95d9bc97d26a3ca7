"""The tables of a results view: the registered analysis first, everything else marked as exploratory or descriptive."""

from __future__ import annotations

from collections.abc import Iterable

from study.plots import cast, pair_agreements
from study.report import MultiReaderTest, Report
from study.report.guidelines import items_of
from study.report.multi_reader import METHODS
from study.report.page import COMPONENTS
from study.report.study_words import about_the_plan, about_the_study
from study.report.words import (
    MCNEMARS,
    auc_intervals,
    counted,
    degrees,
    interval,
    number,
    p_value,
    share,
    small,
    when,
    who_read,
)
from study.result_parts import Status, Table
from study.statistics.accuracy import McNemar

__all__ = ["result_tables"]


def result_tables(report: Report) -> list[Table]:
    """All tables that have a row."""
    made = [
        _planned(report),
        _tests(report),
        _components(report),
        _aucs(report),
        _accuracy(report),
        _paired_aucs(report),
        _mcnemar(report),
        _coefficients(report),
        _kappas(report),
        _intra(report),
        _switches(report),
        _marks(report),
        _times(report),
        _cases(report),
        _flow(report),
        _departures(report),
        _protocol(report),
        _readers(report),
        _provenance(report),
        _guidelines(report),
    ]
    return [table for table in made if table.rows]


def _planned(report: Report) -> Table:
    rows = []
    for test in report.planned:
        found = test.estimate
        rows.append(
            (
                "primary" if test.primary else "secondary",
                test.endpoint,
                f"{METHODS[test.method]}; {found.covariance} covariance; {found.df_rule} degrees of freedom"
                if found
                else METHODS[test.method],
                found.generalises_to if found else "–",
                f"{found.new} − {found.reference}" if found else "–",
                _mean(found.new, found.new_value, found.new_ci) if found else "–",
                _mean(found.reference, found.reference_value, found.reference_ci) if found else "–",
                number(found.difference) if found else "–",
                f"{100 * (1 - test.alpha):g} % interval {interval(found.ci)}" if found and found.ci else "–",
                degrees(found.df) if found else "–",
                p_value(test.p),
                p_value(test.adjusted_p) if test.adjusted_p is not None else "–",
                test.verdict,
            )
        )
    columns = (
        "",
        "Endpoint",
        "Method",
        "Speaks for",
        "Compared",
        "Mean of the new",
        "Mean of the reference",
        "Difference",
        "Interval",
        "df",
        "p",
        "adjusted p",
    )
    note = "Fixed before the first reading. p: of the registered hypothesis; one-sided for non-inferiority."
    if report.plan is not None and any(test.adjusted_p is not None for test in report.planned):
        note += f" Adjusted p: {dict(about_the_plan(report.plan))['Several tests']}."
    return Table("registered", "Registered analysis", Status.PREREGISTERED, (*columns, "In words"), tuple(rows), note)


def _mean(name: str, value: float, bounds: tuple[float, float] | None) -> str:
    return f"{name} {number(value)}" + (f" ({interval(bounds)})" if bounds else "")


def _tests(report: Report) -> Table:
    def row(test: MultiReaderTest) -> Iterable[tuple[str, ...]]:
        for c in test.comparisons:
            yield (
                test.endpoint,
                test.method,
                test.covariance,
                test.df_rule,
                test.generalises_to,
                f"{c.first} − {c.second}",
                number(c.difference),
                interval(c.ci),
                number(c.se, 4),
                degrees(c.df),
                p_value(c.p),
            )

    columns = ("Endpoint", "Method", "Covariance", "df rule", "Speaks for", "Compared", "Difference", "95 % interval")
    note = "Methods differ in what they assume, and their p-values with them; choose one before the data are seen."
    rows = tuple(line for test in report.exploratory for line in row(test))
    return Table("over-readers", "Several readers", Status.EXPLORATORY, (*columns, "SE", "df", "p"), rows, note)


def _components(report: Report) -> Table:
    rows = tuple(
        (
            str(found.merit),
            str(found.covariance),
            *(small(getattr(found.analysis.components, name)) for name in COMPONENTS),
        )
        for found in report.analysis.crossed
    )
    note = "cov1: one reader, two modes; cov2: two readers, one mode; cov3: both differ; ms: mean squares."
    columns = ("Endpoint", "Covariance", *(name.replace("_", " ") for name in COMPONENTS))
    return Table("components", "Several readers: variance components", Status.EXPLORATORY, columns, rows, note)


def _aucs(report: Report) -> Table:
    rows = tuple(
        (
            r.reader,
            report.analysis.mode_of(r),
            str(r.cases),
            str(r.missing),
            number(r.auc_delong.auc) if r.auc_delong else "–",
            number(r.auc_delong.se, 4) if r.auc_delong else "–",
            "; ".join(f"{interval(ci)} ({name})" for name, ci in auc_intervals(r.auc_delong)) if r.auc_delong else "–",
            " ".join(r.sentences),
        )
        for r in report.analysis.reader_results
    )
    se = f"SE ({report.analysis.method('DeLong')})"
    columns = ("Reader", "Mode", "Read", "Without a score", "AUC", se, "95 % interval", "To note")
    return Table("readers", "Each reader: AUC", Status.DESCRIPTIVE, columns, rows, "Each speaks of this reader alone.")


def _accuracy(report: Report) -> Table:
    rows = []
    for r in report.analysis.reader_results:
        if r.calls is None:
            continue
        counts = (r.calls.true_positive, r.calls.false_negative, r.calls.true_negative, r.calls.false_positive)
        cells = [r.reader, report.analysis.mode_of(r), *map(str, counts)]
        for value in (r.sensitivity, r.specificity, r.positive_predictive_value, r.negative_predictive_value):
            known = value is not None and value.n > 0
            cells += [
                share(value),
                interval(value.wilson) if value is not None and known else "–",
                interval(value.clopper_pearson) if value is not None and known else "–",
            ]
        rows.append(tuple(cells))
    names = ("Sensitivity", "Specificity", "PPV", "NPV")
    kinds = [report.analysis.method(kind) for kind in ("Wilson", "Clopper-Pearson")]
    columns = [column for name in names for column in (name, *(f"{name}, {kind}" for kind in kinds))]
    note = "Predictive values hold at the share of loose cases in these data. Intervals are 95 %."
    title = "Each reader: 2×2 tables"
    head = ("Reader", "Mode", "TP", "FN", "TN", "FP")
    return Table("accuracy", title, Status.DESCRIPTIVE, (*head, *columns), tuple(rows), note)


def _paired_aucs(report: Report) -> Table:
    rows = tuple(
        (
            f"{pair.first} − {pair.second}",
            str(pair.cases),
            number(pair.auc_delong.difference) if pair.auc_delong else "–",
            interval(pair.auc_delong.ci) if pair.auc_delong else "–",
            p_value(pair.auc_delong.p) if pair.auc_delong else "–",
            " ".join(pair.sentences),
        )
        for pair in report.analysis.listed_pairs
    )
    method = report.analysis.method("DeLong")
    columns = ("First − second", "Cases", "AUC difference", f"95 % interval ({method})", f"p ({method})", "To note")
    note = "Each speaks for cases like these, read by these two. Not corrected for multiplicity."
    return Table("pairs-auc", "Comparisons of two: AUC", Status.EXPLORATORY, columns, rows, note)


def _mcnemar(report: Report) -> Table:
    def row(label: str, of: str, table: McNemar) -> tuple[str, ...]:
        return (
            label,
            of,
            str(table.n),
            str(table.first_only),
            str(table.second_only),
            number(table.difference),
            interval(table.tango),
            interval(table.newcombe),
            p_value(table.exact_p),
            p_value(table.mid_p),
            p_value(table.chi2_p),
        )

    rows = tuple(
        row(f"{pair.first} − {pair.second}", of, table)
        for pair in report.analysis.listed_pairs
        for of, table in (("sensitivity", pair.sensitivity_mcnemar), ("specificity", pair.specificity_mcnemar))
        if table is not None
    )
    named = report.analysis.method
    columns = ("First − second", "Of", "Cases", "Only first right", "Only second right", "Difference")
    ends = (
        *(f"{named(name)}, 95 %" for name in ("Tango", "Newcombe 10")),
        *(f"p ({named(name)})" for name in MCNEMARS),
    )
    note = "Each speaks for cases like these, read by these two. Not corrected for multiplicity."
    return Table("pairs-calls", "Comparisons of two: calls", Status.EXPLORATORY, (*columns, *ends), rows, note)


def _coefficients(report: Report) -> Table:
    rows = [
        (a.mode, a.of, str(a.readers), str(a.cases), name, number(value), _bounds(low, high))
        for a in report.analysis.agreement
        for name, (value, low, high) in a.coefficients.items()
    ]
    rows += [
        (a.mode, a.of, str(a.readers), str(a.cases), sentence, "–", "–")
        for a in report.analysis.agreement
        for sentence in a.sentences
    ]
    columns = ("Mode", "Of", "Readers", "Cases", "Coefficient", "Value", "95 % interval")
    return Table("agreement", "Agreement between readers", Status.DESCRIPTIVE, columns, tuple(rows))


def _bounds(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else interval((low, high))


def _kappas(report: Report) -> Table:
    rows = tuple(
        (
            pair.mode,
            pair.first,
            pair.second,
            str(pair.cases),
            str(pair.same),
            number(pair.kappa, 2),
            interval(pair.interval, 2),
            pair.sentence,
        )
        for pair in pair_agreements(report.table, cast(report.analysis))
    )
    columns = ("Mode", "First", "Second", "Cases", "Same call", "Cohen's kappa", "95 % interval", "To note")
    return Table("agreement-pairs", "Agreement of every two", Status.DESCRIPTIVE, columns, rows)


def _intra(report: Report) -> Table:
    rows = tuple(
        (
            row.reader,
            row.mode,
            str(row.cases),
            share(row.same_call),
            number(row.kappa.kappa, 2) if row.kappa else "–",
            interval(row.kappa.ci, 2) if row.kappa else "–",
            number(row.mean_change, 1),
            number(row.within_sd, 1),
            " ".join(row.sentences),
        )
        for row in (report.study.intra_reader if report.study is not None else ())
    )
    columns = ("Reader", "Mode", "Cases read twice", "Same call", "Kappa", "95 % interval", "Mean change of score")
    ends = ("Within-case SD", "To note")
    return Table("intra-reader", "Second readings", Status.DESCRIPTIVE, (*columns, *ends), rows)


def _switches(report: Report) -> Table:
    shams = report.study.sham_switches if report.study is not None else ()
    rows = tuple(
        (
            row.reader,
            outputs,
            f"{row.first} → {row.second}",
            str(row.cases),
            share(row.to_truth_rate),
            share(row.from_truth_rate),
            str(row.stayed_right),
            str(row.stayed_wrong),
        )
        for outputs, held in (("its own", report.analysis.switches), ("flipped (sham)", shams))
        for row in held
    )
    columns = ("Reader", "CNN outputs", "From → to", "Cases", "To the truth", "From the truth", "Right in both")
    note = "To the truth: of those wrong at first. From the truth: of those right at first."
    return Table("switches", "Changed calls", Status.DESCRIPTIVE, (*columns, "Wrong in both"), rows, note)


def _times(report: Report) -> Table:
    rows = tuple(
        (r.reader, report.analysis.mode_of(r), str(r.cases), number(r.median_s, 1), interval(r.quartiles_s, 1))
        for r in report.analysis.reader_results
        if r.median_s is not None
    )
    columns = ("Reader", "Mode", "Cases", "Median, active seconds", "Quartiles")
    return Table("time", "Time per case", Status.DESCRIPTIVE, columns, rows)


def _flow(report: Report) -> Table:
    flow = report.study.scores.flow.readers if report.study is not None else ()
    rows = tuple(
        (
            row.reader,
            row.mode,
            *(
                str(n)
                for n in (
                    row.planned,
                    row.given,
                    row.missing,
                    row.not_counted,
                    row.indeterminate,
                    row.sham,
                    row.repeated,
                )
            ),
        )
        for row in flow
    )
    columns = ("Reader", "Mode", "Planned", "Given", "Missing", "Not counted", "Indeterminate", "Sham", "Repeated")
    return Table("flow", "What became of the readings", Status.DESCRIPTIVE, columns, rows)


def _marks(report: Report) -> Table:
    rows = tuple(
        (row.reader, row.mode, share(row.peak_on_mark), interval(row.peak_on_mark.wilson), number(row.median_iou, 2))
        for row in (report.study.marks if report.study is not None else ())
    )
    wilson = report.analysis.method("Wilson")
    columns = ("Reader", "Mode", "Map's peak on a mark", f"95 % interval ({wilson})", "Median overlap (IoU)")
    note = "Two opinions about a place. Where a lesion truly lies is not known, so none of this is accuracy."
    return Table("marks", "Marks against the CNN's map", Status.DESCRIPTIVE, columns, rows, note)


def _cases(report: Report) -> Table:
    flow = report.study.scores.flow if report.study is not None else None
    rows = (
        (
            ("Cases registered", str(flow.registered)),
            ("For practice, not counted", str(flow.practice)),
            ("Loose", str(flow.loose)),
            ("Not loose", str(flow.not_loose)),
            ("Patients (clusters)", str(flow.patients)),
            ("Not decided by the CNN", str(flow.undecided_by_cnn)),
            ("CNN output flipped, tabulated apart", str(flow.sham)),
            ("Enrolled, nothing came back", ", ".join(flow.never_returned) or "nobody"),
        )
        if flow is not None
        else ()
    )
    return Table("cases", "Case flow", Status.DESCRIPTIVE, ("What", ""), rows)


def _departures(report: Report) -> Table:
    study = report.study
    if study is None:
        return Table("deviations", "", Status.DESCRIPTIVE, (), ())
    rows = [(utc[:16].replace("T", " "), noted.what, noted.reason) for utc, noted in study.dossier.deviations]
    rows += [("as the record shows", sentence, "") for sentence in study.departures]
    rows += [("problem of the record", sentence, "") for sentence in study.dossier.problems]
    title = "Deviations from the protocol"
    return Table("deviations", title, Status.DESCRIPTIVE, ("When", "What", "Why"), tuple(rows))


def _protocol(report: Report) -> Table:
    rows = about_the_study(report.study.dossier) if report.study is not None else []
    rows += about_the_plan(report.plan) if report.plan is not None else []
    note = "Its full text is in the HTML report; its SHA-256 is below and at the foot of every page."
    title = "The study" if report.study is not None else "Plan of the analysis"
    return Table(
        "protocol",
        title,
        Status.DESCRIPTIVE,
        ("What", "Fixed before the first reading"),
        tuple(rows),
        note if report.study is not None else "",
    )


def _readers(report: Report) -> Table:
    rows = tuple(
        (
            r.id,
            r.experience or "–",
            str(r.answers),
            str(r.corrections),
            when(r.first_utc),
            when(r.last_utc),
            number(r.active_s / 60, 1),
            number(r.break_s / 60, 1),
            "yes" if r.signed else "no",
        )
        for r in (report.study.dossier.readers if report.study is not None else ())
    )
    columns = ("Reader", "Experience", "Answers", "Corrected", "First entry", "Last entry", "Active minutes")
    return Table("people", "The readers", Status.DESCRIPTIVE, (*columns, "Breaks, minutes", "Signed"), rows)


def _provenance(report: Report) -> Table:
    origin = report.provenance
    rows = [("File", origin.file), ("SHA-256", origin.sha256 or "–"), ("Analysed", origin.created_utc)]
    rows += list(origin.versions.items())
    if report.study is not None:
        dossier = report.study.dossier
        rows += [("SHA-256 of the protocol", dossier.protocol_sha256)]
        rows += [
            (f"End of the record of {end.owner}", f"event {end.head.seq}: {end.head.hash}") for end in dossier.ends
        ]
    a = report.analysis
    rows += [
        ("Cases", f"{a.cases}: {a.loose} loose, {a.not_loose} not loose; {a.truth_unknown} without a known truth"),
        ("Patients", str(a.patients)),
        ("Readers and modes", f"{who_read(a)}, {counted(a.modes, 'mode')}"),
        ("Design", str(a.design)),
    ]
    title = "Record and protocol" if report.study is not None else "Where the numbers come from"
    return Table("provenance", title, Status.DESCRIPTIVE, ("What", ""), tuple(rows))


def _guidelines(report: Report) -> Table:
    rows = tuple((item.number, item.words, item.where) for item in items_of(report))
    note = "What this report supports of STARD-AI and CLAIM, with the numbers of STARD 2015. Only a paper can comply."
    return Table(
        "guidelines",
        "Reporting guidelines",
        Status.DESCRIPTIVE,
        ("Item", "What it asks for", "Supported by"),
        rows,
        note,
    )
