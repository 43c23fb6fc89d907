"""Taking a request up, waiting for the person, carrying it out, and taking it back."""

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from consents.models import Subject
from portal import actors
from portal.errors import DomainError
from portal.models import User
from requests_app import consequences, duplicates, four_eyes, legal_clock, messages, packages, rights, steps, timeline
from requests_app.models import Request
from requests_app.rulebook import Wait
from requests_app.states import ANSWERED, AT_ONCE, CLOSED, Right, Status
from requests_app.workflow import guards, moves

_ANSWERED_BY_PACKAGE = frozenset({Right.ACCESS, Right.PORTABILITY})


@transaction.atomic
def start(*, request: Request, staff: User, by: str, at: datetime) -> Request:
    """Somebody takes the request up, and sees which work it means.

    Raises Conflict(`wrong_state` | `duplicate` | `not_proven`), Forbidden(`decided_before`).
    """
    request = moves.lock(request)
    guards.check_can_start(request)
    four_eyes.check_impartial(request, by=actors.staff(staff.pk))
    request.assigned_to = staff
    request.save(update_fields=["assigned_to"])
    moves.move(request, Status.IN_PROGRESS, code="started", by=by, at=at)
    steps.plan(request=request, by=by, at=at)
    return request


@transaction.atomic
def assign(*, request: Request, staff: User | None, by: str, at: datetime) -> Request:
    """Make it somebody's, or nobody's. Raises Conflict(`wrong_state`), Forbidden(`decided_before`)."""
    request = moves.lock(request)
    guards.check_can_assign(request)
    if staff is not None:
        four_eyes.check_impartial(request, by=actors.staff(staff.pk))
    request.assigned_to = staff
    request.save(update_fields=["assigned_to"])
    to = actors.staff(staff.pk) if staff else ""
    timeline.tell(request, "assigned" if staff else "unassigned", by=by, at=at, details={"to": to})
    return request


@transaction.atomic
def await_subject(*, request: Request, by: str, at: datetime, words: str = "") -> Request:
    """Wait for what only the person can say; `words` are written to them. The rule says whether the clock waits too.

    Raises Conflict(`wrong_state` | `carried_out`).
    """
    request = moves.lock(request)
    guards.check_can_await_subject(request)
    legal_clock.begin_pause(request=request, reason=Wait.CLARIFICATION, by=by, at=at)
    moves.move(request, Status.AWAITING_SUBJECT, code="awaiting_subject", by=by, at=at, words=words)
    if words.strip():
        messages.send(request=request, body=words, by=by, at=at)
    return request


@transaction.atomic
def resume(*, request: Request, by: str, at: datetime) -> Request:
    """What was asked was said, or is no longer needed. Raises Conflict(`wrong_state`)."""
    request = moves.lock(request)
    guards.check_can_resume(request)
    consequences.end_pause(request, reason=Wait.CLARIFICATION, by=by, at=at)
    return moves.move(request, Status.IN_PROGRESS, code="resumed", by=by, at=at)


@transaction.atomic
def carry_out(*, request: Request, by: str, at: datetime) -> Request:
    """Set going what the right means. What needs nobody closes by itself once everything is verified.

    Raises Conflict(`wrong_state` | `carried_out` | `proposal_open` | `answer_first`), Forbidden(`decided_before`).
    """
    request = moves.lock(request)
    guards.check_can_carry_out(request)
    four_eyes.check_impartial(request, by=by)
    return set_going(request, by=by, at=at)


@transaction.atomic
def carry_out_unanswered(*, request: Request, words: str, by: str, at: datetime) -> Request:
    """Set an erasure going although the person has not seen their data yet, so that it is not late because of that.

    A member of staff says why (`words`), and both requests tell of it. The erasure is still not closed before the
    copy is answered, or before its own day. Raises what `carry_out` raises, Conflict(`nothing_owed` | `build_first`),
    Forbidden(`staff_only`), DomainError(`reason_missing`).
    """
    request = moves.lock(request)
    guards.check_can_carry_out_unanswered(request, at=at)
    four_eyes.check_human(by)
    if not words.strip():
        raise DomainError("reason_missing", "Say why it cannot wait for their copy.", field="words")
    copies = list(packages.unanswered_of(request))
    before = ", ".join(one.reference for one in copies)
    timeline.tell(request, "carried_out_unanswered", by=by, at=at, details={"before": before}, words=words)
    for one in copies:
        timeline.tell(one, "erasure_goes_first", by=by, at=at, details={"erasure": request.reference})
    return set_going(request, by=by, at=at)


