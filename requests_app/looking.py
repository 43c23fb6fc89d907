"""Corrections of data in datasets: asked of whoever keeps it, and followed until they say it is done.

Reads files, so never inside a transaction.
"""

from datetime import datetime
from itertools import groupby

from django.db.models import OuterRef, QuerySet, Subquery

from downstream import corrections
from downstream.models import Correction
from portal import actors, audit
from requests_app import progress
from requests_app.models import Task
from requests_app.rights import rectification
from requests_app.states import Right, Status, TaskKind, TaskStatus

MOST_A_TURN = 50
NOT_HELD = ""


def look(*, at: datetime, most: int = MOST_A_TURN) -> int:
    """Ask for the corrections of requests that were carried out; answers how many tasks were looked at.

    Where the person is not, the task is done. Where they are, or nobody can tell, it becomes the work of whoever has
    the dataset, and is done when they say so or staff do.
    """
    waiting = _waiting().filter(kind=TaskKind.AUTOMATIC).select_related("request__subject", "dataset__owner")
    tasks = list(waiting.order_by("request_id", "planned_at", "id")[:most])
    for request, of_request in groupby(tasks, key=lambda task: task.request):
        assert request.subject_id is not None  # noqa: S101 -- nobody works for nobody
        asked = corrections.ask(
            subject_id=request.subject_id, request_id=request.pk, since=request.reopened_at, by=actors.SYSTEM, at=at
        )
        by_dataset = {one.dataset_id: one for one in asked}
        for task in of_request:
            _settle(task, _words(task, by_dataset.get(task.dataset_id or 0)), at=at)
    return len(tasks)


def follow(*, at: datetime) -> int:
    """Settle the tasks whose correction was said to be done; answers how many."""
    said = Correction.objects.filter(
        request_id=OuterRef("request_id"),
        dataset=OuterRef("dataset"),
        state=Correction.State.DONE,
        # what was done before the request was opened again is to be done again
        settled_at__gte=OuterRef("planned_at"),
    )
    done = _waiting().annotate(said_by=Subquery(said.values("settled_by")[:1])).filter(said_by__isnull=False)
    settled = 0
    for task in done:
        changed = Task.objects.filter(pk=task.pk, status=TaskStatus.OPEN).update(
            status=TaskStatus.DONE, settled_at=at, settled_by=task.said_by
        )
        if changed:
            audit.record(at=at, by=task.said_by, action="task.done", of=("task", task.pk))
            settled += changed
    return settled


def _waiting() -> QuerySet[Task]:
    return Task.objects.filter(
        request__right=Right.RECTIFICATION,
        request__status=Status.IN_PROGRESS,
        request__carried_out_at__isnull=False,
        status=TaskStatus.OPEN,
        code="correct",
        dataset__isnull=False,
    )


def _words(task: Task, asked: Correction | None) -> str:
    """What has to be done there; NOT_HELD where nothing of the person is in it."""
    dataset = task.dataset
    assert dataset is not None  # noqa: S101 -- only those are looked at
    if dataset.retired_at is not None:
        return progress.RETIRED
    if asked is None:
        return NOT_HELD
    owner = dataset.owner.name
    if asked.rows is not None:
        return rectification.held(task.request, rows=asked.rows, owner=owner)
    return (
        progress.GAP
        if asked.reason_code == "gap"
        else rectification.UNREADABLE.format(reason=asked.reason_code, owner=owner)
    )


def _settle(task: Task, words: str, *, at: datetime) -> None:
    """One statement, and only of what is still open: somebody may have exempted it meanwhile."""
    open_ones = Task.objects.filter(pk=task.pk, status=TaskStatus.OPEN, kind=TaskKind.AUTOMATIC)
    if words:
        open_ones.update(kind=TaskKind.MANUAL, instructions=words)
    else:
        open_ones.update(status=TaskStatus.DONE, settled_at=at, settled_by=actors.SYSTEM)
    action = "task.to_staff" if words else "task.done"
    audit.record(at=at, by=actors.SYSTEM, action=action, of=("task", task.pk))
