"""Accounts: passphrases, signatures, what a reset can and cannot do."""

from __future__ import annotations

import msgspec
import pytest

from study.accounts import (
    AccountError,
    Meaning,
    Role,
    Statement,
    bytes_signed_by,
    change_passphrase,
    check_passphrase,
    create_account,
    is_signed_by,
    public,
    reset_account,
    sign,
    sign_bytes,
)
from study.chain import Head
from tests.unit.study.study_maker import CHEAP, PASSPHRASE, STUDY

HEAD = Head("d", STUDY, 3, "f" * 64)


def account(name="R1", passphrase=PASSPHRASE):
    return create_account(name, Role.READER, STUDY, passphrase, cost=CHEAP)


def statement(name="R1", **changes):
    return msgspec.structs.replace(Statement(STUDY, "p" * 64, name, Meaning.READ_ALONE, HEAD), **changes)


def test_a_signature_holds_for_its_words_and_its_signer():
    reader = account()
    signature = sign(reader, PASSPHRASE, statement())
    assert is_signed_by(signature, public(reader))
    assert not is_signed_by(signature, public(account()))
    for changed in (statement(protocol_sha256="q" * 64), statement(head=Head("d", STUDY, 4, "f" * 64))):
        assert not is_signed_by(msgspec.structs.replace(signature, statement=changed), reader)
    assert not is_signed_by(msgspec.structs.replace(signature, value="AA=="), reader)


def test_only_the_passphrase_signs():
    reader = account()
    with pytest.raises(AccountError, match="not the passphrase of R1"):
        sign(reader, "another passphrase", statement())
    with pytest.raises(AccountError, match="somebody else"):
        sign(reader, PASSPHRASE, statement("R2"))


def test_a_key_cannot_be_moved_to_another_account():
    one, two = account(), account("R2")
    with pytest.raises(AccountError):
        check_passphrase(msgspec.structs.replace(one, sealed_key=two.sealed_key), PASSPHRASE)
    with pytest.raises(AccountError, match="damaged"):
        check_passphrase(msgspec.structs.replace(one, public_key=two.public_key), PASSPHRASE)


def test_a_changed_passphrase_keeps_the_key():
    reader = account()
    changed = change_passphrase(reader, PASSPHRASE, "another passphrase", CHEAP)
    assert changed.public_key == reader.public_key
    assert is_signed_by(sign(changed, "another passphrase", statement()), reader)
    with pytest.raises(AccountError):
        check_passphrase(changed, PASSPHRASE)
    with pytest.raises(AccountError, match="not the passphrase"):
        change_passphrase(reader, "wrong wrong", "another passphrase", CHEAP)
    with pytest.raises(AccountError, match="is the old one"):
        change_passphrase(reader, PASSPHRASE, PASSPHRASE, CHEAP)


def test_a_reset_gives_a_new_key_and_cannot_sign_as_the_old():
    reader = account()
    before = sign(reader, PASSPHRASE, statement())
    renewed = reset_account(reader, "a new passphrase", CHEAP)
    assert renewed.id == reader.id
    assert is_signed_by(before, reader)
    assert not is_signed_by(sign(renewed, "a new passphrase", statement()), reader)


@pytest.mark.parametrize(
    ("name", "passphrase"), [("", PASSPHRASE), (" R1", PASSPHRASE), ("R\n1", PASSPHRASE), ("R1", "x")]
)
def test_unusable_accounts_are_refused(name, passphrase):
    with pytest.raises(AccountError):
        create_account(name, Role.READER, STUDY, passphrase, cost=CHEAP)


def test_files_are_signed_apart_from_statements():
    reader = account()
    value = sign_bytes(reader, PASSPHRASE, b"data")
    assert bytes_signed_by(value, b"data", reader.public_key)
    assert not bytes_signed_by(value, b"dat", reader.public_key)
    assert not bytes_signed_by("no base64", b"data", reader.public_key)
