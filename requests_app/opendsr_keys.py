"""The key by which we sign as an OpenDSR processor, and the certificate that names our domain.

The operator gives both as PEM files, issued by an authority that controllers trust: the protocol forbids to trust a
certificate that signs itself (section 4.1). Where there are none, the key is derived from the house's current signing
key, and a certificate is made of it, the same in every process: enough to try the protocol out.
"""

import hashlib
import ipaddress
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.conf import settings

from downstream import opendsr_wire
from downstream.opendsr_wire import PrivateKey
from portal import signing
from portal.errors import DomainError

Found = TypeVar("Found")
_PURPOSE = b"heed: OpenDSR processor, P-256, 1"


class KeyTrouble(DomainError):
    """What the operator gave does not serve."""


def sign(body: bytes) -> str:
    """Our signature over a body, Base64. Raises KeyTrouble."""
    return opendsr_wire.sign(body, key=_key())


def certificate(*, at: datetime) -> bytes:
    """The certificate that we sign by, PEM; behind it those that lead to its authority. Raises KeyTrouble."""
    if settings.OPENDSR_CERTIFICATE:
        return _read(settings.OPENDSR_CERTIFICATE)
    public = _key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return _own(public, settings.OPENDSR_DOMAIN, at.astimezone(UTC).year)


def check(*, at: datetime) -> None:
    """Whether the operator's files serve: a certificate of this key, for our domain, that is valid now.

    Raises KeyTrouble(`unreadable` | `weak_key` | `wrong_key` | `wrong_domain` | `not_valid_now`).
    """
    key = _key()
    try:
        leaf = x509.load_pem_x509_certificates(certificate(at=at))[0]
        named = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        raise KeyTrouble(
            "unreadable", "HEED_OPENDSR_CERTIFICATE holds no certificate in PEM that names a domain."
        ) from None
    if leaf.public_key() != key.public_key():
        raise KeyTrouble(
            "wrong_key", "HEED_OPENDSR_KEY is not the key of the first certificate in HEED_OPENDSR_CERTIFICATE."
        )
    if _name(settings.OPENDSR_DOMAIN) not in named:
        raise KeyTrouble("wrong_domain", "The OpenDSR certificate does not name HEED_OPENDSR_DOMAIN.")
    if not leaf.not_valid_before_utc <= at <= leaf.not_valid_after_utc:
        raise KeyTrouble("not_valid_now", "The OpenDSR certificate has run out, or is not valid yet.")


def is_self_signed() -> bool:
    """Whether controllers have nothing but our own word for whose key it is."""
    return not settings.OPENDSR_CERTIFICATE


def _key() -> PrivateKey:
    if settings.OPENDSR_KEY:
        return _given(settings.OPENDSR_KEY, _changed(settings.OPENDSR_KEY))
    return signing.elliptic_key(_PURPOSE)


@lru_cache(maxsize=4)
def _given(path: str, changed: int) -> PrivateKey:
    """Read once, and again when the file `changed`: whoever renews certificates restarts nothing."""
    try:
        key = load_pem_private_key(_read(path), password=None)
    except (ValueError, TypeError):
        raise KeyTrouble("unreadable", "HEED_OPENDSR_KEY holds no private key in PEM without a password.") from None
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= opendsr_wire.LEAST_BITS:
        return key
    raise KeyTrouble("weak_key", f"An OpenDSR key is RSA of {opendsr_wire.LEAST_BITS} bits or more, or elliptic.")


def _changed(path: str) -> int:
    return _looked_at(lambda: Path(path).stat().st_mtime_ns)


def _read(path: str) -> bytes:
    return _looked_at(lambda: Path(path).read_bytes())


def _looked_at(look: Callable[[], Found]) -> Found:
    try:
        return look()
    except OSError:
        raise KeyTrouble(
            "unreadable", "The file that HEED_OPENDSR_CERTIFICATE or HEED_OPENDSR_KEY names cannot be read."
        ) from None


@lru_cache(maxsize=4)
def _own(public: bytes, domain: str, year: int) -> bytes:
    """Our own certificate of one year, which serves into the next; every process makes the same bytes.

    `public` is the key's public half (DER), by which the certificate is remembered.
    """
    key = signing.elliptic_key(_PURPOSE)
    named = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, settings.SITE_NAME[:64])])
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    # of 127 bits: positive, and short enough (RFC 5280, 4.1.2.2)
    serial = int.from_bytes(hashlib.sha256(public + f"{domain} {year}".encode()).digest()[:16]) >> 1
    builder = x509.CertificateBuilder(named, named, key.public_key(), serial or 1)
    builder = builder.not_valid_before(datetime(year, 1, 1, tzinfo=UTC)).not_valid_after(
        datetime(year + 2, 1, 1, tzinfo=UTC)
    )
    builder = builder.add_extension(x509.SubjectAlternativeName([_name(domain)]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(usage, critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    made = builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    return made.public_bytes(Encoding.PEM)


def _name(domain: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(domain))
    except ValueError:
        return x509.DNSName(domain)
