"""The record under faults: real kills, simulated power cuts, flipped bits, full and read-only disks."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from study.chain import canonical_json, empty_head, head_of, make_event
from study.store import StoreError, StudyStore, read_record

ROOT = Path(__file__).resolve().parents[2]
WORKER = Path(__file__).with_name("store_worker.py")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}

resource = pytest.importorskip("resource", reason="kills and limits of POSIX systems")


# --- kill -9


class Writer:
    """The worker process, which is told to write and then killed."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            cwd=ROOT,
            env=ENVIRONMENT,
        )

    def write_and_kill(self, path: Path, after_s: float, after_acknowledged: int = 0) -> list[list[str]]:
        """Kill so long after so many acknowledgements. Returns what was acknowledged before the kill."""
        assert self.process.stdin
        assert self.process.stdout
        print(path, file=self.process.stdin, flush=True)
        word, pid = self.process.stdout.readline().split()
        assert word == "pid"
        said = [self.process.stdout.readline().split() for _ in range(after_acknowledged)]
        assert "failed" not in [words[0] for words in said], said
        time.sleep(after_s)
        os.kill(int(pid), signal.SIGKILL)
        while (words := self.process.stdout.readline().split()) != ["dead"]:
            assert words, "the worker itself ended"
            said.append(words)
        return said

    def close(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def kill_repeatedly(folder: Path, rounds: int, seed: int) -> int:
    """Kill at random instants, reopen each time, and look for everything acknowledged. Returns the acknowledgements."""
    random_times = random.Random(seed)
    writer = Writer()
    acknowledged = 0
    try:
        for group in range(0, rounds, 25):  # a fresh record now and then: creation is killed too
            path = folder / f"record-{group}.sqlite"
            known: dict[int, str] = {}
            for _ in range(min(25, rounds - group)):
                said = writer.write_and_kill(
                    path, random_times.uniform(0, 0.03), random_times.choice([0, 0, 1, 2, 3, 7])
                )
                assert not [words for words in said if words[0] == "failed"]
                known |= {int(words[1]): words[2] for words in said if words[0] == "event"}
                drafts = [int(words[1]) for words in said if words[0] == "draft"]
                acknowledged += len(said)
                with StudyStore(path, "test", keep_backups=0) as store:
                    history = store.history()
                    assert history.problems == []
                    assert store.warnings == []
                    stored = {event.seq: event.hash for event in history.events}
                    assert {seq: stored.get(seq) for seq in known} == known
                    if drafts:
                        draft = store.draft("case")
                        assert draft is not None
                        assert int(draft.split()[0]) >= drafts[-1]
                    store.discard_draft("case").result()
    finally:
        writer.close()
    return acknowledged


def test_kill_loses_nothing_acknowledged(tmp_path):
    assert kill_repeatedly(tmp_path, 30, seed=1) > 30


@pytest.mark.slow
def test_a_thousand_kills_lose_nothing_acknowledged(tmp_path):
    assert kill_repeatedly(tmp_path, 1000, seed=2) > 1000


# --- power cuts


def cut_repeatedly(folder: Path, cuts: int, seed: int) -> int:
    """Cut the power at random writes, reopen what the disk then holds. Returns the number of logged operations."""
    power_cut, disk = remembering_disk()
    original = folder / "original"
    store = StudyStore(original / "record.sqlite", "test", keep_backups=0)
    with disk.mounted():
        store.open().result()
        for number in range(25):
            draft = store.save_draft("case", f"{number}".encode())
            batch = [store.append("mode", "ann", {"n": number, "t": "x" * (number % 5) * 1500}) for _ in range(2)]
            for future in batch:
                event = future.result()
                disk.acknowledge("event", event.seq, event.hash)
            draft.result()
            disk.acknowledge("draft", number)
    store.close()
    assert {"write", "sync", "delete", "acknowledged"} <= {op[0] for op in disk.log}

    chance = random.Random(seed)
    for number in range(cuts):
        cut = chance.randrange(len(disk.log) + 1)
        known = {op[3]: op[4] for op in disk.log[:cut] if op[2:3] == ("event",)}
        drafts = [op[3] for op in disk.log[:cut] if op[2:3] == ("draft",)]
        after = folder / f"cut-{number}"
        after.mkdir()
        power_cut.write_disk(power_cut.disk_after_cut(disk.log, cut, chance), after)
        (after / "device-id").write_bytes((original / "device-id").read_bytes())
        with StudyStore(after / "record.sqlite", "test", keep_backups=0) as reopened:
            history = reopened.history()
            assert history.problems == [], f"cut {number} at {cut}"
            assert reopened.warnings == []
            stored = {event.seq: event.hash for event in history.events}
            assert {seq: stored.get(seq) for seq in known} == known, f"cut {number} at {cut}"
            if drafts:
                draft = reopened.draft("case")
                assert draft is not None
                assert int(draft) >= drafts[-1]
            assert reopened.append("mode", "ann", {}).result().seq == len(stored) + 1
        shutil.rmtree(after)
    return len(disk.log)


def remembering_disk():
    sys.path.insert(0, str(WORKER.parent))
    try:
        import power_cut
    finally:
        sys.path.pop(0)
    try:
        disk = power_cut.RememberingDisk()
        with disk.mounted():
            pass
    except (OSError, sqlite3.OperationalError) as error:
        pytest.skip(f"this Python's SQLite cannot be given another file system: {error}")
    return power_cut, disk


def test_the_simulated_power_cut_can_lose_data(tmp_path):
    """The check itself: a database that does not wait for the disk must be seen to lose what it acknowledged."""
    power_cut, disk = remembering_disk()
    with disk.mounted():
        connection = sqlite3.connect(tmp_path / "careless.sqlite", isolation_level=None)
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("CREATE TABLE t (n INTEGER)")
        for number in range(20):
            connection.execute("INSERT INTO t VALUES (?)", (number,))
            disk.acknowledge(number)
    connection.close()
    lost = 0
    chance = random.Random(7)
    for _ in range(20):
        cut = chance.randrange(len(disk.log))
        acknowledged = [op[2] for op in disk.log[:cut] if op[0] == "acknowledged"]
        folder = tmp_path / "after"
        folder.mkdir()
        power_cut.write_disk(power_cut.disk_after_cut(disk.log, cut, chance), folder)
        with contextlib.closing(sqlite3.connect(folder / "careless.sqlite")) as reopened:
            try:
                kept = [n for (n,) in reopened.execute("SELECT n FROM t")]
            except sqlite3.DatabaseError:
                kept = []
        lost += not set(acknowledged) <= set(kept)
        shutil.rmtree(folder)
    assert lost > 5


def test_power_cuts_lose_nothing_acknowledged(tmp_path):
    assert cut_repeatedly(tmp_path, 40, seed=5) > 500


@pytest.mark.slow
def test_a_thousand_power_cuts_lose_nothing_acknowledged(tmp_path):
    cut_repeatedly(tmp_path, 1000, seed=6)


# --- flipped bits


def flip_bits(folder: Path, flips: int, seed: int) -> tuple[int, int]:
    """Flip one bit of the record at a time. Returns how often it was noticed, and how often nothing had changed."""
    path = folder / "record.sqlite"
    with StudyStore(path, "test", keep_backups=0) as store:
        for number in range(60):
            store.append("mode", "ann", {"number": number, "text": f"{number}-" * (number * 7 % 200)})
    written = read_record(path).events
    assert len(written) == 60
    original = path.read_bytes()
    random_bits = random.Random(seed)
    noticed = harmless = 0
    for _ in range(flips):
        place, bit = random_bits.randrange(len(original)), random_bits.randrange(8)
        damaged = bytearray(original)
        damaged[place] ^= 1 << bit
        path.write_bytes(damaged)
        try:
            history = read_record(path)
        except StoreError:
            noticed += 1
            continue
        assert all(event in written for event in history.events), f"byte {place}, bit {bit}: shown, but never written"
        if history.problems:
            noticed += 1
        else:
            assert history.events == written, f"byte {place}, bit {bit}: an event is missing without a word"
            harmless += 1
    return noticed, harmless


def test_flipped_bits_never_show_what_was_not_written(tmp_path):
    noticed, harmless = flip_bits(tmp_path, 250, seed=3)
    assert noticed > 100  # the rest hit unused bytes and the index
    assert noticed + harmless == 250


@pytest.mark.slow
def test_many_flipped_bits(tmp_path):
    flip_bits(tmp_path, 20_000, seed=4)


# --- disks that do not take it


def run_script(script: str, *arguments: object, **options) -> str:
    process = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )
    assert process.returncode == 0, process.stderr
    assert "Traceback" not in process.stderr
    return process.stdout


