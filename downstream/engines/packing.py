"""Files as streams of bytes, packed with gzip or zstd or not at all, told by their first bytes.

Several members or frames one after the other are one stream, as every reader takes them. What ends before its end is
refused, because what is missing could name a person. `isal` and `zstandard` read and write; `read_again` unpacks with
pyarrow, so that a fault of the first readers does not hide itself.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa
import zstandard
from isal import igzip, isal_zlib

from downstream.engines.base import DataFile
from downstream.engines.errors import ConnectorError, reading

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_SKIPPABLE = {bytes([0x50 + number]) + b"\x2a\x4d\x18" for number in range(16)}
_OTHERS = {b"BZh": "bzip2", b"\xfd7z": "xz", b"PK\x03": "zip", b"\x04\x22M": "lz4"}
_BUFFER = 1 << 20
# a few bytes of zstd can stand for megabytes; so little at once bounds what they can unpack to
_SIP = 2_048
_HAS_NAME, _HAS_EXTRA, _LONGEST_HEADER = 8, 4, 65_536
# `isal` types its own error as a number
_BROKEN: Any = (EOFError, zlib.error, isal_zlib.error, zstandard.ZstdError, struct.error)
# its signature says nothing of types
_GzipFile: Any = igzip.IGzipFile
_SUFFIXES = (".gz", ".zst", ".zstd")


@dataclass(frozen=True)
class Packing:
    """How a file is packed, and what of it a new version keeps."""

    codec: str
    """"", gzip or zstd."""
    name: str = ""
    """The name in gzip's header, where it is the file's own."""
    time: int = 0
    """The time in gzip's header, in seconds."""
    checksum: bool = False
    """Whether zstd's frames end with a checksum."""


def bare(name: str) -> str:
    """A file's name in lower case, without the suffix of its codec."""
    lower = name.lower()
    return next((lower.removesuffix(suffix) for suffix in _SUFFIXES if lower.endswith(suffix)), lower)


def packing_of(file: DataFile) -> Packing:
    """How the file is packed. Raises ConnectorError for codecs that Heed does not write."""
    with reading(file.name), Path(file.path).open("rb") as stream:
        head = stream.read(_LONGEST_HEADER)
    if head[:2] == _GZIP:
        return _gzip(file, head)
    if head[:4] == _ZSTD or head[:4] in _SKIPPABLE:
        return _zstd(head)
    if head[:3] in _OTHERS:
        raise ConnectorError(
            "unsupported_codec",
            f"{file.name} is packed with {_OTHERS[head[:3]]}; have it packed with gzip or zstd, or not at all.",
            permanent=True,
        )
    return Packing("")


@contextmanager
def read(file: DataFile) -> Iterator[io.BufferedReader]:
    """The unpacked bytes. Raises ConnectorError for whatever goes wrong while it is open."""
    codec = packing_of(file).codec
    with unpacking(file), Path(file.path).open("rb", buffering=0 if codec == "zstd" else _BUFFER) as packed:
        if codec == "gzip":
            with _GzipFile(fileobj=packed, mode="rb") as unpacked:
                yield io.BufferedReader(cast("io.RawIOBase", unpacked), _BUFFER)
        elif codec == "zstd":
            yield io.BufferedReader(_Frames(cast("io.RawIOBase", packed)), _BUFFER)
        else:
            yield cast("io.BufferedReader", packed)


@contextmanager
def read_again(file: DataFile) -> Iterator[io.BufferedReader]:
    """The unpacked bytes by another reader. Raises ConnectorError."""
    codec: Any = packing_of(file).codec
    with unpacking(file), pa.OSFile(file.path, "rb") as packed:
        source: Any = pa.CompressedInputStream(packed, codec) if codec else packed
        with source:
            yield io.BufferedReader(source, _BUFFER)


@contextmanager
def write(target: str, packing: Packing) -> Iterator[IO[bytes]]:
    """A stream whose bytes are packed into the file `target`."""
    with Path(target).open("wb") as plain:
        if packing.codec == "gzip":
            with _GzipFile(packing.name, "wb", 2, plain, packing.time) as gzip, _buffered(gzip) as stream:
                yield stream
        elif packing.codec == "zstd":
            compressor = zstandard.ZstdCompressor(level=3, write_checksum=packing.checksum)
            with compressor.stream_writer(plain, closefd=False) as zstd, _buffered(zstd) as stream:
                yield stream
        else:
            yield plain


@contextmanager
def unpacking(file: DataFile) -> Iterator[None]:
    """As `reading`, and turns what is wrong with the packed bytes into a ConnectorError."""
    try:
        with reading(file.name):
            yield
    except _BROKEN:
        raise ConnectorError(
            "dataset_unreadable",
            f"{file.name} cannot be unpacked: it is damaged, cut off or still being written; restore or remove it.",
            permanent=True,
        ) from None


@contextmanager
def _buffered(stream: Any) -> Iterator[IO[bytes]]:
    buffered = io.BufferedWriter(stream, _BUFFER)
    try:
        yield buffered
        buffered.flush()
    finally:
        # who opened it closes it, once what it has left is written
        buffered.detach()


def _gzip(file: DataFile, head: bytes) -> Packing:
    """By the first member's header (RFC 1952)."""
    if len(head) < 10:
        return Packing("gzip")
    flags, time, at, name = head[3], int.from_bytes(head[4:8], "little"), 10, ""
    if flags & _HAS_EXTRA:
        at += 2 + int.from_bytes(head[10:12], "little")
    if flags & _HAS_NAME:
        name = head[at : head.find(b"\0", at)].decode("latin-1")
    # another name could be anything, and stays in the new version only where everybody sees it anyway
    own = Path(file.name).name.removesuffix(".gz")
    return Packing("gzip", own if name == own else "", time)


def _zstd(head: bytes) -> Packing:
    try:
        return Packing("zstd", checksum=bool(zstandard.get_frame_parameters(head).has_checksum))
    except zstandard.ZstdError:
        return Packing("zstd")


class _Frames(io.RawIOBase):
    """zstd's frames one after the other, unpacked; an end inside one is told, which `zstandard` leaves out."""

    def __init__(self, packed: io.RawIOBase) -> None:
        self._packed = packed
        self._frame: Any = None
        self._rest = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            sip = self._rest or self._packed.read(_SIP)
            self._rest = b""
            if not sip:
                if self._frame is not None:
                    raise EOFError
                return 0
            if self._frame is None:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._ready = memoryview(self._frame.decompress(sip))
            if self._frame.eof:
                self._rest, self._frame = self._frame.unused_data, None
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count
