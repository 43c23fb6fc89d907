"""Permits: the signed yes to a training run, or every reason against it; and what becomes of a permit.

A permit is for its hours and as long as no hold is opened in its scope. That is derived from the holds whenever
somebody looks, so it is so from the hold's commit on; a turn writes it down besides, for those who are told.
"""

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from uuid_utils.compat import uuid7

from consents import checkpoints, holds, purposes, sequencer
from consents.holds import HoldScope
from consents.models import Hold
from downstream import readiness, registry, training_runs, webhooks
from downstream.models import Dataset, DatasetVersion, Permit, PermitEvent, PermitRefusal, RunInput
from downstream.readiness import Pause, Reason, Use
from portal import actors, audit, signing
from portal.errors import Conflict, DomainError, NotFound

TYPE = "heed-permit+jwt"
"""The `typ` of a permit's JWS."""
VALID, VOID, EXPIRED, COMPLETED = "valid", "void", "expired", "completed"
_TOLD_FOR = timedelta(days=1)
"""So long after its end a permit is still looked at by the turn, should beat have been away."""


class PermitRefused(Conflict):
    """The run may not begin; `reasons` are all there are."""

    def __init__(self, reasons: Sequence[Reason]) -> None:
        super().__init__("not_permitted", f"This run may not begin, for {len(reasons)} reasons; see `reasons`.")
        self.reasons = tuple(reasons)


@dataclass(frozen=True)
class Asked:
    """A run as it is asked for; `datasets` are pairs of slug and version, None for the newest."""

    run: str
    model: str
    purpose: str
    recipient: str
    datasets: tuple[tuple[str, int | None], ...]

    @property
    def use(self) -> Use:
        return Use(self.purpose, self.recipient)


@dataclass(frozen=True)
class Standing:
    """What has become of a permit, since when and why; `stale` are reasons for which it would not be given today."""

    state: str
    since: datetime
    reason: Reason | None = None
    hold: Hold | None = None
    stale: tuple[Reason, ...] = ()


@transaction.atomic
def issue(*, asked: Asked, owners: Collection[str], partner: str, at: datetime) -> Permit:
    """Give a permit. `owners` are the recipients that the partner speaks for; other datasets are unknown to it.

    Raises PermitRefused, NotFound(`unknown_purpose`), DomainError(`dataset_twice`).
    """
    purposes.check(asked.purpose)
    _check_once(asked.datasets)
    # before anything is looked at: whatever commits meanwhile makes the permit void
    paused = readiness.pauses(asked.use, at=at)
    model = training_runs.model_named(asked.model, owner=asked.recipient, at=at)
    versions, reasons = _look(asked, owners, paused, at=at)
    if model.retired_at is not None:
        reasons.append(Reason("model_retired", "This model is retired; train one of another name."))
    if reasons:
        raise PermitRefused(readiness.distinct(reasons))
    run = training_runs.begin(
        name=asked.run, model=model, purpose=asked.purpose, partner=partner, versions=versions, at=at
    )
    permit = Permit(
        id=uuid7(),
        run=run,
        recipients=[asked.recipient],
        holds_known=[one.hold.pk for one in paused],
        issued_at=at,
        expires_at=at + settings.PERMIT_LASTS,
        position=sequencer.head(),
    )
    permit.jws = signing.seal_jws(_claims(permit, versions), typ=TYPE)
    permit.save(force_insert=True)
    details = {"run": str(run.pk), "model": str(model.pk), "purpose": asked.purpose, "datasets": _named(versions)}
    audit.record(at=at, by=actors.partner(partner), action="permit.issue", of=("permit", permit.pk), details=details)
    return permit


@transaction.atomic
def note_refusal(*, asked: Asked, refused: PermitRefused, partner: str, at: datetime) -> PermitRefusal:
    """Write down that it was asked for and refused, once the transaction of the asking is rolled back."""
    refusal = PermitRefusal.objects.create(
        run_name=asked.run,
        model_name=asked.model,
        purpose=asked.purpose,
        recipient=asked.recipient,
        partner=partner,
        datasets=[{"dataset": slug, "version": version} for slug, version in asked.datasets],
        reasons=[asdict(one) for one in refused.reasons],
        refused_at=at,
    )
    details = {"codes": sorted({one.code for one in refused.reasons})}
    audit.record(
        at=at, by=actors.partner(partner), action="permit.refuse", of=("permit_refusal", refusal.pk), details=details
    )
    return refusal


