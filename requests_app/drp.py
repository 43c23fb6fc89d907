"""The Data Rights Protocol 1.0, where Heed is the business: what agents ask for, and how that stands.

An agent's word is enough for a no: an opt-out needs no verified consumer (11 CCR § 7026(d)), and it harms nobody. For
whatever hands out, changes or destroys data the person confirms it themselves, and until they did nobody is looked up:
what is answered is the same for the known, the unknown and the erased. See decision record 25.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse

from consents import subjects
from consents.models import Purpose, Rule, Subject
from consents.subjects import IdentifierError, Name, Newcomer
from consents.vocabulary import Scheme
from portal import actors, audit
from portal.errors import Conflict, NotFound
from requests_app import front_ends, identity, intake, legal_clock, workflow
from requests_app.drp_messages import Exercise, Refused
from requests_app.models import Agent, AgentNotice, AgentRequest, Request
from requests_app.states import RISKY, Capacity, Channel, Ground, Right, Status

RIGHTS: dict[str, str] = {
    "sale:opt-out": Right.OPT_OUT_SALE,
    "deletion": Right.ERASURE,
    "access": Right.ACCESS,
    "access:categories": Right.ACCESS,
    "access:specific": Right.ACCESS,
    # an extension of ours: the protocol has no right about the training of AI
    "heed:ai-training:opt-out": Right.OBJECTION,
}
OPT_IN = "sale:opt-in"
_PLACES = {"ccpa": "US-CA"}
_ELSEWHERE = "US"
"""Where somebody lives of whom nobody knows it: the protocol is of the United States."""
_TRAINING = "ai-training"

IN_PROGRESS, FULFILLED, DENIED = "in_progress", "fulfilled", "denied"
REVOKED, EXPIRED = "revoked", "expired"
NEED_VERIFICATION = "need_user_verification"
_STATUSES = {
    Status.FULFILLED: FULFILLED,
    Status.PARTIALLY_FULFILLED: FULFILLED,
    Status.REFUSED: DENIED,
    Status.WITHDRAWN: REVOKED,
    Status.EXPIRED: EXPIRED,
}
"""All others are `in_progress`: a business that runs its own endpoint goes there from `open` at once."""
_REASONS = {
    Ground.NOT_IDENTIFIED: "insuf_verification",
    Ground.NO_AUTHORITY: "insuf_verification",
    Ground.EXCESSIVE: "too_many_requests",
    Ground.NOT_APPLICABLE: "claim_not_covered",
}


@dataclass(frozen=True)
class Standing:
    """A status of the protocol, and its reason."""

    status: str
    reason: str = ""


@transaction.atomic
def exercise(*, agent: Agent, asked: Exercise, at: datetime) -> AgentRequest:
    """Take in what an agent asks; the same again, by its agent-request-id, writes nothing and answers the first.

    Raises Refused(`unknown_right` | `invalid_claim`).
    """
    # one message of an agent after another, so that the same one sent twice at once is seen
    agent = Agent.objects.select_for_update(no_key=True).get(pk=agent.pk)
    first = _sent(agent).filter(agent_request_id=asked.agent_request_id).first()
    if first is not None:
        return first
    if asked.right == OPT_IN:
        # a yes is for the person to say, in two steps of their own (11 CCR § 7028)
        return _settled(agent, asked, Standing(DENIED, "claim_not_covered"), at)
    if asked.right not in RIGHTS:
        raise Refused("unknown_right", f"Rights are: {', '.join([*RIGHTS, OPT_IN])}.")
    right = RIGHTS[asked.right]
    scope = _scope(right, at)
    if scope is None:
        return _settled(agent, asked, Standing(DENIED, "claim_not_covered"), at)
    wish = intake.Asked(
        rights=(right,),
        jurisdiction=_PLACES.get(asked.regime, _ELSEWHERE),
        note=_note(asked),
        scope=scope,
        channel=Channel.AGENT,
        capacity=Capacity.AGENT,
        agent=agent,
    )
    return _received(agent, asked, wish, at)


def find(*, agent: Agent, request_id: str) -> AgentRequest:
    """What this agent sent; somebody else's is as unknown as none. Raises NotFound."""
    try:
        wanted = uuid.UUID(request_id)
    except ValueError:
        wanted = None
    found = _sent(agent).filter(pk=wanted).first() if wanted else None
    if found is None:
        raise NotFound("unknown_request", "You have no such request.")
    return found


