"""Other machines' chains, taken in as they are or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from study.chain import Event, check_chains, head_of
from study.store.errors import StoreError

if TYPE_CHECKING:
    import sqlalchemy as sa


def sound_events(events: list[Event]) -> list[Event]:
    """The events in the order of their chains. Raises StoreError where they are not what was written."""
    sound, problems = check_chains(events)
    if problems or len(sound) != len(events):
        what = problems[0].sentence if problems else "An event is there twice."
        raise StoreError(f"What came back is not what was written, and was not taken in. {what}")
    return sound


def take_in(connection: sa.Connection, events: list[Event], own_device: str) -> list[Event]:
    """Add what is new, within the caller's transaction. Raises StoreError, which must undo it."""
    from study import tables

    new = []
    for event in events:
        held = tables.hash_at(connection, head_of(event))
        if held is None:
            new.append(event)
        elif held != event.hash:
            raise StoreError(
                f"Event {event.seq} differs from the one that was taken in before: "
                "there are two versions of this chain. Nothing was taken in."
            )
    for device, study in dict.fromkeys((event.device, event.study) for event in new):
        first = next(event for event in new if (event.device, event.study) == (device, study))
        head = tables.chain_head(connection, device, study)
        if first.seq != head.seq + 1 or first.previous != head.hash:
            raise StoreError("What came back does not continue what is here. Nothing was taken in.")
        if device == own_device:
            raise StoreError(
                "What came back claims to be from this machine, and goes beyond what is recorded here. "
                "Nothing was taken in."
            )
    if new:
        tables.insert(connection, new)
    return new