def begin(*, request: Request, by: str, at: datetime) -> None:
    """It is known who asks: what needs no staff is carried out now, in this transaction."""
    if request.right in AT_ONCE and request.duplicate_of_id is None:
        carry_out_at_once(request=request, by=by, at=at)


def carry_out_at_once(*, request: Request, by: str, at: datetime) -> Request:
    """The same for what needs no staff, right after it was received; the caller holds its lock or just made it."""
    guards.check_can_start(request)
    moves.move(request, Status.IN_PROGRESS, code="started", by=actors.SYSTEM, at=at)
    return set_going(request, by=by, at=at)


@transaction.atomic
def withdraw(*, request: Request, by: str, at: datetime) -> Request:
    """The person takes the request back; who asked for the same meanwhile goes on alone.

    Where nobody came to be known, nothing typed is kept.
    Raises Conflict(`wrong_state` | `carried_out`).
    """
    request = moves.lock(request)
    guards.check_can_withdraw(request)
    moves.close(request, Status.WITHDRAWN, by=by, at=at)
    let_duplicates_stand(request, by=by, at=at)
    return request


def set_going(request: Request, *, by: str, at: datetime) -> Request:
    """Change what the right changes, plan the work in each place; the caller holds the lock and has checked."""
    request.event_id = rights.of(request.right).carry_out(request=request, by=by, at=at)
    request.carried_out_at, request.carried_out_by = at, by
    request.save(update_fields=["event_id", "carried_out_at", "carried_out_by"])
    timeline.tell(request, "carried_out", by=by, at=at)
    steps.plan(request=request, by=by, at=at)
    if request.right in _ANSWERED_BY_PACKAGE and not steps.has_package(request):
        packages.ask(request=request, by=by, at=at)
    return request


def let_duplicates_stand(request: Request, *, by: str, at: datetime) -> None:
    """The oldest becomes the first of the others; what is done at once is done now."""
    rows = Request.objects.select_for_update(no_key=True, of=("self",)).select_related("subject")
    waiting = list(rows.filter(duplicate_of=request, status=Status.RECEIVED).order_by("received_at", "pk"))
    if not waiting or waiting[0].subject is None:
        return
    # the same may have been asked since by itself
    Subject.objects.select_for_update(no_key=True).get(pk=waiting[0].subject.pk)
    other = duplicates.find(waiting[:1], waiting[0].subject).get(waiting[0].pk)
    if other is not None:
        Request.objects.filter(pk__in=[one.pk for one in waiting]).update(duplicate_of=other)
        return
    first = waiting[0]
    first.duplicate_of = None
    first.save(update_fields=["duplicate_of"])
    timeline.tell(first, "stands_alone", by=by, at=at, details={"was_with": request.reference})
    Request.objects.filter(pk__in=[one.pk for one in waiting[1:]]).update(duplicate_of=first)
    begin(request=first, by=actors.SYSTEM, at=at)


def left_behind() -> "QuerySet[Request]":
    """Firsts that ended while the same was being asked again, or that followed another first: their duplicates wait."""
    waiting = Request.objects.filter(duplicate_of__isnull=False, status=Status.RECEIVED)
    return Request.objects.filter(pk__in=waiting.values("duplicate_of"), status__in=sorted(CLOSED)).order_by("pk")


@transaction.atomic
def take_along(*, request: Request, by: str, at: datetime) -> None:
    """Answer the duplicates of an ended first with it; where it has no answer, let them stand."""
    request = moves.lock(request)
    if request.status in ANSWERED:
        moves.answer_duplicates(request, Status(request.status), by=by, at=at)
    elif request.is_closed:
        let_duplicates_stand(request, by=by, at=at)
