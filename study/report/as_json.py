"""The whole analysis as JSON, for programs. Keys of p-values carry the method; a number that is not finite is null."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import msgspec

from study.analysis import AgreementResult, Analysis, IntraReaderResult, PairResult, ReaderResult
from study.analysis.planned import PlannedTest
from study.protocol import Hypothesis
from study.report.contents import Report, StudyPart
from study.report.multi_reader import METHODS, MultiReaderTest, NonInferiority
from study.report.words import auc_intervals, slug
from study.statistics.accuracy import McNemar, Proportion
from study.statistics.bootstrap import Bootstrapped
from study.statistics.clusters import named
from study.statistics.obuchowski_rockette import Difference
from study.statistics.partial import HighSpecificity

NO_TEST = "The data do not determine this number."
INFINITE_DF = "infinite: the normal or chi-square distribution"


def to_json(report: Report) -> str:
    """A number that is not finite is null, with a note beside it."""
    analysis, provenance = report.analysis, report.provenance
    document = {
        "format": "lucency-analysis",
        "version": 2,
        "title": analysis.title,
        "notice": report.notice,
        "input": {"file": provenance.file, "sha256": provenance.sha256},
        "created_utc": provenance.created_utc,
        "versions": provenance.versions,
        "record_heads": list(provenance.record_heads),
        "record_problems": list(provenance.record_problems),
        "registered_plan": msgspec.to_builtins(report.plan) if report.plan else None,
        "registered_tests": [_planned_json(test) for test in report.planned],
        "study": _study_json(report.study) if report.study else None,
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
        "multi_reader_tests": [_test_json(test) for test in report.exploratory],
        "variance_components": _components_json(analysis),
        "reader_differences": [
            _difference_json(str(result.merit), str(result.covariance), reader, difference)
            for result in analysis.crossed
            for reader, difference in result.analysis.reader_differences
        ],
        "non_inferiority": [_non_inferiority_json(row) for row in report.non_inferiority],
        "pairs": [_pair_json(pair, clustered=analysis.clustered) for pair in analysis.pairs],
        "agreement": [_agreement_json(result) for result in analysis.agreement],
        "switches": [asdict(row) for row in analysis.switches],
    }
    return json.dumps(_finite(document), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _planned_json(test: PlannedTest) -> dict[str, Any]:
    found = test.estimate
    one_sided = test.hypothesis is Hypothesis.NON_INFERIORITY
    out: dict[str, Any] = {
        "status": "pre-registered" if test.confirmatory else "secondary, descriptive",
        "primary": test.primary,
        "endpoint": test.endpoint,
        "hypothesis": test.hypothesis.value,
        "margin": test.margin if one_sided else None,
        "alpha": test.alpha,
        "method": METHODS[test.method],
        "verdict": test.verdict,
        "estimate": None,
    }
    if found is not None:
        words = (METHODS[test.method], found.covariance, found.df_rule, found.generalises_to)
        kind = "p_one_sided_non_inferiority" if one_sided else "p"
        out["estimate"] = {
            "covariance": found.covariance,
            "degrees_of_freedom_rule": found.df_rule,
            "generalises_to": found.generalises_to,
            "new": found.new,
            "reference": found.reference,
            "new_value": found.new_value,
            "reference_value": found.reference_value,
            "new_ci": list(found.new_ci) if found.new_ci else None,
            "reference_ci": list(found.reference_ci) if found.reference_ci else None,
            "difference": found.difference,
            "se": found.se,
            "df": found.df,
            "ci": list(found.ci) if found.ci else None,
            "ci_level": 1 - test.alpha,
            "readers": found.readers,
            "cases": found.cases,
            slug(kind, *words): test.p,
            slug("p_adjusted_two_sided", *words): test.adjusted_p,
            "sentences": list(found.sentences),
        }
    return out


def _study_json(study: StudyPart) -> dict[str, Any]:
    dossier, flow = study.dossier, study.scores.flow
    return {
        "protocol": msgspec.to_builtins(dossier.protocol),
        "protocol_sha256": dossier.protocol_sha256,
        "registered_utc": dossier.registered_utc,
        "closed_utc": dossier.closed_utc,
        "unsealed_utc": dossier.unsealed_utc,
        "readers": [asdict(reader) for reader in dossier.readers],
        "deviations": [{"utc": utc, "what": d.what, "reason": d.reason} for utc, d in dossier.deviations],
        "departures": list(study.departures),
        "case_flow": asdict(flow),
        "flipped_outputs": {
            "cases": list(study.scores.sham_cases),
            "reader_results": [_reader_json(result) for result in study.sham.reader_results] if study.sham else [],
            "switches": [asdict(row) for row in study.sham_switches],
        },
        "intra_reader_agreement": [_intra_json(row) for row in study.intra_reader],
        "marks_against_map": [
            {
                "reader": row.reader,
                "mode": row.mode,
                "peak_on_mark": proportion_json(row.peak_on_mark),
                "median_intersection_over_union": row.median_iou,
            }
            for row in study.marks
        ],
        "heads": [{"owner": end.owner, **msgspec.to_builtins(end.head)} for end in dossier.ends],
        "problems": list(dossier.problems),
    }


def _intra_json(row: IntraReaderResult) -> dict[str, Any]:
    return {
        "reader": row.reader,
        "mode": row.mode,
        "cases": row.cases,
        "same_call": proportion_json(row.same_call),
        "cohen_kappa": row.kappa.kappa if row.kappa else None,
        "cohen_kappa_ci95": list(row.kappa.ci) if row.kappa and row.kappa.ci else None,
        "mean_change_of_score": row.mean_change,
        "within_case_sd_of_score": row.within_sd,
        "sentences": list(row.sentences),
    }


def _agreement_json(result: AgreementResult) -> dict[str, Any]:
    return {
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


def _components_json(analysis: Analysis) -> list[dict[str, Any]]:
    return [
        {
            "endpoint": str(result.merit),
            "method": f"Obuchowski-Rockette, {result.covariance} covariance",
            **asdict(result.analysis.components),
        }
        for result in analysis.crossed
    ]


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


def proportion_json(value: Proportion | None) -> dict[str, Any] | None:
    if value is None:
        return None
    return {
        "k": value.k,
        "n": value.n,
        "value": value.value,
        "design_effect": value.design_effect,
        **_by_method(
            value.design_effect != 1, "ci95", {"Wilson": value.wilson, "Clopper-Pearson": value.clopper_pearson}
        ),
    }


def _by_method(clustered: bool, what: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Keys with the methods' names, by patient where patients have several cases."""
    return {
        slug(what, named(method, clustered=clustered).replace("mid-p", "mid")): list(value)
        if isinstance(value, tuple)
        else value
        for method, value in values.items()
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
        "auc_method": auc.method if auc else None,
        slug("auc_se", auc.method if auc else "DeLong"): auc.se if auc else None,
        **({} if auc and auc.ci else {"auc_ci95_delong": None}),
        **{slug("auc_ci95", name): list(bounds) for name, bounds in (auc_intervals(auc) if auc else [])},
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
        "high_specificity": _high_specificity_json(result.high_specificity),
        "table": {
            "true_positive": table.true_positive,
            "false_negative": table.false_negative,
            "true_negative": table.true_negative,
            "false_positive": table.false_positive,
        }
        if table
        else None,
        "sensitivity": proportion_json(result.sensitivity),
        "specificity": proportion_json(result.specificity),
        "positive_predictive_value": proportion_json(result.positive_predictive_value),
        "negative_predictive_value": proportion_json(result.negative_predictive_value),
        "seconds_median": result.median_s,
        "seconds_quartiles": list(result.quartiles_s) if result.quartiles_s else None,
        "sentences": list(result.sentences),
    }


