"""What people without an account say, once a code sent to their address has shown that it is theirs.

Asking looks nobody up: the same is done and sent for a known, an unknown and an erased address. Who it is turns out
only after the code was typed, and what is answered then is the same for all. What waits is sealed, one row per asking,
and deleted when it was used, tried too often or out of time. Nobody can end what somebody else asked for.
"""

import hmac
import json
import uuid
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F
from uuid_utils.compat import uuid7

from consents import amendments, jurisdictions, ledger, purposes, subjects
from consents.ledger import Origin, Scope
from consents.models import ContactVerification, LedgerEvent, Subject
from consents.subjects import Name, Newcomer
from consents.vocabulary import Action, Scheme, Source
from portal import actors, audit, crypto, one_time_codes
from portal.errors import Conflict, DomainError

HOLDS_FOR = timedelta(minutes=15)
MOST_TRIES = 5
MOST_MAILS_OF_ONE = 5
"""To one address within `_WINDOW`, asked for by one client."""
MOST_MAILS = 20
"""To one address within `_WINDOW`, whoever asks; so that one client cannot use them up for all others."""
MOST_WAITING = 20
"""For one address at once, whatever became of the counters."""
MOST_ASKED = 30
"""By one client within `_WINDOW`, for whatever addresses."""
_WINDOW = timedelta(hours=1)
SAYINGS = (Action.OBJECT, Action.GRANT)
"""An objection, and taking it back by a yes."""
_CONTEXT = b"contact-verification"
_PLACE = "contact-verification-code"


class CodeRefused(DomainError):
    """The code does not serve: mistyped, too late, tried too often, or asked for in another browser."""


class TooMany(DomainError):
    """So many were asked for that somebody may be playing with it."""


@dataclass(frozen=True)
class Wish:
    """What somebody wants to say about themselves, before their contact is verified."""

    action: Action
    purposes: tuple[str, ...]
    jurisdiction: str
    is_minor: bool = False
    content: str = ""
    locale: str = "en"
    notices: dict[str, str] = field(default_factory=dict)
    """The notice shown, by purpose."""


@dataclass(frozen=True)
class Sent:
    """A code to be sent. It and the address are for the mail alone.

    Without a code nothing is sent: the address got as many mails as it may, and the codes in these still serve.
    """

    id: uuid.UUID
    contact: str = field(repr=False)
    code: str | None = field(repr=False)


def ask(*, contact: str, wish: Wish, client: str, at: datetime) -> Sent:
    """Keep the wish, sealed, until the code is typed; what waits for the same contact already stays.

    `client` tells callers apart (a network address) and is kept only as a keyed digest, for an hour. Raises
    IdentifierError, TooMany, ChoiceError, NotFound(`unknown_purpose`), UnknownJurisdiction.
    """
    wanted = subjects.name(Scheme.EMAIL, contact)
    _check(wish)
    return _keep(wanted, wish, client, at)


def ask_again(*, verification_id: uuid.UUID, client: str, at: datetime) -> Sent:
    """The same with a new code; `withdraw` the one before once it is sent.

    Raises CodeRefused where nothing waits any more, TooMany.
    """
    waiting = ContactVerification.objects.filter(pk=verification_id, expires_at__gt=at).first()
    if waiting is None:
        raise _refused()
    contact, wish = _opened(waiting)
    return _keep(subjects.name(waiting.scheme, contact), wish, client, at)


def confirm(*, verification_id: uuid.UUID, code: str, at: datetime) -> list[LedgerEvent]:
    """Record what was said, one event for each purpose, and forget what waited. Raises CodeRefused.

    Whoever is not known is registered by this contact alone. About somebody who was erased nothing is kept: the
    events are then of a person without a name (see `_nobody`).
    """
    if not _is_right(verification_id, code, at):
        raise _refused()
    try:
        return _carry_out(verification_id, at)
    except Conflict:
        # registered or erased by somebody else at this very moment; now that is known
        return _carry_out(verification_id, at)


def forget_expired(*, at: datetime) -> int:
    """Delete what nobody confirmed in time; answers how many."""
    deleted, _ = ContactVerification.objects.filter(expires_at__lte=at).delete()
    return deleted


def withdraw(*, verification_id: uuid.UUID) -> None:
    """Forget what waits, because its code could not be sent, or a newer one was sent in its place."""
    ContactVerification.objects.filter(pk=verification_id).delete()


def _check(wish: Wish) -> None:
    if wish.action not in SAYINGS:
        raise ledger.ChoiceError("unknown_action", "Without an account one objects, or takes an objection back.")
    if not wish.purposes:
        raise ledger.ChoiceError("purpose_missing", "Say what it is about.", field="purposes")
    for slug in wish.purposes:
        purposes.get(slug)
    jurisdictions.check(wish.jurisdiction)


def _keep(wanted: Name, wish: Wish, client: str, at: datetime) -> Sent:
    _limit("client", client, MOST_ASKED)
    _limit("contact-and-client", f"{wanted.fingerprint.hex()} {client}", MOST_MAILS_OF_ONE)
    code = one_time_codes.make()
    waiting = ContactVerification(
        id=uuid7(),
        scheme=wanted.scheme,
        fingerprint=wanted.fingerprint,
        asked_at=at,
        expires_at=at + HOLDS_FOR,
    )
    waiting.code_digest = one_time_codes.digests(_PLACE, waiting.pk, code)[0]
    waiting.sealed = crypto.seal(json.dumps([wanted.value, asdict(wish)]).encode(), context=_context(waiting.pk))
    if _count("contact", wanted.fingerprint.hex()) > MOST_MAILS or not _wait(waiting, wanted, at):
        return Sent(waiting.pk, wanted.value, None)
    return Sent(waiting.pk, wanted.value, one_time_codes.shown(code))


