"""Training runs and the models they make: taken down when they are asked for, closed when they have finished."""

import re
import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from downstream.models import DatasetVersion, RunInput, TrainedModel, TrainingRun
from portal import audit
from portal.clock import TOLERANCE
from portal.errors import Conflict, DomainError, NotFound

_DIGEST = re.compile(r"sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})")


class TrainingError(DomainError):
    """A run that cannot have happened as told."""


@dataclass(frozen=True)
class Finish:
    """What is told of a finished run. `continues`: it went on from what the model had learned before."""

    artefact_digest: str
    finished_at: datetime | None = None
    model: str | None = None
    continues: bool = False


def model_named(name: str, *, owner: str, at: datetime) -> TrainedModel:
    """The recipient's model of this name; a new one where there is none."""
    return TrainedModel.objects.get_or_create(name=name, owner_id=owner, defaults={"registered_at": at})[0]


def begin(
    *, name: str, model: TrainedModel, purpose: str, partner: str, versions: Iterable[DatasetVersion], at: datetime
) -> TrainingRun:
    """Take down a permitted run and what it may read; part of the transaction that gives the permit."""
    run = TrainingRun.objects.create(name=name, model=model, purpose=purpose, partner=partner, recorded_at=at)
    RunInput.objects.bulk_create(RunInput(run=run, version=one, named_by=RunInput.PERMIT) for one in versions)
    return run


@transaction.atomic
def complete(*, run_id: uuid.UUID, owners: Collection[str], told: Finish, by: str, at: datetime) -> TrainingRun:
    """Record that the run has finished: from now on people who leave its datasets are counted for its model.

    Whether it had a permit to the end does not matter to that: what happened is written down. Raises
    NotFound(`unknown_run`), Conflict(`already_completed`), TrainingError(`other_model`, `time_in_future`,
    `finished_before_it_began`, `digest_malformed`).
    """
    run = TrainingRun.objects.select_for_update(of=("self",)).select_related("model").filter(pk=run_id).first()
    if run is None or run.model.owner_id not in owners:
        raise NotFound("unknown_run", "There is no such training run.", field="id")
    if run.artefact_digest:
        # lineage alone may have told before that it finished, but not of what
        raise Conflict("already_completed", "This run was completed before.")
    finished_at = _checked(run, told, at=at)
    if told.continues:
        _inherit(run)
    run.finished_at, run.artefact_digest = finished_at, told.artefact_digest
    run.save(update_fields=["finished_at", "artefact_digest"])
    details = {"model": str(run.model_id), "artefact": told.artefact_digest, "continues": told.continues}
    audit.record(at=at, by=by, action="training_run.complete", of=("training_run", run.pk), details=details)
    return run


def add_inputs(run: TrainingRun, version_ids: Iterable[uuid.UUID], *, named_by: str) -> None:
    """Versions that the run was found to have read as well; those that are known already are passed over."""
    rows = [RunInput(run=run, version_id=one, named_by=named_by) for one in version_ids]
    RunInput.objects.bulk_create(rows, ignore_conflicts=True)


def set_lineage(run: TrainingRun, version_ids: Collection[uuid.UUID]) -> None:
    """What lineage says now that the run has read: what it said before of others is no longer so."""
    run.inputs.filter(named_by=RunInput.LINEAGE).exclude(version__in=version_ids).delete()
    add_inputs(run, version_ids, named_by=RunInput.LINEAGE)


@transaction.atomic
def retire(*, model: TrainedModel, by: str, at: datetime) -> None:
    """Record that the model is no longer used by anybody. Raises Conflict(`retired_before`)."""
    locked = TrainedModel.objects.select_for_update().get(pk=model.pk)
    if locked.retired_at is not None:
        raise Conflict("retired_before", "This model was retired already.")
    locked.retired_at, locked.retired_by = at, by
    locked.save(update_fields=["retired_at", "retired_by"])
    audit.record(at=at, by=by, action="model.retire", of=("model", locked.pk))


def _checked(run: TrainingRun, told: Finish, *, at: datetime) -> datetime:
    if told.model is not None and told.model != run.model.name:
        raise TrainingError("other_model", "This run was permitted for another model.", field="model")
    if not _DIGEST.fullmatch(told.artefact_digest):
        raise TrainingError("digest_malformed", "Write the digest as sha256:… in hexadecimal.", field="artefact_digest")
    finished_at = told.finished_at or run.finished_at or at
    if finished_at > at + TOLERANCE:
        raise TrainingError("time_in_future", "It cannot have finished in the future.", field="finished_at")
    if finished_at < run.recorded_at - TOLERANCE:
        raise TrainingError("finished_before_it_began", "It finished before it was asked for.", field="finished_at")
    return min(finished_at, at)


def _inherit(run: TrainingRun) -> None:
    """What the model's last finished run had read is in this one too."""
    earlier = run.model.runs.filter(finished_at__isnull=False).order_by("-finished_at", "-id").first()
    if earlier is not None:
        add_inputs(run, earlier.inputs.values_list("version_id", flat=True), named_by=RunInput.EARLIER)
