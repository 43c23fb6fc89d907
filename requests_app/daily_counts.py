"""What happened on each of the last days, as UTC counts them: the figures of the staff's charts, by one query.

Requests are counted from their indexes alone. The log is not counted at all, since a day may hold millions of its
entries: what it grew by is the difference of two positions, found through the time in the ids.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import connection

from portal import partitions
from requests_app.states import CLOSED

DAYS = 30

_STATEMENT = """
SELECT 'received', (received_at AT TIME ZONE 'UTC')::date, count(*)
  FROM requests_app_request
 WHERE received_at >= %(begins)s AND received_at < %(ends)s
 GROUP BY 2
UNION ALL
SELECT 'closed', (closed_at AT TIME ZONE 'UTC')::date, count(*)
  FROM requests_app_request
 WHERE status = ANY(%(closed)s) AND closed_at >= %(begins)s AND closed_at < %(ends)s
 GROUP BY 2
UNION ALL
SELECT 'first', day,
       (SELECT position FROM consents_position
         WHERE event_id = (SELECT id FROM consents_ledgerevent
                            WHERE id >= since AND id < %(last_id)s ORDER BY id LIMIT 1))
  FROM unnest(%(days)s::date[], %(ids)s::uuid[]) AS begun (day, since)
"""


@dataclass(frozen=True)
class Daily:
    """The days, the oldest first, and for each how many requests came in and were closed, and how the log grew."""

    days: tuple[date, ...]
    received: tuple[int, ...]
    closed: tuple[int, ...]
    entries: tuple[int, ...]


def until(at: datetime, *, head: int) -> Daily:
    """The last thirty days, of which today is the last and not over yet. `head` is the log's last position."""
    last = at.astimezone(UTC).date()
    days = tuple(last - timedelta(days=ago) for ago in reversed(range(DAYS)))
    begins = [_begins(day) for day in days]
    ends = _begins(last + timedelta(days=1))
    values: dict[str, Any] = {
        "begins": begins[0],
        "ends": ends,
        "closed": sorted(CLOSED),
        "days": list(days),
        "ids": [partitions.lower_bound(one) for one in begins],
        "last_id": partitions.lower_bound(ends),
    }
    found: dict[tuple[str, date], int | None] = {}
    with connection.cursor() as cursor:
        cursor.execute(_STATEMENT, values)
        found = {(what, day): number for what, day, number in cursor.fetchall()}
    return Daily(
        days=days,
        received=tuple(found.get(("received", day)) or 0 for day in days),
        closed=tuple(found.get(("closed", day)) or 0 for day in days),
        entries=_growth([found.get(("first", day)) for day in days], head),
    )


def _growth(firsts: list[int | None], head: int) -> tuple[int, ...]:
    """How many positions were given on each day, from each day's first one; a day without any has that of the next."""
    growth: list[int] = []
    following = head + 1
    for first in reversed(firsts):
        begun = min(first if first is not None else following, following)
        growth.append(following - begun)
        following = begun
    return tuple(reversed(growth))


def _begins(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