@transaction.atomic
def revoke(*, sent: AgentRequest, at: datetime) -> AgentRequest:
    """Take it back in the person's name. Raises Conflict where it is closed, or carried out already."""
    if sent.request is None:
        raise Conflict("closed", "This was settled when it came in; there is nothing to take back.")
    workflow.withdraw(request=sent.request, by=actors.agent(sent.agent_id), at=at)
    return _sent(sent.agent).get(pk=sent.pk)


def standing(sent: AgentRequest) -> Standing:
    """How it stands now."""
    if sent.request is None:
        return Standing(sent.settled_status, sent.settled_reason)
    return of_request(sent.request, sent.request.status, sent.request.refusal_ground)


def of_request(request: Request, status: str, ground: str) -> Standing:
    """The protocol's word for a status that this request has or had."""
    if status == Status.EXPIRED and identity.holds_nothing(request):
        return Standing(DENIED, "no_match")
    return of_status(status, ground, is_known=request.subject_id is not None)


def of_status(status: str, ground: str, *, is_known: bool) -> Standing:
    """The protocol's word for a status of ours; `ground` is that of a refusal, or empty."""
    if status == Status.VERIFYING:
        return Standing(IN_PROGRESS, NEED_VERIFICATION)
    word = _STATUSES.get(Status(status), IN_PROGRESS)
    if word != DENIED:
        return Standing(word)
    # only somebody who showed that the address is theirs gets so far without being known
    return Standing(DENIED, _REASONS.get(Ground(ground), "other") if is_known else "no_match")


def told(sent: AgentRequest) -> Standing:
    """What the agent was told last, and at first in the answer to its message."""
    return Standing(sent.told_status, sent.told_reason)


def status_object(sent: AgentRequest, now: Standing) -> dict[str, Any]:
    """The protocol's status object; what does not apply is left out."""
    said: dict[str, Any] = {
        "request_id": str(sent.pk),
        "status": now.status,
        "agent_request_id": sent.agent_request_id,
        "received_at": sent.received_at.isoformat(),
    }
    if now.reason:
        said["reason"] = now.reason
    return said | (_settled_details(sent, now) if sent.request is None else _details(sent, sent.request, now))


def _details(sent: AgentRequest, request: Request, now: Standing) -> dict[str, Any]:
    if now.reason == NEED_VERIFICATION:
        until = request.received_at + settings.PROOF_WITHIN
        return {
            "user_verification_url": front_ends.verification_url(request),
            "expires_at": until.isoformat(),
            "processing_details": "The person has to confirm this by a code that we sent them.",
        }
    if now.status == IN_PROGRESS:
        # a no is on its way without the person's word, so by its day nobody is known from the unknown
        return _expected(request if request.right in RISKY else _anybodys(sent))
    if now.status == FULFILLED and request.right == Right.ACCESS:
        # behind the person's own sign-in: data is handed to nobody else
        return {"results_url": front_ends.page_url(request)}
    return {}


def _settled_details(sent: AgentRequest, now: Standing) -> dict[str, Any]:
    if now.status == IN_PROGRESS:
        return _expected(_anybodys(sent))
    if sent.exercise == OPT_IN:
        return {"processing_details": f"The person says this themselves: {settings.SITE_URL}{reverse('choices')}"}
    if now.reason == "insuf_verification":
        return {"processing_details": "Send the person's mail address: we have to ask them."}
    if now.reason == "claim_not_covered":
        return {"processing_details": "Nothing is done here that this right is about."}
    return {}


def _anybodys(sent: AgentRequest) -> Request:
    """The same asked of somebody of whom nothing is known but what the agent says: neither known nor erased shows."""
    place = _PLACES.get(sent.regime, _ELSEWHERE)
    alike = Request(right=RIGHTS[sent.exercise], jurisdiction=place, received_at=sent.received_at)
    legal_clock.set_at_receipt(alike, is_proven=True)
    return alike


def _expected(request: Request) -> dict[str, Any]:
    return {"expected_by": legal_clock.end_of_due_day(request).isoformat()}


def _sent(agent: Agent) -> QuerySet[AgentRequest]:
    return AgentRequest.objects.filter(agent=agent).select_related("agent", "request__subject")


