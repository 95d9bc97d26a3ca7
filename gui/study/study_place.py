"""Where a study lies: a file, or a PostgreSQL server that several workstations share."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from study.chain import Event
from study.coordinator import CoordinatorError
from study.store import StudyStore, read_record
from study.study_events import Registered, StudyEventKind, decode_study

T = TypeVar("T")
Place = Path | str
SUFFIX = ".lucency-study"
KINDS = f"Studies (*{SUFFIX})"
BACKUPS = 5  # that a study's file keeps of itself
SERVER_KINDS = ("postgresql://", "postgres://", "postgresql+psycopg://")


def as_place(text: str) -> Place:
    text = text.strip()
    return text if "://" in text else Path(text).expanduser().absolute()


def place_problem(place: Place) -> str:
    """Why nothing can be registered there, a sentence, or "". Looks at the words only, not at the disk."""
    if isinstance(place, str):
        return "" if place.startswith(SERVER_KINDS) else "An address begins with postgresql://."
    return "" if place.name and place.suffix else f"Name a file, such as study{SUFFIX}."


def shown(place: Place) -> str:
    """For people: a file's name, or a server's address without its password."""
    if isinstance(place, Path):
        return place.name
    parts = urlsplit(place)
    return f"{parts.hostname or 'server'}{parts.path}"


def local_folder(place: Place, study_id: str, data_folder: Path) -> Path | None:
    """Where drafts, notes and device id of a study on a server lie; those of a file lie beside it."""
    return data_folder / "studies" / study_id if isinstance(place, str) else None


def open_store(
    place: Place, study_id: str, data_folder: Path, app_version: str, *, backups: int = BACKUPS
) -> StudyStore:
    """The store of one study. A server's drafts and device id lie in the data folder. Touches no disk yet."""
    return StudyStore(
        place,
        app_version,
        study=study_id,
        local_folder=local_folder(place, study_id, data_folder),
        keep_backups=backups,
    )


def studies_in(place: Place) -> dict[str, str]:
    """Titles of the studies that are registered there, by id. Waits. Raises StoreError, CoordinatorError."""
    found = {}
    for event in read_record(place).events:
        title = _title(event)
        if title is not None:
            found[event.study] = title
    if not found:
        raise CoordinatorError(f"No study is registered in {shown(place)}.")
    return found


def _title(event: Event) -> str | None:
    if event.kind != StudyEventKind.REGISTERED:
        return None
    payload = decode_study(event)
    return payload.protocol.title if isinstance(payload, Registered) else None


def file_name(title: str) -> str:
    """A name for the study's file."""
    words = re.sub(r"[^\w]+", "-", title.casefold()).strip("-_")[:48].rstrip("-")
    return f"{words or 'study'}{SUFFIX}"


def register_in(place: Place, study_id: str, data_folder: Path, app_version: str, work: Callable[[StudyStore], T]) -> T:
    """Do `work` with a new study's store; what a failure would leave behind is removed. Waits.

    Raises CoordinatorError where there is a file already, and what `work` raises.
    """
    if isinstance(place, Path) and place.exists():
        raise CoordinatorError(f"There is a {place.name} already. A study is never written over another file.")
    before = _beside(place)
    store = open_store(place, study_id, data_folder, app_version)
    try:
        result = work(store)
    except BaseException:
        store.close()
        for path in _beside(place) - before:
            with contextlib.suppress(OSError):
                path.unlink()
        raise
    store.close()
    return result


def _beside(place: Place) -> set[Path]:
    """The files that belong to a study's file."""
    if isinstance(place, str) or not place.parent.is_dir():
        return set()
    return {path for path in place.parent.iterdir() if path.is_file() and path.name.startswith(place.stem)}
