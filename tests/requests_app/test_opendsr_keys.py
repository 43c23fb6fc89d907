"""By what we sign as a processor: a key of the house's own, or the operator's, and a certificate that fits."""

import base64
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from downstream import opendsr_wire
from portal import clock, signing
from requests_app import checks, opendsr_keys
from requests_app.opendsr_keys import KeyTrouble
from tests.conftest import AT
from tests.downstream.holders.processor import Authority, Key, new_key


def ring(name: str) -> signing.SigningRing:
    return signing.parse_ring(f"{name}:{base64.b64encode(name.encode().ljust(32, b'.')).decode()}")


def given(settings: Any, folder: Path, key: Key, certificate: bytes) -> None:
    """As an operator gives them, in files of their own."""
    settings.OPENDSR_CERTIFICATE, settings.OPENDSR_KEY = str(folder / "given.pem"), str(folder / "given.key")
    Path(settings.OPENDSR_CERTIFICATE).write_bytes(certificate)
    Path(settings.OPENDSR_KEY).write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def leaf(at: datetime = AT) -> x509.Certificate:
    return x509.load_pem_x509_certificates(opendsr_keys.certificate(at=at))[0]


def trouble() -> str:
    with pytest.raises(KeyTrouble) as caught:
        opendsr_keys.check(at=clock.now())
    return caught.value.code


@pytest.fixture(autouse=True)
def here(settings: Any) -> None:
    settings.OPENDSR_DOMAIN = "localhost"
    settings.SIGNING_KEYS = ring("one")


def test_our_own_certificate_proves_what_we_sign() -> None:
    assert opendsr_keys.is_self_signed()
    assert opendsr_wire.is_signed(b"body", opendsr_keys.sign(b"body"), by=leaf())
    opendsr_keys.check(at=clock.now())


def test_every_process_makes_the_same(settings: Any) -> None:
    first = opendsr_keys.certificate(at=AT)
    opendsr_keys._own.cache_clear()
    assert opendsr_keys.certificate(at=AT + timedelta(days=100)) == first
    # a new one each year, while the last still serves
    following = leaf(AT + timedelta(days=365))
    assert following.not_valid_before_utc < leaf(AT).not_valid_after_utc
    assert following != leaf(AT)
    assert following.public_key() == leaf(AT).public_key()


def test_a_rotated_signing_key_is_another_key_here(settings: Any) -> None:
    before = leaf()
    settings.SIGNING_KEYS = ring("two")
    assert leaf().public_key() != before.public_key()
    assert opendsr_wire.is_signed(b"body", opendsr_keys.sign(b"body"), by=leaf())
    assert not opendsr_wire.is_signed(b"body", opendsr_keys.sign(b"body"), by=before)


def test_a_key_of_another_purpose_is_another() -> None:
    numbers = {signing.elliptic_key(one).private_numbers().private_value for one in (b"one", b"one", b"two")}
    assert len(numbers) == 2


def test_an_address_can_be_the_domain(settings: Any) -> None:
    settings.OPENDSR_DOMAIN = "127.0.0.1"
    opendsr_keys.check(at=clock.now())


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_the_operators_own_serve(settings: Any, tmp_path: Path, kind: str) -> None:
    key = new_key(kind)
    certificate = Authority(tmp_path).issue("localhost", key)
    given(settings, tmp_path, key, certificate)
    opendsr_keys.check(at=clock.now())
    assert opendsr_keys.certificate(at=AT) == certificate
    assert opendsr_wire.is_signed(b"body", opendsr_keys.sign(b"body"), by=leaf())
    assert not opendsr_keys.is_self_signed()


def test_renewed_files_count_without_a_restart(settings: Any, tmp_path: Path) -> None:
    authority, first, second = Authority(tmp_path), new_key(), new_key()
    given(settings, tmp_path, first, authority.issue("localhost", first))
    opendsr_keys.check(at=clock.now())
    given(settings, tmp_path, second, authority.issue("localhost", second))
    os.utime(settings.OPENDSR_KEY, ns=(1, 1))
    opendsr_keys.check(at=clock.now())
    assert opendsr_wire.is_signed(b"body", opendsr_keys.sign(b"body"), by=leaf())


@pytest.mark.parametrize(
    ("wrong", "code"),
    [("domain", "wrong_domain"), ("key", "wrong_key"), ("over", "not_valid_now"), ("text", "unreadable")],
)
def test_a_certificate_that_does_not_fit_is_said(settings: Any, tmp_path: Path, wrong: str, code: str) -> None:
    authority, key = Authority(tmp_path), new_key()
    domain = "elsewhere.example" if wrong == "domain" else "localhost"
    certificate = authority.issue(domain, key, is_over=wrong == "over")
    given(settings, tmp_path, new_key() if wrong == "key" else key, b"nothing" if wrong == "text" else certificate)
    assert trouble() == code


def test_keys_that_do_not_serve_are_said(settings: Any, tmp_path: Path) -> None:
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 -- too short on purpose
    given(settings, tmp_path, weak, b"")
    assert trouble() == "weak_key"
    settings.OPENDSR_KEY = str(tmp_path / "given.pem")
    assert trouble() == "unreadable"
    settings.OPENDSR_KEY = str(tmp_path / "nowhere.key")
    assert trouble() == "unreadable"


def test_the_deployment_check_says_so(settings: Any, tmp_path: Path) -> None:
    assert [one.id for one in checks.processor_can_be_believed()] == ["heed.W015"]
    key = new_key()
    given(settings, tmp_path, key, Authority(tmp_path).issue("localhost", key))
    assert checks.processor_can_be_believed() == []
    settings.OPENDSR_DOMAIN = "127.0.0.1"
    assert [one.id for one in checks.processor_can_be_believed()] == ["heed.E014"]
    settings.OPENDSR_DOMAIN = "elsewhere.example"
    assert [one.id for one in checks.processor_can_be_believed()] == ["heed.E016", "heed.E014"]
    settings.OPENDSR_DOMAIN = ""
    assert checks.processor_can_be_believed() == []
