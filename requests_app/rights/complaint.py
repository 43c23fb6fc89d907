"""Complaint to the controller (UK Data Protection Act 2018 s.164A and the like)."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from requests_app.models import Request
from requests_app.rights import base
from requests_app.states import TaskKind

INSTRUCTIONS = (
    "Find out whether the complaint is right, and say what you found. Close it if it is: what it is "
    "about opens again. Refuse it if not."
)


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
    """Somebody who had no part in the answer looks."""
    return [base.Planned("review", TaskKind.MANUAL, instructions=INSTRUCTIONS)]


def is_settled(request: Request) -> bool:
    """Nothing arrives anywhere by itself."""
    return True


def finish(*, request: Request, by: str, at: datetime) -> None:
    """Nothing more."""
