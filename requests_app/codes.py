"""The codes that show whose an address is: to whom they go, how many, what was typed, and that each serves once.

Nobody can end or use up what somebody else asked for: a code that reached an address serves for whatever waits for
that address, on the page on which it is typed. So where no more mail is sent, one that was sent can be used.
"""

import hmac
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from uuid_utils.compat import uuid7

from consents import subjects
from consents.models import Identifier
from consents.subjects import Name
from consents.vocabulary import Scheme
from portal import one_time_codes
from portal.errors import DomainError
from requests_app import sealing
from requests_app.models import IdentityCheck, Request
from requests_app.proofs import BY_CODE
from requests_app.states import CheckMethod, CheckStatus

HOLDS_FOR = timedelta(minutes=15)
MOST_TRIES = 5
"""Of one asking, whatever was typed."""
MOST_CODES = 10
"""To one address that may still serve, whoever asked for them; beyond, these serve and no more mail is sent."""
MOST_CODES_OF_ONE = 5
"""The same of one client, so that one cannot fill somebody's mailbox."""
MOST_ASKED = 30
"""By one client within an hour, for whatever addresses."""
_PLACE = "request-code"


class CodeRefused(DomainError):
    """The code does not serve: mistyped, too late, tried too often, or of another address."""


class TooMany(DomainError):
    """So many were asked for that somebody may be playing with it."""


class IdentityError(DomainError):
    """A proof that cannot be asked for like this."""


@dataclass(frozen=True)
class Sent:
    """A code to be sent. It and the address are for the mail alone.

    Without a code nothing is sent: the address got as many mails as it may, and the codes in these still serve.
    """

    check_id: uuid.UUID
    contact: str = field(repr=False)
    code: str | None = field(repr=False)


def limit(client: str) -> None:
    """Count one more asking by this client. Raises TooMany."""
    if client and one_time_codes.count(f"{_PLACE}:client", client, window=timedelta(hours=1)) > MOST_ASKED:
        raise TooMany("too_many", "That was asked for too often just now. Wait an hour, then try again.")


def make(start: Request, method: str, target: Name, *, client: str, by: str, at: datetime) -> Sent:
    """Keep a fresh code for the group that begins with `start`, within the caller's transaction.

    Where the address has enough that still serve, it gets none. Raises IdentityError(`no_address`).
    """
    if target.scheme != Scheme.EMAIL:
        raise IdentityError("no_address", "Codes go to mail addresses; ask for another proof.")
    check = new_check(start, method, target, by=by, at=at, until=at + HOLDS_FOR)
    code = one_time_codes.make() if _has_room(start, method, target, client, at) else None
    if code is not None:
        check.code_digest = one_time_codes.digests(_PLACE, check.pk, code)[0]
    check.save(force_insert=True)
    return Sent(check.pk, target.value, None if code is None else one_time_codes.shown(code))


def void(check_id: uuid.UUID) -> None:
    """The mail could not be sent: the code no longer counts as one that somebody has."""
    IdentityCheck.objects.filter(pk=check_id, status=CheckStatus.PENDING).update(code_digest=None)


def first_address(start: Request) -> Name:
    """The address that was typed, else the person's own. Raises IdentityError(`no_address`)."""
    typed = sealing.unseal_json(start, start.sealed_contact, context=sealing.CONTACT)
    if typed is not None:
        return Name(*typed)
    known = subjects.contact(start.subject) if start.subject else None
    if known is None:
        raise IdentityError("no_address", "No mail address of this person is known; ask for another proof.")
    return subjects.name(Scheme.EMAIL, known)


def target_of(start: Request, method: str) -> Name | None:
    """Where a second code goes: a verified address that we know beside the first. A call needs a verified number.

    Raises IdentityError(`no_second_address` | `no_known_number`).
    """
    if method == CheckMethod.DOCUMENT:
        return None
    scheme = Scheme.PHONE if method == CheckMethod.CALLBACK else Scheme.EMAIL
    whose = Identifier.objects.none() if start.subject is None else start.subject.identifiers.all()
    known = whose.filter(scheme=scheme, verified_at__isnull=False)
    names = [subjects.name_of(one) for one in known.select_related("subject").order_by("pk")]
    if method == CheckMethod.CALLBACK:
        if not any(names):
            raise IdentityError("no_known_number", "No verified telephone number is known.", field="method")
        return None
    first = first_address(start)
    second = next((one for one in names if one is not None and one != first), None)
    if second is None:
        raise IdentityError("no_second_address", "No second verified address is known.", field="method")
    return second


