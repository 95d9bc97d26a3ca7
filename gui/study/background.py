"""What a study window does off the main thread: the store, argon2, packages and hashing wait for the disk or the CPU.

Decoding and the CNN stay in `gui.jobs`' processes; `RadiographReader` lets a background thread wait for them.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from gui.jobs import SLOW_AFTER_MS
from imaging.radiograph import Radiograph, RadiographError
from imaging.sources import Source
from inference.prediction import InferenceError
from study.store import StoreError

if TYPE_CHECKING:
    from gui.jobs import Job, Jobs

log = logging.getLogger(__name__)
TOLD_EVERY_S = 0.05  # progress reaches the window no more often than this
_POLL_S = 0.2


class StoppedError(Exception):
    """The work was cancelled; nobody is told anything but that it ended."""


class Steps:
    """Handed to the work: it says how far it is, and asks whether to go on."""

    def __init__(self, tell: Callable[[int, int], None]) -> None:
        self._tell = tell
        self._stop = threading.Event()
        self._told_at = 0.0
        self.total = 0  # 0: not known

    @property
    def cancelled(self) -> bool:
        return self._stop.is_set()

    def cancel(self) -> None:
        self._stop.set()

    def keep_going(self, done: int) -> bool:
        """As the core's functions take it: told how many are done, answers whether to go on."""
        now = time.monotonic()
        if now - self._told_at >= TOLD_EVERY_S or done == self.total:
            self._told_at = now
            self._tell(done, self.total)
        return not self.cancelled

    def check(self, done: int) -> None:
        """Like keep_going, raising StoppedError."""
        if not self.keep_going(done):
            raise StoppedError


class Task(QObject):
    """One piece of work. Its signals arrive on the main thread; after `cancel()` only `ended` still comes."""

    done = Signal(object)  # the result
    failed = Signal(str, str)  # one sentence, technical details
    progressed = Signal(int, int)  # done, of how many (0: not known)
    slow = Signal()  # still under way after SLOW_AFTER_MS
    ended = Signal()  # exactly once, whatever happened

    def __init__(self, title: str, parent: Background) -> None:
        super().__init__(parent)
        self.title = title
        self.is_over = False
        self.is_slow = False
        self.keep = False
        self.steps = Steps(lambda done, total: parent.post(lambda: self._progress(done, total)))
        self._timer = QTimer(self, singleShot=True, interval=SLOW_AFTER_MS)
        self._timer.timeout.connect(self._mark_slow)
        self._timer.start()

    def cancel(self) -> None:
        self.steps.cancel()

    def _mark_slow(self) -> None:
        if not self.is_over:
            self.is_slow = True
            self.slow.emit()

    def _progress(self, done: int, total: int) -> None:
        if not self.is_over and not self.steps.cancelled:
            self.progressed.emit(done, total)

    def land(self, result: Any, error: BaseException | None) -> None:
        """Called once by `Background`, on the main thread."""
        self._timer.stop()
        self.is_over = True
        try:
            if isinstance(error, StoppedError) or self.steps.cancelled:
                return
            if error is None:
                self.done.emit(result)
            else:
                self.failed.emit(*in_words(error))
        finally:
            self.ended.emit()
            self.deleteLater()


