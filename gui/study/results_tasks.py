"""What the window hands to the process of the statistics: doors that import nothing until they are opened there."""

from __future__ import annotations

from pathlib import Path

from gui.study.results_data import Door, Results, ResultsRequest
from study.result_parts import ResultsError


def look(request: ResultsRequest) -> Door:
    from gui.study import results_load

    return results_load.look(request)


def load(request: ResultsRequest, data_folder: Path, app_version: str) -> Results:
    from gui.study import results_load
    from study.exchange import ExchangeError
    from study.statistics.roc import NotEstimableError

    try:
        return results_load.load(request, data_folder, app_version)
    except ExchangeError as error:
        raise ResultsError(error.sentence) from error
    except NotEstimableError as error:
        raise ResultsError(str(error)) from error


def note_image(request: ResultsRequest, data_folder: Path, digests: tuple[str, ...], path: Path) -> str:
    from gui.study import results_load

    return results_load.note_image(request, data_folder, digests, path)
