"""How a table whose id is a UUIDv7 becomes one of monthly partitions, and back; for migrations only.

A table of the other shape takes the old one's place within one transaction: rows, indexes, checks, defaults and the
foreign keys to it are the same afterwards. Triggers are not copied: the migration drops and makes them around it.
"""

from datetime import datetime
from typing import Any

from django.db import connection

from portal import partitions


def partition(table: str, *, at: datetime) -> None:
    """Everything older than the month of `at` becomes one partition; later months get their own."""

    def make(cursor: Any) -> None:
        _make_like(cursor, table, " PARTITION BY RANGE (id)")
        first = partitions.months(at=at)[0]
        bound = partitions.lower_bound(first)
        cursor.execute(f"CREATE TABLE {table}_before PARTITION OF {table} FOR VALUES FROM (MINVALUE) TO ('{bound}')")
        cursor.execute(f"CREATE TABLE {table}_{partitions.DEFAULT} PARTITION OF {table} DEFAULT")
        partitions.make_months(cursor, table, partitions.months(at=at))

    _swap(table, make)


def unite(table: str) -> None:
    """The way back: one plain table again."""
    _swap(table, lambda cursor: _make_like(cursor, table, ""))


def _swap(table: str, make: Any) -> None:
    old = f"{table}_old"
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        keys = partitions.foreign_keys(cursor, table)
        for one in keys:
            cursor.execute(f'ALTER TABLE {one.table} DROP CONSTRAINT "{one.name}"')
        indexes = _indexes(cursor, table)
        cursor.execute(f"ALTER TABLE {table} RENAME TO {old}")
        for number, name in enumerate([f"{table}_pkey", *indexes]):
            cursor.execute(f'ALTER INDEX "{name}" RENAME TO "{table}_old_{number}"')
        make(cursor)
        for definition in indexes.values():
            cursor.execute(definition)
        partitions.copy_rows(cursor, old, table)
        cursor.execute(f"DROP TABLE {old}")
        for one in keys:
            cursor.execute(f'ALTER TABLE {one.table} ADD CONSTRAINT "{one.name}" {one.definition}')
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def _indexes(cursor: Any, table: str) -> dict[str, str]:
    """Each index but the primary key's, and how it is made."""
    cursor.execute(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
        " WHERE indrelid = %s::regclass AND NOT indisprimary",
        [table],
    )
    # on a partitioned table the definition says ONLY, which would leave the partitions without
    return {name: definition.replace(" ON ONLY ", " ON ") for name, definition in cursor.fetchall()}


def _make_like(cursor: Any, table: str, shape: str) -> None:
    parts = "INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE"
    cursor.execute(f"CREATE TABLE {table} (LIKE {table}_old {parts}){shape}")
    cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {table}_pkey PRIMARY KEY (id)")
