"""Bringing today's rulebook to requests that run already: by somebody's decision alone, never by itself.

A request keeps the rule that it was received under. Where that rule was written down wrongly, this puts what the
rulebook says today of the day of receipt in its place, and never to the person's disadvantage without a reason.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from django.db import transaction

from requests_app import appeals, rulebook, timeline
from requests_app.deadlines import Deadline, DeadlineError
from requests_app.legal_clock import moving, reckoning
from requests_app.models import Request
from requests_app.rulebook import Rule


class Outcome(StrEnum):
    """What adopting does to one request."""

    SAME = "same"
    """Its rule says today what it said at receipt."""
    ADOPTED = "adopted"
    WORSE = "worse"
    """Left, because the person would wait longer or lose a way to appeal."""
    UNLAWFUL = "unlawful"
    """Left, because what happened to it cannot be so under the new rule, such as an extension."""
    CLOSED = "closed"


@dataclass(frozen=True)
class Adoption:
    """One request before and after; the two days are the same where nothing changes."""

    reference: str
    outcome: Outcome
    before: date
    after: date
    old_digest: str
    new_digest: str


def preview_adoption(*, requests: Iterable[Request], at: datetime, forced: bool = False) -> Iterator[Adoption]:
    """What adopting would do to each, without doing it."""
    for request in requests:
        yield _weigh(request, reckoning.rule_today(request), at=at, forced=forced)


def adopt_rulebook(*, requests: Iterable[Request], by: str, at: datetime, forced_because: str = "") -> list[Adoption]:
    """Put today's rule on each open request, each in a transaction of its own with its entry on the timeline.

    `forced_because` also moves those whom the new rule serves worse, and is kept, sealed, as the reason.
    """
    return [_adopt(request, by=by, at=at, forced_because=forced_because) for request in requests]


@transaction.atomic
def _adopt(request: Request, *, by: str, at: datetime, forced_because: str) -> Adoption:
    locked = Request.objects.select_for_update(no_key=True, of=("self",)).select_related("subject").get(pk=request.pk)
    rule = reckoning.rule_today(locked)
    found = _weigh(locked, rule, at=at, forced=bool(forced_because.strip()))
    if found.outcome is not Outcome.ADOPTED:
        return found
    old_book = locked.rulebook_digest
    reckoning.freeze(locked, rule)
    locked.save(update_fields=["rule", "rulebook_digest", "terms"])
    details = {"old_rule": found.old_digest, "new_rule": found.new_digest}
    details |= {"old_rulebook": old_book, "new_rulebook": rule.rulebook_digest}
    details |= {"from": found.before.isoformat(), "to": found.after.isoformat()}
    timeline.tell(locked, "rulebook_adopted", by=by, at=at, details=details, words=forced_because)
    moving.apply(request=locked, at=at, because="rulebook", by=by)
    return found


def _weigh(request: Request, new: Rule, *, at: datetime, forced: bool) -> Adoption:
    old = rulebook.thaw(request.terms)
    if request.is_closed or new.digest == old.digest:
        outcome = Outcome.CLOSED if request.is_closed else Outcome.SAME
        return Adoption(request.reference, outcome, request.due_on, request.due_on, old.digest, new.digest)
    facts = reckoning.facts_of(request)
    before = reckoning.reckon(old, facts, at=at)
    try:
        after = reckoning.reckon(new, facts, at=at)
    except DeadlineError:
        return Adoption(request.reference, Outcome.UNLAWFUL, before.due, before.due, old.digest, new.digest)
    outcome = Outcome.WORSE if _is_worse(before, after) and not forced else Outcome.ADOPTED
    return Adoption(request.reference, outcome, before.due, after.due, old.digest, new.digest)


def _is_worse(before: Deadline, after: Deadline) -> bool:
    """Whether the person is answered or told of receipt later, may be kept waiting longer, or loses an appeal."""
    later_answer = after.due > before.due or _longest(after) > _longest(before)
    never = date.max
    later_word = (after.acknowledge_by or never) > (before.acknowledge_by or never)
    return later_answer or later_word or (appeals.are_ours(before.rule) and not appeals.are_ours(after.rule))


def _longest(deadline: Deadline) -> date:
    """The last day that an extension can lead to; no limit where the law sets none."""
    if deadline.extend_by is None:
        return deadline.due
    return deadline.latest or date.max
