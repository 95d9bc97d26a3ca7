"""What nobody may know while others read, the truth and the shams: sealed under a passphrase, and committed to.

Argon2id makes the key, AES-256-GCM seals. A commitment is the SHA-256 of the contents, which carry a random salt: it
tells nothing, and proves later that nothing was exchanged.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import unicodedata
from typing import TypeVar

import msgspec

from study.chain import canonical_json

T = TypeVar("T", bound=msgspec.Struct)

SHORTEST_PASSPHRASE = 8


class SealError(ValueError):
    """Something sealed could not be opened, or must not be. `str(error)` is a sentence."""


class KeyCost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much work a guess of the passphrase takes (argon2id). The default is RFC 9106's second recommendation."""

    passes: int = 3
    memory_kib: int = 65_536
    lanes: int = 4


class Sealed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ciphertext with all that is needed to open it but the passphrase. Bytes are base64."""

    purpose: str  # bound to the ciphertext: what is sealed for one place cannot be put in another
    cost: KeyCost
    salt: str
    nonce: str
    ciphertext: str


class TruthEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    case_id: str
    truth: int  # 1 = loose, 0 = not loose


class Truth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The reference standard of every counted case."""

    salt: str
    entries: tuple[TruthEntry, ...]

    @property
    def of_case(self) -> dict[str, int]:
        return {entry.case_id: entry.truth for entry in self.entries}


def make_truth(of_case: dict[str, int]) -> Truth:
    """With a fresh salt. Raises ValueError for a truth that is neither 0 nor 1."""
    if set(of_case.values()) - {0, 1}:
        raise ValueError("A truth is 1 for loose or 0 for not loose.")
    return Truth(secrets.token_hex(32), tuple(TruthEntry(name, truth) for name, truth in sorted(of_case.items())))


def commitment(contents: msgspec.Struct) -> str:
    """SHA-256 (hex) of the contents' canonical JSON. The contents must carry a random salt."""
    return hashlib.sha256(canonical_json(contents).encode("utf-8")).hexdigest()


def passphrase_problem(passphrase: str) -> str:
    """A sentence that says what is wrong with a new passphrase, or ""."""
    if len(passphrase) < SHORTEST_PASSPHRASE:
        return f"A passphrase needs at least {SHORTEST_PASSPHRASE} characters; three or four words are a good one."
    return ""


def seal(contents: msgspec.Struct, passphrase: str, purpose: str, cost: KeyCost | None = None) -> Sealed:
    """Raises SealError for a passphrase that is too short."""
    return seal_bytes(canonical_json(contents).encode("utf-8"), passphrase, purpose, cost)


def seal_bytes(data: bytes, passphrase: str, purpose: str, cost: KeyCost | None = None) -> Sealed:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    problem = passphrase_problem(passphrase)
    if problem:
        raise SealError(problem)
    cost = cost or KeyCost()
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    ciphertext = AESGCM(_key(passphrase, salt, cost)).encrypt(nonce, data, purpose.encode("utf-8"))
    return Sealed(purpose, cost, to_base64(salt), to_base64(nonce), to_base64(ciphertext))


def unseal(sealed: Sealed, passphrase: str, purpose: str, contents: type[T]) -> T:
    """Raises SealError where the passphrase is wrong or the sealed data were changed."""
    try:
        return msgspec.json.decode(unseal_bytes(sealed, passphrase, purpose), type=contents)
    except msgspec.DecodeError as error:
        raise SealError("What was sealed is of another version of this program.") from error


def unseal_bytes(sealed: Sealed, passphrase: str, purpose: str) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        key = _key(passphrase, from_base64(sealed.salt), sealed.cost)
        return AESGCM(key).decrypt(from_base64(sealed.nonce), from_base64(sealed.ciphertext), purpose.encode("utf-8"))
    except InvalidTag:
        # Which of the two it is cannot be told.
        raise SealError("The passphrase is not the right one, or what was sealed has been changed.") from None
    except ValueError as error:
        raise SealError("What was sealed is damaged and cannot be opened.") from error


def _key(passphrase: str, salt: bytes, cost: KeyCost) -> bytes:
    from argon2.exceptions import HashingError
    from argon2.low_level import Type, hash_secret_raw

    # The same passphrase, typed on another keyboard, may arrive in another normal form.
    secret = unicodedata.normalize("NFKC", passphrase).encode("utf-8", "surrogatepass")
    if cost.memory_kib > 1_048_576 or cost.passes > 64:  # a file must not make the program take all memory
        raise ValueError("cost out of range")
    try:
        return hash_secret_raw(secret, salt, cost.passes, cost.memory_kib, cost.lanes, hash_len=32, type=Type.ID)
    except HashingError as error:
        raise ValueError(str(error)) from error


def to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str) -> bytes:
    """Raises ValueError."""
    return base64.b64decode(text, validate=True)
