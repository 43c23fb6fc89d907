"""Partners that hold a dataset: what they see of its runs, the keys that they fetch, and what they say came of it.

What a partner says is believed as its word, and not where it contradicts itself. What is not believed is kept too, and
the run stays open with the reason.
"""

import json
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, Q, QuerySet

from consents.models import Partner
from downstream import attesting, leaving, naming
from downstream.attesting import Attested
from downstream.holders import partners
from downstream.models import Acknowledgement, HolderRequest, Propagation, Target
from downstream.propagation_states import Status
from portal import actors, audit, clock, crypto
from portal.errors import Conflict, Forbidden, NotFound

KINDS = ("pull", "webhook")
State = HolderRequest.State


class Contradiction(Conflict):
    """An acknowledgement that cannot be true as it stands; the run stays open."""


@dataclass(frozen=True)
class KeyCount:
    """What was found and removed of one key, which is personal data."""

    key: str = field(repr=False)
    rows_found: int
    rows_removed: int


@dataclass(frozen=True)
class Said:
    """An acknowledgement as it came in."""

    position: int
    status: str
    reason: str = ""
    rows_found: int | None = None
    rows_removed: int | None = None
    rows_after: int | None = None
    digest_before: str = ""
    digest_after: str = ""
    verified_at: datetime | None = None
    version: str = ""
    keys: Sequence[KeyCount] | None = None


@dataclass(frozen=True)
class Verdict:
    """What came of an acknowledgement."""

    propagation: Propagation
    is_repeated: bool


def visible(partner: Partner) -> "QuerySet[Any]":
    """Runs of the datasets whose owners the partner speaks for."""
    every = Propagation.objects.filter(dataset__owner__in=partner.recipients, dataset__retired_at__isnull=True)
    return every.select_related("dataset")


def counted(runs: Sequence[Any]) -> Sequence[Any]:
    """The same runs, each with its number of `people`, and of those `in_spans`; one query for all."""
    targets = Target.objects.filter(propagation__in=runs, is_gap=False).order_by().values("propagation")
    counts = targets.annotate(people=Count("pk"), in_spans=Count("pk", filter=~Q(spans=[])))
    found = {one["propagation"]: (one["people"], one["in_spans"]) for one in counts}
    for run in runs:
        run.people, run.in_spans = found.get(run.pk, (0, 0))
    return runs


def get(partner: Partner, propagation_id: uuid.UUID) -> Any:
    """One of those. Raises NotFound."""
    found = visible(partner).filter(pk=propagation_id).first()
    if found is None:
        raise NotFound("unknown_propagation", "There is no such run of a dataset that you speak for.")
    return found


def is_holder(partner: Partner, propagation: Propagation) -> bool:
    """Whether the partner holds this run's dataset."""
    dataset = propagation.dataset
    return dataset.kind in KINDS and partners.partner_of(dataset.location) == partner.slug


def check_holder(partner: Partner, propagation: Propagation) -> None:
    """Whose copy it is, and who may see everyone in it. Raises Forbidden."""
    if not is_holder(partner, propagation):
        raise Forbidden("not_the_holder", "This dataset is registered as somebody else's to remove from.")
    if partner.jurisdictions or propagation.dataset.key_scheme not in partner.schemes:
        raise Forbidden(
            "registration_too_narrow", "Your registration does not let you see everybody whom this run is about."
        )


def keys(*, partner: Partner, propagation_id: uuid.UUID, at: datetime) -> Iterator[dict[str, object]]:
    """Each key that has to go, as `{"key", "spans"}`; without spans every row of it goes, else those made in them.

    Raises NotFound, Forbidden, Conflict(`not_awaiting`) at once. That they were fetched is noted at the end.
    """
    propagation = get(partner, propagation_id)
    check_holder(partner, propagation)
    _check_awaiting(propagation)
    wanted = dict(propagation.targets.filter(is_gap=False).values_list("subject_id", "spans"))
    named = naming.keys(wanted, dataset=propagation.dataset)
    audit.record(
        at=at,
        by=actors.partner(partner.slug),
        action="propagation.read_keys",
        of=("propagation", propagation.pk),
        details={"keys": len(named)},
    )
    return _listed(propagation, named, wanted, at)


