"""Carrying a run out by asking whoever holds the dataset: written down first, sent once, then waited for.

A crash may leave a request of which nobody knows whether it arrived. The holder knows it by our id, so whoever takes
over asks after that id before anything is sent again. While a holder works the run is `awaiting`: no worker waits.
"""

import random
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import islice

from django.conf import settings
from django.db import transaction
from django.db.models import Min

from downstream import attesting, leases, naming, registry, webhooks
from downstream.attesting import Attested
from downstream.connectors.base import ConnectorError
from downstream.holders.base import Holder, Processor, Question, Told, TryLater
from downstream.holders.partners import EVENT
from downstream.leases import Lease
from downstream.models import HolderRequest, Propagation
from downstream.propagation_states import Status
from portal.fault_points import reach

CALLBACK = "/opendsr/callbacks"
_AT_ONCE = 4
"""Requests on their way to one holder at the same time; OpenDSR asks that nobody has to throttle."""
_BATCH = 20
_FIRST_LOOK, _LAST_LOOK = timedelta(seconds=30), timedelta(hours=6)
_CHECKED = timedelta(days=1)
"""How often it is looked whether an awaited partner can still be reached at all."""

State = HolderRequest.State
_OPEN = (State.WRITTEN, State.SENT)
Outcome = Told | ConnectorError


def work(lease: Lease, clock: registry.Clock) -> bool:
    """Ask what is to be asked; answers whether the run is closed now, or else awaits the holder.

    Raises LeaseLost, ConnectorError.
    """
    propagation = Propagation.objects.select_related("dataset").get(pk=lease.propagation_id)
    holder = registry.holder(propagation.dataset)
    wanted = propagation.targets.filter(is_gap=False).values_list("subject_id", flat=True)
    keys = naming.keys(wanted, dataset=propagation.dataset)
    if not keys:
        # everybody was forgotten meanwhile, or nobody has a name there: there is nothing to ask
        _close(lease, holder, {}, clock)
        return True
    if isinstance(holder, Processor):
        return _ask_each(lease, propagation, holder, keys, clock)
    holder.describe()
    _tell(lease, propagation, holder, people=len(set(keys.values())), at=clock())
    return False


@transaction.atomic
def _tell(lease: Lease, propagation: Propagation, holder: Holder, *, people: int, at: datetime) -> None:
    """Lay the run out for its partner to fetch, with its webhook in the same transaction, and wait."""
    asked = propagation.asked.exclude(state=State.REFUSED)
    if not asked.exists():
        HolderRequest.objects.create(
            propagation=propagation, state=State.SENT, written_at=at, begun_at=at, sent_at=at, next_look_at=at
        )
        webhooks.announce(event=EVENT, payload=_notice(propagation, people), partner=holder.name, at=at)
    _await(lease, until=at + _CHECKED)


def _notice(propagation: Propagation, people: int) -> dict[str, object]:
    """Ids only: whom it is about is fetched over OAuth."""
    return {
        "propagation": str(propagation.pk),
        "dataset": propagation.dataset.slug,
        "position": propagation.to_position,
        "deadline": propagation.deadline.isoformat(),
        "people": people,
        "url": f"{settings.SITE_URL}/api/v1/propagations/{propagation.pk}",
    }


def _await(lease: Lease, *, until: datetime, error: ConnectorError | None = None) -> None:
    locked = leases.lock(lease)
    locked.status, locked.next_try_at = Status.AWAITING, until
    # waiting is no attempt: a holder that takes its time does not use them up
    locked.attempts = 0
    locked.reason_code, locked.reason = (error.code, error.message) if error else ("", "")
    locked.lease_until, locked.handed_over_at = None, None
    locked.save()


def _ask_each(
    lease: Lease, propagation: Propagation, holder: Processor, keys: dict[str, uuid.UUID], clock: registry.Clock
) -> bool:
    by_person: dict[uuid.UUID, list[str]] = {}
    for key, subject_id in keys.items():
        by_person.setdefault(subject_id, []).append(key)
    _write_down(lease, propagation, by_person, at=clock())
    trouble = _exchange_all(lease, propagation, holder, by_person, clock)
    if trouble is not None and not (isinstance(trouble, TryLater) and trouble.wait is not None):
        raise trouble
    waiting = propagation.asked.filter(state__in=_OPEN, subject_id__in=by_person)
    if isinstance(trouble, TryLater) and trouble.wait is not None:
        with transaction.atomic():
            _await(lease, until=clock() + trouble.wait, error=trouble)
        return False
    soonest = waiting.aggregate(at=Min("next_look_at"))["at"]
    if soonest is not None:
        with transaction.atomic():
            _await(lease, until=soonest)
        return False
    _close(lease, holder, by_person, clock)
    return True


