"""The radiographs of a reader package: decoded in the workers, the next one ahead of time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from gui.jobs import Job, Jobs, guarded

if TYPE_CHECKING:
    from imaging.radiograph import Radiograph
    from imaging.sources import Source

KEPT_IMAGES = 3  # the one on screen, the one before it, the next one


class CaseImages(QObject):
    """By case id, never by file. `ready` and `failed` come for what was asked for last, nothing for the rest."""

    ready = Signal(str, object)  # case id, Radiograph
    failed = Signal(str, str, str)  # case id, sentence, details
    waiting_changed = Signal()

    def __init__(self, jobs: Jobs, source_of: Callable[[str], Source], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._source_of = source_of
        self._kept: OrderedDict[str, Radiograph] = OrderedDict()
        self._running: dict[str, Job] = {}
        self._wanted = ""

    @property
    def waiting(self) -> bool:
        """Something was asked for that is not there yet."""
        return bool(self._wanted)

    def ask(self, case_id: str) -> None:
        kept = self._kept.get(case_id)
        if kept is not None:
            self._kept.move_to_end(case_id)
            self._want("")
            self.ready.emit(case_id, kept)
            return
        self._want(case_id)
        if case_id not in self._running:
            self._start(case_id, self._jobs.decode(self._source_of(case_id)))

    def read_ahead(self, case_id: str) -> None:
        if case_id not in self._kept and case_id not in self._running:
            self._start(case_id, self._jobs.prefetch(self._source_of(case_id)))

    def forget(self) -> None:
        """Nobody waits for an image now. What is being read may finish: it may be asked for next."""
        self._want("")

    def close(self) -> None:
        self.forget()
        for job in list(self._running.values()):
            job.abandon()
        self._running.clear()

    def _start(self, case_id: str, job: Job) -> None:
        self._running[case_id] = job
        job.done.connect(guarded(self, lambda radiograph: self._on_done(case_id, radiograph)))
        job.failed.connect(guarded(self, lambda sentence, details: self._on_failed(case_id, sentence, details)))
        job.ended.connect(guarded(self, lambda: self._on_ended(case_id, job)))

    def _on_done(self, case_id: str, radiograph: Radiograph) -> None:
        self._kept[case_id] = radiograph
        while len(self._kept) > KEPT_IMAGES:
            self._kept.popitem(last=False)
        if case_id == self._wanted:
            self._want("")
            self.ready.emit(case_id, radiograph)

    def _on_failed(self, case_id: str, sentence: str, details: str) -> None:
        # What was only read ahead is tried again, and told of, when its turn comes.
        if case_id == self._wanted:
            self._want("")
            self.failed.emit(case_id, sentence, details)

    def _on_ended(self, case_id: str, job: Job) -> None:
        if self._running.get(case_id) is not job:
            return
        del self._running[case_id]
        if case_id == self._wanted:  # cancelled by somebody else
            self._want("")
            self.failed.emit(case_id, "Opening the image was stopped.", "")

    def _want(self, case_id: str) -> None:
        if case_id != self._wanted:
            self._wanted = case_id
            self.waiting_changed.emit()
