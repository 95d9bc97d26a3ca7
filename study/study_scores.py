"""From a closed study and its passphrase to the table of scores that the analysis starts from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from imaging.geometry import HipRegion
from study.aids import LOOSE, NOT_LOOSE, Aid, Aids
from study.cases import StudyCase
from study.chain import Event
from study.localisation import MarkOverlap, compare_marks
from study.model import Call
from study.protocol import Indeterminate, Missing, Protocol
from study.scores import ScoreTable
from study.session import AIDED, UNAIDED, Given, Session, Violation
from study.study_events import Registered
from study.study_state import CoordinatorError, StudyState, fold_study, replay
from study.truth import SealError, Truth, commitment, unseal

Row = dict[str, object]


@dataclass(frozen=True)
class ReaderFlow:
    """What became of the readings that one reader was to give in one mode, second readings and shams included."""

    reader: str
    mode: str
    planned: int
    given: int
    missing: int
    not_counted: int  # given against the protocol
    indeterminate: int  # of those given: cannot tell, or not assessable
    sham: int  # of those given: the CNN's output was flipped
    repeated: int  # of those given: second readings


@dataclass(frozen=True)
class CaseFlow:
    """Cases from registration to the table."""

    registered: int
    practice: int
    loose: int
    not_loose: int
    patients: int
    sham: int
    undecided_by_cnn: int  # indeterminate or not assessable
    readers: tuple[ReaderFlow, ...] = ()
    never_returned: tuple[str, ...] = ()  # enrolled, and nothing came back


@dataclass(frozen=True)
class MarkComparison:
    """One reading's marks against the CNN's genuine map of that case; only readings that hold marks have one."""

    reader: str
    mode: str
    case: str
    overlap: MarkOverlap


@dataclass(frozen=True)
class StudyScores:
    """What the analysis starts from.

    table: each reader's first reading of each case, shams and practice left out, with the CNN's own answers.
    repeats: second readings, same columns. sham: readings of cases whose CNN output was flipped, in every mode.
    """

    table: ScoreTable
    repeats: ScoreTable
    sham: ScoreTable
    algorithm: str  # the reader in `table` that is the CNN; "" where it answered nothing
    sham_cases: tuple[str, ...]
    violations: dict[str, tuple[Violation, ...]]  # by reader
    flow: CaseFlow
    marks: tuple[MarkComparison, ...] = ()


def purpose_of(what: str, protocol: Protocol) -> str:
    """What a sealed value is bound to: `what` is "truth" or "aids"."""
    return f"{what} {protocol.study_id}"


def open_aids(registered: Registered, passphrase: str) -> Aids:
    """Raises CoordinatorError, SealError."""
    if registered.aids is None:
        raise CoordinatorError("The CNN's answers are not part of this study.")
    return unseal(registered.aids, passphrase, purpose_of("aids", registered.protocol), Aids)


def open_truth(registered: Registered, passphrase: str) -> Truth:
    """The truth, if it is the one that was committed to. Raises SealError."""
    truth = unseal(registered.truth, passphrase, purpose_of("truth", registered.protocol), Truth)
    if commitment(truth) != registered.protocol.truth_commitment:
        raise SealError("The truth is not the one that was committed to before the first reading.")
    return truth


def unsealed_scores(events: Iterable[Event], study: str, passphrase: str) -> StudyScores:
    """The tables of a study that is closed. Writes nothing. Raises CoordinatorError, SealError."""
    held = list(events)
    state = fold_study(held, study)
    if not state.closed_utc:
        raise CoordinatorError("The truth stays sealed until the reading phase is closed.")
    truth = open_truth(state.registered, passphrase)
    aids = open_aids(state.registered, passphrase)
    return make_scores(state, replay(state, held, aids), truth, aids)


def make_scores(state: StudyState, sessions: Mapping[str, Session], truth: Truth, aids: Aids) -> StudyScores:
    """All readings that count, under the protocol's rules for missing and indeterminate ones."""
    collected = _Collected(state, truth, aids)
    for reader, session in sessions.items():
        if session.given():
            collected.add(reader, session)
    protocol = state.protocol
    never = tuple(name for name in state.readers if name not in sessions or not sessions[name].given())
    algorithm = _algorithm_rows(protocol, collected.cases, collected.truth, aids)
    title = protocol.title
    return StudyScores(
        ScoreTable.from_rows([*_unaided_first(collected.counted), *algorithm], title, collected.notes(never)),
        ScoreTable.from_rows(_unaided_first(collected.repeats), f"{title}: second readings"),
        ScoreTable.from_rows(_unaided_first(collected.sham), f"{title}: flipped CNN outputs"),
        protocol.bundle_id if algorithm else "",
        tuple(sorted(collected.shams)),
        {reader: tuple(session.violations) for reader, session in sessions.items()},
        _case_flow(state, collected, aids, never),
        tuple(collected.marks),
    )


