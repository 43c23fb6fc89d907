"""What reached a run: back from what it read, through whatever lies between, to dataset versions.

It reads what `lineage` wrote down, and writes nothing.
"""

import uuid
from collections import deque
from collections.abc import Iterator

from django.db.models import QuerySet

from downstream.models import LineageNode, LineageRun, LineageWrite, TrainingRun
from downstream.openlineage import EventError

MOST_STEPS = 50_000
"""Of lineage that are walked for one call, while every other call that takes lineage in waits."""


def versions(run: LineageRun, steps: Iterator[int]) -> set[uuid.UUID]:
    """The dataset versions that reached the run, through whatever lies between and through models it goes on from.

    Takes a step for each run that it looks at. Raises EventError(`history_too_long`) where there is none left: half of
    what reached a model would look like the whole.
    """
    found: set[uuid.UUID] = set()
    seen: set[uuid.UUID] = set()
    waiting = deque([run])
    while waiting:
        one = waiting.popleft()
        if one.pk in seen:
            continue
        seen.add(one.pk)
        if next(steps, None) is None:
            raise EventError("history_too_long", f"More than {MOST_STEPS:,} steps of lineage bear on this; ask us.")
        for read in one.reads.select_related("node"):
            if read.version_id is not None:
                found.add(read.version_id)
            if read.node.dataset_id is None:
                for source in _sources(read.node, reader=one):
                    waiting.extend(_makers(source, reader=one))
                    if source.model_id is not None:
                        found |= _learned(source.model_id, reader=one)
    return found


def _sources(node: LineageNode, *, reader: LineageRun) -> list[LineageNode]:
    """What the reader may have read under this name: its own model if that was made, else whatever has the name."""
    if node.model_id is not None:
        made = LineageWrite.objects.filter(node__model=node.model_id, run__succeeded=True).exclude(run=reader)
        trained = TrainingRun.objects.filter(model=node.model_id, finished_at__lte=reader.started_at)
        if _in_time(made, reader).exists() or trained.exclude(lineage_run=reader.pk).exists():
            return [node]
    return list(LineageNode.objects.filter(namespace=node.namespace, name=node.name))


def _makers(node: LineageNode, *, reader: LineageRun) -> Iterator[LineageRun]:
    """The runs whose work the reader may have found there: back to one that had replaced all before the reader began.

    A model's latest run always has: one that goes on from earlier weights names the model among its own inputs. Of what
    is nobody's model only the reader's own partner is believed that all is gone; others cannot hide what they found.
    """
    of_node = {"node": node} if node.model_id is None else {"node__model": node.model_id}
    writes = LineageWrite.objects.filter(run__succeeded=True, **of_node).exclude(run=reader)
    for write in _in_time(writes, reader).select_related("run").order_by("-run__ended_at", "-run"):
        yield write.run
        ended_at = write.run.ended_at
        replaces = node.model_id is not None or (write.replaces and write.run.partner == reader.partner)
        if replaces and ended_at is not None and ended_at <= reader.started_at:
            return


def _in_time(writes: "QuerySet[LineageWrite]", reader: LineageRun) -> "QuerySet[LineageWrite]":
    """Those of runs that began before the reader ended."""
    return writes if reader.ended_at is None else writes.filter(run__started_at__lte=reader.ended_at)


def _learned(model_id: uuid.UUID, *, reader: LineageRun) -> set[uuid.UUID]:
    """What is in the model that a run goes on from, where no lineage tells of its making but a permit does."""
    finished = TrainingRun.objects.filter(model=model_id, finished_at__lte=reader.started_at)
    latest = finished.order_by("-finished_at", "-id").first()
    if latest is None or latest.lineage_run is not None:
        return set()
    return set(latest.inputs.values_list("version_id", flat=True))
