"""Datasets that are a PostgreSQL table with vectors of pgvector: what retrieval answers from.

A `sql_table` in everything. Its indexes keep copies of vectors: `sql_purging` cleans them, each in its own way.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from downstream.connectors.base import ConnectorError, Description
from downstream.connectors.sql_places import place, resolve
from downstream.connectors.sql_table import SqlTable

__all__ = ["PgvectorTable", "connect", "resolve"]


def connect(location: str, key_column: str, options: Mapping[str, Any]) -> "PgvectorTable":
    """The connector to one table; `sql_places` knows the options. Raises ConnectorError."""
    there = place(location, options)
    if not there.is_postgres:
        raise ConnectorError("invalid_location", "pgvector's tables are in PostgreSQL.", permanent=True)
    return PgvectorTable(there, key_column)


class PgvectorTable(SqlTable):
    """Implements `downstream.connectors.base.Connector`."""

    format = "pgvector"

    def describe(self) -> Description:
        described = super().describe()
        query = """
            SELECT a.attname AS name FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
            WHERE a.attrelid = CAST(:named AS regclass) AND t.typname IN ('vector', 'halfvec', 'sparsevec', 'bit')
        """
        with self._place.session() as connection:
            vectors = connection.execute(sa.text(query), {"named": self._place.quoted_name}).all()
        if not vectors:
            raise ConnectorError(
                "vectors_missing",
                f"{self._place.full_name} has no column of vectors; register it as a sql_table.",
                permanent=True,
            )
        return described
