"""Where one person's "no" has arrived: the state of each dataset that serves a purpose."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, Sum

from consents import holds, rules
from consents.decisions import Decision
from consents.models import LedgerEvent, Subject
from consents.vocabulary import Kind
from downstream.models import Dataset, Propagation, RemovalReceipt, Target
from downstream.propagation_states import Status

WAITING, WORKING, FAILED, LATE = "waiting", "working", "failed", "late"
REMOVED, NOT_IN, GAP = "removed", "not_in", "gap"
MOVING = frozenset({WAITING, WORKING, FAILED, LATE})


@dataclass(frozen=True)
class Stop:
    """One dataset on the way of a no."""

    dataset: Dataset
    state: str
    rows_removed: int
    verified_at: datetime | None
    due_at: datetime | None
    reason_code: str = ""


def origin(*, subject: Subject, decision: Decision) -> int | None:
    """The log position from which a dataset knows of this no; None while one of its causes has none yet.

    That is where its choice, hold or rule stands, and not before the person was registered: until then no run
    could look for them.
    """
    registered = LedgerEvent.objects.filter(
        kind=Kind.PEOPLE,
        subject_id__isnull=True,
        recorded_at=subject.registered_at,
        details__jurisdictions__contains=[subject.jurisdiction],
    )
    causes = registered | LedgerEvent.objects.filter(_cause(decision))
    positions = list(causes.values_list("placed__position", flat=True))
    return None if None in positions else max(positions, default=0)


def _cause(decision: Decision) -> Q:
    if decision.choice is not None:
        return Q(pk=decision.choice.event_id)
    if decision.hold is not None:
        return Q(pk=holds.opening_event(decision.hold))
    rule = decision.rule
    if rule is None:
        return Q(pk__in=[])
    return rules.event_of(rule)


def stops(*, subject_id: uuid.UUID, purpose: str, position: int | None, at: datetime) -> list[Stop]:
    """Each living dataset of the purpose; `position` is the no's place in the log, None until it has one."""
    datasets = Dataset.objects.living().serving(purpose).select_related("owner")
    return [_stop(dataset, subject_id, position, at) for dataset in datasets]


def everywhere(*, subject_id: uuid.UUID, position: int | None, at: datetime) -> list[Stop]:
    """Each living dataset, whatever it serves: the way of an erasure."""
    datasets = Dataset.objects.living().select_related("owner")
    return [_stop(dataset, subject_id, position, at) for dataset in datasets]


def _stop(dataset: Dataset, subject_id: uuid.UUID, position: int | None, at: datetime) -> Stop:
    if position is None or dataset.position < position:
        return _on_the_way(dataset, at)
    gaps = Target.objects.gaps().filter(
        propagation__dataset=dataset, propagation__to_position__gte=position, subject_id=subject_id
    )
    if gaps.exists():
        return Stop(dataset, GAP, 0, None, None)
    receipts = RemovalReceipt.objects.filter(dataset=dataset, subject_id=subject_id)
    last = receipts.order_by("-verified_at").first()
    removed = receipts.aggregate(rows=Sum("rows_removed"))["rows"] or 0
    state = REMOVED if removed else NOT_IN
    return Stop(dataset, state, removed, last.verified_at if last else dataset.verified_at, None)


def _on_the_way(dataset: Dataset, at: datetime) -> Stop:
    current: Propagation | None = dataset.propagations.open().first()
    if current is None:
        return Stop(dataset, WAITING, 0, None, None)
    state = {Status.WORKING: WORKING, Status.FAILED: FAILED, Status.STOPPED: FAILED}.get(
        Status(current.status), WAITING
    )
    if current.is_late(at):
        state = LATE
    return Stop(dataset, state, 0, None, current.deadline, current.reason_code)
