"""The partner behind a call, and what its registration lets it see."""

from typing import Any

from rest_framework.request import Request

from consents import jurisdictions, purposes, subjects
from consents.models import Partner, Subject
from consents.subjects import Name
from portal.errors import Forbidden, NotFound


class PartnerError(Forbidden):
    """A call beyond the partner's registration."""


def of(request: Request) -> Partner:
    """The calling partner. Raises PartnerError when the client belongs to none."""
    token: Any = request.auth
    partner = Partner.objects.filter(application_id=token.application_id).first()
    if partner is None:
        raise PartnerError(
            "client_without_partner", "This client is not registered as a partner; ask the privacy team."
        )
    return partner


def sees(partner: Partner, subject: Subject) -> bool:
    return not partner.jurisdictions or any(
        jurisdictions.covers(one, subject.jurisdiction) for one in partner.jurisdictions
    )


def check_scheme(partner: Partner, wanted: Name) -> Name:
    """The name, if the partner may name people so. Raises PartnerError."""
    check_scheme_name(partner, wanted.scheme, field="subject")
    return wanted


def check_scheme_name(partner: Partner, scheme: str, *, field: str = "scheme") -> str:
    """The scheme, if the partner may name people by it. Raises PartnerError."""
    if scheme not in partner.schemes:
        raise PartnerError(
            "scheme_not_yours",
            f"You may name people by: {', '.join(partner.schemes) or 'nothing'}.",
            field=field,
        )
    return scheme


def get_subject(partner: Partner, wanted: Name) -> Subject:
    """The person; somebody else's is as unknown as nobody. Raises NotFound, PartnerError."""
    subject = subjects.find(check_scheme(partner, wanted))
    if subject is None or not sees(partner, subject):
        raise NotFound("unknown_subject", "Nobody is registered by this identifier.", field="subject")
    return subject


def check_recipient(partner: Partner, recipient: str) -> str:
    """The recipient, if the partner speaks for it. Raises PartnerError, NotFound."""
    purposes.check_recipient(recipient)
    if recipient not in partner.recipients:
        spoken = ", ".join(repr(one) for one in partner.recipients) or "none"
        raise PartnerError("recipient_not_yours", f"You speak for the recipients: {spoken}.", field="recipient")
    return recipient
