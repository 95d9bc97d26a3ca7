"""What an analysis finds, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from study.statistics.accuracy import AccuracyTable, McNemar, Proportion, proportion
from study.statistics.agreement import Kappa
from study.statistics.clusters import named
from study.statistics.covariance import Covariance, Merit
from study.statistics.obuchowski_rockette import CrossedAnalysis
from study.statistics.one_against_many import OneAgainstMany
from study.statistics.partial import HighSpecificity
from study.statistics.roc import AucDifference, AucEstimate, RocCurve
from study.statistics.ustatistics import UAnalysis

MOST_PAIRS = 45  # pairwise comparisons that tables list: ten readers; the JSON has all

ONE_READER = "One surgeon supports no claim about surgeons in general; these numbers speak of this reader alone."


class Design(StrEnum):
    CROSSED = "fully crossed: every reader read every case in every mode"
    ONE_MODE = "one mode: every reader read every case once"
    OTHER_CASES = "every reader read every case of each mode, but the modes have different cases"
    INCOMPLETE = "not crossed: some reader did not read some case in some mode"


@dataclass(frozen=True)
class ReaderResult:
    """One reader in one mode. What could not be estimated is None, with the reason in `sentences`."""

    reader: str
    mode: str
    cases: int
    missing: int  # readings without a score
    auc_delong: AucEstimate | None
    roc: RocCurve | None
    calls: AccuracyTable | None
    sensitivity: Proportion | None
    specificity: Proportion | None
    positive_predictive_value: Proportion | None
    negative_predictive_value: Proportion | None
    calls_missing: int  # counted as errors
    median_s: float | None
    quartiles_s: tuple[float, float] | None
    sentences: tuple[str, ...] = ()
    high_specificity: HighSpecificity | None = None


@dataclass(frozen=True)
class PairResult:
    """Two sets of readings of the same cases, two people or two modes. All of it speaks of these two alone.

    First minus second: the later mode minus the earlier one, the CNN minus a reader.
    """

    first: str
    second: str
    cases: int
    auc_delong: AucDifference | None
    sensitivity_mcnemar: McNemar | None
    specificity_mcnemar: McNemar | None
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True)
class CrossedResult:
    merit: Merit
    covariance: Covariance
    analysis: CrossedAnalysis


@dataclass(frozen=True)
class SwitchResult:
    """What one reader's calls did between two modes, on cases called in both: how many came to and left the truth."""

    reader: str
    first: str
    second: str
    cases: int
    to_truth: int
    from_truth: int
    stayed_right: int
    stayed_wrong: int

    @property
    def to_truth_rate(self) -> Proportion:
        """Of those that were wrong at first."""
        return proportion(self.to_truth, self.to_truth + self.stayed_wrong)

    @property
    def from_truth_rate(self) -> Proportion:
        """Of those that were right at first."""
        return proportion(self.from_truth, self.from_truth + self.stayed_right)


@dataclass(frozen=True)
class AgreementResult:
    """Between the readers of one mode. `coefficients` maps the coefficient's name to (value, low, high); bounds may be None."""

    mode: str
    of: str  # "calls" or "scores"
    readers: int
    cases: int
    coefficients: dict[str, tuple[float, float | None, float | None]]
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True)
class IntraReaderResult:
    """One reader's second readings held against their first, in one mode."""

    reader: str
    mode: str
    cases: int
    same_call: Proportion | None  # of the cases called both times
    kappa: Kappa | None
    mean_change: float | None  # second minus first score
    within_sd: float | None  # within-case standard deviation of a score, Dahlberg 1940
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True)
class Analysis:
    title: str
    readers: int
    modes: int
    cases: int
    loose: int
    not_loose: int
    truth_unknown: int
    patients: int
    design: Design
    reader_results: tuple[ReaderResult, ...]
    crossed: tuple[CrossedResult, ...]
    u_statistics: UAnalysis | None
    algorithm_against_readers: OneAgainstMany | None
    pairs: tuple[PairResult, ...]
    agreement: tuple[AgreementResult, ...]
    switches: tuple[SwitchResult, ...] = ()
    algorithm: str | None = None  # the reader that was taken as the algorithm
    clustered: bool = False  # some patients have several cases: variances are then by patient
    sentences: tuple[str, ...] = field(default=())  # cautions about the whole

    @property
    def listed_pairs(self) -> tuple[PairResult, ...]:
        """As many as tables hold."""
        return self.pairs[:MOST_PAIRS]

    def mode_of(self, result: ReaderResult) -> str:
        """As people read it: a CNN that read once had no mode, nobody helped it."""
        own = [r for r in self.reader_results if r.reader == result.reader]
        return "–" if result.reader == self.algorithm and len(own) == 1 and self.modes > 1 else result.mode

    def named(self, result: ReaderResult) -> str:
        """Reader and mode."""
        mode = self.mode_of(result)
        return result.reader if mode == "–" else f"{result.reader}, {mode}"

    def method(self, plain: str) -> str:
        """What the method is called with these cases: `study.statistics.clusters.named`."""
        return named(plain, clustered=self.clustered)
