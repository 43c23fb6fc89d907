"""Requests in each state, the way they get there."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from consents.models import Subject
from downstream import propagation, purging
from portal import actors
from portal.models import User
from requests_app import intake, workflow
from requests_app.models import Request
from tests.conftest import AT, BY, sequenced

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


IN_STATE: dict[str, Callable[[Subject, User], Request]] = {
    "received": lambda subject, staff: received(subject),
    "in_progress": started,
    "carried_out": carried_out,
    "withdrawn": withdrawn,
    "fulfilled": fulfilled,
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
