"""What happens in a reader study: the kinds of event and what each carries, beside those of study.events.

They belong to chains of the study (`Event.study` is its id). Payloads hold no patient data.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Any

import msgspec

from study.accounts import Account, PublicAccount, Signature
from study.cases import StudyCase
from study.chain import Event, canonical_json
from study.design import Plan
from study.model import Reading
from study.protocol import Protocol
from study.truth import Sealed


class StudyEventKind(StrEnum):
    # on the coordinator's machine
    REGISTERED = "study.registered"
    DEVIATION = "study.deviation"
    ENROLLED = "study.enrolled"
    ACCOUNT_RESET = "study.account_reset"
    PACKAGED = "study.packaged"
    TAKEN_IN = "study.taken_in"
    CLOSED = "study.closed"
    UNSEALED = "study.unsealed"
    # on a reader's
    STARTED = "study.started"
    ANSWERED = "study.answered"
    REVEALED = "study.revealed"
    CORRECTED = "study.corrected"
    PAUSED = "study.paused"
    RESUMED = "study.resumed"
    SIGNED = "study.signed"
    PASSPHRASE_CHANGED = "study.passphrase_changed"


class Registered(msgspec.Struct, frozen=True):
    """The study is fixed from here on."""

    protocol: Protocol
    protocol_sha256: str
    cases: tuple[StudyCase, ...]
    blocks: tuple[tuple[str, ...], ...]  # of a split-plot study, else empty
    coordinator: Account
    truth: Sealed
    aids: Sealed | None
    signature: Signature


class Deviation(msgspec.Struct, frozen=True):
    """Something was done otherwise than the protocol says."""

    what: str
    reason: str
    signature: Signature | None = None  # see `entry_sha256`


class Enrolled(msgspec.Struct, frozen=True):
    number: int  # from 0: which order the reader gets
    account: Account
    signature: Signature | None = None  # see `entry_sha256`


class AccountReset(msgspec.Struct, frozen=True):
    account: Account
    reason: str
    signature: Signature


class Packaged(msgspec.Struct, frozen=True):
    """A reader package was written."""

    reader_id: str
    manifest_sha256: str
    plan: Plan
    burned_in_checked: bool  # somebody looked at every image for names in the picture itself
    signature: Signature | None = None  # see `entry_sha256`


class TakenIn(msgspec.Struct, frozen=True):
    """A reader's chain was merged."""

    reader_id: str
    device: str
    seq: int  # of its last event
    hash: str
    added: int
    signature: Signature | None = None  # see `entry_sha256`


class Closed(msgspec.Struct, frozen=True):
    signature: Signature


class Unsealed(msgspec.Struct, frozen=True):
    """The truth was opened, and fits the commitment."""

    truth_commitment: str
    signature: Signature | None = None  # see `entry_sha256`


class Started(msgspec.Struct, frozen=True):
    """The reader opened the package on this machine."""

    reader_id: str
    manifest_sha256: str
    protocol_sha256: str
    app_version: str = ""


class Answered(msgspec.Struct, frozen=True):
    """One answer, locked."""

    slot: int
    reading: Reading


class Revealed(msgspec.Struct, frozen=True):
    """The CNN's output appeared; which one, its commitment says."""

    slot: int
    case_id: str
    aid_sha256: str


class Corrected(msgspec.Struct, frozen=True):
    slot: int
    old: Reading
    new: Reading
    reason: str


class Paused(msgspec.Struct, frozen=True):
    reader_id: str


class Resumed(msgspec.Struct, frozen=True):
    reader_id: str


class Signed(msgspec.Struct, frozen=True):
    """The reader has finished."""

    signature: Signature
    account: PublicAccount
    answers: int


class PassphraseChanged(msgspec.Struct, frozen=True):
    """The reader's key lies under another passphrase from here on; it is the same key."""

    account: Account


StudyPayload = (
    Registered
    | Deviation
    | Enrolled
    | AccountReset
    | Packaged
    | TakenIn
    | Closed
    | Unsealed
    | Started
    | Answered
    | Revealed
    | Corrected
    | Paused
    | Resumed
    | Signed
    | PassphraseChanged
)

STUDY_PAYLOADS: dict[str, type[StudyPayload]] = {
    StudyEventKind.REGISTERED: Registered,
    StudyEventKind.DEVIATION: Deviation,
    StudyEventKind.ENROLLED: Enrolled,
    StudyEventKind.ACCOUNT_RESET: AccountReset,
    StudyEventKind.PACKAGED: Packaged,
    StudyEventKind.TAKEN_IN: TakenIn,
    StudyEventKind.CLOSED: Closed,
    StudyEventKind.UNSEALED: Unsealed,
    StudyEventKind.STARTED: Started,
    StudyEventKind.ANSWERED: Answered,
    StudyEventKind.REVEALED: Revealed,
    StudyEventKind.CORRECTED: Corrected,
    StudyEventKind.PAUSED: Paused,
    StudyEventKind.RESUMED: Resumed,
    StudyEventKind.SIGNED: Signed,
    StudyEventKind.PASSPHRASE_CHANGED: PassphraseChanged,
}

KIND_OF: dict[type[StudyPayload], str] = {payload: kind for kind, payload in STUDY_PAYLOADS.items()}


def decode_study(event: Event) -> StudyPayload | None:
    """The event's payload; None for a kind that is not a study's. Raises msgspec.DecodeError for a damaged one."""
    payload_type = STUDY_PAYLOADS.get(event.kind)
    return None if payload_type is None else msgspec.json.decode(event.payload, type=payload_type)


Entry = Deviation | Enrolled | Packaged | TakenIn | Unsealed  # the coordinator's, each with a signature of its own


def entry_sha256(payload: str) -> str:
    """SHA-256 (hex) of an entry's canonical JSON without its signature: what the signature is about."""
    fields = msgspec.json.decode(payload, type=dict[str, Any])
    fields.pop("signature", None)
    return hashlib.sha256(canonical_json(fields).encode("utf-8")).hexdigest()
