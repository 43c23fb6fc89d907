"""Files that came in, or were changed by others: noticing them, and whose rows in them have to go.

Runs look for those whom the log names since the last run. A file that comes in later may hold rows of anybody who ever
left, so a full run looks in it for everybody, also for those who were erased and are known by a fingerprint alone.
"""

import re
import uuid
from array import array
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import structlog
from django.db import transaction

from consents import bulk_names
from downstream import leases, leaving, naming, registry, versions
from downstream.connectors.base import Connector, ConnectorError, Manifest, Span, TellsKeys
from downstream.leases import Lease
from downstream.models import Dataset, DatasetVersion, Exemption, Propagation, Target

_HASH = re.compile(r"[0-9a-f]{64}")
_BEGINNING = 16
"""Digits of a hash that are compared."""

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
    batches = _keys(connector, units, failures)
    erased: set[str] = set()
    if dataset.key_hash:
        people = _whose_hashes(dataset, batches)
    else:
        people = set()
        for batch in batches:
            people |= bulk_names.people(batch, scheme=dataset.key_scheme)
            erased |= bulk_names.erased(batch, scheme=dataset.key_scheme)
        erased -= _kept(dataset, erased)
    _aim(propagation, lease, leaving.among(dataset, people, at=at))
    return Looked(manifest, frozenset(erased), tuple(failures))


def _kept(dataset: Dataset, erased: set[str]) -> set[str]:
    """Those keys of erased people whose rows the dataset keeps under an exemption."""
    exempted = Exemption.objects.in_force().filter(dataset=dataset).values_list("fingerprints", flat=True)
    prints = {bytes.fromhex(one) for each in exempted for one in each}
    return bulk_names.having(erased, scheme=dataset.key_scheme, among=prints) if prints else set()


def _keys(connector: TellsKeys, units: Collection[str] | None, failures: list[ConnectorError]) -> Iterator[list[str]]:
    """The keys of these units (None: of all); one that cannot be read keeps no other from being looked through."""
    try:
        yield from connector.keys(units, failures)
    except ConnectorError as failure:
        failures.append(failure)


def _whose_hashes(dataset: Dataset, batches: Iterable[list[str]]) -> set[uuid.UUID]:
    """The living people of whom a name, hashed as the dataset does it, is among these keys.

    Held are 8 bytes of each name's hash, however many keys the dataset has. Two that begin alike make a target too
    many, of whom nothing is found.
    """
    spelled = naming.spelling(dataset)
    if spelled is None:
        return set()
    known, owners = array("Q"), bytearray()
    for page in bulk_names.every(scheme=dataset.key_scheme):
        for value, subject_id in page.items():
            known.append(int(spelled(value)[:_BEGINNING], 16))
            owners += subject_id.bytes
    order = np.argsort(np.array(known, np.uint64))
    ranked = np.array(known, np.uint64)[order]
    people: set[uuid.UUID] = set()
    for batch in batches:
        there = np.array([int(key[:_BEGINNING], 16) for key in batch if _HASH.fullmatch(key)], np.uint64)
        first, last = np.searchsorted(ranked, there), np.searchsorted(ranked, there, side="right")
        for start, end in zip(first[last > first], last[last > first], strict=True):
            people.update(uuid.UUID(bytes=bytes(owners[16 * one : 16 * one + 16])) for one in order[start:end])
    return people


@transaction.atomic
def _aim(propagation: Propagation, lease: Lease, people: dict[uuid.UUID, tuple[Span, ...]]) -> None:
    leases.extend(lease)
    # read again behind the run's lock, which an exemption takes
    kept = set(leaving.kept_back(propagation.dataset))
    people = {pk: spans for pk, spans in people.items() if pk not in kept}
    known = set(naming.keys(people, dataset=propagation.dataset).values())
    Target.objects.bulk_create(
        [leaving.target(propagation, pk, people[pk], is_named=pk in known) for pk in sorted(people)],
        batch_size=5_000,
        # whom the log named since the last run is a target already, and so is whom an earlier attempt found
        ignore_conflicts=True,
    )
