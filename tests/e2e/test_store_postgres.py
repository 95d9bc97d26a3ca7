"""The same record on a real PostgreSQL server, started on loopback for these tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.chain import Damage
from study.store import StoreError, StudyStore, read_record

psycopg = pytest.importorskip("psycopg", reason="the driver of PostgreSQL is not installed here")


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


def test_a_reader_needs_no_more_than_to_look_and_to_add(server, url, tmp_path):
    """The rights that docs/reader-studies.md gives to readers suffice, and allow nothing else."""
    with StudyStore(url, "test", local_folder=tmp_path / "owner") as owner:
        owner.append("mode", "ann", {}).result()
    server.execute(
        "DROP ROLE IF EXISTS lucency_reader",
        "CREATE ROLE lucency_reader LOGIN",
        "GRANT SELECT, INSERT ON event TO lucency_reader",
        "GRANT USAGE ON SEQUENCE event_arrival_seq TO lucency_reader",
        "GRANT SELECT ON lucency_meta TO lucency_reader",
    )
    try:
        with StudyStore(url.replace("lucency@", "lucency_reader@"), "test", local_folder=tmp_path / "r") as store:
            assert store.append("mode", "bo", {}).result().seq == 1
            assert len(store.events()) == 2
        with psycopg.connect(url.replace("lucency@", "lucency_reader@")) as connection:
            for statement in ("DELETE FROM event", "DROP TABLE event", "ALTER TABLE event DISABLE TRIGGER ALL"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement)
                connection.rollback()
    finally:
        server.execute("DROP OWNED BY lucency_reader", "DROP ROLE lucency_reader")


def test_a_reader_with_an_account_of_their_own_writes_as_nobody_else(server, url, tmp_path):
    """The row policy of docs/reader-studies.md: what a client of the database cannot write need not be recognised later."""
    with StudyStore(url, "test", local_folder=tmp_path / "owner") as owner:
        owner.append("mode", "coordinator", {}).result()
    server.execute(
        "DROP ROLE IF EXISTS bo",
        "DROP ROLE IF EXISTS lucency_reader",
        "CREATE ROLE lucency_reader",
        "GRANT SELECT, INSERT ON event TO lucency_reader",
        "GRANT USAGE ON SEQUENCE event_arrival_seq TO lucency_reader",
        "GRANT SELECT ON lucency_meta TO lucency_reader",
        "ALTER TABLE event ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY look ON event FOR SELECT TO lucency_reader USING (true)",
        "CREATE POLICY own ON event FOR INSERT TO lucency_reader WITH CHECK (actor = current_user)",
        "CREATE ROLE bo LOGIN IN ROLE lucency_reader",
    )
    try:
        with StudyStore(url.replace("lucency@", "bo@"), "test", local_folder=tmp_path / "bo") as store:
            assert store.append("mode", "bo", {}).result().seq == 1
            for other in ("coordinator", "ann"):
                with pytest.raises(StoreError, match="lacks a right"):
                    store.append("study.enrolled", other, {}).result()
            assert store.append("mode", "bo", {}).result().seq == 2
            assert [event.actor for event in store.events()].count("coordinator") == 1
        with StudyStore(url, "test", local_folder=tmp_path / "owner") as owner:
            assert owner.append("mode", "coordinator", {}).result().seq == 2
            assert owner.verify() == []
    finally:
        server.execute("DROP OWNED BY bo, lucency_reader", "DROP ROLE bo", "DROP ROLE lucency_reader")


def test_what_a_server_refuses_is_said_as_it_is(server, url, tmp_path):
    with StudyStore(url, "test", local_folder=tmp_path / "owner") as owner:
        owner.append("mode", "ann", {}).result()
    server.execute("DROP ROLE IF EXISTS looker", "CREATE ROLE looker LOGIN")
    try:
        for address, said in (
            (url.replace("lucency@", "looker@"), "lacks a right"),
            (url.replace("lucency@", "nobody_here@"), "does not let this account in"),
            (url.replace("/postgres", "/absent"), "no database of this name"),
        ):
            with pytest.raises(StoreError, match=said):
                read_record(address)
    finally:
        server.execute("DROP ROLE looker")


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