UNTIL_FULL = """
import sys
from study.store import StoreError, StudyStore

store = StudyStore(sys.argv[1], "test", keep_backups=0)
written = 0
try:
    for number in range(1000):
        store.append("mode", "ann", {"number": number, "text": "x" * 2000}).result()
        written += 1
except StoreError as error:
    print(written, error)
store.close()
"""


def test_a_full_disk_is_said_and_nothing_acknowledged_is_lost(tmp_path):
    """The limit on the size of files makes writes fail with EFBIG where a full disk gives ENOSPC."""
    path = tmp_path / "record.sqlite"
    limit = 200_000
    said = run_script(UNTIL_FULL, path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    written, _, sentence = said.strip().partition(" ")
    assert "Nothing was saved" in sentence
    assert int(written) > 10
    history = read_record(path)
    assert history.problems == []
    assert len(history.events) == int(written)
    with StudyStore(path, "test") as store:  # room was made
        assert store.append("mode", "ann", {}).result().seq == int(written) + 1


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root to mount a small disk")
def test_a_really_full_disk(tmp_path):
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this machine does not allow mounting")
    try:
        path = tmp_path / "record.sqlite"
        written, _, sentence = run_script(UNTIL_FULL, path).strip().partition(" ")
        assert sentence == "The disk is full. Nothing was saved; make room and save again."
        history = read_record(path)
        assert history.problems == []
        assert len(history.events) == int(written) > 10
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


OPEN_AND_SAY = """
import os, sys, tempfile
from study.store import StoreError, StudyStore, read_record

with tempfile.TemporaryDirectory() as folder:  # another user may not be able to import what is needed later
    with StudyStore(folder + "/record.sqlite", "test") as store:
        store.append("mode", "ann", {}).result()
    read_record(folder + "/record.sqlite")
if os.geteuid() == 0:
    os.setuid(65534)  # root may write anywhere

store = StudyStore(sys.argv[1], "test")
for future in (store.append("mode", "ann", {}), store.save_draft("a", b"b")):
    try:
        future.result()
    except StoreError as error:
        print(error)
store.close()
if os.path.exists(sys.argv[1]):
    print(len(read_record(sys.argv[1]).events))
"""


@pytest.mark.parametrize("exists", [False, True])
def test_a_read_only_folder_is_said(exists):
    with tempfile.TemporaryDirectory() as name:  # not below tmp_path, which other users cannot enter
        folder = Path(name)
        path = folder / "record.sqlite"
        if exists:
            with StudyStore(path, "test") as store:
                store.append("mode", "ann", {})
            for file in folder.rglob("*"):
                file.chmod(0o555 if file.is_dir() else 0o444)
        folder.chmod(0o555)
        said = run_script(OPEN_AND_SAY, path).splitlines()
        folder.chmod(0o755)
    sentence = (
        "The record record.sqlite cannot be written: its folder is read-only or not accessible. "
        "Choose another folder, or ask for permission to write there."
    )
    assert said == [sentence, sentence, *(["1"] if exists else [])]


def test_a_killed_program_leaves_no_lock(tmp_path):
    writer = Writer()
    try:
        path = tmp_path / "record.sqlite"
        writer.write_and_kill(path, 0.0, 3)
        with StudyStore(path, "test") as store:
            store.append("mode", "ann", {}).result()
    finally:
        writer.close()


# --- size


def grow(path: Path, count: int) -> None:
    """A record of `count` events, written straight into the table; the chain is computed as the store does."""
    with StudyStore(path, "test", keep_backups=0) as store:
        device = store.device()
    head = empty_head(device, "")
    rows = []
    for number in range(count):
        event = make_event(
            head, "2026-01-01T00:00:00.000000Z", "ann", "mode", canonical_json({"n": number, "t": "x" * 300})
        )
        head = head_of(event)
        rows.append((event.device, event.study, event.seq, event.utc, event.actor, event.kind, event.payload))
        rows[-1] += (event.previous, event.hash)
    with sqlite3.connect(path) as connection:
        connection.executemany(
            "INSERT INTO event (device, study, seq, utc, actor, kind, payload, previous, hash) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
    connection.close()


def seconds_to_read(path: Path) -> float:
    started = time.perf_counter()
    assert read_record(path).problems == []
    return time.perf_counter() - started


@pytest.mark.slow
def test_opening_grows_linearly(tmp_path):
    small, large = tmp_path / "small.sqlite", tmp_path / "large.sqlite"
    grow(small, 25_000)
    grow(large, 100_000)
    assert len(read_record(large).events) == 100_000
    ratio = min(seconds_to_read(large) for _ in range(3)) / min(seconds_to_read(small) for _ in range(3))
    assert ratio < 4 * 1.5
    shutil.rmtree(tmp_path)
