"""OpenDSR 2.0, where Heed is the processor: what controllers instruct us to do for people, and how that stands.

A controller has verified who asks, and answers them; we carry out what it says, on the clock that began when the person
asked it, and write to nobody. Whom it may not name is to it as unknown as whom we do not know: nothing is held for it.
See decision record 32.
"""

import base64
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q, QuerySet, Sum
from django.urls import reverse

from consents import jurisdictions, sequencer, subjects
from consents.models import Partner, Subject
from consents.subjects import Name
from downstream import opendsr_wire
from downstream.models import RemovalReceipt
from downstream.opendsr_wire import ACCESS, CANCELLED, COMPLETED, ERASURE, IN_PROGRESS, PENDING, PORTABILITY
from portal import actors, audit, crypto
from portal.errors import Conflict, DomainError, NotFound
from requests_app import intake, legal_clock, packages, workflow
from requests_app.intake import Requester
from requests_app.models import ControllerCallback, ControllerNotice, ControllerRequest, Package, Request
from requests_app.opendsr_messages import Instruction, Refused
from requests_app.states import Capacity, Channel, Right, Status

RIGHTS: dict[str, str] = {ACCESS: Right.ACCESS, PORTABILITY: Right.PORTABILITY, ERASURE: Right.ERASURE}
HANDED_OVER = frozenset({ACCESS, PORTABILITY})
"""What we answer with somebody's data."""
RESULTS_FOR = timedelta(days=7)
"""How long after its release a controller may fetch an answer; the answer itself may be kept longer."""
_PENDING = frozenset({Status.RECEIVED, Status.VERIFYING})
_WORDS: dict[str, str] = {
    Status.RECEIVED: PENDING,
    Status.VERIFYING: PENDING,
    Status.FULFILLED: COMPLETED,
    Status.PARTIALLY_FULFILLED: COMPLETED,
    Status.REFUSED: CANCELLED,
    Status.WITHDRAWN: CANCELLED,
    Status.EXPIRED: CANCELLED,
}
"""All others are `in_progress`."""


class NotPending(DomainError):
    """What can no longer be taken back (section 9)."""


@dataclass(frozen=True)
class Sent:
    """A controller's message: what it says, and the whole of it, by which the same sent again is known."""

    said: Instruction
    message: dict[str, Any]


@transaction.atomic
def instruct(*, controller: Partner, sent: Sent, sees: Callable[[Subject], bool], at: datetime) -> ControllerRequest:
    """Take in what a controller says; the same again, by its id, writes nothing and answers the first.

    `sees` says whether the controller may name a person. Raises Refused(`identities_differ`), Conflict(`id_used`).
    """
    # one message of a controller after another, so that the same one sent twice at once is seen
    controller = Partner.objects.select_for_update(no_key=True).get(pk=controller.pk)
    digests = _digests(sent.message)
    first = _of(controller).filter(subject_request_id=sent.said.id).first()
    if first is not None:
        if first.body_digest not in digests:
            raise Conflict("id_used", "You sent another request by this id.", field="subject_request_id")
        return first
    subject = _whose(sent.said.names, sees)
    if subject is None:
        return _settled(controller, sent.said, digests[0], at)
    asked = _asked(controller, sent.said)
    by = actors.partner(controller.slug)
    (request,) = intake.receive_of_locked(asked=asked, subject=subject, is_proven=True, by=by, at=at)
    return _kept(controller, sent.said, digests[0], at, request=request)


def find(*, controller: Partner, request_id: str) -> ControllerRequest:
    """What this controller sent; somebody else's is as unknown as none. Raises NotFound(`unknown_request`)."""
    try:
        wanted = uuid.UUID(request_id)
    except ValueError:
        wanted = None
    found = _of(controller).filter(subject_request_id=wanted).first() if wanted else None
    if found is None:
        raise NotFound("unknown_request", "You have sent no such request.", field="subject_request_id")
    return found


@transaction.atomic
def cancel(*, sent: ControllerRequest, at: datetime) -> ControllerRequest:
    """Take it back while nobody has begun; again changes nothing. Raises NotPending(`not_pending`)."""
    if sent.request_id is not None:
        locked = Request.objects.select_for_update(no_key=True, of=("self",)).get(pk=sent.request_id)
        if locked.status == Status.WITHDRAWN:
            return sent
        if locked.status in _PENDING:
            workflow.withdraw(request=locked, by=actors.partner(sent.partner), at=at)
            return sent
    raise NotPending("not_pending", "Only a request that is pending can be taken back.", field="request_status")


