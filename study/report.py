"""An analysis in words: a summary for the terminal, JSON for programs, one HTML file for people.

Every test stands with its method, covariance, degrees-of-freedom rule and the population that it speaks for; what was fixed
before the first reading comes first and says so, all else is exploratory. No number is NaN or infinite: null, and a sentence.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import msgspec

from study.analysis import ONE_READER, Analysis, PairResult, ReaderResult, possible_pairings
from study.plots import plots
from study.statistics.accuracy import McNemar, Proportion, proportion
from study.statistics.obuchowski_rockette import Difference, Inference, non_inferiority

READERS_AND_CASES = "readers and cases like these"
NO_TEST = "The data do not determine this number."
INFINITE_DF = "infinite: the normal or chi-square distribution"


class Preregistration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was fixed before the first reading. `sha256` is that of the protocol, as it was published then."""

    endpoint: Literal["AUC", "sensitivity", "specificity"]
    method: Literal["Obuchowski-Rockette", "U-statistics", "one algorithm against readers"]
    covariance: Literal["jackknife", "DeLong", "unbiased", "Obuchowski clustered", ""] = ""
    generalises_to: str = READERS_AND_CASES
    margin: float | None = None  # of non-inferiority
    missing: str = ""  # how missing and indeterminate readings count
    title: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Provenance:
    """Where the numbers come from."""

    file: str
    sha256: str
    app_version: str = ""
    created_utc: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    record_heads: tuple[str, ...] = ()  # of a record: the last event of each chain
    record_problems: tuple[str, ...] = ()

    @property
    def versions(self) -> dict[str, str]:
        """This program and the libraries that compute."""
        held = {"Lucency": self.app_version} if self.app_version else {}
        for name in ("numpy", "scipy", "statsmodels"):
            try:
                held[name] = version(name)
            except PackageNotFoundError:  # a frozen program need not carry it
                continue
        return held


@dataclass(frozen=True)
class Comparison:
    """One difference within a test."""

    first: str
    second: str
    difference: float
    se: float | None
    df: float | None
    ci: tuple[float, float] | None
    p: float | None


@dataclass(frozen=True)
class MultiReaderTest:
    """One multi-reader test in full."""

    endpoint: str
    method: str
    covariance: str
    df_rule: str
    generalises_to: str
    statistic_name: str
    statistic: float | None
    numerator_df: float | None
    denominator_df: float | None
    p: float | None
    comparisons: tuple[Comparison, ...]
    means: tuple[tuple[str, float, float | None, tuple[float, float] | None], ...]  # mode, mean, se, interval
    preregistered: bool
    sentences: tuple[str, ...] = ()

    @property
    def p_name(self) -> str:
        return slug("p", self.method, self.covariance, self.df_rule, self.generalises_to)


@dataclass(frozen=True)
class NonInferiority:
    """One-sided: `new` is worse than `reference` by no more than the margin."""

    new: str
    reference: str
    endpoint: str
    margin: float
    difference: float
    method: str
    generalises_to: str
    p_one_sided: float | None
    preregistered: bool

    @property
    def p_name(self) -> str:
        return slug("p_one_sided_non_inferiority", self.method, self.generalises_to)


def slug(*words: str) -> str:
    """A JSON key: lower case, underscores."""
    return "_".join(re.sub(r"[^a-z0-9]+", "_", word.lower()).strip("_") for word in words if word)


# --- the tests, in the order that the report gives them


