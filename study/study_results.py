"""Open a closed study's results with the coordinator's passphrase, from its file or its server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from study.chain import Head
from study.coordinator import Coordinator
from study.dossier import Dossier, make_dossier
from study.events import STUDY_KINDS
from study.local import default_data_folder
from study.store import History, StudyStore, read_record
from study.study_scores import StudyScores, unsealed_scores
from study.study_state import CoordinatorError, fold_study, registered_studies


@dataclass(frozen=True)
class StudyResults:
    """All that a report is made of (`study.report.report_of_study`, `study.report.make_report`)."""

    scores: StudyScores
    dossier: Dossier


def chosen_study(history: History, wanted: str = "") -> str:
    """The id of the study that is meant; "" for a record without one.

    Raises CoordinatorError where it must be named, or where a study's registration cannot be read any more.
    """
    titles = registered_studies(history.events)
    if not titles and any(event.kind.startswith(STUDY_KINDS) for event in history.events):
        raise CoordinatorError("The registration of this study is damaged or missing; verify says where. Use a backup.")
    if wanted and wanted not in titles:
        raise CoordinatorError(f"No study {wanted} is registered here.")
    if len(titles) > 1 and not wanted:
        listed = "; ".join(f"{study} ({title})" for study, title in titles.items())
        raise CoordinatorError(f"Several studies are registered here; name one with --study: {listed}.")
    return wanted or next(iter(titles), "")


def is_closed(history: History, study: str) -> bool:
    """Whether the reading phase is over, so that the truth may be opened. Raises CoordinatorError."""
    return bool(fold_study(history.events, study).closed_utc)


def open_results(
    place: Path | str, passphrase: str, *, study: str = "", heads: list[Head] | None = None, app_version: str = ""
) -> StudyResults:
    """Waits for the disk and for argon2. An opened study is only read; the first opening becomes an event of its record.

    place: the file, or a postgresql:// URL. study: which, where there are several. heads: as exported, to find a tail that
    was cut off. Raises CoordinatorError, SealError, StoreError.
    """
    history = read_record(place, heads)
    chosen = chosen_study(history, study)
    if not chosen:
        raise CoordinatorError("No study is registered in this file.")
    if not is_closed(history, chosen):
        raise CoordinatorError("The truth stays sealed until the reading phase is closed.")
    if fold_study(history.events, chosen).unsealed_utc:
        scores = unsealed_scores(history.events, chosen, passphrase)
    else:
        local = default_data_folder() / "studies" / chosen if isinstance(place, str) else None
        with StudyStore(place, app_version, study=chosen, local_folder=local) as store:
            scores = Coordinator(store, app_version).unseal(passphrase)
        history = read_record(place, heads)
    return StudyResults(scores, make_dossier(history.events, chosen, history.problems))
