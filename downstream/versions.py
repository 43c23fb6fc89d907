"""Versions of a dataset: what training names, what changed between two, and what nobody has looked through yet.

Every verified run makes one, also where it changed nothing: then the digest is the parent's and the position a later
one. Between runs a dataset's position moves on alone while the log concerns nobody in it; `verified_up_to` knows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from downstream import version_units
from downstream.connectors.base import Manifest, UnitVersion
from downstream.engines import columns
from downstream.models import Dataset, DatasetVersion, Propagation, RemovalReceipt, Unit
from downstream.models.versions import DatasetVersion as _Version
from downstream.propagation_states import UnitStatus
from downstream.version_units import Units
from portal import actors, audit
from portal.errors import DomainError, NotFound

Origin = _Version.Origin


class VersionError(DomainError):
    """Two versions that cannot be compared."""


@dataclass(frozen=True)
class UnitChange:
    """A unit that was added (no `before`), removed (no `after`) or rewritten."""

    name: str
    before: UnitVersion | None
    after: UnitVersion | None

    @property
    def kind(self) -> str:
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "rewritten"


@dataclass(frozen=True)
class Changes:
    """What lies between two versions. `units` is None where a store tells no units; `rows_removed` by our own runs."""

    older: DatasetVersion
    newer: DatasetVersion
    units: list[UnitChange] | None
    rows_removed: int
    runs: list[Propagation]


def newest(dataset: Dataset) -> DatasetVersion | None:
    return dataset.versions.order_by("-number").first()


def newest_of(datasets: Iterable[Dataset]) -> dict[int, DatasetVersion]:
    """The newest version of each, by the dataset's id, without its units; one query for all."""
    every = DatasetVersion.objects.filter(dataset__in=datasets).order_by("dataset_id", "-number").distinct("dataset_id")
    return {one.dataset_id: one for one in every.defer("units", "columns")}


def get(dataset: Dataset, number: int) -> DatasetVersion:
    """Raises NotFound(`unknown_version`)."""
    version = dataset.versions.filter(number=number).first()
    if version is None:
        raise NotFound("unknown_version", "The dataset has no version of this number.", field="version")
    return version


def verified_up_to(version: DatasetVersion) -> int:
    """The position up to which every no is verified in it; the newest one's moves on with its dataset's."""
    if version.has_arrivals or version.children.exists():
        return version.position
    return max(version.position, version.dataset.position)


def with_arrivals() -> "QuerySet[DatasetVersion, Any]":
    """Datasets (as a subquery of ids) whose newest version holds what nobody has looked through for everybody."""
    return DatasetVersion.objects.filter(has_arrivals=True, children__isnull=True).values("dataset_id")


@transaction.atomic
def begin(*, dataset: Dataset, manifest: Manifest, at: datetime) -> DatasetVersion:
    """The first version, when a dataset is taken in: nothing is verified in it."""
    return _make(dataset, None, manifest, origin=Origin.REGISTERED, at=at)


@transaction.atomic
def notice(*, dataset: Dataset, manifest: Manifest, at: datetime) -> DatasetVersion | None:
    """A version for what somebody else has made of the dataset; None where it is as the newest version says.

    Nor while a run is open: the run's own version will tell. Where units only went, what is left stays verified.
    """
    locked = Dataset.objects.living().select_for_update().filter(pk=dataset.pk).first()
    if locked is None or locked.propagations.open().exists():
        return None
    parent = newest(locked)
    before = version_units.of(parent) if parent else None
    if parent is not None and _is_same(parent, before, manifest):
        return None
    can_tell = parent is not None and not parent.has_arrivals and before is not None and bool(manifest.units)
    fresh = not can_tell or bool(_unknown(manifest.units, before or {}, {}))
    version = _make(locked, parent, manifest, origin=Origin.NOTICED, has_arrivals=fresh, before=before, at=at)
    audit.record(
        at=at,
        by=actors.SYSTEM,
        action="dataset.notice_change",
        of=("dataset", locked.slug),
        details={"version": version.number, "rows": manifest.rows, "arrivals": fresh},
    )
    return version


def follow(
    *, propagation: Propagation, manifest: Manifest, looked_through: Manifest | None = None, at: datetime
) -> DatasetVersion:
    """The version that a verified run leaves; call it in the transaction that closes the run, last.

    `looked_through` is what was there when a full run looked for everybody. A unit that is neither known from before,
    nor written by the run, nor looked through came in meanwhile: the version says so, and a full run follows.
    """
    dataset = Dataset.objects.select_for_update().get(pk=propagation.dataset_id)
    parent = newest(dataset)
    before = version_units.of(parent) if parent else None
    written = _written(propagation)
    return _make(
        dataset,
        parent,
        manifest,
        origin=Origin.PROPAGATED,
        propagation=propagation,
        has_arrivals=_has_arrivals(propagation, parent, before, manifest, looked_through, written),
        before=before,
        written=written,
        at=at,
    )


