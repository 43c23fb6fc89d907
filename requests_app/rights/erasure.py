"""Erasure (GDPR Art. 17, UK GDPR Art. 17): out of every dataset first, verified, then forgotten.

The identifiers are needed to find the rows, so they are destroyed last.
"""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from consents import ledger, sequencer, subjects
from consents.models import Subject
from consents.vocabulary import EVERY, Action, Kind, Source
from downstream import journeys, purging
from requests_app.models import Request
from requests_app.rights import base


def scope(said: Mapping[str, Any]) -> dict[str, Any]:
    """All of it."""
    return base.no_scope(said)


def details(said: Mapping[str, Any]) -> dict[str, Any]:
    """Nothing more is needed."""
    return base.no_details(said)


def carry_out(*, request: Request, by: str, at: datetime) -> uuid.UUID | None:
    """Restrict every use at once, close open consents, enter the erasure in the log, which every dataset follows."""
    subject = _person(request)
    ledger.withdraw_everything(subject=subject, by=by, at=at)
    origin = ledger.Origin(source=Source.REQUEST, by=by)
    ledger.record(subject=subject, scope=ledger.Scope(EVERY), action=Action.RESTRICT, origin=origin, at=at)
    return ledger.append(kind=Kind.ERASURE, by=by, at=at, details={}, subject=subject).pk


def plan(request: Request) -> list[base.Planned]:
    """That every dataset follows, and is looked at again."""
    return []


def is_settled(request: Request) -> bool:
    """Whether the erasure reached every dataset, was looked at again there, and the bytes are gone too."""
    # their names are needed to search for them, so nobody is forgotten while old versions are kept
    return base.has_arrived(request) and not purging.kept(subject_id=_person(request).pk).exists()


def stops(request: Request, *, at: datetime) -> list[journeys.Stop]:
    """How far the erasure is in each dataset, whatever its purpose."""
    position = sequencer.position_of(request.event_id) if request.event_id else None
    return journeys.everywhere(subject_id=_person(request).pk, position=position, at=at)


def finish(*, request: Request, by: str, at: datetime) -> None:
    """Destroy what names the person; see `subjects.forget`."""
    subjects.forget(subject=_person(request), by=by, at=at)


def _person(request: Request) -> Subject:
    assert request.subject is not None  # noqa: S101 -- nobody works for nobody
    return request.subject
