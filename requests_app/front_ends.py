"""What front ends of others, partners' and agents', need of a request beyond taking it in."""

from collections.abc import Iterator
from datetime import date, datetime

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from portal.errors import Conflict
from requests_app import codes, identity, intake, letters, messages, packages
from requests_app.codes import IdentityError, TooMany
from requests_app.messages import Shown
from requests_app.models import Message, Request

LETTERS_TASK = letters.SEND_TASK


def begin_proof(*, request: Request, by: str, at: datetime) -> None:
    """Have the person asked to show who they are: a code to their address, once for a group of requests.

    Where no code can be sent the request waits all the same: staff choose another proof, or it runs out.
    """
    try:
        with transaction.atomic():
            ask_code(request=request, by=by, at=at)
    except (IdentityError, TooMany):
        return


@transaction.atomic
def ask_code(*, request: Request, by: str, at: datetime, client: str = "") -> None:
    """Send a code to whose request it is; `client` is who asks, as in `identity.ask_code`. Raises what that raises."""
    sent = identity.ask_code(request=request, by=by, at=at, client=client)
    if sent.code is not None:
        extra = {"code": sent.code, "address": sent.contact}
        letters.write(request=request, code="code", at=at, extra=extra)


def confirm(*, request: Request, code: str, at: datetime) -> list[Request]:
    """Show by a code from the mail who asks; answers the requests made in one go. Raises CodeRefused."""
    newest = identity.to_type(request, at=at)
    if newest is None:
        raise codes.refused()
    return identity.check_code(check_id=newest.pk, code=code, at=at)


def verification_url(request: Request) -> str:
    """Where the person shows who they are, or confirms that an agent may ask for them."""
    address: str = settings.SITE_URL + reverse("request-confirm", args=[request.reference])
    return address


def page_url(request: Request) -> str:
    """The request's page for the person, behind their sign-in."""
    address: str = settings.SITE_URL + reverse("request-detail", args=[request.reference])
    return address


def follow_up(*, earlier: Request, asked: intake.Asked, by: str, at: datetime) -> Request:
    """An appeal or a complaint about an earlier request of the same person, who is known. Raises Conflict."""
    assert earlier.subject is not None  # noqa: S101 -- whoever calls compared it with the person
    (request,) = intake.receive(asked=asked, subject=earlier.subject, by=by, at=at)
    return request


def write(*, request: Request, body: str, by: str, at: datetime) -> Message:
    """A message of the person to staff; see `messages.write`."""
    return messages.write(request=request, body=body, by=by, at=at)


def read(*, request: Request, at: datetime) -> list[Shown]:
    """Every message, oldest first; what staff wrote counts as read."""
    return messages.read(request=request, by_person=True, at=at)


def package(*, request: Request, by: str, at: datetime) -> Iterator[bytes]:
    """The answer package as a stream of one ZIP; that it was fetched is recorded.

    Raises Conflict(`no_package` | `not_ready` | `package_expired` | `package_deleted`), NotFound(`package_gone`).
    """
    current = packages.current(request)
    if current is None:
        raise Conflict("no_package", "Nothing is put together for this request, or not yet.")
    return packages.download(package=current, by=by, at=at)


def waits_until(request: Request, *, at: datetime) -> date | None:
    """Of an erasure: the day until which it waits, at the latest, for the person to fetch what lies ready."""
    wait = packages.wait_of(request, at=at)
    return wait.ends_on if wait is not None else None


def let_go(*, request: Request, by: str, at: datetime) -> int:
    """The person needs it no longer, or no answer that this erasure waits for; see `packages.let_go`."""
    return packages.let_go(request=request, by=by, at=at)
