"""What runs inside a worker process. Imports nothing heavy: limits and environment are set before numpy is loaded.

Messages are pickles of protocol 5 whose large buffers (pixels) travel after them, uncopied and unpickled:
`(body, buffer_count)` then that many raw byte strings. Arrays therefore arrive read-only.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import pickle
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection
from typing import Any

# Grace after a job's time limit before the process ends itself. Only reached when the parent cannot end it.
ORPHAN_GRACE_S = 5.0


@dataclass(frozen=True)
class Start:
    """How a worker process sets itself up; `setup` is a pickle of (initializer, initargs)."""

    name: str
    setup: bytes
    memory_limit_bytes: int | None


class RemoteTraceback(Exception):  # noqa: N818 - named as in concurrent.futures
    """The traceback of an exception raised in a worker, as text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return "\n" + self.text


def send(pipe: Connection, message: object) -> None:
    """Send `message`; the buffers of its arrays are written straight from where they lie."""
    buffers: list[pickle.PickleBuffer] = []
    body = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
    pipe.send_bytes(pickle.dumps((body, len(buffers))))
    for buffer in buffers:
        with buffer.raw() as raw:
            pipe.send_bytes(raw)


def receive(pipe: Connection) -> Any:
    """The next message. Raises EOFError or OSError when the other end is gone."""
    # S301: the other end is our own process.
    body, count = pickle.loads(pipe.recv_bytes())  # noqa: S301
    buffers = [pipe.recv_bytes() for _ in range(count)]
    return pickle.loads(body, buffers=buffers)  # noqa: S301


def serve(pipe: Connection, start: Start) -> None:
    """Run jobs until the pipe closes. Each message is a pickle of (function, args, kwargs) and a time limit."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C belongs to the window's process
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    # One thread each: a pool of threads per library eats the address space that the memory limit counts.
    if start.memory_limit_bytes is not None:
        for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ[variable] = "1"
        _limit_memory(start.memory_limit_bytes)
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()
    # Libraries put header values, names of patients among them, into their warnings.
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    try:
        initializer, initargs = pickle.loads(start.setup)  # noqa: S301
        if initializer is not None:
            initializer(*initargs)
    except BaseException as error:
        with contextlib.suppress(OSError):
            send(pipe, ("failed", _portable(error)))
        return
    with open(os.devnull, "w") as nowhere, contextlib.suppress(EOFError, OSError):  # noqa: PTH123
        send(pipe, ("ready", None))
        while True:
            try:
                job, time_limit_s = receive(pipe)
            except (EOFError, OSError):
                return
            except Exception as error:  # a function or an argument that this process cannot import
                send(pipe, ("started", None))
                send(pipe, ("error", _portable(error)))
                continue
            send(pipe, ("started", None))
            if time_limit_s is not None:
                # A thread of its own in C: ends this process even when the job holds the interpreter and the
                # parent, which keeps the time, is gone.
                faulthandler.dump_traceback_later(time_limit_s + ORPHAN_GRACE_S, exit=True, file=nowhere)
            outcome, result = _run(job)
            faulthandler.cancel_dump_traceback_later()
            try:
                send(pipe, (outcome, result))
            except (OSError, EOFError):
                raise
            except MemoryError:
                outcome = "memory"
                send(pipe, (outcome, None))
            except Exception as error:
                send(pipe, ("error", _portable(error)))
            del job, result
            if outcome == "memory":
                return  # what is left of the heap is not to be trusted; the parent starts a fresh process


def _run(job: tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]) -> tuple[str, Any]:
    function, args, kwargs = job
    try:
        return "result", function(*args, **kwargs)
    except MemoryError:
        return "memory", None
    except BaseException as error:
        return "error", _portable(error)


def _portable(error: BaseException) -> tuple[BaseException | None, str]:
    """(the exception if it survives a pickle, its traceback as text)"""
    text = "".join(traceback.format_exception(error))
    try:
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    except Exception:
        return None, text
    return (error if isinstance(copy, BaseException) else None), text


def _limit_memory(limit_bytes: int) -> None:
    """Cap the address space. Linux obeys; macOS accepts and ignores; Windows has no such call."""
    if sys.platform == "win32":
        return
    import resource

    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold the patient's image


def _end_with_parent() -> None:
    """A worker never outlives the window, even when that was killed outright."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
