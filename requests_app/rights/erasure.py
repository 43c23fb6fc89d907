"""Erasure (GDPR Art. 17, UK GDPR Art. 17): out of every dataset first, verified, then forgotten.

The identifiers are needed to find the rows, so they are destroyed last. What has to be kept is exempted by two people,
best before it is carried out: what a run has removed cannot be brought back.
"""

import uuid
from datetime import datetime

from consents import ledger, sequencer, subjects
from consents.vocabulary import EVERY, Action, Kind, Source
from downstream import journeys
from requests_app.models import Request
from requests_app.rights import base

scope, details = base.no_scope, base.no_details
is_settled = base.has_its_place


def carry_out(*, request: Request, by: str, at: datetime) -> uuid.UUID | None:
    """Restrict every use at once, close open consents, enter the erasure in the log, which every dataset follows."""
    subject = base.person(request)
    ledger.withdraw_everything(subject=subject, by=by, at=at)
    origin = ledger.Origin(source=Source.REQUEST, by=by)
    ledger.record(subject=subject, scope=ledger.Scope(EVERY), action=Action.RESTRICT, origin=origin, at=at)
    return ledger.append(kind=Kind.ERASURE, by=by, at=at, details={}, subject=subject).pk


def plan(request: Request) -> list[base.Planned]:
    """That every dataset follows, whatever its purpose, is looked at again, and its old bytes are gone too."""
    return base.leaving("remove", base.living())


def stops(request: Request, *, at: datetime) -> list[journeys.Stop]:
    """How far the erasure is in each dataset, whatever its purpose."""
    position = sequencer.position_of(request.event_id) if request.event_id else None
    return journeys.everywhere(subject_id=base.person(request).pk, position=position, at=at)


def finish(*, request: Request, by: str, at: datetime) -> None:
    """Destroy what names the person; see `subjects.forget`."""
    subjects.forget(subject=base.person(request), by=by, at=at)
