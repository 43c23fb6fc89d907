"""Monthly partitions of the tables that only ever grow.

Their primary key is a UUIDv7 (RFC 9562), whose first 48 bits are the milliseconds of its making: ranges of the id
are ranges of time, and the id alone stays the primary key. A row always finds its place: what no month takes in
goes to the default partition, so a month that was not made in time costs tidiness, never a choice.
"""

import itertools
import uuid
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction

TABLES = ("consents_ledgerevent",)
AHEAD = 3
"""So many months beyond the current one are kept ready."""

_LOCK = 0x48_45_45_45


def lower_bound(month: datetime) -> uuid.UUID:
    """The least UUIDv7 of the month that begins at `month`."""
    return uuid.UUID(int=int(month.timestamp() * 1000) << 80)


def months(*, at: datetime, ahead: int = AHEAD) -> list[datetime]:
    """The beginnings of the month of `at`, of those `ahead`, and of the one after."""
    first = at.year * 12 + at.month - 1
    return [datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC) for number in range(first, first + ahead + 2)]


@transaction.atomic
def make(*, at: datetime) -> list[str]:
    """Make the months that are missing; answers their names. Two at once: the second finds them made."""
    made = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        for table in TABLES:
            there = set(existing(table))
            starts = months(at=at)
            for start, end in itertools.pairwise(starts):
                name = f"{table}_{start:%Y_%m}"
                if name not in there:
                    _make(cursor, table, name, start, end)
                    made.append(name)
    return made


def existing(table: str) -> list[str]:
    """The names of a table's partitions."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [table])
        return [row[0] for row in cursor.fetchall()]


def _make(cursor: Any, table: str, name: str, start: datetime, end: datetime) -> None:
    quoted = connection.ops.quote_name
    cursor.execute(
        f"CREATE TABLE {quoted(name)} PARTITION OF {quoted(table)}"
        f" FOR VALUES FROM ('{lower_bound(start)}') TO ('{lower_bound(end)}')"
    )
