"""From a request of nobody known to a person's: proven, doubted, or out of time."""

from datetime import datetime

from django.db import transaction

from consents.models import Subject
from portal.errors import Conflict
from requests_app import consequences, duplicates, legal_clock, sealing
from requests_app.models import Request
from requests_app.rulebook import Wait
from requests_app.states import Status
from requests_app.workflow import guards, moves, working


@transaction.atomic
def prove(*, request: Request, subject: Subject, by: str, at: datetime) -> Request:
    """It is shown who asks: what was typed comes under their own key, and what is done at once is done at once.

    The same asked before and still open is the first, which this one follows. Raises Conflict(`wrong_state` |
    `somebody_else` | `erased`).
    """
    request = moves.lock(request)
    guards.check_can_prove(request)
    if request.subject_id not in {None, subject.pk}:
        raise Conflict("somebody_else", "This request is somebody else's.")
    subject = Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)
    if subject.erased_at is not None:
        raise Conflict("erased", "This person was erased; nothing more is recorded about them.")
    sealing.adopt(request, subject)
    request.identity_confirmed_at = at
    request.duplicate_of = duplicates.find([request], subject).get(request.pk)
    request.save()
    moves.move(request, Status.RECEIVED, code="identity_confirmed", by=by, at=at)
    consequences.end_pause(request, reason=Wait.IDENTITY, by=by, at=at)
    moves.forget_unknown(request)
    working.begin(request=request, by=by, at=at)
    return request


@transaction.atomic
def doubt(*, request: Request, by: str, at: datetime) -> Request:
    """There is reason to doubt who asks (GDPR Art. 12(6)): it waits for a proof. Raises Conflict(`wrong_state`)."""
    request = moves.lock(request)
    guards.check_can_doubt(request)
    legal_clock.begin_pause(request=request, reason=Wait.IDENTITY, by=by, at=at)
    return moves.move(request, Status.VERIFYING, code="doubted", by=by, at=at)


@transaction.atomic
def expire(*, request: Request, by: str, at: datetime) -> Request:
    """Nobody showed who they are in time: closed, and nothing typed is kept. Raises Conflict(`wrong_state`)."""
    request = moves.lock(request)
    guards.check_can_expire(request)
    moves.close(request, Status.EXPIRED, by=by, at=at)
    moves.forget_typed(request)
    # of one that was doubted
    working.let_duplicates_stand(request, by=by, at=at)
    return request
