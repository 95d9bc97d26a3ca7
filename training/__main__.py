"""`python -m training COMMAND …`: simulate, prepare, fit, evaluate, bundle.

A command is a module with `add_parser(subparsers)`, which adds one parser named as here and sets its `run`: a function
from the parsed arguments to an exit status. Only the module of the command that is asked for is imported, so that
`simulate` does not wait for torch.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
from collections.abc import Sequence

COMMANDS: dict[str, str] = {
    "simulate": "training.simulation.command",
    "samples": "training.simulation.samples",
    "contact-sheets": "training.simulation.contact_sheets",
    "likeness": "training.simulation.likeness",
    "freeze": "training.simulation.evaluation_sets",
    "audit": "training.audit",
    "prepare": "training.prepare",
    "insert": "training.insertion.command",
    "evaluate-films": "training.insertion.evaluate",
    "average": "training.average",
    "assess-films": "training.insertion.pipeline",
    "fit": "training.fit",
    "gate": "training.gate",
    "calibrate": "training.calibrate",
    "bundle": "training.bundle",
    "evaluate": "training.evaluate",
    "pretrain": "training.pretrain",
    "weights": "training.weights",
    "example-study": "training.example_study",
    "cross-validate": "training.cross_validate",
    "benchmark": "training.benchmark",
}


def main(arguments: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="python -m training", description="How the CNN came to be.")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    asked = words[0] if words and words[0] in COMMANDS else None
    for name, module in COMMANDS.items():
        if (asked is None or name == asked) and importlib.util.find_spec(module) is not None:
            add_parser = getattr(importlib.import_module(module), "add_parser", None)
            if add_parser is not None:
                add_parser(subparsers)
    options = parser.parse_args(words)
    return int(options.run(options))


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(130) from None
