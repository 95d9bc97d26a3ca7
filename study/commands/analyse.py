"""`main.py analyse FILE`: what was registered first, then everything else that the data allow."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from study.commands.shared import EXIT_DONE, CommandError, add_study_arguments, complain, sha256, write

if TYPE_CHECKING:
    from study.report import Report

SILENT_S = 2.0
SavePdf = Callable[["Report", Path], int]


def add_analyse_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help=".imrmc, CSV, a record or a study (its file, or its postgresql:// URL)"
    )
    parser.add_argument(
        "--published",
        nargs=3,
        action="append",
        metavar=("NAME", "LOOSE", "NOT_LOOSE"),
        help="instead of a file, twice: who, and how many they called rightly, e.g. surgeon 9/17 22/23",
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="write all numbers as JSON")
    parser.add_argument("--html", type=Path, metavar="OUT", help="write the report as one HTML file")
    parser.add_argument("--pdf", type=Path, metavar="OUT", help="write the report on A4 pages")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="write each plot as an SVG file into this folder")
    parser.add_argument(
        "--lesions",
        type=Path,
        metavar="CSV",
        help="FILE holds marks with ratings; the lesions: case,truth,lesion,weight",
    )
    add_study_arguments(parser)
    parser.add_argument(
        "--head", type=Path, metavar="FILE", help="the exported end of the record, to find a cut-off tail"
    )
    parser.add_argument(
        "--margin", type=_margin, metavar="M", help="test non-inferiority with this margin, exploratory"
    )
    parser.add_argument("--algorithm", metavar="NAME", help="of scores: the reader that is a CNN")
    parser.add_argument(
        "--truth", type=Path, metavar="CSV", help="of a record: the reference standard, columns case,truth"
    )
    parser.add_argument(
        "--protocol", type=Path, metavar="JSON", help="of scores: the analysis that was fixed before the first reading"
    )
    parser.add_argument("--title", default="", help="of scores: title of the report")
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


def analyse(arguments: argparse.Namespace, app_version: str, save_pdf: SavePdf | None = None) -> int:
    if arguments.published:
        return _published(arguments)
    if not arguments.file:
        raise CommandError("Name the file that is to be analysed.")
    if arguments.lesions:
        return _free_response(arguments, app_version)
    from study import report
    from study.commands.inputs import Study, read_input, read_plan
    from study.plots import export_plots

    read = read_input(arguments, app_version)
    if isinstance(read, Study):
        given = [name for name in ("algorithm", "truth", "protocol", "title") if getattr(arguments, name)]
        if given:
            raise CommandError(f"A study's own protocol says what is analysed and how: leave out --{given[0]}.")
        made = report.report_of_study(
            read.results.scores, read.results.dossier, read.provenance, arguments.margin, _Progress()
        )
    else:
        table = replace(read.table, title=arguments.title or read.table.title or Path(arguments.file).name)
        plan = read_plan(arguments.protocol) if arguments.protocol else None
        algorithm = arguments.algorithm or read.algorithm
        made = report.report_of_table(table, read.provenance, algorithm, plan, arguments.margin, tell=_Progress())
    sys.stdout.write(report.summary(made))
    if arguments.json:
        write(arguments.json, report.to_json(made))
    if arguments.html:
        write(arguments.html, report.to_html(made))
    if arguments.pdf:
        _write_pdf(made, arguments.pdf, save_pdf)
    if arguments.plots:
        export_plots(made.analysis, arguments.plots, made.table, made.study.sham if made.study else None)
    return EXIT_DONE


class _Progress:
    """Says on stderr what is being computed, to whoever has waited for some seconds; short analyses stay silent."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def __call__(self, what: str) -> None:
        now = time.monotonic()
        if now - self._said >= SILENT_S:
            self._said = now
            complain(f"Computing: {what} …")


def _write_pdf(made: Report, path: Path, save_pdf: SavePdf | None) -> None:
    try:
        if save_pdf is None:
            raise ImportError("no writer")
        save_pdf(made, path)
    except ImportError as error:
        raise CommandError(
            f"A PDF needs Qt (PySide6), which cannot be loaded here ({error}). Everything is in the HTML too: --html."
        ) from error


def _free_response(arguments: argparse.Namespace, app_version: str) -> int:
    from study.free_response import read_free_response
    from study.report import Provenance
    from study.report.free_response import free_response_report

    if arguments.html or arguments.pdf or arguments.plots:
        raise CommandError("Marks with ratings are analysed as text and --json only.")
    marks = Path(arguments.file)
    study = read_free_response(marks, arguments.lesions)
    text, document = free_response_report(study, Provenance(marks.name, sha256(marks), app_version))
    sys.stdout.write(text)
    if arguments.json:
        write(arguments.json, document)
    return EXIT_DONE


def _published(arguments: argparse.Namespace) -> int:
    """Two readers' counts from a paper that prints no cross-table."""
    from study.report import published_table_json, published_table_report

    if arguments.file or len(arguments.published) != 2:
        raise CommandError("Give --published twice, once for each of the two, and no file.")
    (first, *its), (second, *theirs) = arguments.published
    counts = [(_count(one), _count(other)) for one, other in zip(its, theirs, strict=True)]
    if any(one[1] != other[1] for one, other in counts):
        raise CommandError("The two were not counted on equally many cases, so their calls cannot be paired.")
    loose, not_loose = ((one[0], other[0], one[1]) for one, other in counts)
    other = [name for name in ("html", "pdf", "plots") if getattr(arguments, name)]
    if other:
        raise CommandError(f"Published counts are given as text and --json only: leave out --{other[0]}.")
    sys.stdout.write(published_table_report((first, second), loose, not_loose))
    if arguments.json:
        write(arguments.json, published_table_json((first, second), loose, not_loose))
    return EXIT_DONE


def _count(text: str) -> tuple[int, int]:
    """ "16/17" as (16, 17). Raises CommandError."""
    right, _, cases = text.partition("/")
    if not (right.isdecimal() and cases.isdecimal() and 0 <= int(right) <= int(cases) and int(cases) > 0):
        raise CommandError(f"“{text}” is no count; write how many were right of how many cases, e.g. 16/17.")
    return int(right), int(cases)
