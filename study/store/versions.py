"""The version of a record, and what brings an older one up to date."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from study.store.errors import StoreError

if TYPE_CHECKING:
    import sqlalchemy as sa

SCHEMA = 1
# What brings a file from the version that is the key to the next one. Runs on a copy (SQLite) or in one transaction.
MIGRATIONS: dict[int, Callable[[sa.Connection], None]] = {}


def check_version(version: int | None) -> None:
    """Raise StoreError for what is no record, and for a record of a newer program."""
    if version is None:
        raise StoreError("This file is not a record of readings.")
    if version > SCHEMA:
        raise StoreError(
            f"This record was written by a newer Lucency (record version {version}; this program knows {SCHEMA}). "
            "Update the program to open it."
        )


def run_migrations(connection: sa.Connection, version: int) -> None:
    """Raises StoreError for a version that nothing leads away from."""
    from study import tables

    for step in range(version, SCHEMA):
        if step not in MIGRATIONS:
            raise StoreError(f"This record is of version {step}, which this program cannot bring up to date.")
        MIGRATIONS[step](connection)
    connection.execute(tables.meta_table.update().where(tables.meta_table.c.key == "schema").values(value=str(SCHEMA)))
