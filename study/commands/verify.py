"""`main.py verify RECORD`: every event against its hash and its chain, and a study against its signatures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from study.commands.shared import EXIT_DONE, EXIT_PROBLEMS, CommandError, is_record, place_of, say, sha256

if TYPE_CHECKING:
    from study.store import NotedEnd


def add_verify_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "record",
        metavar="RECORD",
        help="the file of a record or study, or its postgresql:// URL; a reader package or a returned file",
    )
    parser.add_argument(
        "--head", type=Path, metavar="FILE", help="the exported end of the record, to find a cut-off tail"
    )


def verify(arguments: argparse.Namespace) -> int:
    from study import package, returned
    from study.store import read_end, verify_record
    from study.study_check import check_study, unsigned_entries
    from study.study_state import registered_studies

    where = arguments.record
    if Path(where).suffix.lower() in (package.SUFFIX, returned.SUFFIX):
        return _verify_handed(Path(where))
    if not is_record(where):
        raise CommandError(_no_record(Path(where)))
    end = read_end(arguments.head) if arguments.head else None
    history = verify_record(place_of(where), end)
    for problem in history.problems:
        say(f"{_place(problem.device, problem.study, problem.seq)}: {problem.damage}: {problem.sentence}")
    titles = registered_studies(history.events)
    found = [(study, flaw) for study in titles for flaw in check_study(history.events, study)]
    for study, flaw in found:
        say(f"{_place(flaw.device, study, flaw.seq)}: study: {flaw.sentence}")
    chains = {(event.device, event.study) for event in history.events}
    counted = f"{len(history.events)} events in {len(chains)} chain{'' if len(chains) == 1 else 's'}"
    problems = len(history.problems) + len(found)
    if problems:
        say(f"{problems} problem(s); {counted} are sound.")
        return EXIT_PROBLEMS
    say(f"{counted}, all sound.")
    for study, title in titles.items():
        say(f"Study “{title}”: protocol, case list, signatures and readings fit.")
        unsigned = unsigned_entries(history.events, study)
        if unsigned:
            say(
                f"{len(unsigned)} of the coordinator's entries carry no signature of their own (event "
                f"{', '.join(str(event.seq) for event in unsigned)}): in a file only its holder could add them, on a "
                "server whoever may insert rows."
            )
    for sentence in _reach(where, history.end):
        say(sentence)
    return EXIT_DONE


def _no_record(path: Path) -> str:
    if path.is_dir():
        return f"{path.resolve().name} is a folder, not a record."
    if not path.exists():
        return f"There is no record named {path.name}."
    return (
        f"{path.name} does not begin as a record does: it is something else, or its first bytes are destroyed. "
        "Verify takes a record, a study, a reader package or a returned file."
    )


def _reach(where: str, end: NotedEnd) -> list[str]:
    """How far this check reached."""
    if not end.heads:
        return ["No exported end was given (--head), so a tail that was cut off would not be seen."]
    if "://" in where:
        return []
    if end.file_sha256 == sha256(Path(where)):
        return ["The file is byte for byte the one that was closed."]
    return [
        "The noted end is not of this file as it was last closed, so flipped bits in its unused bytes would not be seen."
    ]


def _place(device: str, study: str, seq: int) -> str:
    named = (("device", device), ("study", study), ("event", seq))
    return ", ".join(f"{name} {value}" for name, value in named if value) or "the file"


def _verify_handed(path: Path) -> int:
    """What a reader was handed, or sent back: each is sound as a whole or it is not."""
    from study import package, returned

    try:
        if path.suffix.lower() == package.SUFFIX:
            opened = package.open_package(path)
            say(
                f"A package for {opened.reader_id}: images, protocol and sealed answers fit its coordinator's signature."
            )
        else:
            answers = returned.read_return(path)
            say(f"Answers of {answers.reader_id}: {len(answers.events)} events in one chain, all sound.")
    except (package.PackageError, returned.ReturnError) as error:
        say(str(error))
        return EXIT_PROBLEMS
    return EXIT_DONE
