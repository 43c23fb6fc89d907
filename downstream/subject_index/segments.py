"""A segment: what the index knows of one version of one data file, in a file of its own beside the worker.

It says itself which version it was made of and under which secret, so there is no catalogue that could disagree with
it, and anybody may delete it at any time. What is torn, cut off or damaged is noticed when it is read: its tail has a
checksum, and so has each page of the filters, of which a look for one key reads two per filter. So it need not be
brought to disk when it is written.

    filters | about (JSON) | directory of filters | checksums of pages | lengths, checksum of the tail, magic
"""

import json
import os
import secrets
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from downstream.subject_index.filters import LAYOUT, Bytes, Directory, Filter, Numbers
from portal.fault_points import reach

_MAGIC = b"HEEDIDX1"
_END = struct.Struct("<QIIII8s")
_PAGE = 4096
_LAST = 8192
TEMPORARY = ".tmp"


class Unusable(Exception):
    """There is no segment, or none that can be trusted: it has to be made anew."""


@dataclass(frozen=True)
class About:
    """Which version of which file a segment is of."""

    make: str
    """Of the hasher; see there."""
    name: str
    fingerprint: str
    settled: bool
    """False where the file had changed so shortly before that another change might leave the same fingerprint."""
    rows: int
    size: int
    family: str
    """Of the form in which it holds keys."""
    token: str
    """Of the file's header, as the engine tells it."""


class Writer:
    """Writes a segment filter by filter, so that none but the current one is in memory."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._filters: list[tuple[int, int, int, int, int]] = []
        self._sums: list[int] = []
        self._page = b""
        self._length = 0

    def add(self, group: int, rows: int, made: Filter) -> None:
        """One more filter, of a group of so many rows. Raises OSError."""
        self._filters.append((group, made.bits, made.entries, rows, self._length))
        data = made.data.tobytes()
        self._length += len(data)
        data = self._page + data
        full = len(data) // _PAGE * _PAGE
        self._sums += [zlib.crc32(data[at : at + _PAGE]) for at in range(0, full, _PAGE)]
        self._stream.write(data[:full])
        self._page = data[full:]

    def finish(self, about: About) -> None:
        """Raises OSError."""
        if self._page:
            self._sums.append(zlib.crc32(self._page))
        told = json.dumps(asdict(about)).encode()
        tail = told + np.array(self._filters, LAYOUT).tobytes() + np.array(self._sums, "<u4").tobytes()
        lengths = (self._length, len(told), len(self._filters), len(self._sums))
        self._stream.write(self._page + tail + _END.pack(*lengths, _checksum(tail, lengths), _MAGIC))


@contextmanager
def writing_to(path: Path) -> Iterator[Writer]:
    """A new segment, put in the place of an older one at the end, if all went well. Raises OSError."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}{TEMPORARY}")
    try:
        with temporary.open("xb") as stream:
            yield Writer(stream)
        reach("index.before_rename")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


class Segment:
    """An open segment: its tail, and the pages of its filters that are asked for, each held against its checksum."""

    def __init__(self, handle: int) -> None:
        size = os.fstat(handle).st_size
        last = os.pread(handle, _LAST, max(0, size - _LAST))
        if len(last) < _END.size:
            raise Unusable
        *lengths, checksum, magic = _END.unpack_from(last, len(last) - _END.size)
        body, told, filters, pages = lengths
        tail = size - body - _END.size
        if magic != _MAGIC or tail != told + filters * LAYOUT.itemsize + 4 * pages or -(-body // _PAGE) != pages:
            raise Unusable
        if len(last) < tail + _END.size:
            last = os.pread(handle, tail + _END.size, body)
        last = last[-tail - _END.size : -_END.size]
        if _checksum(last, lengths) != checksum:
            raise Unusable
        self.about = About(**json.loads(last[:told]))
        self.filters: Directory = np.frombuffer(last, LAYOUT, filters, told)
        self._sums = np.frombuffer(last, "<u4", pages, told + filters * LAYOUT.itemsize).tolist()
        self._handle = handle
        # takes memory only where it is written to
        self._data = np.empty(body, np.uint8)
        self._missing = np.ones(pages, dtype=bool)

    def read(self, first: Numbers, last: Numbers) -> Bytes:
        """See `filters.Body`. Raises Unusable."""
        wanted = np.zeros(len(self._sums), dtype=bool)
        begin, end = first.ravel() // _PAGE, last.ravel() // _PAGE
        for step in range(int((end - begin).max(initial=-1)) + 1):
            wanted[np.minimum(begin + step, end)] = True
        for page in np.flatnonzero(wanted & self._missing).tolist():
            part: Any = self._data[page * _PAGE : (page + 1) * _PAGE]
            read = os.preadv(self._handle, [part], page * _PAGE)
            if read != len(part) or zlib.crc32(part) != self._sums[page]:
                raise Unusable
            self._missing[page] = False
        return self._data


@contextmanager
def opened(path: Path) -> Iterator[Segment]:
    """The segment at this place. Raises Unusable, also while it is read."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        raise Unusable from None
    try:
        yield Segment(handle)
    except (OSError, ValueError, TypeError):
        raise Unusable from None
    finally:
        os.close(handle)


def _checksum(tail: bytes, lengths: "list[int] | tuple[int, ...]") -> int:
    return zlib.crc32(tail, zlib.crc32(repr(list(lengths)).encode()))
