"""What a key column may be, and how the keys of a batch are compared with it.

Keys arrive as text. A file may hold them as text, as an integer or as a UUID; they are then compared in that
form, never by printing the column. A key that cannot be of the column's form names nobody there.
"""

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from downstream.engines.errors import ConnectorError

_INTEGERS = {pa.int32(), pa.int64(), pa.uint32(), pa.uint64()}
_UUID_STORAGE = pa.binary(16)


@dataclass(frozen=True)
class KeyForm:
    """One way of holding keys: its Arrow type to compare in, and how DuckDB has to look at the column."""

    family: str
    arrow: pa.DataType
    duckdb: str = "{}"
    path: tuple[str, ...] = ()
    """The names that lead to the column inside structs; empty for a column of its own."""

    def values(self, keys: Iterable[str]) -> "pa.Array[Any]":
        """Those keys that can be of this form, in this form."""
        return pa.array([native for native, _ in self._pairs(keys)], self.arrow)

    def matches(self, column: "pa.ChunkedArray[Any]", values: "pa.Array[Any]") -> Any:
        """Which rows of the column hold one of these values; a null holds none."""
        return pc.is_in(pc.cast(column, self.arrow), value_set=values)

    def texts(self, natives: Iterable[Any]) -> list[str]:
        """Keys of this form as text, the way they are given to us."""
        if self.family == "uuid":
            return [str(uuid.UUID(bytes=one) if isinstance(one, bytes) else uuid.UUID(one)) for one in natives]
        return [str(one) for one in natives]

    def expression(self, key_column: str) -> str:
        """The column as SQL that compares with `probe` of `table`."""
        return self.duckdb.format(".".join(quote(part) for part in self.path or (key_column,)))

    def table(self, keys: Iterable[str]) -> pa.Table:
        """Those keys that can be of this form: `probe` to join with, `text` as it was given."""
        pairs = self._pairs(keys)
        texts = pa.array([text for _, text in pairs], pa.string())
        if self.family == "uuid":
            probes: pa.Array[Any] = pa.array([native.hex() for native, _ in pairs], pa.string())
        else:
            probes = pa.array([native for native, _ in pairs], self.arrow)
        return pa.table({"probe": probes, "text": texts})

    def _pairs(self, keys: Iterable[str]) -> list[tuple[Any, str]]:
        if self.family == "text":
            return [(text, text) for text in keys]
        parse = _PARSERS[self.family]
        pairs = [(native, text) for text in keys if (native := parse(text)) is not None]
        if self.family == "integer":
            low, high = _bounds(self.arrow)
            pairs = [pair for pair in pairs if low <= pair[0] <= high]
        return pairs


def form_of(name: str, key_column: str, column_type: pa.DataType) -> KeyForm:
    """The form of keys in this file. Raises ConnectorError where Heed cannot compare them."""
    if types.is_dictionary(column_type):
        column_type = column_type.value_type
    if types.is_string(column_type) or types.is_large_string(column_type) or types.is_string_view(column_type):
        return KeyForm("text", pa.large_string())
    if column_type in _INTEGERS:
        return KeyForm("integer", column_type)
    if column_type == pa.uuid():
        return KeyForm("uuid", _UUID_STORAGE, "replace({}::VARCHAR, '-', '')")
    if column_type == _UUID_STORAGE:
        # without the annotation DuckDB sees bytes
        return KeyForm("uuid", _UUID_STORAGE, "lower(hex({}))")
    raise ConnectorError(
        "key_column_unsupported",
        f"{name}: the key column {key_column} is of type {column_type}; "
        "it has to be text, a 32 or 64 bit integer, or a UUID.",
        permanent=True,
    )


def quote(identifier: str) -> str:
    """An SQL identifier, whatever it contains."""
    return '"' + identifier.replace('"', '""') + '"'


def _as_integer(text: str) -> int | None:
    # only the canonical spelling: "007" is another account than 7
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 20:
        return None
    number = int(text)
    return number if str(number) == text else None


def _as_uuid(text: str) -> bytes | None:
    try:
        parsed = uuid.UUID(text)
    except ValueError:
        return None
    return parsed.bytes if str(parsed) == text.lower() else None


_PARSERS: dict[str, Callable[[str], Any]] = {"integer": _as_integer, "uuid": _as_uuid}


def _bounds(integer: pa.DataType) -> tuple[int, int]:
    width = integer.bit_width
    if types.is_unsigned_integer(integer):
        return 0, 2**width - 1
    return -(2 ** (width - 1)), 2 ** (width - 1) - 1
