"""Takes a file apart, and what is in it, and tells all text; bounded in depth, number and bytes.

It believes no size that a file states of itself: what is unpacked is counted, whatever is said.
"""

import io
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from typing import IO

from requests_app.file_contents import kinds, pdf
from requests_app.file_contents.kinds import Unseen
from requests_app.file_contents.telling import Teller, TooMuch

DEEPEST = 4
"""Files within files."""
MOST_FILES = 5_000
TAG = re.compile(r"<[^<>]*>")
_GZIP = 31
_BROKEN = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, ValueError, KeyError, IndexError),
    *(NotImplementedError, RuntimeError, OSError, AttributeError, TypeError, OverflowError),
)
"""What the readers of archives say of hostile ones, in whatever words."""


def take_apart(content: bytes, teller: Teller, *, place: str = "", depth: int = 0) -> None:
    """Tell everything that this file says. Raises TooMuch, MemoryError."""
    if depth > DEEPEST:
        raise TooMuch
    teller.at(place)
    kind = kinds.kind_of(content[: kinds.HEAD])

    def inner(data: bytes, name: str) -> None:
        take_apart(data, teller, place=f"{place}/{name}" if place else name, depth=depth + 1)

    try:
        match kind:
            case "pdf":
                pdf.read(content, teller, place=place, attached=inner)
            case "zip":
                _zip(content, teller, place, inner)
            case "gzip":
                inner(_unpacked(content, teller), "…")
            case "tar":
                _tar(content, teller, place, inner)
            case "picture":
                teller.unseen(Unseen.PICTURE, place)
                teller.text(kinds.plain_runs(content))
            case _:
                text(content, teller, place, is_known=kind != "unknown")
    except RecursionError:
        raise TooMuch from None
    except _BROKEN:
        teller.unseen(Unseen.DAMAGED, place)


def text(content: bytes, teller: Teller, place: str, *, is_known: bool = True) -> None:
    """Tell what is text, with and without the marks of XML and HTML.

    Marks may stand within a word, each part with its own look, or between two words, each in a paragraph. Within a
    mark stand who commented, and where a link leads.
    """
    encoding = kinds.encoding_of(content)
    said = content.decode(encoding, "ignore")
    if kinds.is_no_text(said):
        teller.unseen(Unseen.UNKNOWN, place)
        teller.text(kinds.plain_runs(content))
        return
    if not is_known:
        teller.unseen(Unseen.UNKNOWN, place)
    if encoding == "utf-8" and len(said.encode()) != len(content):
        # what is no UTF-8 has one letter a byte
        said = content.decode("latin-1")
    if kinds.carries_files(said):
        teller.unseen(Unseen.CARRIED, place)
    teller.text(said)
    if "<" in said:
        teller.text(TAG.sub("", said))
        teller.text(TAG.sub(" ", said))


def _zip(content: bytes, teller: Teller, place: str, inner: Callable[[bytes, str], None]) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = archive.infolist()
        # what says itself that it is too much is not even begun
        if sum(one.file_size for one in parts) > teller.room:
            raise TooMuch
        teller.text(archive.comment.decode("utf-8", "replace"))
        for one in parts:
            teller.counts(MOST_FILES)
            teller.text(f"{one.filename}\n{one.comment.decode('utf-8', 'replace')}")
            if one.flag_bits & 1:
                teller.unseen(Unseen.LOCKED, place)
            elif not one.is_dir():
                with archive.open(one) as opened:
                    data = _read(opened, teller)
                inner(data, one.filename)
                teller.at(place)


def _tar(content: bytes, teller: Teller, place: str, inner: Callable[[bytes, str], None]) -> None:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        for one in archive:
            teller.counts(MOST_FILES)
            said = [one.name, one.linkname, one.uname, one.gname, *map(str, one.pax_headers.values())]
            teller.text("\n".join(said))
            opened = archive.extractfile(one) if one.isreg() else None
            if opened is not None:
                with opened:
                    data = _read(opened, teller)
                inner(data, one.name)
                teller.at(place)


def _read(opened: IO[bytes], teller: Teller) -> bytes:
    data = opened.read(teller.room + 1)
    teller.unpacked(len(data))
    return data


def _unpacked(content: bytes, teller: Teller) -> bytes:
    """All members of a gzip file (RFC 1952, 2.2). Raises zlib.error also where something else follows."""
    pieces, rest = [], content
    while rest:
        member = zlib.decompressobj(_GZIP)
        piece = member.decompress(rest, teller.room + 1)
        teller.unpacked(len(piece))
        teller.counts(MOST_FILES)
        if not member.eof:
            raise zlib.error
        pieces.append(piece)
        rest = member.unused_data.lstrip(b"\0")
    return b"".join(pieces)
