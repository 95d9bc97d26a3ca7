"""What a report holds, put together from a table of scores or from a whole study."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from study.analysis import Analysis, IntraReaderResult, SwitchResult, analyse, intra_reader, switches
from study.analysis.planned import PlannedTest, carry_out
from study.analysis.whole import Told
from study.dossier import Dossier
from study.protocol import AnalysisPlan
from study.report.multi_reader import MultiReaderTest, NonInferiority, multi_reader_tests, non_inferiorities
from study.report.provenance import Provenance
from study.report.words import counted
from study.scores import ScoreTable
from study.statistics.accuracy import Proportion, proportion_of
from study.statistics.roc import NotEstimableError
from study.study_scores import StudyScores

SIMULATED = "SIMULATED READERS"  # said of studies whose readers' experience says that they are simulated


@dataclass(frozen=True)
class MarksRow:
    """One reader's marks in one mode against the CNN's map."""

    reader: str
    mode: str
    peak_on_mark: Proportion  # of the cases with marks and a map
    median_iou: float


@dataclass(frozen=True)
class StudyPart:
    """What only a study has beside its table."""

    dossier: Dossier
    scores: StudyScores
    intra_reader: tuple[IntraReaderResult, ...]
    sham: Analysis | None  # of the cases whose CNN output was flipped; None without any
    sham_switches: tuple[SwitchResult, ...]
    departures: tuple[str, ...]  # from the protocol, as the record itself shows them
    marks: tuple[MarksRow, ...] = ()


@dataclass(frozen=True)
class Report:
    analysis: Analysis
    provenance: Provenance
    table: ScoreTable
    plan: AnalysisPlan | None = None
    planned: tuple[PlannedTest, ...] = ()
    margin: float | None = None  # of exploratory tests of non-inferiority
    notice: str = ""  # stands in big letters at the head
    study: StudyPart | None = None

    @property
    def cautions(self) -> tuple[str, ...]:
        """What has to be read with the numbers."""
        problems = self.study.dossier.problems if self.study is not None else ()
        return (*problems, *self.analysis.sentences)

    @property
    def hashes(self) -> tuple[str, ...]:
        """Of file and protocol, for the foot of every page."""
        origin = self.provenance
        out = [f"{origin.file} SHA-256 {origin.sha256}"] if origin.sha256 else []
        if self.study is not None:
            out.append(f"protocol SHA-256 {self.study.dossier.protocol_sha256}")
        return tuple(out)

    @property
    def exploratory(self) -> list[MultiReaderTest]:
        return multi_reader_tests(self.analysis, self.planned)

    @property
    def non_inferiority(self) -> list[NonInferiority]:
        return non_inferiorities(self.analysis, self.margin) if self.margin is not None else []


def report_of_table(
    table: ScoreTable,
    provenance: Provenance,
    algorithm: str | None = None,
    plan: AnalysisPlan | None = None,
    margin: float | None = None,
    notice: str = "",
    tell: Told = lambda _what: None,
) -> Report:
    """Of scores from a file. tell: told what comes next. Raises NotEstimableError when no case has a known truth."""
    analysis = analyse(table, algorithm, tell)
    tell("the registered analysis")
    planned = carry_out(table, plan, analysis.algorithm) if plan is not None else ()
    return Report(analysis, provenance, table, plan, planned, margin, notice)


def report_of_study(
    scores: StudyScores,
    dossier: Dossier,
    provenance: Provenance,
    margin: float | None = None,
    tell: Told = lambda _what: None,
) -> Report:
    """Of an unsealed study: the registered analysis is the protocol's. Raises NotEstimableError."""
    plan, table = dossier.protocol.plan, scores.table
    people = [name for name in table.readers if name != scores.algorithm]
    if not people:
        raise NotEstimableError("No reading came back, so there is nothing to analyse.")
    algorithm = scores.algorithm or None
    first = _together(scores)
    study = StudyPart(
        dossier,
        scores,
        intra_reader(first, scores.repeats) if len(scores.repeats) else (),
        analyse(scores.sham) if len(scores.sham) else None,
        switches(scores.sham) if len(scores.sham) else (),
        departures(dossier, scores),
        _marks_rows(scores),
    )
    planned = carry_out(table, plan, algorithm, absent_are_missing=False)
    return Report(analyse(table, algorithm, tell), provenance, table, plan, planned, margin, notice_of(dossier), study)


def _together(scores: StudyScores) -> ScoreTable:
    """Every first reading, whether its CNN output was flipped or not: what second readings are held against."""
    table, sham = scores.table, scores.sham
    if not len(sham):
        return table
    rows = [
        {"reader": reader, "mode": mode, "case": case, "truth": truth, "score": score, "call": call, "patient": patient}
        for held in (table, sham)
        for reader, mode, case, truth, score, call, patient in zip(
            held.reader,
            held.mode,
            held.case,
            held.truth.tolist(),
            held.score.tolist(),
            [None] * len(held) if held.call is None else [c if c >= 0 else None for c in held.call.tolist()],
            held.patient or held.case,
            strict=True,
        )
    ]
    return ScoreTable.from_rows(rows)


def _marks_rows(scores: StudyScores) -> tuple[MarksRow, ...]:
    rows = []
    patient = scores.sham.case_patient | scores.table.case_patient
    for reader, mode in ((row.reader, row.mode) for row in scores.flow.readers):
        held = [row for row in scores.marks if (row.reader, row.mode) == (reader, mode)]
        if held:
            hits = proportion_of(
                [row.overlap.peak_on_mark for row in held], [patient.get(row.case, row.case) for row in held]
            )
            rows.append(MarksRow(reader, mode, hits, median(row.overlap.iou for row in held)))
    return tuple(rows)


def notice_of(dossier: Dossier) -> str:
    """What has to stand over every number of a study whose readers are a model."""
    simulated = [reader for reader in dossier.readers if reader.experience.lower().startswith("simulated")]
    return SIMULATED if simulated else ""


def departures(dossier: Dossier, scores: StudyScores) -> tuple[str, ...]:
    """Where the record differs from the protocol, whether or not somebody noted it."""
    protocol, flow, out = dossier.protocol, scores.flow, []
    returned = len(dossier.readers) - len(flow.never_returned)
    if returned != protocol.planned_readers:
        out.append(f"{counted(protocol.planned_readers, 'reader')} planned; answers came back from {returned}.")
    out += [
        f"{row.reader}, {row.mode}: {row.missing} of {row.planned} readings are missing."
        for row in flow.readers
        if row.missing
    ]
    unsigned = [reader.id for reader in dossier.readers if reader.answers and not reader.signed]
    if unsigned:
        out.append(f"Not signed as finished by {', '.join(unsigned)}.")
    out += [f"{reader}: {violation.sentence}" for reader, held in scores.violations.items() for violation in held]
    return tuple(dict.fromkeys(out))
