"""`main.py analyse`, `verify` and `export`: reader studies without a window.

Errors are one sentence on stderr and exit code 2; `verify` exits with 1 where it finds a problem.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from study.report import Preregistration, Provenance
    from study.scores import ScoreTable

EXIT_DONE, EXIT_PROBLEMS, EXIT_UNUSABLE = 0, 1, 2
_SQLITE = b"SQLite format 3\0"
_TRUE, _FALSE = ("1", "1.0", "loose", "true", "yes"), ("0", "0.0", "not_loose", "not loose", "fixed", "false", "no")


class CommandError(Exception):
    """`str(error)` is one sentence."""


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The subcommands of this module; `run` runs what was parsed."""
    add_analyse_arguments(
        commands.add_parser("analyse", help="accuracy and reader statistics of a file of scores or a record")
    )
    add_verify_arguments(commands.add_parser("verify", help="check that a record was not changed"))
    add_export_arguments(commands.add_parser("export", help="readings or scores in another format"))


def run(arguments: argparse.Namespace, app_version: str = "") -> int:
    """Run the parsed command. No exception that a user could cause leaves it."""
    commands: dict[str, Callable[[], int]] = {
        "analyse": lambda: run_analyse(arguments, app_version),
        "verify": lambda: run_verify(arguments),
        "export": lambda: run_export(arguments),
    }
    return commands[arguments.command]()


# --- analyse


def add_analyse_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help=".imrmc, CSV, or a record (its file, or its postgresql:// URL)")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write all numbers as JSON")
    parser.add_argument("--html", type=Path, metavar="OUT", help="write the report as one HTML file")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="write each plot as an SVG file into this folder")
    parser.add_argument("--algorithm", metavar="NAME", help="the reader that is a CNN")
    parser.add_argument("--margin", type=_margin, metavar="M", help="test non-inferiority with this margin, e.g. 0.05")
    parser.add_argument("--truth", type=Path, metavar="CSV", help="the reference standard, columns case,truth")
    parser.add_argument(
        "--protocol", type=Path, metavar="JSON", help="the analysis that was fixed before the first reading"
    )
    parser.add_argument("--title", default="", help="title of the report")
    parser.add_argument(
        "--ignore-header",
        action="store_true",
        help="use the rows of an .imrmc file whose description contradicts itself",
    )


def _margin(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError("a margin lies between 0 and 1")
    return value


def run_analyse(arguments: argparse.Namespace, app_version: str = "") -> int:
    return _in_a_sentence(lambda: _analyse(arguments, app_version))


def _analyse(arguments: argparse.Namespace, app_version: str) -> int:
    from dataclasses import replace

    from study import report
    from study.analysis import analyse
    from study.plots import export_plots

    read = _read(arguments.file, arguments.truth, arguments.ignore_header, app_version)
    table = replace(read.table, title=arguments.title or read.table.title or Path(arguments.file).name)
    plan = _read_protocol(arguments.protocol) if arguments.protocol else None
    analysis = analyse(table, arguments.algorithm or read.algorithm)
    margin = arguments.margin if arguments.margin is not None or plan is None else plan.margin
    sys.stdout.write(report.summary(analysis, plan, margin))
    if arguments.json:
        _write(arguments.json, report.to_json(analysis, read.provenance, plan, margin))
    if arguments.html:
        _write(arguments.html, report.to_html(analysis, read.provenance, plan, margin))
    if arguments.plots:
        export_plots(analysis, arguments.plots)
    return EXIT_DONE


@dataclass(frozen=True)
class _Input:
    table: ScoreTable
    provenance: Provenance
    algorithm: str | None


def _read(where: str, truth_file: Path | None, ignore_header: bool, app_version: str) -> _Input:
    from study.exchange import read_scores
    from study.report import Provenance

    path = Path(where)
    if not _is_record(where):
        table = read_scores(path, ignore_header=ignore_header)
        if truth_file is not None:
            table = _with_truth(table, _read_truth(truth_file))
        return _Input(table, Provenance(path.name, _sha256(path), app_version), None)
    if truth_file is None:
        raise CommandError(
            "A record holds readings but no truth: give it with --truth FILE.csv, columns case,truth "
            "(`export RECORD OUT.csv` lists the cases)."
        )
    from study.chain import head_of
    from study.record import fold, score_table
    from study.store import read_record

    history = read_record(where if "://" in where else path)
    record = fold(history.events, history.problems)
    if not record.readings:
        raise CommandError(f"{path.name} holds no readings.")
    table = score_table(record.readings, _read_truth(truth_file))
    heads = {(event.device, event.study): head_of(event) for event in history.events}
    algorithms = {item.reading.reader.id for item in record.readings if item.is_algorithm}
    problems = tuple(problem.sentence for problem in record.problems)
    if problems:
        table = _noted(table, f"The record has {len(problems)} problem(s); see verify. First: {problems[0]}")
    return _Input(
        table,
        Provenance(
            "record on a server" if "://" in where else path.name,
            "" if "://" in where else _sha256(path),
            app_version,
            record_heads=tuple(f"{head.device} {head.study} event {head.seq}: {head.hash}" for head in heads.values()),
            record_problems=problems,
        ),
        algorithms.pop() if len(algorithms) == 1 else None,
    )


def _noted(table: ScoreTable, note: str) -> ScoreTable:
    from dataclasses import replace

    return replace(table, notes=(*table.notes, note))


def _is_record(where: str) -> bool:
    if "://" in where:
        return True
    try:
        with Path(where).open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False  # said by whoever reads it


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read_truth(path: Path) -> dict[str, int]:
    """Truth by case. Raises CommandError, OSError."""
    text = path.read_bytes().decode("utf-8-sig", "replace")
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=text.partition("\n")[0].count))
    header = [cell.strip().lower() for cell in next(rows, [])]
    if not {"case", "truth"} <= set(header):
        raise CommandError(f"{path.name}, row 1: name the columns case and truth.")
    truth: dict[str, int] = {}
    for number, cells in enumerate(rows, start=2):
        row = dict(zip(header, (cell.strip() for cell in cells), strict=False))
        case, said = row.get("case", ""), row.get("truth", "").lower()
        if not case or not said:
            continue
        if said not in _TRUE + _FALSE:
            raise CommandError(
                f"{path.name}, row {number}: the truth “{said}” is not understood; write 1 (loose) or 0 (not loose)."
            )
        value = int(said in _TRUE)
        if truth.setdefault(case, value) != value:
            raise CommandError(f"{path.name}, row {number}: case “{case}” is given a second, different truth.")
    if not truth:
        raise CommandError(f"{path.name} holds no truth.")
    return truth