@transaction.atomic
def _wait(waiting: ContactVerification, wanted: Name, at: datetime) -> bool:
    """Whether there was room for one more."""
    with connection.cursor() as cursor:
        # who asks for the same contact at once is counted one after the other
        lock = int.from_bytes(wanted.fingerprint[:8], signed=True)
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock])
    others = ContactVerification.objects.filter(scheme=wanted.scheme, fingerprint__in=wanted.fingerprints)
    if others.filter(expires_at__gt=at).count() >= MOST_WAITING:
        return False
    waiting.save(force_insert=True)
    return True


def _limit(kind: str, key: str, most: int) -> None:
    if _count(kind, key) > most:
        raise TooMany("too_many", "That was asked for too often just now. Wait an hour, then try again.")


def _count(kind: str, key: str) -> int:
    return one_time_codes.count(f"contact-verification:{kind}", key, window=_WINDOW)


@transaction.atomic
def _is_right(verification_id: uuid.UUID, code: str, at: datetime) -> bool:
    """Whether this is the code; each try counts, also where the transaction around it fails later."""
    waiting = ContactVerification.objects.select_for_update().filter(pk=verification_id).first()
    if waiting is None:
        return False
    if waiting.expires_at <= at or waiting.tries >= MOST_TRIES:
        waiting.delete()
        return False
    ContactVerification.objects.filter(pk=waiting.pk).update(tries=F("tries") + 1)
    expected = bytes(waiting.code_digest)
    typed = one_time_codes.digests(_PLACE, waiting.pk, one_time_codes.typed(code))
    return any(hmac.compare_digest(one, expected) for one in typed)


@transaction.atomic
def _carry_out(verification_id: uuid.UUID, at: datetime) -> list[LedgerEvent]:
    waiting = ContactVerification.objects.select_for_update().filter(pk=verification_id).first()
    if waiting is None:
        # the same code in two tabs: the other was first
        raise _refused()
    contact, wish = _opened(waiting)
    waiting.delete()
    wanted = subjects.name(waiting.scheme, contact)
    if subjects.was_erased(wanted):
        return _nobody(wish, at)
    subject = subjects.find(wanted) or subjects.register(
        newcomer=Newcomer((wanted,), wish.jurisdiction, wish.locale, wish.is_minor), by=actors.SYSTEM, at=at
    )
    amendments.mark_verified(subject=subject, named=wanted, at=at)
    return _record(subject, wish, at, evidence=_evidence(wish, waiting, at))


def _record(subject: Subject, wish: Wish, at: datetime, *, evidence: str) -> list[LedgerEvent]:
    by = actors.subject(subject.pk)
    return [
        ledger.record(
            subject=subject,
            scope=Scope(slug),
            action=Action(wish.action),
            origin=Origin(Source.SELF_SERVICE, by=by, notice=wish.notices.get(slug, ""), evidence=evidence),
            at=at,
        )
        for slug in wish.purposes
    ]


def _nobody(wish: Wish, at: datetime) -> list[LedgerEvent]:
    """Events of a person without any name, who is erased at once.

    The contact belonged to somebody who was erased, so it is suppressed and its data is refused for good: the
    objection counts already. It is recorded and answered with a reference like anybody's, and tells nothing.
    """
    subject_id = uuid7()
    nobody = Subject.objects.create(
        id=subject_id,
        jurisdiction=jurisdictions.check(wish.jurisdiction),
        wrapped_key=crypto.new_subject_key(subject_id=str(subject_id)),
        registered_at=at,
    )
    events = _record(nobody, wish, at, evidence="")
    # no erasure of anybody, which datasets would have to hear of: there is no name to look for
    Subject.objects.filter(pk=nobody.pk).update(wrapped_key=None, erased_at=at)
    audit.record(at=at, by=actors.SYSTEM, action="subject.nobody", of=("subject", nobody.pk))
    return events


def _evidence(wish: Wish, waiting: ContactVerification, at: datetime) -> str:
    """How it is known that the person said it, and what they told of themselves; sealed under their key."""
    lines = [
        f"Contact verified by a code sent by mail at {waiting.asked_at:%Y-%m-%dT%H:%M:%SZ},"
        f" typed at {at:%Y-%m-%dT%H:%M:%SZ}.",
        f"Lives in {wish.jurisdiction} by their own account.",
        *(["A minor by their own account."] if wish.is_minor else []),
        *([f"Content they name: {wish.content}"] if wish.content else []),
    ]
    return "\n".join(lines)


def _opened(waiting: ContactVerification) -> tuple[str, Wish]:
    contact, kept = json.loads(crypto.unseal(waiting.sealed, context=_context(waiting.pk)))
    return contact, Wish(**{**kept, "action": Action(kept["action"]), "purposes": tuple(kept["purposes"])})


def _context(pk: uuid.UUID) -> bytes:
    return _CONTEXT + pk.bytes


def _refused() -> CodeRefused:
    return CodeRefused("code_refused", "This code does not serve: it is mistyped, or too old. Ask for a new one.")
