"""A ledger of several months and many rows, made set-based; for the tests of plans and the benchmark of growth."""

import uuid
from datetime import datetime

from django.db import connection

from portal import partitions

# Ids are UUIDv7: milliseconds, the version, then whatever tells them apart. Every hundredth event is no choice.
_FILL = """
WITH made AS (
    SELECT n, %(since)s::timestamptz + (%(until)s - %(since)s::timestamptz) * (n - %(first)s) / %(rows)s AS at
      FROM generate_series(%(first)s::bigint, %(first)s + %(rows)s - 1) AS n
), event AS (
    INSERT INTO consents_ledgerevent (id, kind, subject_id, purpose, recipient, category, action, source, actor, notice,
                                      details, occurred_at, recorded_at)
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3)
            || '8' || substr(md5('x' || n), 1, 15))::uuid,
           CASE WHEN n %% 100 = 0 THEN 'people' ELSE 'choice' END,
           CASE WHEN n %% 100 = 0 THEN NULL ELSE md5('person ' || (n * 7919) %% %(people)s)::uuid END,
           (ARRAY['ai-training', 'marketing', 'analytics', 'personalisation'])[n %% 4 + 1], '', '',
           CASE WHEN n %% 100 = 0 THEN '' ELSE (ARRAY['deny', 'grant'])[n %% 2 + 1] END,
           'partner', 'partner:acme', '', '{}', at, at
      FROM made
    RETURNING id, subject_id, recorded_at
), trail AS (
    INSERT INTO portal_auditentry (id, at, actor, action, object_type, object_id, details)
    SELECT id, recorded_at, 'partner:acme', 'choice.deny', 'subject', coalesce(subject_id::text, ''), '{}' FROM event
)
INSERT INTO consents_position (position, event_id, sequenced_at)
SELECT %(head)s + row_number() OVER (ORDER BY id), id, recorded_at FROM event
"""


def grow(*, rows: int, people: int, since: datetime, until: datetime) -> None:
    """Add so many events with their positions and audit entries, spread over the time and the people."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(position), 0) FROM consents_position")
        head = cursor.fetchone()[0]
        given = {"rows": rows, "people": people, "since": since, "until": until, "head": head, "first": head + 1}
        cursor.execute("ALTER TABLE consents_position DISABLE TRIGGER ALL")
        cursor.execute(_FILL, given)
        cursor.execute("ALTER TABLE consents_position ENABLE TRIGGER ALL")
        cursor.execute(
            "INSERT INTO consents_sequencerstate (id, horizon, head)"
            " VALUES (1, (pg_current_xact_id()::text::bigint + 1)::text::xid8, %(head)s)"
            " ON CONFLICT (id) DO UPDATE SET horizon = excluded.horizon, head = excluded.head",
            {"head": head + rows},
        )
        for table in (*partitions.TABLES, "consents_position"):
            cursor.execute(f"ANALYZE {table}")


def somebody(number: int, people: int) -> uuid.UUID:
    """One of the people that `grow` speaks of."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT md5('person ' || %s)::uuid", [number % people])
        found: uuid.UUID = cursor.fetchone()[0]
    return found
