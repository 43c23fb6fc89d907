"""Closing a run whose removal is verified: the receipts, the dataset's new position, the deadline of the bytes."""

import uuid
from collections import Counter
from datetime import datetime, timedelta

from django.db import transaction

from downstream import leases, versions
from downstream.connectors.base import Manifest, Verification
from downstream.leases import Lease
from downstream.models import Dataset, RemovalReceipt, Unit
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
    counts: Counter[str] = Counter()
    files: dict[str, list[dict[str, object]]] = {}
    for unit in propagation.units.filter(status=UnitStatus.COMMITTED).order_by("pk"):
        counts.update(unit.rows)
        for subject_id, count in unit.rows.items():
            files.setdefault(subject_id, []).append({"file": unit.name, "rows": count, **_digests(unit)})
    RemovalReceipt.objects.bulk_create(
        [
            RemovalReceipt(
                propagation_id=propagation.pk,
                dataset_id=propagation.dataset_id,
                subject_id=target.subject_id,
                position=propagation.to_position,
                rows_found=counts[str(target.subject_id)],
                rows_removed=counts[str(target.subject_id)],
                files=files.get(str(target.subject_id), []),
                spans=target.spans,
                digest_before=propagation.digest_before,
                digest_after=verification.digest,
                verified_at=at,
                files_by_index=verification.by_index,
            )
            # whoever was forgotten since it was planned has their receipt from before; nobody looked for them now
            for target in propagation.targets.filter(is_gap=False, subject_id__in=looked_for)
        ],
        batch_size=2_000,
    )
    propagation.status, propagation.verified_at = Status.VERIFIED, at
    propagation.rows_after, propagation.digest_after = verification.rows, verification.digest
    propagation.files_by_index = verification.by_index
    propagation.reason_code = propagation.reason = ""
    propagation.lease_until = None
    propagation.purge = Purge.WAITING
    propagation.purge_deadline = at + timedelta(hours=propagation.dataset.purge_deadline_hours)
    propagation.next_try_at, propagation.handed_over_at = at, None
    propagation.save()
    dataset = Dataset.objects.filter(pk=propagation.dataset_id)
    dataset.update(verified_at=at, row_count=verification.rows, file_count=verification.files)
    if not verification.by_index:
        dataset.update(full_look_at=at)
    # one that was set back meanwhile (`registry.name_created_column`) has earlier entries to do again
    dataset.filter(position=propagation.from_position).update(position=propagation.to_position)
    seen = manifest or Manifest(verification.files, verification.rows, verification.digest)
    versions.follow(propagation=propagation, manifest=seen, looked_through=looked_through, at=at)
    audit.record(
        at=at,
        by=actors.SYSTEM,
        action="propagation.verify",
        of=("propagation", propagation.pk),
        details={"to": propagation.to_position, "rows_removed": counts.total()},
    )


def _digests(unit: Unit) -> dict[str, object]:
    return {"before": unit.record["before"], "after": unit.record["after"]}
