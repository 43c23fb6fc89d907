"""What of requests a partner sees: those that it sent."""

from typing import Any

from rest_framework.request import Request as Call

from consents.api import partners
from consents.models import Partner
from portal import references
from portal.errors import Forbidden, NotFound
from requests_app import states
from requests_app.models import Request, RequestQuerySet

VOUCH = states.VOUCH


def by(partner: Partner) -> RequestQuerySet:
    return Request.objects.filter(partner=partner.slug)


def one(partner: Partner, reference: str) -> Request:
    """One of its own; somebody else's is as unknown as none. Raises NotFound(`unknown_reference`)."""
    found = by(partner).select_related("subject").filter(pk=references.decode("Q", reference)).first()
    if found is None:
        raise NotFound("unknown_reference", "You have sent no such request.")
    return found


def vouches(call: Call, partner: Partner) -> bool:
    """Whether both the registration as it is now and this token say that the partner verifies who it deals with."""
    token: Any = call.auth
    return VOUCH in partner.scopes and bool(token.allow_scopes([VOUCH]))


def sees(partner: Partner, request: Request) -> bool:
    """Whether whose request it turned out to be is somebody whom the registration covers."""
    return request.subject is None or partners.sees(partner, request.subject)


def check_may_read(call: Call, partner: Partner, request: Request) -> None:
    """What we answer a person goes out through those alone who verify whom they hand it to.

    Raises Forbidden(`not_vouching` | `subject_not_yours`).
    """
    if not sees(partner, request):
        raise Forbidden("subject_not_yours", "This person lives elsewhere: they read this on our pages.")
    if not vouches(call, partner):
        raise Forbidden(
            "not_vouching", f"Your registration or token lacks {VOUCH}: the person reads this on our pages."
        )
