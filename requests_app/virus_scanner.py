"""Asking a virus scanner about a file: clamd's INSTREAM command over its socket (clamd(8), "COMMANDS").

The file goes as chunks, each behind its length (4 bytes, big-endian), and a length of zero at the end; the answer is
one line. Where HEED_CLAMAV names no scanner, nothing is asked.
"""

import re
import socket
import struct
from collections.abc import Iterable
from urllib.parse import urlsplit

from django.conf import settings

from portal.errors import DomainError
from requests_app.states import Scan

_SECONDS = 30.0
_LONGEST_ANSWER = 4_096
_FOUND = re.compile(r"stream: (.{1,200}) FOUND")
_UNREAD = "Heuristics.Limits.Exceeded"
"""What clamd finds in a file that it did not read to its end, if told to find that (clamd.conf, AlertExceedsMax)."""


class Infected(DomainError):
    """The scanner found something; `signature` is what it calls it."""

    def __init__(self, signature: str) -> None:
        super().__init__("file_infected", "Our virus scanner found something in this file.", field="files")
        self.signature = re.sub(r"[^\w.:/-]", "_", signature, flags=re.ASCII)[:80]


class ScannerAway(DomainError):
    """The scanner cannot be asked, or cannot tell: the file is not taken in for now."""


def scan(chunks: Iterable[bytes]) -> str:
    """What the scanner says of this content: a `Scan`. Raises Infected, ScannerAway(`scanner_away`, `scanner_limit`).

    Without a scanner nothing is read.
    """
    if not settings.CLAMAV:
        return Scan.NONE
    answer = _answer(chunks)
    if answer == "stream: OK":
        return Scan.CLEAN
    found = _FOUND.fullmatch(answer)
    if found and not found[1].startswith(_UNREAD):
        raise Infected(found[1])
    if found or "size limit exceeded" in answer:
        raise ScannerAway("scanner_limit", "The file is larger than our virus scanner takes.", field="files")
    raise _away()


def _answer(chunks: Iterable[bytes]) -> str:
    try:
        with _connected() as line:
            _send(line, chunks)
            return _read(line)
    except (OSError, ValueError) as error:
        raise _away() from error


def _connected() -> socket.socket:
    """A connection to `unix:///path` or `tcp://host:port`. Raises OSError, ValueError for another address."""
    where = urlsplit(settings.CLAMAV)
    if where.scheme == "tcp" and where.hostname and where.port:
        return socket.create_connection((where.hostname, where.port), timeout=_SECONDS)
    if where.scheme != "unix" or not where.path:
        raise ValueError("HEED_CLAMAV is unix:///path or tcp://host:port")
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        line.settimeout(_SECONDS)
        line.connect(where.path)
    except OSError:
        line.close()
        raise
    return line


def _send(line: socket.socket, chunks: Iterable[bytes]) -> None:
    try:
        line.sendall(b"zINSTREAM\0")
        for chunk in chunks:
            if chunk:
                line.sendall(struct.pack("!L", len(chunk)) + chunk)
        line.sendall(struct.pack("!L", 0))
    except (BrokenPipeError, ConnectionResetError):
        # over its limit it answers and hangs up at once; the answer is still to be read
        return


def _read(line: socket.socket) -> str:
    answer = b""
    while not answer.endswith(b"\0") and len(answer) < _LONGEST_ANSWER:
        part = line.recv(_LONGEST_ANSWER)
        if not part:
            break
        answer += part
    return answer.rstrip(b"\0\n").decode(errors="replace")


def _away() -> ScannerAway:
    return ScannerAway(
        "scanner_away",
        "Files cannot be checked for viruses just now, so none are taken in. Try again later.",
        field="files",
    )
