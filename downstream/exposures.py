"""Exposures: people whose data a model learned from, and who said no since; and what staff decide about the model.

Counted are people whom a run removed from a dataset (a receipt with rows) after the version that the model's latest
finished run used. Whoever left before was not in it. Versions are compared by number and not by position: what came in
by others has none, and the log named those who are found in it long ago. Nothing is unlearned by counting: a model
changes when it is trained anew.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from downstream.models import DatasetVersion, ExposureDecision, RemovalReceipt, RunInput, TrainedModel, TrainingRun
from portal import audit
from portal.errors import Conflict, DomainError

NONE, OPEN, GROWN, LATE, DECIDED, DONE = "none", "open", "grown", "late", "decided", "done"


class ExposureError(DomainError):
    """A decision that cannot be recorded as written."""


@dataclass(frozen=True)
class Decision:
    """What shall become of a model: `retrain` or `retire` by a day, or `accepted` with a ground in words and in law."""

    kind: str
    due_on: date | None = None
    ground: str = ""
    legal_ground: str = ""


@dataclass(frozen=True)
class Standing:
    """How a model stands: people exposed, the decision about them, and what has to happen."""

    state: str
    exposed: int
    decision: ExposureDecision | None


@dataclass(frozen=True)
class Learned:
    """One model that learned from a person's data before their no."""

    model: TrainedModel
    dataset: str
    dataset_slug: str
    purposes: tuple[str, ...]
    version: int
    finished_at: datetime
    left_at: datetime
    decision: ExposureDecision | None


def counted(models: "QuerySet[TrainedModel]") -> "QuerySet[TrainedModel]":
    """The models with `latest_run` and `exposed`, their decisions at hand: two queries, however many they are."""
    latest = _latest(OuterRef("pk"))
    # an empty ordering, or the grouping would be by version
    left = (
        RunInput.objects.filter(
            run=OuterRef("latest_run"),
            version__dataset__receipts__rows_removed__gt=0,
            version__dataset__versions__number__gt=F("version__number"),
            version__dataset__receipts__propagation_id=F("version__dataset__versions__propagation_id"),
            # true of every later run, since the log's head never goes back: for the index alone
            version__dataset__receipts__position__gte=F("version__position"),
        )
        .order_by()
        .values("run")
        .annotate(people=Count("version__dataset__receipts__subject_id", distinct=True))
    )
    with_run = models.annotate(latest_run=Subquery(latest.values("pk")[:1]))
    return with_run.annotate(exposed=Coalesce(Subquery(left.values("people")), 0)).prefetch_related("decisions")


def standing(model: TrainedModel, *, at: datetime) -> Standing:
    """How a model out of `counted` stands on the day of `at`."""
    exposed: int = model.exposed  # type: ignore[attr-defined]
    latest_run: uuid.UUID | None = model.latest_run  # type: ignore[attr-defined]
    decision = next(iter(model.decisions.all()), None)
    if model.retired_at is not None:
        return Standing(DONE, exposed, decision)
    if decision is None or decision.run_id != latest_run:
        # trained anew since: counted from its new versions on, and decided anew
        return Standing(OPEN if exposed else NONE, exposed, None)
    late = decision.due_on is not None and decision.due_on < at.date()
    state = LATE if late else GROWN if exposed > decision.exposed else DECIDED
    return Standing(state, exposed, decision)


def waiting(*, at: datetime) -> tuple[int, int]:
    """(models that wait for a decision, models whose decision is past its day): two queries."""
    states = [standing(one, at=at).state for one in counted(TrainedModel.objects.filter(retired_at__isnull=True))]
    return sum(state in {OPEN, GROWN} for state in states), states.count(LATE)


