"""The same record on a real PostgreSQL server, started on loopback for these tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from study.chain import Damage
from study.store import StoreError, StudyStore, read_record

pwd = pytest.importorskip("pwd", reason="starts the server as POSIX systems do")


def find_tool(name):
    folders = [Path(p) for p in os.environ.get("PATH", "").split(os.pathsep)]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((str(folder / name) for folder in folders if (folder / name).is_file()), None)


class Server:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.user = None
        if os.geteuid() == 0:  # the server refuses to run as root
            names = {entry.pw_name for entry in pwd.getpwall()}
            self.user = "postgres" if "postgres" in names else "nobody"
            shutil.chown(folder, self.user)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"postgresql://lucency@127.0.0.1:{self.port}/postgres"
        # --no-sync is for the cluster's creation only; commits are durable as by default.
        self.tool("initdb", "--username=lucency", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")

    def tool(self, name: str, *arguments: str) -> None:
        subprocess.run(
            [find_tool(name), "-D", str(self.folder / "data"), *arguments],
            user=self.user,
            cwd=self.folder,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            timeout=60,
        )

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        self.tool("pg_ctl", "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        self.tool("pg_ctl", "-w", "-m", mode, "stop")

    def kill(self) -> None:
        """kill -9 of every process of the server, as a crash would end them."""
        pid = int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for process in [pid, *map(int, children)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while any(Path(f"/proc/{p}").exists() and not is_zombie(p) for p in [pid, *children]):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        # Where nobody reaps the dead (a container), the next server would take them for a running one.
        (self.folder / "data" / "postmaster.pid").unlink()

    def execute(self, *statements: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)


def is_zombie(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture(scope="module")
def server():
    if not (find_tool("initdb") and find_tool("pg_ctl")):
        pytest.skip("PostgreSQL is not installed here (initdb and pg_ctl were not found)")
    with tempfile.TemporaryDirectory() as name:
        server = Server(Path(name))
        server.start()
        yield server
        server.stop("immediate")


@pytest.fixture
def url(server):
    server.execute("DROP TABLE IF EXISTS event, lucency_meta")
    return server.url


def test_two_workstations_share_one_record(url, tmp_path):
    with (
        StudyStore(url, "test", local_folder=tmp_path / "a") as one,
        StudyStore(url, "test", local_folder=tmp_path / "b") as other,
    ):
        futures = [store.append("mode", "ann", {"n": n}) for n in range(50) for store in (one, other)]
        for future in futures:
            future.result()
        one.save_draft("case", b"draft").result()
        assert other.draft("case") is None
        assert len(one.events()) == 100
        assert one.device() != other.device()
        assert one.verify() == other.verify() == []
    history = read_record(url)
    assert len(history.events) == 100
    assert history.problems == []
    with StudyStore(url, "test", local_folder=tmp_path / "a") as again:
        assert again.append("mode", "ann", {}).result().seq == 51
        assert again.warnings == []


def test_the_server_refuses_changes_and_tampering_is_found(server, url, tmp_path):
    with StudyStore(url, "test", local_folder=tmp_path) as store:
        for number in range(5):
            store.append("mode", "ann", {"n": number}).result()
        for statement in ("UPDATE event SET actor = 'eve'", "DELETE FROM event", "TRUNCATE event"):
            with pytest.raises(psycopg.errors.RaiseException, match="never changed or removed"):
                server.execute(statement)
        assert store.verify() == []
        server.execute(
            "ALTER TABLE event DISABLE TRIGGER ALL",
            "UPDATE event SET payload = '{}' WHERE seq = 2",
            "DELETE FROM event WHERE seq = 4",
        )
        found = {(problem.damage, problem.seq) for problem in store.verify()}
        assert found == {(Damage.CHANGED, 2), (Damage.MISSING, 2), (Damage.MISSING, 4), (Damage.UNPROTECTED, 0)}


def test_a_server_that_is_away_is_said_and_comes_back(server, url, tmp_path):
    with StudyStore(url, "test", local_folder=tmp_path) as store:
        store.append("mode", "ann", {}).result()
        server.stop("immediate")
        with pytest.raises(StoreError, match="database server did not answer"):
            store.append("mode", "ann", {}).result()
        server.start()
        assert store.append("mode", "ann", {}).result().seq == 2
        assert store.verify() == []


def kill_server(server, url, folder, rounds):
    known = {}
    with StudyStore(url, "test", local_folder=folder) as store:
        for number in range(rounds):
            futures = [store.append("mode", "ann", {"n": number, "k": k}) for k in range(20)]
            futures[number % 7].result()
            server.kill()
            for future in futures:
                if future.exception() is None:
                    known[future.result().seq] = future.result().hash
            server.start()
            history = store.history()
            assert history.problems == []
            stored = {event.seq: event.hash for event in history.events}
            assert {seq: stored.get(seq) for seq in known} == known
    return len(known)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="finds the server's processes in /proc")
def test_a_killed_server_loses_nothing_acknowledged(server, url, tmp_path):
    assert kill_server(server, url, tmp_path, 5) >= 5


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="finds the server's processes in /proc")
def test_two_hundred_kills_of_the_server(server, url, tmp_path):
    assert kill_server(server, url, tmp_path, 200) >= 200