def _high_specificity_json(found: HighSpecificity | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "least_specificity": found.least_specificity,
        "partial_auc": bootstrapped_json(found.partial_auc),
        "partial_auc_standardised_mcclish": bootstrapped_json(found.standardised),
        "at_specificity": found.at_specificity,
        "sensitivity": bootstrapped_json(found.sensitivity),
        "caution": found.caution,
    }


def bootstrapped_json(found: Bootstrapped) -> dict[str, Any]:
    return {"value": found.value, "ci95_bootstrap": list(found.ci) if found.ci else None}


def _test_json(test: MultiReaderTest) -> dict[str, Any]:
    return {
        "status": "exploratory",
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
        "status": "exploratory",
        "endpoint": row.endpoint,
        "new": row.new,
        "reference": row.reference,
        "margin": row.margin,
        "difference": row.difference,
        "method": row.method,
        "generalises_to": row.generalises_to,
        row.p_name: row.p_one_sided,
    }


def mcnemar_json(table: McNemar | None, *, clustered: bool) -> dict[str, Any] | None:
    if table is None:
        return None
    return {
        "cases": table.n,
        "only_first_right": table.first_only,
        "only_second_right": table.second_only,
        "difference": table.difference,
        "design_effect": table.design_effect,
        **_by_method(clustered, "ci95", {"Tango": table.tango, "Newcombe 10": table.newcombe}),
        **_by_method(
            clustered,
            "p",
            {"McNemar exact": table.exact_p, "McNemar mid-p": table.mid_p, "McNemar chi-square": table.chi2_p},
        ),
        **({} if clustered else {"p_mcnemar_chi_square_continuity_corrected": table.chi2_corrected_p}),
    }


def _pair_json(pair: PairResult, *, clustered: bool) -> dict[str, Any]:
    auc, method = pair.auc_delong, named("DeLong", clustered=clustered)
    return {
        "first": pair.first,
        "second": pair.second,
        "cases": pair.cases,
        "generalises_to": "cases like these, read by these two",
        "auc_difference": auc.difference if auc else None,
        slug("auc_difference_se", method): auc.se if auc else None,
        slug("auc_difference_ci95", method): list(auc.ci) if auc and auc.ci else None,
        slug("p", method): auc.p if auc else None,
        "sensitivity": mcnemar_json(pair.sensitivity_mcnemar, clustered=clustered),
        "specificity": mcnemar_json(pair.specificity_mcnemar, clustered=clustered),
        "sentences": list(pair.sentences),
    }
