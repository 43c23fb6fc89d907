"""Restriction (GDPR Art. 18): the data may be kept, and nothing else, while it lasts."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from consents.vocabulary import EVERY, Action
from requests_app.models import Request
from requests_app.rights import base


def scope(said: Mapping[str, Any]) -> dict[str, Any]:
    """Some purposes, or all of them."""
    return base.purposes_scope(said) if said else {}


def details(said: Mapping[str, Any]) -> dict[str, Any]:
    """Nothing more is needed."""
    return base.no_details(said)


def carry_out(*, request: Request, by: str, at: datetime) -> uuid.UUID | None:
    """Restrict: decisions deny from now on."""
    return base.say(request, Action.RESTRICT, request.scope.get("purposes", [EVERY]), by=by, at=at)


def plan(request: Request) -> list[base.Planned]:
    """Nothing but that the datasets follow."""
    return []


def is_settled(request: Request) -> bool:
    """Whether every dataset is verified beyond the restriction."""
    return base.has_arrived(request)


def finish(*, request: Request, by: str, at: datetime) -> None:
    """Nothing: it lasts until it is lifted."""
