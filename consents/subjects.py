"""People: registering, finding, their account, forgetting. What changes meanwhile is in `amendments`."""

import re
import unicodedata
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet
from uuid_utils.compat import uuid7

from consents import jurisdictions, ledger, personal_keys
from consents.models import ContactVerification, Identifier, Subject, Suppressed
from consents.vocabulary import CONTACT_SCHEMES, Kind, Scheme
from portal import audit, crypto, sessions
from portal.errors import Conflict, DomainError, NotFound
from portal.models import User

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_SCHEME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_LONGEST = 255
_SUBJECT_FIELDS = [field.attname for field in Subject._meta.concrete_fields]
_LOCK_BY_NAME = f"""
SELECT {", ".join(f"subject.{field.column}" for field in Subject._meta.concrete_fields)}
  FROM consents_identifier AS identifier JOIN consents_subject AS subject ON subject.id = identifier.subject_id
 WHERE identifier.scheme = %s AND identifier.fingerprint = ANY(%s)
   FOR NO KEY UPDATE OF subject
"""  # noqa: S608 -- the columns' names are the model's own


class IdentifierError(DomainError):
    """A scheme or value that cannot name anyone."""


@dataclass(frozen=True)
class Name:
    """What somebody is called in one scheme, in its normal form."""

    scheme: str
    value: str

    @property
    def fingerprint(self) -> bytes:
        return crypto.blind_index(self.scheme, self.value)

    @property
    def fingerprints(self) -> list[bytes]:
        """Under every key of the ring, the current one first: what an older key wrote is found too."""
        return crypto.blind_indexes(self.scheme, self.value)

    @property
    def is_contact(self) -> bool:
        return self.scheme in CONTACT_SCHEMES


@dataclass(frozen=True)
class Newcomer:
    """A person to register."""

    names: tuple[Name, ...]
    jurisdiction: str
    locale: str = "en"
    is_minor: bool = False


# from place to place along the index: DISTINCT would read every person
_PLACES = """
WITH RECURSIVE place (code) AS (
    (SELECT jurisdiction FROM consents_subject WHERE erased_at IS NULL ORDER BY jurisdiction LIMIT 1)
    UNION ALL
    SELECT (SELECT jurisdiction FROM consents_subject
             WHERE erased_at IS NULL AND jurisdiction > place.code ORDER BY jurisdiction LIMIT 1)
      FROM place WHERE place.code IS NOT NULL
)
SELECT code FROM place WHERE code IS NOT NULL
"""


def name(scheme: str, value: str) -> Name:
    """A name in normal form. Raises IdentifierError without quoting the value."""
    value = value.strip()
    if not _SCHEME.fullmatch(scheme):
        raise IdentifierError("unknown_scheme", "A scheme is lower-case letters, digits and _.", field="scheme")
    if not value or len(value) > _LONGEST or not value.isprintable():
        raise IdentifierError(
            "invalid_identifier", f"An identifier has 1 to {_LONGEST} printable characters.", field="subject"
        )
    if scheme == Scheme.EMAIL:
        value = unicodedata.normalize("NFC", value).lower()
        if not _ADDRESS.fullmatch(value):
            raise IdentifierError("invalid_identifier", "This is not a mail address.", field="subject")
    if scheme == Scheme.PHONE:
        value = re.sub(r"[\s().-]", "", value)
        if not re.fullmatch(r"\+\d{6,15}", value):
            raise IdentifierError(
                "invalid_identifier", "Write a telephone number with its country code: +44…", field="subject"
            )
    return Name(scheme, value)


def places() -> list[str]:
    """Each jurisdiction in which somebody lives, in order (one statement, whose cost grows with the places alone)."""
    with connection.cursor() as cursor:
        cursor.execute(_PLACES)
        return [row[0] for row in cursor.fetchall()]


def find(wanted: Name) -> Subject | None:
    """The living person of that name, or None."""
    identifier = (
        Identifier.objects.select_related("subject")
        .filter(scheme=wanted.scheme, fingerprint__in=wanted.fingerprints)
        .first()
    )
    return identifier.subject if identifier else None


