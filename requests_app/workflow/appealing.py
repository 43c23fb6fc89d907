"""What follows an answer: an appeal or a complaint, each a request of its own, and opening the first one again."""

from datetime import date, datetime

from django.db import transaction
from uuid_utils.compat import uuid7

from consents.models import Subject
from portal import actors
from portal.errors import Conflict, DomainError
from requests_app import (
    appeals,
    deadlines,
    four_eyes,
    legal_clock,
    letters,
    reminders,
    rulebook,
    sealing,
    steps,
    timeline,
)
from requests_app.appeals import Appeal
from requests_app.legal_clock.reckoning import ANSWERS_AT_ONCE
from requests_app.models import Request
from requests_app.states import ANSWERED, FOLLOW_UPS, Channel, Right, Status
from requests_app.workflow import guards, moves

LONGEST_NOTE = 4_000


@transaction.atomic
def appeal(*, request: Request, right: str, note: str, by: str, at: datetime, channel: str = Channel.PAGES) -> Request:
    """Take in an appeal or a complaint about an earlier request, under the rule that was frozen on that one.

    An appeal needs an answer or, once its day has passed, that none came; and a law that brings it to us, in its time.
    A complaint may be about anything. What is about silence goes before somebody else, and every privacy manager hears
    of it; work on the first request goes on. Raises Conflict(`wrong_state` | `erased` | `appeal_open` |
    `appeal_not_yet` | `not_proven` | `duplicate`), DeadlineError(`appeal_elsewhere` | `appeal_too_late`),
    DomainError(`not_a_follow_up` | `note_too_long`).
    """
    request = moves.lock(request)
    if right not in FOLLOW_UPS:
        raise DomainError("not_a_follow_up", "An answer is followed by an appeal or a complaint.", field="right")
    if len(note) > LONGEST_NOTE:
        raise DomainError("note_too_long", f"Keep it to {LONGEST_NOTE} characters.", field="note")
    days = check_can_lodge(request, right, at=at)
    # locked, so that nobody is forgotten right now
    living = Subject.objects.select_for_update(no_key=True, of=("self",)).filter(requests=request, erased_at=None)
    if living.first() is None:
        raise Conflict("erased", "This person was erased; nothing is left to look at.")
    follow = _follow(request, right, channel, at=at)
    _set_clock(follow, request, days, at=at)
    if note.strip():
        follow.sealed_note = sealing.seal(follow, note.strip(), context=sealing.NOTE)
    follow.save(force_insert=True)
    timeline.tell(follow, "received", by=by, at=at, details={"channel": str(channel), "about": request.reference})
    if legal_clock.is_unanswered(request, at=at):
        _tell_of_silence(request, follow, by=by, at=at)
    else:
        code = "appealed" if right == Right.APPEAL else "complained"
        timeline.tell(request, code, by=by, at=at, details={"reference": follow.reference})
    letters.write(request=follow, code="appeal_received", at=at)
    return follow


def _follow(request: Request, right: str, channel: str, *, at: datetime) -> Request:
    """What follows this request, by the same person, in the same language."""
    return Request(
        right=Right(right),
        status=Status.RECEIVED,
        subject=request.subject,
        about=request,
        group=uuid7(),
        channel=channel,
        capacity=request.capacity,
        agent=request.agent,
        jurisdiction=request.jurisdiction,
        locale=request.locale,
        received_at=at,
        identity_confirmed_at=at,
        acknowledged_at=at if channel in ANSWERS_AT_ONCE else None,
    )


def check_can_lodge(request: Request, right: str, *, at: datetime) -> Appeal:
    """The days that it would have if it were lodged now: what is offered and what is taken in are one question.

    Raises what `appeal` raises because of the request's state or its law: Conflict(`wrong_state` | `erased` |
    `appeal_open` | `appeal_not_yet` | `not_proven` | `duplicate`), DeadlineError(`appeal_elsewhere` |
    `appeal_too_late`).
    """
    if right == Right.APPEAL and request.status in ANSWERED:
        guards.check_can_appeal(request)
    elif right == Right.APPEAL:
        _check_silence(request, at=at)
    elif request.subject is None or request.subject.erased_at is not None:
        raise Conflict("erased", "This person was erased, or was never known; nothing is left to look at.")
    if Request.objects.open().filter(about=request, right=right).exists():
        raise Conflict("appeal_open", "This is looked at already.")
    # a complaint may be made to us also where the law brings it to the authority; no law then sets its days
    is_ours = right == Right.APPEAL or appeals.are_ours(rulebook.thaw(request.terms))
    return legal_clock.onward(request, at=at, is_lodged=is_ours)


