"""How far the automatic tasks of requests are: looked up downstream for many requests at once.

The number of statements does not depend on how many requests there are. Three outcomes, not two: what has arrived is
done; what waits stays; what nobody can tell by itself (a gap, a retired dataset) goes to staff's hands.
"""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from django.db.models import Exists, OuterRef, Q, QuerySet

from consents.models import Position
from downstream import registry, versions
from downstream.models import Propagation, RemovalReceipt, Target
from portal import actors, audit
from requests_app.models import Package, Task
from requests_app.states import Right, Status, TaskKind, TaskStatus

LEAVE, COLLECT = frozenset({"remove", "stop"}), "collect"
"""Codes of tasks that a dataset's position settles, and of the one that a package settles."""
BATCH = 2_000
RETIRED = "The dataset was retired meanwhile. Find out where its data went, and see to it there."
GAP = "The dataset calls people by names of which this person has none here. Look for their rows by other means."
NEVER_ASKED = "Its holder was never asked about this person. Ask them, and keep what they say."


@dataclass
class Look:
    """What became of tasks: settled now, or which words send them to staff."""

    arrived: list[Task] = field(default_factory=list)
    by_hand: dict[str, list[Task]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True)
class _Downstream:
    """What the tables say of these people and datasets."""

    positions: dict[uuid.UUID, int]
    with_arrivals: frozenset[int]
    gaps: dict[tuple[uuid.UUID, int], int]
    kept: frozenset[tuple[uuid.UUID, int]]
    answered: frozenset[tuple[uuid.UUID, int]]
    packages: frozenset[uuid.UUID]


def ripe() -> "QuerySet[Task]":
    """Open automatic tasks of which there may be something to say now: their dataset has come that far, or is retired,
    or their answer was released.

    What still waits for its dataset or for staff is not even read. A correction is looked into by `looking`.
    """
    has_come_so_far = Position.objects.filter(
        event_id=OuterRef("request__event_id"), position__lte=OuterRef("dataset__position")
    )
    is_released = Package.objects.filter(request=OuterRef("request"), released_at__isnull=False)
    return Task.objects.filter(
        Q(Exists(is_released), code=COLLECT) | Q(dataset__retired_at__isnull=False) | Exists(has_come_so_far),
        status=TaskStatus.OPEN,
        kind=TaskKind.AUTOMATIC,
        request__status=Status.IN_PROGRESS,
        request__carried_out_at__isnull=False,
    )


def settle(tasks: "QuerySet[Task]", *, at: datetime) -> int:
    """Settle what has arrived of these; answers how many were settled. Retired datasets and gaps go to staff."""
    each, settled = tasks.select_related("dataset", "request").order_by("pk").iterator(chunk_size=BATCH), 0
    while batch := list(islice(each, BATCH)):
        settled += _write(look(batch), at=at)
    return settled


def look(tasks: Sequence[Task]) -> Look:
    """What is to be said of these tasks now; writes nothing."""
    told, looked = _downstream(tasks), Look()
    for task in tasks:
        if task.dataset is not None and task.dataset.retired_at is not None:
            looked.by_hand[RETIRED].append(task)
        elif task.code == COLLECT and task.request_id in told.packages:
            looked.arrived.append(task)
        elif task.code in LEAVE and task.dataset is not None:
            _look_at_dataset(task, told, looked)
    return looked


def _look_at_dataset(task: Task, told: _Downstream, looked: Look) -> None:
    position = told.positions.get(task.request.event_id) if task.request.event_id else None
    dataset = task.dataset
    assert dataset is not None  # noqa: S101 -- asked by the caller
    if position is None or dataset.position < position or dataset.pk in told.with_arrivals:
        return
    pair = (_whose(task), dataset.pk)
    if told.gaps.get(pair, -1) >= position:
        looked.by_hand[GAP].append(task)
    elif registry.is_remote(dataset) and pair not in told.answered:
        looked.by_hand[NEVER_ASKED].append(task)
    elif task.request.right != Right.ERASURE or pair not in told.kept:
        # an erasure is done when the bytes are gone too: the person's names are needed to search for them
        looked.arrived.append(task)