def _scope(right: str, at: datetime) -> dict[str, Any] | None:
    """The purposes that an opt-out is about; None where there are none."""
    if right in RISKY:
        return {}
    every = Purpose.objects.order_by("slug")
    if right == Right.OBJECTION:
        named = every.filter(Q(slug=_TRAINING) | Q(slug__startswith=f"{_TRAINING}/"))
    else:
        # sold or shared is what others receive, and what a browser's signal against selling is heard for
        heard = Rule.objects.filter(gpc_denies=True, recorded_at__lte=at, effective_from__lte=at).values("purpose")
        named = every.filter(Q(recipients__is_controller=False) | Q(slug__in=heard)).distinct()
    slugs = list(named.values_list("slug", flat=True))
    return {"purposes": slugs} if slugs else None


def _received(agent: Agent, asked: Exercise, wish: intake.Asked, at: datetime) -> AgentRequest:
    verified = _verified_name(asked)
    if wish.rights[0] not in RISKY and verified is not None:
        return _at_once(agent, asked, wish, verified, at)
    contact = _name(Scheme.EMAIL, asked.claims.get("email", ""))
    if contact is None:
        return _settled(agent, asked, Standing(DENIED, "insuf_verification"), at)
    (request,) = intake.receive_unproven(asked=wish, contact=contact, by=actors.agent(agent.pk), at=at)
    front_ends.begin_proof(request=request, by=actors.agent(agent.pk), at=at)
    return _kept(agent, asked, request, at)


def _at_once(agent: Agent, asked: Exercise, wish: intake.Asked, who: Name, at: datetime) -> AgentRequest:
    """A no is recorded for whoever it is. Nobody's being known shows: who is not is registered by this name alone."""
    try:
        with transaction.atomic():
            subject = None if subjects.was_erased(who) else _person(who, wish.jurisdiction, agent, at)
            if subject is not None:
                (request,) = intake.receive(asked=wish, subject=subject, by=actors.agent(agent.pk), at=at)
                return _kept(agent, asked, request, at)
    except Conflict as error:
        if error.code not in {"erased", "suppressed"}:
            raise
    # who was erased is kept out for good: that is what is asked for
    return _settled(agent, asked, Standing(FULFILLED), at)


def _person(who: Name, jurisdiction: str, agent: Agent, at: datetime) -> Subject:
    known = subjects.find(who)
    if known is not None:
        return known
    newcomer = Newcomer((who,), jurisdiction)
    return subjects.register(newcomer=newcomer, by=actors.agent(agent.pk), at=at)


def _verified_name(asked: Exercise) -> Name | None:
    for claim, scheme in (("email", Scheme.EMAIL), ("phone_number", Scheme.PHONE)):
        if claim in asked.verified:
            return _name(scheme, asked.claims[claim])
    return None


def _name(scheme: str, value: str) -> Name | None:
    if not value:
        return None
    try:
        return subjects.name(scheme, value)
    except IdentifierError as error:
        raise Refused("invalid_claim", error.message) from error


def _kept(agent: Agent, asked: Exercise, request: Request, at: datetime) -> AgentRequest:
    # as it was just received: whatever it becomes next, the agent is told of
    now = of_status(request.status, "", is_known=True)
    return AgentRequest.objects.create(request=request, **_fields(agent, asked, now, at))


def _settled(agent: Agent, asked: Exercise, now: Standing, at: datetime) -> AgentRequest:
    """What becomes no request of ours; nothing that it says of the person is kept."""
    sent = AgentRequest.objects.create(
        settled_status=now.status,
        settled_reason=now.reason,
        # a no of somebody who was erased looks like anybody's
        **_fields(agent, asked, Standing(IN_PROGRESS) if now.status == FULFILLED else now, at),
    )
    audit.record(
        at=at,
        by=actors.agent(agent.pk),
        action="agent_request.settle",
        of=("agent_request", sent.pk),
        details={"status": now.status, "reason": now.reason},
    )
    if now.status == FULFILLED and sent.status_callback:
        AgentNotice.objects.create(agent_request=sent, status=Status.FULFILLED, changed_at=at)
    return sent


def _fields(agent: Agent, asked: Exercise, now: Standing, at: datetime) -> dict[str, Any]:
    return {
        "agent": agent,
        "agent_request_id": asked.agent_request_id,
        "exercise": asked.right,
        "regime": asked.regime,
        "status_callback": asked.status_callback,
        "told_status": now.status,
        "told_reason": now.reason,
        "received_at": at,
    }


def _note(asked: Exercise) -> str:
    """What the agent says of the person, for staff; sealed with the request."""
    lines = [f"Exercises {asked.right}."]
    lines += [
        f"{name}{' (verified, the agent says)' if name in asked.verified else ''}: {text}"
        for name, text in asked.claims.items()
    ]
    return "\n".join(lines)[: intake.LONGEST_NOTE]
