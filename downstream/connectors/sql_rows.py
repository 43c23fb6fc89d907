"""People's rows of a table in a database, with all their columns, a few at a time."""

from collections.abc import Collection, Iterator
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.adapt import Buffer, Loader
from psycopg.types.datetime import DateLoader, TimestampLoader, TimestamptzLoader
from sqlalchemy.types import NullType

from downstream.connectors import sql_leaving
from downstream.connectors.sql_columns import Columns
from downstream.connectors.sql_places import Place
from downstream.engines.arrow_values import distinct

_AT_ONCE = 500


class _OrText(Loader):
    """Times as Python holds them; what it cannot, such as infinity or the year 20000, as the database writes it."""

    of: type[Loader]

    def __init__(self, oid: int, context: Any = None) -> None:
        super().__init__(oid, context)
        self._loader = self.of(oid, context)

    def load(self, data: Buffer) -> Any:
        try:
            return self._loader.load(data)
        except psycopg.DataError:
            return bytes(data).decode()


class _Date(_OrText):
    of = DateLoader


class _Timestamp(_OrText):
    of = TimestampLoader


class _Timestamptz(_OrText):
    of = TimestamptzLoader


class _Text(Loader):
    """As the database writes it: durations in ISO 8601, which may be of months, as no type of Python's is."""

    def load(self, data: Buffer) -> str:
        return bytes(data).decode()


class _Vector(Loader):
    """pgvector's `vector` and `halfvec` as numbers; they are written as `[1,2,3]`."""

    def load(self, data: Buffer) -> list[float]:
        return [float(one) for one in bytes(data).decode().strip("[]").split(",") if one]


def rows(connection: sa.Connection, place: Place, columns: Columns, keys: Collection[str]) -> Iterator[dict[str, Any]]:
    """The rows of the keys as the database's driver tells them. What SQLite calls a time is the text that is there."""
    natives = columns.natives(keys)
    if not natives:
        return
    if place.is_postgres:
        _set_up(connection)
    wanted = sql_leaving.wanted_table(connection, place, columns, natives)
    names = distinct([column.name for column in columns.table.c])
    # untyped, so that nothing is made of a value but what the driver does
    each = [sa.type_coerce(column, NullType()).label(f"c{number}") for number, column in enumerate(columns.table.c)]
    query = sa.select(*each).select_from(wanted.join(columns.table, columns.key == wanted.c.probe))
    with connection.execution_options(stream_results=True, yield_per=_AT_ONCE).execute(query) as found:
        for row in found:
            yield dict(zip(names, row, strict=True))


def _set_up(connection: sa.Connection) -> None:
    adapters = connection.connection.driver_connection.adapters  # type: ignore[union-attr]  # it is psycopg's
    for name, loader in (
        ("date", _Date),
        ("timestamp", _Timestamp),
        ("timestamptz", _Timestamptz),
        ("interval", _Text),
    ):
        adapters.register_loader(name, loader)
    query = "SELECT oid FROM pg_type WHERE typname IN ('vector', 'halfvec')"
    for oid in connection.exec_driver_sql(query).scalars():
        adapters.register_loader(oid, _Vector)
