"""The second state of a removal: readers no longer see the rows, and then their bytes are gone too.

Stores keep old versions, logs and statistics for a while. A verified run stays due until its dataset's old versions
are erased, as the store's own retention or a decision of staff allows, and a search of everything that is physically
there finds nothing of the people who were removed. Then its purge receipt says so, and what could not be searched.
"""

import random
import uuid
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.expressions import Combinable

from downstream import leases, naming, registry, retry
from downstream.connectors.base import WHOLE, Connector, ConnectorError, Residue, Trace
from downstream.failures import of_unexpected
from downstream.leases import Lease
from downstream.models import Dataset, Exemption, Propagation, PurgeReceipt, Target, Unit
from downstream.propagation_states import PURGE_DUE, Purge, UnitStatus
from portal import actors, audit
from portal.errors import Conflict, DomainError
from portal.fault_points import reach
from portal.leases import LeaseLost

logger = structlog.get_logger(__name__)

_LONGEST_RETENTION = 24 * 366 * 10
_SHOWN = 50
_WAITING = frozenset({Purge.FAILED, Purge.STOPPED, Purge.WAITING})
# a store acts by its own rule some time after it may: S3 counts whole days, and then takes its time
_LATE = timedelta(days=3)
_NEXT_LOOK = timedelta(days=1)


class RetentionError(DomainError):
    """A retention that nobody can decide so."""


def due(*, at: datetime) -> Combinable | Q:
    """Verified runs whose old versions may be looked at now."""
    others = Propagation.objects.busy().filter(dataset=OuterRef("dataset")).exclude(pk=OuterRef("pk"))
    return Q(purge__in=PURGE_DUE, next_try_at__lte=at) & ~Exists(others)


def carry_out(*, propagation_id: uuid.UUID, holder: str, clock: Callable[[], datetime]) -> bool:
    """Erase what is kept of one verified run and search for it; answers whether its bytes are gone now.

    False when it is not due, somebody else works on the dataset, the store still keeps it, or it failed (the row
    then says which).
    """
    lease = leases.claim_purge(propagation_id=propagation_id, holder=holder)
    if lease is None:
        return False
    try:
        retry.check_budget(lease.attempts)
        with leases.heartbeat(lease):
            return _work(lease, clock)
    except LeaseLost:
        logger.warning("purge.lease_lost", propagation=str(propagation_id))
    except ConnectorError as error:
        _fail(lease, error, at=clock())
    except Exception as error:
        _fail(lease, of_unexpected("purge", propagation_id, error), at=clock())
    return False


def _work(lease: Lease, clock: Callable[[], datetime]) -> bool:
    run = Propagation.objects.select_related("dataset").get(pk=lease.propagation_id)
    connector, retention = registry.connect(run.dataset), _retention(run.dataset)
    reach("purge.before")
    connector.purge(retention=retention, at=clock())
    reach("purge.after")
    leases.extend(lease)
    searched, not_searched = _searched(run, connector)
    residue = connector.residue(searched, retention=retention, at=clock(), removed_at=run.verified_at)
    reach("purge.before_settle")
    is_purged = _settle(
        lease,
        residue,
        people=len(searched) - residue.not_searched,
        not_searched=not_searched + residue.not_searched,
        at=clock(),
    )
    reach("purge.after_settle")
    return is_purged


def _searched(run: Propagation, connector: Connector) -> tuple[set[str], int]:
    """The keys to search for, and how many people's are not: of whom readers see rows again, or saw some all along."""
    targets = run.targets.filter(is_gap=False)
    named = naming.keys(targets.filter(spans=[]).values_list("subject_id", flat=True), dataset=run.dataset)
    seen = {key for finding in connector.find(named, WHOLE) for key in finding.rows_per_key}
    return set(named) - seen, len(seen) + targets.exclude(spans=[]).count() + _rows_of_erased(run)


def _rows_of_erased(run: Propagation) -> int:
    """Rows that were removed of people whose names nobody keeps: nobody can search for them either."""
    committed = run.units.filter(status=UnitStatus.COMMITTED)
    return sum(int(rows.get(str(Unit.ERASED), 0)) for rows in committed.values_list("rows", flat=True))


def _retention(dataset: Dataset) -> timedelta | None:
    return None if dataset.retention_hours is None else timedelta(hours=dataset.retention_hours)


@transaction.atomic
def _settle(lease: Lease, residue: Residue, *, people: int, not_searched: int, at: datetime) -> bool:
    run = leases.lock(lease)
    found = [*residue.found, *_linked(run)]
    # no store can look into its own backups
    unreachable = list(dict.fromkeys(("backups", *residue.unreachable)))
    run.residue = {
        "looked_at": residue.looked_at,
        "people": people,
        "found": [asdict(trace) for trace in found[:_SHOWN]],
        "found_in_all": len(found),
        "unreachable": unreachable,
        "at": at.isoformat(),
    }
    run.lease_until, run.handed_over_at, run.purge_reason, run.kept_until = None, None, "", residue.kept_until
    next_look = _next_look(run, residue.kept_until, at=at) if found else None
    if next_look is not None:
        run.purge, run.next_try_at, run.purge_attempts = Purge.WAITING, next_look, 0
    elif found:
        _wait_for_a_person(run, found)
    else:
        run.purge, run.purged_at = Purge.PURGED, at
        PurgeReceipt.objects.create(
            propagation_id=run.pk,
            dataset_id=run.dataset_id,
            looked_at=residue.looked_at,
            people=people,
            not_searched=not_searched,
            unreachable=unreachable,
            purged_at=at,
        )
        audit.record(at=at, by=actors.SYSTEM, action="propagation.purge", of=("propagation", run.pk))
    run.save()
    return run.purge == Purge.PURGED


