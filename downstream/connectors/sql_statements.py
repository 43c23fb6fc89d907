"""What the rows of a table say of their own use, counted by the database."""

from collections.abc import Collection, Iterator
from typing import Any

import sqlalchemy as sa

from downstream.connectors import sql_leaving
from downstream.connectors.sql_columns import Columns
from downstream.connectors.sql_places import Place
from downstream.engines.base import Tally

_BATCH = 10_000


def tally(connection: sa.Connection, place: Place, columns: Columns, keys: Collection[str]) -> Iterator[Tally]:
    """Rows by what they say, in one look at the table."""
    wanted = sql_leaving.wanted_table(connection, place, columns, columns.natives(keys))
    said = [columns.table.c[name] for name in place.statements.names]
    query = (
        sa.select(*said, sa.func.count(), sa.func.count(wanted.c.probe))
        .select_from(columns.table.outerjoin(wanted, columns.key == wanted.c.probe))
        .group_by(*said)
    )
    for *values, rows, of_keys in connection.execute(query).yield_per(_BATCH):
        yield Tally(tuple(map(_as_text, values)), rows, of_keys)


def _as_text(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(int(value))
    return None if value is None else str(value)
