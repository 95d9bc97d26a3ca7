"""Which of the paths that somebody opens or drops belong to a reader study, and what is asked with them."""

from __future__ import annotations

from pathlib import Path

READ_PACKAGE, OPEN_STUDY = "study_read", "study_open"  # the actions that a file stands for

_STUDY_SUFFIXES = ".lucency-"  # what the endings of all files that a study exchanges begin with
_SQLITE = b"SQLite format 3\0"


def study_action(path: Path) -> str:
    """READ_PACKAGE for a reader package, OPEN_STUDY for a coordinator's study, "" for anything else.

    A package is known by its ending; a study lies in a database, whatever its name. Reads 16 bytes at most.
    """
    if path.suffix.lower().startswith(_STUDY_SUFFIXES):
        from study.package import SUFFIX  # imports more than opening a radiograph needs

        if path.suffix.lower() == SUFFIX:
            return READ_PACKAGE
    try:
        with path.open("rb") as file:
            return OPEN_STUDY if file.read(len(_SQLITE)) == _SQLITE else ""
    except OSError:  # a folder; what does not exist is said by whoever opens it
        return ""
