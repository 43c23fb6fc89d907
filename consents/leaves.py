"""What the public log holds of an event: a salted commitment, which tells nobody anything.

`content` is what an event says, in one fixed spelling; `entry` is the public leaf made of it. Whoever holds an
event's content and salt (a receipt gives both) can make the entry again; whoever holds only the entry learns
the event's kind. The same is said once more in SQL, so that PostgreSQL can hash millions of rows where they
lie; a property test holds the two together.
"""

import hashlib
import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from consents.models import LedgerEvent

PREFIX = "heed-event-v1"

_TIME = """to_char(event.{} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
# most events, people's choices, have no details: their digest need not be computed a million times
_DETAILS = f"""CASE WHEN event.details = '{{}}' THEN '{hashlib.sha256(b"{}").hexdigest()}'
       ELSE encode(sha256(convert_to(event.details::text, 'UTF8')), 'hex') END"""
_CONTENT_SQL = f"""json_build_array(event.id::text, event.kind, event.subject_id::text, event.purpose, event.recipient,
       event.category, event.action, event.source, event.actor, event.notice, encode(sha256(event.evidence), 'hex'),
       {_DETAILS},
       {_TIME.format("occurred_at")}, {_TIME.format("recorded_at")})::text"""
ENTRY_SQL = f"""convert_to('{PREFIX} ' || event.kind || ' '
       || encode(sha256(uuid_send(event.salt) || convert_to({_CONTENT_SQL}, 'UTF8')), 'hex'), 'UTF8')"""
"""The entry of the ledger row called `event`, as bytea."""
LEAF_SQL = rf"sha256('\x00'::bytea || {ENTRY_SQL})"
"""The leaf hash of the ledger row called `event` (RFC 9162, 2.1.1), as bytea."""

# Ids carry their time and positions follow it closely, so the bounds make a narrow range of the ledger's index out
# of what might else become a scan of all of it. uuid has no min() before PostgreSQL 18.
_BOUNDS = """
SELECT min(event_id::text COLLATE "C")::uuid, max(event_id::text COLLATE "C")::uuid
  FROM consents_position WHERE position > %(after)s AND position <= %(until)s
"""
# OFFSET 0 has the hashes made before the rows are sorted: sorting whole events would spill to disk
_RUNS = f"""
SELECT (position - 1) / %(width)s, count(*), max(position), string_agg(leaf, ''::bytea ORDER BY position)
  FROM (SELECT place.position, {LEAF_SQL} AS leaf
          FROM consents_position AS place JOIN consents_ledgerevent AS event ON event.id = place.event_id
         WHERE place.position > %(after)s AND place.position <= %(until)s
           AND event.id BETWEEN %(least)s AND %(greatest)s OFFSET 0) AS hashed
 GROUP BY (position - 1) / %(width)s
 ORDER BY (position - 1) / %(width)s
"""  # noqa: S608 - made of constants of our own
_ENTRIES = f"""
SELECT {ENTRY_SQL} FROM consents_position AS place JOIN consents_ledgerevent AS event ON event.id = place.event_id
 WHERE place.position > %(after)s AND place.position <= %(until)s ORDER BY place.position
"""  # noqa: S608 - made of constants of our own


@dataclass(frozen=True)
class Run:
    """The leaf hashes of `count` positions up to `last` that fall into one tile of the tree."""

    tile: int
    count: int
    last: int
    hashes: bytes


def runs(*, after: int, until: int, width: int) -> list[Run]:
    """Leaf hashes of the positions in (after, until], computed from the ledger's rows, cut at every `width` leaves.

    A position that is missing, or whose event is, is simply not there: the caller counts.
    """
    with connection.cursor() as cursor:
        cursor.execute(_BOUNDS, {"after": after, "until": until})
        least, greatest = cursor.fetchone()
        if least is None:
            return []
        bounds = {"least": least, "greatest": greatest}
        cursor.execute(_RUNS, {"after": after, "until": until, "width": width, **bounds})
        return [Run(tile, count, last, bytes(hashes)) for tile, count, last, hashes in cursor.fetchall()]


def entries(*, after: int, until: int) -> list[bytes]:
    """The entries of the positions in (after, until], in order."""
    with connection.cursor() as cursor:
        cursor.execute(_ENTRIES, {"after": after, "until": until})
        return [bytes(entry) for (entry,) in cursor.fetchall()]


def content(event: LedgerEvent) -> str:
    """What the event says, as a JSON array in PostgreSQL's spelling.

    `[id, kind, subject_id, purpose, recipient, category, action, source, actor, notice, evidence digest,
    details digest, occurred_at, recorded_at]`. Digests are SHA-256 in hexadecimal, of the sealed evidence and
    of `details::text`; times are UTC with microseconds.
    """
    return json.dumps(
        [
            str(event.pk),
            str(event.kind),
            str(event.subject_id) if event.subject_id else None,
            event.purpose,
            event.recipient,
            event.category,
            str(event.action),
            str(event.source),
            event.actor,
            event.notice,
            None if event.evidence is None else hashlib.sha256(event.evidence).hexdigest(),
            hashlib.sha256(_as_jsonb(event.details).encode()).hexdigest(),
            _time(event.occurred_at),
            _time(event.recorded_at),
        ],
        ensure_ascii=False,
    )


def entry(*, kind: str, salt: uuid.UUID, content: str) -> bytes:
    """The public leaf: the kind, and a commitment to the content that only the salt opens."""
    commitment = hashlib.sha256(salt.bytes + content.encode()).hexdigest()
    return f"{PREFIX} {kind} {commitment}".encode()


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _as_jsonb(value: Any) -> str:
    """As PostgreSQL prints jsonb: keys by length and then by bytes, numbers without exponent."""
    # through JSON once, because that is what the database was handed
    return _printed(json.loads(json.dumps(value), parse_float=Decimal))


def _printed(value: Any) -> str:
    if isinstance(value, dict):
        inner = sorted(value.items(), key=lambda item: (len(item[0].encode()), item[0].encode()))
        return "{" + ", ".join(f"{_printed(key)}: {_printed(one)}" for key, one in inner) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_printed(one) for one in value) + "]"
    if isinstance(value, Decimal):
        # PostgreSQL's numeric knows no negative zero
        return f"{abs(value) if value.is_zero() else value:f}"
    return json.dumps(value, ensure_ascii=False)