def _listed(
    propagation: Propagation, named: dict[str, uuid.UUID], wanted: dict[uuid.UUID, leaving.Stored], at: datetime
) -> Iterator[dict[str, object]]:
    for key, subject_id in named.items():
        yield {"key": key, "spans": wanted[subject_id]}
    propagation.asked.filter(state=State.SENT).update(fetched_at=at)


def acknowledge(*, partner: Partner, propagation_id: uuid.UUID, said: Said, at: datetime) -> Verdict:
    """Take down what the holder says, and close or stop the run by it; the same again changes nothing.

    Raises NotFound, Forbidden, Conflict (`wrong_position`, `not_awaiting`, `keys_not_fetched`,
    `said_otherwise_before`), and Contradiction, which is kept and leaves the run open with the reason. Not to be called
    in a transaction.
    """
    refusal: Contradiction | None = None
    with transaction.atomic():
        propagation = get(partner, propagation_id)
        check_holder(partner, propagation)
        propagation = (
            Propagation.objects.select_for_update(of=("self",)).select_related("dataset").get(pk=propagation.pk)
        )
        if _is_repeated(propagation, said):
            return Verdict(propagation, is_repeated=True)
        _check_state(propagation, said)
        try:
            told = None if said.status == "failed" else _attested(partner, propagation, said, at=at)
        except Contradiction as error:
            refusal, told = error, None
            _keep(partner, propagation, said, refused=error.code, at=at)
            propagation.reason_code, propagation.reason = error.code, f"{partner.slug}: {error.message}"
            propagation.save(update_fields=["reason_code", "reason"])
        else:
            _end(partner, propagation, said, told, at=at)
    if refusal is not None:
        raise refusal
    return Verdict(propagation, is_repeated=False)


def _end(partner: Partner, propagation: Propagation, said: Said, told: Attested | None, *, at: datetime) -> None:
    by = actors.partner(partner.slug)
    details = {"dataset": propagation.dataset.slug, "status": said.status}
    audit.record(at=at, by=by, action="propagation.acknowledge", of=("propagation", propagation.pk), details=details)
    asked = propagation.asked.filter(state=State.SENT)
    if told is not None:
        _keep(partner, propagation, said, at=at)
        asked.update(state=State.DONE, answered_at=at, rows=told.total)
        attesting.attest(propagation, told, at=at)
        return
    _keep(partner, propagation, said, failed=True, at=at)
    asked.update(state=State.REFUSED, answered_at=at)
    propagation.status = Status.STOPPED
    propagation.reason_code = "holder_failed"
    propagation.reason = f"{partner.slug} could not remove them and says: {said.reason}"
    propagation.lease_until, propagation.handed_over_at = None, None
    propagation.save()


def _check_awaiting(propagation: Propagation) -> None:
    if propagation.status != Status.AWAITING:
        raise Conflict("not_awaiting", f"Nothing is asked of you about this run now: it is {propagation.status}.")


def _check_state(propagation: Propagation, said: Said) -> None:
    if said.position != propagation.to_position:
        raise Conflict(
            "wrong_position", f"This run goes to position {propagation.to_position} of the log.", field="position"
        )
    if propagation.status == Status.VERIFIED:
        raise Conflict("said_otherwise_before", "You acknowledged this run before, in other words.")
    _check_awaiting(propagation)
    if said.status != "failed" and not propagation.asked.filter(state=State.SENT, fetched_at__isnull=False).exists():
        raise Conflict("keys_not_fetched", "Fetch the keys of this run to their end, remove them, then acknowledge.")


