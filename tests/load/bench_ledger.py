"""How the hot statements fare as the ledger grows: a person's history, an event and its position, a page of the log,
what the sequencer still has to place, the audit trail of a person.

Ours is a larger ledger, the floor the same statements at a tenth of it. Milliseconds depend on what else the machine
does; the pages of 8 KB that PostgreSQL looks at for them do not, and say how they grow. Grown set-based, 10 events a
person, over six monthly partitions. Also how many bytes a row takes of each of the three tables that grow, with its
indexes.
"""

import json
import uuid
from collections.abc import Callable, Iterator

from django.db import connection
from django.test.utils import CaptureQueriesContext

from consents import log, sequencer
from consents.models import LedgerEvent, Position
from portal import clock, partitions
from portal.models import AuditEntry
from tests.consents.growing import grow, somebody
from tests.load.bench import Row, Scale, median_seconds

TARGET = "≤ 1.3× from 100 k on"
_ROUNDS = 40
_A_PERSON = 10


def run(scale: Scale) -> Iterator[Row]:
    sizes = [10_000, 100_000, scale.of(10_000_000)]
    months = partitions.months(at=clock.now(), ahead=5)
    floor: dict[tuple[str, str], float] = {}
    grown = 0
    for size in sizes:
        # over the same months each time, so that sizes are compared and not numbers of months
        grow(rows=size - grown, people=size // _A_PERSON, since=months[0], until=months[-1])
        _vacuum()
        taken: dict[tuple[str, str], float] = {}
        for name, act in _statements(size).items():
            taken[name, "ms"], taken[name, "pages"] = _milliseconds(act), _pages(act)
        for (name, unit), ours in taken.items():
            if floor:
                yield Row(name, f"{size:,} events", unit, ours, floor[name, unit], f"at {grown:,}", False, TARGET)
        floor, grown = taken, size
    for table, name in (("consents_position", "a position"), *((one, one) for one in partitions.TABLES)):
        rows, indexes = _bytes(table)
        note = "table (ours) and indexes (floor)"
        yield Row(
            f"bytes a row: {name}",
            f"{grown:,} rows",
            "B",
            rows / grown,
            indexes / grown,
            "its indexes",
            False,
            "-",
            note,
        )


def _statements(size: int) -> dict[str, Callable[[int], object]]:
    people = size // _A_PERSON
    step = size // _ROUNDS
    events: list[uuid.UUID] = [Position.objects.get(position=number * step + 1).event_id for number in range(_ROUNDS)]
    persons = [somebody(number * 7919, people) for number in range(_ROUNDS)]
    return {
        "a person's history": lambda n: list(
            LedgerEvent.objects.filter(subject_id=persons[n]).select_related("placed").order_by("-recorded_at")[:50]
        ),
        "an event by its id": lambda n: LedgerEvent.objects.get(pk=events[n]),
        "an event's position": lambda n: sequencer.position_of(events[n]),
        "500 entries of the log": lambda n: list(log.entries(after=n * step * 9 // 10, limit=500)),
        "what the sequencer has to place": lambda n: sequencer.lag(at=clock.now()),
        "the audit trail of a person": lambda n: list(
            AuditEntry.objects.filter(object_type="subject", object_id=str(persons[n])).order_by("-at")[:50]
        ),
    }


def _milliseconds(act: Callable[[int], object]) -> float:
    """Median of three walks over the same rounds, the first of which warms the cache."""

    def walk() -> None:
        for number in range(_ROUNDS):
            act(number)

    walk()
    return median_seconds(walk) / _ROUNDS * 1000


def _pages(act: Callable[[int], object]) -> float:
    """Pages looked at in one round, the mean of all."""
    with CaptureQueriesContext(connection) as asked:
        for number in range(_ROUNDS):
            act(number)
    total = 0
    with connection.cursor() as cursor:
        for one in asked.captured_queries:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {one['sql']}")
            found = cursor.fetchone()[0]
            plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
            total += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return total / _ROUNDS


def _vacuum() -> None:
    with connection.cursor() as cursor:
        for table in ("consents_position", *partitions.TABLES):
            cursor.execute(f"VACUUM (ANALYZE) {table}")


def _bytes(table: str) -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(pg_table_size(relid)), sum(pg_indexes_size(relid)) FROM pg_partition_tree(%s) WHERE isleaf",
            [table],
        )
        if table == "consents_position":
            cursor.execute("SELECT pg_table_size(%s), pg_indexes_size(%s)", [table, table])
        rows, indexes = cursor.fetchone()
    return int(rows), int(indexes)