@transaction.atomic
def reopen(*, request: Request, by: str, at: datetime, words: str) -> Request:
    """Open an answered request again: an authority wants it so, or the answer was wrong. `words` say why.

    Its clock begins anew. Raises Conflict(`wrong_state` | `erased` | `asked_again` | `duplicate`),
    DomainError(`reason_missing`).
    """
    request = moves.lock(request)
    if not words.strip():
        raise DomainError("reason_missing", "Say why it is opened again, and at whose word.", field="words")
    return _reopen(request, by=by, at=at, words=words)


def reopen_after(follow: Request, first: Request, *, by: str, at: datetime) -> Request:
    """The same because an appeal or complaint was right; its own day stays the last one."""
    return _reopen(moves.lock(first), by=by, at=at, follow=follow)


def _reopen(request: Request, *, by: str, at: datetime, words: str = "", follow: Request | None = None) -> Request:
    # locked, so that the same is not asked anew right now
    Subject.objects.select_for_update(no_key=True, of=("self",)).filter(requests=request).first()
    guards.check_can_reopen(request)
    request.reopened_at, request.closed_at, request.refusal_ground = at, None, ""
    request.carried_out_at, request.carried_out_by, request.event_id = None, "", None
    request.due_override = follow.due_on if follow else None
    request.extended_at, request.extended_until, request.escalated_at = None, None, None
    request.due_on = _due_anew(request, at=at)
    request.status = Status.IN_PROGRESS
    request.save()
    # afterwards: the database refuses an open task in an answered request
    steps.plan_anew(request, at=at)
    details = {"due_on": request.due_on.isoformat(), "after": follow.reference if follow else ""}
    timeline.tell(request, "reopened", by=by, at=at, words=words, details=details)
    return request


def _due_anew(request: Request, *, at: datetime) -> date:
    """The rule's time from now on; not later than the day of the appeal that opened it."""
    anew = deadlines.compute(rulebook.thaw(request.terms), received=at, identity_confirmed=at).due
    return min(anew, request.due_override) if request.due_override else anew


def _set_clock(follow: Request, request: Request, days: Appeal, *, at: datetime) -> None:
    """The days to acknowledge and to decide, by the first request's rule; where that sets none, its time to answer."""
    rule = appeals.clock_of(rulebook.thaw(request.terms))
    follow.rule, follow.rulebook_digest, follow.terms = rule.scope, rule.rulebook_digest, rulebook.freeze(rule)
    plain = deadlines.compute(rule, received=at, identity_confirmed=at)
    follow.due_on, follow.acknowledge_by = days.due or plain.due, days.acknowledge_by


def _check_silence(request: Request, *, at: datetime) -> None:
    guards.check_can_appeal_silence(request)
    # refused where the law brings it to the authority
    appeals.compute(rulebook.thaw(request.terms), lodged=at)
    if legal_clock.is_unanswered(request, at=at):
        return
    opens = legal_clock.silence_from(request, at=at)
    raise Conflict(
        "appeal_not_yet",
        f"There is no answer to appeal against yet. If none comes, an appeal is possible from {opens}.",
    )


def _tell_of_silence(request: Request, follow: Request, *, by: str, at: datetime) -> None:
    """Who had it until now is kept: somebody else decides. The managers hear of both."""
    had = request.assigned_to_id
    details = {"reference": follow.reference, four_eyes.MISSED_BY: actors.staff(had) if had else ""}
    code = "silence_appealed" if follow.right == Right.APPEAL else "complained"
    timeline.tell(request, code, by=by, at=at, details=details)
    reminders.escalate(request=request, follow=follow, at=at)
