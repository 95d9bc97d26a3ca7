"""A real PostgreSQL server on loopback, for the tests that share a record through one."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import psycopg

try:
    import pwd
except ImportError:  # Windows
    pwd = None


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