def find_locked(wanted: Name) -> Subject | None:
    """`find`, and the row is locked until the transaction ends: nobody is forgotten meanwhile (one statement)."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_BY_NAME, [wanted.scheme, wanted.fingerprints])
        row = cursor.fetchone()
    return Subject.from_db("default", _SUBJECT_FIELDS, row) if row else None


def was_erased(wanted: Name) -> bool:
    """Whether this name belonged to somebody who was erased."""
    return Suppressed.objects.filter(scheme=wanted.scheme, fingerprint__in=wanted.fingerprints).exists()


def get(wanted: Name) -> Subject:
    """The person of that name. Raises NotFound(`unknown_subject`)."""
    subject = find(wanted)
    if subject is None:
        raise NotFound("unknown_subject", "Nobody is registered by this identifier.", field="subject")
    return subject


@transaction.atomic
def register(*, newcomer: Newcomer, by: str, at: datetime) -> Subject:
    """Register one person; a name that is taken, or was erased, is refused.

    Raises Conflict(`identifier_taken` | `suppressed`), UnknownJurisdiction.
    """
    subjects = register_many(newcomers=[newcomer], by=by, at=at)
    if not subjects:
        if suppressed(newcomer.names):
            raise Conflict("suppressed", "This person asked to be forgotten and is not taken in again.")
        raise Conflict("identifier_taken", "Somebody is already registered by this identifier.")
    return subjects[0]


@transaction.atomic
def register_many(*, newcomers: Sequence[Newcomer], by: str, at: datetime) -> list[Subject]:
    """Register people, leaving out those already known or erased; answers the new ones.

    Raises UnknownJurisdiction, and Conflict when somebody else registers one of them at this very moment.
    """
    every_name = [one for newcomer in newcomers for one in newcomer.names]
    taken = _taken(every_name) | suppressed(every_name)
    fresh: list[tuple[Subject, Newcomer]] = []
    for newcomer in newcomers:
        if not newcomer.names or not taken.isdisjoint(newcomer.names):
            continue
        taken |= set(newcomer.names)
        fresh.append((_subject(newcomer, at), newcomer))
    subjects = [subject for subject, _ in fresh]
    if subjects:
        # whoever is new may be one whose data is in a dataset already
        codes = sorted({subject.jurisdiction for subject in subjects})
        told = ledger.append(kind=Kind.PEOPLE, by=by, at=at, details={"jurisdictions": codes, "people": len(subjects)})
        for subject in subjects:
            subject.registered_in = told.pk
    _insert(fresh)
    audit.record_many(
        at=at, by=by, action="subject.register", object_type="subject", object_ids=[s.pk for s in subjects]
    )
    return subjects


@transaction.atomic
def account_of(subject: Subject, *, at: datetime) -> User:
    """The account with which this person signs in, made at the first time. Raises Conflict(`erased`)."""
    locked = Subject.objects.select_for_update().get(pk=subject.pk)
    if locked.erased_at is not None:
        raise Conflict("erased", "This person was erased and has no account.")
    if locked.account is None:
        locked.account = User(username=f"person-{locked.pk}")
        locked.account.set_unusable_password()
        locked.account.save()
        locked.save(update_fields=["account"])
        audit.record(at=at, by=f"subject:{locked.pk}", action="account.open", of=("subject", locked.pk))
    subject.account = locked.account
    return locked.account


def contact(subject: Subject, scheme: str = Scheme.EMAIL) -> str | None:
    """The person's address, opened for sending; None when there is none or they were erased."""
    identifier = subject.identifiers.select_related("subject").filter(scheme=scheme).first()
    return personal_keys.opened(identifier) if identifier else None


def values(subject_ids: Iterable[uuid.UUID], *, scheme: str) -> dict[uuid.UUID, str]:
    """One name of each person in `scheme`, their first, to show who is meant; people without one are left out.

    Whoever looks for people's data wants `keys`: a person may have several names.
    """
    every = keys(subject_ids, scheme=scheme).items()
    # backwards, so that the first of each person stays
    return {subject_id: value for value, subject_id in reversed(every)}


def keys(subject_ids: Iterable[uuid.UUID], *, scheme: str) -> dict[str, uuid.UUID]:
    """Every name of these people in `scheme`, and whose it is, the oldest first."""
    rows = Identifier.objects.filter(subject_id__in=list(subject_ids), scheme=scheme).select_related("subject")
    opened = ((row.value or personal_keys.opened(row), row.subject_id) for row in rows.order_by("pk"))
    return {value: subject_id for value, subject_id in opened if value is not None}


def name_of(identifier: Identifier) -> Name | None:
    """The name behind an identifier, opened; None once the person was erased. Raises CryptoError."""
    value = personal_keys.opened(identifier)
    return None if value is None else Name(identifier.scheme, value)


