"""What of requests a partner sees: those that it sent."""

from consents.models import Partner
from portal import references
from portal.errors import Forbidden, NotFound
from requests_app.models import Request, RequestQuerySet

VOUCH = "requests:vouch"


def by(partner: Partner) -> RequestQuerySet:
    return Request.objects.filter(partner=partner.slug)


def one(partner: Partner, reference: str) -> Request:
    """One of its own; somebody else's is as unknown as none. Raises NotFound(`unknown_reference`)."""
    found = by(partner).select_related("subject").filter(pk=references.decode("Q", reference)).first()
    if found is None:
        raise NotFound("unknown_reference", "You have sent no such request.")
    return found


def check_vouches(partner: Partner) -> None:
    """What we answer a person goes out through those alone who verify whom they hand it to. Raises Forbidden."""
    if VOUCH not in partner.scopes:
        raise Forbidden(
            "not_vouching",
            f"Your registration lacks {VOUCH}: the person reads this on our pages.",
        )
