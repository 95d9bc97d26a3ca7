"""What the record's view does off the window's thread: it waits for the disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gui.views.record_rows import Row, make_rows
from study.model import CaseKey
from study.record import Record, find_moved, read_record
from study.store import StudyStore


def load_record(store: StudyStore) -> tuple[Record, list[Row]]:
    record = read_record(store)
    return record, make_rows(record)


def is_there(store: StudyStore, case: CaseKey) -> bool:
    place = store.location(case.image_sha256)
    return place is not None and Path(place.path).is_file()


def relink_all(store: StudyStore, folder: Path, wanted: set[str], keep_going: Callable[[int], bool]) -> tuple[int, int]:
    """(found, still missing) of the wanted images that are not where they were."""
    missing = {sha256 for sha256 in wanted if not is_there(store, CaseKey(sha256, 0, (0.0, 0.0, 1.0, 1.0), "U"))}
    found = find_moved(folder, missing, keep_going)
    for sha256, path in found.items():
        store.note_location(sha256, path).result()
    return len(found), len(missing) - len(found)
