"""What both sides of OpenDSR write and read: signatures that a certificate proves, times that say their zone."""

import base64
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from downstream import opendsr_wire
from tests.downstream.holders.processor import Authority, new_key


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_signature_is_proven_by_the_certificate_of_its_key(tmp_path: Path, kind: str) -> None:
    authority, key = Authority(tmp_path), new_key(kind)
    leaf = x509.load_pem_x509_certificate(authority.issue("localhost", key))
    signature = opendsr_wire.sign(b"body", key=key)
    assert opendsr_wire.is_signed(b"body", signature, by=leaf)
    assert opendsr_wire.is_signed(b"body", f"{signature[:40]}\n{signature[40:]}", by=leaf)
    assert not opendsr_wire.is_signed(b"bodies", signature, by=leaf)
    other = x509.load_pem_x509_certificate(authority.issue("localhost", new_key(kind)))
    assert not opendsr_wire.is_signed(b"body", signature, by=other)


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_the_same_is_signed_alike(kind: str) -> None:
    key = new_key(kind)
    assert opendsr_wire.sign(b"body", key=key) == opendsr_wire.sign(b"body", key=key)


@pytest.mark.parametrize("signature", ["", "not base64", base64.b64encode(b"short").decode()])
def test_what_is_no_signature_proves_nothing(tmp_path: Path, signature: str) -> None:
    leaf = x509.load_pem_x509_certificate(Authority(tmp_path).issue("localhost", new_key()))
    assert not opendsr_wire.is_signed(b"body", signature, by=leaf)


@given(st.integers(0, 7_000_000_000), st.integers(0, 999_999), st.integers(-14 * 60, 14 * 60))
def test_a_time_comes_back_to_the_second(seconds: int, micros: int, minutes: int) -> None:
    at = datetime.fromtimestamp(seconds, timezone(timedelta(minutes=minutes))).replace(microsecond=micros)
    assert opendsr_wire.time_in(opendsr_wire.text_of(at)) == at.replace(microsecond=0).astimezone(UTC)


@pytest.mark.parametrize(
    "given_time", ["", "tomorrow", "2026-03-02T12:00:00", "2026-03-02", None, 7, "0001-01-01T00:00:00+14:00"]
)
def test_what_is_no_time_is_none(given_time: object) -> None:
    assert opendsr_wire.time_in(given_time) is None


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_none(body: bytes) -> None:
    assert opendsr_wire.object_in(body) is None
