"""The record of readings: an append-only, hash-chained table of events, in a file or on a server.

`StudyStore` writes it, from a thread of its own; `read_record` and `verify_record` read one that somebody sent.
"""

from study.store.errors import StoreError
from study.store.heads import NotedEnd, read_end, read_heads, write_heads
from study.store.reading import History, read_record, verify_record
from study.store.writer import Location, StudyStore

__all__ = [
    "History",
    "Location",
    "NotedEnd",
    "StoreError",
    "StudyStore",
    "read_end",
    "read_heads",
    "read_record",
    "verify_record",
    "write_heads",
]
