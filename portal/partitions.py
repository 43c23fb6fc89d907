"""Monthly partitions of the tables that only ever grow.

Their primary key is a UUIDv7 (RFC 9562), whose first 48 bits are the milliseconds of its making: ranges of the id
are ranges of time, and the id alone stays the primary key. A row always finds its place: what no month takes in
goes to the default partition, so a month that was not made in time costs tidiness, never a choice.
How a table becomes one of these is in `portal.partitioning`.
"""

import itertools
import logging
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import ProgrammingError, connection, transaction
from psycopg.errors import InsufficientPrivilege

TABLES = ("consents_ledgerevent", "portal_auditentry")
AHEAD = 6
"""So many months beyond the current one are kept ready."""
FEWEST = 2
"""With fewer ahead, staff are warned."""
DEFAULT = "default"

_MOST_AHEAD = 120
_LOCK = 0x48_45_45_45
_PATIENCE = "5s"
"""How long moving rows waits for others' transactions before it gives up, since everybody else waits behind it."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """A table's months: how many are ready beyond the current one, and rows that no month took in."""

    table: str
    ahead: int
    stray: int

    @property
    def is_fine(self) -> bool:
        return self.ahead >= FEWEST and not self.stray


def lower_bound(month: datetime) -> uuid.UUID:
    """The least UUIDv7 of the month that begins at `month`."""
    return uuid.UUID(int=int(month.timestamp() * 1000) << 80)


def months(*, at: datetime, ahead: int = AHEAD) -> list[datetime]:
    """The beginnings of the month of `at`, of those `ahead`, and of the one after."""
    first = at.year * 12 + at.month - 1
    return [datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC) for number in range(first, first + ahead + 2)]


def partitioned() -> list[str]:
    """Those of TABLES that exist and are partitioned, which is not so in the middle of migrating."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'p' AND relname = ANY(%s)", [list(TABLES)])
        return sorted(row[0] for row in cursor.fetchall())


@transaction.atomic
def make(*, at: datetime, ahead: int = AHEAD) -> list[str]:
    """Make the months that are missing; answers their names. Two at once: the second finds them made.

    A month whose rows went to the default partition already is left to `move_strays`.
    """
    made = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        for table in partitioned():
            made += make_months(cursor, table, months(at=at, ahead=ahead), skip_taken=True)
    return made


def keep_ready(*, at: datetime) -> list[str]:
    """`make`, which in a hardened installation only the tables' owner may: then staff are warned in good time."""
    try:
        return make(at=at)
    except ProgrammingError as error:
        if not isinstance(error.__cause__, InsufficientPrivilege):
            raise
        log.warning("This role may not make partitions; run manage.py make_partitions as the tables' owner.")
        return []


def state(*, at: datetime) -> list[State]:
    """How each table stands; the rows counted are at most 100,000, enough to know that there are many."""
    states = []
    with connection.cursor() as cursor:
        for table in partitioned():
            there = set(existing(table))
            wanted = [name_of(table, month) for month in months(at=at, ahead=_MOST_AHEAD)[:-1]]
            ready = len(list(itertools.takewhile(there.__contains__, wanted))) - 1
            states.append(State(table=table, ahead=ready, stray=_strays(cursor, table, "LIMIT 100000")))
    return states