def _attested(partner: Partner, propagation: Propagation, said: Said, *, at: datetime) -> Attested:
    """What it says, where that can be true. Raises Contradiction."""
    if None in (said.rows_found, said.rows_removed, said.rows_after, said.verified_at) or not (
        said.digest_before and said.digest_after
    ):
        raise Contradiction("incomplete", "Say how many rows were found, removed and stay, both digests, and when.")
    if said.rows_found != said.rows_removed:
        raise Contradiction("not_all_removed", "Rows that were found were not removed.", field="rows_removed")
    if bool(said.rows_found) and said.digest_before == said.digest_after:
        raise Contradiction("digest_unchanged", "Rows were removed, but the digest is the same.", field="digest_after")
    assert said.verified_at is not None  # noqa: S101 -- checked above
    if not propagation.planned_at <= said.verified_at <= at + clock.TOLERANCE:
        raise Contradiction(
            "verified_when", "It was verified before it was asked for, or will be.", field="verified_at"
        )
    return Attested(
        holder=partner.slug,
        rows=_per_person(propagation, said),
        verified_at=min(said.verified_at, at),
        total=said.rows_found,
        rows_after=said.rows_after,
        digest_before=said.digest_before,
        digest_after=said.digest_after,
    )


def _per_person(propagation: Propagation, said: Said) -> dict[uuid.UUID, int | None]:
    wanted = list(propagation.targets.filter(is_gap=False).values_list("subject_id", flat=True))
    named = naming.keys(wanted, dataset=propagation.dataset)
    people = dict.fromkeys(named.values())
    if said.keys is None:
        # nothing found at all is nothing found of anybody
        return dict.fromkeys(people, None if said.rows_found else 0)
    counts: Counter[uuid.UUID] = Counter()
    seen: set[str] = set()
    for one in said.keys:
        if one.key not in named or one.key in seen:
            raise Contradiction(
                "unknown_key", "A count is of a key that is not in this run, or is there twice.", field="keys"
            )
        if one.rows_found != one.rows_removed:
            raise Contradiction("not_all_removed", "Rows of a key were found and not removed.", field="keys")
        seen.add(one.key)
        counts[named[one.key]] += one.rows_found
    if counts.total() != said.rows_found:
        raise Contradiction("sum_differs", "The counts by key do not add up to rows_found.", field="rows_found")
    return {subject_id: counts[subject_id] for subject_id in people}


def _is_repeated(propagation: Propagation, said: Said) -> bool:
    """Whether exactly this was accepted as the last word on the run."""
    last = Acknowledgement.objects.filter(propagation_id=propagation.pk, accepted=True).first()
    is_last = propagation.status in (Status.VERIFIED, Status.STOPPED)
    return is_last and last is not None and last.body_digest in _digests(said)


def _digests(said: Said) -> list[str]:
    """Keyed, because it is over people's keys and numbers small enough to try out."""
    counted = None if said.keys is None else sorted((one.key, one.rows_found, one.rows_removed) for one in said.keys)
    plain = [str(value) for value in vars(replace(said, keys=None)).values()]
    text = json.dumps([plain, counted])
    return [one.hex() for one in crypto.blind_indexes("acknowledgement", text)]


def _keep(
    partner: Partner, propagation: Propagation, said: Said, *, at: datetime, refused: str = "", failed: bool = False
) -> None:
    Acknowledgement.objects.create(
        dataset_id=propagation.dataset_id,
        propagation_id=propagation.pk,
        partner=partner.slug,
        received_at=at,
        accepted=not refused,
        reason_code=refused or ("holder_failed" if failed else ""),
        words=said.reason,
        rows_found=said.rows_found,
        rows_removed=said.rows_removed,
        rows_after=said.rows_after,
        digest_before=said.digest_before,
        digest_after=said.digest_after,
        version=said.version,
        verified_at=said.verified_at,
        body_digest=_digests(said)[0],
    )
