"""The record against bare SQLite: how long until a reading is acknowledged, and how opening grows.

    python -m benchmarks.store [--json] [--events N]

Appends and bare commits (same rows, same durability, same disk) alternate in one run; medians.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

from study.chain import Event, canonical_json, check_chains, empty_head, head_of, make_event
from study.events import ReadingSubmitted
from study.model import Call, CaseKey, Reader, Reading, ReadingMode
from study.record import fold
from study.store import StudyStore, read_record

REPEATS = 300
COLUMNS = Event.__struct_fields__
INSERT = f"INSERT INTO event ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"


def submission(number: int) -> ReadingSubmitted:
    case = CaseKey(f"{number:064x}", 0, (100.0, 200.0, 900.0, 900.0), "R")
    reader = Reader(f"reader{number % 20}")
    mode = ReadingMode.ANSWER_FIRST
    return ReadingSubmitted(Reading(f"r{number}", case, reader, mode, Call.LOOSE, 80.0, comment="x" * 200), "benchmark")


def bare_database(path: Path) -> sqlite3.Connection:
    """What a user would write: one table, one row per commit, as durable as the record."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.execute("PRAGMA synchronous=EXTRA")
    connection.execute(f"CREATE TABLE event ({', '.join(COLUMNS)})")
    return connection


def compare_appends(folder: Path) -> tuple[float, float]:
    """Median seconds: (append until acknowledged, bare insert and commit)."""
    bare = bare_database(folder / "bare.sqlite")
    appends, commits = [], []
    with StudyStore(folder / "record.sqlite", "benchmark", keep_backups=0) as store:
        store.open().result()
        for number in range(REPEATS):
            payload = submission(number)
            started = time.perf_counter()
            event = store.append("reading", "ann", payload).result()
            appended = time.perf_counter()
            row = [getattr(event, name) for name in COLUMNS]
            time.sleep(
                0.002
            )  # readings come minutes apart: what the store does after the acknowledgement is done by then
            committing = time.perf_counter()
            bare.execute("BEGIN")
            bare.execute(INSERT, row)
            bare.execute("COMMIT")
            commits.append(time.perf_counter() - committing)
            appends.append(appended - started)
    bare.close()
    return statistics.median(appends), statistics.median(commits)


def fill(path: Path, count: int) -> None:
    with StudyStore(path, "benchmark", keep_backups=0) as store:
        head = empty_head(store.device(), "")
    rows = []
    for number in range(count):
        event = make_event(head, "2026-01-01T00:00:00.000000Z", "ann", "reading", canonical_json(submission(number)))
        head = head_of(event)
        rows.append([getattr(event, name) for name in COLUMNS])
    connection = sqlite3.connect(path)
    connection.executemany(INSERT, rows)
    connection.commit()
    connection.close()


def opening(folder: Path, count: int) -> dict[str, float]:
    """Median seconds for a record of `count` readings: until it takes appends, all events checked, readings folded."""
    path = folder / f"{count}.sqlite"
    fill(path, count)
    ready, read, folded = [], [], []
    for _ in range(3):
        started = time.perf_counter()
        with StudyStore(path, "benchmark", keep_backups=0) as store:
            store.head()
            ready.append(time.perf_counter() - started)
        started = time.perf_counter()
        history = read_record(path)
        read.append(time.perf_counter() - started)
        assert len(check_chains(history.events)[0]) == count
        started = time.perf_counter()
        assert len(fold(history.events).readings) == count
        folded.append(time.perf_counter() - started)
    return {"ready_s": statistics.median(ready), "read_s": statistics.median(read), "fold_s": statistics.median(folded)}


def measure(events: int = 100_000) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        append_s, commit_s = compare_appends(folder)
        large, small = opening(folder, events), opening(folder, events // 4)
    return {
        "append_ms": append_s * 1000,
        "bare_commit_ms": commit_s * 1000,
        "append_ratio": append_s / commit_s,
        "events": events,
        **large,
        # 4 where opening is linear
        "growth_for_4x": (large["read_s"] + large["fold_s"]) / (small["read_s"] + small["fold_s"]),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--events", type=int, default=100_000)
    arguments = parser.parse_args()
    figures = measure(arguments.events)
    if arguments.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:16} {value:10.3f}")
    return 0 if figures["append_ratio"] <= 2 else 1


if __name__ == "__main__":
    sys.exit(main())
