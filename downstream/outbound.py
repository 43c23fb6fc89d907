"""Calls that leave the house, to addresses that others gave us.

Such an address may be meant to make us call ourselves: so it is HTTPS, its name is resolved once and every address it
has must be a public one, the connection goes to that very address, and no redirect is followed. In a try-out
installation (`settings.LOCAL`) this machine itself may be called too, without TLS.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache
from urllib.parse import SplitResult, urlsplit

import certifi
from django.conf import settings

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
    is_plain = url.isascii() and url.isprintable() and " " not in url  # RFC 3986: all else is escaped
    if not (parts.hostname and port_is_fine and len(url) <= _LONGEST_URL and is_plain):
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
    named = {"User-Agent": "Heed/1", "Host": parts.netloc, "Accept-Encoding": "identity", **(headers or {})}
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    line = _Line(_address(parts), parts, seconds)
    try:
        reply = line.exchange(method, target, body, named)
    except ssl.SSLError as error:
        if line.is_cut:
            raise _too_slow() from error
        raise OutboundError("tls_failed", "The other side's TLS certificate was not accepted.") from error
    except (http.client.HTTPException, OSError) as error:
        if line.is_cut:
            raise _too_slow() from error
        raise OutboundError("unreachable", f"The other side could not be reached ({type(error).__name__}).") from error
    finally:
        line.close()
    if line.is_cut:
        # a body without a length looks whole where it was cut
        raise _too_slow()
    return reply


class _Line:
    """One connection to one address, cut when its time is over: a sender may drip its answer for ever."""

    def __init__(self, address: str, parts: SplitResult, seconds: float) -> None:
        self.is_cut = False
        self._parts, self._address, self._seconds = parts, address, seconds
        self._socket: socket.socket | None = None
        self._watch = threading.Timer(seconds, self._cut)
        self._watch.daemon = True

    def exchange(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        is_tls = self._parts.scheme == "https"
        port = self._parts.port or (443 if is_tls else 80)
        self._watch.start()
        self._socket = socket.create_connection((self._address, port), timeout=min(5.0, self._seconds))
        self._socket.settimeout(self._seconds)
        if is_tls:
            trusted = _trusting(settings.OUTBOUND_TRUST or certifi.where())
            self._socket = trusted.wrap_socket(
                self._socket, server_hostname=self._parts.hostname, do_handshake_on_connect=False
            )
            self._socket.do_handshake()
        connection = http.client.HTTPConnection(self._address, port)
        connection.sock = self._socket
        connection.request(method, target, body=body, headers=dict(headers))
        with closing(connection.getresponse()) as response:
            named = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, named, _read(response))

    def close(self) -> None:
        self._watch.cancel()
        if self._socket is not None:
            self._socket.close()

    def _cut(self) -> None:
        self.is_cut = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


@cache
def _trusting(path: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=path)


def _read(response: http.client.HTTPResponse) -> bytes:
    read = bytearray()
    while piece := response.read1(1 << 16):
        read += piece
        if len(read) > _MOST_BYTES:
            raise OutboundError("answer_too_large", "The other side's answer is larger than a mebibyte.")
    return bytes(read)


def _too_slow() -> OutboundError:
    return OutboundError("too_slow", "The other side did not finish its answer in time.")


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


_GIVEN_OUT = ipaddress.ip_network("2000::/3")


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
        # the only block that was given to anybody; outside lie site-local addresses and further ways to reach IPv4 ones
        if known not in _GIVEN_OUT:
            return False
    return known.is_global and not known.is_multicast


def _is_own(address: str) -> bool:
    """This machine, which a try-out installation may call."""
    return bool(settings.LOCAL) and ipaddress.ip_address(address.partition("%")[0]).is_loopback
