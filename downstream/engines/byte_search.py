"""Searching the bytes of any file for keys, whatever the file is: what lies beside the data and readers do not see.

A key counts as found where it stands by itself; in a file that is not text, anywhere, because binary formats write
texts one after another without anything in between. Compressed files are opened up first, as far as they can be.
"""

import bz2
import gzip
import lzma
import re
import zlib
from collections.abc import Callable, Collection, Iterator
from typing import Any, BinaryIO

import polars as pl
import zstandard

from downstream.engines.errors import ConnectorError

_CHUNK = 1 << 20
_SHORTEST = 4
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_BZIP2, _XZ = b"BZh", b"\xfd7zXZ\0"
# zip, lz4, 7z, rar, snappy's frames, ORC, Avro, Arrow's files, Parquet: their pieces are packed each by itself
_CLOSED = (
    b"PK\x03\x04",
    b"\x04\x22\x4d\x18",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!",
    b"\xff\x06\0\0sNaP",
    b"ORC",
    b"Obj\x01",
    b"ARROW1",
    b"PAR1",
)
_OPENERS: dict[bytes, Callable[[BinaryIO], Any]] = {
    _GZIP: lambda stream: gzip.GzipFile(fileobj=stream),
    _BZIP2: bz2.BZ2File,
    _XZ: lzma.LZMAFile,
    _ZSTD: lambda stream: zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True),
}


def searchable(keys: Collection[str]) -> set[str]:
    """Keys that can be told from other bytes; shorter ones stand in every file by chance."""
    return {key for key in keys if len(key) >= _SHORTEST}


def is_closed(stream: BinaryIO) -> bool:
    """Whether the file is one whose content is packed in a way that a search of bytes cannot look into."""
    head = stream.read(16)
    stream.seek(0)
    return head.startswith(_CLOSED)


def holds_any(name: str, stream: BinaryIO, keys: Collection[str]) -> bool:
    """Whether any of the keys stands in the stream's bytes, as UTF-8. Flat memory. Raises ConnectorError."""
    # every byte as one letter, so that one search serves text and binary files
    wanted = sorted(key.encode().decode("latin-1") for key in searchable(keys))
    if not wanted:
        return False
    overlap = max(map(len, wanted)) + 1
    before = ""
    try:
        for chunk in _opened(stream):
            text = before + chunk.decode("latin-1")
            if _found(text, wanted):
                return True
            before = text[-overlap:]
    except (zlib.error, EOFError, gzip.BadGzipFile, lzma.LZMAError, zstandard.ZstdError):
        raise ConnectorError(
            "dataset_unreadable", f"{name} is compressed and cut off or damaged; restore or remove it.", permanent=True
        ) from None
    return False


def _opened(stream: BinaryIO) -> Iterator[bytes]:
    head = stream.read(6)
    stream.seek(0)
    opened = next((opens(stream) for mark, opens in _OPENERS.items() if head.startswith(mark)), stream)
    while chunk := opened.read(_CHUNK):
        yield chunk


def _found(text: str, wanted: list[str]) -> bool:
    hits = pl.Series([text]).str.extract_many(wanted, overlapping=True).item().unique().to_list()
    is_binary = "\0" in text
    return bool(hits) and (is_binary or any(stands_alone(text, hit) for hit in hits))


def stands_alone(text: str, key: str) -> bool:
    """Whether the key is in the text other than as a part of a longer word."""
    # a letter, a digit or a low line beside it makes another word of it
    return re.search(rf"(?<!\w){re.escape(key)}(?!\w)", text) is not None
