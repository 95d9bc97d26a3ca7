"""Scores in and out: `.imrmc` (the FDA's iMRMC) and CSV. Ids are text and survive; errors name the row and the cure."""

from study.exchange.csv_scores import format_csv, parse_csv
from study.exchange.files import read_scores, write_scores
from study.exchange.imrmc import format_imrmc, parse_imrmc
from study.exchange.problems import ExchangeError, RowProblem

__all__ = [
    "ExchangeError",
    "RowProblem",
    "format_csv",
    "format_imrmc",
    "parse_csv",
    "parse_imrmc",
    "read_scores",
    "write_scores",
]
