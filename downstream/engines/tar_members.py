"""The members of a tar in their order, strictly: what other readers would pass over in silence is refused.

Of the formats it knows V7, ustar, GNU (long names, numbers in base 256) and pax, from POSIX.1-2001. Members that are
no files of their own (links, devices, sparse files) are refused: without others they would mean something else.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

from downstream.engines.base import DataFile
from downstream.engines.errors import ConnectorError

BLOCK, RECORD = 512, 10_240
_ZEROS = bytes(BLOCK)
_FILES, _FOLDER = (b"0", b"\0", b"7"), b"5"
_PAX, _PAX_OF_ALL, _LONG_NAME, _LONG_LINK = b"x", b"g", b"L", b"K"
_LONGEST_EXTENSION = 1 << 20
_PIECE = 1 << 20


@dataclass
class Member:
    """One member. What of its body is not read before the next one is asked for is passed over."""

    name: str
    head: bytes = field(repr=False)
    """All blocks before its body, those of long names included."""
    size: int
    body: "Body" = field(repr=False)
    is_file: bool = True
    """False for a folder, for headers of the whole tar, and at its end."""
    is_end: bool = False


class Body:
    """A member's content and what fills its last block."""

    def __init__(self, file: DataFile, stream: io.BufferedReader, size: int) -> None:
        self._file, self._stream = file, stream
        self._size, self._left = size, size + -size % BLOCK

    def content(self) -> bytes:
        """All of it at once, without what fills the last block."""
        return b"".join(self.pieces())[: self._size]

    def exact(self) -> Iterator[bytes]:
        """The same piece by piece."""
        left = self._size
        for piece in self.pieces():
            if left:
                yield piece[:left]
            left -= min(left, len(piece))

    def pieces(self) -> Iterator[bytes]:
        """What was not read yet, as it is there."""
        while self._left:
            piece = self._stream.read(min(self._left, _PIECE))
            if not piece:
                raise cut_off(self._file)
            self._left -= len(piece)
            yield piece


def members(file: DataFile, stream: io.BufferedReader) -> Iterator[Member]:
    """Each member, and at last one whose head is the zeros at the end. Raises ConnectorError."""
    while block := stream.read(BLOCK):
        if block == _ZEROS:
            yield Member("", block + _rest_of_zeros(file, stream), 0, Body(file, stream, 0), is_file=False, is_end=True)
            return
        member = _member(file, stream, block)
        yield member
        for _ in member.body.pieces():
            pass


def _member(file: DataFile, stream: io.BufferedReader, block: bytes) -> Member:
    head, extended = [], dict[str, str]()
    while True:
        _check(file, block)
        head.append(block)
        flag, size = block[156:157], _number(file, block[124:136])
        if flag not in (_PAX, _PAX_OF_ALL, _LONG_NAME, _LONG_LINK):
            break
        if size > _LONGEST_EXTENSION:
            refuse(file, "a header of more than a megabyte")
        content = b"".join(Body(file, stream, size).pieces())
        head.append(content)
        if flag == _PAX_OF_ALL:
            return _of_all(file, _pax(file, content[:size]), b"".join(head), stream)
        if flag == _PAX:
            extended |= _pax(file, content[:size])
        elif flag == _LONG_NAME:
            extended["path"] = content[:size].rstrip(b"\0").decode("utf-8", "surrogateescape")
        block = stream.read(BLOCK)
    if flag not in (*_FILES, _FOLDER):
        refuse(file, "a link, a device, a sparse file or something else that is no file of its own")
    size = _size(file, extended, 0 if flag == _FOLDER else size)
    return Member(
        extended.get("path", _name(block)), b"".join(head), size, Body(file, stream, size), is_file=flag in _FILES
    )


def _of_all(file: DataFile, told: dict[str, str], head: bytes, stream: io.BufferedReader) -> Member:
    if not told.keys().isdisjoint({"path", "size", "linkpath"}):
        refuse(file, "a header that gives all members one name or size")
    return Member("", head, 0, Body(file, stream, 0), is_file=False)


def _size(file: DataFile, extended: dict[str, str], size: int) -> int:
    if any(name.startswith("GNU.sparse") for name in extended):
        refuse(file, "a sparse file")
    told = extended.get("size", str(size))
    if not told.isdecimal():
        raise cut_off(file)
    return int(told)


def _check(file: DataFile, block: bytes) -> None:
    """Raises ConnectorError unless it is a header: a whole block whose sum is the one that it names."""
    if len(block) < BLOCK:
        raise cut_off(file)
    told = _number(file, block[148:156])
    plain = block[:148] + b" " * 8 + block[156:]
    if told not in (sum(plain), sum(plain) - 256 * sum(byte > 127 for byte in plain)):
        raise cut_off(file)


def _number(file: DataFile, text: bytes) -> int:
    if text[0] & 0x80:
        return int.from_bytes(text[1:])
    digits = text.split(b"\0", 1)[0].strip() or b"0"
    try:
        return int(digits, 8)
    except ValueError:
        raise cut_off(file) from None


def _name(block: bytes) -> str:
    name = block[:100].split(b"\0", 1)[0]
    if block[257:263] == b"ustar\0" and (prefix := block[345:500].split(b"\0", 1)[0]):
        name = prefix + b"/" + name
    return name.decode("utf-8", "surrogateescape")


def _pax(file: DataFile, content: bytes) -> dict[str, str]:
    found, at = dict[str, str](), 0
    while at < len(content):
        length, _, _ = content[at : at + 20].partition(b" ")
        if not length.isdigit() or not int(length):
            raise cut_off(file)
        name, _, value = content[at + len(length) + 1 : at + int(length) - 1].partition(b"=")
        found[name.decode("utf-8", "surrogateescape")] = value.decode("utf-8", "surrogateescape")
        at += int(length)
    return found


def _rest_of_zeros(file: DataFile, stream: io.BufferedReader) -> bytes:
    rest = []
    while piece := stream.read(_PIECE):
        if piece.strip(b"\0"):
            refuse(file, "more behind its end, which some readers see and others do not")
        rest.append(piece)
    return b"".join(rest)


def cut_off(file: DataFile) -> ConnectorError:
    """What is said of a tar that is damaged."""
    return ConnectorError(
        "dataset_unreadable",
        f"{file.name} is no whole tar: it is damaged, cut off or still being written; restore or remove it.",
        permanent=True,
    )


def refuse(file: DataFile, what: str) -> NoReturn:
    """What is said of a tar that could not be written the same but for its samples."""
    raise ConnectorError(
        "unsupported_member", f"{file.name} holds {what}; have its owner pack it without.", permanent=True
    )