def _next_look(run: Propagation, kept_until: datetime | None, *, at: datetime) -> datetime | None:
    """When to look again at what is kept by a rule; None where nothing will take it away by itself."""
    if kept_until is None or kept_until > at:
        return kept_until
    latest = max(kept_until + _LATE, run.purge_deadline or kept_until)
    return at + _NEXT_LOOK if run.dataset.retention_hours is None and at < latest else None


def _linked(run: Propagation) -> list[Trace]:
    """Old files that had other names when the new ones took theirs; nobody can see from here when those go."""
    if run.links_gone_at is not None:
        return []
    committed = run.units.filter(status=UnitStatus.COMMITTED, record__links__gt=1)
    return [Trace(name, "link") for name in committed.order_by("pk").values_list("name", flat=True)]


def _wait_for_a_person(run: Propagation, found: list[Trace]) -> None:
    places = ", ".join(dict.fromkeys(f"{trace.place} ({trace.kind.replace('_', ' ')})" for trace in found[:5]))
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    run.purge = Purge.STOPPED
    are = "may still be" if all(trace.kind == "unreadable" for trace in found) else "are still"
    run.purge_reason = (
        f"Bytes of removed people {are} in {places}{more}, and nothing that Heed may erase by itself holds them. "
        "Delete them, and let Heed look again."
    )


@transaction.atomic
def _fail(lease: Lease, error: ConnectorError, *, at: datetime) -> None:
    try:
        run = leases.lock(lease)
    except LeaseLost:
        return
    wait = retry.delay(attempts=lease.attempts, permanent=error.permanent, jitter=random.random())  # noqa: S311
    run.purge = Purge.STOPPED if wait is None else Purge.FAILED
    run.purge_reason, run.next_try_at = error.message, at + (wait or timedelta())
    run.lease_until, run.handed_over_at = None, None
    run.save()
    logger.warning("purge.failed", propagation=str(run.pk), code=error.code, stopped=wait is None)


@transaction.atomic
def look_again(*, propagation: Propagation, links_are_gone: bool = False, by: str, at: datetime) -> None:
    """A person lets Heed erase and search again; they may say that other names of old files are deleted.

    Raises Conflict(`nothing_kept`) where there is nothing to look for.
    """
    run = Propagation.objects.select_for_update().get(pk=propagation.pk)
    if run.purge not in _WAITING:
        raise Conflict("nothing_kept", "There is nothing to look for, or somebody looks right now.")
    if links_are_gone:
        run.links_gone_at = at
    run.purge, run.purge_attempts, run.next_try_at, run.handed_over_at = Purge.WAITING, 0, at, None
    run.save()
    details = {"links_are_gone": links_are_gone}
    audit.record(at=at, by=by, action="propagation.look_again", of=("propagation", run.pk), details=details)


@transaction.atomic
def decide_retention(*, dataset: Dataset, hours: int | None, reason: str, by: str, at: datetime) -> None:
    """Staff decide how long old versions are kept here; None leaves it to the store. Looked at again at once.

    Raises RetentionError(`held_by_another` | `reason_missing` | `invalid_retention`).
    """
    if registry.is_remote(dataset):
        raise RetentionError("held_by_another", "Whoever holds this dataset decides how long old versions are kept.")
    if not reason.strip():
        raise RetentionError("reason_missing", "Say why: who reads old versions, and who agreed.", field="reason")
    if hours is not None and not 0 <= hours <= _LONGEST_RETENTION:
        raise RetentionError(
            "invalid_retention", f"A retention is 0 to {_LONGEST_RETENTION} hours, or the store's own.", field="hours"
        )
    locked = Dataset.objects.select_for_update().get(pk=dataset.pk)
    was, locked.retention_hours = locked.retention_hours, hours
    locked.save(update_fields=["retention_hours"])
    waiting = locked.propagations.filter(purge__in=_WAITING)
    waiting.update(purge=Purge.WAITING, purge_attempts=0, next_try_at=at, handed_over_at=None)
    details = {"was": was, "hours": hours, "reason": reason.strip()}
    audit.record(at=at, by=by, action="dataset.decide_retention", of=("dataset", locked.slug), details=details)


def kept(*, subject_id: uuid.UUID) -> "QuerySet[Propagation]":
    """Runs that removed this person from a living dataset and whose bytes are not known to be gone.

    Not of a dataset that keeps rows of theirs anyway, under an exemption from their erasure.
    """
    theirs = Target.objects.filter(propagation=OuterRef("pk"), subject_id=subject_id, is_gap=False)
    exempted = Exemption.objects.in_force().of_erased().filter(subject_id=subject_id).values("dataset")
    of_living = Propagation.objects.kept().filter(Exists(theirs), dataset__retired_at__isnull=True)
    return of_living.exclude(dataset__in=exempted)
