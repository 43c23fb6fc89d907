"""What staff take down for somebody: a call, a letter, a mail, a visit, a line of a file.

The person is found by an identifier, or is not known yet; their identity was shown to whoever writes it down, or is
still to be shown.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from django.db import transaction

from consents import jurisdictions, subjects
from consents.models import Subject
from consents.subjects import Name, Newcomer
from portal import audit
from portal.errors import Conflict, NotFound
from requests_app import intake, timeline
from requests_app.intake import Asked, IntakeError
from requests_app.models import IdentityCheck, Request
from requests_app.states import CheckMethod, CheckStatus

SHOWN = (CheckMethod.DOCUMENT, CheckMethod.CALLBACK)
"""How identity may have been shown to whoever writes it down."""
_ANYWHERE = time(10, 30)
"""In UTC: half past midnight in Honolulu and, in summer, half past eleven at night in Auckland, of the same day."""
_FURTHEST_EAST = timedelta(hours=14)
"""How much earlier than in UTC a day begins where it begins first."""


@dataclass(frozen=True)
class TakenDown:
    """What was asked, by what the person is called, and how it was shown that it is them (empty: not yet)."""

    asked: Asked
    name: Name = field(repr=False)
    shown: str = ""


@dataclass(frozen=True)
class Outlook:
    """What taking it down would do: whose it is, and which open requests it repeats, by right."""

    subject: Subject | None
    repeats: dict[str, Request]


def received(day: date, *, at: datetime) -> datetime:
    """When something came in of which the day alone is known: that day in every zone of the rulebook.

    It is the day of the house's own calendar, as a stamp says it, and the law counts from that same day wherever the
    person lives (a period runs from the day of the event: Regulation 1182/71 Art. 3(1)). Where a house is ahead of
    UTC, or of the person, that day may not have begun there yet; then what counts is now, which is never later.
    Raises IntakeError(`time_in_future`) for a day that has begun nowhere.
    """
    if day > (at + _FURTHEST_EAST).astimezone(UTC).date():
        raise IntakeError("time_in_future", "A request cannot come in tomorrow.", field="received_at")
    return min(datetime.combine(day, _ANYWHERE, tzinfo=UTC), at)


def outlook(*, taken: TakenDown, by: str, at: datetime) -> Outlook:
    """Look the person up, which the trail says, and find what this would repeat. Raises what `take_in` raises."""
    check(taken, at=at)
    subject = subjects.find(taken.name)
    _check_about(taken.asked, subject)
    if subject is None:
        check_stranger(taken)
        _check_erased(taken)
        return Outlook(None, {})
    audit.record(at=at, by=by, action="subject.look_up", of=("subject", subject.pk))
    return Outlook(subject, intake.repeats(taken.asked, subject, at=at))


def check(taken: TakenDown, *, at: datetime) -> None:
    """What can be refused before anybody is looked up. Raises IntakeError, the refusals of each right."""
    intake.check(taken.asked, at=at)
    _check_shown(taken.shown)


@transaction.atomic
def take_in(*, taken: TakenDown, by: str, at: datetime) -> list[Request]:
    """Record it. Whoever is not known waits for a code to their address, or is registered by it once identity is shown.

    Raises IntakeError, the refusals of each right, NotFound(`unknown_subject`), Conflict(`suppressed`),
    UnknownJurisdiction.
    """
    check(taken, at=at)
    subject = subjects.find(taken.name)
    _check_about(taken.asked, subject)
    if subject is None:
        check_stranger(taken)
        _check_erased(taken)
        if not taken.shown:
            return intake.receive_unproven(asked=taken.asked, contact=taken.name, by=by, at=at)
        newcomer = Newcomer((taken.name,), taken.asked.jurisdiction, taken.asked.locale)
        subject = subjects.register(newcomer=newcomer, by=by, at=at)
    requests = intake.receive(asked=taken.asked, subject=subject, is_proven=bool(taken.shown), by=by, at=at)
    if taken.shown:
        _note_shown(requests, taken.shown, by, at)
    return requests


def _check_about(asked: Asked, subject: Subject | None) -> None:
    if asked.about is not None and (subject is None or asked.about.subject_id != subject.pk):
        raise NotFound("unknown_request", "This person made no such request.", field="about")


def _check_shown(shown: str) -> None:
    if shown not in ("", *SHOWN):
        raise IntakeError("unknown_method", "Identity was shown by a document or a call, or not yet.", field="shown")


def check_stranger(taken: TakenDown) -> None:
    """What is asked of somebody whom we do not know. Raises NotFound, IntakeError, UnknownJurisdiction."""
    if not taken.name.is_contact:
        raise NotFound("unknown_subject", "Nobody is registered by this identifier.", field="identifier")
    if not taken.asked.jurisdiction:
        raise IntakeError(
            "jurisdiction_missing", "Say where this person lives: we do not know them.", field="jurisdiction"
        )
    jurisdictions.check(taken.asked.jurisdiction)


def _check_erased(taken: TakenDown) -> None:
    if taken.shown and subjects.was_erased(taken.name):
        raise Conflict("suppressed", "This person asked to be forgotten, and nothing is held about them.")


def _note_shown(requests: list[Request], method: str, by: str, at: datetime) -> None:
    """That whoever wrote it down saw who asks, on each request: each is closed for itself."""
    IdentityCheck.objects.bulk_create(
        IdentityCheck(
            request=one,
            method=method,
            status=CheckStatus.PASSED,
            asked_by=by,
            asked_at=at,
            expires_at=at,
            decided_by=by,
            decided_at=at,
        )
        for one in requests
    )
    timeline.tell_many(requests, "proof_passed", by=by, at=at, details={"method": str(method)})
