"""Sealing, opening, rotating."""

import os
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from portal import crypto
from portal.crypto import CryptoError, Ring

ONE, TWO = os.urandom(32), os.urandom(32)


@pytest.fixture(autouse=True)
def rings(settings: Any) -> None:
    settings.FIELD_KEYS = Ring({"one": ONE})
    settings.INDEX_KEYS = Ring({"one": ONE})


def test_what_was_sealed_opens_again() -> None:
    sealed = crypto.seal(b"secret", context=b"here")
    assert b"secret" not in sealed
    assert crypto.unseal(memoryview(sealed), context=b"here") == b"secret"


def test_the_same_text_is_sealed_differently_each_time() -> None:
    assert crypto.seal(b"secret", context=b"") != crypto.seal(b"secret", context=b"")


def test_a_sealed_value_does_not_open_in_another_place() -> None:
    sealed = crypto.seal(b"secret", context=b"here")
    with pytest.raises(CryptoError) as refusal:
        crypto.unseal(sealed, context=b"there")
    assert refusal.value.code == "altered"


@pytest.mark.parametrize("place", [-1, 6, 20])
def test_an_altered_value_does_not_open(place: int) -> None:
    sealed = bytearray(crypto.seal(b"secret", context=b"here"))
    sealed[place] ^= 1
    with pytest.raises(CryptoError):
        crypto.unseal(bytes(sealed), context=b"here")


@pytest.mark.parametrize("length", [0, 1, 2, 5, 10, 18])
def test_a_cut_value_is_refused_and_not_a_crash(length: int) -> None:
    with pytest.raises(CryptoError):
        crypto.unseal(crypto.seal(b"secret", context=b"")[:length], context=b"")


def test_another_version_is_refused() -> None:
    with pytest.raises(CryptoError) as refusal:
        crypto.unseal(b"\x02\x00rest", context=b"")
    assert refusal.value.code == "unknown_format"


def test_a_key_that_is_not_in_the_ring_is_named_in_the_refusal(settings: Any) -> None:
    sealed = crypto.seal(b"secret", context=b"")
    settings.FIELD_KEYS = Ring({"two": TWO})
    with pytest.raises(CryptoError, match="'one'"):
        crypto.unseal(sealed, context=b"")


def test_another_key_under_the_same_id_does_not_open(settings: Any) -> None:
    sealed = crypto.seal(b"secret", context=b"")
    settings.FIELD_KEYS = Ring({"one": TWO})
    with pytest.raises(CryptoError):
        crypto.unseal(sealed, context=b"")


def test_after_a_rotation_the_old_key_opens_and_the_new_one_seals(settings: Any) -> None:
    old = crypto.seal(b"secret", context=b"")
    settings.FIELD_KEYS = Ring({"two": TWO, "one": ONE})
    assert crypto.unseal(old, context=b"") == b"secret"
    assert crypto.seal(b"secret", context=b"")[2:5] == b"two"


def test_a_persons_value_opens_with_that_persons_key_only() -> None:
    alice, bob = crypto.new_subject_key(subject_id="alice"), crypto.new_subject_key(subject_id="bob")
    sealed = crypto.seal_for(alice, "a@example.org", subject_id="alice", context=b"email")
    assert crypto.unseal_for(alice, sealed, subject_id="alice", context=b"email") == "a@example.org"
    with pytest.raises(CryptoError):
        crypto.unseal_for(bob, sealed, subject_id="bob", context=b"email")


def test_a_persons_key_serves_no_other_person() -> None:
    wrapped = crypto.new_subject_key(subject_id="alice")
    with pytest.raises(CryptoError):
        crypto.seal_for(wrapped, "a@example.org", subject_id="bob", context=b"email")


def test_a_persons_value_survives_a_rotation_of_the_field_key(settings: Any) -> None:
    wrapped = crypto.new_subject_key(subject_id="alice")
    sealed = crypto.seal_for(wrapped, "ä", subject_id="alice", context=b"email")
    settings.FIELD_KEYS = Ring({"two": TWO, "one": ONE})
    assert crypto.unseal_for(wrapped, sealed, subject_id="alice", context=b"email") == "ä"


def test_a_blind_index_is_the_same_for_the_same_name_only() -> None:
    first = crypto.blind_index("email", "a@example.org")
    assert first == crypto.blind_index("email", "a@example.org")
    assert first != crypto.blind_index("account", "a@example.org")
    assert first != crypto.blind_index("email", "b@example.org")
    assert len(first) == 32


def test_a_new_index_key_comes_first_and_the_old_print_is_still_known(settings: Any) -> None:
    old = crypto.blind_index("email", "a@example.org")
    settings.INDEX_KEYS = Ring({"two": TWO, "one": ONE})
    assert crypto.blind_index("email", "a@example.org") != old
    assert crypto.blind_indexes("email", "a@example.org")[1] == old


KEY = "A" * 43 + "="


def test_a_ring_is_read_in_order() -> None:
    ring = crypto.parse_ring(f"two:{KEY}, one:{KEY}", name="KEYS")
    assert ring.current == ("two", bytes(32))
    assert list(ring.keys) == ["two", "one"]


@pytest.mark.parametrize("text", ["", " , ", "one", "one:", ":" + KEY, "one:!!!", "one:QUJD", "x" * 33 + ":" + KEY])
def test_a_malformed_ring_is_refused_with_its_name(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="KEYS"):
        crypto.parse_ring(text, name="KEYS")
