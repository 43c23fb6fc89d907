"""The right to build one package: who has it, until when, and that nobody who lost it can write anything.

The number of attempts counts up with each claim and is the fencing token. The database's clock alone counts.
"""

import uuid
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from portal import leases
from portal.leases import LeaseLost
from requests_app.models import Package
from requests_app.states import PackageStatus


@dataclass(frozen=True)
class Lease:
    """The right to build one package, at the `attempt`-th time."""

    package_id: uuid.UUID
    attempt: int


_LOCK = 0x48_50_4B_47
"""The advisory lock of whoever claims."""
_CLAIM = """
UPDATE requests_app_package AS mine
   SET status = %(building)s, attempts = attempts + 1, holder = %(holder)s,
       lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
 WHERE mine.id = (
       SELECT id FROM requests_app_package
        WHERE status IN (%(waiting)s, %(building)s)
          AND (lease_until IS NULL OR lease_until < clock_timestamp())
          AND (SELECT count(*) FROM requests_app_package
                WHERE status = %(building)s AND lease_until >= clock_timestamp()) < %(builders)s
        ORDER BY asked_at, id LIMIT 1
          FOR UPDATE SKIP LOCKED)
RETURNING mine.id, mine.attempts
"""
_EXTEND = """
UPDATE requests_app_package SET lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
 WHERE id = %(id)s AND attempts = %(attempt)s AND status = %(building)s
"""
_PUT_OFF = """
UPDATE requests_app_package
   SET status = %(waiting)s, holder = '', progress = '', last_reason = %(reason)s,
       lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
 WHERE id = %(id)s AND attempts = %(attempt)s AND status = %(building)s
"""


def claim(*, holder: str) -> Lease | None:
    """The right to build the package that waits longest, also one whose builder died.

    None where none waits, or as many are being built as may be at once (HEED_PACKAGE_BUILDERS).
    """
    wanted: dict[str, Any] = {
        "holder": holder,
        "waiting": PackageStatus.WAITING,
        "building": PackageStatus.BUILDING,
        "builders": settings.PACKAGE_BUILDERS,
        "seconds": settings.LEASE.total_seconds(),
    }
    with transaction.atomic(), connection.cursor() as cursor:
        # two at once would count each other out, or in
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        cursor.execute(_CLAIM, wanted)
        row = cursor.fetchone()
    return Lease(*row) if row else None


def extend(lease: Lease) -> None:
    """Prove that the lease is still ours and hold it longer. Raises LeaseLost."""
    if not _update(_EXTEND, lease, seconds=settings.LEASE.total_seconds()):
        raise LeaseLost(str(lease.package_id))


def put_off(lease: Lease, *, wait: timedelta, reason: str) -> None:
    """Give the lease back: the package waits again, for at least so long."""
    _update(_PUT_OFF, lease, seconds=wait.total_seconds(), reason=reason)


def lock(lease: Lease) -> Package:
    """The package, locked for the closing transaction. Raises LeaseLost."""
    try:
        return (
            Package.objects.select_for_update(of=("self",))
            .select_related("request__subject")
            .get(pk=lease.package_id, attempts=lease.attempt, status=PackageStatus.BUILDING)
        )
    except Package.DoesNotExist as error:
        raise LeaseLost(str(lease.package_id)) from error


def heartbeat(lease: Lease) -> AbstractContextManager[None]:
    """Keep the lease alive from a thread of its own while the package is built."""
    return leases.heartbeat(partial(extend, lease))


def _update(statement: str, lease: Lease, **values: Any) -> bool:
    states: dict[str, Any] = {"waiting": PackageStatus.WAITING, "building": PackageStatus.BUILDING}
    with connection.cursor() as cursor:
        cursor.execute(statement, {"id": lease.package_id, "attempt": lease.attempt, **states, **values})
        return bool(cursor.rowcount == 1)
