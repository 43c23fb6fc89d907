"""Restriction (GDPR Art. 18): the data may be kept, and nothing else, while it lasts.

The request is answered once the restriction is in effect everywhere. It lasts until staff lift it, which is a step of
its own: the person is told before (Art. 18(3)).
"""

import uuid
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from consents import ledger
from consents.models import Preference
from consents.vocabulary import EVERY, Action, Slot, Source
from portal.errors import Conflict
from requests_app import letters, timeline
from requests_app.models import Request, TimelineEntry
from requests_app.rights import base
from requests_app.states import ANSWERED, Right

TOLD_BEFORE = timedelta(days=7)
"""How long before the lifting the person is told, by the house's rule: time to say that they still need it."""
TOLD, LIFTED = "lifting_told", "restriction_lifted"

scope, details = base.some_purposes, base.no_details
# it lasts until it is lifted
is_settled, finish = base.has_its_place, base.nothing_last


def carry_out(*, request: Request, by: str, at: datetime) -> uuid.UUID | None:
    """Restrict: decisions deny from now on."""
    return base.say(request, Action.RESTRICT, _purposes(request), by=by, at=at)


def plan(request: Request) -> list[base.Planned]:
    """That the datasets follow: rows leave what feeds training, and stay where they came from."""
    wanted = request.scope.get("purposes")
    return base.leaving("stop", base.serving(wanted) if wanted else base.living())


def lasts(request: Request) -> bool:
    """Whether decisions deny because of this request now."""
    if request.subject_id is None or request.carried_out_at is None:
        return False
    restricted = Preference.objects.filter(
        subject_id=request.subject_id, slot=Slot.RESTRICTION, action=Action.RESTRICT, purpose__in=_purposes(request)
    )
    return restricted.filter(recipient=EVERY, category=EVERY).exists()


def check_can_tell_of_lifting(request: Request) -> None:
    """Raise Conflict unless it was answered, is in force, and the person was not told yet."""
    _check_in_force(request)
    if _told_at(request) is not None:
        raise Conflict("told_already", "The person was told already.")


def check_can_lift(request: Request) -> None:
    """Raise Conflict unless it was answered, is in force, the person was told, and nothing else restricts the same."""
    _check_in_force(request)
    if _told_at(request) is None:
        raise Conflict("not_told", "Tell the person first; the restriction is lifted after that.")
    _check_no_other(request)


@transaction.atomic
def tell_of_lifting(*, request: Request, by: str, at: datetime) -> None:
    """Tell the person that the restriction will be lifted, TOLD_BEFORE from now at the earliest (GDPR Art. 18(3)).

    Raises Conflict(`not_a_restriction` | `not_in_force` | `told_already`).
    """
    request = _locked(request)
    check_can_tell_of_lifting(request)
    letters.write(request=request, code="restriction_lifted", at=at)
    timeline.tell(request, TOLD, by=by, at=at, details={"from": (at + TOLD_BEFORE).date().isoformat()})


@transaction.atomic
def lift(*, request: Request, by: str, at: datetime) -> None:
    """Lift what this request restricted; what the person chose decides again.

    Raises Conflict(`not_a_restriction` | `not_in_force` | `not_told` | `told_lately` | `being_erased` |
    `restricted_by_another`).
    """
    request = _locked(request)
    check_can_lift(request)
    told = [_told_at(one) for one in (request, *_others(request))]
    if any(one is not None and at < one + TOLD_BEFORE for one in told):
        raise Conflict("told_lately", f"The person was told less than {TOLD_BEFORE.days} days ago.")
    origin = ledger.Origin(source=Source.STAFF, by=by)
    for slug in _purposes(request):
        scope = ledger.Scope(slug)
        ledger.record(subject=base.person(request), scope=scope, action=Action.UNRESTRICT, origin=origin, at=at)
    timeline.tell(request, LIFTED, by=by, at=at)


def _locked(request: Request) -> Request:
    return Request.objects.select_for_update(no_key=True, of=("self",)).select_related("subject").get(pk=request.pk)


def _check_in_force(request: Request) -> None:
    if request.right != Right.RESTRICTION or request.status not in ANSWERED:
        raise Conflict("not_a_restriction", "Only a restriction that was answered is lifted.")
    if not lasts(request) or _is_lifted(request):
        raise Conflict("not_in_force", "This restriction is no longer in force.")


def _told_at(request: Request) -> datetime | None:
    return _since(request).filter(code=TOLD).order_by("-at").values_list("at", flat=True).first()


def _is_lifted(request: Request) -> bool:
    return _since(request).filter(code=LIFTED).exists()


def _since(request: Request) -> "QuerySet[TimelineEntry]":
    """What was told since it was carried out: one that was opened again was told of, and lifted, before that too."""
    return request.timeline.filter(at__gte=request.carried_out_at)


def _check_no_other(request: Request) -> None:
    """What another request restricted in the same scope stays, until the person was told of that one as well."""
    others = Request.objects.open().filter(subject=request.subject_id, carried_out_at__isnull=False)
    if others.filter(right=Right.ERASURE).exists():
        raise Conflict("being_erased", "This person is being erased; nothing of theirs is used again.")
    if any(_told_at(one) is None for one in _others(request)):
        raise Conflict(
            "restricted_by_another", "Another request restricts the same; tell the person that it is lifted too."
        )


def _others(request: Request) -> list[Request]:
    """Other requests that restrict a part of the same."""
    mine = set(_purposes(request))
    rows = Request.objects.filter(subject=request.subject_id, right=Right.RESTRICTION, carried_out_at__isnull=False)
    return [one for one in rows.exclude(pk=request.pk) if mine & set(_purposes(one)) and not _is_lifted(one)]


def _purposes(request: Request) -> list[str]:
    return list(request.scope.get("purposes", [EVERY]))
