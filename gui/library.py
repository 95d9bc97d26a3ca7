"""CaseLibrary: the radiographs in the list, and opening them. State and signals, no widgets."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from gui.cases import CaseItem, CaseState
from gui.jobs import Job, Jobs, guarded
from imaging.windowing import apply_window

if TYPE_CHECKING:
    from gui.tasks import Glance
    from imaging.radiograph import Radiograph
    from imaging.sources import Source

KEPT_IMAGES = 3  # decoded radiographs kept for going back and forth ...
KEPT_BYTES = 128 * 2**20  # ... within this much memory
THUMBNAIL_PX = 160
WORK_AHEAD_AFTER_MS = 500  # the case that was clicked, and the CNN on it, come first
LATE_AGAIN_MS = 20_000  # when a file that took too long is looked at again: the machine may have time then
LATE_GLANCES = 3  # then it waits until somebody opens it


class CaseLibrary(QObject):
    """Opens what is asked for, reads ahead, draws thumbnails.

    A radiograph that fails to open marks its row and changes nothing else; one that was asked for and then left
    for another is decoded for the cache at most, never shown. `selected` is the row whose radiograph is on screen, and
    no other; `asked` is where next and previous go on from.
    """

    cases_changed = Signal()  # the list was replaced or has grown
    case_changed = Signal(int)  # a row's state or thumbnail
    identified = Signal(object)  # CaseItem: the hash of its file is known
    selected_changed = Signal(int)  # `selected`, also where a row was asked for that is not on screen yet
    opening_changed = Signal()  # `opening` is another job, or None
    opened = Signal(object, object)  # CaseItem, Radiograph
    open_failed = Signal(str, str)  # sentence, details
    emptied = Signal()

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._cases: list[CaseItem] = []
        self._asked = -1
        self._shown: CaseItem | None = None
        self._opening: Job | None = None
        self._prefetching: Job | None = None
        self._thumbnail_job: Job | None = None
        self._images: OrderedDict[tuple[Source, int], Radiograph] = OrderedDict()
        self._rest = QTimer(self, singleShot=True, interval=WORK_AHEAD_AFTER_MS)
        self._rest.timeout.connect(self._work_ahead)
        self._again = QTimer(self, singleShot=True, interval=LATE_AGAIN_MS)
        self._again.timeout.connect(self._work_ahead)

    def _work_ahead(self) -> None:
        """When the reader has settled on a case: the next one is decoded, thumbnails are drawn."""
        if self._opening is not None:
            self._rest.start()
            return
        self._prefetch_next()
        if len(self._cases) > 1:
            self._next_thumbnail()

    @property
    def cases(self) -> Sequence[CaseItem]:
        return self._cases

    @property
    def selected(self) -> int:
        """The row of the case on screen; -1 when there is none."""
        return self._cases.index(self._shown) if self._shown is not None else -1

    @property
    def asked(self) -> int:
        """The row that was last asked for; it may still be opening, or have failed."""
        return self._asked

    @property
    def opening(self) -> Job | None:
        return self._opening

    def add(
        self,
        sources: Sequence[Source],
        *,
        open_first: bool = True,
        frame: int = 0,
        names: Mapping[Path, str] | None = None,
    ) -> None:
        """Append radiographs to the list (those already in it are only selected) and open the first of them.

        Asked for by name, a file is read anew: it may have changed. `names`: what to call some files instead of
        their file names.
        """
        names = names or {}
        rows = {item.source: row for row, item in enumerate(self._cases)}
        first: int | None = None
        for source in sources:
            if source not in rows:
                rows[source] = len(self._cases)
                self._cases.append(CaseItem(source, name=names.get(source.path, "")))
            if first is None:
                first = rows[source]
            for key in [key for key in self._images if key[0] == source]:
                del self._images[key]
        self.cases_changed.emit()
        if first is not None and open_first:
            self.open(first, frame)
        if len(self._cases) > 1:
            self._rest.start()

    def clear(self) -> None:
        for job in (self._opening, self._thumbnail_job, self._prefetching):
            if job is not None:
                job.cancel()
        self._opening = self._thumbnail_job = self._prefetching = None
        self._again.stop()
        self._cases.clear()
        self._images.clear()
        self._asked, self._shown = -1, None
        self.cases_changed.emit()
        self.selected_changed.emit(-1)
        self.opening_changed.emit()
        self.emptied.emit()

    def open(self, row: int, frame: int = 0) -> None:
        """Ask for a case; `opened` or `open_failed` follows, unless another one is asked for before."""
        if not 0 <= row < len(self._cases):
            return
        item = self._cases[row]
        if self._opening is not None:
            self._opening.abandon()
            self._opening = None
        asked, self._asked = self._asked, row
        self._announce_row(asked)
        kept = self._images.get((item.source, frame))
        if kept is not None:
            self._images.move_to_end((item.source, frame))
            self.opening_changed.emit()
            self._on_ready(item, kept)
            return
        job = self._jobs.decode(item.source, frame)
        self._opening = job
        job.done.connect(guarded(self, lambda radiograph: self._on_decoded(job, item, radiograph)))
        job.failed.connect(guarded(self, lambda sentence, details: self._on_failed(job, item, sentence, details)))
        job.ended.connect(guarded(self, lambda: self._on_ended(job)))
        self._announce(item)
        self.selected_changed.emit(self.selected)
        self.opening_changed.emit()

    def step(self, by: int) -> None:
        """Next (+1) or previous (-1) case."""
        row = min(max(self._asked + by, 0), len(self._cases) - 1)
        if self._cases and row != self._asked:
            self.open(row)

    def open_next_unread(self) -> bool:
        """Open the next case without a reading; False when there is none."""
        for row in (*range(self._asked + 1, len(self._cases)), *range(max(self._asked, 0))):
            if self._cases[row].state in (CaseState.UNREAD, CaseState.DRAFT):
                self.open(row)
                return True
        return False

    def set_state(self, item: CaseItem, state: CaseState) -> None:
        if item.state is not state:
            item.state = state
            self._announce(item)

    def _on_decoded(self, job: Job, item: CaseItem, radiograph: Radiograph) -> None:
        self._keep(item, radiograph)
        if job is self._opening:
            self._on_ready(item, radiograph)

    def _on_ready(self, item: CaseItem, radiograph: Radiograph) -> None:
        item.sha256, item.error = radiograph.sha256, ""  # the controller says by itself how far its reading is
        if item.state is CaseState.ERROR:
            item.state = CaseState.UNREAD
        self._shown = item
        self._announce(item)
        self.selected_changed.emit(self.selected)
        self.opened.emit(item, radiograph)
        QTimer.singleShot(0, lambda: self._after_opening(item, radiograph))

    def _after_opening(self, item: CaseItem, radiograph: Radiograph) -> None:
        """Once the radiograph is painted."""
        if item.thumbnail is None:
            step = max(1, max(radiograph.shape) // THUMBNAIL_PX)
            self._on_thumbnail(item, apply_window(radiograph.pixels[::step, ::step], radiograph.windows[0]))
        self._rest.start()

    def _on_failed(self, job: Job, item: CaseItem, sentence: str, details: str) -> None:
        item.state, item.error = CaseState.ERROR, sentence
        self._announce(item)
        if job is self._opening:
            self.open_failed.emit(sentence, details)

    def _on_ended(self, job: Job) -> None:
        if job is self._opening:
            self._opening = None
            self._announce_row(self._asked)
            self.opening_changed.emit()

    def _keep(self, item: CaseItem, radiograph: Radiograph) -> None:
        key = (item.source, radiograph.frame)
        self._images[key] = radiograph
        self._images.move_to_end(key)
        while len(self._images) > 1 and (
            len(self._images) > KEPT_IMAGES or sum(kept.pixels.nbytes for kept in self._images.values()) > KEPT_BYTES
        ):
            self._images.popitem(last=False)

    def _prefetch_next(self) -> None:
        """Decode the next case while the reader looks at this one."""
        row = self._asked + 1
        if self._prefetching is not None or not 0 < row < len(self._cases):
            return
        item = self._cases[row]
        if item.state is CaseState.ERROR or (item.source, 0) in self._images:
            return
        job = self._jobs.prefetch(item.source)
        self._prefetching = job
        # A failure is said when the case is opened, not while another is being read.
        job.done.connect(guarded(self, lambda radiograph: self._keep_ahead(item, radiograph)))
        job.ended.connect(guarded(self, lambda: self._on_prefetched(job)))

    def _keep_ahead(self, item: CaseItem, radiograph: Radiograph) -> None:
        if item in self._cases:
            self._keep(item, radiograph)
            self._identify(item, radiograph.sha256)

    def _on_prefetched(self, job: Job) -> None:
        if job is self._prefetching:
            self._prefetching = None

    def _next_thumbnail(self) -> None:
        """One at a time, in the order of the list, starting at what is on screen."""
        if self._thumbnail_job is not None:
            return
        start = max(self._asked, 0)
        order = [*range(start, len(self._cases)), *range(start)]
        waiting = [self._cases[row] for row in order if self._lacks_thumbnail(self._cases[row])]
        # What took too long comes last, and only once the machine had a moment to itself.
        item = min(waiting, key=lambda item: item.late_glances, default=None)
        if item is None or (item.late_glances and self._again.isActive()):
            return
        job = self._jobs.glance(item.source, THUMBNAIL_PX)
        self._thumbnail_job = job
        job.done.connect(guarded(self, lambda glance: self._on_glance(item, glance)))
        job.failed.connect(guarded(self, lambda sentence, _details: self._on_glance_failed(job, item, sentence)))
        job.ended.connect(guarded(self, lambda: self._on_thumbnail_ended(job)))

    def _lacks_thumbnail(self, item: CaseItem) -> bool:
        return item.thumbnail is None and not item.thumbnail_failed and item.late_glances < LATE_GLANCES

    def _on_glance(self, item: CaseItem, glance: Glance) -> None:
        self._on_thumbnail(item, glance.thumbnail)
        self._identify(item, glance.sha256)

    def _identify(self, item: CaseItem, sha256: str) -> None:
        if item.sha256 != sha256 and item in self._cases:
            item.sha256 = sha256
            self.identified.emit(item)

    def _on_thumbnail(self, item: CaseItem, pixels: Any) -> None:
        item.thumbnail = pixels
        self._announce(item)

    def _on_glance_failed(self, job: Job, item: CaseItem, sentence: str) -> None:
        if job.is_too_late:  # no fault of the file, as far as is known
            item.late_glances += 1
            self._again.start()
            self._announce(item)
            return
        item.thumbnail_failed = True
        if not item.sha256:  # never opened: the row says at once what opening it would say
            item.state, item.error = CaseState.ERROR, sentence
        self._announce(item)

    def _on_thumbnail_ended(self, job: Job) -> None:
        if job is self._thumbnail_job:
            self._thumbnail_job = None
            self._next_thumbnail()

    def is_opening(self, item: CaseItem) -> bool:
        """It was asked for, and is not on screen yet."""
        return self._opening is not None and 0 <= self._asked < len(self._cases) and self._cases[self._asked] is item

    def _announce_row(self, row: int) -> None:
        if 0 <= row < len(self._cases):
            self.case_changed.emit(row)

    def _announce(self, item: CaseItem) -> None:
        if item in self._cases:
            self.case_changed.emit(self._cases.index(item))
