"""A virus scanner that speaks clamd's protocol (clamd(8)) over a real socket and knows one signature: EICAR's."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.requests_app.files import EICAR


@dataclass
class Scanner:
    """`mood` is how it behaves: `well`, `silent`, `hangs_up`, `confused`, `unread`."""

    address: str
    mood: str = "well"
    largest: int = 25 * 1024 * 1024
    seen: list[bytes] = field(default_factory=list)
    """What was scanned, whole."""


@contextlib.contextmanager
def running(place: Path | None = None) -> Iterator[Scanner]:
    """A scanner that listens at this path, or at a port of this machine."""
    if place is None:
        listening = socket.create_server(("127.0.0.1", 0))
        scanner = Scanner(f"tcp://127.0.0.1:{listening.getsockname()[1]}")
    else:
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.bind(str(place))
        listening.listen()
        scanner = Scanner(f"unix://{place}")
    stop = threading.Event()
    thread = threading.Thread(target=_serve, args=[listening, scanner, stop])
    thread.start()
    try:
        yield scanner
    finally:
        stop.set()
        thread.join()
        listening.close()


def _serve(listening: socket.socket, scanner: Scanner, stop: threading.Event) -> None:
    listening.settimeout(0.05)
    while not stop.is_set():
        try:
            line, _ = listening.accept()
        except TimeoutError:
            continue
        with line:
            line.settimeout(5)
            with contextlib.suppress(OSError):
                _answer(line, scanner, stop)


def _answer(line: socket.socket, scanner: Scanner, stop: threading.Event) -> None:
    if scanner.mood == "silent":
        stop.wait(5)
        return
    if scanner.mood == "hangs_up":
        return
    if _exactly(line, 10) != b"zINSTREAM\0":
        line.sendall(b"UNKNOWN COMMAND\0")
        return
    content = b""
    while size := struct.unpack("!L", _exactly(line, 4))[0]:
        if len(content) + size > scanner.largest:
            line.sendall(b"INSTREAM size limit exceeded. ERROR\0")
            return
        content += _exactly(line, size)
    scanner.seen.append(content)
    if scanner.mood == "confused":
        line.sendall(b"stream: Can't allocate memory ERROR\0")
        return
    if scanner.mood == "unread":
        line.sendall(b"stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0")
        return
    # in two pieces, as a network may bring it
    line.sendall(b"stream: ")
    line.sendall(b"Win.Test.EICAR_HDB-1 FOUND\0" if EICAR in content else b"OK\0")


def _exactly(line: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = line.recv(size - len(found))
        if not part:
            raise ConnectionResetError
        found += part
    return found
