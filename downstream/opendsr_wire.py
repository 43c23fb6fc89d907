"""OpenDSR 2.0 on the wire, whichever side we are: its words, its times, and the signature over a body.

As a controller we ask processors (`holders.opendsr`); as a processor others instruct us (`requests_app.opendsr`). A
signature is made over the SHA-256 digest of the raw body (FIPS 186-4: RSA with PKCS #1 v1.5, or ECDSA).
"""

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

VERSION = "2.0"
DOMAIN_HEADER, SIGNATURE_HEADER = "X-OpenDSR-Processor-Domain", "X-OpenDSR-Signature"
REGULATIONS = ("gdpr", "ccpa")
ACCESS, PORTABILITY, ERASURE = "access", "portability", "erasure"
TYPES = (ACCESS, PORTABILITY, ERASURE)
CUSTOMER, EMAIL = "controller_customer_id", "email"
RAW = "raw"
FORMATS = (RAW, "sha1", "md5", "sha256")
PENDING, IN_PROGRESS, COMPLETED, CANCELLED = "pending", "in_progress", "completed", "cancelled"
LEAST_BITS = 2_048
"""Of an RSA key."""

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def asking(
    *,
    request_id: object,
    request_type: str,
    regulation: str,
    identities: Sequence[dict[str, str]],
    submitted_at: datetime,
    callbacks: Sequence[str],
) -> dict[str, Any]:
    """The body by which a controller asks (section 7.1.1)."""
    return {
        "regulation": regulation,
        "subject_request_id": str(request_id),
        "subject_request_type": request_type,
        "submitted_time": text_of(submitted_at),
        "subject_identities": list(identities),
        "status_callback_urls": list(callbacks),
        "api_version": VERSION,
    }


def identity(kind: str, value: str, form: str = RAW) -> dict[str, str]:
    """By what a person is named (section 5.3)."""
    return {"identity_type": kind, "identity_value": value, "identity_format": form}


def object_in(body: bytes) -> dict[str, Any] | None:
    """The JSON object that a body is; None where it is anything else."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def text_of(at: datetime) -> str:
    """A time as RFC 3339 writes it, to the second, in UTC."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def time_in(given: Any) -> datetime | None:
    """A time that says its zone; None where it is none."""
    try:
        found = datetime.fromisoformat(given) if isinstance(given, str) else None
        # a zone can lead out of the years that there are
        return found.astimezone(UTC) if found is not None and found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def sign(body: bytes, *, key: PrivateKey) -> str:
    """The signature over the SHA-256 of `body`, Base64. The same body is signed alike (RFC 6979, of ECDSA)."""
    if isinstance(key, rsa.RSAPrivateKey):
        raw = key.sign(body, padding.PKCS1v15(), hashes.SHA256())
    else:
        raw = key.sign(body, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    return base64.b64encode(raw).decode()


def is_signed(body: bytes, signature: str, *, by: x509.Certificate) -> bool:
    """Whether `signature` (Base64, also broken over lines) is the certificate's over the SHA-256 of `body`."""
    try:
        raw = base64.b64decode("".join(signature.split()), validate=True)
    except (binascii.Error, ValueError):
        return False
    key = by.public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey) and key.key_size >= LEAST_BITS:
            key.verify(raw, body, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(raw, body, ec.ECDSA(hashes.SHA256()))
        else:
            return False
    except InvalidSignature:
        return False
    return True


def fingerprint(leaf: x509.Certificate) -> str:
    """SHA-256 of the certificate, hexadecimal."""
    return leaf.fingerprint(hashes.SHA256()).hex()
