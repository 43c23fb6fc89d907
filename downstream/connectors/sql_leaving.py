"""Which rows of a table have to go: keys travel in a temporary table, never in a statement's text.

Whether a row of a span goes is told in Python, by the same comparison that files are held to; the database only
gives the times of the rows of those people.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import sqlalchemy as sa

from downstream.connectors.base import Spans
from downstream.connectors.sql_columns import Columns
from downstream.connectors.sql_places import Place

_BATCH = 10_000
# a table with fewer needs no statistics to be joined well
_WORTH_STATISTICS = 1_000


@dataclass(frozen=True)
class Going:
    """Rows that go, by key and, where only a span of theirs goes, by the time they were made."""

    whole: dict[Any, int]
    timed: dict[tuple[Any, Any], int]

    @property
    def rows(self) -> int:
        return sum(self.whole.values()) + sum(self.timed.values())

    def per_key(self, columns: Columns, keys: Collection[str]) -> dict[str, int]:
        """Two spellings of one key are each told the rows."""
        rows = Counter(self.whole)
        for (native, _), count in self.timed.items():
            rows[native] += count
        named = columns.natives(keys)
        return {text: count for native, count in rows.items() for text in named.get(native, ())}


def going(connection: sa.Connection, place: Place, columns: Columns, keys: Collection[str], spans: Spans) -> Going:
    """Count them; writes nothing but a temporary table."""
    whole = _counted(connection, place, columns, keys, with_times=False)
    timed: dict[tuple[Any, Any], int] = {}
    for number, part in enumerate(spans.parts):
        rows = _counted(connection, place, columns, part.keys, with_times=True)
        inside = columns.inside([time for _, time in rows], spans, number)
        timed |= {pair: count for (pair, count), goes in zip(rows.items(), inside, strict=True) if goes}
    return Going({native: count for (native, _), count in whole.items()}, timed)


def _counted(
    connection: sa.Connection, place: Place, columns: Columns, keys: Collection[str], *, with_times: bool
) -> dict[tuple[Any, Any], int]:
    natives = columns.natives(keys)
    if not natives:
        return {}
    wanted = wanted_table(connection, place, columns, natives)
    created = columns.created if with_times else sa.null()
    grouped = [wanted.c.probe, columns.created] if with_times else [wanted.c.probe]
    query = (
        sa.select(wanted.c.probe, created, sa.func.count())
        .select_from(wanted.join(columns.table, columns.key == wanted.c.probe))
        .group_by(*grouped)
    )
    found = {(native, time): count for native, time, count in connection.execute(query)}
    wanted.drop(connection)
    return found


def wanted_table(connection: sa.Connection, place: Place, columns: Columns, natives: Iterable[Any]) -> sa.Table:
    """The keys as a temporary table of this transaction: in nobody else's sight, and in no log of the database."""
    wanted = sa.Table(
        "heed_wanted",
        sa.MetaData(),
        sa.Column("probe", columns.probe_type, primary_key=True, autoincrement=False),
        prefixes=["TEMPORARY"],
    )
    wanted.create(connection)
    count = 0
    for batch in _batches({"probe": native} for native in natives):
        connection.execute(wanted.insert(), batch)
        count += len(batch)
    if place.is_postgres and count > _WORTH_STATISTICS:
        connection.exec_driver_sql("ANALYZE heed_wanted")
    return wanted


def staging_table(place: Place, columns: Columns, name: str) -> sa.Table:
    """Which rows a run has decided to remove. Nothing of it reaches PostgreSQL's write-ahead log."""
    created = [sa.Column("created", columns.created.type)] if columns.times else []
    return sa.Table(
        name,
        sa.MetaData(),
        sa.Column("probe", columns.probe_type, nullable=False),
        sa.Column("whole", sa.Boolean, nullable=False),
        *created,
        schema=place.work_schema,
        prefixes=["UNLOGGED"] if place.is_postgres else [],
    )


def fill(connection: sa.Connection, staging: sa.Table, found: Going) -> None:
    """Write down what goes."""
    whole: Iterator[dict[str, Any]] = ({"probe": key, "whole": True} for key in found.whole)
    timed: Iterator[dict[str, Any]] = ({"probe": key, "whole": False, "created": at} for key, at in found.timed)
    for rows in (whole, timed):
        for batch in _batches(rows):
            connection.execute(staging.insert(), batch)


def is_staged(columns: Columns, staging: sa.Table) -> "sa.ColumnElement[bool]":
    """The condition for a row of the table to go."""
    row = staging.alias("heed_staged")
    goes: sa.ColumnElement[bool] = row.c.whole
    if columns.times:
        goes = sa.or_(goes, columns.created.is_not_distinct_from(row.c.created))
    return sa.exists().where(row.c.probe == columns.key, goes)


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, _BATCH)):
        yield batch
