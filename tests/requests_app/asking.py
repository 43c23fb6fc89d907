"""Requests in each state, the way they get there."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from consents.models import Subject
from downstream import propagation, purging
from portal import actors
from portal.models import User
from requests_app import intake, steps, systems, workflow
from requests_app.models import Proposal, Request, System, Task
from tests.conftest import AT, BY, OTHER, sequenced

SOON = AT + timedelta(hours=1)
LATER = AT + timedelta(hours=2)


def asked(subject: Subject, *rights: str, at: datetime = AT, **said: Any) -> list[Request]:
    """What this person asks, signed in."""
    wish = intake.Asked(rights=rights, **said)
    return intake.receive(asked=wish, subject=subject, by=actors.subject(subject.pk), at=at)


def received(subject: Subject, *, note: str = "", right: str = "erasure") -> Request:
    return asked(subject, right, note=note)[0]


def started(subject: Subject, staff: User, *, note: str = "") -> Request:
    return workflow.start(request=received(subject, note=note), staff=staff, by=BY, at=SOON)


def carried_out(subject: Subject, staff: User, *, note: str = "") -> Request:
    return workflow.carry_out(request=started(subject, staff, note=note), by=BY, at=SOON)


def withdrawn(subject: Subject, staff: User) -> Request:
    return workflow.withdraw(request=received(subject), by=actors.subject(subject.pk), at=SOON)


def fulfilled(subject: Subject, staff: User) -> Request:
    """Needs `django_db(transaction=True)`."""
    request = carried_out(subject, staff)
    propagate()
    assert closes(request)
    request.refresh_from_db()
    return request


def verifying(subject: Subject, *, right: str = "erasure", at: datetime = AT) -> Request:
    wish = intake.Asked(rights=(right,))
    return intake.receive(asked=wish, subject=subject, is_proven=False, by=BY, at=at)[0]


def awaiting(subject: Subject, staff: User) -> Request:
    return workflow.await_subject(request=started(subject, staff), by=BY, at=SOON, words="Which account?")


def in_review(subject: Subject, staff: User) -> Request:
    return refusal_of(started(subject, staff)).request


def refusal_of(request: Request, *, ground: str = "unfounded", by: str = BY) -> Proposal:
    """Proposed, and not decided yet."""
    proposal = workflow.propose_refusal(request=request, ground=ground, reason="It is a test.", by=by, at=SOON)
    request.refresh_from_db()
    return proposal


def refused(subject: Subject, staff: User) -> Request:
    proposal = refusal_of(started(subject, staff))
    workflow.decide(proposal=proposal, approve=True, by=OTHER, at=SOON)
    return Request.objects.get(pk=proposal.request_id)


def expired(subject: Subject, staff: User) -> Request:
    return workflow.expire(request=verifying(subject), by=actors.SYSTEM, at=SOON)


def system(*rights: str, slug: str = "crm") -> System:
    """Somewhere that no connector reaches."""
    return systems.register(
        slug=slug, name="CRM", public_name="Our CRM", rights=rights, instructions="Look there.", by=BY, at=AT
    )


def open_tasks(request: Request) -> list[Task]:
    return list(request.tasks.filter(status="open"))


def exempted(task: Task, *, ground: str = "legal_obligation") -> None:
    proposal = steps.propose_exemption(task=task, ground=ground, reason="Tax law.", by=BY, at=SOON)
    workflow.decide(proposal=proposal, approve=True, by=OTHER, at=SOON)


def partially_fulfilled(subject: Subject, staff: User) -> Request:
    """Needs `django_db(transaction=True)`."""
    system("erasure")
    request = carried_out(subject, staff)
    exempted(request.tasks.get())
    propagate()
    assert closes(request)
    request.refresh_from_db()
    return request


IN_STATE: dict[str, Callable[[Subject, User], Request]] = {
    "received": lambda subject, staff: received(subject),
    "verifying": lambda subject, staff: verifying(subject),
    "in_progress": started,
    "awaiting_subject": awaiting,
    "in_review": in_review,
    "carried_out": carried_out,
    "refused": refused,
    "withdrawn": withdrawn,
    "expired": expired,
    "fulfilled": fulfilled,
    "partially_fulfilled": partially_fulfilled,
}


def propagate() -> list[bool]:
    """Give everything its position and carry out what follows."""
    sequenced()
    propagation.plan(at=LATER)
    ids = propagation.hand_over(at=LATER)
    done = [propagation.carry_out(propagation_id=one, holder="test", clock=lambda: LATER) for one in ids]
    for one in ids:
        purging.carry_out(propagation_id=one, holder="test", clock=lambda: LATER)
    return done


def closes(request: Request) -> bool:
    return workflow.close_if_verified(request=request, by=actors.SYSTEM, at=LATER)
