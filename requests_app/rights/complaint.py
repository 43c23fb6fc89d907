"""Complaint to the controller (UK Data Protection Act 2018 s.164A and the like)."""

from requests_app.models import Request
from requests_app.rights import base
from requests_app.states import TaskKind

INSTRUCTIONS = (
    "Find out whether the complaint is right, and say what you found. Close it if it is: what it is "
    "about opens again. Refuse it if not."
)

scope, details = base.no_scope, base.no_details
carry_out, is_settled, finish = base.changes_nothing, base.tasks_are_all, base.nothing_last


def plan(request: Request) -> list[base.Planned]:
    """Somebody who had no part in the answer looks."""
    return [base.Planned("review", TaskKind.MANUAL, instructions=INSTRUCTIONS)]