def find(permit_id: uuid.UUID, *, owners: Collection[str]) -> Permit:
    """The permit, if it is for a model of one of these recipients. Raises NotFound(`unknown_permit`)."""
    permit = Permit.objects.select_related("run__model").filter(pk=permit_id).first()
    if permit is None or permit.run.model.owner_id not in owners:
        raise NotFound("unknown_permit", "There is no such permit.", field="id")
    return permit


def standing(permit: Permit, *, at: datetime) -> Standing:
    """What has become of this permit by `at`, and whether its datasets would still be permitted."""
    found = standing_of([permit], at=at)[permit.pk]
    if found.state != VALID:
        return found
    use = Use(permit.run.purpose, permit.run.model.owner_id)
    stale, paused = list(readiness.of_rules(use, at=at)), readiness.pauses(use, at=at)
    for version in _versions(permit):
        stale += [*readiness.of_dataset(version.dataset, use), *readiness.of_version(version, use, paused, at=at)]
    return Standing(VALID, found.since, stale=tuple(readiness.distinct(stale)))


def standing_of(permits: Iterable[Permit], *, at: datetime) -> dict[uuid.UUID, Standing]:
    """The same of many, without looking at their datasets: one query for all of them, beside their runs."""
    every = list(permits)
    if not every:
        return {}
    standing_holds = holds.standing_since(min(permit.issued_at for permit in every))
    return {permit.pk: _standing(permit, standing_holds, at) for permit in every}


def ended_by(scope: HoldScope, *, at: datetime) -> int:
    """How many permits that are valid now a hold of this scope would make void."""
    hold = Hold(purposes=list(scope.purposes), recipients=list(scope.recipients))
    current = list(Permit.objects.filter(expires_at__gt=at).select_related("run"))
    states = standing_of(current, at=at)
    valid = [permit for permit in current if states[permit.pk].state == VALID]
    return sum(holds.bears_on(hold, purpose=one.run.purpose, recipients=one.recipients) for one in valid)


@transaction.atomic
def mark_void(*, at: datetime) -> list[PermitEvent]:
    """Write down which permits a hold has made void, once each; a turn of the crank. Answers the new events."""
    unmarked = Permit.objects.filter(expires_at__gt=at - _TOLD_FOR).exclude(events__kind=PermitEvent.VOID)
    # locked, so that nothing is told twice
    permits = list(unmarked.select_related("run__model").select_for_update(of=("self",), skip_locked=True))
    found = standing_of(permits, at=at)
    return [_mark(permit, found[permit.pk], at=at) for permit in permits if found[permit.pk].state == VOID]


def _mark(permit: Permit, found: Standing, *, at: datetime) -> PermitEvent:
    assert found.hold is not None  # noqa: S101 -- nothing else makes a permit void
    payload = {
        "permit": str(permit.pk),
        "run": {"id": str(permit.run_id), "name": permit.run.name},
        "model": permit.run.model.name,
        "purpose": permit.run.purpose,
        "state": VOID,
        "since": found.since.isoformat(),
        "reason": {"code": "hold", "hold": str(found.hold.pk)},
    }
    event = PermitEvent.objects.create(
        permit=permit, kind=PermitEvent.VOID, partner=permit.run.partner, payload=payload, at=at
    )
    _announce(permit, found.hold, at=at)
    details = {"hold": str(found.hold.pk)}
    audit.record(at=at, by=actors.SYSTEM, action="permit.void", of=("permit", permit.pk), details=details)
    return event


def _announce(permit: Permit, hold: Hold, *, at: datetime) -> None:
    """Tell whoever may look at the permit, by ids alone: a partner that speaks for the owner of its model."""
    ids = {"permit": str(permit.pk), "run": str(permit.run_id), "model": str(permit.run.model_id), "hold": str(hold.pk)}
    webhooks.announce(event=PermitEvent.VOID, payload=ids, recipients=permit.recipients, at=at)


