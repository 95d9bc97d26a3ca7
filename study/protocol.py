"""The protocol of a reader study: everything that is fixed, and hashed, before the first reading.

A protocol is never edited once it is registered; what turns out otherwise is recorded as a deviation.
"""

from __future__ import annotations

import hashlib
import math
from enum import StrEnum

import msgspec

from study.chain import canonical_json

PROTOCOL_VERSION = 2
UNAIDED, AIDED = "unaided", "aided"  # the two modes of a study's readings
FIVE_POINTS = (0.0, 25.0, 50.0, 75.0, 100.0)  # how the five categories are written on the common 0-100 scale


class ProtocolError(ValueError):
    """The protocol contradicts itself. `str(error)` is a sentence; `sentences` has them all."""

    def __init__(self, sentences: list[str]) -> None:
        more = len(sentences) - 1
        super().__init__(sentences[0] + (f" ({more} more to correct.)" if more else ""))
        self.sentences = sentences


class StudyDesign(StrEnum):
    CROSSED = "crossed"  # every reader reads every case
    SPLIT_PLOT = "split_plot"  # readers and cases in blocks; a reader reads the cases of one block, in every arm
    CNN_AGAINST_READERS = "cnn_against_readers"  # readers unaided, and the CNN as a reader of its own


class Arms(StrEnum):
    SEQUENTIAL = "sequential"  # unaided, locked; then the CNN is revealed and the answer is given again
    CROSSOVER = "crossover"  # all cases in one arm, washout, all cases in the other
    UNAIDED = "unaided"


class Arm(StrEnum):
    """How one case is read at one time."""

    SEQUENTIAL = "sequential"
    UNAIDED = "unaided"
    AIDED = "aided"  # the CNN is on screen from the start


class Scale(StrEnum):
    SCORE = "score"  # 0-100, 50 not allowed
    FIVE_POINT = "five_point"  # FIVE_POINTS


class Endpoint(StrEnum):
    AUC = "auc"
    SENSITIVITY = "sensitivity"
    SPECIFICITY = "specificity"


class Hypothesis(StrEnum):
    SUPERIORITY = "superiority"
    NON_INFERIORITY = "non_inferiority"


class Method(StrEnum):
    """Of the primary analysis, as study.analysis computes them."""

    OBUCHOWSKI_ROCKETTE = "obuchowski_rockette"  # with Hillis' degrees of freedom
    U_STATISTICS = "u_statistics"  # any design
    ONE_AGAINST_MANY = "one_against_many"  # a CNN against readers


class Indeterminate(StrEnum):
    """What becomes of "cannot tell" and of "not assessable"."""

    COUNT_AS_ERROR = "count_as_error"
    LEAVE_OUT = "leave_out"
    BY_SCORE = "by_score"  # the call is the side of 50 that the score lies on; counts as an error without a score


class Missing(StrEnum):
    """What becomes of a reading that was never given."""

    COUNT_AS_ERROR = "count_as_error"
    LEAVE_OUT = "leave_out"  # with its case, where the method needs complete cases
    AVAILABLE = "available"  # that reading alone; Obuchowski-Rockette then takes unbiased covariances


class NegativeVariance(StrEnum):
    """What becomes of a difference by U-statistics whose unbiased variance is not positive."""

    NO_TEST = "no_test"
    MLE = "mle"  # the variance of the biased moments, which iMRMC prints beside it


class Multiplicity(StrEnum):
    """As the protocol's hashed text has it; what is done is what the text says."""

    NONE = "one primary endpoint; everything else is exploratory"
    FIXED_SEQUENCE = "fixed sequence: each endpoint is tested only if the one before it was significant"
    HOLM = "Holm's step-down correction over the primary endpoint and the secondary endpoints that are tested"
    # Of protocols before this one was worded as it was done: a plan has one primary endpoint, so nothing is corrected.
    HOLM_OVER_PRIMARY = "Holm's step-down correction over the primary endpoints"


class TrainingData(StrEnum):
    """What a bundle learnt from, as its card says."""

    SIMULATED = "simulated"
    INSERTED = "inserted"  # lines inserted into real radiographs, and simulated ones
    CLINICAL = "clinical"  # a cohort of a hospital's patients


