"""Appeal against an answer (Va. Code § 59.1-577(C) and the like)."""

from requests_app.models import Request
from requests_app.rights import base
from requests_app.states import TaskKind

INSTRUCTIONS = (
    "Look at the answer again, and say what you found. Close it if the person is right: the request "
    "opens again. Refuse it if the answer stands."
)

scope, details = base.no_scope, base.no_details
carry_out, is_settled, finish = base.changes_nothing, base.tasks_are_all, base.nothing_last


def plan(request: Request) -> list[base.Planned]:
    """Somebody who had no part in the answer looks."""
    return [base.Planned("review", TaskKind.MANUAL, instructions=INSTRUCTIONS)]
