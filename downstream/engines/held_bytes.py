"""Bytes of a Parquet file or of a part of one, on disk or in memory, and copying them without a look at them."""

import errno
import os
from dataclasses import dataclass
from typing import Protocol

_AT_ONCE = 4 * 2**20
_NO_COPY_IN_KERNEL = {errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EBADF, errno.ETXTBSY}


class EndsEarlyError(OSError):
    """The bytes that were asked for are not all there."""


@dataclass(frozen=True)
class Range:
    """A stretch of bytes."""

    start: int
    length: int

    @property
    def end(self) -> int:
        return self.start + self.length


NOWHERE = Range(0, 0)


class Held(Protocol):
    """What can be read at any place and copied to the end of an open file. Both raise OSError."""

    @property
    def size(self) -> int: ...

    def read(self, place: Range) -> bytes: ...

    def copy(self, place: Range, out: int) -> None: ...


@dataclass(frozen=True)
class InFile:
    """An open file from `base` on."""

    handle: int
    size: int
    base: int = 0

    @classmethod
    def all_of(cls, handle: int) -> "InFile":
        return cls(handle, os.fstat(handle).st_size)

    def read(self, place: Range) -> bytes:
        parts, position, end = [], self.base + place.start, self.base + place.end
        while position < end:
            part = os.pread(self.handle, end - position, position)
            if not part:
                raise EndsEarlyError(errno.EIO, "the file ends early")
            parts.append(part)
            position += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def copy(self, place: Range, out: int) -> None:
        done = self._copy_in_kernel(place, out)
        while done < place.length:
            part = self.read(Range(place.start + done, min(_AT_ONCE, place.length - done)))
            write_all(out, part)
            done += len(part)

    def _copy_in_kernel(self, place: Range, out: int) -> int:
        """How much of it the kernel has copied: where it cannot between these files, none."""
        done = 0
        while done < place.length and hasattr(os, "copy_file_range"):
            try:
                copied = os.copy_file_range(self.handle, out, place.length - done, self.base + place.start + done)
            except OSError as error:
                if error.errno not in _NO_COPY_IN_KERNEL:
                    raise
                break
            if not copied:
                break
            done += copied
        return done


@dataclass(frozen=True)
class InMemory:
    """Bytes that are here."""

    data: memoryview

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, place: Range) -> bytes:
        if place.end > len(self.data):
            raise EndsEarlyError(errno.EIO, "the data end early")
        return bytes(self.data[place.start : place.end])

    def copy(self, place: Range, out: int) -> None:
        write_all(out, self.data[place.start : place.end])


def write_all(out: int, data: bytes | memoryview) -> None:
    """Write all of it at the file's position. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(out, rest) :]
