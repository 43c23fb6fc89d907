"""Lineage: what runs read and wrote, from registered datasets through whatever lies between to models.

Events come in any order, some twice. What each tells is added to its run; then every training run that lies downstream
is told which dataset versions reached it.
"""

import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Q

from consents.models import Partner
from downstream import ancestry, places, training_runs
from downstream.models import (
    DatasetVersion,
    LineageEvent,
    LineageNode,
    LineageRead,
    LineageRun,
    LineageWrite,
    TrainedModel,
    TrainingRun,
)
from downstream.openlineage import Event, EventError, Side
from portal import actors, audit
from portal.clock import TOLERANCE

_ENDED = {"COMPLETE": True, "ABORT": False, "FAIL": False}
_LOCK = 0x48_45_45_4C
"""The advisory lock of whoever takes an event in: two at once could each miss what the other tells of its neighbour."""


@transaction.atomic
def take_in(*, event: Event, partner: str, owners: Sequence[str], at: datetime) -> bool:
    """Write down an event and what follows from it; False where it was told before, and nothing is written then.

    `owners` are the recipients that the partner speaks for: a new model belongs to the first of them. Raises
    EventError(`event_time_in_future`, `owner_missing`, `run_of_another`, `history_too_long`).
    """
    (outcome,) = take_in_all(events=[event], partner=partner, owners=owners, at=at)
    if isinstance(outcome, EventError):
        raise outcome
    return outcome


@transaction.atomic
def take_in_all(
    *, events: Sequence[Event], partner: str, owners: Sequence[str], at: datetime
) -> list[bool | EventError]:
    """The same of several, each of which stands for itself; what follows is worked out once, at the end.

    Raises EventError(`history_too_long`), and nothing is written then.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    register, touched = places.Register(), set[uuid.UUID]()
    outcomes: list[bool | EventError] = []
    for event in events:
        try:
            with transaction.atomic():
                runs = _take_in(event, register, partner=partner, owners=owners, at=at)
        except EventError as refusal:
            outcomes.append(refusal)
        else:
            touched |= runs
            outcomes.append(bool(runs))
    _settle(touched, at=at)
    return outcomes


def _take_in(
    event: Event, register: places.Register, *, partner: str, owners: Sequence[str], at: datetime
) -> set[uuid.UUID]:
    """Write the event down; answers the runs of which more is known now, none where it was told before."""
    if event.time > at + TOLERANCE:
        raise EventError("event_time_in_future", "eventTime lies in the future.", field="eventTime")
    if not _write_down(event, partner=partner, at=at):
        return set()
    run = _run(event, partner)
    touched = {run.pk}
    for side in event.inputs:
        node, also = _node(side, register, owners, at=at)
        _read(run, side, node)
        touched |= also
    for side in event.outputs:
        node, also = _node(side, register, owners, at=at)
        _write(run, side, node)
        touched |= also
    _fix_versions(run)
    details = {"run": str(event.run_id), "type": event.type, "job": f"{event.job.namespace} {event.job.name}"[:500]}
    audit.record(
        at=at, by=actors.partner(partner), action="lineage.take_in", of=("lineage_run", run.pk), details=details
    )
    return touched


def _write_down(event: Event, *, partner: str, at: datetime) -> bool:
    row = LineageEvent(
        run_id=event.run_id,
        event_type=event.type,
        event_time=event.time,
        job_namespace=event.job.namespace,
        job_name=event.job.name,
        producer=event.producer,
        inputs=[asdict(one) for one in event.inputs],
        outputs=[asdict(one) for one in event.outputs],
        partner=partner,
        received_at=at,
    )
    LineageEvent.objects.bulk_create([row], ignore_conflicts=True)
    # another's row of the same moment stayed
    return LineageEvent.objects.filter(pk=row.pk).exists()


def _run(event: Event, partner: str) -> LineageRun:
    """The run, brought up to what this event tells of it; locked."""
    told = {"job_namespace": event.job.namespace, "job_name": event.job.name, "started_at": event.time}
    LineageRun.objects.get_or_create(pk=event.run_id, defaults={**told, "partner": partner})
    run = LineageRun.objects.select_for_update().get(pk=event.run_id)
    if run.partner != partner:
        raise EventError("run_of_another", "Another partner reports this run.", field="run.runId")
    run.started_at = min(run.started_at, event.time)
    if event.type in _ENDED and (run.ended_at is None or event.time >= run.ended_at):
        run.ended_at, run.succeeded = event.time, _ENDED[event.type]
    run.save()
    return run


def _node(
    side: Side, register: places.Register, owners: Sequence[str], *, at: datetime
) -> tuple[LineageNode, set[uuid.UUID]]:
    """What the speaker means by this name, and runs that are found to have meant it too.

    That something is a model, and whose, is one partner's word for its own recipients: under the same name others may
    have another model, or something that is none.
    """
    namespace, name = side.named.namespace, side.named.name
    stated = next((one for one in map(places.model_in, side.names) if one), None)
    of_name = LineageNode.objects.filter(namespace=namespace, name=name)
    if stated is None:
        known = of_name.filter(model__owner__in=owners).order_by("pk").first()
        if known is not None:
            return known, set()
        shared = _shared(side, register)
        if shared.dataset_id is not None or not side.is_model:
            return shared, set()
    model = _model(stated or name, owners, at=at)
    node, is_new = LineageNode.objects.get_or_create(namespace=namespace, name=name, model=model)
    return node, _take_over(node) if is_new else set()


def _shared(side: Side, register: places.Register) -> LineageNode:
    """The node that all mean by a name, tied to the dataset that it means as soon as that is known."""
    node, _ = LineageNode.objects.get_or_create(namespace=side.named.namespace, name=side.named.name, model=None)
    if node.dataset_id is None:
        node.dataset_id = register.find(side.names)
        if node.dataset_id is not None:
            node.save(update_fields=["dataset"])
    return node


def _take_over(node: LineageNode) -> set[uuid.UUID]:
    """What the owner's partners told of the name before is of the model, too; answers the runs that told it."""
    assert node.model is not None  # noqa: S101 -- a node that was made for a model
    speakers = Partner.objects.filter(recipients__contains=[node.model.owner_id]).values("slug")
    moved: set[uuid.UUID] = set()
    for kind in (LineageRead, LineageWrite):
        told = kind.objects.filter(node__namespace=node.namespace, node__name=node.name, run__partner__in=speakers)
        for one in told.filter(node__model__isnull=True, node__dataset__isnull=True):
            moved.add(one.run_id)
            one.node = node
            one.save(update_fields=["node"])
    return moved


