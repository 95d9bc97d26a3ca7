"""Everything that the results view shows, computed in a process of its own. No Qt here.

The window's process never imports the statistics' libraries: it gets texts, SVG and plain records.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from gui.study.results_data import Answer, CaseResult, Door, Results, ResultsRequest
from gui.study.study_place import local_folder, open_store, shown
from imaging.sources import Source
from study.plots import DARK, LIGHT, all_plots, cast
from study.record import file_sha256, find_moved
from study.report import Provenance, Report, conclusion, report_of_study, report_of_table, to_html, to_json
from study.result_parts import ResultsError
from study.result_tables import result_tables
from study.session import AIDED, UNAIDED

SIMULATED = "SIMULATED"
_SQLITE = b"SQLite format 3\0"
_SEARCH_S, _MOST_FILES = 10.0, 3000


def look(request: ResultsRequest) -> Door:
    """What opens these results. Raises ResultsError while readers still read, StoreError, CoordinatorError, OSError."""
    place = request.place
    if isinstance(place, Path):
        with place.open("rb") as file:
            if file.read(len(_SQLITE)) != _SQLITE:
                return Door()
    from study.store import read_record
    from study.study_results import chosen_study, is_closed
    from study.study_state import registered_studies

    history = read_record(place)
    titles = registered_studies(history.events)
    if len(titles) > 1 and not request.study:
        return Door(sealed=True, studies=titles)
    study = chosen_study(history, request.study)
    if not study:
        raise ResultsError(
            f"{shown(place)} is a record of single readings, which holds no truth. Export it, add the truth, and open the CSV."
        )
    if not is_closed(history, study):
        raise ResultsError(
            "Reading still goes on in this study, so its truth stays sealed: there are no results yet. "
            "They can be opened once the coordinator has closed the reading phase."
        )
    return Door(sealed=True)


def load(request: ResultsRequest, data_folder: Path, app_version: str) -> Results:
    """Raises ResultsError, NotEstimableError, ExchangeError, StoreError, CoordinatorError, SealError, OSError.

    data_folder: the user's; where the images of a study on a server lie is noted there.
    """
    place = request.place
    if isinstance(place, Path) and not look(request).sealed:
        from study.exchange import read_scores

        table = read_scores(place)
        table = replace(table, title=table.title or place.name)
        report = report_of_table(table, Provenance(place.name, file_sha256(place), app_version))
        simulated = "simulated" in " ".join((table.title, *table.notes)).lower()
        return _results(report, SIMULATED if simulated else "", _cases_of_table(report), has_images=False)
    from study.study_results import open_results

    opened = open_results(place, request.passphrase, study=request.study, app_version=app_version)
    digest = file_sha256(place) if isinstance(place, Path) else ""
    report = report_of_study(opened.scores, opened.dossier, Provenance(shown(place), digest, app_version))
    return _results(report, report.notice, _cases_of_study(request, data_folder, report), has_images=True)


def _results(report: Report, notice: str, cases: tuple[CaseResult, ...], *, has_images: bool) -> Results:
    sham = report.study.sham if report.study is not None else None
    who = cast(report.analysis)
    return Results(
        report.analysis.title or report.provenance.file,
        notice,
        conclusion(report),
        report.cautions,
        {
            name: tuple(all_plots(report.analysis, report.table, sham, look))
            for name, look in (("light", LIGHT), ("dark", DARK))
        },
        tuple(result_tables(report)),
        to_html(report if report.notice else replace(report, notice=notice)),
        to_json(report),
        who.people,
        who.algorithm or "",
        who.modes,
        cases,
        has_images,
        report.hashes,
    )


# --- the cases


def _cases_of_table(report: Report) -> tuple[CaseResult, ...]:
    table, algorithm = report.table, report.analysis.algorithm
    answers: dict[str, list[Answer]] = {case: [] for case in table.cases}
    own: dict[str, Answer] = {}
    for n, case in enumerate(table.case):
        call = None if table.call is None or table.call[n] < 0 else int(table.call[n])
        score = float(table.score[n])
        answer = Answer(table.reader[n], table.mode[n], call, score if score == score else None)
        if table.reader[n] == algorithm:
            own.setdefault(case, answer)
        else:
            answers[case].append(answer)
    side = dict(zip(table.case, table.side, strict=True)) if table.side is not None else {}
    truth = table.case_truth
    return tuple(
        CaseResult(case, truth[case], side.get(case, ""), tuple(given), own.get(case))
        for case, given in answers.items()
    )


def _cases_of_study(request: ResultsRequest, data_folder: Path, report: Report) -> tuple[CaseResult, ...]:
    """With marks and maps, which the table of scores does not hold."""
    from study.store import read_record
    from study.study_results import chosen_study
    from study.study_scores import open_aids, open_truth
    from study.study_state import fold_study, replay

    history = read_record(request.place)
    state = fold_study(history.events, chosen_study(history, request.study))
    truth = open_truth(state.registered, request.passphrase).of_case
    aids = open_aids(state.registered, request.passphrase)
    answers: dict[str, list[Answer]] = {}
    images: dict[str, dict[tuple[str, int], None]] = {
        case.id: {(case.image_sha256, case.frame): None} for case in state.registered.cases
    }
    order = {UNAIDED: 0, AIDED: 1}
    for reader, session in replay(state, history.events, aids).items():
        spoilt = {violation.slot for violation in session.violations}
        for item in session.given():
            if item.slot.index in spoilt or item.slot.occasion > 1:
                continue
            name, reading = item.slot.case_id, item.reading
            call = {"loose": 1, "not_loose": 0}.get(reading.call.value) if reading.call else None
            comment = reading.comment or reading.not_assessable_reason
            answers.setdefault(name, []).append(
                Answer(reader, item.mode, call, reading.score, comment, reading.annotations)
            )
            images[name][session.plan.case(name).image_sha256, 0] = None
    named = replace(request, study=state.protocol.study_id)
    places = find_images(named, data_folder, {digest for held in images.values() for digest, _ in held})
    out = []
    for case in state.registered.cases:
        if case.practice:
            continue
        aid = aids.own(case.id)
        own = None
        if aid is not None:
            call = {"loose": 1, "not_loose": 0}.get(aid.decision)
            own = Answer(aid.model_id, UNAIDED, call, aid.score, aid.reason)
        given = sorted(answers.get(case.id, []), key=lambda a: (order.get(a.mode, 2), a.reader))
        found = next((key for key in images[case.id] if key[0] in places), None)
        out.append(
            CaseResult(
                case.id,
                truth[case.id],
                case.side,
                tuple(given),
                own,
                case.id in aids.shams,
                aid,
                tuple(images[case.id]),
                places[found[0]] if found else None,
                found[1] if found else 0,
            )
        )
    return tuple(out)


# --- where images lie


def find_images(request: ResultsRequest, data_folder: Path, wanted: set[str]) -> dict[str, Source]:
    """By SHA-256: where the one who asks knows them, or this machine noted them, else beside a study's file.

    Nothing is written.
    """
    found = {digest: source for digest, source in request.images.items() if digest in wanted and source.path.is_file()}
    found |= _noted(request, data_folder, wanted - set(found))
    until = time.monotonic() + _SEARCH_S
    beside = _beside(request.place) if isinstance(request.place, Path) else []
    moved = find_moved(beside[:_MOST_FILES], wanted - set(found), lambda _looked_at: time.monotonic() <= until)
    found |= {digest: Source(path) for digest, path in moved.items()}
    return found


def _beside(study: Path) -> list[Path]:
    try:
        top = sorted(study.parent.iterdir())
        inner = [path for folder in top if folder.is_dir() for path in sorted(folder.iterdir())]
    except OSError:
        return []
    return [path for path in (*inner, *top) if path.is_file() and path.suffix.lower() not in (".sqlite", study.suffix)]


def _noted(request: ResultsRequest, data_folder: Path, wanted: set[str]) -> dict[str, Source]:
    """What the wizard noted. Another window of this program may hold the notes: then they are not to be had."""
    from study.store import StoreError

    place = request.place
    if isinstance(place, Path):
        has_notes = place.with_name(f"{place.stem}.local.sqlite").is_file()
    else:
        folder = local_folder(place, request.study, data_folder)
        has_notes = folder is not None and folder.is_dir()
    if not has_notes or not wanted:
        return {}
    found = {}
    store = open_store(place, request.study, data_folder, "", backups=0)
    try:
        for digest in wanted:
            noted = store.location(digest)
            if noted is not None and Path(noted.path).is_file():
                found[digest] = Source(Path(noted.path), noted.member)
    except StoreError:
        return found
    finally:
        store.close()
    return found


def note_image(request: ResultsRequest, data_folder: Path, digests: tuple[str, ...], path: Path) -> str:
    """Where an image lies now, if it is one of these. Returns its SHA-256. Raises ResultsError, OSError."""
    from study.store import StoreError

    digest = file_sha256(path)
    if digest not in digests:
        raise ResultsError("That is another image than the one that was read. Choose the original file.")
    store = open_store(request.place, request.study, data_folder, "", backups=0)
    try:
        store.note_location(digest, path).result()
    except StoreError:
        pass  # another window holds the notes; this one knows the place for as long as it is open
    finally:
        store.close()
    return digest
