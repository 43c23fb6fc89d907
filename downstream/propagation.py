"""Bringing a dataset from one log position to a later one: plan, claim, carry out, settle.

The truth is in the tables: what is planned, who holds the lease, which file was written, which is in place.
Files are changed outside any transaction and settled afterwards, so a crash at any instant leaves work that
is still due and a dataset that is whole; the next holder finds out from the unit's record what happened.
"""

import random
import uuid
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q

from consents import sequencer
from consents.models import Position
from downstream import (
    arrivals,
    asking,
    carrying,
    failures,
    leases,
    leaving,
    naming,
    purging,
    registry,
    retry,
    statements,
    versions,
)
from downstream.connectors.base import ConnectorError
from downstream.leases import Lease
from downstream.models import Dataset, Exemption, Propagation, Target
from downstream.propagation_states import DUE, Status
from portal import actors, audit
from portal.errors import Conflict
from portal.leases import LeaseLost

logger = structlog.get_logger(__name__)

CARRY_OUT_TASK = "downstream.tasks.carry_out"
TURN_TASK = "downstream.tasks.turn"


def plan(*, at: datetime, gathers: bool = True) -> list[Propagation]:
    """Plan a run for each dataset that is behind the log and has none open; answers the new ones.

    One whose window is still open gathers what is said, unless somebody wants it carried out now (`gathers` is false).

    Where nobody in the passed stretch is denied, the dataset's position simply moves on. Where files came in, the run
    is a full one: it looks for everybody, and the dataset's position does not go back for it. A dataset whose planning
    fails does not keep the others from theirs: the first error is raised at the end.
    """
    head = sequencer.head()
    due = Q(position__lt=head) | Q(pk__in=versions.with_arrivals())
    behind = Dataset.objects.living().filter(due).exclude(propagations__in=Propagation.objects.busy())
    planned: list[Propagation] = []
    failures: list[Exception] = []
    for pk in behind.values_list("pk", flat=True):
        try:
            one = _plan_one(pk, head=head, gathers=gathers, at=at)
        except Exception as failure:
            failures.append(failure)
        else:
            planned += [one] if one else []
    if failures:
        raise failures[0]
    return planned


def _plan_one(dataset_id: int, *, head: int, gathers: bool, at: datetime) -> Propagation | None:
    """Decide first and lock afterwards: while a transaction that writes is open, the log gives no positions."""
    dataset = Dataset.objects.living().filter(pk=dataset_id).first()
    if dataset is None:
        return None
    is_full = versions.with_arrivals().filter(dataset=dataset).exists() or arrivals.is_first_look(dataset)
    if not is_full and (dataset.position >= head or (gathers and _is_gathering(dataset, at=at))):
        return None
    head = max(head, dataset.position)
    people = leaving.people(dataset, after=dataset.position, until=head, at=at)
    return _planned(dataset, people, head=head, is_full=is_full, at=at)


@transaction.atomic
def _planned(read: Dataset, people: leaving.Going, *, head: int, is_full: bool, at: datetime) -> Propagation | None:
    """The run that removes these people; None where somebody else was first, or the dataset is not what it was."""
    dataset = Dataset.objects.living().select_for_update(skip_locked=True).filter(pk=read.pk).first()
    if dataset is None or _decides(dataset) != _decides(read) or dataset.propagations.busy().exists():
        # the next turn looks again
        return None
    # read again under the lock that an exemption takes
    kept = set(leaving.kept_back(dataset))
    people = {pk: spans for pk, spans in people.items() if pk not in kept}
    if not people and not is_full:
        dataset.position = head
        dataset.save(update_fields=["position"])
        return None
    propagation = Propagation.objects.create(
        dataset=dataset,
        from_position=dataset.position,
        to_position=head,
        is_full=is_full,
        planned_at=at,
        next_try_at=at,
        deadline=_deadline(dataset, at=at),
    )
    try:
        known = set(naming.keys(people, dataset=dataset).values())
    except ConnectorError:
        # the run says so itself, on its page
        known = set(people)
    Target.objects.bulk_create(
        [leaving.target(propagation, pk, people[pk], is_named=pk in known) for pk in sorted(people)], batch_size=5_000
    )
    audit.record(
        at=at,
        by=actors.SYSTEM,
        action="propagation.plan",
        of=("propagation", propagation.pk),
        details={"dataset": dataset.slug, "people": len(people), "to": head, "full": is_full},
    )
    return propagation


def _decides(dataset: Dataset) -> tuple[object, ...]:
    """All of a dataset that says who has to leave it."""
    return dataset.position, dataset.purposes, dataset.owner_id, dataset.category


def _is_gathering(dataset: Dataset, *, at: datetime) -> bool:
    """Whether its window is still open: a file that holds ten people is written anew once for all of them.

    Decisions deny at once all the same; only the rows wait.
    """
    opened = _oldest(dataset) if dataset.window_minutes else None
    return opened is not None and at < opened + timedelta(minutes=dataset.window_minutes)


