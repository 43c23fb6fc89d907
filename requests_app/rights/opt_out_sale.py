"""Opt-out of sale and sharing (Cal. Civ. Code § 1798.120)."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from consents.vocabulary import Action
from requests_app.models import Request
from requests_app.rights import base


def scope(said: Mapping[str, Any]) -> dict[str, Any]:
    """The purposes for which data is sold or shared."""
    return base.purposes_scope(said)


def details(said: Mapping[str, Any]) -> dict[str, Any]:
    """Nothing more is needed: no reason has to be given."""
    return base.no_details(said)


def carry_out(*, request: Request, by: str, at: datetime) -> uuid.UUID | None:
    """Say no, for each purpose."""
    return base.say(request, Action.DENY, request.scope["purposes"], by=by, at=at)


def plan(request: Request) -> list[base.Planned]:
    """Nothing but that the datasets follow."""
    return []


def is_settled(request: Request) -> bool:
    """Whether every dataset is verified beyond the opt-out."""
    return base.has_arrived(request)


def finish(*, request: Request, by: str, at: datetime) -> None:
    """Nothing: what was said stands."""
