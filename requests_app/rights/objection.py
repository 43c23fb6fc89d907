"""Objection (GDPR Art. 21): to AI training in particular. It counts at once, and from before training where it can."""

import uuid
from datetime import datetime

from consents.vocabulary import Action
from requests_app.models import Request
from requests_app.rights import base

# no reason has to be given
scope, details = base.purposes_scope, base.no_details
plan, is_settled, finish = base.follow_purposes, base.has_its_place, base.nothing_last


def carry_out(*, request: Request, by: str, at: datetime) -> uuid.UUID | None:
    """Object, for each purpose."""
    return base.say(request, Action.OBJECT, request.scope["purposes"], by=by, at=at)
