"""The audit trail: one entry, in the same transaction as what it tells of."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection
from uuid_utils.compat import uuid7

from portal.models import AuditEntry

INSERT = """
INSERT INTO portal_auditentry (id, at, actor, action, object_type, object_id, details)
VALUES (%(audit_id)s, %(audit_at)s, %(audit_actor)s, %(audit_action)s, %(audit_type)s, %(audit_object)s,
        %(audit_details)s::jsonb)
"""
"""One entry, with `values` as its parameters; also as the last part of a statement that writes the change itself."""


def record(
    *, at: datetime, by: str, action: str, of: tuple[str, object], details: dict[str, Any] | None = None
) -> None:
    """Write who (`by`, as `kind:id`) did what to which object. `details` hold no personal data."""
    with connection.cursor() as cursor:
        cursor.execute(INSERT, values(at=at, by=by, action=action, of=of, details=details))


def values(
    *, at: datetime, by: str, action: str, of: tuple[str, object], details: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The parameters of INSERT."""
    return {
        "audit_id": uuid7(),
        "audit_at": at,
        "audit_actor": by,
        "audit_action": action,
        "audit_type": of[0],
        "audit_object": str(of[1]),
        "audit_details": json.dumps(details or {}),
    }


def record_many(*, at: datetime, by: str, action: str, object_type: str, object_ids: Iterable[object]) -> None:
    """The same for many objects at once, in batches."""
    entries = (
        AuditEntry(at=at, actor=by, action=action, object_type=object_type, object_id=str(one)) for one in object_ids
    )
    AuditEntry.objects.bulk_create(entries, batch_size=5_000)
