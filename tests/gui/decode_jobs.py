"""Jobs that really decode, without a CNN."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gui.jobs import Jobs
from imaging.worker import decode_worker


@contextmanager
def decode_jobs() -> Iterator[Jobs]:
    made = Jobs(decode_worker(), decode_worker, None)
    try:
        yield made
    finally:
        made.shutdown()
