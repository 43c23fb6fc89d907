"""Partners that hold a dataset and fetch what they have to remove: `pull`, and `webhook`, who are told when there is.

The place is named as `partner/name`: the partner's registration and what it calls its copy. Everything else goes
through the API: the keys with `GET /api/v1/propagations/{id}/keys`, the answer with `POST …/ack`.
"""

import re
from collections.abc import Mapping
from typing import Any

from consents.models import Partner
from downstream.holders.base import ConnectorError, Description, Place
from downstream.models import WebhookSubscription

EVENT = "propagation.planned"
SCOPES = ("propagations:read", "propagations:ack")
_PLACE = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}(/[A-Za-z0-9._-]{1,100})?")


class PartnerHolder:
    """One partner's copy."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.name = partner_of(place.location)

    def describe(self) -> Description:
        if self.place.options:
            raise _wrong("unknown_option", f"A dataset of kind {self.place.kind} takes no options.")
        partner = Partner.objects.filter(slug=self.name).first()
        if partner is None:
            raise _wrong("unknown_partner", f"No partner is registered as {self.name}.")
        self._check(partner)
        if self.place.kind == "webhook" and not self._is_subscribed():
            raise _wrong(
                "no_webhook",
                f"{self.name} has no working webhook for {EVENT}: it subscribes with POST /api/v1/webhooks, or "
                "register the dataset with --kind pull.",
            )
        return Description(format=f"held by {self.name}", files=0, rows=0, size=0, schema="")

    def _check(self, partner: Partner) -> None:
        if self.place.owner not in partner.recipients:
            raise _wrong("partner_not_of_owner", f"{self.name} does not speak for the owner {self.place.owner}.")
        if self.place.key_scheme not in partner.schemes:
            raise _wrong("scheme_not_theirs", f"{self.name} may not name people by {self.place.key_scheme}.")
        if partner.jurisdictions:
            raise _wrong(
                "partner_sees_some", f"{self.name} may see people of some countries only, so it could not be told all."
            )
        missing = [one for one in SCOPES if one not in partner.scopes]
        if missing:
            raise _wrong("scope_missing", f"{self.name} needs the scopes {' and '.join(missing)}.")

    def _is_subscribed(self) -> bool:
        active = WebhookSubscription.objects.active()
        return active.filter(partner_id=self.name, events__contains=[EVENT]).exists()


def connect(place: Place) -> PartnerHolder:
    return PartnerHolder(place)


def partner_of(location: str) -> str:
    """The slug of the partner that a place names."""
    return location.partition("/")[0]


def resolve(location: str, options: Mapping[str, Any]) -> str:
    """The place as it was named. Raises ConnectorError(`invalid_location`)."""
    if not _PLACE.fullmatch(location):
        raise _wrong("invalid_location", "Name the place as partner/name: northlight/posts.")
    return location


def _wrong(code: str, message: str) -> ConnectorError:
    return ConnectorError(code, message, permanent=True)
