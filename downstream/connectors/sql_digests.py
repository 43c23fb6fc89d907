"""A digest of a table's rows that does not depend on their order: a count and two sums of differently seeded hashes."""

import hashlib
from typing import Any

import sqlalchemy as sa

from downstream.connectors.sql_places import Place

_64_BITS = 2**64


def of_rows(
    connection: sa.Connection, place: Place, table: sa.Table, *, but: "sa.ColumnElement[bool] | None" = None
) -> tuple[int, str]:
    """How many rows there are, but for those of the condition, and their digest."""
    hashes = _in_postgres(place) if place.is_postgres else _in_sqlite(connection, table)
    query = sa.select(sa.func.count(), *hashes).select_from(table)
    if but is not None:
        query = query.where(sa.not_(but))
    rows, one, two = connection.execute(query).one()
    return rows, f"{rows}:{int(one or 0) % _64_BITS:016x}{int(two or 0) % _64_BITS:016x}"


def _in_postgres(place: Place) -> "list[sa.ColumnElement[Any]]":
    # the whole row as text, by the table's name, which no column can hide when a schema stands before it
    row: sa.ColumnElement[str] = sa.literal_column(f"({place.quoted_name}.*)::text")
    return [sa.func.sum(sa.cast(sa.func.hashtextextended(row, seed), sa.Numeric)) for seed in (0, 1)]


def _in_sqlite(connection: sa.Connection, table: sa.Table) -> "list[sa.ColumnElement[Any]]":
    driver: Any = connection.connection.driver_connection
    driver.create_aggregate("heed_digest", -1, _Digest)
    columns = [_as_given(column) for column in table.columns]
    return [sa.func.heed_digest(seed, *columns, type_=sa.Text()) for seed in (0, 1)]


def _as_given(column: "sa.ColumnElement[Any]") -> "sa.ColumnElement[Any]":
    """The value as it is kept: text as its bytes, because SQLite takes in any, and Python only UTF-8."""
    plain = sa.type_coerce(column, sa.Text())
    return sa.case((sa.func.typeof(column) == "text", sa.literal("t").concat(sa.func.hex(plain))), else_=plain)


class _Digest:
    """The sum of hashes, as SQLite's aggregate."""

    def __init__(self) -> None:
        self.sum = 0

    def step(self, *row: object) -> None:
        content = hashlib.md5(repr(row).encode(), usedforsecurity=False).digest()
        self.sum += int.from_bytes(content[:8])

    def finalize(self) -> str:
        return str(self.sum)