def _deadline(dataset: Dataset, *, at: datetime) -> datetime:
    return (_oldest(dataset) or at) + timedelta(hours=dataset.deadline_hours)


def _oldest(dataset: Dataset) -> datetime | None:
    """When the first entry of the log was recorded that the dataset does not follow yet; None for a new dataset."""
    waiting = Position.objects.filter(position__gt=dataset.position).order_by("position").select_related("event")
    first = waiting.first() if dataset.position else None
    return first.event.recorded_at if first else None


def hand_over(*, at: datetime) -> list[uuid.UUID]:
    """Due work that was not handed to a worker lately; marks it as handed over and answers the ids.

    What the broker lost is handed over again; claiming twice is harmless.
    """
    due = Propagation.objects.filter(
        Q(handed_over_at__isnull=True) | Q(handed_over_at__lt=at - settings.REQUEUE_AFTER),
        Q(lease_until__isnull=True) | Q(lease_until__lt=at),
        Q(status__in=DUE, next_try_at__lte=at) | purging.due(at=at),
    )
    with transaction.atomic():
        # a no that has to arrive comes before bytes that have to go
        ids = list(
            due.order_by("purge", "next_try_at").select_for_update(skip_locked=True).values_list("pk", flat=True)
        )
        Propagation.objects.filter(pk__in=ids).update(handed_over_at=at)
    return ids


def carry_out(*, propagation_id: uuid.UUID, holder: str, clock: registry.Clock) -> bool:
    """Claim one propagation and bring it to its end; answers whether it is verified now.

    False when somebody else works on it, it is not due, its holder has yet to answer, or it failed (the row says why).
    """
    lease = leases.claim(propagation_id=propagation_id, holder=holder)
    if lease is None:
        return False
    try:
        retry.check_budget(lease.attempts)
        with leases.heartbeat(lease):
            if not _work(lease, clock):
                return False
    except LeaseLost:
        logger.warning("propagation.lease_lost", propagation=str(propagation_id))
        return False
    except ConnectorError as error:
        _fail(lease, code=error.code, message=error.message, permanent=error.permanent, at=clock())
        return False
    except Exception as error:
        told = failures.of_unexpected("propagation", propagation_id, error)
        _fail(lease, code=told.code, message=told.message, permanent=False, at=clock())
        return False
    statements.refresh(dataset=Dataset.objects.get(propagations=propagation_id), at=clock())
    return True


def _work(lease: Lease, clock: registry.Clock) -> bool:
    """Remove the rows where we can, ask their holder where we cannot; False while the holder has yet to answer."""
    if registry.is_remote(Dataset.objects.get(propagations=lease.propagation_id)):
        return asking.work(lease, clock)
    carrying.work(lease, clock)
    return True


@transaction.atomic
def _fail(lease: Lease, *, code: str, message: str, permanent: bool, at: datetime) -> None:
    try:
        propagation = leases.lock(lease)
    except LeaseLost:
        return
    wait = retry.delay(attempts=lease.attempts, permanent=permanent, jitter=random.random())  # noqa: S311
    propagation.status = Status.STOPPED if wait is None else Status.FAILED
    propagation.reason_code, propagation.reason = code, message
    propagation.next_try_at = at + (wait or timedelta())
    propagation.lease_until, propagation.handed_over_at = None, None
    propagation.save()
    logger.warning("propagation.failed", propagation=str(propagation.pk), code=code, stopped=wait is None)


@transaction.atomic
def retry_now(*, propagation: Propagation, by: str, at: datetime) -> None:
    """A person lets failed or stopped work begin again with a fresh budget. Raises Conflict."""
    locked = Propagation.objects.select_for_update().get(pk=propagation.pk)
    if locked.status not in {Status.FAILED, Status.STOPPED}:
        raise Conflict("not_failed", "Only failed or stopped work can be tried again.")
    locked.status, locked.attempts = Status.PLANNED, 0
    locked.next_try_at, locked.handed_over_at = at, None
    locked.save()
    audit.record(at=at, by=by, action="propagation.retry", of=("propagation", locked.pk))


def arrived(*, subject_id: uuid.UUID, position: int) -> bool:
    """Whether everything up to `position` about this person is verified in every living dataset, without a gap.

    Not while files wait to be looked through: whoever is forgotten before can be harder to recognise in them. A dataset
    that keeps their rows when they are erased is not waited for.
    """
    exempted = Exemption.objects.in_force().of_erased().filter(subject_id=subject_id).values("dataset")
    behind = Q(position__lt=position) | Q(pk__in=versions.with_arrivals())
    if Dataset.objects.living().filter(behind).exclude(pk__in=exempted).exists():
        return False
    gaps = Target.objects.gaps().filter(
        subject_id=subject_id,
        propagation__to_position__gte=position,
        propagation__dataset__retired_at__isnull=True,
    )
    return not gaps.exclude(propagation__dataset__in=exempted).exists()
