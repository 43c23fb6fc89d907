"""Access (GDPR Art. 15): everything that is kept of a person, and what is done with it."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from requests_app.models import Request
from requests_app.rights import base
from requests_app.states import TaskKind


def scope(said: Mapping[str, Any]) -> dict[str, Any]:
    """All of it."""
    return base.no_scope(said)


def details(said: Mapping[str, Any]) -> dict[str, Any]:
    """Nothing more is needed."""
    return base.no_details(said)


def carry_out(*, request: Request, by: str, at: datetime) -> uuid.UUID | None:
    """Nothing changes in the ledger."""
    return None


def plan(request: Request) -> list[base.Planned]:
    """A package is made; staff look through it and release it."""
    return [base.Planned("collect", TaskKind.AUTOMATIC)]


def is_settled(request: Request) -> bool:
    """The package's release settles its task; nothing else is waited for."""
    return True


def finish(*, request: Request, by: str, at: datetime) -> None:
    """Nothing more: the package expires by itself."""
