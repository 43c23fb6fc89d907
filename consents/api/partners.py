"""The partner behind a call, and what its registration lets it see."""

import time
from typing import Any

from rest_framework.request import Request

from consents import jurisdictions, purposes, subjects
from consents.models import Partner, Subject
from consents.subjects import Name
from portal import api_tokens
from portal.errors import DomainError, Forbidden, NotFound
from portal.memory import ShortMemory

_known: ShortMemory[int, Partner] = ShortMemory(seconds=api_tokens.KEPT)
"""Registrations by client, remembered as long as its tokens are."""


class PartnerError(Forbidden):
    """A call beyond the partner's registration."""


def of(request: Request) -> Partner:
    """The calling partner.

    Raises PartnerError when the client belongs to none (`client_without_partner`), and when its registration lacks
    the call's scope by now (`scope_not_yours`): a token outlives a change of the registration.
    """
    token: Any = request.auth
    application = token.application_id
    partner = _known.recall(
        application, lambda: Partner.objects.filter(application_id=application).first(), now=time.monotonic()
    )
    if partner is None:
        raise PartnerError(
            "client_without_partner", "This client is not registered as a partner; ask the privacy team."
        )
    wanted = request.parser_context["view"].required_scope
    if wanted not in partner.scopes:
        raise PartnerError("scope_not_yours", f"Your registration has no longer the scope {wanted}.")
    return partner


def sees(partner: Partner, subject: Subject) -> bool:
    return jurisdictions.any_covers(partner.jurisdictions, subject.jurisdiction)


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
    return _theirs(partner, subjects.find(check_scheme(partner, wanted)))


def get_locked(partner: Partner, wanted: Name) -> Subject:
    """`get_subject`, and the row is locked until the transaction ends."""
    return _theirs(partner, subjects.find_locked(check_scheme(partner, wanted)))


def forget() -> None:
    """Look again for every registration, in this process."""
    _known.clear()


def _theirs(partner: Partner, subject: Subject | None) -> Subject:
    if subject is None or not sees(partner, subject):
        raise NotFound("unknown_subject", "Nobody is registered by this identifier.", field="subject")
    return subject


def named(partner: Partner, text: str) -> Name:
    """Whom a URL names as scheme:value. Raises PartnerError, DomainError (`subject_malformed`, `address_in_url`)."""
    scheme, colon, value = text.partition(":")
    if not colon:
        raise DomainError("subject_malformed", "Write the subject as scheme:value.", field="subject")
    wanted = subjects.name(scheme, value)
    if wanted.is_contact:
        raise DomainError(
            "address_in_url",
            "Addresses do not belong in a URL, where logs keep them; name an account.",
            field="subject",
        )
    return check_scheme(partner, wanted)


def whom(partner: Partner, text: str, jurisdiction: str | None) -> tuple[Subject | None, str | None]:
    """The person that a URL names, and the jurisdiction whose default may answer where there is none.

    Raises what `named` raises.
    """
    wanted = named(partner, text)
    subject = subjects.find(wanted)
    hidden = subjects.was_erased(wanted) if subject is None else not sees(partner, subject)
    # no default speaks for somebody whom the name means elsewhere, or meant until they were erased
    return (None, None) if hidden else (subject, jurisdiction)


def check_recipient(partner: Partner, recipient: str) -> str:
    """The recipient, if the partner speaks for it. Raises PartnerError, NotFound."""
    purposes.check_recipient(recipient)
    if recipient not in partner.recipients:
        spoken = ", ".join(repr(one) for one in partner.recipients) or "none"
        raise PartnerError("recipient_not_yours", f"You speak for the recipients: {spoken}.", field="recipient")
    return recipient