@transaction.atomic
def results(*, sent: ControllerRequest, at: datetime) -> Iterator[bytes]:
    """The answer as a stream of one ZIP, for this controller alone; that it was fetched is recorded.

    Raises NotFound(`no_results` | `package_gone`), Conflict of `packages.download`.
    """
    package = _results(sent, at)
    if package is None:
        raise NotFound("no_results", "There is nothing to fetch: not yet, or no longer.")
    return packages.download(package=package, by=actors.partner(sent.partner), at=at)


def standing(sent: ControllerRequest) -> str:
    """The protocol's word for how it stands now."""
    return sent.settled_status if sent.request is None else word_of(sent.request.status)


def word_of(status: str) -> str:
    """The protocol's word for a status of ours."""
    return _WORDS.get(status, IN_PROGRESS)


def receipt(sent: ControllerRequest, *, body: bytes) -> dict[str, Any]:
    """What is answered to a request (section 7.3): the same each time, because the body is told back, never kept."""
    return {
        "controller_id": sent.partner,
        "expected_completion_time": opendsr_wire.text_of(sent.expected_at),
        "received_time": opendsr_wire.text_of(sent.received_at),
        "encoded_request": base64.b64encode(body).decode(),
        "subject_request_id": str(sent.subject_request_id),
        "api_version": opendsr_wire.VERSION,
    }


def cancellation(sent: ControllerRequest, *, at: datetime) -> dict[str, Any]:
    """What is answered to its being taken back (section 9.2)."""
    return {
        "controller_id": sent.partner,
        "received_time": opendsr_wire.text_of(at),
        "subject_request_id": str(sent.subject_request_id),
        "api_version": opendsr_wire.VERSION,
    }


def may_be_told(sent: ControllerRequest, *, controller: Partner | None, vouches: bool) -> bool:
    """Whether the controller may learn what there was of the person, by its registration as it is now.

    It may have been narrowed since: of people it no longer covers nothing is told or handed over, and data is handed
    to those alone who vouch for whom they hand it to.
    """
    if sent.request is None:
        return True
    if controller is None or (sent.subject_request_type in HANDED_OVER and not vouches):
        return False
    subject = sent.request.subject
    return subject is None or jurisdictions.any_covers(controller.jurisdictions, subject.jurisdiction)


def status_object(sent: ControllerRequest, word: str, *, is_told: bool, at: datetime) -> dict[str, Any]:
    """Section 8.3; what does not apply is left out, and so is what there was unless that may be told."""
    expected = sent.expected_at if sent.request is None else _expected(sent.request, sent.received_at)
    told: dict[str, Any] = {
        "controller_id": sent.partner,
        "subject_request_id": str(sent.subject_request_id),
        "request_status": word,
        "expected_completion_time": opendsr_wire.text_of(expected),
        "api_version": opendsr_wire.VERSION,
    }
    return told | _found(sent, at) if word == COMPLETED and is_told else told


def address(name: str, *args: object) -> str:
    """Where one of our pages is for controllers: below the domain that we sign for."""
    site = urlsplit(settings.SITE_URL).hostname
    base = settings.SITE_URL if site == settings.OPENDSR_DOMAIN else f"https://{settings.OPENDSR_DOMAIN}"
    return f"{base}{reverse(name, args=args)}"


def _found(sent: ControllerRequest, at: datetime) -> dict[str, Any]:
    """How much there was, and where it is."""
    if sent.request is None:
        return {"results_count": 0}
    if sent.subject_request_type == ERASURE:
        rows = _rows_removed(sent.request)
        return {} if rows is None else {"results_count": rows}
    package = _results(sent, at)
    if package is None:
        return {}
    url = address("opendsr-results", sent.subject_request_id)
    return {"results_url": url, "results_count": sum(part["rows"] for part in package.parts)}


