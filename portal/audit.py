"""The audit trail: one entry, in the same transaction as what it tells of."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from portal.models import AuditEntry


def record(
    *, at: datetime, by: str, action: str, of: tuple[str, object], details: dict[str, Any] | None = None
) -> AuditEntry:
    """Write who (`by`, as `kind:id`) did what to which object. `details` hold no personal data."""
    return AuditEntry.objects.create(
        at=at, actor=by, action=action, object_type=of[0], object_id=str(of[1]), details=details or {}
    )


def record_many(*, at: datetime, by: str, action: str, object_type: str, object_ids: Iterable[object]) -> None:
    """The same for many objects at once, in batches."""
    entries = (
        AuditEntry(at=at, actor=by, action=action, object_type=object_type, object_id=str(one)) for one in object_ids
    )
    AuditEntry.objects.bulk_create(entries, batch_size=5_000)
