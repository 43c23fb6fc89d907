"""One choice in the house, without HTTP: locked person, event, preference and audit entry in one durable transaction.

The floor is a bare transaction as pgbench would write it, on the same server, with psycopg: a row lock, two inserts and
an upsert into tables of a primary key each, without triggers, partitions, checks or further indexes.
"""

import time
from collections.abc import Callable, Iterator

from django.db import connection, transaction

from consents import ledger, rules, subjects
from consents.subjects import Newcomer
from consents.vocabulary import Action, Source
from portal import clock
from tests.conftest import BY, WORLD
from tests.load import bare
from tests.load.bench import Row, Scale, median_seconds

PEOPLE = 1_000


def run(scale: Scale) -> Iterator[Row]:
    count = scale.of(20_000)
    at = clock.now()
    rules.load(path=WORLD, by=BY, at=at)
    names = [subjects.name("account", f"m_{number}") for number in range(PEOPLE)]
    newcomers = [Newcomer(names=(one,), jurisdiction="US") for one in names]
    subjects.register_many(newcomers=newcomers, by=BY, at=at)
    with connection.cursor() as cursor:
        cursor.execute(bare.TABLES)
        cursor.execute(
            "INSERT INTO bare_person (name, country) SELECT 'm_' || n, 'US' FROM generate_series(0, %s) AS n",
            [PEOPLE - 1],
        )
    origin = ledger.Origin(source=Source.SELF_SERVICE, by=BY)

    def ours(number: int) -> None:
        with transaction.atomic():
            subject = subjects.find_locked(names[number % PEOPLE])
            assert subject is not None
            action = Action.DENY if number % 2 else Action.GRANT
            scope = ledger.Scope("ai-training")
            ledger.record_of_locked(subject=subject, scope=scope, action=action, origin=origin, at=clock.now())

    def floor(number: int) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            name, now = f"m_{number % PEOPLE}", clock.now()
            cursor.execute("SELECT id FROM bare_person WHERE name = %s FOR NO KEY UPDATE", [name])
            said = [cursor.fetchone()[0], "ai-training", "deny" if number % 2 else "grant", now]
            cursor.execute(bare.INSERT_EVENT, said)
            cursor.execute(bare.INSERT_AUDIT, ["choice", now])
            cursor.execute(bare.UPSERT_STATE, said)

    for what, busy in (
        ("choices, one after another", _wall),
        ("choices, for each second of our processor", _processor),
    ):
        yield Row(
            what=what,
            size=f"{count:,} choices of {PEOPLE:,} people",
            unit="choices/s",
            ours=count / busy(lambda: _each(count, ours)),
            floor=count / busy(lambda: _each(count, floor)),
            floor_is="bare transaction",
            more_is_better=True,
            target="–",
            note="2 statements to 4",
        )


def _each(count: int, act: Callable[[int], None]) -> None:
    for number in range(count):
        act(number)


def _wall(act: Callable[[], None]) -> float:
    return median_seconds(act)


def _processor(act: Callable[[], None]) -> float:
    before = time.process_time()
    act()
    return time.process_time() - before
