"""The clock of one request: set at receipt under the rule of that day, which is frozen on the request."""

from datetime import datetime

from requests_app import deadlines, rulebook
from requests_app.deadlines import Deadline
from requests_app.models import Request
from requests_app.rulebook import Rule


def set_at_receipt(request: Request) -> None:
    """Fill in the rule, its terms and the due date, for a person whose identity needs no further proof."""
    rule = rulebook.rule_for(request.jurisdiction, request.right, on=request.received_at)
    request.rule, request.rulebook_digest = rule.scope, rule.rulebook_digest
    request.terms = rulebook.freeze(rule)
    request.due_on = _deadline(rule, request.received_at).due


def of(request: Request) -> Deadline:
    """The deadline under the frozen terms, with its arithmetic."""
    return _deadline(rulebook.thaw(request.terms), request.received_at)


def arithmetic(request: Request) -> list[str]:
    """How the due date came about, step by step, in the reader's language."""
    return [str(step) for step in of(request).explanation]


def _deadline(rule: Rule, received_at: datetime) -> Deadline:
    return deadlines.compute(rule, received=received_at, identity_confirmed=received_at)
