"""Databases of a test's own, seen by plain drivers, and the bytes of their files on this machine."""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
import pyarrow as pa
from django.db import connection

from downstream.connectors import open_connector
from downstream.connectors.base import Connector
from tests.downstream.connectors.contract import Ground

_TYPES = {
    "string": "text",
    "large_string": "varchar",
    "int16": "smallint",
    "int32": "integer",
    "int64": "bigint",
    "uint32": "bigint",
    "double": "double precision",
    "bool": "boolean",
    "date32[day]": "date",
    "extension<arrow.uuid>": "uuid",
}


def column_type(arrow: pa.DataType) -> str:
    """How PostgreSQL calls it; raises KeyError for what it does not have."""
    if pa.types.is_dictionary(arrow):
        arrow = arrow.value_type
    if pa.types.is_timestamp(arrow):
        if arrow.unit == "ns":
            raise KeyError("PostgreSQL's times have microseconds")
        return "timestamptz" if arrow.tz else "timestamp"
    return _TYPES[str(arrow)]


class Postgres:
    """A database of its own on the project's server."""

    def __init__(self, name: str) -> None:
        self.name = name
        given = connection.get_connection_params()
        self.given = {key: given.get(key) for key in ("host", "port", "user", "password")} | {"dbname": name}
        self.login = str(self.given["user"])
        """As whom Heed connects; the test itself is always the owner."""

    @property
    def url(self) -> str:
        query = urlencode({key: self.given[key] for key in ("host", "port") if self.given[key]})
        return f"postgresql://{quote(self.login)}@/{self.name}?{query}"

    def connect(self, dbname: str = "", **more: Any) -> "psycopg.Connection[Any]":
        wanted = self.given | ({"dbname": dbname} if dbname else {}) | more
        return psycopg.connect(**{key: value for key, value in wanted.items() if value}, autocommit=True)

    def run(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.connect() as session:
            cursor = session.execute(query, values or None)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def bytes_with(self, needle: bytes, table: str) -> list[str]:
        """Which files of the table, its indexes and what it keeps out of line hold these bytes on disk now."""
        self.run("CHECKPOINT")
        query = """
            WITH heaps AS (
                SELECT %s::regclass::oid AS id UNION SELECT reltoastrelid FROM pg_class WHERE oid = %s::regclass
            ), files AS (
                SELECT id FROM heaps UNION SELECT indexrelid FROM pg_index JOIN heaps ON indrelid = id
            )
            SELECT relname, current_setting('data_directory') || '/' || pg_relation_filepath(oid)
            FROM pg_class JOIN files ON oid = id ORDER BY 1
        """
        return [name for name, path in self.run(query, table, table) if needle in Path(path).read_bytes()]


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Made now, dropped at the end."""
    name = f"heed_rows_{secrets.token_hex(6)}"
    database = Postgres(name)
    with database.connect("postgres") as session:
        session.execute(f'CREATE DATABASE "{name}"')
    try:
        yield database
    finally:
        with database.connect("postgres") as session:
            session.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


class PostgresGround(Ground):
    """One table, `a`, read back with psycopg."""

    is_one_unit = True
    kind = "sql_table"

    def __init__(self, database: Postgres, **options: Any) -> None:
        self.database = database
        self.options = options

    def connector(self, key_column: str = "person", created_column: str = "") -> Connector:
        created = {"created_column": created_column} if created_column else {}
        options = {"table": "a", "lock_seconds": 2, **created, **self.options}
        return open_connector(self.kind, self.database.url, key_column, options)

    def put(self, unit: str, table: pa.Table) -> None:
        columns = ", ".join(f'"{field.name}" {column_type(field.type)}' for field in table.schema)
        self.database.run(f'DROP TABLE IF EXISTS "{unit}"')
        self.database.run(f'CREATE TABLE "{unit}" ({columns})')
        holes = ", ".join(["%s"] * table.num_columns)
        with self.database.connect() as session, session.cursor() as cursor:
            rows = [tuple(row.values()) for row in table.to_pylist()]
            cursor.executemany(f'INSERT INTO "{unit}" VALUES ({holes})', rows)  # type: ignore[arg-type]

    def remove(self, unit: str) -> None:
        self.database.run(f'DROP TABLE "{unit}"')

    def read(self) -> dict[str, list[dict[str, Any]]]:
        with self.database.connect() as session:
            cursor = session.execute("SELECT * FROM a ORDER BY ctid")
            names = [column.name for column in cursor.description or ()]
            return {"a": [dict(zip(names, row, strict=True)) for row in cursor]}

    def leftovers(self) -> list[str]:
        found = self.database.run("SELECT relname FROM pg_class WHERE relname LIKE 'heed%' AND relkind = 'r'")
        return [name for (name,) in found if name != "heed_removals"]

    def holds(self, column_type_: pa.DataType) -> bool:
        try:
            column_type(column_type_)
        except KeyError:
            return False
        return True


class SqliteGround(Ground):
    """One table, `a`, in a file, read back with Python's own driver."""

    is_one_unit = True

    def __init__(self, file: Path) -> None:
        self.file = file

    def connector(self, key_column: str = "person", created_column: str = "") -> Connector:
        created = {"created_column": created_column} if created_column else {}
        return open_connector("sql_table", f"sqlite:///{self.file}", key_column, {"table": "a", **created})

    def run(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        session = sqlite3.connect(self.file)
        try:
            with session:
                return session.execute(query, values).fetchall()
        finally:
            session.close()

    def put(self, unit: str, table: pa.Table) -> None:
        kinds = [column_type(field.type).replace("timestamptz", "timestamp") for field in table.schema]
        columns = ", ".join(f'"{name}" {kind}' for name, kind in zip(table.column_names, kinds, strict=True))
        self.run(f'DROP TABLE IF EXISTS "{unit}"')
        self.run(f'CREATE TABLE "{unit}" ({columns})')
        for row in table.to_pylist():
            values = [str(one) if hasattr(one, "isoformat") else one for one in row.values()]
            self.run(f'INSERT INTO "{unit}" VALUES ({", ".join("?" * len(values))})', *values)

    def remove(self, unit: str) -> None:
        self.run(f'DROP TABLE "{unit}"')

    def read(self) -> dict[str, list[dict[str, Any]]]:
        names = [column[1] for column in self.run("PRAGMA table_info(a)")]
        return {"a": [dict(zip(names, row, strict=True)) for row in self.run("SELECT * FROM a ORDER BY rowid")]}

    def leftovers(self) -> list[str]:
        found = self.run("SELECT name FROM sqlite_master WHERE name LIKE 'heed%' AND type = 'table'")
        return [name for (name,) in found if name != "heed_removals"]

    def holds(self, column_type_: pa.DataType) -> bool:
        try:
            return column_type(column_type_) != "uuid"
        except KeyError:
            return False
