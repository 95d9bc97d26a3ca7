"""Writes to a record until it is killed. Started by test_store_faults.py.

Waits for lines on stdin, each the path of a record; for each it forks a child (so that the libraries are imported
once), which prints its process id and then an acknowledgement for everything that the store acknowledged.
"""

import itertools
import os
import sys

import sqlalchemy  # noqa: F401 - imported before the fork, so that a round takes milliseconds

from study import tables  # noqa: F401
from study.store import StudyStore


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def write_until_killed(path: str) -> None:
    say("pid", os.getpid())
    store = StudyStore(path, "test", keep_backups=0)
    for number in itertools.count():
        drafts = [store.save_draft("case", f"{number} {n}".encode()) for n in range(2)]
        events = [store.append("mode", "ann", {"number": number, "text": "x" * (number % 7) * 900}) for _ in range(2)]
        for future in events:
            event = future.result()
            say("event", event.seq, event.hash)
        drafts[-1].result()
        say("draft", number)


for line in sys.stdin:
    child = os.fork()
    if child == 0:
        try:
            write_until_killed(line.strip())
        except BaseException as error:
            say("failed", repr(error))
        os._exit(1)
    os.waitpid(child, 0)
    say("dead")
