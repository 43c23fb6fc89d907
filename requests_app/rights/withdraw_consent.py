"""Withdrawing consent (GDPR Art. 7(3)): as easy as giving it was."""

import uuid
from datetime import datetime

from consents.vocabulary import Action
from requests_app.models import Request
from requests_app.rights import base

# no reason has to be given
scope, details = base.purposes_scope, base.no_details
plan, is_settled, finish = base.follow_purposes, base.has_its_place, base.nothing_last


def carry_out(*, request: Request, by: str, at: datetime) -> uuid.UUID | None:
    """Withdraw, for each purpose."""
    return base.say(request, Action.WITHDRAW, request.scope["purposes"], by=by, at=at)
