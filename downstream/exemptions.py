"""Exemptions from an erasure (GDPR Art. 17(3)): this dataset keeps this person's rows, everything else leaves.

An exemption is for keeping, never for use: no training permit is given for a dataset while it keeps such rows. It
speaks of erasures alone; any other no of the person is carried out as ever. docs/decisions/0028-rows-of-one-person.md.
"""

import uuid
from datetime import datetime

from django.db import transaction
from django.db.models import Max, QuerySet

from consents import bulk_names, sequencer
from consents.models import LedgerEvent, Position, Subject
from downstream import leaving
from downstream.models import Dataset, Exemption, ExemptionEnd, Propagation, Target
from downstream.propagation_states import Status
from portal import audit
from portal.errors import Conflict, DomainError

_LONGEST = 300


class ExemptionError(DomainError):
    """An exemption that cannot be as it was asked for."""


@transaction.atomic
def exempt(
    *,
    dataset: Dataset,
    subject_id: uuid.UUID,
    ground: str,
    legal_ground: str,
    by: str,
    seconded_by: str,
    request_id: uuid.UUID,
    at: datetime,
) -> Exemption:
    """Let the dataset keep this person's rows when they are erased; `legal_ground` cites the law and names nobody.

    Made before the rows leave: at the latest while the run that would remove them has not begun. The same again for the
    same request answers what there is. Raises ExemptionError(`four_eyes` | `ground_missing` | `legal_ground_missing` |
    `legal_ground_too_long`), Conflict(`exempted` | `retired` | `rows_left` | `being_removed`).
    """
    _check(ground, legal_ground, by, seconded_by)
    # locked, so that no run of it is planned meanwhile
    locked = Dataset.objects.select_for_update().get(pk=dataset.pk)
    if locked.retired_at is not None:
        raise Conflict("retired", "This dataset is retired: nothing is removed from it any longer.")
    existing = _in_force(locked, subject_id).first()
    if existing is not None and existing.request_id == request_id:
        return existing
    if existing is not None:
        raise Conflict("exempted", "This dataset is exempted for this person already, by another request.")
    _check_still_there(locked, subject_id, at=at)
    made = Exemption.objects.create(
        dataset=locked,
        subject_id=subject_id,
        ground=ground,
        legal_ground=legal_ground.strip(),
        by=by,
        seconded_by=seconded_by,
        request_id=request_id,
        fingerprints=_fingerprints(locked, subject_id),
        at=at,
    )
    details = {"dataset": locked.slug, "ground": ground, "seconded_by": seconded_by}
    audit.record(at=at, by=by, action="exemption.make", of=("exemption", made.pk), details=details)
    return made


@transaction.atomic
def end(*, exemption: Exemption, reason: str, by: str, at: datetime) -> None:
    """The duty to keep the rows is over. Where the person was erased, the next run takes them out.

    That run looks for everybody afresh. Raises ExemptionError(`reason_missing`), Conflict(`ended` | `run_open` |
    `nobody_knows_keys`: whoever was forgotten cannot be found by hashed keys; have the owner remove the rows).
    """
    if not reason.strip():
        raise ExemptionError("reason_missing", "Say why the rows need not be kept any longer.", field="reason")
    dataset = Dataset.objects.select_for_update().get(pk=exemption.dataset_id)
    if ExemptionEnd.objects.filter(pk=exemption.pk).exists():
        raise Conflict("ended", "This exemption has ended already.")
    if Exemption.objects.of_erased().filter(pk=exemption.pk).exists() and dataset.retired_at is None:
        _begin_anew(dataset, exemption.subject_id)
    ExemptionEnd.objects.create(exemption=exemption, by=by, reason=reason.strip()[:_LONGEST], at=at)
    details = {"dataset": dataset.slug}
    audit.record(at=at, by=by, action="exemption.end", of=("exemption", exemption.pk), details=details)


def _in_force(dataset: Dataset, subject_id: uuid.UUID) -> "QuerySet[Exemption]":
    return Exemption.objects.in_force().filter(dataset=dataset, subject_id=subject_id)


def _check(ground: str, legal_ground: str, by: str, seconded_by: str) -> None:
    if not by or not seconded_by or by == seconded_by:
        raise ExemptionError("four_eyes", "Two people decide that something is kept: one proposes, another approves.")
    if not ground:
        raise ExemptionError("ground_missing", "Name the ground.", field="ground")
    if not legal_ground.strip():
        raise ExemptionError("legal_ground_missing", "Name the law that obliges to keep it.", field="legal_ground")
    if len(legal_ground.strip()) > _LONGEST:
        raise ExemptionError(
            "legal_ground_too_long", f"Cite the law in at most {_LONGEST} characters.", field="legal_ground"
        )


def _check_still_there(dataset: Dataset, subject_id: uuid.UUID, *, at: datetime) -> None:
    """Raise Conflict unless the rows may still be there; takes the person out of an erasure's run that has not begun.

    An ordinary no is not stopped by an exemption.
    """
    open_run: Propagation | None = dataset.propagations.open().select_for_update().first()
    aimed = Target.objects.filter(propagation=open_run, subject_id=subject_id) if open_run else Target.objects.none()
    if open_run is not None and aimed.exists():
        has_begun = open_run.status != Status.PLANNED or open_run.fencing_token
        if has_begun or not leaving.being_erased().filter(subject_id=subject_id).exists():
            raise Conflict(
                "being_removed",
                "A run is taking these rows out at this moment; what it has not removed cannot be told.",
            )
        aimed.delete()
        return
    has_gone_by = not _is_untold(subject_id) and dataset.position >= _last_word(subject_id)
    if has_gone_by and (_is_forgotten(subject_id) or leaving.among(dataset, [subject_id], at=at).get(subject_id) == ()):
        raise Conflict(
            "rows_left",
            "This dataset is verified to hold none of this person's rows any more; there is nothing to keep.",
        )


def _is_forgotten(subject_id: uuid.UUID) -> bool:
    return Subject.objects.filter(pk=subject_id, erased_at__isnull=False).exists()


def _is_untold(subject_id: uuid.UUID) -> bool:
    """Whether something of the person has no place in the log yet, so that no run knows of it."""
    return LedgerEvent.objects.filter(subject_id=subject_id, placed__isnull=True).exists()


def _last_word(subject_id: uuid.UUID) -> int:
    last = Position.objects.filter(event__subject_id=subject_id).aggregate(at=Max("position"))["at"]
    return last or sequencer.head() + 1


def _fingerprints(dataset: Dataset, subject_id: uuid.UUID) -> list[str]:
    return sorted(one.hex() for one in bulk_names.fingerprints(subject_id, scheme=dataset.key_scheme))


def _begin_anew(dataset: Dataset, subject_id: uuid.UUID) -> None:
    if dataset.propagations.busy().exists():
        raise Conflict("run_open", "A run of this dataset is open; end the exemption once it has ended.")
    if dataset.key_hash and _is_forgotten(subject_id):
        raise Conflict(
            "nobody_knows_keys",
            "This person was forgotten, and the dataset's keys are hashed: nobody can find the rows. Have its owner "
            "remove them.",
        )
    Dataset.objects.filter(pk=dataset.pk).update(position=0)