def _standing(permit: Permit, standing_holds: Iterable[Hold], at: datetime) -> Standing:
    finished = permit.run.finished_at
    end = min(permit.expires_at, finished) if finished else permit.expires_at
    for hold in standing_holds:
        if hold.opened_at <= end and hold.pk not in permit.holds_known and _may_pause(hold, permit):
            since = max(hold.opened_at, permit.issued_at)
            text = f"A pause was opened at {since:%Y-%m-%d %H:%M} UTC: stop the run."
            return Standing(VOID, since, Reason("hold", text), hold)
    if finished:
        return Standing(COMPLETED, finished)
    return Standing(VALID, permit.issued_at) if at < permit.expires_at else Standing(EXPIRED, permit.expires_at)


def _may_pause(hold: Hold, permit: Permit) -> bool:
    """Its purpose and recipient are the permit's; people of any place may be in a dataset, so every place counts."""
    ended_before = hold.lifted_at is not None and hold.lifted_at <= permit.issued_at
    return not ended_before and holds.bears_on(hold, purpose=permit.run.purpose, recipients=permit.recipients)


def _check_once(datasets: Sequence[tuple[str, int | None]]) -> None:
    if len({slug for slug, _ in datasets}) < len(datasets):
        raise DomainError("dataset_twice", "Name each dataset once.", field="datasets")


def _look(
    asked: Asked, owners: Collection[str], paused: Sequence[Pause], *, at: datetime
) -> tuple[list[DatasetVersion], list[Reason]]:
    """The versions that are meant, and everything that is against them."""
    reasons = list(readiness.of_rules(asked.use, at=at))
    known = {
        one.slug: one for one in Dataset.objects.filter(slug__in=[slug for slug, _ in asked.datasets], owner__in=owners)
    }
    versions = []
    for slug, number in asked.datasets:
        dataset = known.get(slug)
        if dataset is None:
            reasons.append(Reason("unknown_dataset", "There is no such dataset, or it is not yours.", slug))
            continue
        reasons += readiness.of_dataset(dataset, asked.use)
        if registry.is_remote(dataset):
            # it has no versions, and that is no reason besides
            continue
        version = _version(dataset, number)
        if version is None:
            code, text = _no_version(number)
            reasons.append(Reason(code, text, slug))
            continue
        reasons += readiness.of_version(version, asked.use, paused, at=at)
        versions.append(version)
    return versions, reasons


def _version(dataset: Dataset, number: int | None) -> DatasetVersion | None:
    of_number = dataset.versions.select_related("dataset")
    return of_number.order_by("-number").first() if number is None else of_number.filter(number=number).first()


def _no_version(number: int | None) -> tuple[str, str]:
    if number is None:
        return "no_version", "It has no version yet: nothing of it is verified."
    return "unknown_version", f"It has no version {number}."


def _versions(permit: Permit) -> list[DatasetVersion]:
    of_permit = RunInput.objects.filter(run=permit.run_id, named_by=RunInput.PERMIT).order_by("pk")
    return [one.version for one in of_permit.select_related("version__dataset")]


def _named(versions: Iterable[DatasetVersion]) -> dict[str, int]:
    return {one.dataset.slug: one.number for one in versions}


def _claims(permit: Permit, versions: Iterable[DatasetVersion]) -> dict[str, Any]:
    """Registered claims of RFC 7519 and ours; times in seconds since 1970."""
    checkpoint = checkpoints.latest()
    return {
        "iss": settings.SITE_URL,
        "jti": str(permit.pk),
        "iat": int(permit.issued_at.timestamp()),
        "exp": int(permit.expires_at.timestamp()),
        "run": {"id": str(permit.run_id), "name": permit.run.name},
        "model": {"id": str(permit.run.model_id), "name": permit.run.model.name, "owner": permit.run.model.owner_id},
        "purpose": permit.run.purpose,
        "datasets": [
            {
                "dataset": one.dataset.slug,
                "version": one.number,
                "digest": one.manifest_digest,
                "rows": one.rows,
                "position": readiness.verified_up_to(one),
            }
            for one in versions
        ],
        "position": permit.position,
        "checkpoint": checkpoint.note if checkpoint else None,
    }
