"""What is told of a file that is taken apart, and how much of it there may be."""

import re
from collections.abc import Callable

from requests_app.file_contents import frames
from requests_app.file_contents.kinds import LARGEST, Unseen

_PIECE = frames.MOST // 4
"""Letters of one frame, each of which has at most four bytes."""
OVERLAP = 8_192
"""Letters that are told twice: more than the longest words have, so that none hide between two frames."""
_HALVES = re.compile(r"[\ud800-\udfff]")
_LONGEST_PLACE = 200


class TooMuch(Exception):
    """More than is looked at: in bytes, in files, or within each other."""


class Teller:
    """Tells in frames, and counts what was unpacked and told."""

    def __init__(self, send: Callable[[bytes], object]) -> None:
        self._send = send
        self._files = self._told = 0
        self._place = ""
        self.room = LARGEST
        """Bytes that may be unpacked still."""

    def at(self, place: str) -> None:
        """What follows is there; nothing is told again of where one is already."""
        if place != self._place:
            self._place = place
            self._send(frames.of(frames.PLACE, _bytes(place[-_LONGEST_PLACE:])))

    def text(self, said: str) -> None:
        self._text(frames.TEXT, said)

    def laid_out(self, said: str) -> None:
        self._text(frames.LAID_OUT, said)

    def unseen(self, why: Unseen, place: str) -> None:
        self.at(place)
        self._send(frames.of(frames.UNSEEN, why.encode()))

    def unpacked(self, size: int) -> None:
        """Raises TooMuch."""
        self.room -= size
        if self.room < 0:
            raise TooMuch

    def counts(self, most: int) -> None:
        """One more file. Raises TooMuch."""
        self._files += 1
        if self._files > most:
            raise TooMuch

    def _text(self, kind: bytes, said: str) -> None:
        """Raises TooMuch: the same text may be drawn a thousand times."""
        self._told += len(said)
        if self._told > 4 * LARGEST:
            raise TooMuch
        for start in range(0, len(said), _PIECE - OVERLAP):
            if start == 0 or start + OVERLAP < len(said):
                self._send(frames.of(kind, _bytes(said[start : start + _PIECE])))


def _bytes(said: str) -> bytes:
    return _HALVES.sub("\N{REPLACEMENT CHARACTER}", said).encode()
