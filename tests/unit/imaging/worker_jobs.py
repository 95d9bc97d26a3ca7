"""What the tests ask a worker process to do."""

from __future__ import annotations

import logging
import os
import signal
import time
import warnings
from pathlib import Path

import numpy as np

from imaging.radiograph import RadiographError

_memory: list[str] = []


def square(value):
    return value**2


def echo(value):
    return value


def shape(array):
    return array.shape


def sleep(seconds):
    time.sleep(seconds)
    return "slept"


def mark_and_sleep(path: Path, seconds):
    path.touch()
    return sleep(seconds)


def hold_the_interpreter(_seconds):
    """One C call that keeps the GIL for a minute."""
    return pow(_base(), 100_000_000) % 7


def _base():
    return 3  # a constant expression would be computed when this module is compiled


def stop_itself(_seconds):
    os.kill(os.getpid(), signal.SIGSTOP)


def exit_at_once():
    os._exit(3)


def abort():
    os.abort()


def kill_itself():
    os.kill(os.getpid(), signal.SIGKILL)


def refuse():
    raise RadiographError("A sentence.", "details")


class UnpicklableError(Exception):
    def __init__(self, first, second):
        super().__init__(first)


def raise_unpicklable():
    raise UnpicklableError(1, 2)


def return_unpicklable():
    return (value for value in range(3))


def _rebuild():
    raise ImportError("nowhere")


class Unreadable:
    """Can be sent, cannot be received."""

    def __reduce__(self):
        return _rebuild, ()

    def __call__(self):
        return None


def touch(size):
    return int(np.ones(size, np.uint8).sum())


def grow(_size):
    chunks = []
    while True:
        chunks.append(bytearray(2**24))


def remember(value):
    _memory.append(value)


def recall():
    return _memory[0]


def warn_and_log():
    warnings.warn("Petra", stacklevel=1)
    logging.getLogger("pydicom").warning("Petra")
