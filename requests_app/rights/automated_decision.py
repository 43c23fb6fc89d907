"""Review of an automated decision (GDPR Art. 22(3)): a human looks at it again."""

from collections.abc import Mapping
from typing import Any

from requests_app.models import Request
from requests_app.rights import base
from requests_app.states import TaskKind

LONGEST = 2_000
INSTRUCTIONS = (
    "Look at the decision yourself, with the power to change it: hear the person, weigh what they "
    "say, and write down what you decided and why."
)

scope = base.no_scope
carry_out, is_settled, finish = base.changes_nothing, base.tasks_are_all, base.nothing_last


def details(said: Mapping[str, Any]) -> dict[str, Any]:
    """`decision` and `why`, each a text: which decision it is, and what the person says to it. Raises RightError."""
    if said.keys() - {"decision", "why"}:
        raise base.RightError("unknown_details", "Details of this right are decision and why.", field="details")
    if not all(isinstance(text, str) and len(text) <= LONGEST for text in said.values()):
        raise base.RightError("details_malformed", f"Each is a text of at most {LONGEST} characters.", field="details")
    return {name: text.strip() for name, text in said.items() if text.strip()}


def plan(request: Request) -> list[base.Planned]:
    """A human with the power to change it looks at it, and says by name what they decided (GDPR Art. 22(3))."""
    return [base.Planned("review", TaskKind.MANUAL, instructions=INSTRUCTIONS)]
