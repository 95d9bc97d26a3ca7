"""The store through its public door: what is acknowledged is there, what is wrong is said in a sentence."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

import study.store.versions
from study.chain import Damage
from study.store import StoreError, StudyStore, read_heads, read_record, write_heads

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "record.sqlite"


def fill(path, count=5, start=0):
    with StudyStore(path, "test") as store:
        for number in range(start, start + count):
            store.append("mode", "ann", {"number": number})
    assert store.warnings == []


def sql(path, *statements):
    """As somebody with another program would."""
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def tamper(path, *statements):
    sql(path, "DROP TRIGGER event_no_update", "DROP TRIGGER event_no_delete", *statements)


def problems(path):
    return {(problem.damage, problem.seq) for problem in read_record(path).problems}


def test_events_come_back_as_they_were_appended(path):
    with StudyStore(path, "test") as store:
        event = store.append("mode", "ann", {"b": 1, "a": "ä"}).result()
        assert (event.seq, event.actor, event.payload) == (1, "ann", '{"a":"ä","b":1}')
        assert store.append("mode", "ann", {}).result().previous == event.hash
        assert [e.seq for e in store.events()] == [1, 2]
        assert store.head().seq == 2
        assert store.pending == 0
        assert store.verify() == []
    with StudyStore(path, "test") as store:
        assert store.append("mode", "ann", {}).result().seq == 3
        assert store.verify() == []


def test_many_appends_at_once_keep_their_order(path):
    with StudyStore(path, "test") as store:
        futures = [store.append("mode", "ann", {"number": n}) for n in range(1000)]
        assert [future.result().seq for future in futures] == list(range(1, 1001))
    history = read_record(path)
    assert [e.payload for e in history.events] == [f'{{"number":{n}}}' for n in range(1000)]
    assert history.problems == []


def test_closing_writes_what_waits(path):
    fill(path, 50)
    assert len(read_record(path).events) == 50


def test_the_database_itself_refuses_changes(path):
    fill(path, 2)
    for statement in ("UPDATE event SET actor = 'eve'", "DELETE FROM event"):
        with pytest.raises(sqlite3.IntegrityError, match="never changed or removed"):
            sql(path, statement)


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (["UPDATE event SET payload = '{}' WHERE seq = 3"], {(Damage.CHANGED, 3), (Damage.MISSING, 3)}),
        (["DELETE FROM event WHERE seq = 2"], {(Damage.MISSING, 2)}),
        (["DELETE FROM event WHERE seq > 3"], {(Damage.CUT_OFF, 4)}),
        (["DELETE FROM event"], {(Damage.CUT_OFF, 1)}),
        (
            ["UPDATE event SET seq = -seq WHERE seq IN (2, 3)", "UPDATE event SET seq = 5 + seq WHERE seq < 0"],
            {(Damage.CHANGED, 3), (Damage.CHANGED, 2), (Damage.MISSING, 2)},
        ),
        (
            [
                "INSERT INTO event SELECT 99, device, study, 6, utc, actor, kind, payload, previous, hash FROM event LIMIT 1"
            ],
            {(Damage.CHANGED, 6)},
        ),
        (["UPDATE event SET payload = x'ff' WHERE seq = 5"], {(Damage.CHANGED, 5)}),
    ],
)
def test_tampering_is_found_with_its_place(path, statements, expected):
    fill(path)
    tamper(path, *statements)
    assert problems(path) == expected | {(Damage.UNPROTECTED, 0)}


def test_going_on_after_a_cut_does_not_hide_it(path):
    fill(path)
    tamper(path, "DELETE FROM event WHERE seq > 3")
    with StudyStore(path, "test") as store:
        for number in range(4):
            store.append("mode", "ann", {"later": number}).result()
        assert any("entries were removed or changed" in warning for warning in store.warnings)
    assert (Damage.INSERTED, 5) in problems(path)


def test_an_exported_head_convicts_a_rewritten_record(path, tmp_path):
    fill(path)
    with StudyStore(path, "test") as store:
        exported = store.heads()
    write_heads(tmp_path / "kept.json", exported)
    for file in tmp_path.glob("record*"):
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    fill(path, 7)
    assert read_record(path).problems == []
    found = read_record(path, read_heads(tmp_path / "kept.json")).problems
    assert [(p.damage, p.seq) for p in found] == [(Damage.INSERTED, 5)]


def test_drafts_are_kept_coalesced_and_discarded(path):
    with StudyStore(path, "test") as store:
        futures = [store.save_draft("case", str(n).encode()) for n in range(100)]
        assert store.draft("case") == b"99"
        for future in futures:
            future.result()
        store.save_draft("other", b"x").result()
    with StudyStore(path, "test") as store:
        store.save_draft("new", b"n")  # before the disk was read
        assert store.drafts() == {"case": b"99", "other": b"x", "new": b"n"}
        store.discard_draft("other").result()
        assert store.draft("other") is None
    with StudyStore(path, "test") as store:
        store.discard_draft("new")  # likewise
        assert store.drafts() == {"case": b"99"}
        assert store.events() == []


@pytest.mark.skipif(os.name == "nt", reason="there, every name is Unicode")
@pytest.mark.parametrize("name", [b"latin1-\xfcber.dcm", b"\xff 100%20 \xfe", "股.dcm".encode(), b"file:a"])
def test_a_location_keeps_every_byte_of_a_name(path, tmp_path, name):
    place = os.fsdecode(os.fsencode(tmp_path) + b"/" + name)
    with StudyStore(path, "test") as store:
        store.note_location("ab", Path(place)).result()
    with StudyStore(path, "test") as store:
        location = store.location("ab")
        assert location is not None
        assert location.path == place


def test_locations_stay_out_of_the_record(path):
    with StudyStore(path, "test") as store:
        store.note_location("ab", "/secret/MEIER_HANS.dcm", "a.dcm").result()
    with StudyStore(path, "test") as store:
        location = store.location("ab")
        assert location is not None
        assert (location.path, location.member) == ("/secret/MEIER_HANS.dcm", "a.dcm")
        assert store.location("cd") is None
        store.append("mode", "ann", {}).result()
    assert b"MEIER" not in path.read_bytes()
    assert b"MEIER" not in store.head_file.read_bytes()
    assert all(b"MEIER" not in copy.read_bytes() for copy in store.backup_folder.iterdir())


def test_each_machine_has_a_chain_of_its_own(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    fill(one / "record.sqlite", 3)
    other.mkdir()
    shutil.copy(one / "record.sqlite", other / "record.sqlite")
    fill(other / "record.sqlite", 2)
    history = read_record(other / "record.sqlite")
    assert sorted(e.seq for e in history.events) == [1, 1, 2, 2, 3]
    assert len({e.device for e in history.events}) == 2
    assert history.problems == []


def test_a_second_program_is_told(path):
    with StudyStore(path, "test") as first, StudyStore(path, "test") as second:
        first.append("mode", "ann", {}).result()
        with pytest.raises(StoreError, match="open in another program or in another window"):
            second.append("mode", "eve", {}).result()
        first.close()
        assert second.append("mode", "eve", {}).result().seq == 2


def test_a_newer_file_is_refused_and_left_alone(path):
    fill(path, 2)
    sql(path, "UPDATE lucency_meta SET value = '99' WHERE key = 'schema'")
    before = path.read_bytes()
    with StudyStore(path, "test") as store, pytest.raises(StoreError, match="newer Lucency"):
        store.append("mode", "ann", {}).result()
    assert path.read_bytes() == before
    with pytest.raises(StoreError, match="newer Lucency"):
        read_record(path)


def test_an_older_file_is_migrated_on_a_copy(path, monkeypatch):
    fill(path, 4)
    written = read_record(path).events
    original = path.read_bytes()
    monkeypatch.setattr(study.store.versions, "SCHEMA", 2)
    monkeypatch.setitem(
        study.store.versions.MIGRATIONS,
        1,
        lambda connection: connection.execute(sa.text("CREATE TABLE extra (id INTEGER)")),
    )
    with StudyStore(path, "test") as store:
        assert store.append("mode", "ann", {}).result().seq == 5
        assert store.events()[:4] == written
        assert any("new version" in warning for warning in store.warnings)
    assert (path.parent / "record.version-1.sqlite").read_bytes() == original
    assert problems(path) == set()


def test_a_failed_migration_leaves_the_file_as_it_was(path, monkeypatch):
    fill(path, 4)
    original = path.read_bytes()
    monkeypatch.setattr(study.store.versions, "SCHEMA", 2)

    def spoil(connection):
        connection.execute(sa.text("DROP TRIGGER event_no_update"))
        connection.execute(sa.text("UPDATE event SET actor = 'eve'"))

    monkeypatch.setitem(study.store.versions.MIGRATIONS, 1, spoil)
    with StudyStore(path, "test") as store, pytest.raises(StoreError, match="left as it is"):
        store.events()
    assert path.read_bytes() == original


@pytest.mark.parametrize(
    "content", [b"not a database at all, but long enough" * 50, b"SQLite format 3\0" + b"\xff" * 4000]
)
def test_a_file_that_is_no_database_is_said_and_left_alone(path, content):
    path.write_bytes(content)
    with StudyStore(path, "test") as store, pytest.raises(StoreError, match="damaged and cannot be read"):
        store.append("mode", "ann", {}).result()
    assert path.read_bytes() == content


def test_somebody_elses_database_is_refused(path):
    sql(path, "CREATE TABLE song (name TEXT)")
    with StudyStore(path, "test") as store, pytest.raises(StoreError, match="not a record of readings"):
        store.append("mode", "ann", {}).result()


def test_damaged_drafts_are_put_aside_and_readings_stay(path):
    fill(path, 3)
    (path.parent / "record.local.sqlite").write_bytes(b"rubbish" * 1000)
    with StudyStore(path, "test") as store:
        assert store.drafts() == {}
        assert len(store.events()) == 3
        assert any("drafts was damaged" in warning for warning in store.warnings)
    assert list(path.parent.glob("record.local.sqlite.damaged-*"))


def test_a_vanished_file_is_said_and_nothing_is_written_into_nowhere(path):
    with StudyStore(path, "test") as store:
        store.append("mode", "ann", {"n": 1}).result()
        away = path.with_name("elsewhere.sqlite")
        path.rename(away)
        with pytest.raises(StoreError, match="no longer where it was"):
            store.append("mode", "ann", {"n": 2}).result()
        with pytest.raises(StoreError, match="no longer where it was"):
            store.append("mode", "ann", {"n": 2}).result()
        assert not path.exists()
        away.rename(path)
        assert store.append("mode", "ann", {"n": 2}).result().seq == 2
    assert problems(path) == set()


def test_a_vanished_folder_is_said_and_closing_does_not_fail(tmp_path):
    folder = tmp_path / "drive"
    store = StudyStore(folder / "record.sqlite", "test")
    store.append("mode", "ann", {}).result()
    store.events()  # the writer is done with what follows an append: noting the end of the chain
    folder.rename(tmp_path / "gone")
    folder.mkdir()  # as the empty mount point of a disconnected drive
    with pytest.raises(StoreError, match="no longer where it was"):
        store.append("mode", "ann", {}).result()
    with pytest.raises(StoreError, match="no longer where it was"):
        store.save_draft("a", b"b").result()
    store.close()
    assert list(folder.iterdir()) == []


def test_a_full_disk_is_said_and_the_next_try_succeeds(path, monkeypatch):
    """A page limit is what SQLite itself treats as a full disk."""
    with StudyStore(path, "test") as store:
        store.append("mode", "ann", {}).result()
        limit = "PRAGMA max_page_count=1"
        store._submit(lambda: store._database.opened.connection.driver_connection.execute(limit).close()).result()
        with pytest.raises(StoreError, match="disk is full"):
            store.append("mode", "ann", {"text": "x" * 100_000}).result()
        assert store.append("mode", "ann", {"text": "x" * 100_000}).result().seq == 2
        assert store.verify() == []


def test_what_cannot_be_written_fails_alone(path):
    with StudyStore(path, "test") as store:
        bad = store.append("mode", "ann", {"score": float("nan")})
        good = store.append("mode", "ann", {"score": 1.0})
        with pytest.raises(StoreError, match="cannot be written into the record"):
            bad.result()
        assert good.result().seq == 1


def test_a_slow_disk_does_not_hold_up_the_caller(path):
    """While another program holds the file, appends return at once and are counted as pending."""
    with StudyStore(path, "test") as store:
        store.append("mode", "ann", {}).result()
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        future = store.append("mode", "ann", {})
        draft = store.save_draft("a", b"b")
        assert not future.done()
        assert store.pending == 2
        assert store.draft("a") == b"b"
        holder.execute("COMMIT")
        holder.close()
        assert future.result(10).seq == 2
        draft.result(10)
        assert store.pending == 0


def test_after_close_everything_is_refused(path):
    store = StudyStore(path, "test")
    store.close()
    store.close()
    for call in (lambda: store.append("mode", "ann", {}), lambda: store.save_draft("a", b""), store.read):
        with pytest.raises(StoreError, match="closed already"):
            call().result()
    assert not path.exists()


def test_backups_are_kept_and_whole(path):
    for session in range(4):
        with StudyStore(path, "test", keep_backups=2) as store:
            store.append("mode", "ann", {"session": session})
    with StudyStore(path, "test", keep_backups=2) as store:
        store.events()  # reading alone makes no copy
    copies = sorted(store.backup_folder.iterdir())
    assert [len(read_record(copy).events) for copy in copies] == [3, 4]


def test_reading_a_sent_file_changes_nothing(path):
    fill(path)
    before = {file: file.read_bytes() for file in path.parent.rglob("*") if file.is_file()}
    assert len(read_record(path).events) == 5
    assert {file: file.read_bytes() for file in path.parent.rglob("*") if file.is_file()} == before
    with pytest.raises(StoreError, match="no record named absent"):
        read_record(path.with_name("absent.sqlite"))


def test_closing_leaves_no_thread(path):
    fill(path)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("study-store")]


def test_importing_the_store_does_not_import_the_database_library():
    code = (
        "import sys, study.store, study.record; assert 'sqlalchemy' not in sys.modules and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_a_server_needs_a_local_folder_and_must_be_postgresql(tmp_path):
    with pytest.raises(ValueError, match="local folder"):
        StudyStore("postgresql://host/db", "test")
    with StudyStore("mysql://host/db", "test", local_folder=tmp_path) as store, pytest.raises(StoreError):
        store.events()
