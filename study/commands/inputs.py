"""What `analyse` reads: a file of scores, a record with its truth beside it, or a study with its coordinator's passphrase."""

from __future__ import annotations

import argparse
import csv
import io
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from study import package, returned
from study.chain import Head, head_of
from study.commands.shared import CommandError, is_record, passphrase, place_of, sha256
from study.exchange import read_scores
from study.exchange.csv_scores import delimiter_of
from study.protocol import AnalysisPlan, Hypothesis, Multiplicity, Protocol
from study.record import fold, score_table
from study.report import Provenance
from study.scores import NO_TRUTH, ScoreTable
from study.store import History, read_heads, read_record
from study.study_results import StudyResults, chosen_study, is_closed, open_results

_TRUE, _FALSE = ("1", "1.0", "loose", "true", "yes"), ("0", "0.0", "not_loose", "not loose", "fixed", "false", "no")


@dataclass(frozen=True)
class Scores:
    """Readings with a truth, and no protocol of their own."""

    table: ScoreTable
    provenance: Provenance
    algorithm: str | None


@dataclass(frozen=True)
class Study:
    results: StudyResults
    provenance: Provenance


def read_input(arguments: argparse.Namespace, app_version: str) -> Scores | Study:
    """Raises CommandError, ExchangeError, StoreError, CoordinatorError, SealError, OSError."""
    where, path = arguments.file, Path(arguments.file)
    if path.suffix.lower() in (package.SUFFIX, returned.SUFFIX):
        raise CommandError(
            f"{path.name} belongs to one reader and holds no truth: the coordinator takes answers in, and the study is analysed."
        )
    if not is_record(where):
        table = read_scores(path, ignore_header=arguments.ignore_header)
        if arguments.truth is not None:
            table = with_truth(table, read_truth(arguments.truth))
        return Scores(table, Provenance(path.name, sha256(path), app_version), None)
    heads = read_heads(arguments.head) if arguments.head else None
    history = read_record(place_of(where), heads)
    study = chosen_study(history, arguments.study)
    return (
        _read_study(arguments, history, study, app_version)
        if study
        else _read_readings(arguments, history, app_version)
    )


def _provenance(where: str, app_version: str, heads: list[Head], problems: tuple[str, ...]) -> Provenance:
    on_server = "://" in where
    return Provenance(
        "record on a server" if on_server else Path(where).name,
        "" if on_server else sha256(Path(where)),
        app_version,
        record_heads=tuple(f"{head.device} {head.study} event {head.seq}: {head.hash}" for head in heads),
        record_problems=problems,
    )


# --- a study


def _read_study(arguments: argparse.Namespace, history: History, study: str, app_version: str) -> Study:
    if not is_closed(history, study):
        raise CommandError(
            "The reading phase is not closed, so the truth stays sealed: there is nothing to analyse yet."
        )
    secret = passphrase(arguments.passphrase_file)
    heads = read_heads(arguments.head) if arguments.head else None
    place = place_of(arguments.file)
    results = open_results(place, secret, study=study, heads=heads, app_version=app_version)
    return Study(results, _provenance(arguments.file, app_version, [], ()))


# --- readings without a protocol


def _read_readings(arguments: argparse.Namespace, history: History, app_version: str) -> Scores:
    if arguments.truth is None:
        raise CommandError(
            "A record holds readings but no truth: give it with --truth FILE.csv, columns case,truth "
            "(`export RECORD OUT.csv` lists the cases)."
        )
    record = fold(history.events, history.problems)
    if not record.readings:
        raise CommandError(f"{Path(arguments.file).name} holds no readings.")
    table = score_table(record.readings, read_truth(arguments.truth))
    ends = {(event.device, event.study): head_of(event) for event in history.events}
    algorithms = {item.reading.reader.id for item in record.readings if item.is_algorithm}
    problems = tuple(problem.sentence for problem in record.problems)
    if problems:
        note = f"The record has {len(problems)} problem(s); see verify. First: {problems[0]}"
        table = replace(table, notes=(*table.notes, note))
    provenance = _provenance(arguments.file, app_version, list(ends.values()), problems)
    return Scores(table, provenance, algorithms.pop() if len(algorithms) == 1 else None)


def read_truth(path: Path) -> dict[str, int]:
    """Truth by case. Raises CommandError, OSError."""
    text = path.read_bytes().decode("utf-8-sig", "replace")
    delimiter, text = delimiter_of(text)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header = [cell.strip().lower() for cell in next((cells for cells in rows if cells), [])]
    if not {"case", "truth"} <= set(header):
        raise CommandError(f"{path.name}, row 1: name the columns case and truth.")
    truth: dict[str, int] = {}
    for cells in rows:
        number = rows.line_num
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


def with_truth(table: ScoreTable, truth: dict[str, int]) -> ScoreTable:
    return replace(table, truth=np.array([truth.get(case, NO_TRUTH) for case in table.case], dtype=np.int8))


def read_plan(path: Path) -> AnalysisPlan:
    """An analysis plan, or the plan within a whole protocol, as JSON. Raises CommandError, OSError."""
    data = path.read_bytes()
    try:
        plan = msgspec.convert(_spelled_out(msgspec.json.decode(data)), AnalysisPlan)
    except msgspec.DecodeError as error:
        try:
            plan = msgspec.json.decode(data, type=Protocol).plan
        except msgspec.DecodeError:
            raise CommandError(f"{path.name} is not a protocol of an analysis: {error}.") from error
    if plan.hypothesis is Hypothesis.NON_INFERIORITY and not 0 < plan.margin < 1:
        raise CommandError(f"{path.name}: a non-inferiority margin lies above 0 and below 1.")
    if not 0 < plan.alpha < 0.5:
        raise CommandError(f"{path.name}: the significance level lies above 0 and below 0.5.")
    return plan


def _spelled_out(plan: object) -> object:
    """A protocol names the correction for several tests in a sentence; whoever writes a plan may say holm."""
    if isinstance(plan, dict) and str(plan.get("multiplicity", "")).upper() in Multiplicity.__members__:
        return plan | {"multiplicity": Multiplicity[str(plan["multiplicity"]).upper()].value}
    return plan