@transaction.atomic
def move_strays(*, table: str, at: datetime) -> int:
    """Give rows of the default partition the months they belong to; answers how many were moved.

    The default partition is taken off, the months are made, its rows are inserted again and it is dropped as a whole:
    no trigger is switched off and no row deleted. Writers wait for as long as it takes. Foreign keys to the table
    come back unchecked; `validate` checks them while everybody works. Raises OperationalError when
    other transactions keep the table for more than five seconds; nothing changed then.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [_PATIENCE])
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        starts = _months_of_strays(cursor, table, at)
        if not starts:
            return 0
        keys = foreign_keys(cursor, table)
        for one in keys:
            cursor.execute(f'ALTER TABLE {one.table} DROP CONSTRAINT "{one.name}"')
        cursor.execute(f"ALTER TABLE {table} DETACH PARTITION {table}_{DEFAULT}")
        cursor.execute(f"ALTER TABLE {table}_{DEFAULT} RENAME TO {table}_stray")
        cursor.execute(f"CREATE TABLE {table}_{DEFAULT} PARTITION OF {table} DEFAULT")
        for month in starts:
            make_months(cursor, table, months(at=month, ahead=0))
        moved = copy_rows(cursor, f"{table}_stray", table) - _strays(cursor, table)
        cursor.execute(f"DROP TABLE {table}_stray")
        for one in keys:
            cursor.execute(f'ALTER TABLE {one.table} ADD CONSTRAINT "{one.name}" {one.definition} NOT VALID')
    return moved


def validate() -> int:
    """Check foreign keys that `move_strays` brought back unchecked, keeping nobody waiting; answers how many."""
    with connection.cursor() as cursor:
        unchecked = [(one.table, one.name) for table in partitioned() for one in foreign_keys(cursor, table, False)]
        for table, name in unchecked:
            cursor.execute(f'ALTER TABLE {table} VALIDATE CONSTRAINT "{name}"')
    return len(unchecked)


def existing(table: str) -> list[str]:
    """The names of a table's partitions."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [table])
        return [row[0] for row in cursor.fetchall()]


def name_of(table: str, month: datetime) -> str:
    return f"{table}_{month:%Y_%m}"


def make_months(cursor: Any, table: str, starts: list[datetime], *, skip_taken: bool = False) -> list[str]:
    """Make the months between these beginnings that are missing; answers their names."""
    there, made = set(existing(table)), []
    for start, end in itertools.pairwise(starts):
        name = name_of(table, start)
        bounds = (str(lower_bound(start)), str(lower_bound(end)))
        if name in there or (skip_taken and _has_strays(cursor, table, bounds)):
            continue
        cursor.execute(f"CREATE TABLE {name} PARTITION OF {table} FOR VALUES FROM ('{bounds[0]}') TO ('{bounds[1]}')")
        made.append(name)
    return made


@dataclass(frozen=True)
class ForeignKey:
    table: str
    name: str
    definition: str


def foreign_keys(cursor: Any, table: str, validated: bool = True) -> list[ForeignKey]:
    """Those that refer to the table, checked or not."""
    cursor.execute(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE contype = 'f' AND confrelid = to_regclass(%s) AND conparentid = 0 AND convalidated = %s",
        [table, validated],
    )
    return [ForeignKey(*row) for row in cursor.fetchall()]


def copy_rows(cursor: Any, source: str, target: str) -> int:
    """Insert every row of one table into another of the same columns; answers how many."""
    cursor.execute(
        "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
        [target],
    )
    columns = cursor.fetchone()[0]
    cursor.execute(f"INSERT INTO {target} ({columns}) SELECT {columns} FROM {source}")  # noqa: S608 -- names of our own
    copied: int = cursor.rowcount
    return copied


def _strays(cursor: Any, table: str, limit: str = "") -> int:
    cursor.execute(f"SELECT count(*) FROM (SELECT FROM {table}_{DEFAULT} {limit}) AS stray")  # noqa: S608 -- our names
    counted: int = cursor.fetchone()[0]
    return counted


def _has_strays(cursor: Any, table: str, bounds: tuple[str, str]) -> bool:
    cursor.execute(
        f"SELECT EXISTS (SELECT FROM {table}_{DEFAULT} WHERE id >= %s AND id < %s)",  # noqa: S608 -- a name of our own
        bounds,
    )
    return bool(cursor.fetchone()[0])


def _months_of_strays(cursor: Any, table: str, at: datetime) -> list[datetime]:
    """The months from the first stray row to the last that `make` would make by now; ids beyond name no real time."""
    ends = [f"(SELECT id FROM {table}_{DEFAULT} ORDER BY id {way} LIMIT 1)" for way in ("ASC", "DESC")]  # noqa: S608
    cursor.execute(f"SELECT {ends[0]}, {ends[1]}")
    first, last = cursor.fetchone()
    newest = months(at=at)[-1]
    if first is None or first >= lower_bound(newest):
        return []
    month = datetime.fromtimestamp((first.int >> 80) / 1000, UTC)
    found = []
    while month < newest and lower_bound(months(at=month)[0]) <= last:
        start, month = months(at=month, ahead=0)
        if _has_strays(cursor, table, (str(lower_bound(start)), str(lower_bound(month)))):
            found.append(start)
    return found
