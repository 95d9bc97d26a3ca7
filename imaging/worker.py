"""One process that does the work which may fail, hang or crash, and is replaced when it does.

Why not ProcessPoolExecutor: docs/adr/0001-supervised-worker.md.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, TypeVar

from imaging.radiograph import RadiographError
from imaging.worker_process import RemoteTraceback, Start, receive, send, serve

R = TypeVar("R")

DECODE_MEMORY_LIMIT_BYTES = 2 * 1024**3
DECODE_TIME_LIMIT_S = 10.0
START_TIME_LIMIT_S = 120.0  # torch from a cold, slow disk


class WorkerError(RadiographError):
    """The worker process died, hung, ran out of memory or could not start. `str(error)` is one sentence."""


class TimeLimitError(WorkerError):
    """The job ran past its time limit: the machine may be slow, the file need not be bad."""


@dataclass(eq=False)
class _Job:
    function: Callable[..., Any] | None  # None: only start the process
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    time_limit_s: float | None
    future: Future[Any] = field(default_factory=Future)
    end_reason: WorkerError | None = None  # why the process was ended under this job
    notified: bool = False  # that its future was cancelled


class SupervisedWorker:
    """One spawned process that runs one job at a time, in the order submitted.

    - A job whose process dies, hangs past its time limit or exhausts memory fails with WorkerError; the process
      is replaced and the jobs that wait stay.
    - `future.cancel()` works on a running job too: it ends the process, which is replaced.
    - An exception raised by the job arrives as itself, with the worker's traceback as its cause.
    - Arrays arrive read-only, in both directions.
    - Thread-safe. Done-callbacks of the futures run in the worker's supervising thread.
    """

    def __init__(
        self,
        name: str,
        *,
        initializer: Callable[..., None] | None = None,
        initargs: tuple[Any, ...] = (),
        memory_limit_bytes: int | None = None,
        time_limit_s: float | None = None,
    ) -> None:
        """`time_limit_s` is the default for jobs submitted without one. Nothing is started yet."""
        self.name = name
        self._initializer = initializer
        self._initargs = initargs
        self._memory_limit_bytes = memory_limit_bytes
        self._time_limit_s = time_limit_s
        self._condition = threading.Condition(threading.RLock())
        self._waiting: deque[_Job] = deque()
        self._current: _Job | None = None
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._thread: threading.Thread | None = None
        self._stale = False  # the process was ended, or is to be, and must not get another job
        self._closed = False
        self.starts = 0  # how many processes there have been: one, plus one for every replacement

    @property
    def pid(self) -> int | None:
        """Of the process that runs now, or None."""
        with self._condition:
            return self._process.pid if self._process is not None and self._process.is_alive() else None

    def submit(
        self,
        fn: Callable[..., R],
        *args: Any,
        time_limit_s: float | None = None,
        urgent: bool = False,
        **kwargs: Any,
    ) -> Future[R]:
        """Queue `fn(*args, **kwargs)`; `fn` must be importable in the worker. An urgent job goes first."""
        limit_s = self._time_limit_s if time_limit_s is None else time_limit_s
        return self._enqueue(_Job(fn, args, kwargs, limit_s), urgent)

    def warm_up(self) -> Future[None]:
        """Start the process now; the future is done when it is ready for jobs, or holds why it is not."""
        return self._enqueue(_Job(None, (), {}, None), urgent=False)

    def cancel(self, future: Future[Any]) -> bool:
        """Cancel a waiting or running job; False when it was already done."""
        return future.cancel()

    def restart(self, initargs: tuple[Any, ...] | None = None) -> None:
        """Replace the process before the next job; a running job fails with WorkerError."""
        with self._condition:
            if initargs is not None:
                self._initargs = initargs
            self._stale = True
            if self._current is not None:
                self._end(self._current, WorkerError("The program was asked to start this work anew."))

    def shutdown(self) -> None:
        """Cancel every job, end the process and wait for both. Safe to call twice."""
        with self._condition:
            self._closed = True
            jobs = [*self._waiting, *([self._current] if self._current else [])]
            _kill(self._process)
            self._condition.notify_all()
        for job in jobs:
            job.future.cancel()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        atexit.unregister(self.shutdown)

    def __enter__(self) -> SupervisedWorker:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.shutdown()

    def _enqueue(self, job: _Job, urgent: bool) -> Future[Any]:
        with self._condition:
            if self._closed:
                raise WorkerError("The program is closing.")
            if self._thread is None:
                # A daemon, so that an interpreter that exits without shutdown() is not held up.
                self._thread = threading.Thread(target=self._supervise, name=f"{self.name}-supervisor", daemon=True)
                self._thread.start()
                atexit.register(self.shutdown)
            if urgent:
                self._waiting.appendleft(job)
            else:
                self._waiting.append(job)
            job.future.add_done_callback(lambda _future: self._on_done(job))
            self._condition.notify_all()
        return job.future

    def _on_done(self, job: _Job) -> None:
        """End the process under a job that was cancelled while it ran; drop one that was still waiting."""
        if not job.future.cancelled():
            return
        with self._condition:
            if job is self._current:
                self._end(job, WorkerError("Cancelled."))
            else:
                with contextlib.suppress(ValueError):
                    self._waiting.remove(job)
                self._notify_cancelled(job)

    def _end(self, job: _Job, reason: WorkerError) -> None:
        """Kill the process if it still runs `job`. The supervising thread sees the pipe close."""
        with self._condition:
            if self._current is job:
                job.end_reason = job.end_reason or reason
                self._stale = True
                _kill(self._process)

    def _notify_cancelled(self, job: _Job) -> None:
        """Wake whoever waits for the cancelled future through concurrent.futures.wait()."""
        with self._condition:
            if not job.notified:
                job.notified = True
                job.future.set_running_or_notify_cancel()

    # Everything below runs in the supervising thread.

    def _supervise(self) -> None:
        if hasattr(signal, "pthread_sigmask"):
            # Inherited by the processes started here: Ctrl-C in a terminal must not reach them, not even before
            # they can ignore it. The main thread still gets it.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        while True:
            with self._condition:
                while not self._waiting and not self._closed:
                    self._condition.wait()
                if self._closed:
                    break
                job = self._waiting.popleft()
                self._current = job
            try:
                self._serve(job)
            finally:
                with self._condition:
                    self._current = None
            if job.future.cancelled():
                self._notify_cancelled(job)
            if self._stale and not self._waiting and self.starts and not self._closed:
                # Replaced now, not at the next job: the user's next file should not wait for it.
                # Why it cannot start is told to the next job.
                with contextlib.suppress(Exception):
                    self._ensure_process()
        self._discard_process()

    def _serve(self, job: _Job) -> None:
        try:
            result = self._execute(job)
        except BaseException as error:
            with contextlib.suppress(InvalidStateError):
                job.future.set_exception(error)
        else:
            with contextlib.suppress(InvalidStateError):
                job.future.set_result(result)

    def _execute(self, job: _Job) -> Any:
        for attempt in (1, 2):
            self._ensure_process(job)
            if job.function is None:
                return None
            started = False
            timer = None
            try:
                assert self._pipe is not None
                if job.time_limit_s is not None:
                    sentence = f"This took longer than {job.time_limit_s:.3g} seconds and was stopped."
                    timer = threading.Timer(job.time_limit_s, self._end, (job, TimeLimitError(sentence)))
                    timer.name = f"{self.name}-timer"
                    timer.daemon = True
                    timer.start()
                send(self._pipe, ((job.function, job.args, job.kwargs), job.time_limit_s))
                outcome, value = receive(self._pipe)
                if outcome == "started":
                    started = True
                    outcome, value = receive(self._pipe)
            except (EOFError, OSError):
                exit_code = self._discard_process()
                if job.end_reason is not None:
                    raise job.end_reason from None
                if not started and attempt == 1:
                    continue  # it had died while it was idle: not this job's doing
                raise WorkerError(
                    "The program that reads this stopped unexpectedly and was replaced.", f"exit code {exit_code}"
                ) from None
            finally:
                if timer is not None:
                    timer.cancel()
                    timer.join()
            if outcome == "memory":
                self._discard_process()
                raise WorkerError("This needs more memory than the program allows and was stopped.")
            if outcome == "error":
                raise _unpacked(value)
            return value
        raise AssertionError("unreachable")

    def _ensure_process(self, job: _Job | None = None) -> None:
        """Start a process unless one is ready. Raises what its initializer raised, or WorkerError."""
        if self._process is not None and self._process.is_alive() and not self._stale:
            return
        self._discard_process()
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        start = Start(self.name, pickle.dumps((self._initializer, self._initargs)), self._memory_limit_bytes)
        process = context.Process(target=serve, args=(theirs, start), name=self.name, daemon=True)
        try:
            process.start()
        finally:
            theirs.close()
        with self._condition:
            self._process, self._pipe, self._stale = process, ours, False
            self.starts += 1
            end_reason = job.end_reason if job is not None else None
        if end_reason is not None or self._closed:
            self._discard_process()
            raise end_reason or WorkerError("The program is closing.")
        killer = threading.Timer(START_TIME_LIMIT_S, _kill, (process,))
        killer.daemon = True
        killer.start()
        try:
            outcome, value = receive(ours)
        except (EOFError, OSError):
            exit_code = self._discard_process()
            if job is not None and job.end_reason is not None:
                raise job.end_reason from None
            raise WorkerError("A part of the program could not start.", f"{self.name}: exit code {exit_code}") from None
        finally:
            killer.cancel()
            killer.join()
        if outcome == "failed":
            self._discard_process()
            raise _unpacked(value)

    def _discard_process(self) -> int | None:
        """End the process, if there is one, and free what belonged to it. Returns its exit code."""
        with self._condition:
            process, pipe = self._process, self._pipe
            self._process = self._pipe = None
            self._stale = True
        if pipe is not None:
            pipe.close()
        if process is None:
            return None
        _kill(process)
        process.join()
        exit_code = process.exitcode
        process.close()
        return exit_code


def _kill(process: SpawnProcess | None) -> None:
    if process is not None:
        with contextlib.suppress(ValueError):  # already closed
            process.kill()


def _unpacked(value: tuple[BaseException | None, str]) -> BaseException:
    error, text = value
    if error is None:
        return WorkerError("An unexpected error occurred in a part of the program.", text)
    error.__cause__ = RemoteTraceback(text)
    return error


def decode_worker() -> SupervisedWorker:
    """The worker that reads files: 2 GiB of memory, 10 s for a job unless it is submitted with another limit."""
    return SupervisedWorker(
        "decode",
        initializer=_load_decoders,
        memory_limit_bytes=DECODE_MEMORY_LIMIT_BYTES,
        time_limit_s=DECODE_TIME_LIMIT_S,
    )


def _load_decoders() -> None:
    from imaging import reader

    reader.load_decoders()
