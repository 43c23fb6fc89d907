"""Taking a request in: whose it is, what for, and by when the law wants an answer."""

from datetime import datetime

from django.db import IntegrityError, transaction

from consents import subjects
from consents.models import Subject
from portal import audit
from portal.errors import Conflict, DomainError
from requests_app import legal_clock
from requests_app.models import Request, TimelineEntry
from requests_app.states import OFFERED, Right

LONGEST_NOTE = 4_000


class IntakeError(DomainError):
    """A request that cannot be taken in as sent."""


@transaction.atomic
def receive(*, subject: Subject, right: str, note: str, by: str, at: datetime) -> Request:
    """Take in a request of a signed-in person, whose verified address needs no further proof.

    Raises IntakeError(`unknown_right` | `note_too_long`) and Conflict(`already_open` | `erased`).
    """
    if right not in OFFERED:
        raise IntakeError("unknown_right", "Choose one of the rights on the page.", field="right")
    if len(note) > LONGEST_NOTE:
        raise IntakeError("note_too_long", f"Keep it to {LONGEST_NOTE} characters.", field="note")
    # locked, so that nobody is being forgotten right now
    subject = Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)
    if subject.erased_at is not None:
        raise Conflict("erased", "This person was erased; nothing more is recorded about them.")
    request = Request(
        right=Right(right),
        subject=subject,
        jurisdiction=subject.jurisdiction,
        received_at=at,
    )
    legal_clock.set_at_receipt(request)
    if note.strip():
        request.sealed_note = subjects.seal(subject, note.strip(), context="request")
    try:
        with transaction.atomic():
            request.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict("already_open", "You have an open request of this kind already.") from error
    TimelineEntry.objects.create(request=request, at=at, actor=by, code="received")
    audit.record(at=at, by=by, action="request.receive", of=("request", request.pk), details={"right": right})
    return request
