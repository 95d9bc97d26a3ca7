"""From what somebody drops, a folder, images or a list, to rows of the case table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, Signal

from gui.jobs import Job, Jobs, guarded
from gui.study.background import Steps, StoppedError, decode
from gui.study.wizard_draft import CaseRow
from imaging.radiograph import Radiograph, Side
from study.cases import CaseList, read_case_csv, read_case_folder

LIST_SUFFIXES = (".csv", ".tsv", ".txt")


class Imported(msgspec.Struct, frozen=True):
    rows: tuple[CaseRow, ...]
    left_out: tuple[str, ...]  # sentences


def read_cases(paths: Sequence[Path], steps: Steps) -> Imported:
    """Lists and images among the paths, hashed. Waits for the disk. Raises CasesError, StoppedError."""
    lists = [path for path in paths if path.suffix.lower() in LIST_SUFFIXES and path.is_file()]
    images = [path for path in paths if path not in lists]
    rows: list[CaseRow] = []
    left_out: list[str] = []
    for path in lists:
        _take(read_case_csv(path, steps.keep_going), f"{path.name}, row ", rows, left_out)
    if images:
        _take(read_case_folder(images, steps.keep_going), "File ", rows, left_out)
    if steps.cancelled:
        raise StoppedError
    return Imported(tuple(rows), tuple(left_out))


def _take(found: CaseList, place: str, rows: list[CaseRow], left_out: list[str]) -> None:
    """Problems of rows that became no candidate; those between candidates are found anew in the whole table."""
    taken = {candidate.row for candidate in found.candidates}
    rows += [CaseRow.of(candidate) for candidate in found.candidates]
    left_out += [
        f"{place}{problem.row}: {problem.what} {problem.cure}"
        for problem in found.problems
        if problem.row and problem.row not in taken
    ]


def merged(rows: Sequence[CaseRow], new: Sequence[CaseRow]) -> list[CaseRow]:
    """The table with new rows: the same hip again fills in what was not known, and a list says more than a folder."""
    out = list(rows)
    for row in new:
        places = [index for index, held in enumerate(out) if held.place == row.place]
        same = next((index for index in places if _key(out[index]) == _key(row)), None)
        bare = next((index for index in places if _says_nothing(out[index])), None)
        if same is not None:
            out[same] = _filled(out[same], row)
        elif bare is not None:
            out[bare] = row
        elif not (places and _says_nothing(row)):
            out.append(row)
    return out


def _key(row: CaseRow) -> object:
    return row.candidate(0).key


def _says_nothing(row: CaseRow) -> bool:
    return row.truth is None and row.box is None and not row.practice and (row.side == Side.UNKNOWN.value)


def _filled(held: CaseRow, new: CaseRow) -> CaseRow:
    return msgspec.structs.replace(
        held,
        truth=held.truth if new.truth is None else new.truth,
        patient=new.patient or held.patient,
        practice=held.practice or new.practice,
    )


class CaseCheck(QObject):
    """Opens every image once, in the workers: can it be read, and what does it say about side and patient?"""

    progressed = Signal(int, int)  # done, of how many
    finished = Signal(object)  # what was found, by place: changes for `with_findings`

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._job: Job | None = None
        self._waiting: list[CaseRow] = []
        self._found: dict[tuple[str, int], dict[str, object]] = {}
        self._begun: set[tuple[str, int]] = set()
        self._total = 0

    @property
    def is_running(self) -> bool:
        return self._job is not None

    def start(self, rows: Sequence[CaseRow]) -> None:
        """Those that nobody has looked at yet; while others are being opened, they wait for their turn."""
        new = {row.place: row for row in rows if not row.looked_at}
        if self.is_running:
            fresh = [row for place, row in new.items() if place not in self._begun]
            self._waiting += [row for row in fresh if row not in self._waiting]
            self._total = len(self._begun) + len(self._waiting)
            return
        self._waiting, self._begun = list(new.values()), set()
        self._found, self._total = {}, len(self._waiting)
        self._next()

    def stop(self) -> None:
        """What was found so far counts."""
        self._waiting.clear()
        if self._job is not None:
            self._job.cancel()

    def _next(self) -> None:
        if not self._waiting:
            self._job = None
            if self._total:
                self.finished.emit(self._found)
            return
        row = self._waiting.pop(0)
        self._begun.add(row.place)
        self.progressed.emit(self._total - len(self._waiting) - 1, self._total)
        job = self._job = decode(self._jobs, row.source, row.frame)
        job.done.connect(guarded(self, lambda radiograph: self._note(row, radiograph)))
        job.failed.connect(guarded(self, lambda sentence, _details: self._fail(row, sentence)))
        job.ended.connect(self._next)

    def _note(self, row: CaseRow, radiograph: Radiograph) -> None:
        if radiograph.sha256 != row.image_sha256:
            self._fail(row, "The file was changed since it was added. Remove it and add it again.")
            return
        self._found[row.place] = {
            "looked_at": True,
            "fault": "",
            "side": radiograph.side.value,
            "patient": radiograph.patient_id or radiograph.patient_name,
        }

    def _fail(self, row: CaseRow, sentence: str) -> None:
        self._found[row.place] = {"looked_at": True, "fault": sentence}


def with_findings(rows: Sequence[CaseRow], found: dict[tuple[str, int], dict[str, object]]) -> list[CaseRow]:
    """What the file says fills in what the list left open; it never overrules it."""
    cases_of: dict[tuple[str, int], int] = defaultdict(int)
    for row in rows:
        cases_of[row.place] += 1
    out = []
    for row in rows:
        fields = dict(found.get(row.place, {}))
        side = fields.pop("side", Side.UNKNOWN.value)
        patient = fields.pop("patient", "")
        alone = cases_of[row.place] == 1 and row.box is None
        if row.side == Side.UNKNOWN.value and side in (Side.RIGHT.value, Side.LEFT.value) and alone:
            fields["side"] = side
        if not row.patient and patient:
            fields["patient"] = patient
        out.append(msgspec.structs.replace(row, **fields))
    return out
