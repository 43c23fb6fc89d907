"""Looking into datasets for people whose data is to be corrected. Reads files, so never inside a transaction."""

from datetime import datetime

import structlog

from downstream import naming, registry
from downstream.connectors.base import ConnectorError
from downstream.models import Dataset
from portal import actors, audit
from requests_app import progress
from requests_app.models import Request, Task
from requests_app.rights import rectification
from requests_app.states import Right, Status, TaskKind, TaskStatus

logger = structlog.get_logger(__name__)

MOST_A_TURN = 50
NOT_HELD = ""


def look(*, at: datetime, most: int = MOST_A_TURN) -> int:
    """Look into the datasets of corrections that were carried out; answers how many tasks were looked at.

    Where the person is not, the task is done. Where they are, or nobody can tell, it becomes the work of whoever has
    the dataset.
    """
    waiting = Task.objects.filter(
        request__right=Right.RECTIFICATION,
        request__status=Status.IN_PROGRESS,
        request__carried_out_at__isnull=False,
        status=TaskStatus.OPEN,
        kind=TaskKind.AUTOMATIC,
        code="correct",
    )
    tasks = list(waiting.select_related("request", "dataset__owner").order_by("planned_at", "id")[:most])
    for task in tasks:
        _settle(task, _words(task), at=at)
    return len(tasks)


def _words(task: Task) -> str:
    """What staff have to do there; NOT_HELD where nothing of the person is in it."""
    dataset = task.dataset
    assert dataset is not None  # noqa: S101 -- a correction is planned in a dataset
    if dataset.retired_at is not None:
        return progress.RETIRED
    owner = dataset.owner.name
    try:
        rows = _rows(dataset, task.request)
    except ConnectorError as error:
        return rectification.UNREADABLE.format(reason=error.code, owner=owner)
    except Exception:
        # whatever a file can hold; its text may quote what is in it
        logger.warning("correction.look_failed", task=str(task.pk))
        return rectification.UNREADABLE.format(reason="unexpected", owner=owner)
    if rows is None:
        return progress.GAP
    return rectification.HELD.format(rows=rows, owner=owner) if rows else NOT_HELD


def _rows(dataset: Dataset, request: Request) -> int | None:
    """How many rows of this person it holds; None where it calls people by names of which they have none."""
    assert request.subject_id is not None  # noqa: S101 -- nobody works for nobody
    keys = naming.keys([request.subject_id], dataset=dataset)
    if not keys:
        return None
    return sum(finding.matching for finding in registry.connect(dataset).find(set(keys)))


def _settle(task: Task, words: str, *, at: datetime) -> None:
    """One statement, and only of what is still open: somebody may have exempted it meanwhile."""
    open_ones = Task.objects.filter(pk=task.pk, status=TaskStatus.OPEN, kind=TaskKind.AUTOMATIC)
    if words:
        open_ones.update(kind=TaskKind.MANUAL, instructions=words)
    else:
        open_ones.update(status=TaskStatus.DONE, settled_at=at, settled_by=actors.SYSTEM)
    action = "task.to_staff" if words else "task.done"
    audit.record(at=at, by=actors.SYSTEM, action=action, of=("task", task.pk))
