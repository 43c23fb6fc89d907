"""Corrections: a rectification (GDPR Art. 16, 19) told to everybody who keeps the data, until each says it is done.

Heed removes rows and changes none: whoever keeps a dataset puts the data right and says so. What is wrong stands sealed
in the request and reaches them by staff; messages hold ids alone, and the keys are fetched over OAuth, as a removal's.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from consents.models import Partner
from downstream import holdings, naming, registry, webhooks
from downstream.holders import partners
from downstream.models import Correction, Dataset
from portal import actors, audit
from portal.errors import Conflict, DomainError, Forbidden, NotFound

REQUESTED, SETTLED = "correction.requested", "correction.settled"
_HELD_BY_PARTNERS = ("pull", "webhook")
Outcome = Correction.Outcome
State = Correction.State


@dataclass(frozen=True)
class Settled:
    """What came of saying that it is done."""

    correction: Correction
    is_repeated: bool


def ask(
    *, subject_id: uuid.UUID, request_id: uuid.UUID, since: datetime | None = None, by: str, at: datetime
) -> list[Correction]:
    """A correction for each living dataset that holds this person, or of which nobody can tell; in order of datasets.

    Every dataset is looked at, by its index where it has one, before anything is written: call it outside of a
    transaction that others wait for. Asked again for the same request, it adds what is missing and answers all; what
    was done before `since`, when the request was opened again, is asked for anew.
    """
    counts = list(holdings.count(subject_id=subject_id))
    return _write(counts, subject_id, request_id, since=since, by=by, at=at)


@transaction.atomic
def _write(
    counts: list[holdings.Count],
    subject_id: uuid.UUID,
    request_id: uuid.UUID,
    *,
    since: datetime | None,
    by: str,
    at: datetime,
) -> list[Correction]:
    rows = Correction.objects.filter(request_id=request_id).select_related("dataset")
    if since is not None:
        rows = rows.filter(Q(state=State.OPEN) | Q(settled_at__gte=since))
    known = {one.dataset_id: one for one in rows.order_by("asked_at", "pk")}
    found = []
    for one in counts:
        if one.dataset.pk in known:
            found.append(known[one.dataset.pk])
        elif one.rows or one.problem:
            found.append(_begin(one, subject_id, request_id, by=by, at=at))
    return found


def _begin(one: holdings.Count, subject_id: uuid.UUID, request_id: uuid.UUID, *, by: str, at: datetime) -> Correction:
    correction = Correction.objects.create(
        dataset=one.dataset,
        subject_id=subject_id,
        request_id=request_id,
        rows=None if one.problem else one.rows,
        reason_code=one.problem.code if one.problem else "",
        asked_by=by,
        asked_at=at,
        due_at=at + timedelta(hours=one.dataset.deadline_hours),
    )
    payload = {
        "correction": str(correction.pk),
        "dataset": one.dataset.slug,
        "deadline": correction.due_at.isoformat(),
        "url": f"{settings.SITE_URL}/api/v1/corrections/{correction.pk}",
    }
    _announce(REQUESTED, one.dataset, payload, at=at)
    details = {"dataset": one.dataset.slug}
    audit.record(at=at, by=by, action="correction.ask", of=("correction", correction.pk), details=details)
    return correction


@transaction.atomic
def settle(*, correction: Correction, by: str, at: datetime, outcome: str = Outcome.CORRECTED) -> Settled:
    """Whoever keeps the data has put it right, or found nothing to put right. The same again changes nothing.

    Raises DomainError(`unknown_outcome`), Conflict(`settled_otherwise`).
    """
    if outcome not in Outcome.values:
        known = ", ".join(Outcome.values)
        raise DomainError("unknown_outcome", f"An outcome is one of: {known}.", field="outcome")
    locked = Correction.objects.select_for_update(of=("self",)).select_related("dataset").get(pk=correction.pk)
    if locked.state == State.DONE:
        if locked.outcome != outcome:
            raise Conflict("settled_otherwise", f"This correction was settled before, as: {locked.outcome}.")
        return Settled(locked, is_repeated=True)
    locked.state, locked.outcome, locked.settled_by, locked.settled_at = State.DONE, Outcome(outcome), by, at
    locked.save()
    payload = {"correction": str(locked.pk), "dataset": locked.dataset.slug, "outcome": locked.outcome}
    _announce(SETTLED, locked.dataset, payload, at=at)
    details = {"dataset": locked.dataset.slug, "outcome": locked.outcome}
    audit.record(at=at, by=by, action="correction.settle", of=("correction", locked.pk), details=details)
    return Settled(locked, is_repeated=False)


def visible(partner: Partner) -> "QuerySet[Correction]":
    """Corrections in living datasets whose owners the partner speaks for."""
    every = Correction.objects.filter(dataset__owner__in=partner.recipients, dataset__retired_at__isnull=True)
    return every.select_related("dataset")


def get(partner: Partner, correction_id: uuid.UUID) -> Correction:
    """One of those. Raises NotFound(`unknown_correction`)."""
    found = visible(partner).filter(pk=correction_id).first()
    if found is None:
        raise NotFound("unknown_correction", "There is no such correction in a dataset that you speak for.")
    return found


def is_theirs(partner: Partner, dataset: Dataset) -> bool:
    """Whether the partner is the one to put the data right: it holds the dataset, or speaks for the owner of ours."""
    if dataset.kind in _HELD_BY_PARTNERS:
        return partners.partner_of(dataset.location) == partner.slug
    return not registry.is_remote(dataset) and dataset.owner_id in partner.recipients


def check_theirs(partner: Partner, correction: Correction) -> None:
    """Whose data it is, and who may see everyone in it. Raises Forbidden."""
    if not is_theirs(partner, correction.dataset):
        raise Forbidden("not_the_holder", "This dataset is registered as somebody else's to correct.")
    if partner.jurisdictions or correction.dataset.key_scheme not in partner.schemes:
        raise Forbidden(
            "registration_too_narrow", "Your registration does not let you see everybody who is in this dataset."
        )


def keys(*, partner: Partner, correction_id: uuid.UUID, at: datetime) -> list[str]:
    """What the dataset calls the person whose data is wrong; none once they were forgotten.

    Raises NotFound, Forbidden, ConnectorError.
    """
    correction = get(partner, correction_id)
    check_theirs(partner, correction)
    named = sorted(naming.keys([correction.subject_id], dataset=correction.dataset))
    audit.record(
        at=at,
        by=actors.partner(partner.slug),
        action="correction.read_keys",
        of=("correction", correction.pk),
        details={"keys": len(named)},
    )
    return named


def acknowledge(*, partner: Partner, correction_id: uuid.UUID, outcome: str, at: datetime) -> Settled:
    """The partner says that it is done. Raises NotFound, Forbidden, and what `settle` raises."""
    correction = get(partner, correction_id)
    check_theirs(partner, correction)
    return settle(correction=correction, outcome=outcome, by=actors.partner(partner.slug), at=at)


def _announce(event: str, dataset: Dataset, payload: dict[str, str], *, at: datetime) -> None:
    """To those who speak for the dataset's owner; nothing in it names a person."""
    webhooks.announce(event=event, payload=payload, recipients=[dataset.owner_id], at=at)
