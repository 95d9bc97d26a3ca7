"""What the commands have in common: sentences, files, passphrases."""

from __future__ import annotations

import argparse
import getpass
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

EXIT_DONE, EXIT_PROBLEMS, EXIT_UNUSABLE = 0, 1, 2
_SQLITE = b"SQLite format 3\0"


class CommandError(Exception):
    """`str(error)` is one sentence."""


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def complain(sentence: object) -> None:
    sys.stderr.write(f"{sentence}\n")


def write(path: Path, text: str) -> None:
    from study.files import replace_file

    replace_file(path, text.encode("utf-8"))


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def place_of(where: str) -> Path | str:
    """A file, or the URL of a server."""
    return where if "://" in where else Path(where)


def is_record(where: str) -> bool:
    """Whether it is a record or a study, not a file of scores."""
    if "://" in where:
        return True
    try:
        with Path(where).open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False  # said by whoever reads it


def add_study_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--study", default="", metavar="ID", help="which study, where a server holds several")
    parser.add_argument(
        "--passphrase-file",
        type=Path,
        metavar="FILE",
        help="a file whose first line is the coordinator's passphrase; asked for otherwise",
    )


def passphrase(file: Path | None) -> str:
    """From the file, from the terminal without showing it, or from standard input. Raises CommandError, OSError."""
    if file is not None:
        text = file.read_text("utf-8-sig")
    elif sys.stdin.isatty():
        try:
            text = getpass.getpass("Passphrase of the coordinator: ")
        except EOFError:
            text = ""
    else:
        text = sys.stdin.readline()
    first = text.partition("\n")[0].rstrip("\r")
    if not first:
        raise CommandError("The coordinator's passphrase is needed to open the truth; give it with --passphrase-file.")
    return first


def in_a_sentence(job: Callable[[], int]) -> int:
    """Run it; what the user's files and folders can do wrong becomes a sentence on stderr."""
    try:
        return job()
    except KeyboardInterrupt:
        complain("Stopped.")
    except Exception as error:
        sentence = _sentence(error)
        if not sentence:
            raise
        complain(sentence)
    return EXIT_UNUSABLE


def _sentence(error: Exception) -> str:
    """What a user is told; "" for what is no fault of theirs. Imports late: where all is well, nobody waits for it."""
    from study.accounts import AccountError
    from study.exchange import ExchangeError
    from study.statistics.roc import NotEstimableError
    from study.store import StoreError
    from study.study_state import CoordinatorError
    from study.truth import SealError

    if isinstance(error, ExchangeError):
        return error.sentence
    if isinstance(error, CommandError | NotEstimableError | StoreError | CoordinatorError | SealError | AccountError):
        return str(error)
    if isinstance(error, UnicodeDecodeError):
        return "A file is not text in UTF-8."
    if isinstance(error, OSError):
        return _about_file(error)
    return ""


def _about_file(error: OSError) -> str:
    if not error.filename:
        return f"A file cannot be read or written: {error.strerror or 'it failed'}."
    path = Path(str(error.filename).removesuffix(".unfinished"))
    if isinstance(error, FileNotFoundError):
        folder = path.resolve().parent
        return (
            f"There is no file {path.name}." if folder.is_dir() else f"{path.name}: there is no folder {folder.name}."
        )
    if isinstance(error, IsADirectoryError):
        return f"{path.resolve().name} is a folder, not a file."
    if isinstance(error, PermissionError):
        return f"{path.name} cannot be read or written: you have no permission for it."
    return f"{path.name} cannot be read or written: {error.strerror or 'it failed'}."
