"""Arrow IPC streams from callers: each message is checked before memory is taken for it, each batch before its use.

pyarrow believes what a stream says of itself: an offset that points beyond the data ends the process, and a few bytes
may stand for any number of rows. So the framing is read here first (Arrow columnar format, "Encapsulated message
format"), and nothing is handed on that is compressed, or larger than what is stated below.
"""

import io
import struct
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MOST_ROWS = 1_000_000
"""Of one batch."""
MOST_BYTES = 128 << 20
"""Of one batch as it is sent, and of the text in any of its columns."""

_MOST_METADATA = 1 << 20
_CONTINUES = b"\xff\xff\xff\xff"
_SCHEMA, _DICTIONARY, _RECORDS = 1, 2, 3
"""Message.fbs, MessageHeader."""


def open_stream(source: Any) -> Any:
    """A reader of the stream in `source`, which has `read`; use `batches` on it.

    Raises pa.ArrowInvalid, OSError, and what `source` raises.
    """
    return pa.ipc.open_stream(_Checked(source))


def batches(reader: Any) -> Iterator[pa.RecordBatch]:
    """Its batches, each fit to be read. Raises what `open_stream` raises."""
    for batch in reader:
        yield checked(batch)


def checked(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch, if all that it points to is there. Raises pa.ArrowInvalid."""
    batch.validate(full=True)
    for column in batch.columns:
        if _length_of_text(column) > MOST_BYTES:
            raise pa.ArrowInvalid("A column's text is too long when it is written out.")
    return batch


def _length_of_text(column: Any) -> int:
    """Bytes of text that is written once and pointed to more often; 0 for any other column."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        lengths = _lengths(column.dictionary)
        return 0 if lengths is None else int(np.sum(lengths[_indices(column)]))
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        return int(np.sum(_lengths(column)))
    return 0


def _indices(column: Any) -> Any:
    known = column.indices.drop_null()
    return known.cast(pa.int64()).to_numpy(zero_copy_only=False)


def _lengths(texts: Any) -> Any:
    if pa.types.is_string_view(texts.type) or pa.types.is_binary_view(texts.type):
        # a view is 16 bytes, of which the first four are the length
        views = np.frombuffer(texts.buffers()[1] or b"", dtype=np.int32)
        return np.maximum(views[4 * texts.offset : 4 * (texts.offset + len(texts)) : 4], 0).astype(np.int64)
    if pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type):
        return pc.fill_null(pc.binary_length(texts), 0).cast(pa.int64()).to_numpy(zero_copy_only=False)
    return None


class _Checked(io.RawIOBase):
    """Hands a stream on in the pieces in which pyarrow reads it: a message's prefix, its metadata, its body."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._pieces: deque[memoryview] = deque()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> Any:
        if not self._pieces:
            self._pieces.extend(memoryview(one) for one in self._message() if one)
        if not self._pieces:
            return b""
        piece = self._pieces.popleft()
        if 0 <= size < len(piece):
            self._pieces.appendleft(piece[size:])
            piece = piece[:size]
        return piece

    def _message(self) -> tuple[bytes, ...]:
        prefix = self._source.read(8)
        if not prefix:
            return ()
        if len(prefix) < 8 or prefix[:4] != _CONTINUES:
            raise pa.ArrowInvalid("This is no message of an Arrow stream.")
        size = int.from_bytes(prefix[4:], "little")
        if not size:
            return (prefix,)
        if size > _MOST_METADATA:
            raise pa.ArrowInvalid("A message's metadata is too long.")
        metadata = self._exactly(size)
        try:
            length = _checked_length(metadata)
        except struct.error as error:
            raise pa.ArrowInvalid("A message's metadata is damaged.") from error
        return prefix, metadata, self._exactly(length)

    def _exactly(self, size: int) -> bytes:
        data: bytes = self._source.read(size) if size else b""
        if len(data) < size:
            raise pa.ArrowInvalid("The stream ends within a message.")
        return data


def _checked_length(metadata: bytes) -> int:
    """How long a message's body is. Raises pa.ArrowInvalid for what is not taken, struct.error for nonsense."""
    message = struct.unpack_from("<I", metadata)[0]
    kind = _number(metadata, message, 1, "<B")
    length = _number(metadata, message, 3, "<q")
    if kind not in {_SCHEMA, _DICTIONARY, _RECORDS}:
        raise pa.ArrowInvalid("A stream has a schema, dictionaries and batches, and nothing else.")
    if not 0 <= length <= MOST_BYTES:
        raise pa.ArrowInvalid("A batch is larger than what is taken at once.")
    if kind == _SCHEMA:
        return length
    batch = _table(metadata, message, 2)
    if kind == _DICTIONARY:
        if _number(metadata, batch, 2, "<B"):
            # deltas would add up without end
            raise pa.ArrowInvalid("A dictionary is sent as a whole.")
        batch = _table(metadata, batch, 1)
    if _field(metadata, batch, 3):
        raise pa.ArrowInvalid("A batch is compressed.")
    if not 0 <= _number(metadata, batch, 0, "<q") <= MOST_ROWS:
        raise pa.ArrowInvalid("A batch has more rows than what is taken at once.")
    return length


def _field(data: bytes, table: int, number: int) -> int:
    """Where a table's field is, 0 where it is left out (FlatBuffers internals, "Tables")."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    slot = 4 + 2 * number
    if slot >= struct.unpack_from("<H", data, vtable)[0]:
        return 0
    offset: int = struct.unpack_from("<H", data, vtable + slot)[0]
    return table + offset if offset else 0


def _table(data: bytes, table: int, number: int) -> int:
    place = _field(data, table, number)
    if not place:
        raise struct.error
    return place + int(struct.unpack_from("<I", data, place)[0])


def _number(data: bytes, table: int, number: int, form: str) -> int:
    place = _field(data, table, number)
    return int(struct.unpack_from(form, data, place)[0]) if place else 0
