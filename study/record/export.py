"""Readings out of the program: CSV, JSON, and the table that statistics are computed from."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from study.cells import number_cell, safe_cell
from study.files import replace_file
from study.model import Call, CaseKey, ReadingMode
from study.record.agreement import same_hip
from study.record.folding import Record, RecordedReading
from study.store import StoreError

if TYPE_CHECKING:
    from study.scores import ScoreTable

CSV_COLUMNS = (
    *("reader", "mode", "case", "truth", "score", "patient", "side", "call", "seconds"),
    *("repeat", "reading_id", "reader_kind", "experience", "utc", "stem_call", "cup_call", "not_assessable_reason"),
    *("cnn_score_shown", "overlay_seconds", "findings", "annotations", "comment", "revises", "corrections"),
    *(
        "image_sha256",
        "frame",
        "box",
        "model_id",
        "model_sha256",
        "app_version",
        "device",
        "study",
        "seq",
        "side_source",
    ),
)


def case_ids(items: Iterable[RecordedReading]) -> dict[CaseKey, str]:
    """A short name for each hip, the same for all who read it: no patient data, stable within one record."""
    heads: dict[tuple[str, int], list[CaseKey]] = defaultdict(list)
    shortest: dict[str, set[str]] = defaultdict(set)
    names: dict[CaseKey, str] = {}
    for item in items:
        case = item.reading.case
        if case in names:
            continue
        image = (case.image_sha256, case.frame)
        hip = next((n for n, known in enumerate(heads[image]) if same_hip(known, case)), None)
        if hip is None:
            heads[image].append(case)
            hip = len(heads[image]) - 1
        short = case.image_sha256[:12]
        shortest[short].add(case.image_sha256)
        known = heads[image][hip]
        frame = f"-f{case.frame}" if case.frame else ""
        mark = known.side if known.side in ("R", "L") else f"h{hip + 1}"
        names[case] = f"{short}{frame}-{mark}"
    for case, name in names.items():
        if len(shortest[case.image_sha256[:12]]) > 1:  # two images whose hashes start alike
            names[case] = name.replace(case.image_sha256[:12], case.image_sha256, 1)
    return names


def _rows(items: list[RecordedReading]) -> Iterator[dict[str, Any]]:
    names = case_ids(items)
    times: dict[tuple[str, ReadingMode, str], int] = defaultdict(int)
    for item in items:
        reading = item.reading
        case = names[reading.case]
        times[reading.reader.id, reading.mode, case] += 1
        yield {
            "reader": reading.reader.id,
            "mode": reading.mode.value,
            "case": case,
            "truth": None,  # a record of readings knows none
            "score": reading.score,
            "patient": None,
            "side": reading.case.side,
            "call": reading.call.value if reading.call else "",
            "seconds": None if item.is_algorithm else reading.viewing.active_s,
            "repeat": times[reading.reader.id, reading.mode, case],
            "reading_id": reading.id,
            "reader_kind": reading.reader.kind.value,
            "experience": reading.reader.experience,
            "utc": item.utc,
            "stem_call": reading.stem_call.value if reading.stem_call else "",
            "cup_call": reading.cup_call.value if reading.cup_call else "",
            "not_assessable_reason": reading.not_assessable_reason,
            "cnn_score_shown": reading.cnn_score,
            "overlay_seconds": None if item.is_algorithm else reading.viewing.overlay_visible_s,
            "findings": msgspec.json.encode(reading.findings).decode() if reading.findings else "",
            "annotations": msgspec.json.encode(reading.annotations).decode() if reading.annotations else "",
            "comment": reading.comment,
            "revises": reading.revises,
            "corrections": len(item.corrections),
            "image_sha256": reading.case.image_sha256,
            "frame": reading.case.frame,
            "box": " ".join(number_cell(v) for v in reading.case.box),
            "model_id": reading.model_id,
            "model_sha256": reading.model_sha256,
            "app_version": reading.app_version,
            "device": item.device,
            "study": item.study,
            "seq": item.seq,
            "side_source": reading.side_source,
        }


def format_csv(items: Iterable[RecordedReading]) -> str:
    """The readings as CSV (columns `CSV_COLUMNS`), safe to open in a spreadsheet; study.exchange reads it back."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    for row in _rows(list(items)):
        writer.writerow(
            number_cell(v) if v is None or isinstance(v, (int, float)) else safe_cell(v)
            for v in (row[name] for name in CSV_COLUMNS)
        )
    return out.getvalue()


def export_csv(items: Iterable[RecordedReading], path: Path) -> None:
    """Write the readings as CSV. Raises StoreError.

    UTF-8 with a byte order mark: without it Excel takes the file for the system's old code page and garbles every
    name with an accent. Python reads it back with `utf-8-sig`.
    """
    write_text(path, "\ufeff" + format_csv(items))


def export_json(record: Record, path: Path, items: Iterable[RecordedReading] | None = None) -> None:
    """Write readings (all of the record, or `items`) with their corrections and the record's problems as JSON.

    Where images lie on this machine is left out: paths may hold names. Raises StoreError.
    """
    chosen = record.readings if items is None else list(items)
    names = case_ids(chosen)
    document = {
        "format": "lucency-readings",
        "version": 1,
        "exported_utc": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "readers": list({item.reading.reader.id: item.reading.reader for item in chosen}.values()),
        "readings": [
            {
                "case_id": names[item.reading.case],
                "utc": item.utc,
                "device": item.device,
                "study": item.study,
                "seq": item.seq,
                "reading": item.reading,
                "corrections": [
                    {"utc": c.utc, "actor": c.actor, "reason": c.reason, "old": c.old, "new": c.new}
                    for c in item.corrections
                ],
            }
            for item in chosen
        ],
        "problems": record.problems,
    }
    write_text(path, msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 so that the file is either the old or the new one. Raises StoreError."""
    try:
        replace_file(path, text.encode("utf-8"))
    except OSError as error:
        raise StoreError(f"{path.name} could not be written: {error.strerror}.", str(error)) from error


def score_table(items: Iterable[RecordedReading], truth: Mapping[str, int] | None = None) -> ScoreTable:
    """The readings as the table that statistics are computed from; `truth` by case id (`case_ids`), 1 = loose.

    Of several readings of one hip by one reader in one mode the first counts; a note says how many were left out.
    """
    from study.scores import ScoreTable

    binary = {Call.LOOSE.value: 1, Call.NOT_LOOSE.value: 0}
    rows = list(_rows(list(items)))
    first = [row for row in rows if row["repeat"] == 1]
    notes = (
        (f"{len(rows) - len(first)} repeated readings of the same case are left out; the first counts.",)
        if len(rows) > len(first)
        else ()
    )
    return ScoreTable.from_rows(
        ({**row, "truth": (truth or {}).get(row["case"]), "call": binary.get(row["call"])} for row in first),
        notes=notes,
    )
