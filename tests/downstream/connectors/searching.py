"""Looks for words in every file of a folder, with nothing of Heed's: as somebody would who found the disk."""

import gzip
import zlib
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import zstandard


class Killed(BaseException):
    """As if the process had ended here."""


def dies_at(deletion: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """From that deletion of a file on, counted from 0, nothing is deleted any more."""
    real, counted = Path.unlink, iter(range(deletion))

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if next(counted, None) is None:
            raise Killed
        real(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)


def places(folder: Path, *words: str) -> list[str]:
    """The files, by path in the folder, that hold one of the words in their name or their content."""
    found = [path for path in sorted(folder.rglob("*")) if any(_holds(path, folder, word) for word in words)]
    return [path.relative_to(folder).as_posix() for path in found]


def _holds(path: Path, folder: Path, word: str) -> bool:
    if word in str(path.relative_to(folder)):
        return True
    if not path.is_file():
        return False
    content = path.read_bytes()
    return word.encode() in content or word.encode() in _unpacked(content, path)


def _unpacked(content: bytes, path: Path) -> bytes:
    if content.startswith(b"PAR1"):
        with pq.ParquetFile(path) as parquet:
            groups = [parquet.metadata.row_group(index) for index in range(parquet.num_row_groups)]
            statistics = [str(group.column(index).statistics) for group in groups for index in range(group.num_columns)]
            return repr((parquet.read().to_pylist(), statistics)).encode()
    if content.startswith(b"Obj\x01"):
        return b"".join(_avro_blocks(content))
    return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else b""


def _avro_blocks(content: bytes) -> list[bytes]:
    """The blocks of an Avro object container: texts stand in them as they are."""
    metadata, at = {}, 4
    count, at = _long(content, at)
    while count:
        if count < 0:
            count, (_, at) = -count, _long(content, at)
        for _ in range(count):
            name, at = _bytes(content, at)
            metadata[name], at = _bytes(content, at)
        count, at = _long(content, at)
    at += 16
    blocks = [repr(metadata).encode()]
    while at < len(content):
        _, at = _long(content, at)
        block, at = _bytes(content, at)
        blocks.append(_UNPACK[metadata.get(b"avro.codec", b"null")](block))
        at += 16
    return blocks


def _long(content: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = content[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), at


def _bytes(content: bytes, at: int) -> tuple[bytes, int]:
    size, at = _long(content, at)
    return content[at : at + size], at + size


_UNPACK: dict[bytes, Any] = {
    b"null": bytes,
    b"deflate": lambda block: zlib.decompress(block, -15),
    b"zstandard": lambda block: zstandard.ZstdDecompressor().decompressobj().decompress(block),
}
