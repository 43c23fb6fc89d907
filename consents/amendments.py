"""What changes about a registered person: where they live, their age, further names, which addresses are proven.

Each but the last is an entry of the log, because decisions may change with it.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import IntegrityError, transaction

from consents import jurisdictions, ledger, subjects
from consents.models import Identifier, LedgerEvent, Subject
from consents.subjects import Name
from consents.vocabulary import Kind
from portal import actors, audit
from portal.errors import Conflict


@transaction.atomic
def amend(
    *, subject: Subject, jurisdiction: str | None = None, is_minor: bool | None = None, by: str, at: datetime
) -> LedgerEvent | None:
    """Correct where a person lives or whether they are a minor; the log keeps what was (GDPR Art. 16).

    Answers None when nothing differs. Raises UnknownJurisdiction, Conflict(`erased`).
    """
    locked = _living(subject)
    place = locked.jurisdiction if jurisdiction is None else jurisdictions.check(jurisdiction)
    minor = locked.is_minor if is_minor is None else is_minor
    was: dict[str, object] = {}
    if place != locked.jurisdiction:
        was["jurisdiction"] = locked.jurisdiction
    if minor != locked.is_minor:
        was["is_minor"] = locked.is_minor
    if not was:
        return None
    for changed in (locked, subject):
        changed.jurisdiction, changed.is_minor = place, minor
        # never backwards: a slower clock must not hide that a faster one wrote something
        changed.amended_at = max(at, locked.amended_at or at)
    locked.save(update_fields=["jurisdiction", "is_minor", "amended_at"])
    event = ledger.append(kind=Kind.AMENDMENT, by=by, at=at, subject=locked, details={"was": was})
    audit.record(at=at, by=by, action="subject.amend", of=("subject", locked.pk), details={"changed": sorted(was)})
    return event


@transaction.atomic
def link(*, subject: Subject, names: Sequence[Name], by: str, at: datetime) -> LedgerEvent | None:
    """Let a person be found by further names; those they have already are left. Answers None when none is new.

    Raises Conflict(`erased` | `suppressed` | `identifier_taken`).
    """
    locked = _living(subject)
    owners = {one: subjects.find(one) for one in names}
    if any(owner is not None and owner.pk != locked.pk for owner in owners.values()):
        raise Conflict("identifier_taken", "Somebody else is registered by this identifier.")
    # second: of whoever is forgotten right now, the name is found or else its fingerprint
    if subjects.suppressed(names):
        raise Conflict("suppressed", "This name belonged to a person who asked to be forgotten.")
    fresh = [one for one, owner in owners.items() if owner is None]
    if not fresh:
        return None
    try:
        with transaction.atomic():
            Identifier.objects.bulk_create([subjects.identifier_of(locked, one) for one in fresh])
    except IntegrityError as error:
        raise Conflict("identifier_taken", "One of these names was taken just now; try again.") from error
    schemes = sorted(one.scheme for one in fresh)
    event = ledger.append(kind=Kind.AMENDMENT, by=by, at=at, subject=locked, details={"linked": schemes})
    audit.record(at=at, by=by, action="subject.link", of=("subject", locked.pk), details={"schemes": schemes})
    return event


def mark_verified(*, subject: Subject, named: Name, at: datetime) -> None:
    """The person has shown that this address is theirs, within the caller's transaction."""
    mine = Identifier.objects.filter(subject=subject, scheme=named.scheme, fingerprint__in=named.fingerprints)
    if mine.filter(verified_at__isnull=True).update(verified_at=at):
        audit.record(
            at=at,
            by=actors.subject(subject.pk),
            action="identifier.verify",
            of=("subject", subject.pk),
            details={"scheme": named.scheme},
        )


def _living(subject: Subject) -> Subject:
    """The person, locked. Raises Conflict(`erased`)."""
    locked = Subject.objects.select_for_update().get(pk=subject.pk)
    if locked.erased_at is not None:
        raise Conflict("erased", "This person was erased; nothing more is recorded about them.")
    return locked