@transaction.atomic
def _write_down(lease: Lease, propagation: Propagation, people: Iterable[uuid.UUID], *, at: datetime) -> None:
    """A request for each person that has none; one that was refused is asked anew, under an id of its own."""
    leases.extend(lease)
    known = set(propagation.asked.exclude(state=State.REFUSED).values_list("subject_id", flat=True))
    fresh = [
        HolderRequest(propagation=propagation, subject_id=subject_id, written_at=at, next_look_at=at)
        for subject_id in people
        if subject_id not in known
    ]
    HolderRequest.objects.bulk_create(fresh, batch_size=2_000)


def _exchange_all(
    lease: Lease,
    propagation: Propagation,
    holder: Processor,
    keys: dict[uuid.UUID, list[str]],
    clock: registry.Clock,
) -> ConnectorError | None:
    """Send and look after all that is due; stops at a batch with trouble, and answers its first."""
    due = propagation.asked.filter(state__in=_OPEN, subject_id__in=keys, next_look_at__lte=clock())
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for batch in _batches(due.order_by("written_at", "id")):
            _begin(lease, batch, at=clock())
            reach("ask.before")
            questions = [_question(one, propagation, keys[one.subject_id]) for one in batch if one.subject_id]
            outcomes = list(pool.map(_exchange, [holder] * len(batch), batch, questions))
            reach("ask.after")
            _write_outcomes(lease, batch, outcomes, at=clock())
            troubles = [one for one in outcomes if isinstance(one, ConnectorError)]
            if troubles:
                return min(troubles, key=lambda one: not one.permanent)
    return None


def _batches(rows: Iterable[HolderRequest]) -> Iterator[list[HolderRequest]]:
    left = iter(list(rows))
    while batch := list(islice(left, _BATCH)):
        yield batch


def _question(asked: HolderRequest, propagation: Propagation, keys: list[str]) -> Question:
    return Question(asked.pk, tuple(keys), propagation.planned_at, f"{settings.SITE_URL}{CALLBACK}")


@transaction.atomic
def _begin(lease: Lease, batch: list[HolderRequest], *, at: datetime) -> None:
    """From here on each of these may have arrived. What was begun by somebody before keeps its own time."""
    leases.extend(lease)
    fresh = [one.pk for one in batch if one.begun_at is None]
    HolderRequest.objects.filter(pk__in=fresh).update(begun_at=at)


def _exchange(holder: Processor, asked: HolderRequest, question: Question) -> Outcome:
    """One request's turn, in a thread that touches no database. `asked` is as it was before this turn."""
    try:
        known = holder.look(asked.pk) if asked.begun_at is not None else None
        # none: never sent, or on its way when somebody died, or lost by the holder, to whom the id is the same again
        told = known if known is not None else holder.ask(question)
    except ConnectorError as error:
        return error
    if told.state == "refused":
        return ConnectorError(
            "holder_cancelled",
            f"{holder.name} cancelled a request; ask them why, then try again.",
            permanent=True,
        )
    return told


@transaction.atomic
def _write_outcomes(lease: Lease, batch: list[HolderRequest], outcomes: list[Outcome], *, at: datetime) -> None:
    leases.extend(lease)
    for asked, outcome in zip(batch, outcomes, strict=True):
        if isinstance(outcome, Told):
            _note(asked, outcome, at=at)
        elif outcome.code == "holder_cancelled" or (outcome.code == "holder_refused" and asked.sent_at is None):
            asked.state, asked.answered_at = State.REFUSED, at
        asked.begun_at = asked.begun_at or at
        asked.save()


def _note(asked: HolderRequest, told: Told, *, at: datetime) -> None:
    asked.sent_at = asked.sent_at or at
    asked.expected_at = told.expected_at
    if told.state == "done":
        asked.state, asked.answered_at = State.DONE, at
        asked.rows, asked.evidence = told.rows, dict(told.evidence)
        return
    asked.state = State.SENT
    asked.next_look_at = at + _until_next_look(asked.looks, told.expected_at, at, jitter=random.random())  # noqa: S311
    asked.looks += 1


def _until_next_look(looks: int, expected_at: datetime | None, at: datetime, *, jitter: float) -> timedelta:
    """Ever more seldom, and hardly before the holder said that it would be done; a callback makes it at once."""
    wait = min(_FIRST_LOOK * float(2 ** min(looks, 12)), _LAST_LOOK)
    if expected_at is not None and expected_at > at:
        wait = max(wait, min(expected_at - at, _LAST_LOOK))
    return wait * (1 + jitter / 4)


@transaction.atomic
def _close(lease: Lease, holder: Holder, people: Iterable[uuid.UUID], clock: registry.Clock) -> None:
    propagation = leases.lock(lease)
    done = list(propagation.asked.filter(state=State.DONE, subject_id__in=people))
    rows = {one.subject_id: one.rows for one in done if one.subject_id}
    told = Attested(
        holder=holder.name,
        rows=rows,
        verified_at=max((one.answered_at for one in done if one.answered_at), default=clock()),
        evidence={one.subject_id: {"request": str(one.pk), **one.evidence} for one in done if one.subject_id},
    )
    attesting.attest(propagation, told, at=clock())
