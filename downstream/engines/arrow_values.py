"""Rows of Arrow data as Python values, also where Python has no value of the kind: then as text, or as bytes."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

_AT_ONCE = 1_000


def rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """Each row by its columns' names; some hundreds at a time become Python values.

    A column of a name that was there before is told as `name (2)`. Times finer than a microsecond, and dates and times
    outside of the years 1 to 9999, come as ISO 8601 text; text that is not UTF-8 comes as bytes.
    """
    names = distinct(batch.schema.names)
    for start in range(0, batch.num_rows, _AT_ONCE):
        piece = batch.slice(start, _AT_ONCE)
        columns = [_values(column) for column in piece.columns]
        for values in zip(*columns, strict=True):
            yield dict(zip(names, values, strict=True))


def distinct(names: list[str]) -> list[str]:
    """The names, each told from those before it that are the same."""
    found: list[str] = []
    for name in names:
        number, one = 1, name
        while one in found:
            number += 1
            one = f"{name} ({number})"
        found.append(one)
    return found


def _values(column: "pa.Array[Any]") -> list[Any]:
    if isinstance(column, pa.DictionaryArray):
        # a long value that many rows name is held once
        used: Any = pc.unique(column.indices).drop_null()
        named = dict(zip(used.to_pylist(), _values(column.dictionary.take(used)), strict=True))
        return [named.get(number) for number in column.indices.to_pylist()]
    if not _has_fine_times(column.type):
        try:
            return list(column.to_pylist())
        except (ValueError, OverflowError):
            pass
    return [value_of(scalar) for scalar in column]


def _has_fine_times(of: pa.DataType) -> bool:
    """Whether it holds times that Python's own types cannot hold, at any depth."""
    if types.is_timestamp(of) or types.is_duration(of) or types.is_time64(of):
        return str(of.unit) == "ns"
    return any(_has_fine_times(of.field(number).type) for number in range(of.num_fields)) or (
        types.is_dictionary(of) and _has_fine_times(of.value_type)
    )


def value_of(scalar: Any) -> Any:
    """One value as Python holds it, or as text or bytes where it cannot."""
    if not scalar.is_valid:
        return None
    of = scalar.type
    if types.is_dictionary(of):
        return value_of(scalar.value)
    if types.is_struct(of):
        return {of.field(number).name: value_of(scalar[number]) for number in range(of.num_fields)}
    if types.is_map(of):
        return [(value_of(pair[0]), value_of(pair[1])) for pair in scalar.values]
    if types.is_list(of) or types.is_large_list(of) or types.is_fixed_size_list(of):
        return [value_of(one) for one in scalar.values]
    return _plain(scalar, of)


def _plain(scalar: Any, of: pa.DataType) -> Any:
    if types.is_timestamp(of) or types.is_duration(of) or types.is_time64(of):
        return _time(scalar, of)
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        return scalar.as_buffer().to_pybytes()
    except (ValueError, OverflowError):
        return str(pc.cast(scalar, pa.string()).as_py())


def _time(scalar: Any, of: Any) -> Any:
    if of.unit == "ns" and scalar.value % 1_000 == 0:
        coarse: Any = pa.scalar(scalar.value // 1_000, pa.int64())
        if types.is_timestamp(of):
            scalar = coarse.cast(pa.timestamp("us", of.tz))
        else:
            scalar = coarse.cast(pa.duration("us") if types.is_duration(of) else pa.time64("us"))
    elif of.unit == "ns" and types.is_duration(of):
        return f"PT{scalar.value / 1_000_000_000:.9f}S"
    elif of.unit == "ns":
        return _as_text(scalar)
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        return _as_text(scalar)


def _as_text(scalar: Any) -> str:
    text = str(pc.cast(scalar, pa.string()).as_py())
    # after the year 32767 Arrow has no text for it either
    return f"{scalar.value} {scalar.type.unit} since 1970" if text.startswith("<") else text.replace(" ", "T")
