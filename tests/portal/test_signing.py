"""What the house signs verifies with its published keys alone, also after the key has changed."""

import base64
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from joserfc import jws
from joserfc.jwk import KeySet, OKPKey

from portal import signing
from portal.signing import SignatureError


def ring(*names: str, retired: str = "") -> signing.SigningRing:
    text = ",".join(f"{name}:{base64.b64encode(name.encode().ljust(32, b'.')).decode()}" for name in names)
    return signing.parse_ring(text, retired=retired)


def test_a_signed_payload_opens_and_names_its_key(settings: Any) -> None:
    settings.SIGNING_KEYS = ring("one")
    assert signing.open_jws(signing.seal_jws({"a": "ü"}, typ="x+jwt"), typ="x+jwt") == ({"a": "ü"}, "one")


def test_outsiders_verify_with_the_published_keys(settings: Any) -> None:
    settings.SIGNING_KEYS = ring("two", "one")
    keys = KeySet([OKPKey.import_key(one) for one in signing.jwks()["keys"]])
    assert not any("d" in one for one in signing.jwks()["keys"])
    assert jws.deserialize_compact(signing.seal_jws({}, typ="x"), keys, algorithms=["Ed25519"]).payload == b"{}"


def test_what_an_older_key_signed_keeps_verifying(settings: Any) -> None:
    settings.SIGNING_KEYS = ring("one")
    token = signing.seal_jws({"n": 1}, typ="x")
    public = base64.b64encode(signing.raw_public_key("one")).decode()
    settings.SIGNING_KEYS = ring("two", "one")
    assert signing.open_jws(token, typ="x") == ({"n": 1}, "one")
    settings.SIGNING_KEYS = ring("two", retired=f"one:{public}")
    assert signing.open_jws(token, typ="x") == ({"n": 1}, "one")
    assert [key["kid"] for key in signing.jwks()["keys"]] == ["two", "one"]
    settings.SIGNING_KEYS = ring("two")
    with pytest.raises(SignatureError):
        signing.open_jws(token, typ="x")


@pytest.mark.parametrize("harm", [lambda t: t[:-4] + "AAAA", lambda t: t[1:], lambda t: "", lambda t: "a.b.c"])
def test_what_was_altered_is_refused(settings: Any, harm: Any) -> None:
    settings.SIGNING_KEYS = ring("one")
    with pytest.raises(SignatureError):
        signing.open_jws(harm(signing.seal_jws({"n": 1}, typ="x")), typ="x")


def test_a_token_of_another_kind_is_refused(settings: Any) -> None:
    settings.SIGNING_KEYS = ring("one")
    with pytest.raises(SignatureError, match="no permit"):
        signing.open_jws(signing.seal_jws({}, typ="receipt"), typ="permit")


def test_a_signature_of_bytes_verifies_under_its_key_alone(settings: Any) -> None:
    settings.SIGNING_KEYS = ring("one")
    key_id, signature = signing.sign(b"m")
    signing.verify(b"m", key_id=key_id, signature=signature)
    for message, name in ((b"n", "one"), (b"m", "other")):
        with pytest.raises(SignatureError):
            signing.verify(message, key_id=name, signature=signature)


def test_one_key_is_not_in_use_and_retired(settings: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="keep one"):
        ring("one", retired=f"one:{base64.b64encode(bytes(32)).decode()}")
