"""Whether a certificate is an OpenDSR processor's.

OpenDSR 2.0: it is issued to the processor's domain by an authority that is trusted, not by itself. What is signed by
it is looked at by `opendsr_wire`.
"""

import ipaddress
from datetime import datetime
from functools import cache
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from django.conf import settings

from downstream.holders.base import ConnectorError


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
