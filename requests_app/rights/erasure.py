"""Erasure (GDPR Art. 17, UK GDPR Art. 17): out of every dataset first, verified, then forgotten.

The identifiers are needed to find the rows, so they are destroyed last.
"""

import uuid
from datetime import datetime

from django.db import transaction

from consents import ledger, sequencer, subjects
from consents.models import LedgerEvent, Subject
from consents.vocabulary import EVERY, Action, Kind, Source
from downstream import journeys, propagation, purging


@transaction.atomic
def carry_out(*, subject: Subject, by: str, at: datetime) -> LedgerEvent:
    """Restrict every use at once, close open consents, enter the erasure in the log, which every dataset follows."""
    ledger.withdraw_everything(subject=subject, by=by, at=at)
    origin = ledger.Origin(source=Source.REQUEST, by=by)
    ledger.record(subject=subject, scope=ledger.Scope(EVERY), action=Action.RESTRICT, origin=origin, at=at)
    return ledger.append(kind=Kind.ERASURE, by=by, at=at, details={}, subject=subject)


def is_verified(*, subject: Subject, event_id: uuid.UUID | None) -> bool:
    """Whether the erasure reached every dataset, was looked at again there, and the bytes are gone too."""
    position = sequencer.position_of(event_id) if event_id else None
    arrived = position is not None and propagation.arrived(subject_id=subject.pk, position=position)
    # their names are needed to search for them, so nobody is forgotten while old versions are kept
    return arrived and not purging.kept(subject_id=subject.pk).exists()


def stops(*, subject: Subject, event_id: uuid.UUID | None, at: datetime) -> list[journeys.Stop]:
    """How far the erasure is in each dataset, whatever its purpose."""
    position = sequencer.position_of(event_id) if event_id else None
    return journeys.everywhere(subject_id=subject.pk, position=position, at=at)


def finish(*, subject: Subject, by: str, at: datetime) -> None:
    """Destroy what names the person; see `subjects.forget`."""
    subjects.forget(subject=subject, by=by, at=at)
