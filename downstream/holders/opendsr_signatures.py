"""Whether an OpenDSR processor's answer is the processor's: its certificate, and its signature over the raw body.

OpenDSR 2.0: the certificate is issued to the processor's domain by an authority that is trusted, not by itself; the
signature is made over the SHA-256 digest of the body (FIPS 186-4: RSA with PKCS #1 v1.5, or ECDSA).
"""

import base64
import binascii
import ipaddress
from datetime import datetime
from functools import cache
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from django.conf import settings

from downstream.holders.base import ConnectorError

_LEAST_BITS = 2_048


def certificate(pem: bytes, *, domain: str, at: datetime) -> x509.Certificate:
    """The certificate that `domain` signs with, its chain verified as of `at`.

    Raises ConnectorError(`certificate_invalid`).
    """
    try:
        chain = x509.load_pem_x509_certificates(pem)
        policy = PolicyBuilder().store(_trusted(settings.OUTBOUND_TRUST or certifi.where()))
        verifier = policy.time(at.replace(tzinfo=None)).build_server_verifier(_name(domain))
        verifier.verify(chain[0], chain[1:])
    except (ValueError, VerificationError):
        raise ConnectorError(
            "certificate_invalid",
            f"The certificate that {domain} publishes is not one of that domain, not valid now, or not issued by an "
            "authority that we trust (HEED_OUTBOUND_TRUST).",
            permanent=True,
        ) from None
    return chain[0]


@cache
def _trusted(path: str) -> Store:
    """Read once a process: there are some hundred."""
    return Store(x509.load_pem_x509_certificates(Path(path).read_bytes()))


def _name(domain: str) -> "x509.verification.Subject":
    try:
        return x509.IPAddress(ipaddress.ip_address(domain))
    except ValueError:
        return x509.DNSName(domain)


def fingerprint(leaf: x509.Certificate) -> str:
    """SHA-256 of the certificate, hexadecimal."""
    return leaf.fingerprint(hashes.SHA256()).hex()


def pem(leaf: x509.Certificate) -> bytes:
    return leaf.public_bytes(Encoding.PEM)


def is_signed(body: bytes, signature: str, *, by: x509.Certificate) -> bool:
    """Whether `signature` (Base64, also broken over lines) is the certificate's over the SHA-256 of `body`."""
    try:
        raw = base64.b64decode("".join(signature.split()), validate=True)
    except (binascii.Error, ValueError):
        return False
    key = by.public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _LEAST_BITS:
            key.verify(raw, body, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(raw, body, ec.ECDSA(hashes.SHA256()))
        else:
            return False
    except InvalidSignature:
        return False
    return True
