"""The register of datasets: taking one in, connecting to it, what would happen to it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.db import transaction

from consents import purposes
from consents.models import Recipient
from downstream.connectors import KINDS, open_connector
from downstream.connectors.base import Connector, Description
from downstream.models import Dataset
from portal import audit
from portal.errors import Conflict, DomainError, NotFound

Clock = Callable[[], datetime]
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,49}")


class RegistrationError(DomainError):
    """A dataset that cannot be registered as described."""


@dataclass(frozen=True)
class Registration:
    """What has to be known of a dataset."""

    slug: str
    name: str
    owner: str
    purposes: tuple[str, ...]
    location: str
    key_column: str
    key_scheme: str
    kind: str = "parquet_folder"
    public_name: str = ""
    category: str = ""
    deadline_hours: int = 24


def connect(dataset: Dataset) -> Connector:
    """The connector that reaches this dataset. Raises ConnectorError."""
    return open_connector(dataset.kind, dataset.location, dataset.key_column, dataset.options)


def check(registration: Registration) -> Description:
    """Test the connection and everything named. Raises RegistrationError, NotFound, ConnectorError; changes nothing."""
    if not _SLUG.fullmatch(registration.slug):
        raise RegistrationError("invalid_slug", "A slug is lower-case letters, digits and -.", field="slug")
    if registration.kind not in KINDS:
        raise RegistrationError("unknown_kind", f"A kind is one of: {', '.join(sorted(KINDS))}.", field="kind")
    if not registration.purposes:
        raise RegistrationError("purpose_missing", "Name at least one purpose that it serves.", field="purposes")
    for slug in registration.purposes:
        purposes.get(slug)
    purposes.check_category(registration.category)
    if not Recipient.objects.filter(slug=registration.owner).exists():
        raise NotFound("unknown_recipient", "The owner is no recipient that we know.", field="owner")
    if registration.deadline_hours < 1:
        raise RegistrationError("invalid_deadline", "The deadline is at least one hour.", field="deadline_hours")
    location = str(Path(registration.location).resolve())
    if Dataset.objects.filter(slug=registration.slug).exists():
        raise Conflict("slug_taken", "A dataset of this slug is registered already.", field="slug")
    if Dataset.objects.living().filter(location=location).exists():
        raise Conflict("location_taken", "This place is registered already.", field="location")
    return open_connector(registration.kind, location, registration.key_column, {}).describe()


@transaction.atomic
def register(*, registration: Registration, by: str, at: datetime) -> Dataset:
    """Take a dataset in, at log position 0: the first propagation removes whoever may not be in it.

    Raises what `check` raises; nothing is written then.
    """
    dataset = unsaved(registration, check(registration), at=at)
    dataset.save()
    audit.record(
        at=at,
        by=by,
        action="dataset.register",
        of=("dataset", dataset.slug),
        details={"kind": dataset.kind, "purposes": dataset.purposes, "rows": dataset.row_count},
    )
    return dataset


def unsaved(registration: Registration, described: Description, *, at: datetime) -> Dataset:
    """The dataset as it would be registered."""
    return Dataset(
        slug=registration.slug,
        name=registration.name,
        public_name=registration.public_name or registration.name,
        owner_id=registration.owner,
        purposes=list(registration.purposes),
        kind=registration.kind,
        location=str(Path(registration.location).resolve()),
        key_column=registration.key_column,
        key_scheme=registration.key_scheme,
        category=registration.category,
        deadline_hours=registration.deadline_hours,
        row_count=described.rows,
        file_count=described.files,
        registered_at=at,
    )
