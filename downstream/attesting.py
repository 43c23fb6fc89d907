"""Closing a run by its holder's word: receipts that say who attests them, and the dataset's new position."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from downstream.models import Dataset, Propagation, RemovalReceipt
from downstream.propagation_states import Status
from portal import actors, audit


@dataclass(frozen=True)
class Attested:
    """What a holder says came of a run. Nobody of ours has looked."""

    holder: str
    rows: Mapping[uuid.UUID, int | None]
    """Rows found and removed, of each person that it was asked about; None where it does not say how many."""
    verified_at: datetime
    total: int | None = None
    """Rows of everybody together, where it says so."""
    rows_after: int | None = None
    digest_before: str = ""
    digest_after: str = ""
    evidence: Mapping[uuid.UUID, Mapping[str, Any]] = field(default_factory=dict)


def attest(propagation: Propagation, told: Attested, *, at: datetime) -> None:
    """Close the run, which the caller has locked within its transaction, and which is under way or awaited.

    The run has no second state (`purge` stays empty): bytes that others keep are theirs to erase.
    """
    _write_receipts(propagation, told)
    propagation.status, propagation.verified_at = Status.VERIFIED, at
    propagation.rows_after = told.rows_after
    propagation.digest_before, propagation.digest_after = told.digest_before, told.digest_after
    propagation.reason_code = propagation.reason = ""
    propagation.lease_until, propagation.handed_over_at = None, None
    propagation.save()
    dataset = Dataset.objects.filter(pk=propagation.dataset_id)
    dataset.update(verified_at=told.verified_at)
    if told.rows_after is not None:
        dataset.update(row_count=told.rows_after)
    # one that was set back meanwhile (`registry.name_created_column`) has earlier entries to do again
    dataset.filter(position=propagation.from_position).update(position=propagation.to_position)
    counted = sum(count or 0 for count in told.rows.values())
    audit.record(
        at=at,
        by=actors.SYSTEM,
        action="propagation.attest",
        of=("propagation", propagation.pk),
        details={
            "to": propagation.to_position,
            "holder": told.holder,
            "rows_removed": counted if told.total is None else told.total,
        },
    )


def _write_receipts(propagation: Propagation, told: Attested) -> None:
    receipts = [
        RemovalReceipt(
            propagation_id=propagation.pk,
            dataset_id=propagation.dataset_id,
            subject_id=target.subject_id,
            position=propagation.to_position,
            rows_found=told.rows[target.subject_id] or 0,
            rows_removed=told.rows[target.subject_id] or 0,
            is_counted=told.rows[target.subject_id] is not None,
            attested_by=told.holder,
            files=[dict(told.evidence[target.subject_id])] if target.subject_id in told.evidence else [],
            spans=target.spans,
            digest_before=told.digest_before,
            digest_after=told.digest_after,
            verified_at=told.verified_at,
        )
        # whoever was forgotten since it was planned was not asked about
        for target in propagation.targets.filter(is_gap=False, subject_id__in=told.rows)
    ]
    RemovalReceipt.objects.bulk_create(receipts, batch_size=2_000)
