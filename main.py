"""Lucency: a reading assistant for total hip replacements. Arguments, logging, wiring.

    main.py [FILES…]                      open the window
    main.py --screenshot OUT.png [FILES…] save the window as a picture once the diagnosis is there
    main.py predict PATH…                 the CNN without a window
    main.py analyse FILE                  statistics of a reader study
    main.py verify RECORD                 is the record whole?
    main.py export RECORD OUT             scores as CSV, .imrmc or JSON

The top of this file imports next to nothing: worker processes run it too when they start.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import Future

    from imaging.sources import Source
    from imaging.worker import SupervisedWorker
    from study.report import Report

ROOT = Path(getattr(sys, "_MEIPASS", Path(__file__).resolve().parent))
COMMANDS = ("predict", "analyse", "verify", "export")
PICTURE_FILE = "lucency-window.png"


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] and given[0] in COMMANDS:
        return _run_command(given)
    return _run_window(_window_arguments(given))


def _window_arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="lucency",
        description="Open radiographs of total hip replacements beside a CNN's diagnosis. For research use only.",
        epilog="Commands, each with its own --help: predict (the CNN without a window), analyse (statistics of a "
        "reader study), verify (is a record whole?), export (scores out of a record).",
    )
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="radiographs, folders, ZIP archives; a reader package or the file of a reader study",
    )
    parser.add_argument("--sample", action="store_true", help="open the simulated samples that come with the program")
    parser.add_argument(
        "--screenshot", type=Path, metavar="OUT.png", help="wait for the diagnosis, save the window, exit"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="where settings, the record, drafts and logs live")
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    return parser.parse_args(given)


def _run_window(options: argparse.Namespace) -> int:
    if options.version:
        from gui.version import app_version

        print(f"Lucency {app_version(ROOT)}")
        return 0
    picture: Path | None = options.screenshot
    if picture is None and _has_no_display():
        picture = Path(PICTURE_FILE)
        print(f"There is no display: reading offscreen and saving the window as {picture}.")
    if picture is not None:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    # The decoder's process starts, and reads the first radiograph, while this one imports Qt.
    from imaging.worker import decode_worker

    decoder = decode_worker()
    decoder.warm_up()
    begun = _begin_reading(decoder, options)
    from gui.start import run

    return run(
        ROOT,
        list(options.files),
        sample=options.sample,
        picture=picture,
        data_folder=options.data,
        decoder=decoder,
        begun=begun,
    )


def _begin_reading(decoder: SupervisedWorker, options: argparse.Namespace) -> dict[Source, Future[Any]]:
    from gui.samples import find_samples
    from gui.study_files import study_action
    from imaging.reader import read_radiograph
    from imaging.sources import Source

    if options.sample:
        first = next((sample.path for sample in find_samples(ROOT / "resources" / "samples")), None)
    else:
        first = next((path for path in options.files[:1] if path.is_file() and not study_action(path)), None)
    return {} if first is None else {Source(first): decoder.submit(read_radiograph, Source(first), 0)}


def _has_no_display() -> bool:
    """On Linux without X or Wayland, and no other platform of Qt asked for."""
    return sys.platform.startswith("linux") and not any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    )


def _run_command(given: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="lucency")
    commands = parser.add_subparsers(dest="command", required=True)
    # Each command imports its own half of the program: statistics need no engine, the CNN no database.
    if given[0] == "predict":
        from inference import batch

        batch.add_arguments(commands.add_parser("predict", help="read radiographs with the CNN; JSON Lines out"))
        return batch.run(parser.parse_args(given), ROOT / "resources" / "models")
    from gui.version import app_version
    from study import commands as study_commands

    study_commands.add_parsers(commands)
    return study_commands.run(parser.parse_args(given), app_version(ROOT), _save_pdf)


def _save_pdf(report: Report, path: Path) -> int:
    """Only --pdf needs Qt. Raises ImportError, OSError."""
    from gui.study.report_command import save_pdf

    return save_pdf(report, path)


if __name__ == "__main__":
    multiprocessing.freeze_support()  # a frozen program's workers start here and never come back
    sys.exit(main())
