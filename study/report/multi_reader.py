"""The exploratory tests over several readers: one list with the same fields whatever the method."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from study.analysis import Analysis
from study.analysis.planned import MEAN_OF_READERS, PlannedTest
from study.protocol import Method
from study.report.words import slug
from study.statistics.obuchowski_rockette import Difference, Inference, non_inferiority
from study.statistics.one_against_many import OneAgainstMany
from study.statistics.ustatistics import UAnalysis

READERS_AND_CASES = "readers and cases like these"
METHODS = {
    Method.OBUCHOWSKI_ROCKETTE: "Obuchowski-Rockette",
    Method.U_STATISTICS: "U-statistics",
    Method.ONE_AGAINST_MANY: "one algorithm against readers",
}


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

    @property
    def p_name(self) -> str:
        return slug("p_one_sided_non_inferiority", self.method, self.generalises_to)


def multi_reader_tests(analysis: Analysis, planned: Iterable[PlannedTest] = ()) -> list[MultiReaderTest]:
    """All tests over several readers, but for those that only repeat a registered one."""
    held = list(planned)
    found = [*_crossed_tests(analysis), *_u_tests(analysis.u_statistics)]
    if analysis.algorithm_against_readers is not None:
        found.append(_against_test(analysis.algorithm_against_readers, analysis.algorithm or "algorithm"))
    return [test for test in found if not any(_repeats(test, registered) for registered in held)]


def _repeats(test: MultiReaderTest, registered: PlannedTest) -> bool:
    """The same method on the same readings. Where the plan's rules for missing ones changed a number, both are shown."""
    estimate = registered.estimate
    return (
        estimate is not None
        and (test.endpoint, test.method) == (registered.endpoint, METHODS[registered.method])
        and (test.covariance, test.generalises_to) == (estimate.covariance, estimate.generalises_to)
        and len(test.comparisons) == 1
        and abs(abs(test.comparisons[0].difference) - abs(estimate.difference)) < 1e-12
    )


def _crossed_tests(analysis: Analysis) -> list[MultiReaderTest]:
    label, found = METHODS[Method.OBUCHOWSKI_ROCKETTE], []
    for result in analysis.crossed:
        endpoint, covariance = str(result.merit), str(result.covariance)
        random, fixed = result.analysis.random_readers_random_cases, result.analysis.fixed_readers_random_cases
        found.append(_of_inference(endpoint, random, label, covariance, "Hillis"))
        found.append(_of_inference(endpoint, fixed, label, covariance, "chi-square, normal intervals"))
        if result is next(item for item in analysis.crossed if item.merit is result.merit):
            anova = result.analysis.random_readers_fixed_cases
            method = "analysis of variance, modes by readers"
            found.append(_of_inference(endpoint, anova, method, "none", "modes by readers"))
    return found


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
        tuple((mean.mode, mean.mean, mean.se, mean.ci_logit) for mean in inference.means),
        (inference.caution,) if inference.caution else (),
    )


def _u_tests(u: UAnalysis | None) -> list[MultiReaderTest]:
    if u is None:
        return []
    only = u.differences[0] if len(u.differences) == 1 else None
    test = MultiReaderTest(
        "AUC",
        METHODS[Method.U_STATISTICS],
        "unbiased by patient" if "by patient" in u.method else "unbiased",
        "Obuchowski-Gallas-Hillis (BDG)",
        u.generalises_to,
        "t",
        only.difference / only.se if only is not None and only.se else None,
        None,
        only.df if only is not None else None,
        only.p_t if only is not None else None,
        tuple(Comparison(d.first, d.second, d.difference, d.se, d.df, d.ci, d.p_t) for d in u.differences),
        tuple((mode.mode, mode.auc, mode.se, mode.ci) for mode in u.modes),
        tuple(dict.fromkeys(d.caution for d in u.differences if d.caution)),
    )
    return [test]


def _against_test(one: OneAgainstMany, algorithm: str) -> MultiReaderTest:
    # The CNN minus the readers, as everywhere.
    bounds = (-one.ci[1], -one.ci[0]) if one.t is not None else None
    difference = Comparison(algorithm, MEAN_OF_READERS, -one.difference, one.se, one.df, bounds, one.p)
    return MultiReaderTest(
        "AUC",
        METHODS[Method.ONE_AGAINST_MANY],
        one.covariance,
        "Hillis",
        one.generalises_to,
        "t",
        -one.t if one.t is not None else None,
        None,
        one.df,
        one.p,
        (difference,),
        (
            (algorithm, one.algorithm, None, one.algorithm_ci),
            (MEAN_OF_READERS, one.reader_mean, None, one.reader_mean_ci),
        ),
        (one.caution,) if one.caution else (),
    )


def non_inferiorities(analysis: Analysis, margin: float) -> list[NonInferiority]:
    """Both ways round for each pair of modes, and the algorithm against the readers. Raises ValueError for margin < 0."""
    out = []
    for test in multi_reader_tests(analysis):
        if test.generalises_to != READERS_AND_CASES or test.method == METHODS[Method.U_STATISTICS]:
            continue
        method = f"{test.method}, {test.covariance} covariance, {test.df_rule} degrees of freedom"
        for c in test.comparisons:
            if c.se is None or c.df is None:
                continue
            for sign, new, reference in ((1, c.first, c.second), (-1, c.second, c.first)):
                turned = Difference(new, reference, sign * c.difference, c.se, c.df, None, None, (0.0, 0.0))
                p = non_inferiority(turned, margin)
                out.append(
                    NonInferiority(
                        new, reference, test.endpoint, margin, turned.difference, method, test.generalises_to, p
                    )
                )
    return out
