"""Copies that somebody asked for and does not have yet, and erasures that wait for that.

Whoever is erased loses their sign-in and their key, and with both every answer that lies ready for them. So an erasure
goes through every place at once, but is not closed while an answer of the same person lies there, or has yet to be
given. It never waits longer than the answer is kept, nor beyond its own day: then it is closed, and the answer goes
with everything else.
"""

import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, Min, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Concat

from portal import actors
from portal.errors import Conflict
from requests_app import counting, rulebook
from requests_app.models import Package, PackageDownload, Request
from requests_app.packages import releasing
from requests_app.states import PackageStatus, Right, Status

SETTLES = timedelta(days=1)
"""How long after the first download an erasure still waits: a large file may break off, and is fetched again."""
COPIES = frozenset({Right.ACCESS, Right.PORTABILITY})
"""What is answered with the person's data, of which nothing is left once they are erased."""
_WITHOUT_ANSWER = (Status.WITHDRAWN, Status.EXPIRED, Status.REFUSED)


@dataclass(frozen=True)
class Wait:
    """What an erasure waits for. It ends on the day `ends_on` at the latest, whatever the person does."""

    packages: tuple[Package, ...]
    ends_on: date
    is_fetched: bool
    """Whether all of it was fetched, and is kept for a day in case that broke off."""


def wait_of(erasure: Request, *, at: datetime) -> Wait | None:
    """What this open erasure waits for, whether it was carried out yet or not; None where nothing keeps it."""
    if erasure.right != Right.ERASURE or erasure.is_closed or erasure.subject_id is None:
        return None
    rule = rulebook.thaw(erasure.terms)
    if days_left(erasure, at=at) <= 0:
        return None
    found: dict[Any, datetime] = {one: _lies_until(one) for one in _lying(erasure.subject_id, at)}
    found = {one: end for one, end in found.items() if end > at}
    if not found:
        return None
    ends_on = min(counting.day_of(rule, max(found.values())), erasure.due_on)
    return Wait(tuple(found), ends_on, is_fetched=all(one.fetched_at is not None for one in found))


def unanswered_of(erasure: Request) -> "QuerySet[Request]":
    """The open requests for a copy of the same person, what is due first before the others."""
    return _owed(erasure.subject_id).order_by("due_on", "pk")


def is_gathered(copy: Request, *, at: datetime) -> bool:
    """Whether its answer is built and could be handed out as it is, whatever becomes of the data now."""
    built = copy.packages.exclude(status=PackageStatus.DELETED).select_related("request")
    return any(releasing.can_download(one, at=at) or releasing.can_release(one) for one in built)


def check_can_close(erasure: Request, *, at: datetime) -> None:
    """Raise Conflict(`answer_not_fetched` | `answer_first`) while a copy of the same person lies there or is owed.

    Holds them all still: the caller has locked the person and what else they ask. Nobody releases, fetches or deletes
    an answer of theirs until its transaction ends.
    """
    theirs = Package.objects.filter(request__subject=erasure.subject_id, deleted_at__isnull=True)
    # locked first, then looked at: what was released a moment ago counts
    list(theirs.select_for_update(of=("self",)).order_by("pk").values_list("pk"))
    if days_left(erasure, at=at) <= 0:
        return
    owed = ", ".join(one.reference for one in unanswered_of(erasure))
    if owed:
        raise Conflict(
            "answer_first",
            f"They asked to see their data too and have no answer yet: {owed}. This closes by itself once they have "
            f"it, and on {erasure.due_on.isoformat()} at the latest.",
        )
    wait = wait_of(erasure, at=at)
    if wait is not None:
        raise Conflict(
            "answer_not_fetched",
            "A copy of their data lies ready for this person, who has not fetched it yet. This closes by itself once "
            f"they have it, or say that they need it no longer, and on {wait.ends_on.isoformat()} at the latest.",
        )


def days_left(erasure: Request, *, at: datetime) -> int:
    """Until its own day where the person lives: on that day, and after it, nothing keeps it any longer."""
    return (erasure.due_on - counting.day_of(rulebook.thaw(erasure.terms), at)).days


def waiting_erasures(*, at: datetime) -> "QuerySet[Request]":
    """Erasures that cannot be closed yet because of that, and perhaps a few less: whose day is here or near is not
    among them, since a day begins at another hour in each place."""
    own = _by_whose_it_is(actor="actor", partner="package__request__partner")
    fetched = PackageDownload.objects.filter(own, package=OuterRef("pk"), at__lte=at - SETTLES)
    lying = _ready(at).filter(~Exists(fetched), request__subject=OuterRef("subject"))
    owed = _owed(OuterRef("subject"))
    surely = at.date() + timedelta(days=1)
    return Request.objects.open().filter(Exists(lying) | Exists(owed), right=Right.ERASURE, due_on__gt=surely)


def erasure_of(request: Request, *, at: datetime) -> tuple[Request, Wait | None] | None:
    """The open erasure of the same person, with what it waits for; a None there is that it may be closed any time."""
    erasures = Request.objects.open().proven().filter(subject=request.subject_id, right=Right.ERASURE)
    first = erasures.filter(duplicate_of__isnull=True).first()
    return None if first is None else (first, wait_of(first, at=at))


@transaction.atomic
def let_go(*, request: Request, by: str, at: datetime) -> int:
    """The person has what they need: delete what lies ready of this request, or all that this erasure waits for.

    Answers how many were deleted. Raises Conflict(`nothing_ready`).
    """
    wait = wait_of(request, at=at)
    mine = wait.packages if wait is not None else _ready(at).filter(request=request)
    gone = sum(releasing.let_go(package=one, by=by, at=at) for one in mine)
    if not gone:
        raise Conflict("nothing_ready", "Nothing lies ready to be deleted; look at it again.")
    return gone


def _owed(subject: Any) -> "QuerySet[Request]":
    """The open requests for a copy of this person, who may be one of a statement's outer rows."""
    return Request.objects.open().proven().filter(subject=subject, right__in=sorted(COPIES))


def _ready(at: datetime) -> "QuerySet[Package]":
    lying = Q(status=PackageStatus.READY, expires_at__gt=at)
    return Package.objects.filter(lying).exclude(request__status__in=_WITHOUT_ANSWER)


def _lying(subject_id: uuid.UUID, at: datetime) -> list[Any]:
    """The person's, each with the time of its first download."""
    rows = _ready(at).filter(request__subject=subject_id).select_related("request")
    own = _by_whose_it_is(actor="downloads__actor", partner="request__partner")
    return list(rows.annotate(fetched_at=Min("downloads__at", filter=own)).order_by("pk"))


def _by_whose_it_is(*, actor: str, partner: str) -> Q:
    """Downloads by the person, or by who asked for this very answer.

    A controller may fetch the answer of the person's own request, where it asked the same; with that they have nothing.
    """
    own = Q(**{actor: Concat(Value(actors.partner("")), F(partner))})
    return ~Q(**{f"{actor}__startswith": actors.partner("")}) | own


def _lies_until(package: Any) -> datetime:
    end: datetime = package.expires_at
    return end if package.fetched_at is None else min(end, package.fetched_at + SETTLES)
