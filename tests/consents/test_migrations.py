"""The ledger and the audit trail become partitioned, and back, with rows in them; on a database of the test's own."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from portal import clock, partitions
from tests.stack import database_url

NAME = "heed_test_migrations"
# long ago, this month, and a month that nobody makes yet
IDS = [
    "018cc251-f400-7000-8000-000000000001",
    f"{partitions.lower_bound(partitions.months(at=clock.now())[0])}"[:14] + "7000-8000-000000000002",
    "0fffffff-ffff-7000-8000-000000000003",
]
EVENT = (
    "INSERT INTO consents_ledgerevent (id, kind, purpose, recipient, category, action, source, actor, notice, details,"
    " occurred_at, recorded_at)"
    " VALUES (%s, 'people', '', '', '', '', 'staff', 'staff:1', '', '{\"a\": 1}', now(), now())"
)
ENTRY = (
    "INSERT INTO portal_auditentry (id, at, actor, action, object_type, object_id, details)"
    " VALUES (%s, now(), 'staff:1', 'look', 'subject', '1', '{}')"
)
POSITION = "INSERT INTO consents_position (position, event_id, sequenced_at) VALUES (%s, %s, now())"

Query = Callable[..., list[tuple[Any, ...]]]
Manage = Callable[..., str]


@pytest.fixture
def address(db: None) -> Iterator[str]:
    """An empty database; gone afterwards."""
    url = database_url()
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        server.execute(f"CREATE DATABASE {NAME}")
        yield url.replace(f"/{connection.get_connection_params()['dbname']}?", f"/{NAME}?")
        server.execute(f"DROP DATABASE {NAME} WITH (FORCE)")


@pytest.fixture
def manage(address: str) -> Manage:
    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=settings.BASE_DIR,
            env={**os.environ, "DATABASE_URL": address},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run


@pytest.fixture
def query(address: str) -> Query:
    def run(statement: str, *given: object) -> list[tuple[Any, ...]]:
        # a deferred constraint fails at commit, and psycopg then leaves the connection open
        with closing(psycopg.connect(address)) as mine, mine:
            cursor = mine.execute(statement, given)
            return cursor.fetchall() if cursor.description else []

    return run


def contents(query: Query) -> list[list[tuple[Any, ...]]]:
    tables = {"consents_ledgerevent": "id", "consents_position": "position", "portal_auditentry": "id"}
    return [query(f"SELECT {order}, row::text FROM {table} AS row ORDER BY 1") for table, order in tables.items()]


def shape(query: Query, table: str) -> dict[str, Any]:
    """Indexes, constraints and triggers, but for what a partitioned table says otherwise."""
    indexes = query("SELECT indexname, replace(indexdef, ' ONLY ', ' ') FROM pg_indexes WHERE tablename = %s", table)
    every = "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conparentid = 0 AND"
    constraints = query(f"{every} conrelid = to_regclass(%s) AND contype <> 'n'", table)
    referring = query(f"{every} confrelid = to_regclass(%s)", table)
    triggers = query("SELECT tgname FROM pg_trigger WHERE tgrelid = to_regclass(%s) AND NOT tgisinternal", table)
    return {"indexes": sorted(indexes), "checks": sorted(constraints), "keys": referring, "triggers": triggers}


def kind(query: Query, table: str) -> str:
    return str(query("SELECT relkind::text FROM pg_class WHERE relname = %s", table)[0][0])


def fill(query: Query) -> None:
    for number, pk in enumerate(IDS):
        query(EVENT, pk)
        query(ENTRY, pk)
        query(POSITION, number + 1, pk)
    query("INSERT INTO consents_sequencerstate (id, horizon, head) VALUES (1, pg_current_xact_id(), 3)")


@pytest.mark.slow
def test_there_and_back_with_everything_still_there(manage: Manage, query: Query) -> None:
    manage("migrate", "consents", "0003")
    manage("migrate", "portal", "0001")
    fill(query)
    rows, plain = contents(query), shape(query, "consents_ledgerevent")
    trail = shape(query, "portal_auditentry")

    manage("migrate", "consents", "0004")
    assert kind(query, "consents_ledgerevent") == "p"
    assert contents(query) == rows
    assert shape(query, "consents_ledgerevent") == plain
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        query(POSITION, 99, "018cc251-f400-7000-8000-0000000000ff")
    lies = dict(query("SELECT id::text, tableoid::regclass::text FROM consents_ledgerevent"))
    month = partitions.name_of("consents_ledgerevent", clock.now())
    assert [lies[pk] for pk in IDS] == ["consents_ledgerevent_before", month, "consents_ledgerevent_default"]

    manage("migrate", "consents", "0003")
    assert kind(query, "consents_ledgerevent") == "r"
    assert (contents(query), shape(query, "consents_ledgerevent")) == (rows, plain)

    manage("migrate")
    assert (kind(query, "consents_ledgerevent"), kind(query, "portal_auditentry")) == ("p", "p")
    assert contents(query)[1:2] == rows[1:2]
    assert [pk for pk, _ in contents(query)[2]] == [pk for pk, _ in rows[2]]
    assert _history_is_guarded(query)
    assert shape(query, "portal_auditentry")["triggers"] == trail["triggers"]
    _goes_on(manage, query)

    manage("migrate", "portal", "0001")
    assert kind(query, "portal_auditentry") == "r"
    assert shape(query, "portal_auditentry") == trail
    assert contents(query)[2] == rows[2]


def _history_is_guarded(query: Query) -> bool:
    """In each table and each of its partitions that has rows."""
    for table in partitions.TABLES:
        for part in [table, *(row[0] for row in query(f"SELECT DISTINCT tableoid::regclass::text FROM {table}"))]:
            for change in (f"UPDATE {part} SET actor = 'x'", f"DELETE FROM {part}"):
                with pytest.raises(psycopg.errors.RaiseException, match="Cannot update or delete"):
                    query(change)
    return True


def _goes_on(manage: Manage, query: Query) -> None:
    """The sequencer places what came since, and only that."""
    query(EVENT, IDS[0][:-1] + "9")
    advance = "from consents import sequencer; from portal import clock; print(sequencer.advance(at=clock.now()))"
    for _ in range(200):
        # transactions of other tests on this server hold it back for a while
        if int(manage("shell", "--no-imports", "-c", advance)):
            break
    assert query("SELECT max(position) FROM consents_position") == [(4,)]


@pytest.mark.slow
def test_partners_of_before_keep_their_scopes_and_imports_their_keys(manage: Manage, query: Query) -> None:
    manage("migrate", "consents", "0025")
    # no client is needed to see what becomes of its partner
    query(
        "SET session_replication_role = replica;"
        " INSERT INTO consents_partner (slug, name, application_id, recipients, jurisdictions, schemes)"
        " VALUES ('acme', 'Acme', 1, '{}', '{}', '{}');"
        " INSERT INTO consents_importedkey (sender, fingerprint, event_id) VALUES ('a', 'b', gen_random_uuid())"
    )
    query(
        "INSERT INTO consents_choiceimport (id, name, format, digest, key, size, rows_done, accepted, repeated,"
        " rejected, amended, percent, state, by, started_at, progressed_at, reason)"
        " VALUES (gen_random_uuid(), 'n', 'ndjson', 'd', 'kept readable', 0, 0, 0, 0,"
        " 0, 0, 0, 'done', 'a', now(), now(), '')"
    )
    manage("migrate", "consents", "0026")
    assert query("SELECT scopes FROM consents_partner") == [
        (["choices:write", "decisions:read", "changes:read", "choices:read"],)
    ]
    (noted,) = {
        *query("SELECT index_key FROM consents_importedkey"),
        *query("SELECT index_key FROM consents_choiceimport"),
    }
    assert noted[0] in settings.INDEX_KEYS.keys
    assert query("SELECT key FROM consents_choiceimport") == [(hashlib.sha256(b"kept readable").hexdigest(),)]