@transaction.atomic
def decide(*, model: TrainedModel, decision: Decision, by: str, at: datetime) -> ExposureDecision:
    """Record what shall become of the model; a later decision stands in place of an earlier one.

    Raises ExposureError, Conflict(`nobody_exposed`, `model_retired`).
    """
    _check(decision, at=at)
    # locked, so that what is decided about is what is counted
    TrainedModel.objects.select_for_update().get(pk=model.pk)
    one = counted(TrainedModel.objects.filter(pk=model.pk)).get()
    exposed, run_id = one.exposed, one.latest_run  # type: ignore[attr-defined]
    if one.retired_at is not None:
        raise Conflict("model_retired", "This model is retired; there is nothing left to decide.")
    if not exposed:
        raise Conflict("nobody_exposed", "Nobody whose data it learned from has said no since.")
    row = ExposureDecision.objects.create(
        model=one,
        run_id=run_id,
        kind=decision.kind,
        due_on=decision.due_on,
        ground=decision.ground.strip(),
        legal_ground=decision.legal_ground.strip(),
        exposed=exposed,
        decided_at=at,
        decided_by=by,
    )
    details = {"kind": row.kind, "due_on": str(row.due_on or ""), "exposed": exposed}
    audit.record(at=at, by=by, action="exposure.decide", of=("model", model.pk), details=details)
    return row


def of_person(subject_id: uuid.UUID) -> list[Learned]:
    """The living models whose latest run used a version that this person's data was in, and they left since.

    One for each model and dataset, with the version that was used; at most three queries.
    """
    made = DatasetVersion.objects.filter(dataset=OuterRef("dataset"), propagation_id=OuterRef("propagation_id"))
    removals = RemovalReceipt.objects.filter(subject_id=subject_id, rows_removed__gt=0).annotate(
        made=Subquery(made.values("number")[:1])
    )
    left: dict[int, list[tuple[int, datetime]]] = {}
    # none made by a run from before there were versions, or where a holder took them out
    numbered = removals.filter(made__isnull=False).order_by("made")
    for dataset_id, number, verified_at in numbered.values_list("dataset_id", "made", "verified_at"):
        left.setdefault(dataset_id, []).append((number, verified_at))
    found: dict[tuple[uuid.UUID, int], Learned] = {}
    for row in _used(left) if left else ():
        after = [at for number, at in left[row.version.dataset_id] if number > row.version.number]
        if after:
            # of several versions the first that shows it
            found.setdefault((row.run.model_id, row.version.dataset_id), _learned(row, left_at=after[0]))
    return list(found.values())


def _used(dataset_ids: Collection[int]) -> "QuerySet[RunInput]":
    """What the latest runs of living models have read of these datasets."""
    latest = TrainingRun.objects.filter(pk=Subquery(_latest(OuterRef("model")).values("pk")[:1]))
    used = RunInput.objects.filter(
        run__in=latest, run__model__retired_at__isnull=True, version__dataset__in=dataset_ids
    )
    rows = used.select_related("run__model__owner", "version__dataset").prefetch_related("run__model__decisions")
    return rows.order_by("run__finished_at", "version__dataset__name", "version__number")


def _learned(row: RunInput, *, left_at: datetime) -> Learned:
    model, dataset, finished_at = row.run.model, row.version.dataset, row.run.finished_at
    assert finished_at is not None  # noqa: S101 -- only finished runs are looked at
    return Learned(
        model=model,
        dataset=dataset.public_name,
        dataset_slug=dataset.slug,
        purposes=tuple(dataset.purposes),
        version=row.version.number,
        finished_at=finished_at,
        left_at=left_at,
        decision=next((one for one in model.decisions.all() if one.run_id == row.run_id), None),
    )


def _latest(model: OuterRef) -> "QuerySet[TrainingRun]":
    return TrainingRun.objects.filter(model=model, finished_at__isnull=False).order_by("-finished_at", "-id")


def _check(decision: Decision, *, at: datetime) -> None:
    if decision.kind not in dict(ExposureDecision.CHOICES):
        raise ExposureError("unknown_kind", "A decision is to retrain, to retire, or to accept.", field="kind")
    if decision.kind == ExposureDecision.ACCEPTED:
        if decision.due_on is not None:
            raise ExposureError("day_without_deed", "What is accepted has no day.", field="due_on")
        if not decision.ground.strip():
            raise ExposureError("ground_missing", "Say why it may stay: a regulator will ask.", field="ground")
        if not decision.legal_ground.strip():
            raise ExposureError("legal_ground_missing", "Name the ground in law.", field="legal_ground")
    elif decision.due_on is None:
        raise ExposureError("day_missing", "Say by which day.", field="due_on")
    elif decision.due_on < at.date():
        raise ExposureError("day_in_the_past", "That day is over.", field="due_on")
