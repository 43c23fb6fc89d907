"""Columns of a dataset, as they are told to others: a name, a kind that every format knows, and the exact type."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyarrow import types

_KINDS = (
    (types.is_boolean, "boolean"),
    (types.is_integer, "integer"),
    (types.is_decimal, "number"),
    (types.is_floating, "number"),
    (types.is_timestamp, "datetime"),
    (types.is_date, "date"),
    (types.is_time, "time"),
    (types.is_string, "text"),
    (types.is_large_string, "text"),
    (types.is_string_view, "text"),
)
_LISTS = (types.is_list, types.is_large_list, types.is_fixed_size_list, types.is_list_view, types.is_large_list_view)


@dataclass(frozen=True)
class Column:
    """`kind` is text, integer, number, boolean, datetime, date, time, record or bytes; `type` is Arrow's own word.

    A `record` has columns of its own. `is_list`: any number of values in each row.
    """

    name: str
    kind: str
    type: str
    is_list: bool = False
    columns: tuple["Column", ...] = ()


def of_schema(schema: pa.Schema) -> tuple[Column, ...]:
    """The columns of a table of this schema."""
    return tuple(_column(field) for field in schema)


def stored(columns: tuple[Column, ...]) -> list[dict[str, Any]]:
    """The columns as plain values, to be kept."""
    return [
        {"name": one.name, "kind": one.kind, "type": one.type, "list": one.is_list, "columns": stored(one.columns)}
        for one in columns
    ]


def _column(field: "pa.Field[Any]") -> Column:
    kind, is_list = field.type, False
    if types.is_dictionary(kind):
        kind = kind.value_type
    if any(test(kind) for test in _LISTS):
        kind, is_list = kind.value_type, True
    inner = tuple(_column(kind.field(place)) for place in range(kind.num_fields)) if types.is_struct(kind) else ()
    return Column(field.name, "record" if inner else _kind(kind), str(field.type), is_list, inner)


def _kind(kind: pa.DataType) -> str:
    return next((word for test, word in _KINDS if test(kind)), "bytes")
