"""The deadline of one request, from its frozen rule and what happened to it. Only `set_at_receipt` changes anything."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, replace

from requests_app import appeals, counting, deadlines, rulebook
from requests_app import models as tables
from requests_app.appeals import Appeal
from requests_app.deadlines import Deadline, Extension, Pause
from requests_app.explanations import Step
from requests_app.models import Request
from requests_app.periods import Moment
from requests_app.rulebook import Rule, Wait
from requests_app.states import FOLLOW_UPS, Channel, Status

ANSWERS_AT_ONCE = frozenset({Channel.PAGES, Channel.API, Channel.AGENT, Channel.OPENDSR})
"""Doors that confirm receipt in the same moment and in the manner in which the request came (11 CCR § 7021(a))."""
_ON_THE_TIMELINE = "The reason is sealed on the timeline."


@dataclass(frozen=True, slots=True)
class Facts:
    """What happened to a request, as far as its clock goes."""

    received: Moment
    identity_confirmed: Moment | None = None
    pauses: tuple[Pause, ...] = ()
    extended: Moment | None = None
    extended_until: datetime.date | None = None
    due_override: datetime.date | None = None


def lawful(rule: Rule, facts: Facts, *, at: Moment | None = None) -> Deadline:
    """What the law says, whatever day staff chose. Raises DeadlineError for facts that cannot be so."""
    extension = None
    if facts.extended is not None:
        extension = Extension(facts.extended, _ON_THE_TIMELINE, until=facts.extended_until)
        # whatever stood still then stands still at least until then
        at = at or facts.extended
    return deadlines.compute(
        rule,
        received=facts.received,
        identity_confirmed=facts.identity_confirmed,
        pauses=facts.pauses,
        extension=extension,
        at=at,
    )


def reckon(rule: Rule, facts: Facts, *, at: Moment | None = None) -> Deadline:
    """The day that counts: the law's, or an earlier one that staff chose. Raises DeadlineError."""
    deadline = lawful(rule, facts, at=at)
    if facts.due_override is None or facts.due_override >= deadline.due:
        return deadline
    chosen = Step("set_by_staff", {"day": facts.due_override})
    return replace(deadline, due=facts.due_override, explanation=(*deadline.explanation, chosen))


def set_at_receipt(request: Request, *, is_proven: bool) -> None:
    """Fill in the rule, its terms and its days; where identity is yet to be shown, the clock may wait for that.

    Receipt is confirmed at once by the doors that answer at once; the others are acknowledged later.
    """
    freeze(request, _rule_at_receipt(request))
    rule = rulebook.thaw(request.terms)
    if is_proven:
        request.identity_confirmed_at = request.received_at
    if request.channel in ANSWERS_AT_ONCE:
        request.acknowledged_at = request.received_at
    pauses = () if is_proven else (Pause(Wait.IDENTITY, request.received_at),)
    deadline = reckon(rule, Facts(request.received_at, request.identity_confirmed_at, pauses))
    request.due_on, request.acknowledge_by = deadline.due, deadline.acknowledge_by


def end_of_due_day(request: Request) -> datetime.datetime:
    """The last second of the day by which it is due, where the law counts that day."""
    zone = rulebook.thaw(request.terms).zone
    return datetime.datetime.combine(request.due_on, datetime.time(23, 59, 59), tzinfo=zone)


def _rule_at_receipt(request: Request) -> Rule:
    """That of the day; of an appeal or a complaint that under which the first request was received."""
    if request.right in FOLLOW_UPS and request.about is not None:
        return appeals.clock_of(rulebook.thaw(request.about.terms))
    return rule_today(request)


def rule_today(request: Request) -> Rule:
    """What the rulebook says today of a request that was received on that day."""
    if request.right not in FOLLOW_UPS:
        return rulebook.rule_for(request.jurisdiction, request.right, on=request.received_at)
    first = request.about or request
    return appeals.clock_of(rulebook.rule_for(first.jurisdiction, first.right, on=first.received_at))


def freeze(request: Request, rule: Rule) -> None:
    """Put the whole rule on the request."""
    request.rule, request.rulebook_digest = rule.scope, rule.rulebook_digest
    request.terms = rulebook.freeze(rule)


def facts_of(request: Request, pauses: Iterable[tables.Pause] | None = None) -> Facts:
    """What is recorded of it; `pauses` where they were read already.

    A request that was opened again on appeal has its time anew from that day; what was before no longer counts.
    """
    begins = request.reopened_at or request.received_at
    waits = request.pauses.all() if pauses is None else pauses
    return Facts(
        received=begins,
        identity_confirmed=request.identity_confirmed_at,
        pauses=tuple(
            Pause(Wait(one.reason), one.began_at, one.ended_at)
            for one in waits
            if request.reopened_at is None or one.began_at >= begins
        ),
        extended=request.extended_at if request.extended_at and request.extended_at >= begins else None,
        extended_until=request.extended_until,
        due_override=request.due_override,
    )


def of(request: Request, *, at: Moment | None = None) -> Deadline:
    """The deadline under the frozen terms, with its arithmetic.

    `at` is the day of looking, up to which a wait that goes on has lasted; without it such a wait counts for nothing.
    """
    return reckon(rulebook.thaw(request.terms), facts_of(request), at=at)


def last_day(request: Request, *, at: datetime.datetime) -> datetime.date:
    """The day by which it must be answered; while it waits for somebody, as that day is now and not as last noted."""
    if request.is_closed or not request.pauses.filter(ended_at__isnull=True).exists():
        return request.due_on
    return max(request.due_on, of(request, at=at).due)


def silence_from(request: Request, *, at: datetime.datetime) -> datetime.date | None:
    """The first day on which the person may appeal to us because no answer came (Va. Code § 59.1-577(C) and the like:
    not to act in time is to refuse to act).

    None where the law brings no appeal to us, it was answered, or nobody could appeal: of what follows an answer
    itself, of what is answered with an earlier request, and while it is not shown who asks.
    """
    rule = rulebook.thaw(request.terms)
    stands_alone = request.right not in FOLLOW_UPS and request.duplicate_of_id is None
    is_known = request.subject_id is not None and request.status != Status.VERIFYING
    if not (appeals.are_ours(rule) and stands_alone and is_known) or request.is_closed:
        return None
    return last_day(request, at=at) + datetime.timedelta(days=1)


def is_unanswered(request: Request, *, at: datetime.datetime) -> bool:
    """Whether the time to answer somebody who is known is over, and no answer came."""
    is_known = request.subject_id is not None and request.status != Status.VERIFYING
    today = counting.day_of(rulebook.thaw(request.terms), at)
    return is_known and not request.is_closed and today > last_day(request, at=at)


def arithmetic(request: Request, *, at: Moment | None = None) -> list[str]:
    """How the due date came about, step by step, in the reader's language."""
    return [str(step) for step in of(request, at=at).explanation]


def onward(request: Request, *, at: datetime.datetime, is_lodged: bool = False) -> Appeal:
    """Who hears an appeal against its answer and until when; `is_lodged`: with the days of one that is lodged now.

    The time to lodge runs from the answer or, where silence refuses and none came, from the day that was missed.
    Raises DeadlineError(`appeal_elsewhere` | `appeal_too_late`) for one that could not be lodged.
    """
    rule = rulebook.thaw(request.terms)
    answered: Moment | None = request.closed_at
    if answered is None and rule.silence_is_refusal and is_unanswered(request, at=at):
        answered = last_day(request, at=at)
    return appeals.compute(rule, answered=answered, lodged=at if is_lodged else None)