class Background(QObject):
    """One thread: what is asked for happens in that order."""

    changed = Signal()  # a task began, has become slow, or ended
    _posted = Signal(object)

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._tasks: list[Task] = []
        self._closed = False
        self._posted.connect(self._run_posted, Qt.ConnectionType.QueuedConnection)

    @property
    def tasks(self) -> list[Task]:
        """What is under way or waits, in order."""
        return list(self._tasks)

    def run(
        self,
        title: str,
        work: Callable[[Steps], Any],
        then: Callable[[Any], object] | None = None,
        failed: Callable[[str, str], object] | None = None,
        *,
        keep: bool = False,
    ) -> Task:
        """Do `work` in the thread; `then` gets what it returns and `failed` a sentence, both on the main thread.

        keep: it is done even when the window closes before it was its turn.
        """
        task = Task(title, self)
        task.keep = keep
        if then is not None:
            task.done.connect(then)
        if failed is not None:
            task.failed.connect(failed)
        task.slow.connect(self.changed)
        task.progressed.connect(self.changed)
        self._tasks.append(task)
        self._thread.submit(self._do, task, work)
        self.changed.emit()
        return task

    def post(self, call: Callable[[], None]) -> None:
        """Have something done on the main thread."""
        with contextlib.suppress(RuntimeError):  # the window has gone
            self._posted.emit(call)

    def cancel(self) -> None:
        """All that can be cancelled."""
        for task in self._tasks:
            if not task.keep:
                task.cancel()

    def shutdown(self) -> None:
        """Cancel what can be cancelled and wait for the rest; no signal comes after this."""
        self._closed = True
        self.cancel()
        self._thread.shutdown(wait=True)
        self._tasks.clear()

    def _do(self, task: Task, work: Callable[[Steps], Any]) -> None:
        result, error = None, None
        try:
            if task.steps.cancelled:
                raise StoppedError
            result = work(task.steps)
        except Exception as caught:
            error = caught
        self.post(lambda: self._land(task, result, error))

    def _land(self, task: Task, result: Any, error: BaseException | None) -> None:
        self._tasks.remove(task)
        task.land(result, error)
        self.changed.emit()

    def _run_posted(self, call: Callable[[], None]) -> None:
        if not self._closed:
            call()


def in_words(error: BaseException) -> tuple[str, str]:
    """A sentence and technical details. The core's own errors are sentences already."""
    if isinstance(error, (RadiographError, InferenceError, StoreError)):
        return error.sentence, error.details
    if isinstance(error, OSError):
        return f"A file cannot be read or written: {error.strerror or 'it failed'}.", f"{type(error).__name__}: {error}"
    # The core's own ValueErrors and those of the study windows are sentences (CoordinatorError, CasesError, …).
    if isinstance(error, ValueError) and type(error).__module__.startswith(("study.", "gui.study.")):
        return str(error), ""
    log.error("Work of a study window failed", exc_info=error)
    return "The program made an error while doing this.", f"{type(error).__name__}: {error}"


class RadiographReader(QObject):
    """Radiographs for a thread that waits for them, decoded in the workers of `gui.jobs`."""

    _asked = Signal(object)

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._requests: list[_Request] = []  # not over yet: a connection does not keep what its bound method belongs to
        self._asked.connect(self._start, Qt.ConnectionType.QueuedConnection)

    def read(self, source: Source, frame: int, steps: Steps) -> Radiograph:
        """Never on the main thread. Raises RadiographError, and StoppedError once the work is cancelled."""
        request = _Request(source, frame)
        self._asked.emit(request)
        while True:
            try:
                radiograph: Radiograph = request.future.result(timeout=_POLL_S)
            except (TimeoutError, FutureTimeoutError):
                if steps.cancelled:
                    request.given_up.set()
                    raise StoppedError from None
            else:
                return radiograph

    def _start(self, request: _Request) -> None:
        if request.given_up.is_set():
            return
        self._requests = [other for other in self._requests if not other.future.done()] + [request]
        job = decode(self._jobs, request.source, request.frame)
        job.done.connect(request.future.set_result)
        job.failed.connect(request.fail)
        job.ended.connect(request.close)


class _Request:
    def __init__(self, source: Source, frame: int) -> None:
        self.source, self.frame = source, frame
        self.future: Future[Radiograph] = Future()
        self.given_up = threading.Event()

    def fail(self, sentence: str, details: str) -> None:
        self.future.set_exception(RadiographError(sentence, details))

    def close(self) -> None:
        if not self.future.done():
            self.future.set_exception(RadiographError("Reading the image was stopped."))


def decode(jobs: Jobs, source: Source, frame: int) -> Job:
    """Beside the worker that opens what a reader has clicked, where there is a way."""
    return jobs.prefetch(source) if frame == 0 else jobs.decode(source, frame)
