"""Taking requests in, through whatever door: whose they are, who asks, what for, and by when the law wants an answer.

Several rights asked in one go become requests of one group. The same asked again while it is open is recorded too,
linked to the first and answered with it; somebody whose identity is not shown can never stand in another's way.
"""

import json
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
from portal.errors import Conflict, DomainError
from requests_app import legal_clock, rights, sealing, timeline, workflow
from requests_app.models import Agent, Pause, Request
from requests_app.rulebook import Wait
from requests_app.states import AT_ONCE, FOLLOW_UPS, Capacity, Channel, Right, Status

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
    """What somebody asks in one go. `scope` names purposes and recipients; `details` hold what is personal."""

    rights: tuple[str, ...]
    jurisdiction: str = ""
    note: str = ""
    scope: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
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
    if subject.erased_at is not None:
        raise Conflict("erased", "This person was erased; nothing more is recorded about them.")
    group = uuid7()
    requests = [_request(asked, right, subject.jurisdiction, group, at) for right in asked.rights]
    for request in requests:
        request.subject = subject
    _link_duplicates(requests, subject)
    _insert(requests, asked, is_proven=is_proven, by=by, at=at)
    if is_proven:
        for request in requests:
            begin(request=request, by=by, at=at)
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
    requests = [_request(asked, right, place, group, at) for right in asked.rights]
    for request in requests:
        request.sealed_contact = sealing.seal_json(request, [contact.scheme, contact.value], context=sealing.CONTACT)
        request.contact_fingerprint = contact.fingerprint
    _insert(requests, asked, is_proven=False, by=by, at=at)
    return requests


def begin(*, request: Request, by: str, at: datetime) -> None:
    """It is known who asks: what needs no staff is carried out now, in this transaction."""
    if request.right in AT_ONCE and request.duplicate_of_id is None:
        workflow.carry_out_at_once(request=request, by=by, at=at)


def find_duplicates(requests: Sequence[Request], subject: Subject) -> dict[uuid.UUID, Request]:
    """The open request of this person that asks for the same as each of these, by the id of the latter."""
    standing = Request.objects.open().proven().filter(subject=subject, duplicate_of__isnull=True, about__isnull=True)
    wanted = {one.right for one in requests if one.right not in FOLLOW_UPS}
    earlier = {(one.right, _key(one.scope)): one for one in standing.filter(right__in=wanted).order_by("-received_at")}
    found = {one.pk: earlier.get((one.right, _key(one.scope))) for one in requests if one.right in wanted}
    return {pk: first for pk, first in found.items() if first is not None and first.pk != pk}


def _link_duplicates(requests: Sequence[Request], subject: Subject) -> None:
    duplicates = find_duplicates(requests, subject)
    for request in requests:
        request.duplicate_of = duplicates.get(request.pk)


def _key(scope: Mapping[str, Any]) -> str:
    return json.dumps(scope, sort_keys=True)


def _request(asked: Asked, right: str, jurisdiction: str, group: uuid.UUID, at: datetime) -> Request:
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
        scope=rights.of(right).scope(asked.scope),
    )


def _insert(requests: Sequence[Request], asked: Asked, *, is_proven: bool, by: str, at: datetime) -> None:
    """The rows, sealed, with their clocks: one statement a table, however many rights were asked."""
    pauses = []
    for request in requests:
        if not is_proven:
            request.status = Status.VERIFYING
            pauses.append(Pause(request=request, reason=Wait.IDENTITY, began_at=request.received_at))
        legal_clock.set_at_receipt(request, is_proven=is_proven)
        _seal(request, asked)
    Request.objects.bulk_create(requests)
    if pauses:
        Pause.objects.bulk_create(pauses)
    timeline.tell_many(requests, "received", by=by, at=at, details={"channel": str(asked.channel)})


def _seal(request: Request, asked: Asked) -> None:
    if asked.note.strip():
        request.sealed_note = sealing.seal(request, asked.note.strip(), context=sealing.NOTE)
    details = rights.of(request.right).details(asked.details)
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
