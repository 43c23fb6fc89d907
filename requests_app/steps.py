"""The work that a request means in each place: planned, settled by what is downstream or by hand, or exempted by two.

A place is a dataset, a system that no connector reaches, or Heed itself. A request closes only when none is open.
"""

from collections.abc import Iterator
from datetime import datetime

from django.db import IntegrityError, transaction

from consents import sequencer
from downstream import journeys
from portal.errors import Conflict, DomainError
from requests_app import consequences, four_eyes, grounds, progress, rights, sealing, timeline
from requests_app.models import Proposal, Request, System, Task
from requests_app.rights.base import Planned
from requests_app.states import FileUse, PackageStatus, ProposalKind, Right, Status, TaskKind, TaskStatus

LONGEST_EVIDENCE = 4_000
WORK_IN_SYSTEMS: dict[str, str] = {
    Right.ACCESS: "collect",
    Right.PORTABILITY: "collect",
    Right.RECTIFICATION: "correct",
    Right.ERASURE: "remove",
    Right.RESTRICTION: "stop",
    Right.OBJECTION: "stop",
    Right.WITHDRAW_CONSENT: "stop",
    Right.OPT_OUT_SALE: "stop",
    Right.AUTOMATED_DECISION: "review",
    Right.COMPLAINT: "review",
    Right.APPEAL: "review",
}
"""What has to be done for each right in a system that staff keep."""


@transaction.atomic
def plan(*, request: Request, by: str, at: datetime) -> list[Task]:
    """Plan what is not planned yet; the caller holds the request's lock. Answers the new tasks."""
    known = set(request.tasks.values_list("code", "dataset", "system"))
    wanted = [*rights.of(request.right).plan(request), *_in_systems(request)]
    fresh = [
        Task(
            request=request,
            kind=one.kind,
            code=one.code,
            dataset=one.dataset,
            system=one.system,
            instructions=one.instructions,
            planned_at=at,
        )
        for one in wanted
        if (one.code, one.dataset.pk if one.dataset else None, one.system.pk if one.system else None) not in known
    ]
    return Task.objects.bulk_create(fresh)


def plan_anew(request: Request, *, at: datetime) -> None:
    """Everything is to be done again, as if it had not been looked at; the caller holds the request's lock."""
    request.tasks.exclude(status=TaskStatus.OPEN).update(
        status=TaskStatus.OPEN, settled_at=None, settled_by="", ground="", planned_at=at
    )
    instruct_anew(request)


def instruct_anew(request: Request) -> None:
    """What was planned of the right's own work and is open is done as it would be planned now; under the lock."""
    for one in rights.of(request.right).plan(request):
        mine = request.tasks.filter(code=one.code, dataset=one.dataset, system=one.system, status=TaskStatus.OPEN)
        mine.update(kind=one.kind, instructions=one.instructions)


def _in_systems(request: Request) -> Iterator[Planned]:
    living = System.objects.filter(retired_at__isnull=True, rights__contains=[str(request.right)])
    for system in living:
        yield Planned(WORK_IN_SYSTEMS[request.right], TaskKind.MANUAL, None, system, system.instructions)


def settle_automatic(*, request: Request, at: datetime) -> int:
    """Plan for datasets that were taken in meanwhile and settle what has arrived; answers how many tasks were settled.

    The caller holds the request's lock.
    """
    if request.carried_out_at is None:
        return 0
    plan(request=request, by=request.carried_out_by, at=at)
    return progress.settle(progress.ripe().filter(request=request), at=at)


def settle_due(*, at: datetime) -> int:
    """The same for every request that was carried out, in batches of the same few statements; plans nothing.

    What was taken in meanwhile is planned when a request would close.
    """
    return progress.settle(progress.ripe(), at=at)


@transaction.atomic
def settle_by_hand(*, task: Task, evidence: str, by: str, at: datetime) -> Task:
    """A member of staff did it, and says what shows that; files are attached to the task beforehand.

    Raises Conflict(`wrong_state` | `settled` | `automatic` | `proposal_open`), DomainError(`evidence_missing` |
    `evidence_too_long`), Forbidden(`staff_only` | `decided_before`).
    """
    request, task = _locked(task)
    four_eyes.check_human(by)
    four_eyes.check_impartial(request, by=by)
    _check_open(request, task)
    if task.kind == TaskKind.AUTOMATIC:
        raise Conflict("automatic", "This is settled by what the dataset shows, not by hand.")
    if task.proposals.filter(decided_at__isnull=True).exists():
        raise Conflict("proposal_open", "An exemption was proposed; decide that first.")
    if not evidence.strip():
        raise DomainError("evidence_missing", "Say what was done, and what shows it.", field="evidence")
    if len(evidence) > LONGEST_EVIDENCE:
        raise DomainError("evidence_too_long", f"Keep it to {LONGEST_EVIDENCE} characters.", field="evidence")
    task.sealed_evidence = sealing.seal(request, evidence.strip(), context=sealing.EVIDENCE)
    task.status, task.settled_at, task.settled_by = TaskStatus.DONE, at, by
    task.save(update_fields=["sealed_evidence", "status", "settled_at", "settled_by"])
    consequences.correction_settled(task, by=by, at=at)
    files = task.attachments.filter(use=FileUse.TASK, deleted_at__isnull=True).count()
    timeline.tell(request, "task_done", by=by, at=at, details={**_place(task), "files": files})
    return task