def multi_reader_tests(analysis: Analysis, plan: Preregistration | None = None) -> list[MultiReaderTest]:
    """All tests over several readers, the pre-registered one first."""
    found: list[MultiReaderTest] = []
    for result in analysis.crossed:
        label = "Obuchowski-Rockette"
        covariance = str(result.covariance)
        inferences: tuple[tuple[Inference, str, str, str], ...] = (
            (result.analysis.random_readers_random_cases, label, covariance, "Hillis"),
            (result.analysis.fixed_readers_random_cases, label, covariance, "chi-square, normal intervals"),
        )
        if result is next(item for item in analysis.crossed if item.merit is result.merit):
            anova = (
                result.analysis.random_readers_fixed_cases,
                "analysis of variance, modes by readers",
                "none",
                "modes by readers",
            )
            inferences = (*inferences, anova)
        found += [_of_inference(str(result.merit), *parts) for parts in inferences]
    u = analysis.u_statistics
    if u is not None:
        found.append(
            MultiReaderTest(
                "AUC",
                "U-statistics",
                "unbiased",
                "Obuchowski-Gallas-Hillis (BDG)",
                u.generalises_to,
                "t",
                u.differences[0].difference / u.differences[0].se
                if len(u.differences) == 1 and u.differences[0].se
                else None,
                None,
                u.differences[0].df if len(u.differences) == 1 else None,
                u.differences[0].p_t if len(u.differences) == 1 else None,
                tuple(Comparison(d.first, d.second, d.difference, d.se, d.df, d.ci, d.p_t) for d in u.differences),
                tuple((mode.mode, mode.auc, mode.se, None) for mode in u.modes),
                False,
                tuple(dict.fromkeys(d.caution for d in u.differences if d.caution)),
            )
        )
    one = analysis.algorithm_against_readers
    if one is not None:
        found.append(
            MultiReaderTest(
                "AUC",
                "one algorithm against readers",
                "Obuchowski clustered" if "clustered" in one.method else "jackknife",
                "Hillis",
                one.generalises_to,
                "t",
                one.t,
                None,
                one.df,
                one.p,
                (
                    Comparison(
                        "mean of readers",
                        analysis.algorithm or "algorithm",
                        one.difference,
                        one.se,
                        one.df,
                        one.ci,
                        one.p,
                    ),
                ),
                (
                    (analysis.algorithm or "algorithm", one.algorithm, None, None),
                    ("mean of readers", one.reader_mean, None, None),
                ),
                False,
                (one.caution,) if one.caution else (),
            )
        )
    if plan is None:
        return found
    marked = [_marked(test, plan) for test in found]
    return sorted(marked, key=lambda test: not test.preregistered)


def _of_inference(endpoint: str, inference: Inference, method: str, covariance: str, df_rule: str) -> MultiReaderTest:
    return MultiReaderTest(
        endpoint,
        method,
        covariance,
        df_rule,
        inference.generalises_to,
        inference.statistic_name,
        inference.statistic,
        inference.numerator_df,
        inference.denominator_df,
        inference.p,
        tuple(
            Comparison(d.first, d.second, d.difference, d.se, d.df, d.ci if d.se > 0 else None, d.p)
            for d in inference.differences
        ),
        tuple((mean.mode, mean.mean, mean.se, mean.ci if mean.se > 0 else None) for mean in inference.means),
        False,
        (inference.caution,) if inference.caution else (),
    )


def _marked(test: MultiReaderTest, plan: Preregistration) -> MultiReaderTest:
    is_it = (
        test.endpoint == plan.endpoint
        and test.method == plan.method
        and plan.covariance in ("", test.covariance)
        and test.generalises_to == plan.generalises_to
    )
    return replace(test, preregistered=is_it)


def non_inferiorities(analysis: Analysis, margin: float, plan: Preregistration | None = None) -> list[NonInferiority]:
    """Both ways round for each pair of modes, and the algorithm against the readers. Raises ValueError for margin < 0."""
    out = []
    for test in multi_reader_tests(analysis, plan):
        if test.generalises_to != READERS_AND_CASES or test.method == "U-statistics":
            continue
        for c in test.comparisons:
            if c.se is None or c.df is None:
                continue
            for sign, new, reference in ((1, c.first, c.second), (-1, c.second, c.first)):
                turned = Difference(new, reference, sign * c.difference, c.se, c.df, None, None, (0.0, 0.0))
                method = f"{test.method}, {test.covariance} covariance, {test.df_rule} degrees of freedom"
                p = non_inferiority(turned, margin)
                planned = test.preregistered and plan is not None and plan.margin == margin
                out.append(
                    NonInferiority(
                        new,
                        reference,
                        test.endpoint,
                        margin,
                        turned.difference,
                        method,
                        test.generalises_to,
                        p,
                        planned,
                    )
                )
    return out


# --- JSON


