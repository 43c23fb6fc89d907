"""Columns of Arrow schemas by name or, inside structs, by a path such as `author.id`."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from downstream.engines.base import DataFile
from downstream.engines.errors import ConnectorError
from downstream.engines.key_columns import KeyForm, form_of, quote
from downstream.engines.spans import TimeForm, time_form


def path_of(schema: pa.Schema, column: str) -> tuple[str, ...] | None:
    """The names that lead to a column: its own where there is one, else its parts; None where there is none.

    DuckDB takes names for equal that differ only by case, so that one with such a sibling leads nowhere.
    """
    if column in schema.names:
        return (column,) if _is_alone(schema.names, column) else None
    parts = tuple(column.split("."))
    if not _is_alone(schema.names, parts[0]):
        return None
    inner: Any = schema.field(parts[0]).type
    for depth, part in enumerate(parts[1:], start=1):
        if types.is_list(inner) or types.is_large_list(inner) or types.is_fixed_size_list(inner):
            # as far as it goes: the list is what is refused
            return parts[:depth]
        if not types.is_struct(inner) or not _is_alone([one.name for one in inner], part):
            return None
        inner = inner.field(part).type
    return parts


def type_at(schema: pa.Schema, path: tuple[str, ...]) -> pa.DataType:
    """The type of the column that a path leads to."""
    found: Any = schema.field(path[0]).type
    for part in path[1:]:
        found = found.field(part).type
    of: pa.DataType = found
    return of


def column_at(rows: pa.Table | pa.RecordBatch, column: str) -> "pa.ChunkedArray[Any]":
    """The values of a column, its dictionary left behind."""
    path = path_of(rows.schema, column)
    if path is None:
        raise KeyError(column)
    found: Any = rows.column(path[0])
    for part in path[1:]:
        found = pc.struct_field(found, part)
    if types.is_dictionary(found.type):
        found = pc.cast(found, found.type.value_type)
    return found if isinstance(found, pa.ChunkedArray) else pa.chunked_array([found])


def as_sql(schema: pa.Schema, column: str) -> str:
    """A column as SQL; NULL for none."""
    path = path_of(schema, column) if column else None
    return ".".join(quote(part) for part in path) if path else "NULL"


def form_at(file: DataFile, schema: pa.Schema, key_column: str) -> KeyForm:
    """How this file holds keys. Raises ConnectorError where it does not, or not clearly."""
    return form_of(file.name, key_column, _found(file, schema, key_column, "key_column"))


def time_at(file: DataFile, schema: pa.Schema, created_column: str) -> TimeForm:
    """How this file says when a row was made. Raises ConnectorError where it does not, or not clearly."""
    return time_form(file.name, created_column, _found(file, schema, created_column, "created_column"))


def _found(file: DataFile, schema: pa.Schema, column: str, what: str) -> pa.DataType:
    path = path_of(schema, column)
    if path is None:
        raise ConnectorError(
            f"{what}_missing",
            f"{file.name} has no column {column}, or more than one that reads so but for case; "
            f"its columns are: {', '.join(schema.names)}.",
            permanent=True,
        )
    return type_at(schema, path)


def _is_alone(names: list[str], name: str) -> bool:
    return [one for one in names if one.casefold() == name.casefold()] == [name]