def new_check(
    request: Request, method: str, target: Name | None, *, by: str, at: datetime, until: datetime
) -> IdentityCheck:
    """A proof that is asked for, not yet saved; `target` is where its codes go."""
    check = IdentityCheck(id=uuid7(), request=request, method=method, asked_by=by, asked_at=at, expires_at=until)
    if target is not None:
        check.sealed_target = sealing.seal_json(request, [target.scheme, target.value], context=sealing.TARGET)
    return check


@transaction.atomic
def is_right(check_id: uuid.UUID, code: str, at: datetime) -> bool:
    """Whether the code serves; each try counts, also where the transaction around it fails later."""
    rows = IdentityCheck.objects.select_for_update(of=("self",)).select_related("request")
    check = rows.filter(pk=check_id, method__in=BY_CODE).first()
    if check is None or not _may_try(check, at):
        return False
    IdentityCheck.objects.filter(pk=check.pk).update(tries=F("tries") + 1)
    return _match([check, *_living(check.request, check.method, at)], code) is not None


def use(asked: IdentityCheck, start: Request, code: str, at: datetime) -> IdentityCheck:
    """The asking, locked, whose code is used up now. Raises CodeRefused where another was first."""
    # in one order, so that two who type each other's codes wait for one another only once
    either = Q(pk=asked.pk) | Q(pk__in=_living(start, asked.method, at).values("pk"))
    held = list(IdentityCheck.objects.select_for_update(of=("self",)).filter(either).order_by("pk"))
    mine = next((one for one in held if one.pk == asked.pk), None)
    used = _match(held, code)
    if mine is None or used is None or mine.status != CheckStatus.PENDING:
        raise refused()
    IdentityCheck.objects.filter(pk=used.pk).update(code_digest=None)
    return mine


def refused() -> CodeRefused:
    """One refusal for every reason."""
    return CodeRefused("code_refused", "This code does not serve: it is mistyped, or too old. Ask for a new one.")


def _has_room(start: Request, method: str, target: Name, client: str, at: datetime) -> bool:
    """Whether one more mail may go to this address; if not, one that it got can still be used.

    The window of the counter is as long as a code holds, so it ends before the first code counted in it does.
    """
    with connection.cursor() as cursor:
        # who asks for the same address at once is counted one after the other
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(target.fingerprint[:8], signed=True)])
    key = f"{method} {target.fingerprint.hex()} {client}"
    if client and one_time_codes.count(f"{_PLACE}:contact", key, window=HOLDS_FOR) > MOST_CODES_OF_ONE:
        return False
    return _living(start, method, at).count() < MOST_CODES


def _living(request: Request, method: str, at: datetime) -> "QuerySet[IdentityCheck]":
    """Codes sent for the same to the same person or address that may still serve."""
    living = IdentityCheck.objects.filter(method=method, code_digest__isnull=False, expires_at__gt=at)
    if request.subject_id is not None:
        return living.filter(request__subject_id=request.subject_id)
    if request.contact_fingerprint is None:
        return living.none()
    return living.filter(request__contact_fingerprint=request.contact_fingerprint)


def _may_try(check: IdentityCheck, at: datetime) -> bool:
    return check.status == CheckStatus.PENDING and check.expires_at > at and check.tries < MOST_TRIES


def _match(checks: Iterable[IdentityCheck], code: str) -> IdentityCheck | None:
    """The one whose code was typed. All are looked at, so that the time taken tells nothing."""
    typed, found = one_time_codes.typed(code), None
    for one in checks:
        kept = bytes(one.code_digest or b"")
        if any(hmac.compare_digest(digest, kept) for digest in one_time_codes.digests(_PLACE, one.pk, typed)):
            found = one
    return found