class ReaderGroup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Readers of like experience. Nobody is named: the protocol travels to every reader."""

    experience: str
    count: int


class AnalysisPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    endpoint: Endpoint = Endpoint.AUC
    hypothesis: Hypothesis = Hypothesis.SUPERIORITY
    margin: float = 0.0  # of the endpoint, for non-inferiority
    method: Method = Method.OBUCHOWSKI_ROCKETTE
    secondary: tuple[str, ...] = ()
    missing: Missing = Missing.COUNT_AS_ERROR
    indeterminate: Indeterminate = Indeterminate.COUNT_AS_ERROR
    multiplicity: Multiplicity = Multiplicity.NONE
    alpha: float = 0.05
    effect: float | None = None  # the difference that the study is planned to find
    power: float | None = None
    # What follows is left out of the text that is hashed where it is not said, as in every earlier protocol.
    # Which mode is new and which the reference: "aided" and "unaided" where it is not said.
    new_mode: str | msgspec.UnsetType = msgspec.UNSET
    reference_mode: str | msgspec.UnsetType = msgspec.UNSET
    negative_variance: NegativeVariance | msgspec.UnsetType = msgspec.UNSET


class Protocol(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was decided before anybody read. Holds neither truth nor readers' names nor patient data."""

    study_id: str
    title: str
    question: str
    reference_standard: str  # what "loose" rests on: revision findings, consensus, follow-up
    reference_source: str  # where it comes from: which records, whose judgement, when
    readers: tuple[ReaderGroup, ...]
    planned_cases: int  # practice cases not counted
    design: StudyDesign = StudyDesign.CROSSED
    arms: Arms = Arms.SEQUENTIAL
    blocks: int = 1  # of a split-plot study
    washout_days: int = 28
    scale: Scale = Scale.SCORE
    zones_asked: bool = False
    marks_asked: bool = False
    not_assessable_allowed: bool = True
    cannot_tell_allowed: bool = False
    going_back_allowed: bool = False
    repeats: int = 0  # cases that each reader reads a second time in each arm
    practice_cases: int = 0
    sham_share: float = 0.0  # of the cases whose CNN output is shown flipped
    overlay_allowed: bool = True
    seed: int = 1
    bundle_id: str = ""
    bundle_sha256: str = ""
    # Left out of the text that is hashed where it is not known, as in every protocol of schema 1.
    bundle_training: TrainingData | msgspec.UnsetType = msgspec.UNSET
    plan: AnalysisPlan = AnalysisPlan()
    cases_sha256: str = ""  # of the case list; filled in at registration
    truth_commitment: str = ""  # salted hash of the truth; filled in at registration
    schema: int = PROTOCOL_VERSION

    @property
    def planned_readers(self) -> int:
        return sum(group.count for group in self.readers)

    @property
    def shows_cnn(self) -> bool:
        return self.arms is not Arms.UNAIDED


def protocol_sha256(protocol: Protocol) -> str:
    """SHA-256 (hex) of the protocol's canonical JSON: what registration fixes."""
    return hashlib.sha256(canonical_json(protocol).encode("utf-8")).hexdigest()


class Part(StrEnum):
    """What a problem of a protocol is about."""

    QUESTION = "question"
    READERS = "readers"
    CASES = "cases"
    DESIGN = "design"
    CNN = "cnn"
    ANALYSIS = "analysis"
    SIZE = "size"


def protocol_problems(protocol: Protocol) -> list[str]:
    """What has to be corrected before the protocol can be registered, as sentences."""
    return [sentence for _, sentence in problems_by_part(protocol)]


def problems_by_part(protocol: Protocol) -> list[tuple[Part, str]]:
    """Like `protocol_problems`, each with what it is about."""
    return [
        *((Part.QUESTION, sentence) for sentence in _question_problems(protocol)),
        *((Part.CASES, sentence) for sentence in _case_problems(protocol)),
        *((Part.READERS, sentence) for sentence in _reader_problems(protocol)),
        *((Part.DESIGN, sentence) for sentence in _design_problems(protocol)),
        *((Part.CNN, sentence) for sentence in _cnn_problems(protocol)),
        *((Part.ANALYSIS, sentence) for sentence in _plan_problems(protocol, protocol.plan)),
        *((Part.SIZE, sentence) for sentence in _size_problems(protocol.plan)),
    ]


