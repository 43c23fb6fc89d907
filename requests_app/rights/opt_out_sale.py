"""Opt-out of sale and sharing (Cal. Civ. Code § 1798.120, and the like elsewhere).

What is sold or shared: what goes to recipients other than the controller, and each use whose rule takes a browser's
opt-out signal for a no. Whoever names no purpose means all of that, so the controller's own other uses go on.
"""

import uuid
from datetime import datetime

from consents import ledger, regime
from consents.models import LedgerEvent, Purpose
from consents.vocabulary import EVERY, Action, Kind, Source
from downstream.models import Dataset
from requests_app.models import Request
from requests_app.rights import base

# without purposes: all for which data is sold or shared; and no reason has to be given
scope, details = base.some_purposes, base.no_details
is_settled, finish = base.has_its_place, base.nothing_last


def carry_out(*, request: Request, by: str, at: datetime) -> uuid.UUID | None:
    """Say no to each; None where nothing is sold or shared at all."""
    named = [ledger.Scope(slug) for slug in request.scope.get("purposes", [])]
    scopes = named or sold(base.person(request).jurisdiction, at=at)
    return base.say_of(request, Action.DENY, scopes, by=by, at=at) if scopes else None


def sold(jurisdiction: str, *, at: datetime) -> list[ledger.Scope]:
    """What counts as sale or sharing there: whole purposes, or single recipients of one, in a stable order."""
    book, scopes = regime.current(), []
    for purpose in Purpose.objects.prefetch_related("recipients").order_by("slug"):
        rule = book.at(purpose=purpose.slug, at=at).rule_for(jurisdiction, EVERY)
        if rule is not None and rule.gpc_denies:
            scopes.append(ledger.Scope(purpose.slug))
            continue
        others = sorted(one.slug for one in purpose.recipients.all() if not one.is_controller)
        scopes += [ledger.Scope(purpose.slug, recipient=slug) for slug in others]
    return scopes


def plan(request: Request) -> list[base.Planned]:
    """That the datasets follow which serve what was said no to, in the hands of whom it was said of."""
    said = _said(request)
    return base.leaving("stop", [one for one in base.living() if _is_concerned(one, said)])


def _said(request: Request) -> list[tuple[str, str]]:
    """Purposes and recipients that this request said no to."""
    if request.carried_out_at is None:
        return []
    events = LedgerEvent.objects.filter(
        subject_id=request.subject_id,
        kind=Kind.CHOICE,
        action=Action.DENY,
        source=Source.REQUEST,
        recorded_at=request.carried_out_at,
    )
    return list(events.values_list("purpose", "recipient"))


def _is_concerned(dataset: Dataset, said: list[tuple[str, str]]) -> bool:
    return any(dataset.serves(purpose) and recipient in {EVERY, dataset.owner_id} for purpose, recipient in said)