def _rows_removed(request: Request) -> int | None:
    """Of what was asked, or of the first that asked the same; None where a holder did not count."""
    acted = request.duplicate_of or request
    position = sequencer.position_of(acted.event_id) if acted.event_id else None
    if position is None or acted.subject_id is None:
        return None
    receipts = RemovalReceipt.objects.filter(subject_id=acted.subject_id, position__gte=position)
    told = receipts.aggregate(rows=Sum("rows_removed"), uncounted=Count("pk", filter=Q(is_counted=False)))
    return None if told["uncounted"] else told["rows"] or 0


def _results(sent: ControllerRequest, at: datetime) -> Package | None:
    """The answer that may be fetched now."""
    if sent.request is None or sent.subject_request_type not in HANDED_OVER or standing(sent) != COMPLETED:
        return None
    package = packages.current(sent.request.duplicate_of or sent.request)
    if package is None or not packages.can_download(package, at=at):
        return None
    assert package.released_at is not None  # noqa: S101 -- what can be downloaded was released
    return package if at < package.released_at + RESULTS_FOR else None


def _whose(names: Sequence[Name], sees: Callable[[Subject], bool]) -> Subject | None:
    """The one person whom all these name, locked; None where nobody is, or nobody whom the controller may name."""
    found = {subject.pk: one for one in names if (subject := subjects.find(one)) is not None and sees(subject)}
    if len(found) > 1:
        raise Refused("identities_differ", "These identities name several people.", field="subject_identities")
    for one in found.values():
        locked = subjects.find_locked(one)
        # looked at again: they may have moved, or been named anew, in between
        return locked if locked is not None and locked.pk in found and sees(locked) else None
    return None


def _asked(controller: Partner, said: Instruction) -> intake.Asked:
    kinds = ", ".join(sorted({one.scheme for one in said.names}))
    note = (
        f"{controller.name} instructs us as the controller, over OpenDSR ({said.regulation}).\n"
        f"Its id: {said.id}. The person asked it on {opendsr_wire.text_of(said.submitted_at)}. Named by: {kinds}."
    )
    return intake.Asked(
        rights=(RIGHTS[said.request_type],),
        note=note,
        channel=Channel.OPENDSR,
        capacity=Capacity.CONTROLLER,
        requester=Requester(controller.name),
        partner=controller.slug,
        received_at=said.submitted_at,
    )


def _settled(controller: Partner, said: Instruction, digest: str, at: datetime) -> ControllerRequest:
    """Of whom nothing is held nothing is kept either; the controller is told so in a moment."""
    sent = _kept(controller, said, digest, at, settled_status=COMPLETED)
    audit.record(
        at=at,
        by=actors.partner(controller.slug),
        action="controller_request.settle",
        of=("controller_request", sent.pk),
        details={"type": said.request_type},
    )
    callbacks = list(sent.callbacks.all())
    ControllerNotice.objects.bulk_create(
        [ControllerNotice(callback=one, status=Status.FULFILLED, changed_at=at) for one in callbacks]
    )
    return sent


def _kept(controller: Partner, said: Instruction, digest: str, at: datetime, **became: Any) -> ControllerRequest:
    request = became.get("request")
    sent = ControllerRequest.objects.create(
        partner=controller.slug,
        subject_request_id=said.id,
        subject_request_type=said.request_type,
        regulation=said.regulation,
        body_digest=digest,
        received_at=at,
        expected_at=at if request is None else _expected(request, at),
        **became,
    )
    ControllerCallback.objects.bulk_create(
        [ControllerCallback(controller_request=sent, url=url, told_status=PENDING) for url in said.callbacks]
    )
    return sent


def _expected(request: Request, received_at: datetime) -> datetime:
    """The day that the law sets; of what reached us too late for that, at once."""
    return max(legal_clock.end_of_due_day(request), received_at)


def _of(controller: Partner) -> QuerySet[ControllerRequest]:
    sent = ControllerRequest.objects.filter(partner=controller.slug)
    return sent.select_related("request__subject", "request__duplicate_of")


def _digests(message: dict[str, Any]) -> list[str]:
    """Keyed, because the message names somebody; under every key of the ring, the current one first."""
    try:
        text = json.dumps(message, sort_keys=True)
    except RecursionError:
        raise Refused("malformed_json", "The message is nested too deeply.", field="extensions") from None
    return [one.hex() for one in crypto.blind_indexes("opendsr", text)]
