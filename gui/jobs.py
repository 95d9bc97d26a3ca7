"""The only place in the window that knows about workers: futures become signals on the main thread."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from shiboken6 import isValid

from gui import tasks
from imaging.radiograph import RadiographError
from imaging.reader import read_radiograph
from imaging.worker import TimeLimitError
from inference import worker as inference_worker
from inference.prediction import InferenceError, Way

if TYPE_CHECKING:
    from imaging.geometry import HipRegion
    from imaging.radiograph import Radiograph
    from imaging.sources import Source
    from imaging.worker import SupervisedWorker

SLOW_AFTER_MS = 500  # anything longer shows progress and can be cancelled
SCAN_LIMIT_S = 120.0
THUMBNAIL_LIMIT_S = 10.0


def guarded(receiver: QObject, slot: Callable[..., object]) -> Callable[..., None]:
    """`slot`, for a job that may outlast `receiver`: called with all of the signal's values, or not once that is gone.

    Qt itself disconnects a bound method of a QObject when that is deleted; a lambda would be called all the same.
    """

    def call(*values: object) -> None:
        if isValid(receiver):
            slot(*values)

    return call


class Job(QObject):
    """One task in a worker. Its signals arrive on the main thread; after `cancel()` only `ended` still comes."""

    done = Signal(object)  # the result
    failed = Signal(str, str)  # one sentence, technical details
    slow = Signal()  # still under way after SLOW_AFTER_MS
    ended = Signal()  # exactly once, whatever happened

    def __init__(
        self,
        title: str,
        future: Future[Any],
        worker: SupervisedWorker,
        jobs: Jobs,
        *,
        impatient: bool,
        foreground: bool,
    ) -> None:
        """`impatient`: once abandoned, it is killed rather than waited for."""
        super().__init__(jobs)
        self.title = title
        self._jobs = jobs
        self._impatient = impatient
        self._abandoned = False
        self.is_foreground = foreground  # somebody waits for it
        self.is_slow = False
        self.is_over = False
        self.is_too_late = False  # it failed because its time was up: the machine may be slow
        self._cancelled = False
        self._future = future
        self._worker = worker
        self._timer = QTimer(self, singleShot=True, interval=SLOW_AFTER_MS)
        self._timer.timeout.connect(self._mark_slow)
        self._timer.start()

    def cancel(self) -> None:
        """Stop it: a queued task never runs, a running one is killed with its worker, which is replaced."""
        if self.is_over or self._cancelled:
            return
        self._cancelled = True
        self._worker.cancel(self._future)

    def abandon(self) -> None:
        """Nobody waits for it any more. What has not begun never runs; what runs may finish, and is killed only
        where it could keep the next one waiting for long."""
        if self._jobs.is_waiting(self) or (self._impatient and self.is_slow):
            self.cancel()
        else:
            self._abandoned = True

    def _mark_slow(self) -> None:
        if self.is_over:
            return
        self.is_slow = True
        if self._abandoned and self._impatient:
            self.cancel()
        elif not self._abandoned:
            self.slow.emit()

    def _land(self) -> None:
        self._timer.stop()
        self.is_over = True
        try:
            if self._cancelled:
                return
            try:
                result = self._future.result(timeout=0)
            except CancelledError:
                return
            except (RadiographError, InferenceError) as error:
                self.is_too_late = isinstance(error, TimeLimitError)
                self.failed.emit(error.sentence, error.details)
            except Exception as error:  # a fault of the program inside the worker: said in words, details to copy
                self.failed.emit("The program made an error while doing this.", f"{type(error).__name__}: {error}")
            else:
                self.done.emit(result)
        finally:
            self.ended.emit()
            self.deleteLater()


class Jobs(QObject):
    """The decode, thumbnail and inference workers.

    The worker that opens the case a reader has clicked does nothing else; thumbnails, prefetching and the
    listing of folders go through a second one, started when first needed, so that they never delay it.
    """

    changed = Signal()  # a job has become slow, or a slow one has ended
    _landed = Signal(object)

    def __init__(
        self,
        decoder: SupervisedWorker,
        make_background: Callable[[], SupervisedWorker],
        engine: SupervisedWorker | None,
        parent: QObject | None = None,
        *,
        begun: Mapping[Source, Future[Any]] | None = None,
    ) -> None:
        """`engine` is None where no network could be found. `begun`: radiographs that `decoder` reads already."""
        super().__init__(parent)
        self._begun = dict(begun or {})
        self._decoder = decoder
        self._make_background = make_background
        self._background: SupervisedWorker | None = None
        self._engine = engine
        self._running: list[Job] = []
        self._closed = False
        self._landed.connect(self._on_landed, Qt.ConnectionType.QueuedConnection)

    @property
    def has_engine(self) -> bool:
        return self._engine is not None

    @property
    def slow_jobs(self) -> list[Job]:
        return [job for job in self._running if job.is_slow]

    def is_waiting(self, job: Job) -> bool:
        """Its worker is still busy with an earlier one."""
        return next((other for other in self._running if other._worker is job._worker), job) is not job

    def list_sources(self, paths: Sequence[Path]) -> Job:
        worker = self._decoder if len(paths) == 1 and paths[0].is_file() else self._background_worker()
        return self._submit(
            "Looking for radiographs", worker, tasks.list_sources, list(paths), limit_s=SCAN_LIMIT_S, urgent=True
        )

    def decode(self, source: Source, frame: int = 0) -> Job:
        title = f"Opening {source.label}"
        begun = self._begun.pop(source, None)
        if begun is not None and frame == 0:
            return self._watch(title, begun, self._decoder)
        return self._submit(title, self._decoder, read_radiograph, source, frame)

    def prefetch(self, source: Source) -> Job:
        return self._submit(
            "Reading ahead", self._background_worker(), read_radiograph, source, 0, foreground=False, urgent=True
        )

    def glance(self, source: Source, size_px: int) -> Job:
        """For the list of cases. The result is a gui.tasks.Glance."""
        return self._submit(
            "Drawing thumbnails",
            self._background_worker(),
            tasks.glance,
            source,
            size_px,
            limit_s=THUMBNAIL_LIMIT_S,
            foreground=False,
        )

    def assess(self, radiograph: Radiograph, region: HipRegion | None) -> Job:
        """One forward pass over the region, or over every hip that the CNN finds when it is None."""
        if self._engine is None:
            raise RuntimeError("No CNN is loaded.")
        return self._submit("The CNN is reading", self._engine, inference_worker.assess, radiograph, region)

    def advanced_map(self, radiograph: Radiograph, region: HipRegion, method: str, way: Way | None) -> Job:
        if self._engine is None:
            raise RuntimeError("No CNN is loaded.")
        return self._submit(
            f"Computing {method}", self._engine, inference_worker.advanced_map, radiograph, region, method, way
        )

    def describe_engine(self) -> Job:
        """Starts the engine. The result is an inference.worker.EngineDescription."""
        if self._engine is None:
            raise RuntimeError("No CNN is loaded.")
        return self._submit("Starting the CNN", self._engine, inference_worker.describe, foreground=False)

    def replace_engine(self, engine: SupervisedWorker | None) -> None:
        """Another model or device was chosen in the settings."""
        old, self._engine = self._engine, engine
        if old is not None:
            old.shutdown()

    def shutdown(self) -> None:
        """End the workers; no signal comes after this."""
        self._closed = True
        for worker in (self._decoder, self._background, self._engine):
            if worker is not None:
                worker.shutdown()
        self._running.clear()

    def _background_worker(self) -> SupervisedWorker:
        if self._background is None:
            self._background = self._make_background()
        return self._background

    def _submit(
        self,
        title: str,
        worker: SupervisedWorker,
        task: Callable[..., Any],
        *args: Any,
        limit_s: float | None = None,
        foreground: bool = True,
        urgent: bool = False,
    ) -> Job:
        """`urgent`: before whatever waits for the same worker."""
        if self._closed:  # a timer may still ask for something while the program quits: it never begins
            future: Future[Any] = Future()
            future.cancel()
        else:
            future = worker.submit(task, *args, time_limit_s=limit_s, urgent=urgent)
        return self._watch(title, future, worker, foreground=foreground, urgent=urgent)

    def _watch(
        self,
        title: str,
        future: Future[Any],
        worker: SupervisedWorker,
        *,
        foreground: bool = True,
        urgent: bool = False,
    ) -> Job:
        job = Job(title, future, worker, self, impatient=worker is self._decoder, foreground=foreground)
        mine = [index for index, other in enumerate(self._running) if other._worker is worker]
        self._running.insert(mine[0] + 1 if urgent and mine else len(self._running), job)
        job.slow.connect(self.changed)
        future.add_done_callback(lambda _future: self._announce(job))
        return job

    def _announce(self, job: Job) -> None:
        """Runs in the worker's thread."""
        with contextlib.suppress(RuntimeError):  # the window has gone
            self._landed.emit(job)

    def _on_landed(self, job: Job) -> None:
        if self._closed:
            return
        self._running.remove(job)
        job._land()
        self.changed.emit()
