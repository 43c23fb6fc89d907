"""Suppression lists as files: NDJSON, an Arrow stream, Parquet and a Roaring bitmap, each with its position in it.

All but the bitmap are given out while they are read from the database, so that memory stays flat at any length.
"""

import hashlib
import io
import json
import re
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import structlog
from django.db import DatabaseError
from pyroaring import BitMap64

from downstream.suppression import SuppressionList

logger = structlog.get_logger(__name__)

_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
"""The end-of-stream marker of the Arrow IPC format."""
_BROKEN = b"\xff\xff\xff\xff\x08\x00\x00\x00" + b"\xff" * 8
"""No message of the format: every reader stops here with an error."""
_WHOLE_NUMBER = re.compile(r"0|[1-9][0-9]{0,19}", re.ASCII)
_NO_HIGH_HALF = np.uint64(2**64 - 1)
_PIECE = 65_536
INTEGERS, HASHES = "integer", "sha256-64"


@dataclass(frozen=True)
class Bitmap:
    """A 64-bit Roaring bitmap in CRoaring's portable form, piece by piece; `of` is `integer` or `sha256-64`."""

    pieces: Iterator[bytes]
    of: str


def metadata(listed: SuppressionList, *, timeless: bool = False) -> dict[str, str]:
    """What a list says of itself, in every format; `timeless` without the moment at which it was asked for."""
    wanted = listed.wanted
    return {
        "heed.position": str(listed.position),
        "heed.at": "" if timeless else listed.at.isoformat(),
        "heed.purpose": wanted.question.purpose,
        "heed.recipient": wanted.question.recipient,
        "heed.category": wanted.question.category,
        "heed.scheme": wanted.scheme,
        "heed.dataset": wanted.dataset.slug if wanted.dataset else "",
        "heed.key_hash": wanted.dataset.key_hash if wanted.dataset else "",
        "heed.erased_not_listed": str(listed.erased_not_listed),
        "heed.spans": json.dumps(spans(listed)),
    }


def spans(listed: SuppressionList) -> list[dict[str, Any]]:
    """Holds over a span of data: rows made in them must be left out too."""
    return [
        {
            "hold": str(hold.pk),
            "jurisdictions": hold.jurisdictions,
            "data_from": hold.data_from.isoformat() if hold.data_from else None,
            "data_until": hold.data_until.isoformat() if hold.data_until else None,
        }
        for hold in listed.spans
    ]


def ndjson(listed: SuppressionList) -> Iterator[bytes]:
    """`{"key": …}` a line; the last line is `{"summary": …}`, without which the list was cut off."""
    count = 0
    for keys in listed.batches():
        count += len(keys)
        lines = bytearray()
        for key in keys:
            # one after the other: each takes a kilobyte while it is written, so not all at once
            lines += orjson.dumps({"key": key}, option=orjson.OPT_APPEND_NEWLINE)
        yield bytes(lines)
    said: dict[str, Any] = {name.removeprefix("heed."): value for name, value in metadata(listed).items()}
    said |= {"keys": count, "position": listed.position, "erased_not_listed": listed.erased_not_listed}
    yield orjson.dumps({"summary": {**said, "spans": spans(listed)}}, option=orjson.OPT_APPEND_NEWLINE)


def arrow(listed: SuppressionList) -> Iterator[bytes | memoryview]:
    """An Arrow IPC stream of the text column `key`."""
    schema = _schema(listed)
    yield memoryview(schema.serialize())
    try:
        for keys in listed.batches():
            yield memoryview(pa.record_batch([pa.array(keys, pa.string())], schema=schema).serialize())
    except DatabaseError as error:
        # the status is sent already; what follows is no message, so no reader takes the rest for all
        logger.warning("suppression.stream_broken", error=type(error).__name__)
        yield _BROKEN
    else:
        yield _END


def parquet(listed: SuppressionList) -> Iterator[bytes]:
    """A Parquet file of the text column `key`, a row group a batch; cut off it has no footer and cannot be read."""
    sink = _Drained()
    schema = _schema(listed)
    with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema, compression="zstd") as writer:
        for keys in listed.batches():
            writer.write_table(pa.table([pa.array(keys, pa.string())], schema=schema))
            yield from sink.drain()
    yield from sink.drain()


def bitmap(listed: SuppressionList) -> Bitmap:
    """The keys as numbers where every one is a whole number below 2⁶⁴, else 64-bit hashes of them.

    The hash is the first eight bytes of the SHA-256 of the key as it is on the list (UTF-8), big-endian. A bitmap is in
    order, so it begins only when all keys were read: eight bytes of memory for each, and more while they are sorted.
    """
    of = INTEGERS if all(_number(key) is not None for keys in listed.batches() for key in keys) else HASHES
    numbers = array("Q")
    for keys in listed.batches():
        numbers.extend(_number(key) or 0 if of == INTEGERS else _hash(key) for key in keys)
    return Bitmap(_serialized(np.unique(np.frombuffer(numbers, dtype=np.uint64))), of)


def _serialized(numbers: npt.NDArray[np.uint64]) -> Iterator[bytes]:
    """The portable form: how many 32-bit bitmaps there are, then each after its high half, some thousands at a time.

    RoaringFormatSpec, "Extension for 64-bit implementations".
    """
    begins = np.flatnonzero(np.diff(numbers >> np.uint64(32), prepend=_NO_HIGH_HALF))
    yield struct.pack("<Q", len(begins))
    # cut only where a new high half begins
    cuts = [*begins[::_PIECE].tolist(), len(numbers)]
    for start, end in pairwise(cuts):
        yield BitMap64(array("Q", numbers[start:end].tobytes())).serialize()[8:]


def _number(key: str) -> int | None:
    if not _WHOLE_NUMBER.fullmatch(key):
        return None
    number = int(key)
    return number if number < 2**64 else None


def _hash(key: str) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")


def _schema(listed: SuppressionList) -> pa.Schema:
    said: dict[bytes | str, bytes | str] = {}
    said.update(metadata(listed))
    return pa.schema([pa.field("key", pa.string(), nullable=False)], metadata=said)


class _Drained(io.RawIOBase):
    """A file that is only ever written on at its end, and whose bytes are taken away as they come."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._written = 0

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self._written += len(piece)
        return len(piece)

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def drain(self) -> Iterator[bytes]:
        pieces, self._pieces = self._pieces, []
        yield from pieces
