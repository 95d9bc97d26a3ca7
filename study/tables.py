"""The database behind the record: one append-only table, the same on SQLite and PostgreSQL.

Importing this imports SQLAlchemy; study.store does so in its writer thread only.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from study.chain import Event, Head, empty_head
from study.store.errors import StoreError

metadata = sa.MetaData()

event_table = sa.Table(
    "event",
    metadata,
    # The order of arrival on this machine. Not hashed and never shown: order within a chain is `seq`.
    sa.Column("arrival", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
    sa.Column("device", sa.Text, nullable=False),
    sa.Column("study", sa.Text, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("utc", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("previous", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.UniqueConstraint("device", "study", "seq", name="event_place"),
)

meta_table = sa.Table(
    "lucency_meta",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

EVENT_COLUMNS = [event_table.c[name] for name in Event.__struct_fields__]

TRIGGERS = ("event_no_update", "event_no_delete")
_REFUSAL = "events are never changed or removed"


@sa.event.listens_for(event_table, "after_create")
def _refuse_changes(_table: sa.Table, connection: sa.Connection, **_: Any) -> None:
    if connection.dialect.name == "sqlite":
        for name, verb in zip(TRIGGERS, ("UPDATE", "DELETE"), strict=True):
            connection.exec_driver_sql(
                f"CREATE TRIGGER {name} BEFORE {verb} ON event BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
            )
        return
    connection.exec_driver_sql(
        "CREATE OR REPLACE FUNCTION event_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"
    )
    for name, verb in zip((*TRIGGERS, "event_no_truncate"), ("UPDATE", "DELETE", "TRUNCATE"), strict=True):
        connection.exec_driver_sql(
            f"CREATE TRIGGER {name} BEFORE {verb} ON event FOR EACH STATEMENT EXECUTE FUNCTION event_refuse()"
        )


def sqlite_engine(path: Path, *, read_only: bool = False) -> sa.Engine:
    """An engine with one connection to the file, at the durability that lost nothing in simulated power cuts."""

    def connect() -> sqlite3.Connection:
        # as_uri() escapes what a URI must not hold. Missing files are made by the caller, never by a read.
        mode = "mode=ro" if read_only else "mode=rwc"
        # isolation_level=None: Python begins no transactions of its own. It would begin none before CREATE TABLE, and
        # a program killed between two of them would leave half a record.
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=5, isolation_level=None, check_same_thread=False
        )
        # A flipped bit may leave text that is not UTF-8: it must reach the hash check, which names the place.
        connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
        if not read_only:
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.execute("PRAGMA synchronous=EXTRA")
        connection.execute("PRAGMA cell_size_check=ON")
        connection.execute("PRAGMA trusted_schema=OFF")
        return connection

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=StaticPool)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def server_engine(url: str) -> sa.Engine:
    """An engine for a database server. Only PostgreSQL is supported. Raises StoreError."""
    wanted = "A shared record needs a PostgreSQL server: postgresql://user@host/database."
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise StoreError(f"This address cannot be understood. {wanted}", str(error)) from error
    if parsed.get_backend_name() != "postgresql":
        raise StoreError(wanted)
    return sa.create_engine(parsed.set(drivername="postgresql+psycopg"), pool_size=1, max_overflow=0)


def answers(connection: sa.Connection) -> bool:
    """Whether the server is still at the other end."""
    try:
        with connection.begin():
            connection.execute(sa.text("SELECT 1"))
    except sa.exc.DBAPIError:
        return False
    return True


def is_empty(connection: sa.Connection) -> bool:
    """Whether neither of the record's tables, nor (in a file) anybody else's, is there."""
    names = sa.inspect(connection).get_table_names()
    if connection.dialect.name == "sqlite":
        return not names
    return "event" not in names and "lucency_meta" not in names


def lock_schema(connection: sa.Connection) -> None:
    """Let one workstation at a time look whether the tables are there and make them, until its transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('lucency'))"))


def create(connection: sa.Connection, schema: int) -> None:
    metadata.create_all(connection)
    connection.execute(meta_table.insert().values(key="schema", value=str(schema)))


def schema_version(connection: sa.Connection) -> int | None:
    """The schema of the file, or None where this is no record at all."""
    if not {"event", "lucency_meta"} <= set(sa.inspect(connection).get_table_names()):
        return None
    text = connection.scalar(sa.select(meta_table.c.value).where(meta_table.c.key == "schema"))
    return int(text) if text is not None and str(text).isdigit() else None


def has_triggers(connection: sa.Connection) -> bool:
    if connection.dialect.name == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'event'"
    else:
        query = "SELECT tgname FROM pg_trigger WHERE tgrelid = 'event'::regclass AND tgenabled <> 'D'"
    return set(TRIGGERS) <= {str(row[0]) for row in connection.execute(sa.text(query))}


def insert(connection: sa.Connection, events: list[Event]) -> None:
    rows: list[dict[str, Any]] = [{name: getattr(e, name) for name in Event.__struct_fields__} for e in events]
    connection.execute(event_table.insert(), rows)


def chain_head(connection: sa.Connection, device: str, study: str) -> Head:
    query = (
        sa.select(event_table.c.seq, event_table.c.hash)
        .where(event_table.c.device == device, event_table.c.study == study)
        .order_by(event_table.c.seq.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    return Head(device, study, row.seq, row.hash) if row else empty_head(device, study)


def hash_at(connection: sa.Connection, head: Head) -> str | None:
    """The stored hash at the head's place, or None where there is no such event."""
    query = sa.select(event_table.c.hash).where(
        event_table.c.device == head.device, event_table.c.study == head.study, event_table.c.seq == head.seq
    )
    found: str | None = connection.scalar(query)
    return found


def all_heads(connection: sa.Connection) -> list[Head]:
    query = sa.select(event_table.c.device, event_table.c.study).distinct()
    return [chain_head(connection, device, study) for device, study in connection.execute(query).all()]
