"""Fixtures that start a server."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def server():
    pytest.importorskip("pwd", reason="starts the server as POSIX systems do")
    pytest.importorskip("psycopg", reason="the driver of PostgreSQL is not installed here")
    from tests.e2e.postgres_server import Server, find_tool

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