@transaction.atomic
def forget(*, subject: Subject, by: str, at: datetime) -> None:
    """Erase a person: identifiers, account and sessions deleted, their key destroyed, keyed fingerprints kept.

    GDPR Art. 17. Doing it twice changes nothing. Ledger events stay: they name only the opaque id.
    What else stays is in docs/what-an-erasure-leaves.md.
    """
    locked = Subject.objects.select_for_update().get(pk=subject.pk)
    if locked.erased_at is not None:
        return
    # locked, so that a rotation of the index key does not change a fingerprint under our hands
    named = list(locked.identifiers.select_related("subject").select_for_update(of=("self",)))
    Suppressed.objects.bulk_create([_suppression(one, at) for one in named], ignore_conflicts=True)
    for one in named:
        # an address that waits for its code goes too
        ContactVerification.objects.filter(scheme=one.scheme, fingerprint__in=_every_fingerprint(one)).delete()
    locked.identifiers.all().delete()
    account, locked.account = locked.account, None
    locked.wrapped_key, locked.erased_at, locked.locale = None, at, "en"
    locked.save(update_fields=["account", "wrapped_key", "erased_at", "locale"])
    if account is not None:
        sessions.end_all(account_id=account.pk)
        account.delete()
    # who keeps answers by name in memory learns from the log that this name means nobody any more
    ledger.append(kind=Kind.AMENDMENT, by=by, at=at, subject=locked, details={"forgotten": True})
    audit.record(at=at, by=by, action="subject.forget", of=("subject", locked.pk))


def identifier_of(subject: Subject, one: Name) -> Identifier:
    """What lets this person be found by the name; not stored yet. Raises Conflict(`erased`)."""
    identifier = Identifier(
        subject=subject, scheme=one.scheme, fingerprint=one.fingerprint, index_key=crypto.current_index_key()
    )
    if one.is_contact:
        identifier.sealed = personal_keys.seal(subject, one.value, context=one.scheme)
    else:
        identifier.value = one.value
    return identifier


def suppressed(names: Sequence[Name]) -> set[Name]:
    """Those of the names that belonged to people who were erased."""
    return _among(names, Suppressed.objects.values_list("scheme", "fingerprint"))


def _subject(newcomer: Newcomer, at: datetime) -> Subject:
    subject_id = uuid7()
    return Subject(
        id=subject_id,
        jurisdiction=jurisdictions.check(newcomer.jurisdiction),
        locale=newcomer.locale,
        is_minor=newcomer.is_minor,
        wrapped_key=crypto.new_subject_key(subject_id=str(subject_id)),
        registered_at=at,
    )


def _suppression(identifier: Identifier, at: datetime) -> Suppressed:
    """The fingerprint that outlives the name, under the current key where it can still be made."""
    named = _named(identifier)
    fingerprint, key = (
        (named.fingerprint, crypto.current_index_key()) if named else (identifier.fingerprint, identifier.index_key)
    )
    return Suppressed(scheme=identifier.scheme, fingerprint=fingerprint, index_key=key, erased_at=at)


def _every_fingerprint(identifier: Identifier) -> list[bytes]:
    named = _named(identifier)
    return [bytes(identifier.fingerprint), *(named.fingerprints if named else [])]


def _named(identifier: Identifier) -> Name | None:
    """`name_of`, but None where it cannot be opened: an erasure must not wait for a lost key."""
    try:
        return name_of(identifier)
    except crypto.CryptoError:
        return None


def _insert(fresh: Sequence[tuple[Subject, Newcomer]]) -> None:
    identifiers = [identifier_of(subject, one) for subject, newcomer in fresh for one in newcomer.names]
    try:
        with transaction.atomic():
            Subject.objects.bulk_create([subject for subject, _ in fresh], batch_size=2_000)
            Identifier.objects.bulk_create(identifiers, batch_size=2_000)
    except IntegrityError as error:
        raise Conflict("identifier_taken", "One of these names was taken just now; try again.") from error


def _taken(names: Sequence[Name]) -> set[Name]:
    return _among(names, Identifier.objects.values_list("scheme", "fingerprint"))


def _among(names: Sequence[Name], rows: "QuerySet[Any, tuple[str, Any]]") -> set[Name]:
    """Those of the names whose fingerprint, under any key of the ring, is among the rows."""
    by_print = {(one.scheme, print_): one for one in names for print_ in one.fingerprints}
    found = rows.filter(fingerprint__in=[print_ for _, print_ in by_print])
    return {by_print[scheme, bytes(print_)] for scheme, print_ in found if (scheme, bytes(print_)) in by_print}
