"""Filling the ledger, sequencing and sealing, for the tests of the log."""

import base64
from datetime import datetime
from typing import Any

from django.db import connection

from consents import checkpoints
from consents.models import Checkpoint, LedgerEvent, Position
from portal import signing
from tests.conftest import AT, BY, sequenced

# One statement, as many events: each with an id, a person and a salt of its own.
_FILL = """
INSERT INTO consents_ledgerevent (id, kind, subject_id, purpose, recipient, category, action, source, actor, notice,
                                  details, occurred_at, recorded_at)
SELECT (lpad(to_hex(floor(extract(epoch FROM %(at)s::timestamptz) * 1000)::bigint), 12, '0') || '70008'
        || lpad(to_hex(%(first)s + number), 15, '0'))::uuid,
       'amendment', gen_random_uuid(), 'ai-training', '', '', '', 'import', %(by)s, 'ai-training@1',
       '{}', %(at)s, %(at)s
  FROM generate_series(1, %(count)s) AS number
"""
# Whatever the byte was: one time in 256 a fixed one would be what stands there.
ALTER_TILE = "UPDATE consents_tile SET hashes = set_byte(hashes, 0, 255 - get_byte(hashes, 0))"


def fill(count: int, *, at: datetime = AT) -> None:
    """So many events about as many people, straight into the ledger."""
    with connection.cursor() as cursor:
        first = LedgerEvent.objects.count()
        cursor.execute(_FILL, {"count": count, "first": first, "at": at, "by": BY})


def sealed(count: int = 0) -> Checkpoint:
    """Add so many events, sequence and seal everything; answers the checkpoint."""
    fill(count)
    sequenced()
    checkpoints.seal(at=AT)
    last = checkpoints.latest()
    assert last is not None
    return last


def placed(position: int) -> LedgerEvent:
    return Position.objects.select_related("event").get(position=position).event


def ring(*names: str, retired: str = "") -> signing.SigningRing:
    """A signing ring of made-up keys; the first signs."""
    text = ",".join(f"{name}:{base64.b64encode(name.encode().ljust(32, b'.')).decode()}" for name in names)
    return signing.parse_ring(text, retired=retired)


def behind_the_triggers(statement: str, values: Any = ()) -> None:
    """What a superuser can do to any table of ours: nothing in the database stops or notes it."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        try:
            cursor.execute(statement, values)
        finally:
            cursor.execute("SET session_replication_role = DEFAULT")
