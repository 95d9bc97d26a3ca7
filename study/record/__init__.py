"""The readings of a record: folded from its events, filtered, paired with the CNN's, exported."""

from study.record.agreement import BINARY, Agreement, AgreementSummary, Opinion, compare, opinions, same_hip, summarise
from study.record.export import CSV_COLUMNS, case_ids, export_csv, export_json, format_csv, score_table, write_text
from study.record.folding import Record, RecordedReading, Revision, fold, read_record, readings, select
from study.record.moved import file_sha256, find_moved, relink

__all__ = [
    "BINARY",
    "CSV_COLUMNS",
    "Agreement",
    "AgreementSummary",
    "Opinion",
    "Record",
    "RecordedReading",
    "Revision",
    "case_ids",
    "compare",
    "export_csv",
    "export_json",
    "file_sha256",
    "find_moved",
    "fold",
    "format_csv",
    "opinions",
    "read_record",
    "readings",
    "relink",
    "same_hip",
    "score_table",
    "select",
    "summarise",
    "write_text",
]
