"""What moves a running clock: waits, an extension, a day that staff choose. Each is told on the timeline.

Whoever waits for somebody holds the request's lock already, so `apply`, `begin_pause` and `end_pause` change the row
that they are handed; what staff do (`extend`, `override`, `acknowledge`) locks it first.
"""

from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from portal import actors
from portal.errors import Conflict, twin
from requests_app import counting, deadlines, letters, rulebook, timeline
from requests_app.deadlines import Deadline, DeadlineError
from requests_app.legal_clock import reckoning
from requests_app.models import Pause, Request
from requests_app.rulebook import Wait

_CLOCK = ["due_on", "acknowledge_by", "escalated_at"]
_FURTHEST = timedelta(days=366)
"""How far away a day may lie that staff name where the law sets no limit."""


@transaction.atomic
def apply(*, request: Request, at: datetime, because: str = "", by: str = actors.SYSTEM) -> bool:
    """Reckon the days anew and save them; the caller holds the request's lock. Answers whether the due date moved.

    `because` goes on the timeline: a code such as `pause_began`; without one, `waiting` or `recomputed`.
    Raises DeadlineError.
    """
    pauses = list(Pause.objects.filter(request=request))
    rule, facts = rulebook.thaw(request.terms), reckoning.facts_of(request, pauses)
    deadline = reckoning.reckon(rule, facts, at=at)
    before = request.due_on
    request.due_on, request.acknowledge_by = deadline.due, deadline.acknowledge_by
    if deadline.ends > at:
        request.escalated_at = None
    request.save(update_fields=_CLOCK)
    if deadline.due == before:
        return False
    because = because or ("waiting" if deadline.waiting else "recomputed")
    timeline.tell(request, "clock_moved", by=by, at=at, details=moved(before, deadline.due, because))
    return True


def moved(before: date, after: date, because: str) -> dict[str, str]:
    """What the timeline says of a day that moved."""
    return {"from": before.isoformat(), "to": after.isoformat(), "because": because}


@transaction.atomic
def begin_pause(*, request: Request, reason: str, at: datetime, by: str = actors.SYSTEM) -> Pause:
    """Wait for the person: for `identity`, `clarification` or `fee`. Whether that stops the clock is the law's to say.

    Raises Conflict(`closed`, `already_waiting`) and DeadlineError.
    """
    _check_open(request)
    if _open_pauses(request, reason).exists():
        raise Conflict("already_waiting", "We wait for that already.")
    pause = Pause.objects.create(request=request, reason=Wait(reason), began_at=at)
    timeline.tell(request, "pause_began", by=by, at=at, details={"waits_for": str(pause.reason)})
    apply(request=request, at=at, because="pause_began", by=by)
    return pause


@transaction.atomic
def end_pause(*, request: Request, reason: str, at: datetime, by: str = actors.SYSTEM) -> None:
    """What was waited for has come. Of identity that is recorded on the request too, even where nothing waited.

    Raises Conflict(`closed`, `not_waiting`) and DeadlineError(`pause_backwards`).
    """
    _check_open(request)
    pause = _open_pauses(request, reason).first()
    if pause is None and reason != Wait.IDENTITY:
        raise Conflict("not_waiting", "We do not wait for that.")
    if pause is not None:
        if at < pause.began_at:
            raise DeadlineError("pause_backwards", "A pause cannot end before it began.")
        pause.ended_at = at
        pause.save(update_fields=["ended_at"])
        timeline.tell(request, "pause_ended", by=by, at=at, details={"waits_for": str(pause.reason)})
    if reason == Wait.IDENTITY and request.identity_confirmed_at is None:
        request.identity_confirmed_at = at
        request.save(update_fields=["identity_confirmed_at"])
    apply(request=request, at=at, because="pause_ended", by=by)


def check_can_extend(request: Request) -> None:
    """Raise Conflict or DeadlineError unless it is open, somebody can be told, and this law still allows it once.

    Whether it is told in time is seen when it is told.
    """
    _check_open(request)
    if request.extended_at is not None:
        raise DeadlineError("already_extended", "A request can be extended once.")
    if request.subject_id is None:
        raise Conflict("nobody_to_tell", "It is not known yet who asks, so nobody can be told of an extension.")
    if rulebook.thaw(request.terms).extension is None:
        raise DeadlineError("extension_not_allowed", "This law allows no extension.")


can_extend = twin(check_can_extend)