def _downstream(tasks: Sequence[Task]) -> _Downstream:
    """Six statements at most, whatever the number of tasks."""
    people = {one.request.subject_id for one in tasks if one.request.subject_id}
    datasets = {one.dataset for one in tasks if one.dataset}
    leaving = [one for one in tasks if one.code in LEAVE and one.dataset]
    if not leaving:
        return _Downstream({}, frozenset(), {}, frozenset(), frozenset(), _packages(tasks))
    events = {one.request.event_id for one in leaving if one.request.event_id}
    positions = dict(Position.objects.filter(event_id__in=events).values_list("event_id", "position"))
    pks = [one.pk for one in datasets]
    gaps: dict[tuple[uuid.UUID, int], int] = {}
    # of runs since the oldest of these entries: a gap of before says nothing of them
    since = min(positions.values(), default=0)
    found = Target.objects.gaps().filter(
        subject_id__in=people, propagation__dataset__in=pks, propagation__to_position__gte=since
    )
    for person, dataset, to in found.values_list("subject_id", "propagation__dataset_id", "propagation__to_position"):
        gaps[person, dataset] = max(to, gaps.get((person, dataset), 0))
    return _Downstream(
        positions,
        frozenset(versions.with_arrivals().filter(dataset__in=pks).values_list("dataset_id", flat=True)),
        gaps,
        _kept(leaving, pks),
        _answered(people, [one.pk for one in datasets if registry.is_remote(one)]),
        _packages(tasks),
    )


def _kept(tasks: Sequence[Task], datasets: Sequence[int]) -> frozenset[tuple[uuid.UUID, int]]:
    """Of erasures: whose removed rows' bytes are not known to be gone, and where."""
    people = {_whose(one) for one in tasks if one.request.right == Right.ERASURE}
    if not people:
        return frozenset()
    runs = Propagation.objects.kept().filter(dataset__in=datasets)
    rows = Target.objects.filter(subject_id__in=people, is_gap=False, propagation__in=runs)
    return frozenset(rows.values_list("subject_id", "propagation__dataset_id"))


def _answered(people: set[uuid.UUID], remote: Sequence[int]) -> frozenset[tuple[uuid.UUID, int]]:
    """What holders have said of whom."""
    if not remote:
        return frozenset()
    rows = RemovalReceipt.objects.filter(subject_id__in=people, dataset__in=remote)
    return frozenset(rows.values_list("subject_id", "dataset_id"))


def _packages(tasks: Sequence[Task]) -> frozenset[uuid.UUID]:
    """Requests whose answer was released; of one that was opened again, an answer that was made since."""
    since = {one.request_id: one.request.reopened_at for one in tasks if one.code == COLLECT}
    if not since:
        return frozenset()
    rows = Package.objects.filter(request__in=list(since), released_at__isnull=False)
    made = rows.values_list("request_id", "asked_at")
    return frozenset(pk for pk, asked_at in made if (reopened := since[pk]) is None or asked_at >= reopened)


def _write(looked: Look, *, at: datetime) -> int:
    """Only what is still open: somebody may have exempted it meanwhile."""
    open_ones = Task.objects.filter(status=TaskStatus.OPEN, kind=TaskKind.AUTOMATIC)
    settled = 0
    if looked.arrived:
        pks = [one.pk for one in looked.arrived]
        settled = open_ones.filter(pk__in=pks).update(status=TaskStatus.DONE, settled_at=at, settled_by=actors.SYSTEM)
        audit.record_many(at=at, by=actors.SYSTEM, action="task.done", object_type="task", object_ids=pks)
    for words, tasks in looked.by_hand.items():
        pks = [one.pk for one in tasks]
        open_ones.filter(pk__in=pks).update(kind=TaskKind.MANUAL, instructions=words)
        audit.record_many(at=at, by=actors.SYSTEM, action="task.to_staff", object_type="task", object_ids=pks)
    return settled


def _whose(task: Task) -> uuid.UUID:
    assert task.request.subject_id is not None  # noqa: S101 -- nobody works for nobody
    return task.request.subject_id
