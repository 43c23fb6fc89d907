"""What the columns of a table are: how it holds keys and times, and by which expressions they are compared."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy import types

from downstream.connectors.base import ConnectorError, Spans
from downstream.connectors.sql_places import Place
from downstream.engines.key_columns import KeyForm, form_of
from downstream.engines.spans import TimeForm, time_form

_NOT_PLAIN = (types.CHAR, types.Enum)
# what Python and Arrow can hold of times; earlier, later and infinite ones count as these
_FIRST, _LAST = datetime(1, 1, 2), datetime(9999, 12, 30)  # noqa: DTZ001  (zone added where the column has one)


@dataclass(frozen=True)
class Columns:
    """One table's key and time columns, as expressions, and the forms to compare them in."""

    table: sa.Table
    key: "sa.ColumnElement[Any]"
    form: KeyForm
    created: "sa.ColumnElement[Any]"
    """NULL where the dataset does not say which column tells when a row was made."""
    times: TimeForm | None
    arrow_time: pa.DataType

    @property
    def probe_type(self) -> Any:
        """The type of a column that keys are joined from."""
        return {"text": sa.Text(), "integer": sa.BigInteger(), "uuid": sa.Uuid()}[self.form.family]

    def natives(self, keys: Iterable[str]) -> dict[Any, list[str]]:
        """Those keys that can be of the column's form, each with the texts that name it."""
        found: dict[Any, list[str]] = {}
        for row in self.form.table(keys).to_pylist():
            native = uuid.UUID(hex=row["probe"]) if self.form.family == "uuid" else row["probe"]
            found.setdefault(native, []).append(row["text"])
        return found

    def inside(self, times: list[Any], spans: Spans, part: int) -> list[bool]:
        """Which of these times lie in the spans of that part, or cannot be told."""
        if self.times is None:
            raise ValueError("spans need a column that says when a row was made")
        column = pa.chunked_array([pa.array(times, self.arrow_time)])
        return [bool(one) for one in self.times.inside(column, spans.parts[part].spans)]


def look(connection: sa.Connection, place: Place, key_column: str, *, with_times: bool) -> Columns:
    """The table's columns as they are now. Raises ConnectorError for those that Heed cannot compare."""
    found = reflected(connection, place)
    if key_column not in found:
        raise ConnectorError(
            "key_column_missing", f"{place.table} has no column {key_column}; name the one with the key.",
            permanent=True,
        )  # fmt: skip
    table = sa.Table(
        place.table, sa.MetaData(), *(sa.Column(name, one.kind) for name, one in found.items()), schema=place.schema
    )
    key: sa.ColumnElement[Any] = table.c[key_column]
    form = _key_form(place.table, key_column, found[key_column])
    if form.family == "text" and not place.is_postgres:
        key = sa.type_coerce(key, sa.Text()).collate("BINARY")
    arrow_time = _arrow_time(place, found) if with_times else pa.null()
    return Columns(
        table=table,
        key=key,
        form=form,
        created=_comparable(table.c[place.created_column], arrow_time, place) if with_times else sa.null(),
        times=time_form(place.table, place.created_column, arrow_time) if with_times else None,
        arrow_time=arrow_time,
    )


@dataclass(frozen=True)
class Reflected:
    """A column as the database tells of it: the type to compare it in, and as people call it."""

    kind: Any
    called: str


def reflected(connection: sa.Connection, place: Place) -> dict[str, Reflected]:
    """All columns by name, in order. Raises ConnectorError(`dataset_missing`)."""
    found = _of_postgres(connection, place) if place.is_postgres else _of_sqlite(connection, place)
    if not found:
        raise ConnectorError(
            "dataset_missing",
            f"The table {place.full_name} does not exist, or Heed's role cannot see it.",
            permanent=True,
        )
    return found


_POSTGRES: dict[str, Any] = {
    "text": types.Text(),
    "varchar": types.Text(),
    "int2": types.SmallInteger(),
    "int4": types.Integer(),
    "int8": types.BigInteger(),
    "uuid": types.Uuid(),
    "bool": types.Boolean(),
    "date": types.Date(),
    "timestamp": types.DateTime(),
    "timestamptz": types.DateTime(timezone=True),
}
"""The types that Heed compares; of any other it only knows the name."""


def _of_postgres(connection: sa.Connection, place: Place) -> dict[str, Reflected]:
    query = """
        SELECT a.attname AS name, t.typname AS kind, format_type(a.atttypid, a.atttypmod) AS called
        FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = to_regclass(:named) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
    """
    rows = connection.execute(sa.text(query), {"named": place.quoted_name})
    return {row.name: Reflected(_POSTGRES.get(row.kind, types.NullType()), row.called) for row in rows}


def _of_sqlite(connection: sa.Connection, place: Place) -> dict[str, Reflected]:
    try:
        found = sa.inspect(connection).get_columns(place.table)
    except sa.exc.NoSuchTableError:
        return {}
    return {one["name"]: Reflected(one["type"], str(one["type"]).lower()) for one in found}


def _key_form(table: str, column: str, found: Reflected) -> KeyForm:
    kind = found.kind
    if isinstance(kind, types.Integer):
        return form_of(table, column, pa.int64())
    if isinstance(kind, types.Uuid):
        return form_of(table, column, pa.uuid())
    if isinstance(kind, types.String) and not isinstance(kind, _NOT_PLAIN):
        return form_of(table, column, pa.large_string())
    raise ConnectorError(
        "key_column_unsupported",
        f"{table}: the key column {column} is of type {found.called}; it has to be text or varchar, an integer, "
        "or a uuid.",
        permanent=True,
    )


def _arrow_time(place: Place, found: dict[str, Reflected]) -> pa.DataType:
    name = place.created_column
    if name not in found:
        raise ConnectorError(
            "created_column_missing", f"{place.table} has no column {name or 'that tells times'}.", permanent=True
        )
    kind = found[name].kind
    if not place.is_postgres and isinstance(kind, types.DateTime | types.Date):
        return pa.string()
    if isinstance(kind, types.DateTime):
        return pa.timestamp("us", "UTC") if kind.timezone else pa.timestamp("us")
    if isinstance(kind, types.Date):
        return pa.date32()
    if isinstance(kind, types.String) and not isinstance(kind, _NOT_PLAIN):
        return pa.string()
    raise ConnectorError(
        "created_column_unsupported",
        f"{place.table}: the column {name} is of type {found[name].called}; it has to be a timestamp, a date or "
        "ISO 8601 text.",
        permanent=True,
    )


def _comparable(column: "sa.Column[Any]", arrow: pa.DataType, place: Place) -> "sa.ColumnElement[Any]":
    if arrow == pa.string():
        return sa.type_coerce(column, sa.Text())
    first, last = (sa.cast(sa.literal(one.isoformat(" ")), column.type) for one in (_FIRST, _LAST))
    limited = sa.func.least(sa.func.greatest(column, first), last, type_=column.type)
    return sa.case((column.is_(None), sa.cast(sa.null(), column.type)), else_=limited)
