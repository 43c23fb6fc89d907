"""Leases on propagations: who works on one, until when, and the fencing token that stops a zombie.

The database's clock alone counts, so that workers' clocks may differ.
"""

import uuid
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Q

from downstream.models import Propagation
from downstream.propagation_states import DUE, OPEN, PURGE_DUE, Purge, Status
from portal import leases
from portal.leases import LeaseLost


@dataclass(frozen=True)
class Lease:
    """The right to work on one propagation."""

    propagation_id: uuid.UUID
    token: int
    attempts: int


_CLAIM = """
UPDATE downstream_propagation AS mine
   SET status = %(working)s, fencing_token = fencing_token + 1, attempts = attempts + 1,
       lease_holder = %(holder)s, lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
 WHERE mine.id = (
       SELECT id FROM downstream_propagation
        WHERE id = %(id)s AND status = ANY(%(due)s) AND next_try_at <= clock_timestamp()
          AND (lease_until IS NULL OR lease_until < clock_timestamp())
          FOR UPDATE SKIP LOCKED)
RETURNING mine.fencing_token, mine.attempts
"""
_EXTEND = """
UPDATE downstream_propagation SET lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
 WHERE id = %(id)s AND fencing_token = %(token)s AND (status = %(working)s OR purge = %(purging)s)
"""
_CLAIM_PURGE = """
UPDATE downstream_propagation AS mine
   SET purge = %(working)s, fencing_token = fencing_token + 1, purge_attempts = purge_attempts + 1,
       lease_holder = %(holder)s, lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
 WHERE mine.id = (
       SELECT id FROM downstream_propagation
        WHERE id = %(id)s AND purge = ANY(%(due)s) AND next_try_at <= clock_timestamp()
          AND (lease_until IS NULL OR lease_until < clock_timestamp())
          FOR UPDATE SKIP LOCKED)
   AND NOT EXISTS (
       SELECT FROM downstream_propagation AS other
        WHERE other.dataset_id = mine.dataset_id AND other.id <> mine.id
          AND (other.status = ANY(%(open)s) OR other.purge = %(working)s))
RETURNING mine.fencing_token, mine.purge_attempts
"""


def claim(*, propagation_id: uuid.UUID, holder: str) -> Lease | None:
    """Take the lease if the work is due and nobody holds it; None otherwise."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            _CLAIM,
            {
                "id": propagation_id,
                "holder": holder,
                "working": Status.WORKING,
                "due": sorted(DUE),
                "seconds": settings.LEASE.total_seconds(),
            },
        )
        row = cursor.fetchone()
    return Lease(propagation_id, *row) if row else None


def claim_purge(*, propagation_id: uuid.UUID, holder: str) -> Lease | None:
    """The same for erasing a verified run's old versions; also None while another run of its dataset goes on."""
    wanted: dict[str, Any] = {
        "id": propagation_id,
        "holder": holder,
        "working": Purge.WORKING,
        "due": sorted(PURGE_DUE),
        "open": sorted(OPEN),
        "seconds": settings.LEASE.total_seconds(),
    }
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_CLAIM_PURGE, wanted)
            row = cursor.fetchone()
    except IntegrityError:
        # a run was planned in the same moment; it goes first
        return None
    return Lease(propagation_id, *row) if row else None


def extend(lease: Lease) -> None:
    """Prove that the lease is still ours and hold it longer. Raises LeaseLost."""
    with connection.cursor() as cursor:
        cursor.execute(
            _EXTEND,
            {
                "id": lease.propagation_id,
                "token": lease.token,
                "working": Status.WORKING,
                "purging": Purge.WORKING,
                "seconds": settings.LEASE.total_seconds(),
            },
        )
        if cursor.rowcount != 1:
            raise LeaseLost(str(lease.propagation_id))


def lock(lease: Lease) -> Propagation:
    """The propagation, locked for the closing transaction. Raises LeaseLost."""
    try:
        return Propagation.objects.select_for_update().get(
            Q(status=Status.WORKING) | Q(purge=Purge.WORKING), pk=lease.propagation_id, fencing_token=lease.token
        )
    except Propagation.DoesNotExist as error:
        raise LeaseLost(str(lease.propagation_id)) from error


def heartbeat(lease: Lease) -> AbstractContextManager[None]:
    """Keep the lease alive from a thread of its own while long work goes on."""
    return leases.heartbeat(partial(extend, lease))
