"""Who takes part in a study: accounts with a passphrase, two roles, and signatures with a meaning.

An account is a pair of Ed25519 keys; the private one is sealed under the passphrase. A signature therefore shows that
somebody who knew the passphrase signed exactly these words and this end of the record.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from study.chain import Head, canonical_json
from study.truth import KeyCost, Sealed, SealError, from_base64, seal_bytes, to_base64, unseal_bytes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class AccountError(ValueError):
    """`str(error)` is a sentence."""


class Role(StrEnum):
    COORDINATOR = "coordinator"
    READER = "reader"


class Meaning(StrEnum):
    """What a signature says."""

    REGISTERED = "I registered this protocol before the first reading."
    READ_ALONE = "I gave these readings myself, alone, and without knowing the truth."
    CLOSED = "The reading phase is closed; no reading is taken in after this."
    ACCOUNT_RESET = "I gave this person a new key after their passphrase was lost."
    ENTRY = "I made this entry as the coordinator."


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Without a name: `id` is a code such as R1. `sealed_key` opens with the passphrase of its owner only."""

    id: str
    role: Role
    study_id: str
    public_key: str  # base64
    sealed_key: Sealed
    experience: str = ""


class PublicAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What others may know of an account."""

    id: str
    role: Role
    public_key: str
    experience: str = ""


class Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is signed: who says what, of which protocol, at which end of which chain."""

    study_id: str
    protocol_sha256: str
    account_id: str
    meaning: Meaning
    head: Head  # of the signer's chain, just before the signature
    about: str = ""  # e.g. the public key of a new account


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    statement: Statement
    value: str  # base64


def create_account(
    account_id: str,
    role: Role,
    study_id: str,
    passphrase: str,
    *,
    experience: str = "",
    cost: KeyCost | None = None,
) -> Account:
    """With fresh keys. Raises AccountError for an unusable id or passphrase."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if not account_id.strip() or account_id != account_id.strip() or not account_id.isprintable():
        raise AccountError("Give the account a short code, such as R1.")
    key = Ed25519PrivateKey.generate()
    sealed = _seal_key(key.private_bytes_raw(), account_id, study_id, passphrase, cost)
    return Account(account_id, role, study_id, to_base64(key.public_key().public_bytes_raw()), sealed, experience)


def change_passphrase(account: Account, old: str, new: str, cost: KeyCost | None = None) -> Account:
    """The same keys under another passphrase. Raises AccountError."""
    if new == old:
        raise AccountError("The new passphrase is the old one.")
    key = _unlock(account, old)
    sealed = _seal_key(key.private_bytes_raw(), account.id, account.study_id, new, cost)
    return msgspec.structs.replace(account, sealed_key=sealed)


def check_passphrase(account: Account, passphrase: str) -> None:
    """Raise AccountError unless it is the account's."""
    _unlock(account, passphrase)


class Signer:
    """Somebody whose key is open, for as long as this object lives. The key is in memory only."""

    def __init__(self, account: Account, passphrase: str) -> None:
        """Raises AccountError where the passphrase is wrong."""
        self._account = account
        self._key = _unlock(account, passphrase)

    def sign(self, statement: Statement) -> Signature:
        """Raises AccountError where the statement is somebody else's."""
        if (statement.account_id, statement.study_id) != (self._account.id, self._account.study_id):
            raise AccountError("Nobody can sign for somebody else.")
        return Signature(statement, to_base64(self._key.sign(_text(statement))))


def sign(account: Account, passphrase: str, statement: Statement) -> Signature:
    """Raises AccountError where the passphrase is wrong or the statement is somebody else's."""
    return Signer(account, passphrase).sign(statement)


def is_signed_by(signature: Signature, account: PublicAccount | Account) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if signature.statement.account_id != account.id:
        return False
    try:
        key = Ed25519PublicKey.from_public_bytes(from_base64(account.public_key))
        key.verify(from_base64(signature.value), _text(signature.statement))
    except (InvalidSignature, ValueError):
        return False
    return True


def sign_bytes(account: Account, passphrase: str, data: bytes) -> str:
    """A signature over a file's bytes, base64. Raises AccountError."""
    return to_base64(_unlock(account, passphrase).sign(b"file\0" + data))


def bytes_signed_by(value: str, data: bytes, public_key: str) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(from_base64(public_key)).verify(from_base64(value), b"file\0" + data)
    except (InvalidSignature, ValueError):
        return False
    return True


def reset_account(account: Account, new_passphrase: str, cost: KeyCost | None = None) -> Account:
    """New keys for somebody who lost the passphrase; what the old key signed stays signed by the old key.

    The coordinator, who records and signs this, cannot sign as the reader that was: the old key stays sealed.
    """
    return create_account(
        account.id, account.role, account.study_id, new_passphrase, experience=account.experience, cost=cost
    )


def public(account: Account) -> PublicAccount:
    return PublicAccount(account.id, account.role, account.public_key, account.experience)


def _text(statement: Statement) -> bytes:
    return b"statement\0" + canonical_json(statement).encode("utf-8")


def _purpose(account_id: str, study_id: str) -> str:
    return f"account key {study_id} {account_id}"


def _seal_key(raw: bytes, account_id: str, study_id: str, passphrase: str, cost: KeyCost | None) -> Sealed:
    try:
        return seal_bytes(raw, passphrase, _purpose(account_id, study_id), cost)
    except SealError as error:
        raise AccountError(str(error)) from error


def _unlock(account: Account, passphrase: str) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        raw = unseal_bytes(account.sealed_key, passphrase, _purpose(account.id, account.study_id))
        key = Ed25519PrivateKey.from_private_bytes(raw)
    except (SealError, ValueError):
        raise AccountError(f"This is not the passphrase of {account.id}.") from None
    if to_base64(key.public_key().public_bytes_raw()) != account.public_key:
        raise AccountError(f"The account {account.id} is damaged: its two keys do not belong together.")
    return key
