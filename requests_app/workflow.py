"""The only writer of a request's status: each step is a function with its guard and its timeline entry."""

from datetime import datetime

from django.db import transaction

from portal import actors
from portal.errors import Conflict
from portal.models import User
from requests_app import rights, timeline
from requests_app.models import Request
from requests_app.states import TRANSITIONS, Status


def check_can_move(request: Request, to: Status) -> None:
    """Raise Conflict(`wrong_state`) unless the request's status allows it."""
    if to not in TRANSITIONS[request.status]:
        raise Conflict(
            "wrong_state",
            f"A request that is {Status(request.status).label} cannot become {to.label}.",
        )


def can_move(request: Request, to: Status) -> bool:
    return to in TRANSITIONS[request.status]


def check_can_start(request: Request) -> None:
    """Raise Conflict unless nobody has taken it up yet; what was closed is opened by an appeal alone."""
    if request.status != Status.RECEIVED:
        label = Status(request.status).label
        raise Conflict("wrong_state", f"A request that is {label} cannot be started.")


def can_start(request: Request) -> bool:
    return request.status == Status.RECEIVED


def check_can_withdraw(request: Request) -> None:
    """Raise Conflict once it is closed or being carried out: what was erased cannot be brought back."""
    if request.carried_out_at is not None and not request.is_closed:
        raise Conflict("carried_out", "This is being carried out already and can no longer be taken back.")
    check_can_move(request, Status.WITHDRAWN)


def can_withdraw(request: Request) -> bool:
    return request.carried_out_at is None and can_move(request, Status.WITHDRAWN)


def check_can_carry_out(request: Request) -> None:
    """Raise Conflict unless the request is in progress and was not carried out yet."""
    if request.status != Status.IN_PROGRESS:
        raise Conflict("wrong_state", "Start work on the request first.")
    if request.carried_out_at is not None:
        raise Conflict("carried_out", "This is being carried out already.")


def can_carry_out(request: Request) -> bool:
    return request.status == Status.IN_PROGRESS and request.carried_out_at is None


@transaction.atomic
def start(*, request: Request, staff: User, by: str, at: datetime) -> Request:
    """Somebody takes the request up."""
    request = _lock(request)
    check_can_start(request)
    request.assigned_to = staff
    return _move(request, Status.IN_PROGRESS, code="started", by=by, at=at)


@transaction.atomic
def withdraw(*, request: Request, by: str, at: datetime) -> Request:
    """The person takes the request back."""
    request = _lock(request)
    check_can_withdraw(request)
    request.closed_at = at
    return _move(request, Status.WITHDRAWN, code="withdrawn", by=by, at=at)


@transaction.atomic
def carry_out(*, request: Request, by: str, at: datetime) -> Request:
    """Set going what the right means. The request closes by itself once everything is verified."""
    request = _lock(request)
    check_can_carry_out(request)
    return _carry_out(request, by=by, at=at)


def carry_out_at_once(*, request: Request, by: str, at: datetime) -> Request:
    """The same for what needs no staff, right after it was received; the caller holds the person's lock."""
    check_can_move(request, Status.IN_PROGRESS)
    _move(request, Status.IN_PROGRESS, code="started", by=actors.SYSTEM, at=at)
    return _carry_out(request, by=by, at=at)


@transaction.atomic
def close_if_verified(*, request: Request, by: str, at: datetime) -> bool:
    """Close what was carried out and is verified everywhere; answers whether it is closed now."""
    request = _lock(request)
    if request.is_closed or request.carried_out_at is None:
        return request.is_closed
    meaning = rights.of(request.right)
    if not meaning.is_settled(request):
        return False
    meaning.finish(request=request, by=by, at=at)
    request.sealed_note, request.closed_at = None, at
    _move(request, Status.FULFILLED, code="fulfilled", by=by, at=at)
    return True


def _carry_out(request: Request, *, by: str, at: datetime) -> Request:
    request.event_id = rights.of(request.right).carry_out(request=request, by=by, at=at)
    request.carried_out_at, request.carried_out_by = at, by
    request.save(update_fields=["event_id", "carried_out_at", "carried_out_by"])
    timeline.tell(request, "carried_out", by=by, at=at)
    return request


def _lock(request: Request) -> Request:
    return Request.objects.select_for_update(of=("self",)).select_related("subject").get(pk=request.pk)


def _move(request: Request, to: Status, *, code: str, by: str, at: datetime) -> Request:
    request.status = to
    request.save()
    timeline.tell(request, code, by=by, at=at)
    return request
