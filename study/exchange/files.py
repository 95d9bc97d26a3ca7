"""Files of scores, told apart by what they hold."""

from __future__ import annotations

import re
from pathlib import Path

from study.exchange.csv_scores import format_csv, parse_csv
from study.exchange.imrmc import format_imrmc, parse_imrmc
from study.exchange.problems import ExchangeError, RowProblem
from study.files import replace_file
from study.scores import ScoreTable


def read_scores(path: Path, *, ignore_header: bool = False) -> ScoreTable:
    """Read `.imrmc` or CSV, told apart by what they hold. Raises ExchangeError.

    ignore_header: take the rows of an `.imrmc` file even where its description contradicts itself.
    """
    text, notes = _read_text(path)
    looks_like_imrmc = path.suffix.lower() == ".imrmc" or re.search(r"^\s*BEGIN\s+DATA", text, re.M | re.I)
    if looks_like_imrmc:
        return parse_imrmc(text, path.name, notes, ignore_header=ignore_header)
    return parse_csv(text, path.name, notes)


def write_scores(table: ScoreTable, path: Path) -> None:
    """Write as the suffix says (`.imrmc`, else CSV). Raises ExchangeError, OSError."""
    if path.suffix.lower() == ".imrmc":
        replace_file(path, format_imrmc(table).encode("utf-8"))
    else:
        # The byte order mark is for Excel, as in study.record.export_csv.
        replace_file(path, format_csv(table).encode("utf-8-sig"))


def _read_text(path: Path) -> tuple[str, tuple[str, ...]]:
    try:
        data = path.read_bytes()
    except IsADirectoryError as error:
        problem = RowProblem(0, "it is a folder.", "Name the file of scores that is in it.")
        raise ExchangeError(path.resolve().name, [problem]) from error
    except FileNotFoundError as error:
        raise ExchangeError(path.name, [RowProblem(0, "there is no such file.", "Check its name.")]) from error
    except OSError as error:
        problem = RowProblem(0, "it cannot be read.", "Check that it is there and that you may open it.")
        raise ExchangeError(path.name, [problem]) from error
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return data.decode("utf-16"), ()
        except UnicodeDecodeError:
            pass  # reported below: such data hold zero bytes
    if b"\0" in data:
        raise ExchangeError(path.name, [RowProblem(0, "it is not a text file.", "Export the scores as CSV or .imrmc.")])
    try:
        return data.decode("utf-8-sig"), ()
    except UnicodeDecodeError:
        note = "The file is not UTF-8; it was read as Windows-1252. Check names with accents."
        return data.decode("cp1252", "replace"), (note,)
