"""Single flipped bits anywhere in a study's file, and what else can be wrong with a file whose events are sound."""

from __future__ import annotations

import random
import re
import shutil
import sqlite3
from pathlib import Path

import msgspec
import pytest

from study.store import (
    NotedEnd,
    StoreError,
    StudyStore,
    read_end,
    read_record,
    verify_record,
    write_heads,
)
from study.store.heads import NOTHING_NOTED
from tests.unit.study.study_maker import protocol
from tests.unit.study.whole_study import run, whole_study

PAGE = 4096


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return whole_study(tmp_path_factory.mktemp("study"), protocol(planned_cases=12), 2).file


def head_of_file(file: Path) -> Path:
    return file.with_name(f"{file.stem}.head.json")


def is_found(file: Path, end: NotedEnd) -> bool:
    try:
        return bool(verify_record(file, end).problems)
    except StoreError:
        return True  # it cannot even be opened, and a sentence says so


def contents(file: Path) -> list[str]:
    """Every row and definition as SQLite reads them, but for letter case and blanks of the definitions."""
    connection = sqlite3.connect(file)
    try:
        lines = list(connection.iterdump())
    finally:
        connection.close()
    return [line if line.startswith("INSERT") else re.sub(r"\s+", "", line).lower() for line in lines]


def test_a_single_flipped_bit_anywhere_is_found(made, tmp_path):
    """Drawn over the whole file, and again where most of a page is unused: file header, definitions, index, version.

    Against the end that the close noted every one is found. Without it, those that are not found lie where the file
    holds nothing: no row and no definition differs.
    """
    data, end, original = made.read_bytes(), read_end(head_of_file(made)), contents(made)
    assert end.file_sha256
    draw = random.Random(20261123)
    areas = ((0, len(data), 24), (0, 100, 8), (100, PAGE, 12), (PAGE, 5 * PAGE, 16))
    bits = [draw.randrange(first * 8, last * 8) for first, last, count in areas for _ in range(count)]
    flipped, found = tmp_path / "study.sqlite", 0
    for bit in bits:
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        flipped.write_bytes(changed)
        assert is_found(flipped, end), f"bit {bit % 8} of byte {bit // 8}"
        if is_found(flipped, NOTHING_NOTED):
            found += 1
        else:
            assert contents(flipped) == original, f"bit {bit % 8} of byte {bit // 8}"
    assert 0 < found < len(bits)


def tampered(made: Path, folder: Path, *statements: str) -> Path:
    file = folder / "study.sqlite"
    shutil.copy(made, file)
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        for statement in statements:
            connection.execute(statement)
    connection.close()
    return file


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "CREATE TRIGGER helper AFTER INSERT ON event BEGIN DELETE FROM lucency_meta; END",
            "not those of a record: helper",
        ),
        ("CREATE TABLE notes (text TEXT)", "not those of a record: notes"),
        (
            "UPDATE sqlite_master SET sql = replace(sql, 'BEFORE UPDATE', 'BEFORE INSERT') WHERE type = 'trigger'",
            "not those of a record: event_no_update",
        ),
        ("INSERT INTO lucency_meta VALUES ('note', 'hello')", "its own version was changed"),
    ],
)
def test_definitions_that_do_not_belong_there_are_named(made, tmp_path, capsys, statement, said):
    file = tampered(made, tmp_path, statement)
    assert read_record(file).events == read_record(made).events
    assert run("verify", file) == 1
    assert said in capsys.readouterr().out


def test_an_index_that_does_not_fit_its_table_is_found(made, tmp_path):
    """What a reader sees comes from the table; the index decides what is appended next."""
    file = tmp_path / "study.sqlite"
    shutil.copy(made, file)
    connection = sqlite3.connect(file)
    (root,) = connection.execute(
        "SELECT rootpage FROM sqlite_master WHERE name LIKE 'sqlite_autoindex_event%'"
    ).fetchone()
    connection.close()
    data = bytearray(file.read_bytes())
    place = data.index(b"device R1", (root - 1) * PAGE, root * PAGE)
    data[place] ^= 1
    file.write_bytes(data)
    assert read_record(file).problems == []
    assert "own check of the file" in verify_record(file, NOTHING_NOTED).problems[0].sentence


def test_bytes_that_no_event_accounts_for_show_against_the_noted_end(made, tmp_path, capsys):
    file = tmp_path / "study.sqlite"
    shutil.copy(made, file)
    shutil.copy(head_of_file(made), tmp_path)
    assert run("verify", file) == 0
    assert "byte for byte the one that was closed" in capsys.readouterr().out
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version=7")
    connection.close()
    assert run("verify", file) == 1
    assert "not byte for byte the one that was closed" in capsys.readouterr().out


def test_what_was_added_since_the_close_is_no_fault(tmp_path):
    """A program that was killed leaves a longer record than the one whose bytes were noted."""
    path = tmp_path / "record.sqlite"
    with StudyStore(path, "test") as store:
        store.append("mode", "ann", {"n": 1}).result()
    closed = head_of_file(path).read_bytes()
    assert verify_record(path).problems == []
    with StudyStore(path, "test") as store:
        store.append("mode", "ann", {"n": 2}).result()
        assert store.verify() == []
        store.export_heads()
        assert store.verify() == []
    head_of_file(path).write_bytes(closed)
    assert verify_record(path).problems == []


def test_ends_of_earlier_versions_are_still_read(tmp_path):
    path = tmp_path / "record.sqlite"
    with StudyStore(path, "test") as store:
        store.append("mode", "ann", {}).result()
        heads = store.heads()
    head_of_file(path).write_bytes(msgspec.json.encode(heads))
    assert read_end(head_of_file(path)) == NotedEnd(tuple(heads))
    assert verify_record(path).problems == []
    write_heads(head_of_file(path), heads)
    assert read_end(head_of_file(path)) == NotedEnd(tuple(heads))
