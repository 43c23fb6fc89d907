"""What the public log holds of an event: a salted commitment, which tells nobody anything.

`content` is what an event says, in one fixed spelling; `entry` is the public leaf made of it. Whoever holds an
event's content and salt (a receipt gives both) can make the entry again; whoever holds only the entry learns
the event's kind. The same is said once more in SQL, so that PostgreSQL can hash millions of rows where they
lie; a property test holds the two together.
"""

import hashlib
import json
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from consents.models import LedgerEvent

PREFIX = "heed-event-v1"

_TIME = """to_char(event.{} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
_CONTENT_SQL = f"""json_build_array(event.id::text, event.kind, event.subject_id::text, event.purpose, event.recipient,
       event.category, event.action, event.source, event.actor, event.notice, encode(sha256(event.evidence), 'hex'),
       encode(sha256(convert_to(event.details::text, 'UTF8')), 'hex'),
       {_TIME.format("occurred_at")}, {_TIME.format("recorded_at")})::text"""
ENTRY_SQL = f"""convert_to('{PREFIX} ' || event.kind || ' '
       || encode(sha256(uuid_send(event.salt) || convert_to({_CONTENT_SQL}, 'UTF8')), 'hex'), 'UTF8')"""
"""The entry of the ledger row called `event`, as bytea."""
LEAF_SQL = rf"sha256('\x00'::bytea || {ENTRY_SQL})"
"""The leaf hash of the ledger row called `event` (RFC 9162, 2.1.1), as bytea."""


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