def _question_problems(protocol: Protocol) -> list[str]:
    required = {
        "a title": protocol.title,
        "the question": protocol.question,
        "the reference standard": protocol.reference_standard,
        "where the reference standard comes from": protocol.reference_source,
    }
    return [f"Give {name}." for name, value in required.items() if not value.strip()]


def _case_problems(protocol: Protocol) -> list[str]:
    out = []
    if protocol.planned_cases < 2:
        out.append("A study needs at least two cases.")
    if protocol.practice_cases < 0:
        out.append("The number of practice cases cannot be negative.")
    return out


def _reader_problems(protocol: Protocol) -> list[str]:
    if not protocol.readers or any(group.count < 1 for group in protocol.readers):
        return ["Say how many readers of which experience take part."]
    return []


def _design_problems(protocol: Protocol) -> list[str]:
    out = []
    if protocol.design is StudyDesign.SPLIT_PLOT:
        if not 2 <= protocol.blocks <= min(max(protocol.planned_readers, 2), max(protocol.planned_cases, 2)):
            out.append("A split-plot study needs at least two blocks, and a reader and a case for each.")
    elif protocol.blocks != 1:
        out.append("Only a split-plot study has blocks.")
    if protocol.design is StudyDesign.CNN_AGAINST_READERS and protocol.arms is not Arms.UNAIDED:
        out.append("Readers who are compared with the CNN read without it: choose the unaided arm alone.")
    if protocol.design is not StudyDesign.CNN_AGAINST_READERS and protocol.arms is Arms.UNAIDED:
        out.append("With one arm there is nothing to compare: choose two arms, or compare the CNN with readers.")
    if protocol.arms is Arms.CROSSOVER and protocol.washout_days < 1:
        out.append("A crossover needs a washout of at least one day between its arms.")
    if not 0 <= protocol.repeats <= protocol.planned_cases // 2:
        out.append("At most half of the cases can be read twice, or the two readings would lie close together.")
    return out


def _cnn_problems(protocol: Protocol) -> list[str]:
    out = []
    if not (protocol.bundle_id and protocol.bundle_sha256):
        out.append("Choose the CNN that the study is about.")
    if not (math.isfinite(protocol.sham_share) and 0 <= protocol.sham_share <= 0.5):
        out.append("The share of sham outputs lies between 0 and a half.")
    if protocol.sham_share > 0 and not protocol.shows_cnn:
        out.append("Sham outputs need an arm in which the CNN is shown.")
    return out


def _size_problems(plan: AnalysisPlan) -> list[str]:
    out = []
    if plan.effect is not None and not 0 < plan.effect < 1:
        out.append("The difference that the study is planned to find lies above 0 and below 1.")
    if plan.power is not None and not 0 < plan.power < 1:
        out.append("The power lies above 0 and below 1.")
    return out


def _plan_problems(protocol: Protocol, plan: AnalysisPlan) -> list[str]:
    out = []
    if not 0 < plan.alpha < 0.5:
        out.append("The significance level lies above 0 and below 0.5.")
    if plan.hypothesis is Hypothesis.NON_INFERIORITY and not 0 < plan.margin < 1:
        out.append("A non-inferiority margin lies above 0 and below 1.")
    if plan.hypothesis is Hypothesis.SUPERIORITY and plan.margin != 0:
        out.append("A margin belongs to non-inferiority; set it to 0 for superiority.")
    against = protocol.design is StudyDesign.CNN_AGAINST_READERS
    if against != (plan.method is Method.ONE_AGAINST_MANY):
        out.append("The method “one against many” and the design “CNN against readers” belong together.")
    if protocol.design is StudyDesign.SPLIT_PLOT and plan.method is Method.OBUCHOWSKI_ROCKETTE:
        out.append("A split-plot study is analysed by U-statistics.")
    if plan.negative_variance is not msgspec.UNSET and plan.method is not Method.U_STATISTICS:
        out.append("A rule for a negative variance belongs to U-statistics.")
    named = {plan.new_mode, plan.reference_mode}
    if named != {msgspec.UNSET} and (protocol.arms is Arms.UNAIDED or named != {UNAIDED, AIDED}):
        out.append("The new mode and the reference are the arms of the study, aided and unaided, one each.")
    return out


def check_protocol(protocol: Protocol) -> None:
    """Raise ProtocolError with every sentence that stands against it."""
    problems = protocol_problems(protocol)
    if problems:
        raise ProtocolError(problems)
