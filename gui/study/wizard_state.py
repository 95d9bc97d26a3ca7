"""The study as it is being put together: one draft, what the CNN said about its cases, and what still stands against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from PySide6.QtCore import QObject, Signal

from gui.study.wizard_draft import CaseRow, StudyDraft, Variances, empty_draft
from study.aids import Aid
from study.cases import Candidate, case_problems
from study.exchange import RowProblem
from study.protocol import (
    AIDED,
    PROTOCOL_VERSION,
    UNAIDED,
    AnalysisPlan,
    Arms,
    Method,
    NegativeVariance,
    Part,
    Protocol,
    StudyDesign,
    TrainingData,
    problems_by_part,
)


@dataclass(frozen=True)
class Network:
    """The CNN that the study is about."""

    id: str
    sha256: str
    title: str
    threshold: float  # its operating point, 0-100
    training: TrainingData  # what it was trained on
    training_hashes: frozenset[str] = field(default_factory=frozenset)


class WizardState(QObject):
    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.draft: StudyDraft = empty_draft()
        self.network: Network | None = None
        self.answers: dict[object, Aid] = {}  # by Candidate.key; case_id is filled in at registration
        self.answer_faults: dict[object, str] = {}  # by Candidate.key: why the CNN gave none

    @property
    def protocol(self) -> Protocol:
        return self.draft.protocol

    @property
    def plan(self) -> AnalysisPlan:
        return self.draft.protocol.plan

    @property
    def rows(self) -> tuple[CaseRow, ...]:
        return self.draft.rows

    @property
    def candidates(self) -> list[Candidate]:
        """Rows counted from 1, as the table shows them."""
        return [row.candidate(number) for number, row in enumerate(self.rows, start=1)]

    # --- changing it

    def restore(self, draft: StudyDraft) -> None:
        self.draft = draft
        self.answers, self.answer_faults = {}, {}
        self._name_network()
        self.changed.emit()

    def set(self, **fields: Any) -> None:
        """Fields of the protocol. What follows from the design follows with it."""
        self._take(self.draft, _consistent(msgspec.structs.replace(self.protocol, **fields)))

    def set_plan(self, **fields: Any) -> None:
        self.set(plan=msgspec.structs.replace(self.plan, **fields))

    def set_rows(self, rows: Sequence[CaseRow], left_out: Sequence[str] | None = None) -> None:
        """The numbers of cases in the protocol are those of the table."""
        practice = sum(row.practice for row in rows)
        protocol = msgspec.structs.replace(self.protocol, planned_cases=len(rows) - practice, practice_cases=practice)
        kept = self.draft.left_out if left_out is None else tuple(left_out)
        self._take(msgspec.structs.replace(self.draft, rows=tuple(rows), left_out=kept), protocol)

    def set_variances(self, variances: Variances) -> None:
        self._take(msgspec.structs.replace(self.draft, variances=variances), self.protocol)

    def set_step(self, step: int) -> None:
        self.draft = msgspec.structs.replace(self.draft, step=step)

    def set_network(self, network: Network | None) -> None:
        if self.network is not None and network != self.network:
            self.answers, self.answer_faults = {}, {}
        self.network = network
        self._name_network()
        self.changed.emit()

    def set_answers(self, answers: dict[object, Aid], faults: dict[object, str]) -> None:
        self.answers = {**self.answers, **answers}
        self.answer_faults = faults
        self.changed.emit()

    def _take(self, draft: StudyDraft, protocol: Protocol) -> None:
        changed = msgspec.structs.replace(draft, protocol=protocol)
        if changed != self.draft:
            self.draft = changed
            self.changed.emit()

    def _name_network(self) -> None:
        held = self.network
        named: dict[str, Any] = {"bundle_id": "", "bundle_sha256": "", "bundle_training": msgspec.UNSET}
        if held is not None:
            named = {"bundle_id": held.id, "bundle_sha256": held.sha256, "bundle_training": held.training}
        protocol = msgspec.structs.replace(self.protocol, **named, schema=PROTOCOL_VERSION)
        self.draft = msgspec.structs.replace(self.draft, protocol=protocol)

    # --- what stands against it

    def row_problems(self) -> list[RowProblem]:
        """Of the case table; row 0 is about all of them."""
        out = [RowProblem(number, row.fault, "Leave it out.") for number, row in enumerate(self.rows, 1) if row.fault]
        known = self.network.training_hashes if self.network is not None else frozenset()
        name = self.protocol.bundle_id
        out += [
            RowProblem(
                number, f"this image was used to train {name}, so it cannot be part of a study of it.", "Leave it out."
            )
            for number, row in enumerate(self.rows, start=1)
            if row.image_sha256 in known
        ]
        return out + (case_problems(self.candidates) if self.rows else [])

    def unanswered(self) -> int:
        """How many cases the CNN has not answered yet."""
        return sum(case.key not in self.answers for case in self.candidates)

    def problems(self) -> list[tuple[Part, str]]:
        """All that stands against registering, each with what it is about."""
        found = problems_by_part(self.protocol)
        out: list[tuple[Part, str]] = [problem for problem in found if problem[0] is not Part.CASES]
        if not self.rows:
            out.append((Part.CASES, "Add the cases to be read."))
        out += [(Part.CASES, row_words(problem)) for problem in self.row_problems()]
        out += [(Part.CASES, sentence) for sentence in self.draft.left_out]
        if self.rows and self.network is not None and self.unanswered():
            out.append((Part.CNN, f"The CNN has not answered {self.unanswered()} of {len(self.rows)} cases yet."))
        return out


def row_words(problem: RowProblem) -> str:
    """A problem of the table as a sentence."""
    what = problem.what
    if problem.row and not what.startswith("Rows") and not what[:1].isdigit():
        what = f"Row {problem.row}: {what}"
    return f"{what[:1].upper()}{what[1:]} {problem.cure}".strip()


def _consistent(protocol: Protocol) -> Protocol:
    """The choices that another choice leaves no alternative to."""
    plan = protocol.plan
    fields: dict[str, Any] = {}
    against = protocol.design is StudyDesign.CNN_AGAINST_READERS
    if against:
        fields["arms"] = Arms.UNAIDED
        plan = msgspec.structs.replace(plan, method=Method.ONE_AGAINST_MANY)
    else:
        if protocol.arms is Arms.UNAIDED:
            fields["arms"] = Arms.SEQUENTIAL
        if plan.method is Method.ONE_AGAINST_MANY:
            plan = msgspec.structs.replace(plan, method=Method.OBUCHOWSKI_ROCKETTE)
    if protocol.design is StudyDesign.SPLIT_PLOT:
        fields["blocks"] = max(protocol.blocks, 2)
        if plan.method is Method.OBUCHOWSKI_ROCKETTE:
            plan = msgspec.structs.replace(plan, method=Method.U_STATISTICS)
    else:
        fields["blocks"] = 1
    if against:
        fields["sham_share"] = 0.0
    plan = msgspec.structs.replace(
        plan,
        new_mode=msgspec.UNSET if against else AIDED,
        reference_mode=msgspec.UNSET if against else UNAIDED,
        negative_variance=(plan.negative_variance or NegativeVariance.MLE)
        if plan.method is Method.U_STATISTICS
        else msgspec.UNSET,
    )
    return msgspec.structs.replace(protocol, plan=plan, **fields)
