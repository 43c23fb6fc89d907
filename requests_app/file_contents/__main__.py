"""The process that takes files apart: for each a child of its own, which may use so much memory and time and no more.

It reads files from its standard input and tells of them on its standard output (`frames`). A child that dies takes it
along, so that nobody takes half of what was said for the whole.
"""

import os
import resource
import signal
import sys
from contextlib import suppress

from requests_app.file_contents import frames
from requests_app.file_contents.kinds import Unseen
from requests_app.file_contents.taking_apart import take_apart
from requests_app.file_contents.telling import Teller, TooMuch

_IN, _OUT = 0, 1
_MEBIBYTE = 1 << 20


def main() -> int:
    """Until nothing more is asked."""
    while asked := _read(frames.ASKED.size):
        size, seconds, megabytes = frames.ASKED.unpack(asked)
        content = _read(size)
        if len(content) != size:
            return 1
        child = os.fork()
        if child == 0:
            os._exit(_take_apart(content, seconds, megabytes))
        _, status = os.waitpid(child, 0)
        if status:
            return 1
        _write(frames.of(frames.END, b""))
    return 0


def _take_apart(content: bytes, seconds: int, megabytes: int) -> int:
    _limit(resource.RLIMIT_AS, megabytes * _MEBIBYTE)
    _limit(resource.RLIMIT_CPU, seconds)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    teller = Teller(_write)
    try:
        take_apart(content, teller)
    except TooMuch:
        teller.unseen(Unseen.TOO_MUCH, "")
    except BaseException:
        # no memory, or no foreseen end; who asked takes the file for one that cannot be looked into
        return 1
    return 0


def _limit(what: int, most: int) -> None:
    # not every system knows each of them; the one that asks watches the clock too
    with suppress(ValueError, OSError):
        resource.setrlimit(what, (most, most))


def _read(size: int) -> bytes:
    content = bytearray()
    while len(content) < size and (piece := os.read(_IN, min(size - len(content), _MEBIBYTE))):
        content += piece
    return bytes(content)


def _write(content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(_OUT, rest) :]


if __name__ == "__main__":
    sys.exit(main())
