"""Gives every committed event its gap-free position in the log.

Events commit in another order than they begin. Following the table by time or id would miss whoever
committed late. So the sequencer takes only events of transactions that no open transaction can still
precede: those below `pg_snapshot_xmin`, the horizon. What is below the last horizon has its position already.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from consents.models import LedgerEvent, Position, SequencerState

_LOCK = 0x48_45_45_44  # "HEED", the advisory lock that only one sequencer holds

_NEW = """
WITH fresh AS (
    SELECT event.id, row_number() OVER (ORDER BY event.transaction_id, event.id) AS step
      FROM consents_ledgerevent AS event
     WHERE event.transaction_id >= %(after)s::xid8 AND event.transaction_id < %(horizon)s::xid8
           -- events of a restored cluster have ids that this cluster reaches only later
       AND NOT EXISTS (SELECT FROM consents_position AS place WHERE place.event_id = event.id)
), placed AS (
    INSERT INTO consents_position (position, event_id, sequenced_at)
    SELECT %(head)s + step, id, %(at)s FROM fresh
    RETURNING 1
)
SELECT count(*) FROM placed
"""

# After a restore into another cluster, transaction ids begin anew below the stored horizon.
# Then order by time of recording once, over everything that has no position yet.
_RESTORED = """
WITH fresh AS (
    SELECT event.id, row_number() OVER (ORDER BY event.recorded_at, event.id) AS step
      FROM consents_ledgerevent AS event
     WHERE NOT EXISTS (SELECT FROM consents_position AS place WHERE place.event_id = event.id)
       AND (event.transaction_id < %(horizon)s::xid8 OR event.transaction_id >= pg_snapshot_xmax(pg_current_snapshot()))
), placed AS (
    INSERT INTO consents_position (position, event_id, sequenced_at)
    SELECT %(head)s + step, id, %(at)s FROM fresh
    RETURNING 1
)
SELECT count(*) FROM placed
"""


@dataclass(frozen=True)
class Lag:
    """How far the log's head is behind the ledger; `waiting` events, the oldest `seconds` old."""

    waiting: int
    seconds: float


@transaction.atomic
def advance(*, at: datetime) -> int:
    """Give positions to all events that can have one now; answers how many.

    Two at once: the second waits for nobody and answers 0.
    """
    with connection.cursor() as cursor:
        # where positions were few when the planner last looked, it would read all of them anew for each event, also
        # those that this very statement adds: a first large import would never end
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s), set_config('enable_seqscan', 'off', true)", [_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        # read after the lock, so that the state is what the last holder committed
        state, _ = SequencerState.objects.get_or_create(id=1, defaults={"horizon": 0})
        # our own transaction has an id of its own only once it writes; it never precedes the horizon
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
        horizon = int(cursor.fetchone()[0])
        statement = _NEW if horizon >= state.horizon else _RESTORED
        cursor.execute(statement, {"after": str(state.horizon), "horizon": str(horizon), "head": state.head, "at": at})
        placed: int = cursor.fetchone()[0]
        if placed or horizon != state.horizon:
            state.horizon, state.head = horizon, state.head + placed
            state.sequenced_at = at
            state.save(update_fields=["horizon", "head", "sequenced_at"])
    return placed


def head() -> int:
    """The last position given; 0 before the first."""
    state = SequencerState.objects.filter(id=1).values_list("head", flat=True).first()
    return state or 0


def lag(*, at: datetime) -> Lag:
    """What waits for a position: the horizon waits for the oldest open transaction."""
    state = SequencerState.objects.filter(id=1).first()
    waiting = LedgerEvent.objects.filter(transaction_id__gte=state.horizon if state else 0, placed__isnull=True)
    oldest = waiting.order_by("recorded_at").values_list("recorded_at", flat=True).first()
    seconds = (at - oldest).total_seconds() if oldest else 0.0
    return Lag(waiting=waiting.count(), seconds=max(seconds, 0.0))


def position_of(event_id: uuid.UUID) -> int | None:
    """The event's position, or None while it waits for one."""
    return Position.objects.filter(event_id=event_id).values_list("position", flat=True).first()
