"""What front ends of others, partners' and agents', need of a request beyond taking it in.

Each function is one call of the module that owns it.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from portal import sealed_files
from portal.errors import Conflict, DomainError
from requests_app import intake, sealing, timeline
from requests_app.models import Message, Package, PackageDownload, Request
from requests_app.states import PackageStatus

LONGEST_MESSAGE = 10_000


class MessageError(DomainError):
    """A message that cannot be taken."""


@dataclass(frozen=True)
class Said:
    """One message, opened. The body is None once the person was erased."""

    id: uuid.UUID
    from_staff: bool
    sent_at: datetime
    body: str | None


def begin_proof(*, request: Request, by: str, at: datetime) -> None:
    """Have the person asked to show who they are: a code to their address, once for a group of requests."""


def verification_url(request: Request) -> str:
    """Where the person shows who they are, or confirms that an agent may ask for them."""
    return page_url(request)


def page_url(request: Request) -> str:
    """The request's page for the person, behind their sign-in."""
    address: str = settings.SITE_URL + reverse("request-detail", args=[request.reference])
    return address


def follow_up(*, earlier: Request, asked: intake.Asked, by: str, at: datetime) -> Request:
    """An appeal or a complaint about an earlier request of the same person, who is known. Raises Conflict."""
    assert earlier.subject is not None  # noqa: S101 -- whoever calls compared it with the person
    (request,) = intake.receive(asked=asked, subject=earlier.subject, by=by, at=at)
    return request


@transaction.atomic
def write(*, request: Request, body: str, by: str, at: datetime) -> Message:
    """A message of the person to staff. Raises MessageError, Conflict(`closed`)."""
    if not body.strip() or len(body) > LONGEST_MESSAGE:
        raise MessageError("message_length", f"A message has 1 to {LONGEST_MESSAGE} characters.", field="body")
    locked = Request.objects.select_for_update(of=("self",)).select_related("subject").get(pk=request.pk)
    if locked.is_closed:
        raise Conflict("closed", "This request is closed; nobody would read it.")
    sealed = sealing.seal(locked, body.strip(), context=sealing.MESSAGE)
    made = Message.objects.create(
        request=locked, direction=Message.FROM_PERSON, author=by, sent_at=at, sealed_body=sealed
    )
    timeline.tell(locked, "message_written", by=by, at=at)
    return made


@transaction.atomic
def read(*, request: Request, at: datetime) -> list[Said]:
    """Every message, oldest first; what staff wrote counts as read."""
    waiting = request.messages.filter(direction=Message.FROM_STAFF, read_at__isnull=True)
    shown = [
        Said(
            one.pk,
            one.direction == Message.FROM_STAFF,
            one.sent_at,
            sealing.unseal(request, one.sealed_body, context=sealing.MESSAGE),
        )
        for one in request.messages.all()
    ]
    waiting.update(read_at=at)
    return shown


def package(*, request: Request, by: str, at: datetime) -> Iterator[bytes]:
    """The answer package as a stream of one ZIP; that it was fetched is recorded.

    Raises Conflict(`no_package` | `package_not_ready` | `package_expired`).
    """
    newest = Package.objects.filter(request=request).first()
    if newest is None:
        raise Conflict("no_package", "Nothing is put together for this request, or not yet.")
    if newest.status == PackageStatus.DELETED or (newest.expires_at is not None and newest.expires_at <= at):
        raise Conflict("package_expired", "The package was kept for its time and is deleted; ask for another.")
    if newest.status != PackageStatus.READY:
        raise Conflict("package_not_ready", "The package is not ready yet; look again later.")
    PackageDownload.objects.create(package=newest, at=at, actor=by)
    timeline.tell(request, "package_downloaded", by=by, at=at)
    key = sealing.unseal(request, newest.sealed_key, context=sealing.PACKAGE_KEY)
    if key is None:
        raise Conflict("package_expired", "The package was kept for its time and is deleted; ask for another.")
    return sealed_files.read(sealed_files.path_of("packages", newest.pk), key=bytes.fromhex(key))
