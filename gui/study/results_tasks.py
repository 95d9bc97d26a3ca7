"""What the window hands to the process of the statistics: doors that import nothing until they are opened there."""

from __future__ import annotations

from pathlib import Path

from gui.study.results_data import Results
from study.result_parts import ResultsError


def needs_passphrase(path: Path) -> bool:
    from gui.study import results_load

    return results_load.needs_passphrase(path)


def load(path: Path, passphrase: str, app_version: str) -> Results:
    from gui.study import results_load
    from study.exchange import ExchangeError
    from study.statistics.roc import NotEstimableError

    try:
        return results_load.load(path, passphrase, app_version)
    except ExchangeError as error:
        raise ResultsError(error.sentence) from error
    except NotEstimableError as error:
        raise ResultsError(str(error)) from error


def note_image(study: Path, digests: tuple[str, ...], path: Path) -> str:
    from gui.study import results_load

    return results_load.note_image(study, digests, path)
