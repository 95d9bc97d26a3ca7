"""The tables of a results view: the registered analysis first, everything else marked as exploratory or descriptive."""

from __future__ import annotations

from collections.abc import Iterable

from study.analysis import ONE_READER
from study.plots import cast, pair_agreements
from study.report import MultiReaderTest, Report
from study.report.multi_reader import METHODS, READERS_AND_CASES
from study.report.words import counted, degrees, interval, number, p_value, said_p, share
from study.result_parts import Status, Table
from study.statistics.accuracy import McNemar


def conclusion(report: Report) -> str:
    """One or two sentences: what the data support, and for whom."""
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
            f"It speaks for {found.generalises_to}."
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


def result_tables(report: Report) -> list[Table]:
    """All tables that have a row."""
    made = [
        _planned(report),
        _tests(report),
        _aucs(report),
        _accuracy(report),
        _paired_aucs(report),
        _mcnemar(report),
        _coefficients(report),
        _kappas(report),
        _intra(report),
        _switches(report),
        _times(report),
        _flow(report),
        _departures(report),
        _provenance(report),
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
                METHODS.get(test.method, str(test.method)),
                found.generalises_to if found else "–",
                f"{found.new} − {found.reference}" if found else "–",
                number(found.difference) if found else "–",
                interval(found.ci) if found else "–",
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
        "Difference",
        "95 % interval",
        "df",
        "p",
        "adjusted p",
    )
    note = "Fixed before the first reading. p: of the registered hypothesis; one-sided for non-inferiority."
    return Table("registered", "Registered analysis", Status.PREREGISTERED, (*columns, "In words"), tuple(rows), note)


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


def _aucs(report: Report) -> Table:
    rows = tuple(
        (
            r.reader,
            r.mode,
            str(r.cases),
            str(r.missing),
            number(r.auc_delong.auc) if r.auc_delong else "–",
            number(r.auc_delong.se, 4) if r.auc_delong else "–",
            interval(r.auc_delong.ci) if r.auc_delong and r.auc_delong.se > 0 else "–",
            " ".join(r.sentences),
        )
        for r in report.analysis.reader_results
    )
    columns = ("Reader", "Mode", "Read", "Without a score", "AUC", "SE (DeLong)", "95 % interval (DeLong)", "To note")
    return Table("readers", "Each reader: AUC", Status.DESCRIPTIVE, columns, rows, "Each speaks of this reader alone.")


def _accuracy(report: Report) -> Table:
    rows = []
    for r in report.analysis.reader_results:
        if r.calls is None:
            continue
        counts = (r.calls.true_positive, r.calls.false_negative, r.calls.true_negative, r.calls.false_positive)
        cells = [r.reader, r.mode, *map(str, counts)]
        for value in (r.sensitivity, r.specificity, r.positive_predictive_value, r.negative_predictive_value):
            known = value is not None and value.n > 0
            cells += [
                share(value),
                interval(value.wilson) if value is not None and known else "–",
                interval(value.clopper_pearson) if value is not None and known else "–",
            ]
        rows.append(tuple(cells))
    names = ("Sensitivity", "Specificity", "PPV", "NPV")
    columns = [f"{name}{kind}" for name in names for kind in ("", ", Wilson", ", Clopper-Pearson")]
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
            interval(pair.auc_delong.ci) if pair.auc_delong and pair.auc_delong.se > 0 else "–",
            p_value(pair.auc_delong.p) if pair.auc_delong else "–",
            " ".join(pair.sentences),
        )
        for pair in report.analysis.pairs
    )
    columns = ("First − second", "Cases", "AUC difference", "95 % interval (DeLong)", "p (DeLong)", "To note")
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
        )

    rows = tuple(
        row(f"{pair.first} − {pair.second}", of, table)
        for pair in report.analysis.pairs
        for of, table in (("sensitivity", pair.sensitivity_mcnemar), ("specificity", pair.specificity_mcnemar))
        if table is not None
    )
    columns = ("First − second", "Of", "Cases", "Only first right", "Only second right", "Difference", "Tango 95 %")
    ends = ("Newcombe 95 %", "p (McNemar exact)", "p (McNemar mid-p)")
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
            str(row.to_truth),
            str(row.from_truth),
            str(row.stayed_right),
            str(row.stayed_wrong),
        )
        for outputs, held in (("its own", report.analysis.switches), ("flipped (sham)", shams))
        for row in held
    )
    columns = ("Reader", "CNN outputs", "From → to", "Cases", "To the truth", "From the truth", "Right in both")
    return Table("switches", "Changed calls", Status.DESCRIPTIVE, (*columns, "Wrong in both"), rows)


def _times(report: Report) -> Table:
    rows = tuple(
        (r.reader, r.mode, str(r.cases), number(r.median_s, 1), interval(r.quartiles_s, 1))
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


def _departures(report: Report) -> Table:
    study = report.study
    if study is None:
        return Table("deviations", "", Status.DESCRIPTIVE, (), ())
    rows = [(utc[:16].replace("T", " "), noted.what, noted.reason) for utc, noted in study.dossier.deviations]
    rows += [("as the record shows", sentence, "") for sentence in study.departures]
    rows += [("problem of the record", sentence, "") for sentence in study.dossier.problems]
    title = "Deviations from the protocol"
    return Table("deviations", title, Status.DESCRIPTIVE, ("When", "What", "Why"), tuple(rows))


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
        ("Readers and modes", f"{counted(a.readers, 'reader')}, {counted(a.modes, 'mode')}"),
        ("Design", str(a.design)),
    ]
    return Table("provenance", "Where the numbers come from", Status.DESCRIPTIVE, ("What", ""), tuple(rows))
