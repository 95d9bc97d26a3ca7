"""`main.py export FILE OUT`: scores or readings in another format."""

from __future__ import annotations

import argparse
from pathlib import Path

from study.commands.shared import EXIT_DONE, CommandError, add_study_arguments, is_record, place_of, say


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help=".imrmc, CSV, a record or a study")
    parser.add_argument("out", type=Path, metavar="OUT", help="ends in .csv, .imrmc, or for a record .json")
    parser.add_argument("--truth", type=Path, metavar="CSV", help="the reference standard, columns case,truth")
    add_study_arguments(parser)


def export(arguments: argparse.Namespace, app_version: str) -> int:
    suffix = arguments.out.suffix.lower()
    if not is_record(arguments.file):
        _export_scores(arguments, suffix)
    else:
        _export_record(arguments, suffix, app_version)
    say(f"Wrote {arguments.out}.")
    return EXIT_DONE


def _export_scores(arguments: argparse.Namespace, suffix: str) -> None:
    from study.commands.inputs import read_truth, with_truth
    from study.exchange import read_scores, write_scores

    if suffix not in (".csv", ".imrmc"):
        raise CommandError(f"{arguments.out.name}: scores are written as .csv or .imrmc.")
    table = read_scores(Path(arguments.file))
    write_scores(with_truth(table, read_truth(arguments.truth)) if arguments.truth else table, arguments.out)


def _export_record(arguments: argparse.Namespace, suffix: str, app_version: str) -> None:
    from study import record
    from study.commands.inputs import Study, read_input, read_truth
    from study.exchange import write_scores
    from study.store import read_record
    from study.study_results import chosen_study

    history = read_record(place_of(arguments.file))
    out = arguments.out
    if chosen_study(history, arguments.study):
        if suffix not in (".csv", ".imrmc"):
            raise CommandError(f"{out.name}: the scores of a study are written as .csv or .imrmc.")
        arguments.head = None
        read = read_input(arguments, app_version)
        assert isinstance(read, Study)
        write_scores(read.results.scores.table, out)
        return
    folded = record.fold(history.events, history.problems)
    truth = read_truth(arguments.truth) if arguments.truth else None
    if suffix == ".json":
        record.export_json(folded, out)
    elif suffix == ".imrmc" or (suffix == ".csv" and truth):
        write_scores(record.score_table(folded.readings, truth), out)
    elif suffix == ".csv":
        record.export_csv(folded.readings, out)
    else:
        raise CommandError(f"{out.name}: readings are written as .csv, .json or .imrmc.")
