"""Calls that leave the house, to addresses that others gave us.

Such an address may be meant to make us call ourselves: so it is HTTPS, its name is resolved once and every address it
has must be a public one, the connection goes to that very address, and no redirect is followed. In a try-out
installation (`settings.LOCAL`) this machine itself may be called too, without TLS.
"""

import ipaddress
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import certifi
import urllib3
from django.conf import settings
from urllib3.exceptions import HTTPError, SSLError

_LONGEST_URL = 1_000
_MOST_BYTES = 1 << 20


class OutboundError(Exception):
    """A call that could not be made. `permanent` where trying again cannot help; no text of the other side is in it."""

    def __init__(self, code: str, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.permanent = permanent


@dataclass(frozen=True)
class Reply:
    """What came back: at most a mebibyte of it."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


def check(url: str) -> str:
    """The address, if it may be called by its form alone. Raises OutboundError(`invalid_address`)."""
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port != 0
    except ValueError:
        raise OutboundError("invalid_address", "This is no address.", permanent=True) from None
    if not (parts.hostname and port_is_fine and len(url) <= _LONGEST_URL and url.isprintable() and " " not in url):
        raise OutboundError("invalid_address", "This is no address.", permanent=True)
    if parts.username is not None or parts.password is not None:
        raise OutboundError("invalid_address", "An address holds no user name or password.", permanent=True)
    if parts.scheme != "https" and not (parts.scheme == "http" and _may_be_plain(parts.hostname)):
        raise OutboundError("invalid_address", "An address begins with https://.", permanent=True)
    return url


def _may_be_plain(host: str) -> bool:
    return bool(settings.LOCAL) and host in {"localhost", "127.0.0.1", "::1"}


def call(
    method: str, url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None, seconds: float = 10.0
) -> Reply:
    """Make one call and read its answer within about so many seconds. Raises OutboundError."""
    parts = urlsplit(check(url))
    pool = _pool(parts, _address(parts), seconds)
    named = {"User-Agent": "Heed/1", "Host": parts.netloc, "Accept-Encoding": "identity", **(headers or {})}
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    end = time.monotonic() + seconds
    try:
        response = pool.urlopen(
            method, target, body=body, headers=named, retries=False, redirect=False, preload_content=False
        )
        try:
            return Reply(response.status, {k.lower(): v for k, v in response.headers.items()}, _read(response, end))
        finally:
            response.close()
    except SSLError as error:
        raise OutboundError("tls_failed", "The other side's TLS certificate was not accepted.") from error
    except (HTTPError, OSError) as error:
        raise OutboundError("unreachable", f"The other side could not be reached ({type(error).__name__}).") from error
    finally:
        pool.close()


def _read(response: urllib3.BaseHTTPResponse, end: float) -> bytes:
    """The body, of a sender that may drip it for ever or never stop."""
    read = bytearray()
    for piece in response.stream(1 << 16):
        read += piece
        if len(read) > _MOST_BYTES:
            raise OutboundError("answer_too_large", "The other side's answer is larger than a mebibyte.")
        if time.monotonic() > end:
            raise OutboundError("too_slow", "The other side did not finish its answer in time.")
    return bytes(read)


def _address(parts: SplitResult) -> str:
    """The one address to connect to, all of the name's being public. Raises OutboundError."""
    host = parts.hostname or ""
    try:
        found = socket.getaddrinfo(host, parts.port or 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise OutboundError("unknown_host", "The address's host has no entry in the DNS.") from error
    addresses = [str(one[4][0]) for one in found]
    for one in addresses:
        if not is_public(one) and not _is_own(one):
            raise OutboundError("private_address", "The address leads into a private network.", permanent=True)
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether it can be anybody's in the internet, and no one's in our own network."""
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(known, ipaddress.IPv6Address):
        inner = known.ipv4_mapped or known.sixtofour or (known.teredo[1] if known.teredo else None)
        # NAT64 reaches whatever its last 32 bits name
        if known in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(known) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return known.is_global and not known.is_multicast


def _is_own(address: str) -> bool:
    """This machine, which a try-out installation may call."""
    return bool(settings.LOCAL) and ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _pool(parts: SplitResult, address: str, seconds: float) -> urllib3.HTTPConnectionPool:
    timeout = urllib3.Timeout(connect=min(5.0, seconds), read=seconds, total=seconds)
    if parts.scheme == "http":
        return urllib3.HTTPConnectionPool(address, parts.port or 80, timeout=timeout, retries=False)
    return urllib3.HTTPSConnectionPool(
        address,
        parts.port or 443,
        timeout=timeout,
        retries=False,
        cert_reqs="CERT_REQUIRED",
        ca_certs=settings.OUTBOUND_TRUST or certifi.where(),
        server_hostname=parts.hostname,
        assert_hostname=parts.hostname,
    )
