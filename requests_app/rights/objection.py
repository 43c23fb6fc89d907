"""Objection (GDPR Art. 21): to AI training in particular. It counts at once, and from before training where it can."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from consents.vocabulary import Action
from requests_app.models import Request
from requests_app.rights import base


def scope(said: Mapping[str, Any]) -> dict[str, Any]:
    """The purposes objected to."""
    return base.purposes_scope(said)


def details(said: Mapping[str, Any]) -> dict[str, Any]:
    """Nothing more is needed: no reason has to be given."""
    return base.no_details(said)


def carry_out(*, request: Request, by: str, at: datetime) -> uuid.UUID | None:
    """Object, for each purpose."""
    return base.say(request, Action.OBJECT, request.scope["purposes"], by=by, at=at)


def plan(request: Request) -> list[base.Planned]:
    """That every dataset of these purposes follows; files that come in later are looked through for everybody."""
    return base.leaving("stop", base.serving(request.scope["purposes"]))


def is_settled(request: Request) -> bool:
    """Whether the objection stands in the log."""
    return base.has_its_place(request)


def finish(*, request: Request, by: str, at: datetime) -> None:
    """Nothing: what was said stands, also for data that comes later."""