@transaction.atomic
def extend(
    *, request: Request, reason: str, until: date | None = None, was_told: bool = False, by: str, at: datetime
) -> Request:
    """Take longer, and tell the person why: without the notice there is no extension, so both or neither are made.

    `until` names the day; without it the law's longest counts. An earlier day that staff chose no longer holds. Who
    has no mail address is told otherwise, and staff say so: `was_told`.
    Raises DeadlineError (its code says which: too late, too long, too short, without reason, `nobody_told`, …) and
    Conflict.
    """
    request = _lock(request)
    check_can_extend(request)
    before, deadline = request.due_on, _lawful(request, at)
    deadlines.check_can_extend(deadline, told=at, reason=reason, until=until)
    if until is not None and until > deadline.due + _FURTHEST:
        raise DeadlineError("extension_too_long", "Name a day within a year.", field="until")
    request.extended_at, request.extended_until, request.due_override = at, until, None
    request.save(update_fields=["extended_at", "extended_until", "due_override"])
    apply(request=request, at=at, because="extended", by=by)
    letter = letters.write(request=request, code="extended", at=at)
    if letter is None and not was_told:
        message = "No mail address is known. Tell the person by letter or telephone, then say here that you did."
        raise DeadlineError("nobody_told", message, field="was_told")
    told = {"from": before.isoformat(), "to": request.due_on.isoformat()}
    if letter is None:
        told["told"] = "by staff"
    timeline.tell(request, "extended", by=by, at=at, details=told, words=reason)
    return request


def check_can_override(request: Request) -> None:
    """Raise Conflict(`closed`) once it is closed."""
    _check_open(request)


can_override = twin(check_can_override)


@transaction.atomic
def override(*, request: Request, due_on: date | None, reason: str, by: str, at: datetime) -> Request:
    """Set the day by hand, earlier or later than it was but not later than the law allows; None: the law's day again.

    Raises Conflict(`closed`) and DeadlineError(`override_without_reason`, `override_in_past`, `override_too_late`).
    """
    request = _lock(request)
    check_can_override(request)
    if not reason.strip():
        raise DeadlineError("override_without_reason", "Say why the day is another.", field="reason")
    before = request.due_on
    if due_on is not None:
        _check_day(due_on, _lawful(request, at), at)
    request.due_override = due_on
    request.save(update_fields=["due_override"])
    apply(request=request, at=at, because="override", by=by)
    told = {"from": before.isoformat(), "to": request.due_on.isoformat()}
    timeline.tell(request, "deadline_overridden", by=by, at=at, details=told, words=reason)
    return request


def check_can_acknowledge(request: Request) -> None:
    """Raise Conflict(`closed`, `acknowledged`)."""
    _check_open(request)
    if request.acknowledged_at is not None:
        raise Conflict("acknowledged", "Receipt was confirmed already.")


can_acknowledge = twin(check_can_acknowledge)


@transaction.atomic
def acknowledge(*, request: Request, by: str, at: datetime) -> Request:
    """Confirm receipt: by a letter where there is an address to write to, else staff say that they did it.

    Raises Conflict(`closed`, `acknowledged`).
    """
    request = _lock(request)
    check_can_acknowledge(request)
    letter = letters.write(request=request, code="acknowledged", at=at)
    return _acknowledged(request, by_mail=letter is not None, by=by, at=at)


@transaction.atomic
def acknowledge_by_mail(*, request: Request, at: datetime) -> bool:
    """Confirm receipt without staff, where it is still to be done and an address is known; answers whether it was."""
    request = _lock(request)
    if not can_acknowledge(request):
        return False
    if letters.write(request=request, code="acknowledged", at=at) is None:
        return False
    _acknowledged(request, by_mail=True, by=actors.SYSTEM, at=at)
    return True


def _acknowledged(request: Request, *, by_mail: bool, by: str, at: datetime) -> Request:
    request.acknowledged_at = at
    request.save(update_fields=["acknowledged_at"])
    timeline.tell(request, "acknowledged", by=by, at=at, details={"by_mail": by_mail})
    return request


def _lawful(request: Request, at: datetime) -> Deadline:
    return reckoning.lawful(rulebook.thaw(request.terms), reckoning.facts_of(request), at=at)


def _check_day(due_on: date, deadline: Deadline, at: datetime) -> None:
    if due_on < counting.day_of(deadline.rule, at):
        raise DeadlineError("override_in_past", "That day is over where the person lives.", field="due_on")
    if due_on > deadline.due:
        message = f"The latest day that this law allows is {deadline.due.isoformat()}."
        raise DeadlineError("override_too_late", message, field="due_on")


def _open_pauses(request: Request, reason: str) -> "QuerySet[Pause]":
    return Pause.objects.filter(request=request, reason=reason, ended_at__isnull=True)


def _check_open(request: Request) -> None:
    if request.is_closed:
        raise Conflict("closed", "This request is closed; its clock has stopped.")


def _lock(request: Request) -> Request:
    return Request.objects.select_for_update(no_key=True, of=("self",)).select_related("subject").get(pk=request.pk)
