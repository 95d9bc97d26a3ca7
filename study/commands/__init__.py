"""`main.py analyse`, `verify` and `export`: reader studies without a window.

Errors are one sentence on stderr and exit code 2; `verify` exits with 1 where it finds a problem.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from study.commands.analyse import SavePdf, add_analyse_arguments, analyse
from study.commands.export import add_export_arguments, export
from study.commands.shared import EXIT_DONE, EXIT_PROBLEMS, EXIT_UNUSABLE, CommandError, in_a_sentence
from study.commands.verify import add_verify_arguments, verify

__all__ = ["EXIT_DONE", "EXIT_PROBLEMS", "EXIT_UNUSABLE", "CommandError", "SavePdf", "add_parsers", "run"]


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The subcommands of this module; `run` runs what was parsed."""
    add_analyse_arguments(
        commands.add_parser("analyse", help="accuracy and reader statistics of scores, a record or a study")
    )
    add_verify_arguments(commands.add_parser("verify", help="check that a record or a study was not changed"))
    add_export_arguments(commands.add_parser("export", help="readings or scores in another format"))


def run(arguments: argparse.Namespace, app_version: str = "", save_pdf: SavePdf | None = None) -> int:
    """Run the parsed command. No exception that a user could cause leaves it.

    save_pdf: writes a report as PDF, for `analyse --pdf`; it needs Qt, which nothing here imports.
    """
    commands: dict[str, Callable[[], int]] = {
        "analyse": lambda: analyse(arguments, app_version, save_pdf),
        "verify": lambda: verify(arguments),
        "export": lambda: export(arguments, app_version),
    }
    return in_a_sentence(commands[arguments.command])
