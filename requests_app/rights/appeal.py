"""Appeal against an answer, or because none came in time (Va. Code § 59.1-577(C) and the like)."""

from requests_app import four_eyes
from requests_app.models import Request
from requests_app.rights import base
from requests_app.states import TaskKind

INSTRUCTIONS = (
    "Look at the answer again, and say what you found. Close it if the person is right: the request "
    "opens again. Refuse it if the answer stands."
)
SILENCE = (
    "No answer came by the day on which it was due. See to it that the request is answered now, whoever does so; then "
    "say here what was done, and close this. Nothing opens again."
)

scope, details = base.no_scope, base.no_details
carry_out, is_settled, finish = base.changes_nothing, base.tasks_are_all, base.nothing_last


def plan(request: Request) -> list[base.Planned]:
    """Somebody who had no part in the answer, or in that none came, looks."""
    said = SILENCE if four_eyes.is_against_silence(request) else INSTRUCTIONS
    return [base.Planned("review", TaskKind.MANUAL, instructions=said)]
