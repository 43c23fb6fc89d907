"""Files that came in, or were changed by others: noticing them, and whose rows in them have to go.

Runs look for those whom the log names since the last run. A file that comes in later may hold rows of anybody who ever
left, so a full run looks in it for everybody, also for those who were erased and are known by a fingerprint alone.
"""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from django.db import transaction

from consents import bulk_names
from downstream import leases, leaving, naming, registry, versions
from downstream.connectors.base import Connector, ConnectorError, Manifest, Span, TellsKeys
from downstream.leases import Lease
from downstream.models import Dataset, DatasetVersion, Propagation, Target

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Looked:
    """What a full run has looked through. `erased` are keys of people who were erased: not for logs, never stored."""

    manifest: Manifest
    erased: frozenset[str] = field(default=frozenset(), repr=False)
    failures: tuple[ConnectorError, ...] = ()
    """Units whose keys could not be read; the run must not end as verified."""


def look_around(*, at: datetime) -> list[DatasetVersion]:
    """Compare every dataset of ours that is at rest with its newest version; answers the versions that this makes.

    Cheap: units are known by their headers. A dataset that cannot be reached is passed over; its next run says why.
    One whose look fails otherwise does not keep the others from theirs: the first error is raised at the end.
    """
    resting = registry.ours().exclude(propagations__in=Propagation.objects.open())
    noticed: list[DatasetVersion] = []
    failures: list[Exception] = []
    for dataset in resting:
        try:
            manifest = registry.connect(dataset).manifest()
            version = versions.notice(dataset=dataset, manifest=manifest, at=at)
        except ConnectorError as error:
            logger.warning("arrivals.not_reached", dataset=dataset.slug, code=error.code)
        except Exception as failure:
            failures.append(failure)
        else:
            noticed += [version] if version else []
    if failures:
        raise failures[0]
    return noticed


def is_first_look(dataset: Dataset) -> bool:
    """Whether a dataset that was just taken in has to be looked through for people whom no log names any more.

    A holder cannot be asked about them: nothing that it would know them by is left.
    """
    if dataset.position or dataset.key_hash or registry.is_remote(dataset):
        return False
    return bulk_names.anybody_erased(dataset.key_scheme)


def look_through(propagation: Propagation, lease: Lease, connector: Connector, *, at: datetime) -> Looked:
    """Find everybody who must not be in the units that nobody has looked through, and make them targets of the run.

    A connector that cannot tell keys is given everybody who may not be in the dataset at all; of it erased people
    cannot be asked. Raises LeaseLost, ConnectorError.
    """
    dataset = propagation.dataset
    manifest = connector.manifest()
    if not isinstance(connector, TellsKeys):
        _aim(propagation, lease, leaving.everybody(dataset, at=at))
        return Looked(manifest)
    units = versions.unseen(dataset, manifest)
    failures: list[ConnectorError] = []
    everything: list[str | None] = [unit.name for unit in manifest.units]
    batches = _keys(connector, (everything or [None]) if units is None else sorted(units), failures)
    erased: set[str] = set()
    if dataset.key_hash:
        people = _whose_hashes(dataset, {key for batch in batches for key in batch})
    else:
        people = set()
        for batch in batches:
            people |= bulk_names.people(batch, scheme=dataset.key_scheme)
            erased |= bulk_names.erased(batch, scheme=dataset.key_scheme)
    _aim(propagation, lease, leaving.among(dataset, people, at=at))
    return Looked(manifest, frozenset(erased), tuple(failures))


def _keys(connector: TellsKeys, units: Sequence[str | None], failures: list[ConnectorError]) -> Iterator[list[str]]:
    """The keys of each unit (None: of all); one that cannot be read keeps no other from being looked through."""
    for unit in units:
        try:
            yield from connector.keys(None if unit is None else [unit])
        except ConnectorError as failure:
            failures.append(failure)


def _whose_hashes(dataset: Dataset, there: set[str]) -> set[uuid.UUID]:
    """The living people of whom a name, hashed as the dataset does it, is among these keys."""
    spelled = naming.spelling(dataset)
    people: set[uuid.UUID] = set()
    for page in bulk_names.every(scheme=dataset.key_scheme):
        people.update(subject_id for value, subject_id in page.items() if spelled and spelled(value) in there)
    return people


@transaction.atomic
def _aim(propagation: Propagation, lease: Lease, people: dict[uuid.UUID, tuple[Span, ...]]) -> None:
    leases.extend(lease)
    known = set(naming.keys(people, dataset=propagation.dataset).values())
    Target.objects.bulk_create(
        [leaving.target(propagation, pk, people[pk], is_named=pk in known) for pk in sorted(people)],
        batch_size=5_000,
        # whom the log named since the last run is a target already, and so is whom an earlier attempt found
        ignore_conflicts=True,
    )
