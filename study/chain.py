"""The hash chain: what makes the record tamper-evident, as pure functions on events.

An event's hash is the SHA-256 of its fields and of the hash before it. Whoever changes, removes, inserts or moves an
event breaks the chain at that place; whoever cuts off its end is found by an exported head (`Head`).
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import StrEnum
from itertools import pairwise
from typing import Any

import msgspec

GENESIS = "0" * 64  # what the first event of a chain follows
ENCODING = 1  # of what is hashed; a change here is a change of every hash


class Event(msgspec.Struct, frozen=True):
    """One line of the record. `seq` counts from 1 within the chain of one device and one study."""

    device: str
    study: str  # "" outside a reader study
    seq: int
    utc: str  # ISO 8601 with microseconds and Z
    actor: str  # reader id, or "program"
    kind: str  # study.events.EventKind value
    payload: str  # canonical JSON
    previous: str
    hash: str


_TEXT_FIELDS = tuple(name for name in Event.__struct_fields__ if name != "seq")


class Head(msgspec.Struct, frozen=True):
    """The last event of a chain as it was when this was written: what a later, shorter chain is held against."""

    device: str
    study: str
    seq: int
    hash: str


class Damage(StrEnum):
    CHANGED = "changed"
    MISSING = "missing"
    INSERTED = "inserted"
    CUT_OFF = "cut_off"
    UNREADABLE = "unreadable"
    UNPROTECTED = "unprotected"


class Problem(msgspec.Struct, frozen=True):
    """One break in the record. `seq` is the place within its chain, 0 where the place is not an event."""

    damage: Damage
    device: str
    study: str
    seq: int
    sentence: str


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text.

    Takes msgspec Structs, mappings, sequences, and what JSON has. Raises ValueError for NaN, infinity and text that is
    not Unicode: nothing enters the record that another program could not read back.
    """
    try:
        text = json.dumps(
            msgspec.to_builtins(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        text.encode("utf-8")
    except (TypeError, ValueError) as error:  # UnicodeEncodeError is a ValueError
        raise ValueError(f"This cannot be written into the record: {error}") from error
    return text


def event_hash(device: str, study: str, seq: int, utc: str, actor: str, kind: str, payload: str, previous: str) -> str:
    """SHA-256 (hex) over the canonical encoding of everything that is shown of an event, and its predecessor."""
    fields = [ENCODING, device, study, seq, utc, actor, kind, payload, previous]
    # ASCII and `default`: a damaged row, with undecodable or untyped bytes, has a (different) hash and no exception.
    encoded = json.dumps(fields, separators=(",", ":"), ensure_ascii=True, default=repr)
    return hashlib.sha256(encoded.encode("ascii")).hexdigest()


def make_event(previous: Head, utc: str, actor: str, kind: str, payload: str) -> Event:
    """The event that follows `previous` in its chain."""
    seq = previous.seq + 1
    digest = event_hash(previous.device, previous.study, seq, utc, actor, kind, payload, previous.hash)
    return Event(previous.device, previous.study, seq, utc, actor, kind, payload, previous.hash, digest)


def empty_head(device: str, study: str) -> Head:
    return Head(device, study, 0, GENESIS)


def head_of(event: Event) -> Head:
    return Head(event.device, event.study, event.seq, event.hash)


def is_sound(event: Event) -> bool:
    """Whether the event says what was hashed when it was written."""
    # A damaged row can hold any type.
    if type(event.seq) is not int or any(type(getattr(event, name)) is not str for name in _TEXT_FIELDS):
        return False
    return event.hash == event_hash(
        event.device, event.study, event.seq, event.utc, event.actor, event.kind, event.payload, event.previous
    )


def check_chains(events: Iterable[Event], heads: Iterable[Head] = ()) -> tuple[list[Event], list[Problem]]:
    """Split stored events into those that are sound, in the order of their chains, and what is wrong with the rest.

    Only sound events may be shown. An event after a gap is still sound: it says what was written, and the gap is named.
    """
    chains: dict[tuple[str, str], list[Event]] = defaultdict(list)
    reach: dict[tuple[str, str], int] = defaultdict(int)  # the last place of each chain, its damaged events included
    problems: list[Problem] = []
    for event in events:
        if type(event.seq) is int:
            reach[event.device, event.study] = max(event.seq, reach[event.device, event.study])
        if is_sound(event):
            chains[event.device, event.study].append(event)
        else:
            problems.append(_changed(event))

    sound: list[Event] = []
    for (device, study), chain in sorted(chains.items()):
        chain.sort(key=lambda event: event.seq)
        held: list[Event] = []
        for event in chain:
            if held and held[-1].seq == event.seq:
                problems.append(
                    Problem(Damage.INSERTED, device, study, event.seq, f"There are two events {event.seq}.")
                )
            else:
                held.append(event)
        sound.extend(held)
        problems.extend(_breaks(device, study, held))
    problems.extend(_cut_off(chains, reach, heads))
    return sound, problems


def _changed(event: Event) -> Problem:
    return Problem(
        Damage.CHANGED,
        str(event.device),
        str(event.study),
        event.seq if type(event.seq) is int else 0,
        f"Event {event.seq} is not what was written: its hash does not fit its contents.",
    )


def _breaks(device: str, study: str, chain: list[Event]) -> list[Problem]:
    problems = []
    first = chain[0]
    if first.seq != 1:
        sentence = f"Events 1 to {first.seq - 1} are missing or damaged."
        problems.append(Problem(Damage.MISSING, device, study, 1, sentence))
    elif first.previous != GENESIS:
        problems.append(Problem(Damage.INSERTED, device, study, 1, "Event 1 is not the start of this record."))
    for before, after in pairwise(chain):
        if after.seq != before.seq + 1:
            gap = (
                f"Event {before.seq + 1} is missing or damaged."
                if after.seq == before.seq + 2
                else f"Events {before.seq + 1} to {after.seq - 1} are missing or damaged."
            )
            problems.append(Problem(Damage.MISSING, device, study, before.seq + 1, gap))
        elif after.previous != before.hash:
            sentence = f"Event {after.seq} does not follow event {before.seq}: one of them was put in later."
            problems.append(Problem(Damage.INSERTED, device, study, after.seq, sentence))
    return problems


def _cut_off(
    chains: Mapping[tuple[str, str], list[Event]], reach: Mapping[tuple[str, str], int], heads: Iterable[Head]
) -> list[Problem]:
    problems = []
    for head in heads:
        chain = chains.get((head.device, head.study), [])
        at_head = [event for event in chain if event.seq == head.seq]
        last = reach.get((head.device, head.study), 0)
        if any(event.hash == head.hash for event in at_head):
            continue
        if last < head.seq:
            sentence = f"The record ends at event {last}; it once reached event {head.seq}. Its end was cut off."
            problems.append(Problem(Damage.CUT_OFF, head.device, head.study, last + 1, sentence))
        elif at_head:
            sentence = f"Event {head.seq} is not the one that the exported head names: the record was rewritten."
            problems.append(Problem(Damage.INSERTED, head.device, head.study, head.seq, sentence))
        # Otherwise the event itself is damaged or missing within the chain, which is already reported.
    return problems