class _Collected:
    """Rows by what they count for, and how many of each there were."""

    def __init__(self, state: StudyState, truth: Truth, aids: Aids) -> None:
        self.protocol = state.protocol
        self.cases = {case.id: case for case in state.registered.cases}
        self.truth = truth.of_case
        self.shams = set(aids.shams)
        self.counted: list[Row] = []
        self.repeats: list[Row] = []
        self.sham: list[Row] = []
        self.flow: list[ReaderFlow] = []
        self.marks: list[MarkComparison] = []
        self._aids = aids

    def add(self, reader: str, session: Session) -> None:
        spoilt = {violation.slot for violation in session.violations if violation.slot is not None}
        given = {(item.slot.index, item.mode): item for item in session.given()}
        tally: dict[str, dict[str, int]] = {}
        for slot in session.plan.slots:
            if slot.practice:
                continue
            for mode in _MODES[slot.arm.value]:
                counts = tally.setdefault(mode, dict.fromkeys(_COUNTED, 0))
                item = given.get((slot.index, mode))
                counts["planned"] += 1
                if slot.index in spoilt:
                    counts["not_counted"] += item is not None
                    item = None
                if item is not None:
                    counts["given"] += 1
                    counts["indeterminate"] += item.reading.call not in (Call.LOOSE, Call.NOT_LOOSE)
                    counts["sham"] += slot.case_id in self.shams
                    counts["repeated"] += slot.occasion > 1
                    if slot.occasion == 1:
                        self._compare_marks(reader, mode, slot.case_id, item)
                else:
                    counts["missing"] += 1
                    if self.protocol.plan.missing is Missing.LEAVE_OUT:
                        continue
                row = _row(self.protocol, reader, mode, self.cases[slot.case_id], self.truth[slot.case_id], item)
                if row is not None:
                    sham = slot.case_id in self.shams
                    (self.repeats if slot.occasion > 1 else self.sham if sham else self.counted).append(row)
        self.flow += [ReaderFlow(reader, mode, **tally[mode]) for mode in (UNAIDED, AIDED) if mode in tally]

    def _compare_marks(self, reader: str, mode: str, case_id: str, item: Given) -> None:
        aid = self._aids.own(case_id)
        if aid is None or aid.map is None or not item.reading.annotations:
            return
        held = aid.map
        overlap = compare_marks(item.reading.annotations, held.array(), HipRegion(*held.box), held.levels[0])
        if overlap is not None:
            self.marks.append(MarkComparison(reader, mode, case_id, overlap))

    def notes(self, never: tuple[str, ...]) -> tuple[str, ...]:
        notes = []
        missing, tainted = sum(f.missing for f in self.flow), sum(f.not_counted for f in self.flow)
        if missing:
            leave_out = self.protocol.plan.missing is Missing.LEAVE_OUT
            rule = "left out" if leave_out else "in the table without score and call"
            notes.append(f"{missing} planned readings are missing and are {rule}, as the protocol says.")
        if tainted:
            notes.append(f"{tainted} readings are not counted because the protocol was not kept; see the deviations.")
        if self.shams:
            notes.append(
                f"{len(self.shams)} cases whose CNN output was flipped on purpose are left out here and tabulated apart."
            )
        if never:
            notes.append(f"Nothing came back from {len(never)} enrolled reader(s).")
        return tuple(notes)