@transaction.atomic
def propose_exemption(*, task: Task, ground: str, reason: str, by: str, at: datetime) -> Proposal:
    """Propose to leave one place out, on a ground that the law gives for this right; another person decides.

    Raises Conflict(`wrong_state` | `settled` | `proposal_open`), GroundError(`ground_does_not_fit`),
    DomainError(`reason_missing`), Forbidden(`staff_only`).
    """
    request, task = _locked(task)
    four_eyes.check_human(by)
    four_eyes.check_impartial(request, by=by)
    _check_open(request, task)
    about = request.about.right if request.about else None
    grounds.check(ground, request.right, about=about)
    if not reason.strip():
        raise DomainError("reason_missing", "Say why, in words that the person may read.", field="reason")
    proposal = Proposal(
        request=request, task=task, kind=ProposalKind.EXEMPT, ground=ground, proposed_by=by, proposed_at=at
    )
    proposal.sealed_reason = sealing.seal(request, reason.strip(), context=sealing.REASON)
    try:
        with transaction.atomic():
            proposal.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict("proposal_open", "An exemption was proposed already.") from error
    timeline.tell(request, "exemption_proposed", by=by, at=at, details={**_place(task), "ground": ground})
    return proposal


def exempt(*, request: Request, proposal: Proposal, by: str, at: datetime) -> Task:
    """The second person agreed: `workflow.decide` calls this under the request's lock.

    Of an erasure the dataset is told too, so that no run removes what has to be kept. Raises Conflict.
    """
    task = Task.objects.select_for_update(of=("self",)).select_related("dataset").get(proposals=proposal)
    _check_open(request, task)
    task.status, task.ground, task.settled_at, task.settled_by = TaskStatus.EXEMPTED, proposal.ground, at, by
    task.save(update_fields=["status", "ground", "settled_at", "settled_by"])
    if request.right == Right.ERASURE and task.dataset is not None:
        task.request = request
        law = grounds.of(request.right)[grounds.check(proposal.ground, request.right)]
        consequences.exempt_dataset(task, law=law, by=proposal.proposed_by, seconded_by=by, at=at)
    consequences.correction_settled(task, by=by, at=at, is_needed=False)
    timeline.tell(request, "exempted", by=by, at=at, details={**_place(task), "ground": proposal.ground})
    return task


def has_package(request: Request) -> bool:
    """Whether its answer is being built or waits to be handed over."""
    making = (PackageStatus.WAITING, PackageStatus.BUILDING, PackageStatus.REVIEW)
    return request.packages.filter(status__in=making).exists()


def stops(request: Request, *, at: datetime) -> list[journeys.Stop]:
    """How far the request is in each dataset that it concerns, for pages; [] where it concerns none."""
    if request.subject_id is None or request.carried_out_at is None:
        return []
    position = sequencer.position_of(request.event_id) if request.event_id else None
    tasks = request.tasks.filter(code__in=sorted(progress.LEAVE), dataset__retired_at__isnull=True)
    datasets = [one.dataset for one in tasks.select_related("dataset__owner").order_by("dataset__name") if one.dataset]
    return journeys.among(datasets, subject_id=request.subject_id, position=position, at=at)


def _locked(task: Task) -> tuple[Request, Task]:
    rows = Request.objects.select_for_update(no_key=True, of=("self",)).select_related("subject", "about")
    request = rows.get(pk=task.request_id)
    return request, Task.objects.select_for_update(of=("self",)).select_related("dataset").get(pk=task.pk)


def _check_open(request: Request, task: Task) -> None:
    if request.status not in {Status.IN_PROGRESS, Status.AWAITING_SUBJECT}:
        label = Status(request.status).label
        raise Conflict("wrong_state", f"Nothing is settled in a request that is {label}.")
    if task.status != TaskStatus.OPEN:
        raise Conflict("settled", "This task is settled already.")


def _place(task: Task) -> dict[str, str]:
    """Which task it is, for the timeline: ids and slugs only."""
    where = task.dataset.slug if task.dataset else task.system_id or ""
    return {"task": str(task.pk), "code": task.code, "place": where}
