"""Sealing: only the passphrase opens, nothing can be exchanged, commitments bind."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.truth import (
    KeyCost,
    SealError,
    Truth,
    commitment,
    from_base64,
    make_truth,
    seal,
    to_base64,
    unseal,
)
from tests.unit.study.study_maker import CHEAP, PASSPHRASE

TRUTH = make_truth({"c-1": 1, "c-2": 0})


def test_the_passphrase_opens_what_it_sealed():
    sealed = seal(TRUTH, PASSPHRASE, "truth s", CHEAP)
    stored = msgspec.json.decode(msgspec.json.encode(sealed), type=type(sealed))
    assert unseal(stored, PASSPHRASE, "truth s", Truth) == TRUTH
    assert TRUTH.of_case == {"c-1": 1, "c-2": 0}


def test_two_forms_of_one_accent_are_one_passphrase():
    sealed = seal(TRUTH, "caf\u00e9 au lait", "t", CHEAP)
    assert unseal(sealed, "cafe\u0301 au lait", "t", Truth) == TRUTH


@pytest.mark.parametrize(("passphrase", "purpose"), [("wrong passphrase", "t"), (PASSPHRASE, "other"), ("", "t")])
def test_nothing_else_does(passphrase, purpose):
    with pytest.raises(SealError, match="passphrase is not the right one"):
        unseal(seal(TRUTH, PASSPHRASE, "t", CHEAP), passphrase, purpose, Truth)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["salt", "nonce", "ciphertext"]), st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_is_noticed(name, place, change):
    sealed = seal(TRUTH, PASSPHRASE, "t", CHEAP)
    data = bytearray(from_base64(getattr(sealed, name)))
    data[place % len(data)] ^= change
    with pytest.raises(SealError):
        unseal(msgspec.structs.replace(sealed, **{name: to_base64(bytes(data))}), PASSPHRASE, "t", Truth)


@pytest.mark.parametrize(
    "changes",
    [{"salt": "!"}, {"nonce": ""}, {"ciphertext": "AA=="}, {"cost": KeyCost(1, 2**31, 1)}, {"cost": KeyCost(0, 8, 1)}],
)
def test_damage_is_a_sentence(changes):
    sealed = msgspec.structs.replace(seal(TRUTH, PASSPHRASE, "t", CHEAP), **changes)
    with pytest.raises(SealError):
        unseal(sealed, PASSPHRASE, "t", Truth)


def test_the_ciphertext_tells_nothing():
    one, two = (seal(TRUTH, PASSPHRASE, "t", CHEAP) for _ in range(2))
    assert one.ciphertext != two.ciphertext
    assert b"c-1" not in from_base64(one.ciphertext)


def test_a_short_passphrase_is_refused():
    with pytest.raises(SealError, match="at least 8"):
        seal(TRUTH, "1234567", "t", CHEAP)


def test_the_default_cost_is_that_of_the_standard():
    assert KeyCost() == KeyCost(passes=3, memory_kib=64 * 1024, lanes=4)


def test_commitments_bind_and_do_not_tell():
    same = make_truth(TRUTH.of_case)
    assert commitment(TRUTH) == commitment(TRUTH)
    assert commitment(same) != commitment(TRUTH)  # another salt: equal truths cannot be recognised
    other = msgspec.structs.replace(TRUTH, entries=tuple(reversed(TRUTH.entries)))
    assert commitment(other) != commitment(TRUTH)
    with pytest.raises(ValueError, match="1 for loose"):
        make_truth({"c": 2})
