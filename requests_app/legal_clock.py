"""The clock of one request: set at receipt under the rule of that day, which is frozen on the request."""

from requests_app import deadlines, rulebook
from requests_app.deadlines import Deadline, Pause
from requests_app.models import Request
from requests_app.rulebook import Rule, Wait


def set_at_receipt(request: Request, *, is_proven: bool) -> None:
    """Fill in the rule, its terms and its days; where identity is yet to be shown, the clock may wait for that."""
    rule = rulebook.rule_for(request.jurisdiction, request.right, on=request.received_at)
    request.rule, request.rulebook_digest = rule.scope, rule.rulebook_digest
    request.terms = rulebook.freeze(rule)
    if is_proven:
        request.identity_confirmed_at = request.received_at
    pauses = [] if is_proven else [Pause(Wait.IDENTITY, request.received_at)]
    deadline = _deadline(rule, request, pauses)
    request.due_on, request.acknowledge_by = deadline.due, deadline.acknowledge_by


def of(request: Request) -> Deadline:
    """The deadline under the frozen terms, with its arithmetic."""
    pauses = [Pause(Wait(one.reason), one.began_at, one.ended_at) for one in request.pauses.all()]
    return _deadline(rulebook.thaw(request.terms), request, pauses)


def arithmetic(request: Request) -> list[str]:
    """How the due date came about, step by step, in the reader's language."""
    return [str(step) for step in of(request).explanation]


def _deadline(rule: Rule, request: Request, pauses: list[Pause]) -> Deadline:
    return deadlines.compute(
        rule, received=request.received_at, identity_confirmed=request.identity_confirmed_at, pauses=pauses
    )
