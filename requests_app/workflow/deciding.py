"""What two people decide: one proposes to refuse a request or to exempt a task, another decides."""

from datetime import datetime

from django.db import IntegrityError, transaction

from portal.errors import Conflict, DomainError
from requests_app import consequences, four_eyes, grounds, sealing, steps, timeline
from requests_app.models import Proposal, Request
from requests_app.rulebook import Wait
from requests_app.states import ProposalKind, Status
from requests_app.workflow import guards, moves


@transaction.atomic
def propose_refusal(*, request: Request, ground: str, reason: str, by: str, at: datetime) -> Proposal:
    """Propose to refuse, on a ground that the law gives for this right, with a reason that the person may read.

    Raises Conflict(`wrong_state` | `carried_out` | `proposal_open`), GroundError(`ground_does_not_fit`),
    DomainError(`reason_missing`), Forbidden(`staff_only` | `decided_before`).
    """
    request = moves.lock(request)
    four_eyes.check_human(by)
    guards.check_can_propose_refusal(request)
    four_eyes.check_impartial(request, by=by)
    _check_ground(request, ground)
    if not reason.strip():
        raise DomainError("reason_missing", "Say why, in words that the person may read.", field="reason")
    if request.status == Status.AWAITING_SUBJECT:
        consequences.end_pause(request, reason=Wait.CLARIFICATION, by=by, at=at)
    proposal = Proposal(request=request, kind=ProposalKind.REFUSE, ground=ground, proposed_by=by, proposed_at=at)
    proposal.sealed_reason = sealing.seal(request, reason.strip(), context=sealing.REASON)
    try:
        with transaction.atomic():
            proposal.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict("proposal_open", "A refusal was proposed already.") from error
    moves.move(request, Status.IN_REVIEW, code="refusal_proposed", by=by, at=at, ground=ground)
    return proposal


@transaction.atomic
def decide(*, proposal: Proposal, approve: bool, by: str, at: datetime) -> Proposal:
    """Somebody else decides. Sent back, the work goes on; whoever proposed it may take it back themselves.

    Raises Conflict(`decided` | `closed` | `second_person_needed`), Forbidden(`staff_only` | `decided_before`).
    """
    request = moves.lock(proposal.request)
    proposal = Proposal.objects.select_for_update(of=("self",)).select_related("task__dataset").get(pk=proposal.pk)
    if proposal.decided_at is not None:
        raise Conflict("decided", "This was decided already.")
    if request.is_closed:
        raise Conflict("closed", "The request is closed.")
    four_eyes.check_human(by)
    if approve:
        four_eyes.check_second(proposal, by=by)
        four_eyes.check_impartial(request, by=by)
    proposal.is_approved, proposal.decided_by, proposal.decided_at = approve, by, at
    proposal.save(update_fields=["is_approved", "decided_by", "decided_at"])
    if proposal.kind == ProposalKind.REFUSE:
        _refuse_or_not(request, proposal, by=by, at=at)
    elif approve:
        steps.exempt(request=request, proposal=proposal, by=by, at=at)
    else:
        timeline.tell(request, "exemption_sent_back", by=by, at=at, details={"task": str(proposal.task_id)})
    return proposal


def _refuse_or_not(request: Request, proposal: Proposal, *, by: str, at: datetime) -> None:
    guards.check_can_move(request, Status.REFUSED)
    if proposal.is_approved:
        request.refusal_ground = proposal.ground
        letter = "appeal_decided" if request.about_id else ""
        moves.close(request, Status.REFUSED, by=by, at=at, letter=letter, ground=proposal.ground)
        return
    # whoever has not shown who they are, or is doubted, goes on having to
    is_proven = request.identity_confirmed_at is not None and not _waits_for_proof(request)
    back = Status.IN_PROGRESS if is_proven else Status.VERIFYING
    moves.move(request, back, code="refusal_sent_back", by=by, at=at, ground=proposal.ground)


def _waits_for_proof(request: Request) -> bool:
    return request.pauses.filter(reason=Wait.IDENTITY, ended_at__isnull=True).exists()


def _check_ground(request: Request, ground: str) -> None:
    about = request.about.right if request.about else None
    found = grounds.check(ground, request.right, about=about)
    if request.status == Status.VERIFYING and found not in grounds.UNPROVEN:
        raise grounds.GroundError(
            "ground_does_not_fit", "Who has not shown who they are is refused for that alone.", field="ground"
        )
