"""Carrying one claimed run out: what an earlier holder left, then unit for unit, then looking again.

Files are changed outside any transaction and settled afterwards, so a crash at any instant leaves work that is
still due and a dataset that is whole; the next holder finds out from the unit's record what happened.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime

from django.db import transaction

from downstream import arrivals, leases, leaving, naming, registry, settling
from downstream.connectors.base import Connector, ConnectorError, Manifest, Spans, StagedUnit, Verification
from downstream.leases import Lease
from downstream.models import Propagation, Unit
from downstream.propagation_states import UnitStatus
from portal.fault_points import reach


def work(lease: Lease, clock: registry.Clock) -> None:
    """Bring the run to its end. Raises LeaseLost, ConnectorError."""
    propagation = Propagation.objects.select_related("dataset").get(pk=lease.propagation_id)
    connector = registry.connect(propagation.dataset, at=clock())
    # first: it disarms a zombie that passed its fence but did not rename yet; only then is it settled what is in place
    connector.sweep()
    _resume(lease, propagation, connector, clock)
    looked = arrivals.look_through(propagation, lease, connector, at=clock()) if propagation.is_full else None
    wanted = dict(propagation.targets.filter(is_gap=False).values_list("subject_id", "spans"))
    named = naming.keys(wanted, dataset=propagation.dataset)
    keys = {key for key, subject_id in named.items() if not wanted[subject_id]} | (looked.erased if looked else set())
    spans = leaving.as_spans({key: wanted[subject_id] for key, subject_id in named.items() if wanted[subject_id]})
    if not propagation.digest_before:
        propagation.digest_before = connector.manifest().digest
        Propagation.objects.filter(pk=propagation.pk, fencing_token=lease.token).update(
            digest_before=propagation.digest_before
        )
    for finding, staged in connector.stage_each(connector.find(keys, spans), keys, spans, token=_token(lease)):
        rows: Counter[str] = Counter()
        for key, count in finding.rows_per_key.items():
            rows[str(named.get(key, Unit.ERASED))] += count
        _swap_in(lease, connector, staged, rows, clock)
    verification = _looked_again(connector, keys, spans)
    # once more, for what a holder without its lease did meanwhile
    _resume(lease, propagation, connector, clock)
    if looked and looked.failures:
        raise looked.failures[0]
    manifest = _manifest(connector, verification)
    reach("settle.before")
    settling.settle(
        lease,
        looked_for=set(named.values()),
        verification=verification,
        manifest=manifest,
        looked_through=looked.manifest if looked else None,
        at=clock(),
    )
    reach("settle.after")


def _token(lease: Lease) -> str:
    return f"{lease.propagation_id.hex[-12:]}-{lease.token}"


def _looked_again(connector: Connector, keys: Collection[str], spans: Spans) -> Verification:
    verification = connector.verify(keys, spans)
    if verification.rows_found:
        raise ConnectorError(
            "rows_came_back", "Looking again found rows that were written meanwhile; trying again.", permanent=False
        )
    return verification


def _manifest(connector: Connector, verification: Verification) -> Manifest:
    """The units of what was verified; none where it has changed since, which the next look around will notice."""
    manifest = verification.manifest or connector.manifest()
    if manifest.digest == verification.digest:
        return manifest
    return Manifest(verification.files, verification.rows, verification.digest)


def _swap_in(
    lease: Lease, connector: Connector, staged: StagedUnit, rows: dict[str, int], clock: registry.Clock
) -> None:
    """Put the new version in place. Written down in the fence: from there on, and only then, it may be."""
    written: list[Unit] = []
    connector.commit(staged, fence=lambda: written.append(_write_down(lease, staged, rows, at=clock())))
    for unit in written:
        _mark_committed(lease, unit, at=clock())


@transaction.atomic
def _write_down(lease: Lease, staged: StagedUnit, rows: dict[str, int], *, at: datetime) -> Unit:
    """The unit's record, only while the lease is ours: a zombie's would be taken for the next holder's."""
    leases.extend(lease)
    return Unit.objects.create(
        propagation_id=lease.propagation_id, name=staged.unit, record=asdict(staged), rows=rows, staged_at=at
    )


def _resume(lease: Lease, propagation: Propagation, connector: Connector, clock: registry.Clock) -> None:
    """Find out, for each unit that an earlier holder had written, whether it was put in place.

    Where it was not, its rows will be found again. The record stays until the run is settled: on a store that cannot
    be disarmed, a holder that lost its lease may still put it in place.
    """
    for unit in propagation.units.filter(status=UnitStatus.STAGED):
        if connector.unit_state(StagedUnit(**unit.record)) == "new" and not _is_told(unit):
            _mark_committed(lease, unit, at=clock())


def _is_told(unit: Unit) -> bool:
    """Whether this run has told already of the same version's removal: two holders may have made it alike."""
    committed = Unit.objects.filter(propagation_id=unit.propagation_id, status=UnitStatus.COMMITTED)
    return committed.filter(name=unit.name, record__before=unit.record["before"]).exists()


@transaction.atomic
def _mark_committed(lease: Lease, unit: Unit, *, at: datetime) -> None:
    leases.extend(lease)
    unit.status, unit.committed_at = UnitStatus.COMMITTED, at
    unit.save(update_fields=["status", "committed_at"])