def _with_truth(table: ScoreTable, truth: dict[str, int]) -> ScoreTable:
    from dataclasses import replace

    import numpy as np

    from study.scores import NO_TRUTH

    return replace(table, truth=np.array([truth.get(case, NO_TRUTH) for case in table.case], dtype=np.int8))


def _read_protocol(path: Path) -> Preregistration:
    import msgspec

    from study.report import Preregistration

    data = path.read_bytes()
    try:
        plan = msgspec.json.decode(data, type=Preregistration)
    except msgspec.DecodeError as error:
        raise CommandError(f"{path.name} is not a protocol of an analysis: {error}.") from error
    if plan.margin is not None and not 0 <= plan.margin < 1:
        raise CommandError(f"{path.name}: a margin lies between 0 and 1.")
    return plan if plan.sha256 else msgspec.structs.replace(plan, sha256=hashlib.sha256(data).hexdigest())


# --- verify


def add_verify_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("record", metavar="RECORD", help="the record's file, or its postgresql:// URL")
    parser.add_argument(
        "--head", type=Path, metavar="FILE", help="the exported end of the record, to find a cut-off tail"
    )


def run_verify(arguments: argparse.Namespace) -> int:
    return _in_a_sentence(lambda: _verify(arguments))


def _verify(arguments: argparse.Namespace) -> int:
    from study.store import read_heads, read_record

    where = arguments.record
    heads = read_heads(arguments.head) if arguments.head else None
    history = read_record(where if "://" in where else Path(where), heads)
    for problem in history.problems:
        place = ", ".join(
            part
            for part in (
                f"device {problem.device}" if problem.device else "",
                f"study {problem.study}" if problem.study else "",
                f"event {problem.seq}" if problem.seq else "",
            )
            if part
        )
        _say(f"{place or 'the file'}: {problem.damage}: {problem.sentence}")
    chains = {(event.device, event.study) for event in history.events}
    counted = f"{len(history.events)} events in {len(chains)} chain{'' if len(chains) == 1 else 's'}"
    if history.problems:
        _say(f"{len(history.problems)} problem(s); {counted} are sound.")
        return EXIT_PROBLEMS
    beside = Path(where).with_name(f"{Path(where).stem}.head.json")
    _say(f"{counted}, all sound.")
    if heads is None and ("://" in where or not beside.exists()):
        _say("No exported end was given (--head), so a tail that was cut off would not be seen.")
    return EXIT_DONE


# --- export


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help=".imrmc, CSV, or a record")
    parser.add_argument("out", type=Path, metavar="OUT", help="ends in .csv, .imrmc, or for a record .json")
    parser.add_argument("--truth", type=Path, metavar="CSV", help="the reference standard, columns case,truth")


def run_export(arguments: argparse.Namespace) -> int:
    return _in_a_sentence(lambda: _export(arguments))


def _export(arguments: argparse.Namespace) -> int:
    from study.exchange import read_scores, write_scores

    where, out = arguments.file, arguments.out
    suffix = out.suffix.lower()
    truth = _read_truth(arguments.truth) if arguments.truth else None
    if not _is_record(where):
        if suffix not in (".csv", ".imrmc"):
            raise CommandError(f"{out.name}: scores are written as .csv or .imrmc.")
        table = read_scores(Path(where))
        write_scores(_with_truth(table, truth) if truth else table, out)
    else:
        from study import record
        from study.store import read_record

        history = read_record(where if "://" in where else Path(where))
        folded = record.fold(history.events, history.problems)
        if suffix == ".json":
            record.export_json(folded, out)
        elif suffix == ".imrmc" or (suffix == ".csv" and truth):
            write_scores(record.score_table(folded.readings, truth), out)
        elif suffix == ".csv":
            record.export_csv(folded.readings, out)
        else:
            raise CommandError(f"{out.name}: readings are written as .csv, .json or .imrmc.")
    _say(f"Wrote {out}.")
    return EXIT_DONE


# --- shared


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _complain(sentence: object) -> None:
    sys.stderr.write(f"{sentence}\n")


def _write(path: Path, text: str) -> None:
    from study.files import replace_file

    replace_file(path, text.encode("utf-8"))


def _in_a_sentence(job: Callable[[], int]) -> int:
    """Run it; what the user's files and folders can do wrong becomes a sentence on stderr."""
    from study.exchange import ExchangeError
    from study.statistics.roc import NotEstimableError
    from study.store import StoreError

    try:
        return job()
    except ExchangeError as error:
        _complain(error.sentence)
    except (CommandError, NotEstimableError, StoreError) as error:
        _complain(error)
    except OSError as error:
        name = Path(error.filename).name if error.filename else "A file"
        _complain(f"{name} cannot be read or written: {error.strerror or 'it failed'}.")
    return EXIT_UNUSABLE