_COUNTED = ("planned", "given", "missing", "not_counted", "indeterminate", "sham", "repeated")
_MODES = {"sequential": (UNAIDED, AIDED), "unaided": (UNAIDED,), "aided": (AIDED,)}


def _case_flow(state: StudyState, collected: _Collected, aids: Aids, never: tuple[str, ...]) -> CaseFlow:
    counted = [case for case in state.registered.cases if not case.practice]
    loose = sum(collected.truth[case.id] for case in counted)
    answers = (aids.own(case.id) for case in counted)
    return CaseFlow(
        len(state.registered.cases),
        len(state.registered.cases) - len(counted),
        loose,
        len(counted) - loose,
        len({case.patient for case in counted}),
        len(collected.shams),
        sum(aid is not None and aid.decision not in (LOOSE, NOT_LOOSE) for aid in answers),
        tuple(collected.flow),
        never,
    )


def _unaided_first(rows: list[Row]) -> list[Row]:
    """In an order that does not hang on who read which arm first: the first mode is the reference of every difference."""
    place = {reader: number for number, reader in enumerate(dict.fromkeys(row["reader"] for row in rows))}
    return sorted(rows, key=lambda row: (row["mode"] != UNAIDED, place[row["reader"]], str(row["case"])))


def _row(protocol: Protocol, reader: str, mode: str, case: StudyCase, truth: int, item: Given | None) -> Row | None:
    """None where the protocol leaves an indeterminate reading out."""
    reading = item.reading if item is not None else None
    score = reading.score if reading is not None else None
    call: int | None = None
    if reading is not None and reading.call in (Call.LOOSE, Call.NOT_LOOSE):
        call = int(reading.call is Call.LOOSE)
    elif reading is not None:
        if protocol.plan.indeterminate is Indeterminate.LEAVE_OUT:
            return None
        if protocol.plan.indeterminate is Indeterminate.BY_SCORE and score is not None and score != 50:
            call = int(score > 50)
    seconds = reading.viewing.active_s if reading is not None else None
    return _scored(reader, mode, case, truth, score, call) | {"seconds": seconds}


def _scored(reader: str, mode: str, case: StudyCase, truth: int, score: float | None, call: int | None) -> Row:
    return {
        "reader": reader,
        "mode": mode,
        "case": case.id,
        "truth": truth,
        "score": score,
        "patient": case.patient,
        "side": case.side,
        "call": call,
    }


def _algorithm_rows(
    protocol: Protocol, cases: Mapping[str, StudyCase], truth: Mapping[str, int], aids: Aids
) -> list[Row]:
    """The CNN's own answers, never the flipped ones. Its mode is the unaided one: nobody helped it.

    The rule for indeterminate readings is the same as for people; by score means by its operating point.
    """
    rows = []
    for aid in aids.entries:
        if aid.case_id not in truth:
            continue
        call = _own_call(protocol, aid, aids.threshold)
        if call is None and protocol.plan.indeterminate is Indeterminate.LEAVE_OUT:
            continue
        case = cases[aid.case_id]
        rows.append(_scored(protocol.bundle_id, UNAIDED, case, truth[case.id], aid.score, call))
    return rows


def _own_call(protocol: Protocol, aid: Aid, threshold: float) -> int | None:
    decided = {LOOSE: 1, NOT_LOOSE: 0}.get(aid.decision)
    if decided is None and protocol.plan.indeterminate is Indeterminate.BY_SCORE and aid.score is not None:
        return int(aid.score >= threshold)
    return decided