def to_json(
    analysis: Analysis, provenance: Provenance, plan: Preregistration | None = None, margin: float | None = None
) -> str:
    """The whole analysis. Keys of p-values carry the method; a number that is not finite is null, with a note beside it."""
    document = {
        "format": "lucency-analysis",
        "version": 1,
        "title": analysis.title,
        "input": {"file": provenance.file, "sha256": provenance.sha256},
        "created_utc": provenance.created_utc,
        "versions": provenance.versions,
        "record_heads": list(provenance.record_heads),
        "record_problems": list(provenance.record_problems),
        "preregistration": msgspec.to_builtins(plan) if plan else None,
        "case_flow": {
            "cases_with_known_truth": analysis.cases,
            "loose": analysis.loose,
            "not_loose": analysis.not_loose,
            "truth_unknown": analysis.truth_unknown,
            "patients": analysis.patients,
            "readers": analysis.readers,
            "modes": analysis.modes,
        },
        "design": str(analysis.design),
        "cautions": list(analysis.sentences),
        "algorithm": analysis.algorithm,
        "reader_results": [_reader_json(result) for result in analysis.reader_results],
        "multi_reader_tests": [_test_json(test) for test in multi_reader_tests(analysis, plan)],
        "variance_components": [
            {
                "endpoint": str(result.merit),
                "method": f"Obuchowski-Rockette, {result.covariance} covariance",
                **{name: getattr(result.analysis.components, name) for name in COMPONENTS},
            }
            for result in analysis.crossed
        ],
        "reader_differences": [
            _difference_json(str(result.merit), str(result.covariance), reader, difference)
            for result in analysis.crossed
            for reader, difference in result.analysis.reader_differences
        ],
        "non_inferiority": [_non_inferiority_json(row) for row in non_inferiorities(analysis, margin, plan)]
        if margin is not None
        else [],
        "pairs": [_pair_json(pair) for pair in analysis.pairs],
        "agreement": [
            {
                "mode": result.mode,
                "of": result.of,
                "readers": result.readers,
                "cases": result.cases,
                "coefficients": {
                    name: {"value": value, "ci95": _bounds(low, high)}
                    for name, (value, low, high) in result.coefficients.items()
                },
                "sentences": list(result.sentences),
            }
            for result in analysis.agreement
        ],
        "switches": [
            {
                "reader": row.reader,
                "first": row.first,
                "second": row.second,
                "cases": row.cases,
                "to_truth": row.to_truth,
                "from_truth": row.from_truth,
                "stayed_right": row.stayed_right,
                "stayed_wrong": row.stayed_wrong,
            }
            for row in analysis.switches
        ],
    }
    return json.dumps(_finite(document), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


COMPONENTS = ("var", "cov1", "cov2", "cov3", "ms_mode", "ms_reader", "ms_interaction", "var_reader", "var_interaction")


def _finite(value: Any) -> Any:
    """Floats that JSON has no place for become null, and their key gets a note beside it."""
    if isinstance(value, Mapping):
        out: dict[str, Any] = {}
        for key, item in value.items():
            out[key] = _finite(item)
            if isinstance(item, float) and not math.isfinite(item):
                out[f"{key}_note"] = INFINITE_DF if item == math.inf and "df" in key else NO_TEST
        return out
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


def _bounds(low: float | None, high: float | None) -> list[float] | None:
    return None if low is None or high is None else [low, high]


def _proportion_json(value: Proportion | None) -> dict[str, Any] | None:
    if value is None:
        return None
    return {
        "k": value.k,
        "n": value.n,
        "value": value.value,
        "ci95_wilson": list(value.wilson),
        "ci95_clopper_pearson": list(value.clopper_pearson),
    }


def _reader_json(result: ReaderResult) -> dict[str, Any]:
    auc, table = result.auc_delong, result.calls
    return {
        "reader": result.reader,
        "mode": result.mode,
        "cases": result.cases,
        "missing_scores": result.missing,
        "missing_or_indeterminate_calls": result.calls_missing,
        "auc_empirical": auc.auc if auc else None,
        "auc_se_delong": auc.se if auc else None,
        "auc_ci95_delong": list(auc.ci) if auc else None,
        "roc": [
            # A case is called loose at and above the threshold; the first point calls none so.
            {"false_positive_rate": x, "true_positive_rate": y, "threshold": t if math.isfinite(t) else None}
            for x, y, t in zip(
                result.roc.false_positive_rate.tolist(),
                result.roc.true_positive_rate.tolist(),
                result.roc.thresholds.tolist(),
                strict=True,
            )
        ]
        if result.roc
        else None,
        "table": {
            "true_positive": table.true_positive,
            "false_negative": table.false_negative,
            "true_negative": table.true_negative,
            "false_positive": table.false_positive,
        }
        if table
        else None,
        "sensitivity": _proportion_json(result.sensitivity),
        "specificity": _proportion_json(result.specificity),
        "positive_predictive_value": _proportion_json(result.positive_predictive_value),
        "negative_predictive_value": _proportion_json(result.negative_predictive_value),
        "seconds_median": result.median_s,
        "seconds_quartiles": list(result.quartiles_s) if result.quartiles_s else None,
        "sentences": list(result.sentences),
    }


def _test_json(test: MultiReaderTest) -> dict[str, Any]:
    return {
        "status": "pre-registered" if test.preregistered else "exploratory",
        "endpoint": test.endpoint,
        "method": test.method,
        "covariance": test.covariance,
        "degrees_of_freedom_rule": test.df_rule,
        "generalises_to": test.generalises_to,
        f"statistic_{slug(test.statistic_name)}": test.statistic,
        "numerator_df": test.numerator_df,
        "denominator_df": test.denominator_df,
        test.p_name: test.p,
        "differences": [
            {
                "first": c.first,
                "second": c.second,
                "difference": c.difference,
                "se": c.se,
                "df": c.df,
                "ci95": list(c.ci) if c.ci else None,
                test.p_name: c.p,
            }
            for c in test.comparisons
        ],
        "means": [
            {"of": mode, "mean": mean, "se": se, "ci95": list(ci) if ci else None} for mode, mean, se, ci in test.means
        ],
        "sentences": list(test.sentences) or ([] if test.p is not None or not test.comparisons else [NO_TEST]),
    }


def _difference_json(endpoint: str, covariance: str, reader: str, d: Difference) -> dict[str, Any]:
    return {
        "endpoint": endpoint,
        "reader": reader,
        "first": d.first,
        "second": d.second,
        "difference": d.difference,
        "se": d.se,
        "ci95_normal": list(d.ci) if d.se > 0 else None,
        slug("p", "Obuchowski-Rockette", covariance, "normal", "this reader", "cases like these"): d.p,
    }


def _non_inferiority_json(row: NonInferiority) -> dict[str, Any]:
    return {
        "status": "pre-registered" if row.preregistered else "exploratory",
        "endpoint": row.endpoint,
        "new": row.new,
        "reference": row.reference,
        "margin": row.margin,
        "difference": row.difference,
        "method": row.method,
        "generalises_to": row.generalises_to,
        row.p_name: row.p_one_sided,
    }


def _mcnemar_json(table: McNemar | None) -> dict[str, Any] | None:
    if table is None:
        return None
    return {
        "cases": table.n,
        "only_first_right": table.first_only,
        "only_second_right": table.second_only,
        "difference": table.difference,
        "ci95_tango": list(table.tango),
        "ci95_newcombe_10": list(table.newcombe),
        "p_mcnemar_exact": table.exact_p,
        "p_mcnemar_mid": table.mid_p,
        "p_mcnemar_chi_square": table.chi2_p,
        "p_mcnemar_chi_square_continuity_corrected": table.chi2_corrected_p,
    }


def _pair_json(pair: PairResult) -> dict[str, Any]:
    auc = pair.auc_delong
    return {
        "first": pair.first,
        "second": pair.second,
        "cases": pair.cases,
        "generalises_to": "cases like these, read by these two",
        "auc_difference": auc.difference if auc else None,
        "auc_difference_se_delong": auc.se if auc else None,
        "auc_difference_ci95_delong": list(auc.ci) if auc and auc.se > 0 else None,
        "p_delong": auc.p if auc else None,
        "sensitivity": _mcnemar_json(pair.sensitivity_mcnemar),
        "specificity": _mcnemar_json(pair.specificity_mcnemar),
        "sentences": list(pair.sentences),
    }


# --- HTML


def to_html(
    analysis: Analysis,
    provenance: Provenance,
    plan: Preregistration | None = None,
    margin: float | None = None,
    notice: str = "",
) -> str:
    """One self-contained file, without scripts. `notice` stands in big letters at its head."""
    from jinja2 import Environment, StrictUndefined  # a window that shows no report does not wait for it
    from markupsafe import Markup

    from study.report_template import TEMPLATE

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"num": number, "p": p_value, "ci": interval, "share": share, "df": degrees, "small": small}
    everything = multi_reader_tests(analysis, plan)
    return environment.from_string(TEMPLATE).render(
        analysis=analysis,
        provenance=provenance,
        plan=plan,
        planned=[test for test in everything if test.preregistered],
        exploratory=[test for test in everything if not test.preregistered],
        margin=margin,
        non_inferiority=non_inferiorities(analysis, margin, plan) if margin is not None else [],
        plots=[(plot, Markup(plot.svg)) for plot in plots(analysis)],  # its texts are escaped
        notice=notice,
        has_calls=any(result.calls for result in analysis.reader_results),
        has_times=any(result.median_s is not None for result in analysis.reader_results),
        one_reader=ONE_READER,
        components=COMPONENTS,
    )


