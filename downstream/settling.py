"""Closing a run whose removal is verified: the receipts, the dataset's new position, the deadline of the bytes."""

import uuid
from collections import Counter
from datetime import datetime, timedelta

from django.db import transaction

from downstream import leases, versions
from downstream.connectors.base import Manifest, Verification
from downstream.leases import Lease
from downstream.models import Dataset, Propagation, RemovalReceipt, Unit
from downstream.propagation_states import Purge, Status, UnitStatus
from portal import actors, audit


@transaction.atomic
def settle(
    lease: Lease,
    *,
    looked_for: set[uuid.UUID],
    verification: Verification,
    manifest: Manifest | None = None,
    looked_through: Manifest | None = None,
    at: datetime,
) -> None:
    """Everything that a verified run leaves in the database, in one transaction. Raises LeaseLost.

    `manifest` names the units of what was verified, `looked_through` what was there when a full run looked for
    everybody; see `versions.follow`.
    """
    propagation = leases.lock(lease)
    propagation.units.filter(status=UnitStatus.STAGED).delete()
    removed = _give_receipts(propagation, looked_for, verification, at=at)
    _close(propagation, verification, at=at)
    _move_on(propagation, verification, at=at)
    seen = manifest or Manifest(verification.files, verification.rows, verification.digest)
    versions.follow(propagation=propagation, manifest=seen, looked_through=looked_through, at=at)
    audit.record(
        at=at,
        by=actors.SYSTEM,
        action="propagation.verify",
        of=("propagation", propagation.pk),
        details={"to": propagation.to_position, "rows_removed": removed},
    )


def _give_receipts(run: Propagation, looked_for: set[uuid.UUID], verification: Verification, *, at: datetime) -> int:
    """One receipt for each person; answers how many rows were removed in all."""
    counts: Counter[str] = Counter()
    files: dict[str, list[dict[str, object]]] = {}
    for unit in run.units.filter(status=UnitStatus.COMMITTED).order_by("pk"):
        counts.update(unit.rows)
        for subject_id, count in unit.rows.items():
            files.setdefault(subject_id, []).append({"file": unit.name, "rows": count, **_digests(unit)})
    RemovalReceipt.objects.bulk_create(
        [
            RemovalReceipt(
                propagation_id=run.pk,
                dataset_id=run.dataset_id,
                subject_id=target.subject_id,
                position=run.to_position,
                rows_found=counts[str(target.subject_id)],
                rows_removed=counts[str(target.subject_id)],
                files=files.get(str(target.subject_id), []),
                spans=target.spans,
                digest_before=run.digest_before,
                digest_after=verification.digest,
                verified_at=at,
                files_by_index=verification.by_index,
            )
            # whoever was forgotten since it was planned has their receipt from before; nobody looked for them now
            for target in run.targets.filter(is_gap=False, subject_id__in=looked_for)
        ],
        batch_size=2_000,
    )
    return counts.total()


def _close(run: Propagation, verification: Verification, *, at: datetime) -> None:
    """The run is verified, and its bytes are due."""
    run.status, run.verified_at = Status.VERIFIED, at
    run.rows_after, run.digest_after = verification.rows, verification.digest
    run.files_by_index = verification.by_index
    run.reason_code = run.reason = ""
    run.lease_until = None
    run.purge = Purge.WAITING
    run.purge_deadline = at + timedelta(hours=run.dataset.purge_deadline_hours)
    run.next_try_at, run.handed_over_at = at, None
    run.save()


def _move_on(run: Propagation, verification: Verification, *, at: datetime) -> None:
    dataset = Dataset.objects.filter(pk=run.dataset_id)
    # read whole where the index answered for no file
    looked = {} if verification.by_index else {"full_look_at": at}
    dataset.update(verified_at=at, row_count=verification.rows, file_count=verification.files, **looked)
    # one that was set back meanwhile (`registry.name_created_column`) has earlier entries to do again
    dataset.filter(position=run.from_position).update(position=run.to_position)


def _digests(unit: Unit) -> dict[str, object]:
    return {"before": unit.record["before"], "after": unit.record["after"]}
