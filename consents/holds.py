"""Holds: opening one denies everyone in scope at once, lifting one takes two people."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from consents import jurisdictions, ledger, purposes
from consents.models import Hold, LedgerEvent, RegulatorCase, Subject
from consents.vocabulary import ANYWHERE, Kind
from portal import audit
from portal.errors import Conflict, DomainError


class HoldError(DomainError):
    """A hold that cannot be opened as asked."""


@dataclass(frozen=True)
class HoldScope:
    """Whom and what a hold pauses; an empty list means all.

    With `data_from` (from then on) or `data_until` (before then) it pauses only data made in that span.
    """

    purposes: Sequence[str] = field(default_factory=list)
    jurisdictions: Sequence[str] = field(default_factory=list)
    recipients: Sequence[str] = field(default_factory=list)
    data_from: datetime | None = None
    data_until: datetime | None = None


def scope_of(hold: Hold) -> HoldScope:
    """The scope that this hold was opened with."""
    return HoldScope(hold.purposes, hold.jurisdictions, hold.recipients, hold.data_from, hold.data_until)


def check(scope: HoldScope, *, reason: str) -> HoldScope:
    """The scope in normal form. Raises HoldError, NotFound, UnknownJurisdiction."""
    if not reason.strip():
        raise HoldError("reason_missing", "Say why: a regulator or a colleague will ask.", field="reason")
    for slug in scope.purposes:
        purposes.get(slug)
    for slug in scope.recipients:
        purposes.check_recipient(slug)
    codes = [jurisdictions.check_scope(code) for code in scope.jurisdictions]
    start, end = scope.data_from, scope.data_until
    if any(moment is not None and moment.tzinfo is None for moment in (start, end)):
        raise HoldError("time_without_zone", "State the span of data with its time zone.", field="data_from")
    if start is not None and end is not None and end <= start:
        raise HoldError("span_ends_before_it_begins", "The span of data ends after it begins.", field="data_until")
    return HoldScope(list(scope.purposes), codes, list(scope.recipients), start, end)


def purposes_of(scope: HoldScope, every: Iterable[str]) -> list[str]:
    """Those of the purposes that a hold of this scope pauses: the ones it names and their parts."""
    if not scope.purposes:
        return list(every)
    return [slug for slug in every if any(purposes.covers(one, slug) for one in scope.purposes)]


def over_spans(*, purposes_served: Iterable[str], recipient: str, at: datetime) -> list[Hold]:
    """Holds in force that pause only data made in a span of time, for any of these purposes and this recipient."""
    wanted = sorted({one for slug in purposes_served for one in purposes.lineage(slug)})
    return list(
        Hold.objects.in_force(at)
        .filter(Q(data_from__isnull=False) | Q(data_until__isnull=False))
        .filter(Q(purposes=[]) | Q(purposes__overlap=wanted))
        .filter(Q(recipients=[]) | Q(recipients__contains=[recipient]))
        .order_by("opened_at", "id")
    )


def standing_since(at: datetime) -> list[Hold]:
    """Holds that are open, or were lifted after `at`; also one that a clock ahead of ours has opened. Oldest first."""
    standing = Hold.objects.filter(Q(lifted_at__isnull=True) | Q(lifted_at__gt=at))
    return list(standing.order_by("opened_at", "id"))


def bears_on(hold: Hold, *, purpose: str, recipients: Iterable[str]) -> bool:
    """Whether it pauses this purpose for any of these recipients, wherever and of whatever data."""
    for_purpose = not hold.purposes or not set(purposes.lineage(purpose)).isdisjoint(hold.purposes)
    return for_purpose and (not hold.recipients or not set(recipients).isdisjoint(hold.recipients))


def is_of_everyone(hold: Hold) -> bool:
    """Whether it pauses all data of people everywhere, so that nothing is left that could be used."""
    return not hold.has_window and (not hold.jurisdictions or ANYWHERE in hold.jurisdictions)


def people_in(scope: HoldScope) -> int:
    """How many living people a hold of this scope would pause."""
    living = Subject.objects.filter(erased_at__isnull=True)
    if not scope.jurisdictions:
        return living.count()
    codes = living.values_list("jurisdiction", flat=True).distinct()
    covered = [code for code in codes if any(jurisdictions.covers(one, code) for one in scope.jurisdictions)]
    return living.filter(jurisdiction__in=covered).count()


def covers_place(hold: Hold, code: str) -> bool:
    """Whether people who live there are in the hold's scope."""
    return not hold.jurisdictions or any(jurisdictions.covers(one, code) for one in hold.jurisdictions)