def number(value: float | None, digits: int = 3) -> str:
    """For people: a dash where there is none."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    text = f"{value:.{digits}f}"
    return text.replace("-", "−") if float(text) != 0 else text.lstrip("-")


def small(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}".replace("-", "−")


def p_value(value: float | None) -> str:
    if value is None:
        return "no test"
    return "< .0001" if value < 0.0001 else f"{value:.4f}".lstrip("0") if value < 1 else "1"


def degrees(value: float | None) -> str:
    return number(value, 1) if value is None or value != int(value if math.isfinite(value) else 0) else f"{int(value)}"


def interval(bounds: Sequence[float] | None, digits: int = 3) -> str:
    return "–" if bounds is None else f"{number(bounds[0], digits)} to {number(bounds[1], digits)}"


def share(value: Proportion | None) -> str:
    if value is None or value.value is None:
        return "–"
    return f"{value.k}/{value.n} = {value.value:.3f}"


# --- a summary for the terminal


def summary(analysis: Analysis, plan: Preregistration | None = None, margin: float | None = None) -> str:
    """The main results in a few lines of plain text."""
    lines = [
        analysis.title or "Reader study",
        _counts(analysis),
        f"Design: {analysis.design}",
        "",
    ]
    for result in analysis.reader_results[:40]:
        auc = result.auc_delong
        parts = [f"AUC {number(auc.auc)} ({interval(auc.ci)}, DeLong)"] if auc else []
        if result.calls:
            parts += [f"sensitivity {share(result.sensitivity)}", f"specificity {share(result.specificity)}"]
        lines.append(f"{result.reader}, {result.mode}: {'; '.join(parts) or ' '.join(result.sentences)}")
    if len(analysis.reader_results) > 40:
        lines.append(f"and {len(analysis.reader_results) - 40} more; see --json or --html")
    for test in multi_reader_tests(analysis, plan):
        if test.generalises_to != READERS_AND_CASES and not test.preregistered:
            continue
        lines += ["", f"{'Pre-registered' if test.preregistered else 'Exploratory'}: {test.endpoint}, {_title(test)}"]
        if test.p is not None and len(test.comparisons) > 1:
            lines.append(f"  all modes equal: {_said(test.p)}")
        for c in test.comparisons:
            lines.append(f"  {c.first} minus {c.second}: {number(c.difference)} ({interval(c.ci)}), {_said(c.p)}")
        lines += [f"  {sentence}" for sentence in test.sentences]
    for row in (
        non_inferiorities(analysis, margin, plan)[:2] if margin is not None else ()
    ):  # of the first method; both ways
        lines.append(
            f"{row.new} is worse than {row.reference} in {row.endpoint} by less than {margin:g}, if at all "
            f"({row.method}): one-sided {_said(row.p_one_sided)}"
        )
    if analysis.sentences:
        lines += ["", *analysis.sentences]
    return "\n".join(lines) + "\n"


def _counts(analysis: Analysis) -> str:
    kinds = (
        _count(n, noun)
        for n, noun in ((analysis.readers, "reader"), (analysis.modes, "mode"), (analysis.cases, "case"))
    )
    return f"{', '.join(kinds)}: {analysis.loose} loose, {analysis.not_loose} not loose"


def _said(p: float | None) -> str:
    """A p-value within a sentence."""
    text = p_value(p)
    return text if p is None else f"p {text}" if text.startswith("<") else f"p = {text}"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun if n == 1 else noun + 's'}"


def _title(test: MultiReaderTest) -> str:
    covariance = f", {test.covariance} covariance" if test.covariance != "none" else ""
    return f"{test.method}{covariance}, {test.df_rule} degrees of freedom; speaks for {test.generalises_to}"


# --- tables that were published without the cross-table


def published_table_report(names: tuple[str, str], loose: tuple[int, int, int], not_loose: tuple[int, int, int]) -> str:
    """What two readers' published counts allow to say. loose: (right by the first, by the second, cases); so not_loose.

    A paper that prints 16 of 17 and 9 of 17 without the cross-table leaves open on which cases the two were right; all that
    it may have been are listed.
    """
    lines = []
    for label, (first, second, n) in (("Sensitivity", loose), ("Specificity", not_loose)):
        lines.append(label)
        for name, k in zip(names, (first, second), strict=True):
            of = proportion(k, n)
            lines.append(
                f"  {name}: {k}/{n} = {number(of.value)}, Clopper-Pearson {interval(of.clopper_pearson)}, Wilson {interval(of.wilson)}"
            )
        possible = possible_pairings(first, second, n)
        noun = "pairing is" if len(possible) == 1 else "pairings are"
        lines.append(f"  {len(possible)} {noun} possible:")
        lines += [
            f"    {names[0]} alone right in {table.first_only}, {names[1]} alone in {table.second_only}: McNemar exact "
            f"{_said(table.exact_p)}, mid-{_said(table.mid_p)}; difference {number(table.difference)} "
            f"(Tango {interval(table.tango)}; Newcombe {interval(table.newcombe)})"
            for table in possible
        ]
    return "\n".join([*lines, ONE_READER]) + "\n"
