"""Taking requests in, through whatever door: whose they are, who asks, what for, and by when the law wants an answer.

Several rights asked in one go become requests of one group. The same asked again while it is open is recorded too,
linked to the first and answered with it; somebody whose identity is not shown can never stand in another's way.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from uuid_utils.compat import uuid7

from consents import jurisdictions
from consents.models import Subject
from consents.subjects import Name
from portal.clock import TOLERANCE
from portal.errors import Conflict, DomainError, NotFound
from requests_app import duplicates, legal_clock, rights, sealing, timeline, workflow
from requests_app.models import Agent, Pause, Request
from requests_app.rights.base import RightError
from requests_app.rulebook import Wait
from requests_app.states import FOLLOW_UPS, Capacity, Channel, Right, Status

LONGEST_NOTE = 4_000
OLDEST = timedelta(days=366)
"""How long a letter may have lain before somebody writes it down."""


class IntakeError(DomainError):
    """A request that cannot be taken in as sent."""


@dataclass(frozen=True)
class Requester:
    """Who asks for somebody else: their name, how they are answered, and what they say of their authority."""

    name: str
    contact: str = ""
    relation: str = ""


@dataclass(frozen=True)
class Asked:
    """What somebody asks in one go. `scope` names purposes and recipients; `details` hold what is personal.

    Of several rights, those take scope and details that know any; some have to.
    """

    rights: tuple[str, ...]
    jurisdiction: str = ""
    note: str = ""
    scope: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    scopes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By right, where one go asks for several that are limited each in its own way; before `scope`."""
    particulars: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The same of `details`."""
    locale: str = "en"
    channel: str = Channel.PAGES
    capacity: str = Capacity.SELF
    requester: Requester | None = None
    agent: Agent | None = None
    partner: str = ""
    about: Request | None = None
    received_at: datetime | None = None
    """When it reached the company, where that was before now: a letter, a call."""


@transaction.atomic
def receive(*, asked: Asked, subject: Subject, is_proven: bool = True, by: str, at: datetime) -> list[Request]:
    """Take in what is asked for a person who is known to us; what is done at once is done at once.

    Not proven means that it has yet to be shown who asks: then the requests wait as `verifying`. Raises IntakeError,
    the refusals of each right, Conflict(`erased`).
    """
    _check(asked, at)
    # locked, so that nobody is being forgotten right now, and the same asked twice at once is seen
    locked = Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)
    return receive_of_locked(asked=asked, subject=locked, is_proven=is_proven, by=by, at=at)


def receive_of_locked(
    *, asked: Asked, subject: Subject, is_proven: bool = True, by: str, at: datetime
) -> list[Request]:
    """The same for a person whose row the caller has locked (`subjects.find_locked`), in the caller's transaction."""
    _check(asked, at)
    if is_proven and FOLLOW_UPS.intersection(asked.rights):
        return _follow_up(asked, subject, by=by, at=at)
    if subject.erased_at is not None:
        raise Conflict("erased", "This person was erased; nothing more is recorded about them.")
    group = uuid7()
    requests = _requests(asked, subject.jurisdiction, group, at, subject)
    _link_duplicates(requests, subject)
    _insert(requests, asked, is_proven=is_proven, by=by, at=at)
    if is_proven:
        for request in requests:
            workflow.begin(request=request, by=by, at=at)
    return requests


@transaction.atomic
def receive_unproven(*, asked: Asked, contact: Name, by: str, at: datetime) -> list[Request]:
    """Take in what somebody asks who is not known by anything but an address that they typed.

    Nobody is looked up: the same is done for a known, an unknown and an erased address. The requests wait as
    `verifying` until a code sent there was typed. Raises IntakeError and UnknownJurisdiction.
    """
    _check(asked, at)
    group = uuid7()
    place = jurisdictions.check(asked.jurisdiction)
    requests = _requests(asked, place, group, at)
    for request in requests:
        request.sealed_contact = sealing.seal_json(request, [contact.scheme, contact.value], context=sealing.CONTACT)
        request.contact_fingerprint = contact.fingerprint
    _insert(requests, asked, is_proven=False, by=by, at=at)
    return requests


def _follow_up(asked: Asked, subject: Subject, *, by: str, at: datetime) -> list[Request]:
    """Appeals and complaints have the rule of what they are about; they come alone."""
    about = asked.about
    if about is None or not FOLLOW_UPS.issuperset(asked.rights):
        raise IntakeError(
            "follow_up_alone", "Appeal or complain on its own, and ask for the rest apart.", field="right"
        )
    if about.subject_id != subject.pk:
        raise NotFound("unknown_request", "There is no such request of this person.", field="about")
    return [
        workflow.appeal(request=about, right=right, note=asked.note, by=by, at=at, channel=asked.channel)
        for right in asked.rights
    ]


def check(asked: Asked, *, at: datetime) -> None:
    """Everything that can be refused before anybody is looked up. Raises IntakeError, the refusals of each right."""
    _check(asked, at)
    _taken(asked, "scope")
    _taken(asked, "details")


def repeats(asked: Asked, subject: Subject, *, at: datetime) -> dict[str, Request]:
    """Which open requests of this person asking this would repeat, by right."""
    requests = _requests(asked, subject.jurisdiction, uuid7(), at, subject)
    found = duplicates.find(requests, subject)
    return {one.right: found[one.pk] for one in requests if one.pk in found}