@transaction.atomic
def open(  # noqa: A001 -- holds.open reads as the field says it
    *,
    scope: HoldScope,
    reason: str,
    by: str,
    at: datetime,
    authority: str = "",
    case: RegulatorCase | None = None,
) -> Hold:
    """Open a hold: from the commit on, decisions in scope deny.

    Raises HoldError, NotFound, and Conflict where the case is closed.
    """
    scope = check(scope, reason=reason)
    if case is not None and not case.is_open:
        raise Conflict("case_closed", "This case is closed; open another, or leave it out.", field="case")
    hold = Hold.objects.create(
        purposes=list(scope.purposes),
        jurisdictions=list(scope.jurisdictions),
        recipients=list(scope.recipients),
        authority=authority,
        reason=reason.strip(),
        data_from=scope.data_from,
        data_until=scope.data_until,
        case=case,
        opened_at=at,
        opened_by=by,
    )
    ledger.append(kind=Kind.HOLD_OPENED, by=by, at=at, details=_details(hold))
    audit.record(at=at, by=by, action="hold.open", of=("hold", hold.pk), details=_details(hold))
    return hold


@transaction.atomic
def ask_to_lift(*, hold: Hold, by: str, at: datetime) -> None:
    """The first of two people asks for the hold to be lifted. Raises Conflict."""
    hold = _lock(hold)
    if hold.lift_asked_at is not None:
        raise Conflict("lift_already_asked", "Lifting was asked for already; a second person lifts it.")
    hold.lift_asked_at, hold.lift_asked_by = at, by
    hold.save(update_fields=["lift_asked_at", "lift_asked_by"])
    audit.record(at=at, by=by, action="hold.ask_to_lift", of=("hold", hold.pk))


@transaction.atomic
def lift(*, hold: Hold, by: str, at: datetime) -> None:
    """The second person lifts the hold: decisions return, removed rows do not. Raises Conflict."""
    hold = _lock(hold)
    if hold.lift_asked_at is None:
        raise Conflict("lift_not_asked", "Two people are needed: first one asks to lift the hold.")
    if hold.lift_asked_by == by:
        raise Conflict("second_person_needed", "You asked for it; somebody else has to lift this hold.")
    hold.lifted_at, hold.lifted_by = at, by
    hold.save(update_fields=["lifted_at", "lifted_by"])
    ledger.append(kind=Kind.HOLD_LIFTED, by=by, at=at, details=_details(hold))
    audit.record(at=at, by=by, action="hold.lift", of=("hold", hold.pk), details=_details(hold))


def opening_event(hold: Hold) -> uuid.UUID:
    """The ledger event that opened this hold."""
    opened = LedgerEvent.objects.filter(kind=Kind.HOLD_OPENED, recorded_at=hold.opened_at)
    return opened.get(details__hold=str(hold.pk)).pk


def _lock(hold: Hold) -> Hold:
    locked = Hold.objects.select_for_update().get(pk=hold.pk)
    if not locked.is_open:
        raise Conflict("hold_lifted", "This hold was lifted already.")
    return locked


def _details(hold: Hold) -> dict[str, object]:
    """Every field of the hold, so that the log commits to its content."""
    return {
        "hold": str(hold.pk),
        "purposes": hold.purposes,
        "jurisdictions": hold.jurisdictions,
        "recipients": hold.recipients,
        "data_from": hold.data_from.isoformat() if hold.data_from else None,
        "data_until": hold.data_until.isoformat() if hold.data_until else None,
        "authority": hold.authority,
        "reason": hold.reason,
        "case": str(hold.case_id) if hold.case_id else None,
    }
