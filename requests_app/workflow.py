"""The only writer of a request's status: each step is a function with its guard and its timeline entry."""

from datetime import datetime
from typing import Any

from django.db import transaction

from portal import audit
from portal.errors import Conflict
from portal.models import User
from requests_app.models import Request, TimelineEntry
from requests_app.rights import erasure
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
    check_can_move(request, Status.IN_PROGRESS)
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
    """Set the erasure going. The request closes by itself once every dataset is verified; this cannot be undone."""
    request = _lock(request)
    check_can_carry_out(request)
    event = erasure.carry_out(subject=request.subject, by=by, at=at)
    request.event_id, request.carried_out_at, request.carried_out_by = event.pk, at, by
    request.save(update_fields=["event_id", "carried_out_at", "carried_out_by"])
    _tell(request, "carried_out", by=by, at=at)
    return request


@transaction.atomic
def close_if_verified(*, request: Request, by: str, at: datetime) -> bool:
    """Close a carried-out erasure whose every propagation is verified; answers whether it is closed now."""
    request = _lock(request)
    if request.is_closed or request.carried_out_at is None:
        return request.is_closed
    if not erasure.is_verified(subject=request.subject, event_id=request.event_id):
        return False
    erasure.finish(subject=request.subject, by=by, at=at)
    request.sealed_note, request.closed_at = None, at
    _move(request, Status.FULFILLED, code="fulfilled", by=by, at=at)
    return True


def _lock(request: Request) -> Request:
    return Request.objects.select_for_update(of=("self",)).select_related("subject").get(pk=request.pk)


def _move(request: Request, to: Status, *, code: str, by: str, at: datetime) -> Request:
    request.status = to
    request.save()
    _tell(request, code, by=by, at=at)
    return request


def _tell(request: Request, code: str, *, by: str, at: datetime, details: dict[str, Any] | None = None) -> None:
    TimelineEntry.objects.create(request=request, at=at, actor=by, code=code, details=details or {})
    audit.record(at=at, by=by, action=f"request.{code}", of=("request", request.pk), details=details)