def _link_duplicates(requests: Sequence[Request], subject: Subject) -> None:
    found = duplicates.find(requests, subject)
    for request in requests:
        request.duplicate_of = found.get(request.pk)


def _requests(
    asked: Asked, jurisdiction: str, group: uuid.UUID, at: datetime, subject: Subject | None = None
) -> list[Request]:
    """Sealed by the person's own key, or by the ring as long as nobody is known."""
    scopes, details = _taken(asked, "scope"), _taken(asked, "details")
    requests = [_request(asked, right, jurisdiction, group, at, scopes[right]) for right in asked.rights]
    for request in requests:
        request.subject = subject
        _seal(request, asked, details[request.right])
    return requests


def _taken(asked: Asked, part: str) -> dict[str, dict[str, Any]]:
    """What each right takes of scope or details, checked. Raises the rights' refusals, also where none takes it."""
    own, said = (asked.scopes, asked.scope) if part == "scope" else (asked.particulars, asked.details)
    taken: dict[str, dict[str, Any]] = {}
    refusals: dict[str, RightError] = {}
    for right in asked.rights:
        check = getattr(rights.of(right), part)
        try:
            taken[right] = check(own.get(right, said))
        except RightError as error:
            if error.code != f"{part}_not_taken" or right in own:
                raise
            refusals[right], taken[right] = error, check({})
    if refusals and not any(taken[right] for right in taken if right not in own):
        raise next(iter(refusals.values()))
    return taken


def _request(
    asked: Asked, right: str, jurisdiction: str, group: uuid.UUID, at: datetime, scope: dict[str, Any]
) -> Request:
    return Request(
        right=Right(right),
        status=Status.RECEIVED,
        jurisdiction=jurisdiction,
        received_at=asked.received_at or at,
        group=group,
        channel=asked.channel,
        capacity=asked.capacity,
        agent=asked.agent,
        partner=asked.partner,
        about=asked.about if right in FOLLOW_UPS else None,
        locale=asked.locale,
        scope=scope,
    )


def _insert(requests: Sequence[Request], asked: Asked, *, is_proven: bool, by: str, at: datetime) -> None:
    """The rows with their clocks: one statement a table, however many rights were asked."""
    pauses = []
    for request in requests:
        if not is_proven:
            request.status = Status.VERIFYING
            pauses.append(Pause(request=request, reason=Wait.IDENTITY, began_at=request.received_at))
        legal_clock.set_at_receipt(request, is_proven=is_proven)
    Request.objects.bulk_create(requests)
    if pauses:
        Pause.objects.bulk_create(pauses)
    timeline.tell_many(requests, "received", by=by, at=at, details={"channel": str(asked.channel)})


def _seal(request: Request, asked: Asked, details: dict[str, Any]) -> None:
    if asked.note.strip():
        request.sealed_note = sealing.seal(request, asked.note.strip(), context=sealing.NOTE)
    if details:
        request.sealed_details = sealing.seal_json(request, details, context=sealing.DETAILS)
    if asked.requester is not None:
        who = [asked.requester.name, asked.requester.contact, asked.requester.relation]
        request.sealed_requester = sealing.seal_json(request, who, context=sealing.REQUESTER)


def _check(asked: Asked, at: datetime) -> None:
    """Everything that can be refused before anything is looked up."""
    if not asked.rights or len(set(asked.rights)) != len(asked.rights):
        raise IntakeError("right_missing", "Say once what is asked for.", field="right")
    for right in asked.rights:
        if right not in Right.values:
            raise IntakeError("unknown_right", "Choose one of the rights on the page.", field="right")
        if right in FOLLOW_UPS and asked.about is None:
            raise IntakeError("about_missing", "Say which earlier request it is about.", field="about")
    if len(asked.note) > LONGEST_NOTE:
        raise IntakeError("note_too_long", f"Keep it to {LONGEST_NOTE} characters.", field="note")
    _check_who(asked)
    _check_when(asked.received_at, at)


def _check_who(asked: Asked) -> None:
    if asked.capacity not in Capacity.values:
        raise IntakeError("unknown_capacity", "One asks for oneself, a child, a client or the dead.", field="capacity")
    if (asked.capacity == Capacity.CONTROLLER) != (asked.channel == Channel.OPENDSR):
        raise IntakeError("unknown_capacity", "A controller instructs us over OpenDSR, and nobody else does.")
    if asked.capacity == Capacity.SELF and asked.requester is not None:
        raise IntakeError("requester_of_oneself", "Who asks for themselves is nobody else.", field="requester")
    if asked.capacity != Capacity.SELF and asked.requester is None and asked.agent is None:
        raise IntakeError("requester_missing", "Say who asks for this person.", field="requester")


def _check_when(received_at: datetime | None, at: datetime) -> None:
    if received_at is None:
        return
    if received_at.tzinfo is None:
        raise IntakeError("time_without_zone", "State the time with its zone, as RFC 3339.", field="received_at")
    if received_at > at + TOLERANCE:
        raise IntakeError("time_in_future", "A request cannot come in tomorrow.", field="received_at")
    if received_at < at - OLDEST:
        raise IntakeError("time_too_old", "That is more than a year ago; look at the date.", field="received_at")
