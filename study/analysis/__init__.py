"""From a table of scores to what may be said about it: every number with its method and the population that it speaks for.

What the data do not determine becomes a sentence, never NaN, infinity or a false certainty.

`analyse` says all that a table supports, which is exploratory; `study.analysis.planned` carries out what a protocol
fixed before the first reading.
"""

from study.analysis.agreement import intra_reader
from study.analysis.pairs import possible_pairings, switches
from study.analysis.results import (
    MOST_PAIRS,
    ONE_READER,
    AgreementResult,
    Analysis,
    CrossedResult,
    Design,
    IntraReaderResult,
    PairResult,
    ReaderResult,
    SwitchResult,
)
from study.analysis.whole import analyse

__all__ = [
    "MOST_PAIRS",
    "ONE_READER",
    "AgreementResult",
    "Analysis",
    "CrossedResult",
    "Design",
    "IntraReaderResult",
    "PairResult",
    "ReaderResult",
    "SwitchResult",
    "analyse",
    "intra_reader",
    "possible_pairings",
    "switches",
]
