"""What a row has beside its columns: content that is read only where somebody wants it, such as a picture."""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from downstream.engines.errors import ConnectorError

_IN_MEMORY = 8 * 2**20
_PIECE = 2**20


@dataclass(frozen=True)
class Attached:
    """Bytes that belong to a row. They can be read until the next row is asked for, as often as wanted."""

    name: str
    size: int
    sha256: str
    read: Callable[[], Iterator[bytes]] = field(repr=False, compare=False)
    """The content, piece by piece; raises ConnectorError(`row_passed`) once another row was asked for."""


class Aside:
    """Where content waits while the rest of its row is read: in memory, or in a file without a name where it is much.

    One for all content of one file that is read, so that it takes one handle, whatever the number of rows.
    """

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  (closed by __exit__)
        self._size = self._round = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._round += 1
        self._file.close()

    def keep(self, name: str, pieces: Iterable[bytes]) -> Attached:
        """Take the content in."""
        start, digest, of = self._size, hashlib.sha256(), self._round
        self._file.seek(start)
        for piece in pieces:
            digest.update(piece)
            self._size += self._file.write(piece)
        end = self._size
        return Attached(name, end - start, digest.hexdigest(), lambda: self._read(start, end, of))

    def clear(self) -> None:
        """Forget everything that was taken in."""
        self._round += 1
        self._size = 0
        self._file.seek(0)
        self._file.truncate()

    def _read(self, start: int, end: int, of: int) -> Iterator[bytes]:
        while start < end:
            if of != self._round:
                raise ConnectorError(
                    "row_passed", "What belongs to a row is read before the next row is asked for.", permanent=True
                )
            self._file.seek(start)
            piece = self._file.read(min(_PIECE, end - start))
            start += len(piece)
            yield piece
