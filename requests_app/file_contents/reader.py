"""Has files taken apart by a process of its own, and hears what they say; nothing that one does to it gets further."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from requests_app.file_contents import frames
from requests_app.file_contents.kinds import Unseen

SECONDS = 60
"""That one file may take."""
MEGABYTES = 1024
"""Memory that taking one apart may need; the libraries alone need a tenth of it."""
_FOLDER = Path(__file__).resolve().parents[2]
_KEPT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG")
"""Of the environment: no secret and no address of a database."""


@dataclass(frozen=True)
class Told:
    """Text that is in a file, or why something in it cannot be looked into; `place` is where, within the file."""

    place: str = field(repr=False)
    text: str = field(default="", repr=False)
    is_laid_out: bool = False
    unseen: Unseen | None = None


class _Gone(Exception):
    """The process died or took too long."""


class Reader:
    """Takes files apart, one after the other, in `seconds` altogether; its process is there while one is needed."""

    def __init__(self, *, seconds: float) -> None:
        self._left = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def read(self, content: bytes) -> Iterator[Told]:
        """Everything that the file says. Where it ends before its end, that is told as something unseen."""
        if self._left <= 0:
            yield Told("", unseen=Unseen.NO_TIME)
            return
        began, is_whole = time.monotonic(), False
        try:
            yield from self._told(content, until=began + min(SECONDS, self._left))
            is_whole = True
        except (_Gone, OSError):
            yield Told("", unseen=Unseen.TOO_MUCH)
        finally:
            self._left -= time.monotonic() - began
            if not is_whole:
                self._stop()

    def _told(self, content: bytes, *, until: float) -> Iterator[Told]:
        process = self._started()
        seconds = max(1, int(until - time.monotonic()) + 1)
        for part in (frames.ASKED.pack(len(content), seconds, MEGABYTES), content):
            self._send(process, part, until)
        place = ""
        while True:
            kind, size = frames.HEAD.unpack(self._hear(process, frames.HEAD.size, until))
            said = self._hear(process, size, until).decode()
            match kind:
                case frames.END:
                    return
                case frames.PLACE:
                    place = said
                case frames.UNSEEN:
                    yield Told(place, unseen=Unseen(said))
                case _:
                    yield Told(place, said, is_laid_out=kind == frames.LAID_OUT)

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "requests_app.file_contents"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                cwd=_FOLDER,
                env={**kept, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"},
                # its children go with it
                start_new_session=True,
            )
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None  # noqa: S101 -- both were asked for
                os.set_blocking(pipe.fileno(), False)
        return self._process

    def _send(self, process: "subprocess.Popen[bytes]", content: bytes, until: float) -> None:
        assert process.stdin is not None  # noqa: S101 -- a pipe was asked for
        handle, rest = process.stdin.fileno(), memoryview(content)
        while rest:
            _wait(handle, select.POLLOUT, until)
            with suppress(BlockingIOError):
                rest = rest[os.write(handle, rest[: frames.MOST]) :]

    def _hear(self, process: "subprocess.Popen[bytes]", size: int, until: float) -> bytes:
        assert process.stdout is not None  # noqa: S101 -- a pipe was asked for
        heard, handle = bytearray(), process.stdout.fileno()
        while len(heard) < size:
            _wait(handle, select.POLLIN, until)
            with suppress(BlockingIOError):
                piece = os.read(handle, size - len(heard))
                if not piece:
                    raise _Gone
                heard += piece
        return bytes(heard)

    def _stop(self) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        # closes both pipes
        with process:
            pass


def _wait(handle: int, event: int, until: float) -> None:
    waiting = select.poll()
    waiting.register(handle, event)
    left = until - time.monotonic()
    if left <= 0 or not waiting.poll(left * 1000):
        raise _Gone