def _model(name: str, owners: Sequence[str], *, at: datetime) -> TrainedModel:
    """The partner's model of this name: one of its recipients has it, or the first gets it."""
    named = [one for one in owners if one]
    known = TrainedModel.objects.filter(name=name[:200], owner__in=named).order_by("registered_at").first()
    if known is not None:
        return known
    if not named:
        raise EventError("owner_missing", "You speak for no recipient that could own a model.", field="outputs")
    return training_runs.model_named(name[:200], owner=named[0], at=at)


def _read(run: LineageRun, side: Side, node: LineageNode) -> None:
    read, _ = LineageRead.objects.get_or_create(run=run, node=node)
    stated = _stated(node, side.version) if side.version else None
    if stated is not None:
        read.version, read.is_stated = stated, True
        read.save(update_fields=["version", "is_stated"])


def _stated(node: LineageNode, version: str) -> DatasetVersion | None:
    """The version that the sender names, by number or manifest digest; what names none of ours is passed over."""
    if node.dataset_id is None:
        return None
    of_dataset = DatasetVersion.objects.filter(dataset_id=node.dataset_id)
    if version.isascii() and version.isdigit() and len(version) < 10:
        return of_dataset.filter(number=int(version)).first()
    return of_dataset.filter(manifest_digest=version.removeprefix("sha256:")).order_by("number").first()


def _write(run: LineageRun, side: Side, node: LineageNode) -> None:
    written, is_new = LineageWrite.objects.get_or_create(run=run, node=node, defaults={"replaces": side.replaces})
    if not is_new and side.replaces and not written.replaces:
        written.replaces = True
        written.save(update_fields=["replaces"])


def _fix_versions(run: LineageRun) -> None:
    """Where no version is stated it is the newest there was when the run began; its first one if it began earlier."""
    for read in run.reads.filter(is_stated=False, node__dataset__isnull=False).select_related("node"):
        of_dataset = DatasetVersion.objects.filter(dataset__lineage_nodes=read.node_id)
        before = of_dataset.filter(made_at__lte=run.started_at).order_by("-number").first()
        version = before or of_dataset.order_by("number").first()
        if version != read.version:
            read.version = version
            read.save(update_fields=["version"])


def _settle(run_ids: set[uuid.UUID], *, at: datetime) -> None:
    """Bring every training run that these runs bear on up to what is known now."""
    steps = iter(range(ancestry.MOST_STEPS))
    for one in _downstream(run_ids):
        versions = ancestry.versions(one, steps)
        for training in _trainings(one, at=at):
            training_runs.set_lineage(training, versions)


def _downstream(run_ids: set[uuid.UUID]) -> list[LineageRun]:
    """The runs, and each that read what they or a later one wrote."""
    seen = LineageRun.objects.in_bulk(list(run_ids))
    waiting = deque(seen.values())
    while waiting:
        written = LineageNode.objects.filter(written_by__run=waiting.popleft())
        meant = Q(pk__in=[])
        for namespace, name, model_id in written.values_list("namespace", "name", "model"):
            meant |= Q(namespace=namespace, name=name)
            meant |= Q(model=model_id) if model_id is not None else Q()
        readers = LineageRun.objects.filter(reads__node__in=LineageNode.objects.filter(meant))
        for later in readers.exclude(pk__in=seen).distinct():
            seen[later.pk] = later
            waiting.append(later)
    return list(seen.values())


def _trainings(run: LineageRun, *, at: datetime) -> list[TrainingRun]:
    """The training runs that this run is: of each model it makes, and the one permitted under its id.

    Closed once it succeeded.
    """
    _tie_permitted(run)
    for model_id in run.writes.filter(node__model__isnull=False).values_list("node__model", flat=True):
        TrainingRun.objects.get_or_create(
            lineage_run=run.pk,
            model_id=model_id,
            defaults={"name": str(run.pk), "partner": run.partner, "recorded_at": at},
        )
    trainings = TrainingRun.objects.filter(lineage_run=run.pk)
    if run.succeeded:
        trainings.filter(finished_at__isnull=True).update(finished_at=run.ended_at)
    return list(trainings)


def _tie_permitted(run: LineageRun) -> None:
    """Where the run asked for its permit under this very id, that is its training; of several askings the last."""
    named = TrainingRun.objects.filter(partner=run.partner, name__iexact=str(run.pk))
    if not named.filter(lineage_run__isnull=False).exists():
        last = named.order_by("-recorded_at").values("pk")[:1]
        TrainingRun.objects.filter(pk__in=last).update(lineage_run=run.pk)