def unseen(dataset: Dataset, manifest: Manifest) -> set[str] | None:
    """Units that no run has looked through for everybody; None: all of them, or nobody can tell which."""
    last = dataset.versions.filter(has_arrivals=False).order_by("-number").first()
    before = version_units.of(last) if last else None
    if not dataset.position or before is None or not manifest.units:
        return None
    return _unknown(manifest.units, before, {})


def changes(older: DatasetVersion, newer: DatasetVersion) -> Changes:
    """What changed between two versions of one dataset. Raises VersionError(`versions_out_of_order`)."""
    if older.number > newer.number:
        raise VersionError("versions_out_of_order", "Name the earlier version first.", field="from")
    between = DatasetVersion.objects.filter(
        dataset_id=newer.dataset_id, number__gt=older.number, number__lte=newer.number, propagation_id__isnull=False
    )
    ids = [one for one in between.values_list("propagation_id", flat=True) if one is not None]
    removed = Unit.objects.filter(propagation_id__in=ids, status=UnitStatus.COMMITTED)
    return Changes(
        older=older,
        newer=newer,
        units=_between(version_units.of(older), version_units.of(newer)),
        rows_removed=sum(removed.values_list("record__rows_removed", flat=True)),
        runs=list(Propagation.objects.filter(pk__in=ids).order_by("verified_at")),
    )


def people_taken_out(version: DatasetVersion) -> int:
    """People of whom rows were removed from the dataset up to this version."""
    receipts = RemovalReceipt.objects.filter(
        dataset_id=version.dataset_id, rows_removed__gt=0, verified_at__lte=version.made_at
    )
    return receipts.values("subject_id").distinct().count()


def _make(
    dataset: Dataset,
    parent: DatasetVersion | None,
    manifest: Manifest,
    *,
    origin: str,
    at: datetime,
    propagation: Propagation | None = None,
    has_arrivals: bool = False,
    before: Units | None = None,
    written: Mapping[str, Unit] | None = None,
) -> DatasetVersion:
    number = parent.number + 1 if parent else 1
    units = [_with_sum(unit, before or {}, written or {}) for unit in manifest.units]
    return DatasetVersion.objects.create(
        dataset=dataset,
        number=number,
        parent=parent,
        propagation_id=propagation.pk if propagation else None,
        origin=origin,
        has_arrivals=has_arrivals,
        position=0 if has_arrivals else dataset.position,
        manifest_digest=manifest.digest,
        rows=manifest.rows,
        files=manifest.files,
        columns=columns.stored(manifest.columns) or (parent.columns if parent else []),
        units=version_units.packed(units, number=number, before=before) if units else None,
        made_at=at,
    )


def _with_sum(unit: UnitVersion, before: Units, written: Mapping[str, Unit]) -> UnitVersion:
    """The unit with the SHA-256 of its bytes, where a run has read them all or an earlier version knows it."""
    if unit.sha256:
        return unit
    if _is_written(unit, written):
        after = str(written[unit.name].record["after"])
        return replace(unit, sha256=after) if len(after) == 64 else unit
    old = before.get(unit.name)
    return replace(unit, sha256=old.sha256) if old is not None and old.digest == unit.digest else unit


def _is_written(unit: UnitVersion, written: Mapping[str, Unit]) -> bool:
    """Whether it is what the run has put there; by its size, because its whole content is not read again for this."""
    made = written.get(unit.name)
    return made is not None and made.record["size_after"] == unit.size


def _written(propagation: Propagation) -> dict[str, Unit]:
    """What the run put in place, by unit; the last where it did so more than once."""
    return {unit.name: unit for unit in propagation.units.filter(status=UnitStatus.COMMITTED).order_by("pk")}


def _has_arrivals(
    propagation: Propagation,
    parent: DatasetVersion | None,
    before: Units | None,
    manifest: Manifest,
    looked_through: Manifest | None,
    written: Mapping[str, Unit],
) -> bool:
    if looked_through is not None:
        known = {unit.name: unit for unit in looked_through.units}
        return bool(_unknown(manifest.units, known, written))
    if parent is None or parent.has_arrivals:
        return True
    if before is None or not manifest.units:
        return propagation.digest_before not in ("", parent.manifest_digest)
    return bool(_unknown(manifest.units, before, written))


def _unknown(units: Iterable[UnitVersion], known: Units, written: Mapping[str, Unit]) -> set[str]:
    return {
        unit.name
        for unit in units
        if (unit.name not in known or known[unit.name].digest != unit.digest) and not _is_written(unit, written)
    }


def _is_same(parent: DatasetVersion, before: Units | None, manifest: Manifest) -> bool:
    if before is None or not manifest.units:
        return parent.manifest_digest == manifest.digest
    return {name: unit.digest for name, unit in before.items()} == {unit.name: unit.digest for unit in manifest.units}


def _between(older: Units | None, newer: Units | None) -> list[UnitChange] | None:
    if older is None or newer is None:
        return None
    return [
        UnitChange(name, older.get(name), newer.get(name))
        for name in sorted(older.keys() | newer.keys())
        if name not in older or name not in newer or older[name].digest != newer[name].digest
    ]
